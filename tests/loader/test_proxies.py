"""What lies between the loader, S3 and the warehouse breaks: the end state is as if it had not."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from urllib.parse import quote, urlsplit

import pytest

from etl_lambda import loading
from tests.loader.conftest import World
from tests.loader.proxies import Decision, HttpProxy, WireProxy
from tests.loader.test_runs import HOUR, event

OBJECTS = 12
BROKEN, SLOW_DOWN = "500 InternalError", "503 SlowDown"
KPIS = "SELECT to_jsonb(k)::text FROM dashboard.kpis('2026-01-01', '2027-01-01', 'UTC', NULL) AS k"


def fill(world: World) -> None:
    """Write objects that share events, so that a lost one and a doubled one both show."""
    for number in range(OBJECTS):
        world.put(f"{HOUR}/event-{number:02}.json", event("a", number), event("a", number + 1))


def exact(world: World) -> None:
    """Each event is one row, each object loaded, each copy booked, and the rollups are a recount's."""
    assert len(world.names()) == OBJECTS + 1
    assert world.query("SELECT count(*), count(DISTINCT event_id) FROM etl.event_ids") == [
        (OBJECTS + 1, OBJECTS + 1)
    ]
    assert world.query("SELECT status, count(*) FROM etl.newest_objects GROUP BY 1") == [
        ("loaded", OBJECTS)
    ]
    assert world.query("SELECT count(*) FROM etl.duplicates") == [(OBJECTS - 1,)]
    kept = world.query(KPIS)
    world.query("SELECT etl.rebuild('-infinity', 'infinity')")
    assert world.query(KPIS) == kept
    assert json.loads(kept[0][0])["events"] == OBJECTS + 1


def s3_proxy(world: World, faults: list[str], path: str) -> HttpProxy:
    parts = urlsplit(world.env["AWS_ENDPOINT_URL"])
    return HttpProxy((str(parts.hostname), int(parts.port or 0)), faults, path)


@pytest.mark.parametrize(
    "faults",
    [[BROKEN] * 2, [SLOW_DOWN] * 3, ["cut"] * 2, ["short"], ["slow"] * 4, ["silent"], ["trickle"]],
    ids=lambda faults: f"{len(faults)} {faults[0]}",
)
def test_reads_that_fail_for_a_while_are_made_again_in_the_same_run(
    world: World, faults: list[str]
) -> None:
    fill(world)
    with s3_proxy(world, list(faults), "/event-0") as proxy:
        reply = world.load(
            {"prefix": "events/"},
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{proxy.port}",
            ETL_REQUEST_SECONDS="1",
        )
        assert proxy.spoilt == faults
    assert reply["result"] == "loaded", reply
    exact(world)


# A listing's first request, and one in its middle: of the hour that holds the objects.
FIRST, MIDDLE = "list-type=2", quote(f"{HOUR}/", safe="")


@pytest.mark.parametrize(
    ("fault", "path"),
    [
        ("cut", FIRST),
        *((fault, MIDDLE) for fault in (BROKEN, SLOW_DOWN, "cut", "short", "silent", "trickle")),
    ],
    ids=lambda value: "" if "=" in value else value.split("%")[0],
)
def test_listings_that_fail_for_a_while_are_made_again_in_the_same_run(
    world: World, fault: str, path: str
) -> None:
    fill(world)
    with s3_proxy(world, [fault], path) as proxy:
        reply = world.load(
            {"prefix": "events/"},
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{proxy.port}",
            ETL_REQUEST_SECONDS="1",
        )
        assert proxy.spoilt == [fault]
    assert reply["result"] == "loaded", reply
    exact(world)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (BROKEN, "s3_unavailable"),
        (SLOW_DOWN, "s3_unavailable"),
        ("cut", "s3_unreachable"),
        ("short", "s3_truncated"),
        ("silent", "s3_timeout"),
    ],
)
def test_reads_that_never_succeed_have_their_own_error_and_the_next_run_loads(
    world: World, fault: str, code: str
) -> None:
    fill(world)
    with s3_proxy(world, [fault, "for ever"], "/event-05") as proxy:
        reply = world.load(
            {"prefix": "events/"},
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{proxy.port}",
            ETL_REQUEST_SECONDS="1",
            ETL_ATTEMPTS="2",
        )
        assert set(proxy.spoilt) == {fault}
    assert (reply["result"], reply["error"]["code"]) == ("failed", code)
    assert reply["error"]["transient"]
    assert "test" not in reply["error"]["message"].split()
    assert world.load({"prefix": "events/"})["result"] == "loaded"
    exact(world)


@pytest.mark.parametrize(
    ("refusal", "code", "transient"),
    [
        ("400 ExpiredToken", "expired_credentials", True),
        ("403 InvalidAccessKeyId", "wrong_credentials", False),
        ("403 AccessDenied", "access_denied", False),
        ("404 NoSuchBucket", "missing_bucket", False),
        ("403 RequestTimeTooSkewed", "wrong_clock", False),
        ("301 PermanentRedirect", "wrong_region", False),
        ("400 AuthorizationHeaderMalformed", "wrong_region", False),
    ],
)
def test_each_refusal_of_a_list_or_a_read_has_its_own_error_and_the_next_run_loads(
    world: World, refusal: str, code: str, transient: bool
) -> None:
    fill(world)
    for path in (FIRST, "/event-05"):
        with s3_proxy(world, [refusal, "for ever"], path) as proxy:
            reply = world.load(
                {"prefix": "events/"},
                AWS_ENDPOINT_URL=f"http://127.0.0.1:{proxy.port}",
                ETL_ATTEMPTS="2",
            )
            assert set(proxy.spoilt) == {refusal}
        assert reply["result"] == "failed"
        assert (reply["error"]["code"], reply["error"]["transient"]) == (code, transient)
    assert world.query("SELECT split_part(error, ':', 1) FROM etl.runs") == [(code,), (code,)]
    assert world.load({"prefix": "events/"})["result"] == "loaded"
    exact(world)


def test_a_key_that_spells_a_refusal_is_none(world: World) -> None:
    fill(world)
    for word in ("AccessDenied", "NoSuchBucket", "InvalidObjectState", "BadScheme"):
        world.put(f"{HOUR}/spelt-{word}.json", event("a", 0))
    faults = [SLOW_DOWN] * 3 + ["cut"]
    with s3_proxy(world, list(faults), "/spelt-") as proxy:
        reply = world.load({"prefix": "events/"}, AWS_ENDPOINT_URL=f"http://127.0.0.1:{proxy.port}")
        assert proxy.spoilt == faults
    assert reply["result"] == "loaded", reply
    assert world.query("SELECT status, count(*) FROM etl.newest_objects GROUP BY 1") == [
        ("loaded", OBJECTS + 4)
    ]


def through(proxy: WireProxy) -> dict[str, str]:
    return {"DWH_HOST": "127.0.0.1", "DWH_PORT": str(proxy.port)}


def target(world: World) -> tuple[str, int]:
    return world.server.host, world.server.port


def put_set(world: World, number: int) -> None:
    """Write three objects of three events, of which one is in two of them."""
    for place in range(3):
        shared = event("s", number) if place else event("s", number, at="first")
        world.put(f"{HOUR}/event-{number:03}-{place}.json", event("a", 3 * number + place), shared)


def settle(world: World, sets: int) -> None:
    """Run the loader until it has nothing to do, and see that everything is there once."""
    until = time.monotonic() + 30
    while (reply := world.load({"prefix": "events/"}))["result"] == "busy":
        assert time.monotonic() < until, "the lock outlives its owner"
        time.sleep(0.1)
    assert reply["result"] == "loaded", reply
    assert world.load({"prefix": "events/"})["events"] == {}
    stored = world.query("SELECT event_name, count(*) FROM public.clickstream_events GROUP BY 1")
    assert dict(stored) == {"a": 3 * sets, "s": sets}
    assert world.query("SELECT count(*) FROM etl.duplicates") == [(2 * sets,)]
    assert world.query("SELECT status, count(*) FROM etl.newest_objects GROUP BY 1") == [
        ("loaded", 3 * sets)
    ]


def recounted(world: World) -> None:
    kept = world.query(KPIS)
    world.query("SELECT etl.rebuild('-infinity', 'infinity')")
    assert world.query(KPIS) == kept


def pieces_of_a_run(world: World) -> int:
    """Load the first set and return how many pieces a run sends."""
    put_set(world, 0)
    with WireProxy(target(world)) as proxy:
        assert world.load({"prefix": "events/"}, **through(proxy))["result"] == "loaded"
        pieces = int(proxy.pieces)
    assert pieces > 15
    return pieces


def cut_before(number: int) -> Callable[[int, bytes], Decision]:
    return lambda at, _data: "cut" if at == number else None


def test_a_connection_cut_before_any_piece_costs_nothing(world: World) -> None:
    pieces = pieces_of_a_run(world)
    codes: set[str] = set()
    for number in range(1, pieces + 1):
        put_set(world, number)
        with WireProxy(target(world), cut_before(number)) as proxy:
            reply = world.load({"prefix": "events/"}, ETL_ATTEMPTS="1", **through(proxy))
        codes.add(reply.get("error", {}).get("code", reply["result"]))
        settle(world, number + 1)
    assert codes <= {"db_lost", "db_unreachable", "loaded"}
    assert "db_lost" in codes
    recounted(world)


@pytest.mark.parametrize("after", [False, True], ids=["before it is sent", "before its answer"])
def test_a_loader_killed_at_any_statement_costs_nothing(world: World, after: bool) -> None:
    pieces = pieces_of_a_run(world)
    killed = 0
    for number in range(1, pieces + 1):
        put_set(world, number)
        process: list[subprocess.Popen[str]] = []

        def kill(process: list[subprocess.Popen[str]] = process) -> None:
            process[0].send_signal(signal.SIGKILL)

        def decide(
            at: int, _data: bytes, number: int = number, kill: Callable[[], None] = kill
        ) -> Decision:
            if at != number:
                return None
            if after:
                return kill
            kill()
            return "cut"

        with WireProxy(target(world), decide) as proxy:
            process.append(world.command("--prefix", "events/", **through(proxy)))
            process[0].communicate(timeout=60)
        killed += process[0].returncode == -signal.SIGKILL
        settle(world, number + 1)
    assert killed >= pieces - 2
    recounted(world)


@pytest.mark.parametrize(
    "silent_at",
    [b"begin_chunk", b"apply_chunk", b"finish_run", b"unknown_objects"],
    ids=lambda word: word.decode(),
)
def test_a_warehouse_that_goes_silent_ends_the_run_and_the_lock(
    world: World, monkeypatch: pytest.MonkeyPatch, silent_at: bytes
) -> None:
    fill(world)
    monkeypatch.setattr(loading, "SILENT_SECONDS", 1)
    # Short, and yet longer than a statement or a pause between two takes on a busy machine.
    monkeypatch.setattr(loading, "IDLE_SECONDS", 4)
    monkeypatch.setattr(loading, "IN_TRANSACTION_SECONDS", 4)
    limits = {"ETL_STATEMENT_SECONDS": "4", "ETL_REQUEST_SECONDS": "1", "ETL_ATTEMPTS": "1"}
    with WireProxy(
        target(world), lambda _at, data: "silent" if silent_at in data else None
    ) as proxy:
        began = time.monotonic()
        reply = world.load({"prefix": "events/"}, **through(proxy), **limits)
        assert proxy.silent.is_set()
        assert time.monotonic() - began < 60
        assert (reply["result"], reply["error"]["code"]) == ("failed", "db_silent")
        # Nobody has closed the server's side; it ends by itself, and with it the lock.
        until = time.monotonic() + 60
        while (again := world.load({"prefix": "events/"}))["result"] == "busy":
            assert time.monotonic() < until, "the lock outlives its owner"
            time.sleep(0.2)
    assert again["result"] == "loaded", again
    exact(world)
