"""The short way for usual records comes out where the long way does."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etl_lambda import spellings, usual
from etl_lambda.mapping import Facts
from etl_lambda.settings import Limits
from tests.corpus.checking import check

LATEST = datetime(2026, 11, 1, 5, 35, tzinfo=UTC)
FACTS = Facts(
    "bucket", "events/2026/11/01/05/event-1.json", datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
)
EVENT: dict[str, Any] = {
    "eventName": "product_view",
    "eventId": "0B0E0F3E-6d1b-4c57-9a3e-0f2a1b3c4d5e",
    "pageUrl": "https://shop.invalid/product/ban-phim",
    "referrer": None,
    "userId": None,
    "userLoginState": "anonymous",
    "clientId": "c1",
    "sessionId": "s1",
    "isFirstVisit": False,
    "product": {
        "id": "prod_1",
        "name": "Bàn phím",
        "category": "keyboard",
        "brand": "AULA",
        "price": 1990000,
        "discountPrice": 10,
        "urlPath": "/product/ban-phim",
    },
    "_ingest": {"receivedAt": "2026-11-01T05:00:00.123Z", "sourceIp": "203.0.113.9"},
}
TOP = sorted(
    {key for key in EVENT if key not in ("product", "_ingest")}
    | {"0", "event_timestamp", "timestamp", *spellings.PRODUCTS, "_ingest"}
    | {key for spelling in spellings.PRODUCT for key in spelling.flat}
    | {key for name, keys, _ in usual._FIELDS for key in keys}
    | {*spellings.EVENT_ID, *spellings.EVENT_NAME}
)
INSIDE = sorted({key for spelling in spellings.PRODUCT for key in spelling.inside})
AWKWARD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, -1, 12, 10**12, 10**13, 2**70, 0.5, -0.0, 1e5, 100000.0, 1e16, 1e-7]),
    st.sampled_from(["", " ", " x", "x ", "a  b", "null", "UNDEFINED", "true", "1.990.000", "1e5"]),
    st.sampled_from(["00000000-0000-0000-0000-000000000000", "a\\b", "a\tb", "a\0b", "\ud800"]),
    st.sampled_from(["n" * 100, "n" * 101, "i" * 256, "i" * 257, "t" * 1024, "t" * 1025, "\xa0"]),
    st.sampled_from(["1700000000-ab", "12.50", "2026-11-01", "2027-01-01T00:00:00Z", "\u200b"]),
    st.text(max_size=20),
    st.builds(dict),
    st.builds(list),
)
# Where, which key, what; None takes the key away.
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("event"), st.sampled_from(TOP), AWKWARD),
        st.tuples(st.just("product"), st.sampled_from(INSIDE), AWKWARD),
        st.tuples(st.just("_ingest"), st.sampled_from(spellings.RECEIVED), AWKWARD),
    ),
    max_size=4,
)


@given(changes=CHANGES, absent=st.sets(st.sampled_from(sorted(EVENT)), max_size=2))
def test_a_changed_record_is_mapped_as_without_the_short_way(
    changes: list[tuple[str, str, Any]], absent: set[str]
) -> None:
    event = copy.deepcopy(EVENT)
    for where, key, value in changes:
        place = event if where == "event" else event[where]
        if isinstance(place, dict):
            place[key] = value
    for key in absent:
        event.pop(key, None)
    data = json.dumps(event, ensure_ascii=False).encode("utf-8", "surrogatepass")
    check(data, FACTS, Limits())


@given(
    place=st.integers(0, len(json.dumps(EVENT, ensure_ascii=False).encode()) - 1),
    byte=st.sampled_from(b'\x00\x1f "\\,:{}[]0u\x7f\x80\xc3\xff'),
)
def test_a_changed_byte_is_mapped_as_without_the_short_way(place: int, byte: int) -> None:
    data = bytearray(json.dumps(EVENT, ensure_ascii=False).encode())
    data[place] = byte
    check(bytes(data), FACTS, Limits())


def test_the_publishers_record_takes_the_short_way() -> None:
    record = json.dumps(EVENT, ensure_ascii=False).encode()
    assert usual.line(record, LATEST) == (
        "0b0e0f3e-6d1b-4c57-9a3e-0f2a1b3c4d5e\t2026-11-01T05:00:00.123Z\tproduct_view\t\\N\tanonymous"
        "\t\\N\tc1\ts1\tf\tprod_1\tBàn phím\tkeyboard\tAULA\t1990000\t10\t/product/ban-phim\n"
    )


@pytest.mark.parametrize(
    "field",
    [
        {"context_product_id": "p"},
        {"session_id": "s"},
        {"contextProduct": {}},
        {"clientId": "null"},
        {"eventId": "null "},
        {"eventId": "\xa0"},
        {"eventId": "i" * 257},
        {"userId": "a\\b"},
        {"userId": " "},
        {"userLoginState": 1},
        {"userLoginState": "a\0b"},
        {"userLoginState": ""},
        {"identitySource": "t" * 1025},
        {"eventName": "n" * 101},
        {"sessionId": "i" * 257},
        {"isFirstVisit": 1},
        {"product": {"price": "1.990.000"}},
        {"product": []},
        {"_ingest": {}},
        {"_ingest": {"receivedAt": "2026-11-01T05:00:00.1234567Z"}},
        {"_ingest": {"receivedAt": "2026-02-30T05:00:00Z"}},
        {"_ingest": {"receivedAt": "1989-12-31T23:59:59Z"}},
        {"_ingest": {"receivedAt": "2026-11-01T05:35:01Z"}},
    ],
    ids=lambda field: str(field)[:40],
)
def test_a_record_that_needs_a_decision_takes_the_long_way(field: dict[str, Any]) -> None:
    record = json.dumps(EVENT | field, ensure_ascii=False).encode()
    assert usual.line(record, LATEST) is None
