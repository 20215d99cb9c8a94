"""Taking erased events out of raw objects."""

from __future__ import annotations

import gzip
import hashlib
import json
from datetime import UTC, datetime

import pytest

from etl_lambda.mapping import Facts, map_object
from etl_lambda.redacting import Erased, UnreadableError, redact

FACTS = Facts("raw", "events/2026/11/01/event-1.json", datetime(2026, 11, 1, 5, tzinfo=UTC))
FIRST = "11111111-1111-4111-8111-111111111111"
SECOND = "22222222-2222-4222-8222-222222222222"
THIRD = "33333333-3333-4333-8333-333333333333"
ERASED = Erased(frozenset({SECOND}))


def line(event_id: str, client: str = "c") -> bytes:
    return f'{{"eventId": "{event_id}", "eventName": "click", "clientId": "{client}"}}'.encode()


def event_ids(data: bytes) -> list[str]:
    return [row.event_id for row in map_object(data, FACTS).rows]


def test_an_object_of_one_erased_event_has_nothing_left() -> None:
    assert redact(line(SECOND), FACTS, ERASED) is None


def test_an_object_without_an_erased_event_stays_byte_for_byte() -> None:
    data = b" \n" + line(FIRST) + b"\r\n"
    assert redact(data, FACTS, ERASED) is data


def test_a_line_goes_and_the_others_keep_their_bytes() -> None:
    data = line(FIRST) + b"\n" + line(SECOND) + b"\n" + line(THIRD) + b"\n"
    assert redact(data, FACTS, ERASED) == line(FIRST) + b"\n" + line(THIRD) + b"\n"


def test_an_element_of_an_array_goes() -> None:
    data = b"[" + line(FIRST) + b" ,\n" + line(SECOND) + b"]"
    assert redact(data, FACTS, ERASED) == b"[" + line(FIRST) + b"]"


def test_a_gzip_stays_a_gzip() -> None:
    data = gzip.compress(line(FIRST) + b"\n" + line(SECOND))
    again = redact(data, FACTS, ERASED)
    assert again is not None
    assert gzip.decompress(again) == line(FIRST)


def test_objects_one_after_the_other_become_lines() -> None:
    data = line(FIRST) + line(SECOND) + line(THIRD)
    assert redact(data, FACTS, ERASED) == line(FIRST) + b"\n" + line(THIRD) + b"\n"


def test_a_record_of_a_posted_array_goes_and_its_envelope_stays() -> None:
    posted = {
        "0": json.loads(line(SECOND)),
        "1": json.loads(line(FIRST)),
        "_ingest": {"receivedAt": "2026-11-01T04:00:00Z"},
    }
    again = redact(json.dumps(posted).encode(), FACTS, ERASED)
    assert again is not None
    assert json.loads(again) == {
        "0": {"eventId": FIRST, "eventName": "click", "clientId": "c"},
        "_ingest": {"receivedAt": "2026-11-01T04:00:00Z"},
    }


def test_events_without_an_id_keep_the_ids_that_were_made_of_them() -> None:
    data = b'{"eventName":"a"}\n' + line(SECOND) + b'\n{"eventName":"b"}\n{"eventName":"a"}\n'
    first, _, *others = event_ids(data)
    again = redact(data, FACTS, ERASED)
    assert again is not None
    assert event_ids(again) == [first, *others]


def test_one_of_equal_events_without_an_id_cannot_go_alone() -> None:
    data = b'{"eventName":"a"}\n{"eventName":"a"}\n'
    first, _ = event_ids(data)
    with pytest.raises(UnreadableError, match="not_the_same_again"):
        redact(data, FACTS, Erased(frozenset({first})))


def test_events_of_an_id_that_is_known_go_whether_they_were_stored_or_not() -> None:
    data = line(FIRST, "c1") + b"\n" + line(THIRD, "c2") + b"\n"
    assert redact(data, FACTS, Erased(frozenset(), client_ids=frozenset({"c1"}))) == line(
        THIRD, "c2"
    )


def test_a_line_that_is_no_event_goes_by_the_hash_of_its_sample() -> None:
    bad = b'{"clientId": "c1"'
    data = line(FIRST) + b"\n" + bad + b'\n{"clientId": "c12"\n'
    erased = Erased(frozenset(), frozenset({hashlib.sha256(bad).hexdigest()}))
    assert redact(data, FACTS, erased) == line(FIRST) + b'\n{"clientId": "c12"\n'


def test_a_record_of_a_posted_array_that_is_no_event_goes_alone() -> None:
    posted = {"0": {"a": "c1"}, "1": {"a": "c2"}, "2": json.loads(line(FIRST)), "_ingest": {}}
    erased = Erased(frozenset(), frozenset({hashlib.sha256(b'{"a":"c1"}').hexdigest()}))
    again = redact(json.dumps(posted).encode(), FACTS, erased)
    assert again is not None
    assert json.loads(again) == {"0": {"a": "c2"}, "1": json.loads(line(FIRST)), "_ingest": {}}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gzip.compress(line(SECOND), mtime=0)[:-9], "truncated_gzip"),
        (b"\x1f\x8b" + line(SECOND), "corrupt_gzip"),
        (b"[" + line(SECOND), "broken_array"),
    ],
)
def test_what_cannot_be_taken_apart_is_said(data: bytes, reason: str) -> None:
    with pytest.raises(UnreadableError) as caught:
        redact(data, FACTS, ERASED)
    assert caught.value.reason == reason
