"""The backfill as its operator starts it, here: day by day, stopped, and started again."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path

import pytest

from tests.loader.conftest import World
from tests.loader.test_runs import event

RANGE = ("--local", "--from", "2026-01-01", "--to", "2026-01-04")
EACH = 60


def fill(world: World) -> None:
    """Write two days with objects and one between them without."""
    for number in range(EACH):
        world.put(f"events/2026/01/01/05/{number:03}.json", event("first", number))
        world.put(f"events/2026/01/03/05/{number:03}.json", event("third", number))


def runs(world: World) -> list[tuple[str, str, int]]:
    """Return first day, result and loaded objects of each run."""
    return [
        (str(day), str(result), int(loaded))
        for day, result, loaded in world.query(
            "SELECT left(request ->> 'from', 10), result, objects_loaded FROM etl.runs"
            " ORDER BY run_id"
        )
    ]


def test_a_backfill_loads_day_by_day_and_a_second_one_finds_all_of_it_loaded(
    world: World,
) -> None:
    fill(world)
    process = world.command(*RANGE)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert runs(world) == [
        ("2026-01-01", "loaded", EACH),
        ("2026-01-02", "loaded", 0),
        ("2026-01-03", "loaded", EACH),
    ]
    assert [json.loads(line)["result"] for line in out.splitlines()] == ["loaded"] * 3
    first, *days, last = err.splitlines()
    assert first.startswith("to load: 120 objects, ")
    assert [day.partition(",")[0] for day in days] == [
        "2026-01-01: 60 of 120 objects",
        "2026-01-02: nothing to load",
        "2026-01-03: 120 of 120 objects",
    ]
    assert last.startswith("loaded: 120 objects, 120 events read (120 stored) in ")

    again = world.command(*RANGE)
    _, err = again.communicate(timeout=120)
    assert again.returncode == 0
    assert [line for line in err.splitlines() if not line.startswith("loaded: 0 objects")] == [
        "to load: 0 objects, 0 bytes",
        "2026-01-01 to 2026-01-03: nothing to load",
    ]


def test_a_backfill_proves_the_hours_of_days_without_objects_as_well(world: World) -> None:
    fill(world)
    assert world.command(*RANGE).wait(120) == 0
    assert world.query("SELECT count(*), min(hour_at)::date::text FROM etl.listed_hours") == [
        (72, "2026-01-01")
    ]


def test_a_dry_run_says_what_there_is_and_writes_nothing(world: World) -> None:
    fill(world)
    process = world.command(*RANGE, "--dry-run")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert [line.split()[:3] for line in err.splitlines()] == [
        ["2026-01-01", "60", "objects"],
        ["2026-01-03", "60", "objects"],
        ["all", "120", "objects"],
    ]
    (reply,) = map(json.loads, out.splitlines())
    assert reply["request"]["dry_run"] is True
    for table in ("runs", "newest_objects", "listed_hours", "event_ids"):
        assert world.query(f"SELECT count(*) FROM etl.{table}") == [(0,)]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_backfill_that_is_stopped_loses_nothing_and_the_next_one_goes_on(
    world: World, number: signal.Signals, code: int
) -> None:
    fill(world)
    process = world.command(*RANGE, ETL_CHUNK_OBJECTS="1")
    deadline = time.monotonic() + 60
    while not world.query("SELECT 1 FROM etl.object_versions WHERE status = 'loaded' LIMIT 1"):
        assert process.poll() is None, "it was over before it was stopped"
        assert time.monotonic() < deadline, "nothing was loaded"
        time.sleep(0.005)
    process.send_signal(number)
    out, err = process.communicate(timeout=120)
    assert process.returncode == code, err
    stored = len(world.names())
    assert 0 < stored < 2 * EACH, "it was over before it was stopped"
    last = f"stopped; {stored} of 120 objects are loaded, the same command goes on from there"
    assert err.splitlines()[-1] == last
    assert "Traceback" not in err
    assert runs(world) == [("2026-01-01", "partial", stored)]
    assert json.loads(out)["objects"]["remaining"] == EACH - stored

    again = world.command(*RANGE)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    assert err.startswith(f"to load: {120 - stored} objects, ")
    assert world.names() == ["first"] * EACH + ["third"] * EACH
    first = json.loads(out.splitlines()[0])["objects"]
    assert (first["skipped"], first["loaded"]) == (stored, EACH - stored)


def test_standard_error_holds_the_log_and_the_metrics_when_asked(world: World) -> None:
    world.put("events/2026/01/01/05/a.json", event("a"))
    process = world.command("--prefix", "events/2026/", "--verbose")
    out, err = process.communicate(timeout=120)
    assert [json.loads(line)["result"] for line in out.splitlines()] == ["loaded"]
    logged = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert any(line.get("message") == "committed" for line in logged)
    assert any("_aws" in line for line in logged)


def test_no_credentials_here_are_one_line(world: World, tmp_path: Path) -> None:
    process = world.command(
        *RANGE,
        AWS_ACCESS_KEY_ID="",
        AWS_SECRET_ACCESS_KEY="",
        AWS_PROFILE="gone",
        AWS_CONFIG_FILE=str(tmp_path / "none"),
    )
    _, err = process.communicate(timeout=120)
    assert process.returncode == 1
    assert re.fullmatch(
        r"listing: failed, no_credentials: the AWS credentials cannot be read \(ProfileNotFound\)\n"
        r"given up; nothing was loaded\n",
        err,
    ), err
