"""The raw event contract, line by line: bytes in, rows, coercions and rejects out."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from etl_lambda.decoding import Reject
from etl_lambda.mapping import COLUMNS, Facts, Mapped, Row, map_object
from etl_lambda.values import NAMESPACE

MODIFIED = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
KEY = "events/2026/11/01/05/event-1.json"
FACTS = Facts("clickstream-s3-ingest", KEY, MODIFIED)
ID = "0b0e0f3e-6d1b-4c57-9a3e-0f2a1b3c4d5e"
NIL = "00000000-0000-0000-0000-000000000000"


def load(*records: Any) -> Mapped:
    return map_object("\n".join(json.dumps(record) for record in records).encode(), FACTS)


def one(**fields: Any) -> Row:
    """The row of an event that has a name, an id and the fields given."""
    mapped = load({"eventName": "click", "eventId": ID, **fields})
    assert mapped.rejects == []
    (row,) = mapped.rows
    return row


def coerced(**fields: Any) -> dict[str, int]:
    return load({"eventName": "click", "eventId": ID, **fields}).coerced


def test_the_example_of_the_contract() -> None:
    data = """{"eventName":"product_view","eventId":"0b0e0f3e-6d1b-4c57-9a3e-0f2a1b3c4d5e",
     "pageUrl":"https://shop.test/product/ban-phim-aula-m75","referrer":null,"userId":null,
     "userLoginState":"anonymous","clientId":"c1","sessionId":"s1","isFirstVisit":false,
     "product":{"id":"prod_aula_m75","name":"Bàn phím AULA M75","category":"keyboard","brand":"AULA",
       "price":1990000,"discountPrice":10,"urlPath":"/product/ban-phim-aula-m75"},
     "_ingest":{"receivedAt":"2026-11-01T05:00:00.123Z","sourceIp":"203.0.113.9"}}"""
    mapped = map_object(data.encode(), FACTS)
    assert mapped == Mapped(
        [
            Row(
                position=0,
                event_id=ID,
                event_timestamp=datetime(2026, 11, 1, 5, 0, 0, 123000, tzinfo=UTC),
                event_name="product_view",
                user_id=None,
                user_login_state="anonymous",
                identity_source=None,
                client_id="c1",
                session_id="s1",
                is_first_visit=False,
                context_product_id="prod_aula_m75",
                context_product_name="Bàn phím AULA M75",
                context_product_category="keyboard",
                context_product_brand="AULA",
                context_product_price="1990000",
                context_product_discount_price="10",
                context_product_url_path="/product/ban-phim-aula-m75",
            )
        ],
        [],
        {},
        {},
    )


def test_the_columns_are_the_sixteen_of_the_warehouse_in_their_order() -> None:
    assert COLUMNS == (
        "event_id",
        "event_timestamp",
        "event_name",
        "user_id",
        "user_login_state",
        "identity_source",
        "client_id",
        "session_id",
        "is_first_visit",
        "context_product_id",
        "context_product_name",
        "context_product_category",
        "context_product_brand",
        "context_product_price",
        "context_product_discount_price",
        "context_product_url_path",
    )


@pytest.mark.parametrize(
    ("sent", "column", "value"),
    [
        ({"event_id": ID.upper()}, "event_id", ID),
        ({"event_name": "share_click"}, "event_name", "share_click"),
        ({"user_id": "u1"}, "user_id", "u1"),
        ({"userId": "u1"}, "user_id", "u1"),
        ({"user_login_state": "guest"}, "user_login_state", "guest"),
        ({"userLoginState": "logged_in"}, "user_login_state", "logged_in"),
        ({"userLoginState": "b2b"}, "user_login_state", "b2b"),
        ({"identity_source": "cookie"}, "identity_source", "cookie"),
        ({"identitySource": "cookie"}, "identity_source", "cookie"),
        ({"client_id": "c9"}, "client_id", "c9"),
        ({"session_id": "s9"}, "session_id", "s9"),
        ({"is_first_visit": True}, "is_first_visit", True),
        ({"product": {"product_id": "p"}}, "context_product_id", "p"),
        ({"product": {"product_name": "n"}}, "context_product_name", "n"),
        ({"product": {"product_category": "c"}}, "context_product_category", "c"),
        ({"product": {"brandName": "b"}}, "context_product_brand", "b"),
        ({"product": {"brand_name": "b"}}, "context_product_brand", "b"),
        ({"product": {"brand": "first", "brandName": "x"}}, "context_product_brand", "first"),
        ({"product": {"discount_price": 7}}, "context_product_discount_price", "7"),
        ({"product": {"url_path": "/p"}}, "context_product_url_path", "/p"),
        ({"context_product": {"id": "p"}}, "context_product_id", "p"),
        ({"contextProduct": {"brandName": "b"}}, "context_product_brand", "b"),
        ({"context_product": {"urlPath": "/p"}}, "context_product_url_path", "/p"),
        ({"context_product_id": "p"}, "context_product_id", "p"),
        ({"context_product_name": "n"}, "context_product_name", "n"),
        ({"context_product_category": "c"}, "context_product_category", "c"),
        ({"context_product_brand": "b"}, "context_product_brand", "b"),
        ({"context_product_price": "5"}, "context_product_price", "5"),
        ({"context_product_discount_price": 5}, "context_product_discount_price", "5"),
        ({"context_product_url_path": "/p"}, "context_product_url_path", "/p"),
        ({"contextProductUrlPath": "/p"}, "context_product_url_path", "/p"),
        (
            {"product": {"id": "inner"}, "context_product_id": "flat"},
            "context_product_id",
            "inner",
        ),
        ({"product": {"id": ""}, "context_product_id": "flat"}, "context_product_id", "flat"),
    ],
)
def test_each_spelling_is_taken(sent: dict[str, Any], column: str, value: Any) -> None:
    (row,) = load({"clientId": "c"} | sent).rows if column != "client_id" else load(sent).rows
    assert getattr(row, column) == value


@pytest.mark.parametrize(
    "absent", ["", "   ", "null", "NULL", "undefined", " Undefined ", NIL, None]
)
@pytest.mark.parametrize(
    ("field", "column"),
    [
        ("userId", "user_id"),
        ("clientId", "client_id"),
        ("sessionId", "session_id"),
        ("context_product_id", "context_product_id"),
    ],
)
def test_ids_that_count_as_absent(field: str, column: str, absent: str | None) -> None:
    assert getattr(one(**{field: absent}), column) is None


def test_an_absent_id_in_one_spelling_leaves_the_other() -> None:
    assert one(userId="undefined", user_id="u2").user_id == "u2"


@pytest.mark.parametrize("absent", ["", "null", "undefined", NIL])
def test_an_event_id_that_counts_as_absent_is_made(absent: str) -> None:
    (row,) = load({"eventName": "click", "eventId": absent}).rows
    (made,) = load({"eventName": "click", "eventId": absent}).rows
    assert row.event_id == made.event_id
    assert uuid.UUID(row.event_id).version == 5


def test_a_text_as_event_id_becomes_its_uuid5() -> None:
    (row,) = load({"eventId": "1761973200123-9f3c"}).rows
    assert row.event_id == str(uuid.uuid5(NAMESPACE, "1761973200123-9f3c"))
    assert row.event_id == "cf3e8d15-4674-5a2c-8735-ed14c37d5b68"


@pytest.mark.parametrize(
    "text", [ID.replace("-", ""), "{" + ID + "}", ID + "0", "g" + ID[1:], "urn:uuid:" + ID]
)
def test_other_forms_of_a_uuid_are_text(text: str) -> None:
    (row,) = load({"eventId": text}).rows
    assert row.event_id == str(uuid.uuid5(NAMESPACE, text))


def test_made_ids_are_the_same_again_and_apart_for_equals_in_one_file() -> None:
    event = {"eventName": "click", "clientId": "c"}
    first, second, third = load(event, event, {"clientId": "c", "eventName": "click"}).rows
    again = load(event, event, event).rows
    assert [row.event_id for row in again] == [first.event_id, second.event_id, third.event_id]
    assert len({first.event_id, second.event_id, third.event_id}) == 3


def test_a_rewritten_file_puts_no_other_event_on_an_old_id() -> None:
    old = load({"eventName": "a"}, {"eventName": "b"}).rows
    new = load({"eventName": "c"}, {"eventName": "b"}, {"eventName": "a"}).rows
    ids = {row.event_name: row.event_id for row in old}
    assert {row.event_name: row.event_id for row in new if row.event_name != "c"} == ids
    assert new[0].event_id not in ids.values()


def test_made_ids_differ_by_key_and_bucket() -> None:
    data = b'{"eventName":"a"}'
    ids = {
        map_object(data, Facts(bucket, key, MODIFIED)).rows[0].event_id
        for bucket in ("b1", "b2")
        for key in ("events/2026/11/01/x", "events/2026/11/01/y")
    }
    assert len(ids) == 4


def test_a_made_id_is_pinned() -> None:
    made = load({"eventName": "a", "clientId": "é"}).rows[0].event_id
    place = '["clickstream-s3-ingest","events/2026/11/01/05/event-1.json"]'
    content = '{"clientId":"é","eventName":"a"}'
    assert made == str(uuid.uuid5(NAMESPACE, place + content + "0"))
    assert made == "f10227ed-55a5-5e71-9ba8-5a53fd1ea289"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {
                "_ingest": {"receivedAt": "2026-11-01T05:00:00Z"},
                "timestamp": "2026-11-01T04:00:00Z",
            },
            "2026-11-01T05:00:00+00:00",
        ),
        (
            {"_ingest": {"receivedAt": "rubbish"}, "timestamp": "2026-11-01T04:00:00Z"},
            "2026-11-01T04:00:00+00:00",
        ),
        ({"_ingest": "rubbish", "timestamp": 1793509200}, "2026-11-01T05:00:00+00:00"),
        (
            {"event_timestamp": "2026-11-01", "eventTimestamp": "2026-10-01", "timestamp": 0},
            "2026-11-01T00:00:00+00:00",
        ),
        ({"eventTimestamp": "2026-10-01", "timestamp": 1}, "2026-10-01T00:00:00+00:00"),
        ({"timestamp": "2026-11-01T12:00:00+07:00"}, "2026-11-01T05:00:00+00:00"),
        ({"timestamp": "2026-11-01 12:00:00.5+0700"}, "2026-11-01T05:00:00.500000+00:00"),
        ({"timestamp": "2026-11-01T05:00:00"}, "2026-11-01T05:00:00+00:00"),
        ({"timestamp": "20261101T050000Z"}, "2026-11-01T05:00:00+00:00"),
        ({"timestamp": 1793509200}, "2026-11-01T05:00:00+00:00"),
        ({"timestamp": 1793509200.25}, "2026-11-01T05:00:00.250000+00:00"),
        ({"timestamp": 1793509200123}, "2026-11-01T05:00:00.123000+00:00"),
        ({"timestamp": 99_999_999_999}, MODIFIED.isoformat()),  # seconds: the year 5138
        ({"timestamp": 100_000_000_000}, MODIFIED.isoformat()),  # milliseconds: 1973
        ({"timestamp": "1990-01-01T00:00:00Z"}, "1990-01-01T00:00:00+00:00"),
        ({"timestamp": "1989-12-31T23:59:59Z"}, MODIFIED.isoformat()),
        ({"timestamp": "2026-11-01T05:35:00Z"}, "2026-11-01T05:35:00+00:00"),
        ({"timestamp": "2026-11-01T05:35:00.001Z"}, MODIFIED.isoformat()),
        ({"timestamp": "2026-11-01T25:00:00Z"}, MODIFIED.isoformat()),
        ({"timestamp": "1793509200"}, MODIFIED.isoformat()),
        ({"timestamp": True}, MODIFIED.isoformat()),
        ({"timestamp": None}, MODIFIED.isoformat()),
        ({"timestamp": 1e300}, MODIFIED.isoformat()),
        ({"timestamp": "0001-01-01T00:00:00+23:59"}, MODIFIED.isoformat()),
        ({}, MODIFIED.isoformat()),
    ],
)
def test_the_chain_of_times(fields: dict[str, Any], expected: str) -> None:
    assert one(**fields).event_timestamp.isoformat() == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (None, "unknown"),
        ("", "unknown"),
        (" \t", "unknown"),
        (7, "unknown"),
        ("page_view", "page_view"),
        ("n" * 101, "n" * 100),
    ],
)
def test_event_names(name: Any, expected: str) -> None:
    (row,) = load({"eventName": name, "eventId": ID}).rows
    assert row.event_name == expected


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("false", False),
        ("TRUE", True),
        (1, True),
        (0, False),
        (2, None),
        ("yes", None),
        ("1", None),
        ([], None),
        (None, None),
    ],
)
def test_first_visit(sent: Any, value: bool | None) -> None:
    assert one(isFirstVisit=sent).is_first_visit is value


@pytest.mark.parametrize(
    ("sent", "value"),
    [
        (1990000, "1990000"),
        (0, "0"),
        (19.99, "19.99"),
        (1e-7, "0.0000001"),
        ("1990000", "1990000"),
        (" 19.90 ", "19.90"),
        ("0019.5", "19.5"),
        ("-0", "0"),
        (999_999_999_999, "999999999999"),
        ("999999999999.99", "999999999999.99"),
        (10**12, None),
        ("1000000000000", None),
        (10**400, None),
        (-1, None),
        ("-0.01", None),
        ("1.990.000", None),
        ("1,990", None),
        ("1e5", None),
        ("0x10", None),
        ("١٢", None),
        ("1_000", None),
        ("NaN", None),
        ("Infinity", None),
        ("-inf", None),
        ("", None),
        ("12 VND", None),
        (True, None),
        ([5], None),
        ({"amount": 5}, None),
    ],
)
def test_prices(sent: Any, value: str | None) -> None:
    assert one(product={"price": sent}).context_product_price == value


@pytest.mark.parametrize("field", ["userId", "clientId", "sessionId", "context_product_id"])
def test_ids_over_256_characters_are_null(field: str) -> None:
    column = {"userId": "user_id", "clientId": "client_id", "sessionId": "session_id"}.get(
        field, field
    )
    assert getattr(one(**{field: "ư" * 256}), column) == "ư" * 256
    assert getattr(one(**{field: "ư" * 257}), column) is None
    assert coerced(**{field: "ư" * 257}) == {column: 1}


def test_an_event_id_over_256_characters_is_made_anew() -> None:
    mapped = load({"eventId": "x" * 257, "eventName": "a"})
    assert mapped.rows[0].event_id != str(uuid.uuid5(NAMESPACE, "x" * 257))
    assert mapped.coerced == {"event_id": 1}


def test_absent_values_are_no_coercions() -> None:
    assert coerced(userId=None, clientId="undefined", sessionId="", product={"price": ""}) == {}


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"product": {"id": "p"}},
        {"eventName": " ", "eventId": "null", "clientId": "", "sessionId": NIL},
        {"eventName": 5, "clientId": 6},
        {"userId": "u1", "_ingest": {"receivedAt": "2026-11-01T05:00:00Z"}},
    ],
)
def test_a_record_without_name_id_client_and_session_is_no_event(record: dict[str, Any]) -> None:
    mapped = load(record)
    assert mapped.rows == []
    assert mapped.rejects == [Reject(0, "not_an_event", json.dumps(record).encode())]
    assert mapped.coerced == {}


@pytest.mark.parametrize("field", ["eventName", "eventId", "clientId", "sessionId"])
def test_one_of_the_four_makes_an_event(field: str) -> None:
    assert len(load({field: "x"}).rows) == 1


def test_one_bad_value_never_costs_a_neighbour() -> None:
    row = one(clientId=5, sessionId="s", product={"price": "x", "name": "n"}, timestamp="never")
    assert (row.client_id, row.session_id, row.context_product_name) == (None, "s", "n")
    assert row.event_timestamp == MODIFIED


def test_the_time_of_an_event_is_never_after_the_object_by_more_than_five_minutes() -> None:
    late = MODIFIED + timedelta(minutes=5)
    assert one(timestamp=late.isoformat()).event_timestamp == late
