"""The shop's generator: reproducible, with the publisher's traps in it."""

import datetime as dt
import gzip
import json
import re
from collections import Counter

import pytest

from demo.catalogue import catalogue
from demo.objects import Delivery, count, deliver
from demo.traffic import Event, events_between, intensity

START = dt.datetime(2026, 11, 20, 5, 30, tzinfo=dt.UTC)
END = START + dt.timedelta(hours=24)


@pytest.fixture(scope="module")
def delivery() -> Delivery:
    return deliver(7, START, END, 6000)


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return [event for _, event in events_between(7, START, END, 6000)]


def test_the_same_seed_and_range_give_the_same_objects(delivery: Delivery) -> None:
    assert deliver(7, START, END, 6000) == delivery


def test_another_seed_gives_other_events(events: list[Event]) -> None:
    other = {event["eventId"] for _, event in events_between(8, START, END, 6000)}
    assert other.isdisjoint(event["eventId"] for event in events)


def test_at_least_the_wanted_events_are_made_and_lie_in_the_range(events: list[Event]) -> None:
    assert len(events) >= 6000
    received = [dt.datetime.fromisoformat(event["_ingest"]["receivedAt"]) for event in events]
    assert min(received) >= START
    assert max(received) < END


def test_every_event_id_is_made_once(events: list[Event]) -> None:
    assert max(Counter(event["eventId"] for event in events).values()) == 1


def test_products_have_distinct_ids_a_brand_and_a_price() -> None:
    products = catalogue()
    assert len(products) == 44
    assert len({product.id for product in products}) == 44
    assert all(product.brand and product.price >= 150_000 for product in products)


def test_traffic_follows_the_shops_local_hours() -> None:
    night = dt.datetime(2026, 11, 19, 20, 0, tzinfo=dt.UTC)  # 03:00 in Ho Chi Minh City
    evening = dt.datetime(2026, 11, 20, 14, 0, tzinfo=dt.UTC)  # 21:00
    assert intensity(evening) > 20 * intensity(night)


def test_the_funnel_narrows_at_each_step(events: list[Event]) -> None:
    names = ("product_view", "add_to_cart_click", "checkout_start", "checkout_complete")
    sessions = [
        {event["sessionId"] for event in events if event["eventName"] == name} for name in names
    ]
    sizes = [len(group) for group in sessions]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] > 0
    assert len(set(sizes)) == 4


def test_a_checkout_carries_no_product(events: list[Event]) -> None:
    products = [e["product"] for e in events if e["eventName"].startswith("checkout_")]
    assert set(map(type, products)) == {type(None)}


def test_a_category_view_writes_the_category_into_the_products_id(events: list[Event]) -> None:
    views = [e["product"] for e in events if e["eventName"] == "category_view"]
    assert views
    assert all(product["id"] == product["category"] for product in views)


def test_a_first_visit_is_true_on_one_event_of_a_visitor(events: list[Event]) -> None:
    firsts = Counter(event["clientId"] for event in events if event["isFirstVisit"])
    assert max(firsts.values()) == 1


def test_old_browsers_send_ids_that_are_no_uuids(events: list[Event]) -> None:
    odd = [e["eventId"] for e in events if not re.fullmatch(r"[0-9a-f]{8}-.{27}", e["eventId"])]
    assert odd
    assert all(re.fullmatch(r"\d{13}-[0-9a-f]{11}", one) for one in odd)


def test_both_key_layouts_are_written(delivery: Delivery) -> None:
    singles = [thing.key for thing in delivery.first if thing.kind == "single"]
    by_day = [key for key in singles if re.fullmatch(r"events/\d{4}/\d\d/\d\d/event-.+\.json", key)]
    by_hour = [key for key in singles if re.match(r"events/\d{4}/\d\d/\d\d/\d\d/event-", key)]
    assert by_day
    assert by_hour
    assert len(by_day) + len(by_hour) == len(singles)


def test_every_kind_of_object_is_written(delivery: Delivery) -> None:
    kinds = Counter(thing.kind for thing in delivery.first)
    assert set(kinds) == {"single", "export", "posted_array", "resent", "broken"}
    assert {thing.kind for thing in delivery.late} == {"late"}
    assert kinds["broken"] == 12


def test_an_export_holds_the_records_it_says(delivery: Delivery) -> None:
    export = next(thing for thing in delivery.first if thing.kind == "export")
    lines = gzip.decompress(export.body).splitlines()
    assert len(lines) == export.records > 10
    assert "eventName" in json.loads(lines[0])


def test_a_posted_array_is_numbered_beside_its_ingest(delivery: Delivery) -> None:
    value = json.loads(next(t.body for t in delivery.first if t.kind == "posted_array"))
    assert sorted(value) == ["0", "1", "2", "_ingest"]


def test_counting_adds_objects_and_records(delivery: Delivery) -> None:
    objects, records = count(delivery.late)
    assert objects == records == len(delivery.late) > 0
