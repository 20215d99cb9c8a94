"""What a failed read means: by the status and code of S3's answer, never by words of a key."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from typing import Any
from xml.sax.saxutils import escape

import pytest

from etl_lambda.errors import LoaderError, from_s3
from etl_lambda.fetching import Fetched, Reader, open_store
from etl_lambda.listing import Found
from etl_lambda.s3_list import Credentials
from etl_lambda.settings import Limits, Settings

AT = datetime(2026, 11, 1, 5, tzinfo=UTC)
FOLDER = "events/2026/11/01/05/"
PLAIN = f"{FOLDER}event-1.json"
# Each of them was once taken for what it says.
MISLEADING = [
    f"{FOLDER}AccessDenied.json",
    f"{FOLDER}NoSuchBucket.json",
    f"{FOLDER}InvalidObjectState",
    f"{FOLDER}503 500 SlowDown timed out refused",
    f"{FOLDER}BadScheme BareRedirect InvalidCertificate kind: Timeout",
    f"{FOLDER}<Error><Code>ExpiredToken</Code></Error>",
    f'{FOLDER}inner: Status {{ status: 403, body: Some("<Code>AccessDenied</Code>") }}',
]


def read(server: Any, key: str, port: int | None = None, attempts: int = 1) -> Fetched:
    keys: Credentials = {"access_key_id": "a", "secret_access_key": "secret", "token": None}
    limits = Limits(attempts=attempts)
    address = f"http://127.0.0.1:{server.port if port is None else port}"
    settings = Settings("raw-bucket", "h", "u", "p", endpoint=address, limits=limits)
    reader = Reader(open_store(settings, lambda: keys), "raw-bucket", limits)
    return asyncio.run(reader.read(Found(key, "e", AT, 2, AT)))


def error(code: str, key: str) -> bytes:
    """S3's answer, with the key in its message and resource as S3 puts it there."""
    words = escape(f"about {key}")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{words}</Message><Resource>{words}</Resource></Error>"
    ).encode()


@pytest.mark.parametrize("key", [PLAIN, *MISLEADING])
@pytest.mark.parametrize(
    ("status", "sent", "code", "transient"),
    [
        (404, "NoSuchBucket", "missing_bucket", False),
        (403, "AccessDenied", "access_denied", False),
        (403, "Other", "access_denied", False),
        (401, "", "access_denied", False),
        (400, "ExpiredToken", "expired_credentials", True),
        (403, "ExpiredToken", "expired_credentials", True),
        (403, "InvalidAccessKeyId", "wrong_credentials", False),
        (403, "SignatureDoesNotMatch", "wrong_credentials", False),
        (403, "RequestTimeTooSkewed", "wrong_clock", False),
        (301, "PermanentRedirect", "wrong_region", False),
        (307, "TemporaryRedirect", "wrong_region", False),
        (400, "AuthorizationHeaderMalformed", "wrong_region", False),
        (503, "SlowDown", "s3_unavailable", True),
        (500, "", "s3_unavailable", True),
        (400, "RequestTimeout", "s3_unavailable", True),
        (429, "Other", "s3_unavailable", True),
        (400, "InvalidArgument", "s3_error", False),
    ],
)
def test_a_refusal_is_told_by_its_status_and_code(
    server: Any, key: str, status: int, sent: str, code: str, transient: bool
) -> None:
    server.answers.append((status, error(sent, key) if sent else b""))
    with pytest.raises(LoaderError) as caught:
        read(server, key)
    assert (caught.value.code, caught.value.transient) == (code, transient)
    assert str(caught.value).startswith("bucket raw-bucket: ")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("key", [PLAIN, *MISLEADING])
def test_an_object_that_is_not_there_is_gone_whatever_its_name(server: Any, key: str) -> None:
    server.answers.append((404, error("NoSuchKey", key)))
    assert read(server, key).problem == "vanished"


def test_a_passing_failure_is_tried_again(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[int] = []

    def wait_before(attempt: int) -> float:
        waited.append(attempt)
        return 0.0

    monkeypatch.setattr("etl_lambda.fetching.wait_before", wait_before)
    broken = [(503, error("SlowDown", PLAIN)), (500, b"")]
    server.answers.extend([*broken, (404, error("NoSuchKey", PLAIN))])
    assert read(server, PLAIN, attempts=3).problem == "vanished"
    assert waited == [1, 2]


def test_an_archived_object_is_told_by_its_code(server: Any) -> None:
    server.answers.append((403, error("InvalidObjectState", PLAIN)))
    assert read(server, PLAIN).problem == "archived"


@pytest.mark.parametrize("key", [PLAIN, *MISLEADING])
def test_a_server_that_does_not_listen_is_unreachable_whatever_the_key(key: str) -> None:
    with pytest.raises(LoaderError) as caught:
        read(None, key, port=9)
    assert (caught.value.code, caught.value.transient) == ("s3_unreachable", True)


def test_a_key_that_the_client_cannot_ask_for_stops_nothing() -> None:
    assert read(None, f"{FOLDER}/event-1.json", port=9).problem == "unreadable_key"


@pytest.mark.parametrize(
    ("error", "code", "transient"),
    [
        (ssl.SSLCertVerificationError("CERTIFICATE_VERIFY_FAILED"), "s3_certificate", False),
        (TimeoutError("timed out"), "s3_timeout", True),
        (ConnectionResetError(104, "reset"), "s3_unreachable", True),
        (OSError("AccessDenied"), "s3_unreachable", True),
        (ValueError("AccessDenied"), "s3_error", False),
    ],
)
def test_errors_of_the_standard_library_are_told_by_their_type(
    error: Exception, code: str, transient: bool
) -> None:
    decided = from_s3(error, "raw")
    assert (decided.code, decided.transient) == (code, transient)
