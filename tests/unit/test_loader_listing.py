"""Listing: pages, levels, both layouts, foreign keys and markers, and what S3's answers mean."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from etl_lambda import window
from etl_lambda.backlog import Backlog
from etl_lambda.errors import LoaderError, PermanentError, TransientError
from etl_lambda.listing import Found, Tally, walk
from etl_lambda.retrying import retry, wait_before
from etl_lambda.s3_list import Credentials, ListClient, Listed, Page
from etl_lambda.settings import Settings

AT = datetime(2026, 11, 1, 6, 10, tzinfo=UTC)
DAY = "events/2026/11/01/"


class FakeBucket:
    """Lists literal keys as S3 does, three to a page; fails `failures` times first."""

    def __init__(self, keys: list[str], failures: int = 0) -> None:
        self.keys = sorted(keys)
        self.failures = failures
        self.asked: list[tuple[str, bool]] = []

    def page(self, prefix: str, *, delimiter: bool = False, token: str | None = None) -> Page:
        self.asked.append((prefix, delimiter))
        if self.failures:
            self.failures -= 1
            raise TransientError("s3_unavailable", "slow down")
        entries: list[str] = []
        for key in self.keys:
            if key.startswith(prefix):
                head, slash, _ = key[len(prefix) :].partition("/")
                entry = prefix + head + slash if delimiter and slash else key
                if entry not in entries:
                    entries.append(entry)
        start = int(token or 0)
        part = entries[start : start + 3]
        more = str(start + 3) if start + 3 < len(entries) else None
        below = [entry for entry in part if delimiter and entry.endswith("/") and entry != prefix]
        objects = [Listed(entry, "e", AT, 2) for entry in part if entry not in below]
        return Page(objects, below, more)


def listed(bucket: FakeBucket, of: window.Window) -> tuple[list[str], Tally]:
    tally = Tally()
    pages = walk(bucket, of, tally, workers=2, attempts=3)
    return sorted(found.key for page in pages for found in page), tally


def test_both_layouts_past_a_page_with_foreign_keys_and_markers_apart() -> None:
    day_level = [f"{DAY}event-{number}.json" for number in range(7)]
    hour_level = [f"{DAY}{hour:02}/event-{number}.json" for hour in (5, 6) for number in range(4)]
    odd = [f"{DAY}05/deeper/x.json", f"{DAY}/x.json", f"{DAY}notes/a", f"{DAY}notes/b/c"]
    markers = [DAY, f"{DAY}05/", f"{DAY}notes/"]
    bucket = FakeBucket([*day_level, *hour_level, *odd, *markers, "events/2026/11/02/event.json"])
    keys, tally = listed(bucket, window.of_range(AT.replace(hour=0), AT.replace(hour=23, minute=1)))
    assert keys == sorted(day_level + hour_level)
    assert (tally.listed, tally.foreign, tally.markers) == (15, 4, 3)


def test_hours_outside_the_window_are_not_listed() -> None:
    keys = [f"{DAY}{hour:02}/event-1.json" for hour in range(24)] + [f"{DAY}event-2.json"]
    bucket = FakeBucket(keys)
    found, _ = listed(bucket, window.of_range(AT, AT.replace(minute=20)))
    assert found == [f"{DAY}06/event-1.json", f"{DAY}event-2.json"]
    assert (f"{DAY}05/", False) not in bucket.asked


def test_a_prefix_finds_everything_below_it() -> None:
    keys = [f"events/2026/{month:02}/01/05/event-{month}.json" for month in (1, 10, 11, 12)]
    bucket = FakeBucket([*keys, "events/readme.txt", "other/x"])
    assert listed(bucket, window.Window(("events/2026/1",)))[0] == keys[1:]
    everything, tally = listed(bucket, window.Window(("events/",)))
    assert everything == keys
    assert tally.foreign == 1
    assert len(tally.days) == 4


def test_a_passing_failure_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[int] = []

    def wait_before(attempt: int) -> float:
        waited.append(attempt)
        return 0.0

    monkeypatch.setattr("etl_lambda.retrying.wait_before", wait_before)
    bucket = FakeBucket([f"{DAY}event-1.json"], failures=2)
    assert listed(bucket, window.Window((DAY,)))[0] == [f"{DAY}event-1.json"]
    assert waited == [1, 2]  # with the jitter of each attempt, as a read


def test_a_lasting_failure_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl_lambda.retrying.FIRST_WAIT", 0.0)
    with pytest.raises(TransientError):
        listed(FakeBucket([f"{DAY}event-1.json"], failures=3), window.Window((DAY,)))


def test_only_passing_errors_are_tried_again() -> None:
    tries = []

    def work() -> None:
        tries.append(1)
        raise PermanentError("x", "y")

    with pytest.raises(PermanentError):
        retry(work, 5, lambda _: None)
    assert len(tries) == 1


def test_waits_grow_to_a_limit_with_full_jitter() -> None:
    assert [wait_before(attempt, lambda: 1.0) for attempt in (1, 2, 3, 9)] == [0.4, 0.8, 1.6, 10.0]
    assert wait_before(3, lambda: 0.0) == 0.0


def found(key: str, second: int) -> Found:
    return Found(key, "e", AT.replace(second=second), 2, AT)


def test_the_backlog_is_ordered_by_last_modified_and_key() -> None:
    backlog = Backlog(10)
    backlog.add([found("c", 2), found("b", 1)])
    backlog.add([found("a", 2)])
    backlog.close()
    assert [item.key for item in backlog] == ["b", "a", "c"]


def test_the_backlog_keeps_the_oldest_and_counts_the_rest() -> None:
    backlog = Backlog(2)
    for number in range(50):
        backlog.add([found(f"{number:03}-{second}", second) for second in range(60)])
    backlog.close()
    assert [item.key for item in backlog] == ["000-0", "001-0"]
    assert backlog.dropped == 2998


LIST = b"""<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>
<Prefix>events/</Prefix><IsTruncated>true</IsTruncated>
<NextContinuationToken>1/tok+en==</NextContinuationToken><EncodingType>url</EncodingType>
<Contents><Key>events/2026/11/01/a+b%2Bc%01%C3%A9.json</Key>
<LastModified>2026-11-01T05:00:00.000Z</LastModified>
<ETag>&quot;9b2cf535f27731c974343645a3985328-3&quot;</ETag><Size>736</Size></Contents>
<CommonPrefixes><Prefix>events/2026/11/01/05/</Prefix></CommonPrefixes></ListBucketResult>"""


def client(server: Any, endpoint: str | None = None) -> ListClient:
    keys: Credentials = {
        "access_key_id": "AKIDEXAMPLE",
        "secret_access_key": "secret",
        "token": "tok",
    }
    address = endpoint or f"http://127.0.0.1:{server.port}"
    settings = Settings("raw-bucket", "h", "u", "p", endpoint=address)
    return ListClient(settings, lambda: keys, lambda: datetime(2026, 11, 24, 1, 2, 3, tzinfo=UTC))


def test_a_page_of_s3(server: Any) -> None:
    server.answers.append((200, LIST))
    assert client(server).page("events/", delimiter=True, token="1/x=") == Page(
        [
            Listed(
                "events/2026/11/01/a b+c\x01é.json",
                "9b2cf535f27731c974343645a3985328-3",
                datetime(2026, 11, 1, 5, tzinfo=UTC),
                736,
            )
        ],
        ["events/2026/11/01/05/"],
        "1/tok+en==",
    )
    ((path, headers),) = server.asked
    assert path == (
        "/raw-bucket?continuation-token=1%2Fx%3D&delimiter=%2F&encoding-type=url"
        "&list-type=2&prefix=events%2F"
    )
    assert headers["x-amz-security-token"] == "tok"
    assert headers["authorization"].startswith(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261124/ap-southeast-1/s3/aws4_request, "
        "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token, Signature="
    )


def error(code: str) -> bytes:
    message = "<Message>no AccessDenied, no 503</Message>"
    return f"<?xml version='1.0'?><Error><Code>{code}</Code>{message}</Error>".encode()


@pytest.mark.parametrize(
    ("status", "body", "code", "transient"),
    [
        (404, error("NoSuchBucket"), "missing_bucket", False),
        (403, error("AccessDenied"), "access_denied", False),
        (403, error("Other"), "access_denied", False),
        (400, error("ExpiredToken"), "expired_credentials", True),
        (403, error("InvalidAccessKeyId"), "wrong_credentials", False),
        (403, error("SignatureDoesNotMatch"), "wrong_credentials", False),
        (403, error("RequestTimeTooSkewed"), "wrong_clock", False),
        (301, error("PermanentRedirect"), "wrong_region", False),
        (307, error("TemporaryRedirect"), "wrong_region", False),
        (400, error("AuthorizationHeaderMalformed"), "wrong_region", False),
        (503, error("SlowDown"), "s3_unavailable", True),
        (500, b"", "s3_unavailable", True),
        (502, b"<html>", "s3_unavailable", True),
        (200, LIST[:300], "s3_unavailable", True),
        (200, b"<!DOCTYPE html><html/>", "s3_unavailable", True),
        (200, b"<html/>", "s3_unavailable", True),
        (200, error("InternalError"), "s3_unavailable", True),
        (400, error("InvalidArgument"), "s3_error", False),
    ],
)
def test_answers_that_are_no_page(
    server: Any, status: int, body: bytes, code: str, transient: bool
) -> None:
    server.answers.append((status, body))
    with pytest.raises(LoaderError) as caught:
        client(server).page("events/")
    assert (caught.value.code, caught.value.transient) == (code, transient)
    assert "raw-bucket" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_connection_that_was_closed_meanwhile_is_made_anew(server: Any) -> None:
    server.answers += [(299, error("x")), (200, LIST)]
    lister = client(server)
    with pytest.raises(LoaderError):
        lister.page("events/")
    assert len(lister.page("events/").objects) == 1


def test_an_endpoint_that_does_not_listen(server: Any) -> None:
    with pytest.raises(TransientError, match="cannot be reached") as caught:
        client(server, "http://127.0.0.1:9").page("events/")
    assert caught.value.code == "s3_unreachable"
