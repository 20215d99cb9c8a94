"""What a run says of itself: counts, seconds, bytes, lag, and the error budget."""

from __future__ import annotations

import io
import json
import time
from datetime import UTC, timedelta

import pytest

from etl_lambda import metrics
from etl_lambda.request import Request
from etl_lambda.run import Clock
from tests.loader.conftest import BUCKET, World
from tests.loader.test_runs import HOUR, OLD, event


def mixed(world: World) -> None:
    """Write ten good records and one bad one in two objects."""
    world.put(f"{HOUR}/good.json", *(event("good", number) for number in range(9)))
    world.put(f"{HOUR}/mixed.json", body=json.dumps(event("mixed")).encode() + b"\n{")


def test_a_runs_counts_are_in_its_reply_and_in_its_row(world: World) -> None:
    mixed(world)
    world.put(f"{HOUR}/deeper/readme.txt", body=b"hello")
    assert world.load({})["result"] == "loaded"
    world.put(f"{HOUR}/more.json", event("good"), event("more", userId=5))
    reply = world.load({})
    assert reply["objects"] == {
        "foreign": 1,
        "gone": 0,
        "listed": 3,
        "loaded": 1,
        "markers": 0,
        "quarantined": 0,
        "remaining": 0,
        "skipped": 2,
    }
    size = world.s3.head_object(Bucket=BUCKET, Key=f"{HOUR}/more.json")["ContentLength"]
    assert reply["bytes_read"] == size
    kept = ("objects", "events", "coerced", "reasons", "bytes_read", "stages", "error_budget")
    (first, second) = [
        counts for (counts,) in world.query("SELECT counts FROM etl.runs ORDER BY run_id")
    ]
    assert {name: second[name] for name in kept} == {name: reply[name] for name in kept}
    assert (first["objects"]["foreign"], first["reasons"]) == (1, {"not_json": 1})
    assert second["lag_seconds"] <= reply["lag_seconds"]


def test_each_stage_of_a_run_that_loads_takes_time(world: World) -> None:
    for number in range(50):
        world.put(f"{HOUR}/event-{number}.json", event("click", number))
    began = time.monotonic()
    reply = world.load({})
    whole = time.monotonic() - began
    stages = reply["stages"]
    assert [stage for stage, seconds in stages.items() if seconds <= 0] == []
    assert stages["list"] + stages["ledger"] + stages["map"] < whole
    assert stages["copy"] + stages["apply"] + stages["commit"] < whole
    assert stages["fetch"] < whole


def test_a_run_with_nothing_to_load_only_lists_and_asks(world: World) -> None:
    world.put(f"{HOUR}/event-1.json", event("a"))
    world.load({})
    reply = world.load({})
    took = {stage for stage, seconds in reply["stages"].items() if seconds > 0}
    assert took == {"list", "ledger"}
    assert reply["bytes_read"] == 0


def test_the_lag_of_a_partial_run_is_the_age_of_its_oldest_object_left(world: World) -> None:
    world.put(f"{HOUR}/event-1.json", event("a"))
    world.put(f"{HOUR}/event-2.json", event("b"))
    left = world.s3.head_object(Bucket=BUCKET, Key=f"{HOUR}/event-2.json")["LastModified"]
    clock = Clock(now=lambda: left.astimezone(UTC) + timedelta(seconds=90))
    reply = world.runner(clock, run_objects=1)(Request())
    assert (reply["result"], reply["lag_seconds"]) == ("partial", 90.0)


@pytest.mark.parametrize(
    "payload",
    [
        {"prefix": "events/"},
        {"from": "2026-01-02", "to": "2026-01-03"},
        {"reload": True},
        {"reload": True, "quarantine": True},
    ],
)
def test_a_run_that_does_not_look_at_now_knows_no_lag(
    world: World, payload: dict[str, object]
) -> None:
    reply = world.load(payload)
    assert reply["result"] == "loaded"
    assert "lag_seconds" not in reply


def test_a_run_that_failed_while_listing_knows_no_lag(world: World) -> None:
    reply = world.load({}, RAW_BUCKET="no-such-bucket-here")
    assert reply["result"] == "failed"
    assert "lag_seconds" not in reply


def test_over_the_error_budget_warns_with_the_worst_reasons_and_blocks_nothing(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed(world)
    log = io.StringIO()
    metrics.set_up_logging(log)
    reply = world.load({})
    assert reply["result"] == "loaded"
    assert reply["error_budget"] == {"budget": 0.01, "share": 0.090909, "over": True}
    assert world.names() == ["good"] * 9 + ["mixed"]
    (warning,) = [
        line for line in map(json.loads, log.getvalue().splitlines()) if line["level"] != "INFO"
    ]
    del warning["at"]
    assert warning == {
        "level": "WARNING",
        "message": "over the error budget",
        "run": reply["run"],
        "read": 11,
        "quarantined": 1,
        "worst": {"not_json": 1},
        "budget": 0.01,
        "share": 0.090909,
        "over": True,
    }
    metric = json.loads(capsys.readouterr().out.splitlines()[0])
    assert (metric["OverErrorBudget"], metric["NotLoaded"]) == (1, 0)


def test_within_the_error_budget_nothing_warns(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed(world)
    log = io.StringIO()
    metrics.set_up_logging(log)
    reply = world.load({}, ETL_ERROR_BUDGET="0.1")
    assert reply["error_budget"] == {"budget": 0.1, "share": 0.090909, "over": False}
    assert '"WARNING"' not in log.getvalue()
    assert json.loads(capsys.readouterr().out.splitlines()[0])["OverErrorBudget"] == 0


def note_disk(world: World, path: str, used: int, free: int) -> None:
    """Note a file system as the host's timer does."""
    world.query(f"SELECT etl.note_disk('{path}', {used}, {free})")


def test_a_run_tells_how_full_the_warehouses_disks_are(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    note_disk(world, "/", 1, 9)
    note_disk(world, "/var/lib/postgresql", 855, 145)
    reply = world.load({})
    assert reply["disks"] == {"/": 10.0, "/var/lib/postgresql": 85.5}
    metric = json.loads(capsys.readouterr().out.splitlines()[0])
    assert metric["WarehouseDiskUsedPercent"] == 85.5
    assert world.query("SELECT counts -> 'disks' FROM etl.runs") == [(reply["disks"],)]


def test_a_run_that_fails_or_is_busy_tells_of_the_disks_as_well(world: World) -> None:
    note_disk(world, "/", 97, 3)
    failed = world.load({}, RAW_BUCKET="no-such-bucket-here")
    assert (failed["result"], failed["disks"]) == ("failed", {"/": 97.0})
    other = world.connect()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(hashtext('etl_loader'))")
    busy = world.load({})
    other.close()
    assert (busy["result"], busy["disks"]) == ("busy", {"/": 97.0})


def test_a_run_that_only_looks_tells_of_the_disks(world: World) -> None:
    note_disk(world, "/", 3, 1)
    assert world.load({"dry_run": True})["disks"] == {"/": 75.0}


def test_a_figure_that_nobody_renews_is_no_metric(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    note_disk(world, "/", 1, 9)
    world.query("UPDATE etl.disks SET measured_at = now() - interval '2 hours' RETURNING 1")
    reply = world.load({})
    assert (reply["result"], "disks" in reply) == ("loaded", False)
    metric = json.loads(capsys.readouterr().out.splitlines()[0])
    assert "WarehouseDiskUsedPercent" not in metric


def test_log_lines_hold_nothing_of_the_events(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.put(f"{HOUR}/event-1.json", event("a", userId="secret-user"), {"x": "secret-user"})
    world.put(f"{HOUR}/event-2.json", body=b'{"secret-user')
    log = io.StringIO()
    metrics.set_up_logging(log)
    assert world.load({})["events"]["quarantined"] == 2
    assert "secret-user" not in log.getvalue() + capsys.readouterr().out


def test_a_replay_of_the_quarantine_after_a_limit_was_raised(world: World) -> None:
    nested = {**event("deep"), "a": {"b": {"c": {"d": 1}}}}
    world.put(f"{OLD}/05/large.json", event("large"), event("large", 2, note="x" * 3000))
    world.put(f"{OLD}/06/deep.json", event("flat"), nested)
    low = {"ETL_OBJECT_BYTES": "2000", "ETL_NESTING": "3"}
    first = world.load({"prefix": "events/"}, **low)
    assert (first["objects"]["quarantined"], first["events"]["quarantined"]) == (2, 2)
    assert first["reasons"] == {"object_too_large": 1, "too_deep": 1}
    assert world.names() == ["flat"]

    replay = {"reload": True, "quarantine": True}
    again = world.load(replay, **low)
    assert (again["result"], again["objects"]["quarantined"]) == ("loaded", 2)
    assert again["error_budget"]["over"] is True
    open_rejects = "SELECT count(*) FROM etl.quarantine WHERE resolved_at IS NULL"
    assert world.query(open_rejects) == [(2,)]

    raised = world.load(replay)
    assert raised["result"] == "loaded"
    assert (raised["objects"]["loaded"], raised["objects"]["quarantined"]) == (2, 0)
    assert (raised["events"]["read"], raised["events"]["stored"]) == (4, 3)
    assert (raised["events"]["quarantined"], raised["reasons"]) == (0, {})
    assert raised["error_budget"] == {"budget": 0.01, "share": 0.0, "over": False}
    assert world.names() == ["deep", "flat", "large", "large"]
    assert world.query(open_rejects) == [(0,)]
    assert world.query("SELECT status, count(*) FROM etl.newest_objects GROUP BY 1") == [
        ("loaded", 2)
    ]
    assert world.load(replay)["events"] == {}


def test_a_dry_run_says_what_it_would_load_by_day(world: World) -> None:
    world.put("events/2026/01/02/05/a.json", body=b"12345")
    world.put("events/2026/01/02/23/b.json", body=b"123")
    world.put("events/2026/01/03/00/c.json", body=b"1")
    world.put("events/2026/01/04/00/d.json", event("d"))
    world.load({"from": "2026-01-04", "to": "2026-01-05"})
    reply = world.load({"prefix": "events/2026/", "dry_run": True})
    assert reply["pending"] == {
        "2026-01-02": {"objects": 2, "bytes": 8},
        "2026-01-03": {"objects": 1, "bytes": 1},
    }
    assert reply["window"]["listed_whole"] is True
