"""Faults: killed in the middle, two at once, lost connections, and errors told apart."""

from __future__ import annotations

import json
import signal
import threading
import time
from typing import Any

import pytest

from etl_lambda.backfill import until_loaded
from etl_lambda.loading import LOCK
from etl_lambda.request import Request
from etl_lambda.run import Run
from tests.loader.conftest import World
from tests.loader.test_runs import HOUR, event

LARGE = 400


def fill(world: World) -> None:
    """Write objects with duplicates across them, and one broken."""
    for number in range(LARGE):
        world.put(
            f"{HOUR}/event-{number:04}.json", event("click", number), event("click", number + 1)
        )
    world.put(f"{HOUR}/broken.json", body=b"{")


def state(world: World) -> tuple[Any, ...]:
    """Return the end state, without what differs from run to run."""
    events = world.query("SELECT e::text FROM public.clickstream_events e ORDER BY 1")
    return len(events), events


def test_two_at_once_and_one_is_busy(world: World) -> None:
    world.put(f"{HOUR}/event-1.json", event("a"))
    holder = world.connect()
    with holder.cursor() as cursor:
        cursor.execute(LOCK)
    reply = world.load({})
    assert reply["result"] == "busy"
    assert reply["error"]["code"] == "busy"
    assert world.names() == []
    holder.close()
    time.sleep(0.2)
    assert world.load({})["result"] == "loaded"


def test_the_command_tries_again_until_the_lock_is_free(world: World) -> None:
    world.put(f"{HOUR}/event-1.json", event("a"))
    holder = world.connect()
    with holder.cursor() as cursor:
        cursor.execute(LOCK)
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        holder.close()
        time.sleep(0.2)

    assert until_loaded(world.load, {}, sleep)["result"] == "loaded"
    assert len(waits) == 1
    assert world.names() == ["a"]


@pytest.mark.parametrize("after_chunks", [0, 3])
def test_killed_in_the_middle_and_run_again_gives_the_exact_end_state(
    world: World, after_chunks: int
) -> None:
    fill(world)
    process = world.command("--prefix", "events/", ETL_CHUNK_OBJECTS="20")
    wanted = "SELECT count(*) FROM public.clickstream_events"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        running = world.query(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'etl_lambda'"
        )[0][0]
        if running and world.query(wanted)[0][0] >= after_chunks * 20:
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    killed_at = len(world.names())
    assert killed_at < LARGE + 1, "the run was over before it was killed"
    time.sleep(0.5)
    reply = world.load({"prefix": "events/"})
    assert reply["result"] == "loaded"
    assert state(world)[0] == LARGE + 1
    assert world.load({"prefix": "events/"})["events"] == {}


def test_a_lost_connection_is_made_anew_within_the_run(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(world)
    killed: list[int] = []
    original = Run._load

    def load(self: Run, *arguments: Any) -> None:
        if not killed:
            killed.append(1)
            threading.Timer(0.2, kill).start()
        original(self, *arguments)

    def kill() -> None:
        world.query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'etl_lambda'"
        )

    monkeypatch.setattr(Run, "_load", load)
    reply = world.runner(chunk_objects=25)(Request())
    assert reply["result"] == "loaded"
    assert killed == [1]
    assert state(world)[0] == LARGE + 1


def test_the_server_restarting_in_the_middle(world: World) -> None:
    fill(world)
    process = world.command("--prefix", "events/", ETL_CHUNK_OBJECTS="25")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not world.names():
        time.sleep(0.01)
    world.crash_and_recover()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert json.loads(out.splitlines()[-1])["result"] == "loaded"
    assert state(world)[0] == LARGE + 1


@pytest.mark.parametrize(
    ("env", "code", "transient"),
    [
        ({"RAW_BUCKET": "no-such-bucket-here"}, "missing_bucket", False),
        ({"DWH_DATABASE": "nowhere"}, "missing_database", False),
        ({"DWH_USER": "nobody_here"}, "wrong_user", False),
        ({"DWH_HOST": "no-such-host.invalid"}, "db_unreachable", True),
        ({"DWH_PORT": "9"}, "db_unreachable", True),
        ({"DWH_SSLMODE": "verify-full"}, "db_ca_missing", False),
        ({"DWH_SSLMODE": "require"}, "db_no_tls", False),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}, "s3_unreachable", True),
        ({"DWH_PASSWORD": ""}, "bad_settings", False),
        ({"DWH_PORT": "five"}, "bad_settings", False),
        ({"ETL_NESTING": "0"}, "bad_settings", False),
    ],
)
def test_each_failure_has_its_own_message(
    world: World, env: dict[str, str], code: str, transient: bool
) -> None:
    reply = world.load({}, ETL_ATTEMPTS="1", **env)
    assert reply["result"] == "failed"
    assert (reply["error"]["code"], reply["error"]["transient"]) == (code, transient)
    assert "not-asked-for" not in json.dumps(reply)


def test_a_failed_run_is_written_down(world: World) -> None:
    world.load({}, RAW_BUCKET="no-such-bucket-here")
    ((result, error),) = world.query("SELECT result, error FROM etl.runs")
    assert result == "failed"
    assert error.startswith("missing_bucket: ")
