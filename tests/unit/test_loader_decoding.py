"""Forms of files: what is a record, what is a reject, and where it stands."""

from __future__ import annotations

import gzip
import json
import zlib
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_lambda.copying import cell
from etl_lambda.decoding import Record, Reject, decode
from etl_lambda.mapping import COLUMNS, Facts, Mapped, map_object
from etl_lambda.settings import Limits

LIMITS = Limits()
BOM = b"\xef\xbb\xbf"
A, B, C = b'{"eventName":"a"}', b'{"eventName":"b"}', b'{"eventName":"c"}'


def found(data: bytes, limits: Limits = LIMITS) -> list[tuple[int | None, str]]:
    """Position and event name of each record, position and reason of each reject."""
    return [
        (item.position, item.value["eventName"])
        if isinstance(item, Record)
        else (item.position, item.reason)
        for item in decode(data, limits)
    ]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (A, [(0, "a")]),
        (BOM + A, [(0, "a")]),
        (b" \r\n" + A + b"\n\n", [(0, "a")]),
        (json.dumps(json.loads(A), indent=2).encode(), [(0, "a")]),
        (b"[" + A + b"," + B + b"]", [(0, "a"), (1, "b")]),
        (BOM + b"[\n" + A + b",\n" + B + b"\n]\n", [(0, "a"), (1, "b")]),
        (b"[]", []),
        (A + b"\n" + B, [(0, "a"), (1, "b")]),
        (BOM + A + b"\r\n\r\n" + BOM + B + b"\r\n", [(0, "a"), (1, "b")]),
        (A + B, [(0, "a"), (1, "b")]),
        (A + b"\n" + json.dumps(json.loads(B), indent=1).encode(), [(0, "a"), (1, "not_json")]),
        ((A + b"\n" + B).decode().encode("utf-16"), [(0, "a"), (1, "b")]),
    ],
)
def test_forms_of_a_file(data: bytes, expected: list[tuple[int, str]]) -> None:
    if expected and expected[-1][1] == "not_json":
        assert found(data)[0] == expected[0]
    else:
        assert found(data) == expected
        assert found(gzip.compress(data)) == expected


def test_objects_over_several_lines_one_after_the_other() -> None:
    pretty = b"\n".join(json.dumps(json.loads(text), indent=2).encode() for text in (A, B))
    assert found(pretty) == [(0, "a"), (1, "b")]


def test_gzip_of_several_members_and_padding() -> None:
    members = gzip.compress(A + b"\n") + gzip.compress(B)
    assert found(members + b"\0" * 512) == [(0, "a"), (1, "b")]


def test_gzip_in_gzip() -> None:
    assert found(gzip.compress(gzip.compress(A))) == [(0, "a")]


@pytest.mark.parametrize(
    ("data", "position", "reason"),
    [
        (b"", None, "empty_file"),
        (b" \n\t", None, "empty_file"),
        (BOM, None, "empty_file"),
        (gzip.compress(b""), None, "empty_file"),
        (b"hello", None, "not_json"),
        (b'{"eventName":"a"', None, "not_json"),
        (b'{"eventName":\n"a",\n', None, "not_json"),
        (b"{'eventName':'a'}", None, "not_json"),
        (b'{"eventName":"\xff"}', None, "not_utf8"),
        (b'{"eventName":"a\x01"}', None, "not_json"),
        (b"5", 0, "not_an_object"),
        (b'"text"', 0, "not_an_object"),
        (b"null", 0, "not_an_object"),
        (b"[5]", 0, "not_an_object"),
        (b"[[]]", 0, "not_an_object"),
        (b"\x1f\x8bnot gzip", None, "corrupt_gzip"),
        (gzip.compress(A) + b"tail", None, "corrupt_gzip"),
        (gzip.compress(A)[:12], None, "truncated_gzip"),
    ],
)
def test_what_is_no_record(data: bytes, position: int | None, reason: str) -> None:
    (reject,) = decode(data, LIMITS)
    assert isinstance(reject, Reject)
    assert (reject.position, reject.reason) == (position, reason)
    if reason == "not_json":
        assert reject.sample == data.rstrip()


def test_a_gzip_with_a_wrong_checksum_is_not_trusted() -> None:
    data = bytearray(gzip.compress(A))
    data[-6] ^= 1
    assert found(bytes(data)) == [(None, "corrupt_gzip")]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            A + b"\nrubbish\n" + B + b"\n" + C[:-3],
            [(0, "a"), (1, "not_json"), (2, "b"), (3, "not_json")],
        ),
        (b"rubbish\n" + A, [(0, "not_json"), (1, "a")]),
        (A + b'\n{"eventName":"\xff"}\n' + B, [(0, "a"), (1, "not_utf8"), (2, "b")]),
        (b"[" + A + b",{bad}," + B + b"]", [(0, "a"), (1, "not_json"), (2, "b")]),
        (b"[" + A + b',{"x":"\xff"},' + B + b"]", [(0, "a"), (1, "not_utf8"), (2, "b")]),
        (b"[" + A + b",5," + B + b"]", [(0, "a"), (1, "not_an_object"), (2, "b")]),
        (b"[" + A + b"," + B[:-4], [(0, "a"), (1, "not_json")]),
        (b"[" + A + b"," + B, [(0, "a"), (1, "b"), (2, "not_json")]),
        (b"[" + A + b",", [(0, "a"), (1, "not_json")]),
        (b"[" + A + b",]", [(0, "a")]),
        (b"[" + A + b"]\n" + B, [(0, "a"), (1, "b")]),
        (b"[" + A + b"]]", [(0, "a"), (1, "not_json")]),
        (b"[" + A + b"]\n[" + B + b"," + C + b"]", [(0, "a"), (1, "b"), (2, "c")]),
        (b"[] [" + A + b"]\n" + B, [(0, "a"), (1, "b")]),
        (
            b"[" + A + b",[" + B + b"],{bad}," + C + b"]",
            [(0, "a"), (1, "not_an_object"), (2, "not_json"), (3, "c")],
        ),
        (b"[rubbish\n" + A + b"\n" + B, [(0, "not_json"), (1, "a"), (2, "b")]),
        (A + b"," + B, [(0, "a"), (1, "not_json"), (2, "b")]),
    ],
)
def test_the_rest_of_the_file_loads(data: bytes, expected: list[tuple[int, str]]) -> None:
    assert found(data) == expected


@pytest.mark.parametrize(
    "bad",
    [
        b'{"eventName":"bad}',
        b'{"eventName":bad"}',
        b'{"eventName":"bad","product":{"id":"p"}',
        b'{"eventName":"bad","product":[{"id":"p"}}',
        b'{"eventName":}',
    ],
)
def test_a_lost_quote_or_bracket_in_an_array_costs_its_element_alone(bad: bytes) -> None:
    expected = [(0, "a"), (1, "not_json"), (2, "b"), (3, "c")]
    assert found(b"[" + b",".join([A, bad, B, C]) + b"]") == expected
    assert found(b"[\n" + b",\n".join([A, bad, B, C]) + b"\n]\n") == expected
    assert found(b"[" + b",".join([A, bad, B]) + b"]") == expected[:3]


def test_an_array_that_broke_off_in_a_record_gives_one_reject() -> None:
    lists = b'{"eventName":"b","items":[{"id":"p1"},{"id":"p2"},{"id":"p3"},{"i'
    assert found(b"[" + A + b"," + lists) == [(0, "a"), (1, "not_json")]


def test_a_bad_record_that_holds_objects_is_one_reject() -> None:
    lists = b'{"eventName":b,"items":[{"id":"p1"},{"id":"p2"},{"id":"p3"}]}'
    assert found(b"[" + lists + b"," + A + b"]") == [(0, "not_json"), (1, "a")]


def test_a_truncated_gzip_gives_its_whole_lines() -> None:
    lines = b"".join(b'{"eventName":"%d"}\n' % number for number in range(3000))
    packed = gzip.compress(lines)
    *records, last = found(packed[: len(packed) // 2])
    count = len(records)
    assert 100 < count < 2990
    assert records == [(number, str(number)) for number in range(count)]
    assert last == (count, "truncated_gzip")


def test_a_truncated_gzip_is_told_even_where_a_line_ends() -> None:
    packer = zlib.compressobj(wbits=31)
    data = packer.compress(A + b"\n") + packer.flush(zlib.Z_SYNC_FLUSH)
    assert found(data) == [(0, "a"), (1, "truncated_gzip")]


def test_a_bad_line_before_the_break_keeps_its_own_reason() -> None:
    packer = zlib.compressobj(wbits=31)
    text = A + b"\n" + b'{"x":"\xff"}\n'
    data = packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)
    assert found(data) == [(0, "a"), (1, "not_utf8"), (2, "truncated_gzip")]


def test_samples_are_the_first_4_kib() -> None:
    (reject,) = decode(b"x" * 5000, LIMITS)
    assert isinstance(reject, Reject)
    assert reject.sample == b"x" * 4096


@pytest.mark.parametrize(
    "deep", [b'{"a":' * 65 + b"1" + b"}" * 65, b'{"a":' + b"[" * 64 + b"]" * 64 + b"}"]
)
def test_nesting_over_the_limit(deep: bytes) -> None:
    assert found(deep) == [(0, "too_deep")]
    assert found(b"[" + A + b"," + deep + b"]") == [(0, "a"), (1, "too_deep")]
    assert found(A + b"\n" + deep + b"\n" + B) == [(0, "a"), (1, "too_deep"), (2, "b")]


def test_nesting_at_the_limit_and_wide_records() -> None:
    event = b'{"eventName":"a","x":' + b"[" * 63 + b"]" * 63 + b"}"
    wide = b'{"eventName":"b","x":[' + b",".join([b"{}"] * 500) + b"]}"
    quoted = b'{"eventName":"c","x":"' + b"[{" * 500 + b'"}'
    assert found(b"\n".join([event, wide, quoted])) == [(0, "a"), (1, "b"), (2, "c")]


def test_nesting_without_end_stops_nothing() -> None:
    deep = b"[" * 200_000
    assert found(deep)[0][1] == "too_deep"
    assert found(A + b"\n" + deep + b"\n" + B)[::2] == [(0, "a"), (2, "b")]


def test_records_over_the_limit() -> None:
    limits = Limits(record_bytes=100)
    large = b'{"eventName":"' + b"x" * 100 + b'"}'
    assert found(large, limits) == [(0, "record_too_large")]
    assert found(A + b"\n" + large + b"\n" + B, limits)[1:] == [(1, "record_too_large"), (2, "b")]
    assert found(b"[" + large + b"," + B + b"]", limits) == [(0, "record_too_large"), (1, "b")]


def test_a_posted_array_may_be_larger_than_a_record() -> None:
    limits = Limits(record_bytes=100)
    posted = json.dumps({str(n): {"eventName": "a"} for n in range(20)} | {"_ingest": {}})
    assert found(posted.encode(), limits) == [(n, "a") for n in range(20)]


def test_a_gzip_that_unpacks_beyond_the_limit_is_rejected_whole() -> None:
    limits = Limits(decompressed_bytes=10_000)
    bomb = gzip.compress(b" " * 50_000_000)
    assert found(bomb, limits) == [(None, "object_too_large")]
    assert found(gzip.compress(A), limits) == [(0, "a")]


def test_records_beyond_the_limit_are_one_reject() -> None:
    lines = b"\n".join([A, B, C, A])
    assert found(lines, Limits(records=2)) == [(0, "a"), (1, "b"), (2, "too_many_records")]


def assert_places_differ(mapped: Mapped) -> None:
    places = [row.position for row in mapped.rows] + [item.position for item in mapped.rejects]
    assert len(places) == len(set(places))


# Speed is a matter of the benches: a shared machine may be slow.
RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
JSON = (
    SCALARS
    | st.lists(SCALARS, max_size=2)
    | st.dictionaries(st.text(max_size=4), SCALARS, max_size=2)
)
NAMES = st.sampled_from(
    [
        *("eventId", "eventName", "clientId", "sessionId", "userId", "isFirstVisit", "product"),
        *("timestamp", "event_timestamp", "_ingest", "0", "1"),
        *("context_product_price", "context_product_name"),
    ]
)
PRODUCTS = st.dictionaries(
    st.sampled_from(["id", "price", "discountPrice", "name", "brand"]), JSON, max_size=4
)
EVENTS = st.dictionaries(NAMES, JSON | PRODUCTS, max_size=6)
FACTS = Facts("b", "events/2026/11/01/event-1.json", datetime(2026, 11, 1, tzinfo=UTC))


@RELAXED
@given(st.lists(EVENTS, max_size=3), st.sampled_from(["array", "lines"]), st.booleans())
def test_every_record_becomes_a_row_or_a_reject(
    events: list[dict[str, object]], form: str, packed: bool
) -> None:
    texts = [json.dumps(event) for event in events]
    data = (f"[{','.join(texts)}]" if form == "array" else "\n".join(texts)).encode()
    mapped = map_object(gzip.compress(data) if packed else data, FACTS)
    posted = any("0" in event or "1" in event for event in events)
    if events and not posted:
        assert len(mapped.rows) + len(mapped.rejects) == len(events)
    assert_places_differ(mapped)
    for row in mapped.rows:
        for column in COLUMNS:
            text = cell(getattr(row, column))
            assert "\n" not in text
            assert "\t" not in text
            text.encode()


@RELAXED
@given(
    st.binary(max_size=300)
    | st.text(alphabet='{}[]",:\\ \n1a\ud800', max_size=80).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    )
)
def test_no_bytes_at_all_raise(data: bytes) -> None:
    mapped = map_object(data, FACTS)
    assert_places_differ(mapped)
    assert len(mapped.rows) + len(mapped.rejects) >= (0 if data.strip().startswith(b"[") else 1)


@RELAXED
@given(st.integers(0, 600), st.integers(0, 255))
def test_a_broken_gzip_raises_nothing(place: int, byte: int) -> None:
    data = bytearray(gzip.compress(b"\n".join([A, B, C] * 30)))
    data[place % len(data)] = byte
    mapped = map_object(bytes(data), FACTS)
    assert_places_differ(mapped)
