"""Files too large for the corpus, and made-up ones: what is a record, and what is a reject."""

from __future__ import annotations

import gzip
import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from etl_lambda.decoding import Record, Reject, decode
from etl_lambda.settings import Limits
from tests.corpus.checking import check

LIMITS = Limits()
A, B = b'{"eventName":"a"}', b'{"eventName":"b"}'


def test_a_truncated_gzip_gives_its_whole_lines() -> None:
    lines = b"".join(b'{"eventName":"%d"}\n' % number for number in range(3000))
    packed = gzip.compress(lines)
    *records, last = decode(packed[: len(packed) // 2], LIMITS)
    assert 100 < len(records) < 2990
    for number, record in enumerate(records):
        assert isinstance(record, Record)
        assert (record.position, record.value) == (number, {"eventName": str(number)})
    assert isinstance(last, Reject)
    assert (last.position, last.reason) == (len(records), "truncated_gzip")


def test_samples_are_the_first_4_kib() -> None:
    assert list(decode(b"x" * 5000, LIMITS)) == [Reject(None, "not_json", b"x" * 4096)]


def test_nesting_without_end_stops_nothing() -> None:
    deep = b"[" * 200_000
    (first, *_) = decode(deep, LIMITS)
    assert isinstance(first, Reject)
    assert first.reason == "too_deep"
    found = list(decode(A + b"\n" + deep + b"\n" + B, LIMITS))
    assert [type(item) for item in found] == [Record, Reject, Record]


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


@RELAXED
@given(st.lists(EVENTS, max_size=3), st.sampled_from(["array", "lines"]), st.booleans())
def test_no_values_break_a_rule(events: list[dict[str, object]], form: str, packed: bool) -> None:
    texts = [json.dumps(event) for event in events]
    data = (f"[{','.join(texts)}]" if form == "array" else "\n".join(texts)).encode()
    check(gzip.compress(data) if packed else data)


@RELAXED
@given(
    st.binary(max_size=300)
    | st.text(alphabet='{}[]",:\\ \n1a\ud800', max_size=80).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    )
)
def test_no_bytes_at_all_break_a_rule(data: bytes) -> None:
    check(data)


@RELAXED
@given(st.integers(0, 600), st.integers(0, 255))
def test_a_broken_gzip_breaks_no_rule(place: int, byte: int) -> None:
    data = bytearray(gzip.compress(b"\n".join([A, B] * 20)))
    data[place % len(data)] = byte
    check(bytes(data))
