"""Whole runs against a real warehouse and a real S3 server."""

from __future__ import annotations

import gzip
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from etl_lambda.chunks import Chunks
from etl_lambda.fetching import Fetched
from etl_lambda.request import Request
from etl_lambda.run import Clock, Run
from tests.loader.conftest import BUCKET, World

NOW = datetime.now(UTC)
TODAY = f"events/{NOW:%Y/%m/%d}"
HOUR = f"{TODAY}/{NOW:%H}"
OLD = "events/2026/01/02"


def event(name: str, number: int = 0, **fields: Any) -> dict[str, Any]:
    """An event with an id of its own for each name and number."""
    return {"eventName": name, "eventId": f"{name}-{number}", "clientId": "c1", **fields}


def test_all_forms_in_both_layouts_load(world: World) -> None:
    world.put(f"{TODAY}/event-1.json", event("page_view"))
    world.put(f"{HOUR}/event-2.json", event("click"))
    world.put(f"{HOUR}/export.json", body=json.dumps([event("a"), event("b")]).encode())
    lines = f"{json.dumps(event('c'))}\n{json.dumps(event('d'))}\n".encode()
    world.put(f"{HOUR}/export.ndjson.gz", body=gzip.compress(lines))
    world.put(f"{HOUR}/gzip-under-another-name.json", body=gzip.compress(b"\xef\xbb\xbf" + lines))
    world.put(f"{HOUR}/", body=b"")
    world.put("events/readme.txt", body=b"hello")
    world.put(f"{HOUR}/deeper/event-3.json", event("foreign"))
    world.put(f"{HOUR}//event-4.json", event("foreign"))
    reply = world.load({})
    assert reply["result"] == "loaded"
    assert world.names() == ["a", "b", "c", "click", "d", "page_view"]
    assert reply["objects"] == {
        "foreign": 2,
        "gone": 0,
        "listed": 5,
        "loaded": 5,
        "markers": 1,
        "quarantined": 0,
        "remaining": 0,
        "skipped": 0,
    }
    assert (reply["events"]["stored"], reply["events"]["duplicate"]) == (6, 2)


def test_a_row_is_stored_as_it_was_mapped(world: World) -> None:
    product = {
        "id": "p\\1",
        "name": "tab\there, line\nhere, \\N and \\. and «Bàn phím» \U0001f600",
        "category": "",
        "brand": '"quoted", it\'s',
        "price": "1990000.50",
        "discountPrice": 10,
        "urlPath": "\\x41",
    }
    sent = event(
        "product_view",
        userId=None,
        userLoginState="guest",
        sessionId="s1",
        isFirstVisit=True,
        product=product,
        _ingest={"receivedAt": "2026-01-02T05:00:00.123456+07:00"},
    )
    world.put(f"{OLD}/05/event-1.json", sent)
    assert world.load({"prefix": OLD + "/"})["result"] == "loaded"
    ((row),) = world.query(
        "SELECT event_timestamp, event_name, user_id, user_login_state, identity_source, client_id,"
        " session_id, is_first_visit, context_product_id, context_product_name,"
        " context_product_category, context_product_brand, context_product_price::text,"
        " context_product_discount_price::text, context_product_url_path"
        " FROM public.clickstream_events"
    )
    assert row == (
        datetime(2026, 1, 1, 22, 0, 0, 123456, tzinfo=UTC),
        "product_view",
        None,
        "guest",
        None,
        "c1",
        "s1",
        True,
        "p\\1",
        product["name"],
        "",
        product["brand"],
        "1990000.50",
        "10",
        "\\x41",
    )


def test_a_second_run_loads_nothing_new(world: World) -> None:
    for number in range(30):
        world.put(f"{HOUR}/event-{number}.json", event("click", number))
    assert world.load({})["events"]["stored"] == 30
    again = world.load({})
    assert again["result"] == "loaded"
    assert again["objects"]["listed"] == 30
    assert again["events"] == {}
    assert len(world.names()) == 30


def test_duplicates_are_stored_once_and_the_first_stays(world: World) -> None:
    world.put(f"{HOUR}/b.json", event("first", 1) | {"eventId": "same"})
    time.sleep(1.1)  # LastModified has whole seconds
    second, third = event("second") | {"eventId": "same"}, event("third") | {"eventId": "same"}
    world.put(f"{HOUR}/a.json", second, third)
    reply = world.load({})
    assert (reply["events"]["stored"], reply["events"]["duplicate"]) == (1, 2)
    assert reply["events"]["conflict"] == 2
    assert world.names() == ["first"]
    world.put(f"{TODAY}/0.json", event("fourth") | {"eventId": "same"})
    assert world.load({})["events"]["duplicate"] == 1
    assert world.names() == ["first"]


def test_a_rewritten_key_loads_its_new_version_and_keeps_the_old_events(world: World) -> None:
    world.put(f"{HOUR}/event-1.json", event("old"))
    world.load({})
    world.put(f"{HOUR}/event-1.json", event("old"), event("new"))
    reply = world.load({})
    assert (reply["events"]["stored"], reply["events"]["duplicate"]) == (1, 1)
    assert world.names() == ["new", "old"]


def test_events_without_an_id_are_the_same_in_every_run(world: World) -> None:
    world.put(f"{HOUR}/event-1.json", {"eventName": "a"}, {"eventName": "a"}, {"eventName": "b"})
    assert world.load({})["events"]["stored"] == 3
    world.put(f"{HOUR}/event-1.json", {"eventName": "b"}, {"eventName": "a"}, {"eventName": "c"})
    assert world.load({})["events"]["stored"] == 1
    assert world.names() == ["a", "a", "b", "c"]


def test_deleted_objects_leave_their_events(world: World) -> None:
    world.put(f"{HOUR}/event-1.json", event("a"))
    world.load({})
    world.s3.delete_object(Bucket=BUCKET, Key=f"{HOUR}/event-1.json")
    assert world.load({})["result"] == "loaded"
    assert world.names() == ["a"]


def test_an_object_deleted_after_it_was_listed_is_gone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(f"{HOUR}/event-1.json", event("a"))
    world.put(f"{HOUR}/event-2.json", event("b"))
    original = Run._load

    def load(self: Run, *arguments: Any) -> None:
        world.s3.delete_object(Bucket=BUCKET, Key=f"{HOUR}/event-2.json")
        original(self, *arguments)

    monkeypatch.setattr(Run, "_load", load)
    reply = world.load({})
    assert reply["result"] == "loaded"
    assert (reply["objects"]["loaded"], reply["objects"]["gone"]) == (1, 1)
    assert world.query("SELECT status FROM etl.newest_objects ORDER BY object_key") == [
        ("loaded",),
        ("gone",),
    ]


def test_a_pending_object_that_was_deleted_meanwhile_is_gone(world: World) -> None:
    for number in range(3):
        world.put(f"{HOUR}/event-{number}.json", event("click", number))
    assert world.load({}, ETL_RUN_OBJECTS="2")["result"] == "partial"
    (pending,) = world.query("SELECT object_key FROM etl.pending_objects")
    world.s3.delete_object(Bucket=BUCKET, Key=pending[0])
    reply = world.load({})
    assert (reply["result"], reply["objects"]["gone"]) == ("loaded", 1)
    assert world.query("SELECT status FROM etl.newest_objects ORDER BY 1") == [
        ("gone",),
        ("loaded",),
        ("loaded",),
    ]


def test_a_loaded_object_that_is_deleted_while_it_is_reloaded_stays_loaded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(f"{HOUR}/event-1.json", event("a"))
    world.load({})
    original = Run._load

    def load(self: Run, *arguments: Any) -> None:
        world.s3.delete_object(Bucket=BUCKET, Key=f"{HOUR}/event-1.json")
        original(self, *arguments)

    monkeypatch.setattr(Run, "_load", load)
    assert world.load({"reload": True})["result"] == "loaded"
    assert world.query("SELECT status, records_read FROM etl.object_versions") == [("loaded", 1)]


def test_an_old_version_under_its_key_again_decides_what_the_key_is(world: World) -> None:
    world.put(f"{OLD}/05/event-1.json", event("a"))
    world.load({"prefix": "events/"})
    time.sleep(1.1)  # LastModified has whole seconds
    world.put(f"{OLD}/05/event-1.json", body=b"{")
    assert world.load({"prefix": "events/"})["objects"]["quarantined"] == 1
    time.sleep(1.1)
    world.put(f"{OLD}/05/event-1.json", event("a"))
    reply = world.load({"prefix": "events/"})
    assert (reply["result"], reply["events"]) == ("loaded", {})
    assert world.query(
        "SELECT keys, loaded, quarantined FROM dashboard.completeness('2026-01-02', '2026-01-03')"
        " WHERE keys > 0"
    ) == [(1, 1, 0)]


def test_the_version_is_of_the_read_not_of_the_listing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(f"{HOUR}/event-1.json", event("old"))
    original = Run._load

    def load(self: Run, *arguments: Any) -> None:
        world.put(f"{HOUR}/event-1.json", event("new"))
        original(self, *arguments)

    monkeypatch.setattr(Run, "_load", load)
    world.load({})
    monkeypatch.undo()
    for name, value in world.env.items():
        monkeypatch.setenv(name, value)
    assert world.names() == ["new"]
    read = world.s3.head_object(Bucket=BUCKET, Key=f"{HOUR}/event-1.json")["ETag"].strip('"')
    assert world.query("SELECT etag, status FROM etl.object_versions") == [(read, "loaded")]
    assert world.load({})["events"] == {}


def test_what_cannot_load_goes_to_quarantine_and_the_rest_loads(world: World) -> None:
    good = json.dumps(event("good")).encode()
    world.put(f"{HOUR}/mixed.json", body=good + b'\n{"broken":\n{"nothing":1}\n')
    world.put(f"{HOUR}/empty.json", body=b"")
    world.put(f"{HOUR}/cut.gz", body=gzip.compress(good * 50)[:20])
    world.put(f"{HOUR}/large.json", body=b" " * 3000 + good)
    reply = world.runner(object_bytes=2000)(Request())
    assert reply["result"] == "loaded"
    assert (reply["objects"]["quarantined"], reply["events"]["quarantined"]) == (4, 5)
    assert world.names() == ["good"]
    large = world.s3.head_object(Bucket=BUCKET, Key=f"{HOUR}/large.json")["ETag"].strip('"')
    assert world.query(
        "SELECT o.object_key, q.position, q.reason_code, convert_from(q.sample, 'UTF8')"
        " FROM etl.quarantine AS q INNER JOIN etl.object_versions AS o USING (object_id)"
        " WHERE o.object_key NOT LIKE '%cut.gz' AND (o.object_key NOT LIKE '%large.json'"
        f" OR o.etag = '{large}') ORDER BY 1, 2"
    ) == [
        (f"{HOUR}/empty.json", None, "empty_file", ""),
        (f"{HOUR}/large.json", None, "object_too_large", (b" " * 3000 + good).decode()),
        (f"{HOUR}/mixed.json", 1, "not_json", '{"broken":'),
        (f"{HOUR}/mixed.json", 2, "not_an_event", '{"nothing":1}'),
    ]
    again = world.load({})
    assert again["events"] == {}


def test_more_keys_than_a_page_holds(world: World) -> None:
    for number in range(1100):
        world.put(f"{TODAY}/event-{number}.json", event("click", number))
    reply = world.load({})
    assert (reply["objects"]["listed"], reply["events"]["stored"]) == (1100, 1100)


def test_a_range_loads_its_hours_only(world: World) -> None:
    for hour in ("04", "05", "06"):
        world.put(f"{OLD}/{hour}/event-1.json", event(f"at-{hour}"))
    world.put(f"{OLD}/event-2.json", event("day-level"))  # written today: the day's last hour
    world.load({"from": "2026-01-02T05:00:00Z", "to": "2026-01-02T06:00:00Z"})
    assert world.names() == ["at-05"]
    world.load({"targetUtcHour": "2026-01-02T23"})
    assert world.names() == ["at-05", "day-level"]
    world.load({"targetUtcDate": "2026-01-02"})
    assert world.names() == ["at-04", "at-05", "at-06", "day-level"]


def test_late_objects_under_old_keys_load_by_the_daily_listing(world: World) -> None:
    late = NOW - timedelta(days=20)
    world.put(f"events/{late:%Y/%m/%d/%H}/event-1.json", event("late"))
    reply = world.load({})
    assert reply["window"]["full_listing"] is True
    assert world.names() == ["late"]
    assert world.load({})["window"]["full_listing"] is False


def test_what_is_older_than_the_retention_edge_is_expired_and_dropped(world: World) -> None:
    world.put(f"{OLD}/05/event-1.json", event("old", timestamp="2026-01-02T05:00:00Z"))
    assert world.load({"prefix": "events/"})["events"]["stored"] == 1
    world.query("UPDATE etl.settings SET retention_months = 1 RETURNING 1")
    world.put(
        f"{HOUR}/event-2.json", event("new"), event("old", 2, timestamp="2026-01-02T05:00:00Z")
    )
    reply = world.load({})
    assert (reply["result"], reply["events"]["stored"], reply["events"]["expired"]) == (
        "loaded",
        1,
        1,
    )
    assert world.names() == ["new"]


def test_a_dry_run_lists_and_counts_but_writes_nothing(world: World) -> None:
    world.put(f"{HOUR}/event-1.json", event("a"))
    world.put(f"{HOUR}/notes/x", body=b"")
    reply = world.load({"dry_run": True})
    assert (reply["objects"]["remaining"], reply["objects"]["foreign"]) == (1, 1)
    assert reply["run"] is None
    assert world.names() == []
    assert world.query("SELECT count(*) FROM etl.runs") == [(0,)]


def test_a_bad_payload_names_its_field_and_loads_nothing(world: World) -> None:
    world.put(f"{HOUR}/event-1.json", event("a"))
    reply = world.load({"form": "2026-01-01"})
    assert (reply["result"], reply["error"]["field"]) == ("failed", "form")
    assert world.names() == []


def test_reload_inserts_what_is_missing_and_changes_nothing(world: World) -> None:
    world.put(f"{HOUR}/event-1.json", event("a"), event("b"))
    world.load({})
    (before,) = world.query(
        "SELECT e::text FROM public.clickstream_events e WHERE event_name = 'b'"
    )
    world.query(
        "WITH gone AS (DELETE FROM public.clickstream_events WHERE event_name = 'a' RETURNING event_id),"
        " ids AS (DELETE FROM etl.event_ids USING gone WHERE event_ids.event_id = gone.event_id)"
        " SELECT count(*) FROM gone"
    )
    assert world.load({})["events"] == {}
    reply = world.load({"reload": True})
    assert reply["result"] == "loaded"
    assert world.names() == ["a", "b"]
    (after,) = world.query("SELECT e::text FROM public.clickstream_events e WHERE event_name = 'b'")
    assert after == before


def test_reload_of_the_quarantine_takes_what_is_there_and_nothing_else(world: World) -> None:
    world.put(f"{OLD}/05/broken.json", body=b"{")
    world.put(f"{OLD}/06/event-1.json", event("a"))
    world.put(f"{OLD}/07/mixed.json", body=b'{"eventName":"b"}\nrubbish')
    assert world.load({"prefix": "events/"})["objects"]["quarantined"] == 2
    world.put(f"{OLD}/05/broken.json", event("mended"))
    world.put(f"{OLD}/08/event-2.json", event("not yet loaded"))
    first = world.load({"reload": True, "quarantine": True, "prefix": f"{OLD}/07/"})
    assert first["objects"]["quarantined"] == 1
    assert world.names() == ["a", "b"]
    second = world.load({"reload": True, "quarantine": True})
    assert second["result"] == "loaded"
    assert world.names() == ["a", "b", "mended"]


def test_reload_of_the_quarantine_is_no_daily_listing(world: World) -> None:
    assert world.load({"reload": True, "quarantine": True})["result"] == "loaded"
    assert world.load({})["window"]["full_listing"] is True


def test_every_record_that_was_read_is_accounted_for(world: World) -> None:
    good = event("good", timestamp=NOW.isoformat())
    other = good | {"clientId": "c2"}
    world.put(f"{HOUR}/mixed.json", body="\n".join(map(json.dumps, [good, other, {}])).encode())
    world.query("UPDATE etl.settings SET retention_months = 1 RETURNING 1")
    world.put(f"{HOUR}/old.json", event("old", timestamp="2020-01-01T00:00:00Z"))
    assert world.load({})["result"] == "loaded"
    assert world.query(
        "SELECT events_read, events_stored, events_duplicate, records_quarantined, events_expired,"
        " events_conflict FROM dashboard.runs()"
    ) == [(4, 1, 1, 1, 1, 1)]
    ((counts,),) = world.query("SELECT counts -> 'objects' ->> 'loaded' FROM etl.runs")
    assert counts == "1"


def test_values_were_counted_by_column(world: World) -> None:
    world.put(f"{HOUR}/event-1.json", event("a", userId=5, sessionId="s\0"))
    reply = world.load({})
    assert (reply["coerced"], reply["cleaned"]) == ({"user_id": 1}, {"session_id": 1})
    assert world.query("SELECT counts -> 'coerced', counts -> 'cleaned' FROM etl.runs") == [
        ({"user_id": 1}, {"session_id": 1})
    ]


def test_time_running_out_gives_partial_and_the_next_run_goes_on(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        world.put(f"{HOUR}/event-{number:02}.json", event("click", number))
    taken: list[int] = []
    original = Chunks.add

    def add(self: Chunks, fetched: Fetched) -> None:
        taken.append(1)
        original(self, fetched)

    class RunsOut(Clock):
        def left(self) -> float:
            return 1.0 if len(taken) >= 12 else 1000.0

    monkeypatch.setattr(Chunks, "add", add)
    reply = world.runner(RunsOut(), chunk_objects=5)(Request())
    assert (reply["result"], reply["objects"]["remaining"]) == ("partial", 28)
    assert len(world.names()) == 12
    assert world.load({})["result"] == "loaded"
    assert len(world.names()) == 40


def test_time_running_out_while_listing_proves_no_hour(world: World) -> None:
    world.put(f"{HOUR}/event-1.json", event("a"))

    class Out(Clock):
        def left(self) -> float:
            return 5.0

    reply = world.runner(Out())(Request())
    assert reply["result"] == "partial"
    assert world.query("SELECT count(*) FROM etl.listed_hours") == [(0,)]
    assert world.load({})["result"] == "loaded"
    assert world.names() == ["a"]


def test_more_objects_than_one_run_takes_are_partial(world: World) -> None:
    for number in range(9):
        world.put(f"{HOUR}/event-{number}.json", event("click", number))
    reply = world.load({}, ETL_RUN_OBJECTS="4")
    assert (reply["result"], reply["objects"]["remaining"]) == ("partial", 5)
    assert world.load({})["result"] == "loaded"
    assert len(world.names()) == 9


@pytest.mark.parametrize("chunk_events", [1, 7, 50_000])
def test_the_end_state_does_not_depend_on_the_chunks(world: World, chunk_events: int) -> None:
    for number in range(12):
        world.put(f"{HOUR}/event-{number}.json", *(event("click", number + i) for i in range(5)))
    reply = world.runner(chunk_events=chunk_events)(Request())
    assert (reply["events"]["stored"], reply["events"]["duplicate"]) == (16, 44)
