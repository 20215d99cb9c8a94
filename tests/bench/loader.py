"""The loader's part: events one to a file, exports, re-sent ones, delays, growth, memory, cold start."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

import obstore

from etl_lambda.fetching import open_store
from etl_lambda.s3_list import environment_credentials
from etl_lambda.settings import Settings, from_environment
from tests.bench import cold, loads, raw, s3
from tests.bench.base import HOME, Base
from tests.bench.loads import DATABASE, Expected
from tests.bench.making import BATCHES
from tests.bench.measuring import BenchError, Entry, ratios, say, shown, significant, step
from tests.bench.server import PRODUCT, KeptServer

MOST_EVENTS, MOST_SINGLES = 1_000_000, 20_000
FILES = 10
RUNS, FEWER = 5, 3
SLOW = 60.0  # seconds of a round after which FEWER are made
SLOW_REFERENCE = 20.0  # seconds after which a reference is not run again
DELAY = 20  # ms
RESENT = "loader_resent"  # a database that holds nine events of ten


@dataclass(frozen=True)
class Rig:
    """A server with an empty warehouse as clickstream_dw, S3 over `buckets`, and how much lies there."""

    server: KeptServer
    buckets: Path
    url: str
    events: int
    singles: int

    def ours(self, bucket: str, expected: Expected, **options: Any) -> loads.Load:
        """Load a bucket into a database of its own; `options` are those of loads.database."""
        with loads.database(self.server, **options):
            return loads.ours(self.server, self.url, bucket, expected)

    @property
    def exports(self) -> Expected:
        """What the exports add to an empty warehouse."""
        return Expected(FILES, self.events)


def run(size: int) -> list[Entry]:
    """Measure with events of a base of `size`: at most a million, at most 20,000 of them alone.

    Raises BenchError when a load left anything but what its files hold.
    """
    base = Base(size)
    base.ready()
    directory = HOME / "loader"
    shutil.rmtree(directory, ignore_errors=True)
    buckets = directory / "buckets"
    events = min(MOST_EVENTS, size // 2) // (10 * FILES) * 10 * FILES
    singles = min(MOST_SINGLES, size // 100)
    batch = size // 20
    say(f"Write {events:,} events as raw files, {singles:,} of them alone, and {BATCHES} batches")
    _write(base, directory, events, singles, batch)
    try:
        with (
            s3.serving(buckets) as url,
            KeptServer(directory / "data", PRODUCT) as server,
        ):
            server.deploy()
            rig = Rig(server, buckets, url, events, singles)
            entries = [*_singles(rig), *_exports(rig)]
            with base.serving() as large:
                entries.append(_growth(rig, large, batch))
            entries += [*_cold(server), _ledger(rig)]
        return entries
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _write(base: Base, directory: Path, events: int, singles: int, batch: int) -> None:
    """Write the buckets: the year's last events alone and as exports, and the batches after it."""
    buckets = directory / "buckets"
    buckets.mkdir(parents=True)
    rows = directory / "rows.tsv"
    query = (
        "SELECT * FROM (SELECT * FROM plain.events ORDER BY event_timestamp DESC, event_id"
        f" LIMIT {events}) AS last ORDER BY event_timestamp, event_id"
    )
    with (
        base.serving() as server,
        server.connection("plain") as connection,
        connection.cursor() as cursor,
        rows.open("wb") as file,
    ):
        cursor.copy_expert(f"COPY ({query}) TO STDOUT", file)
    if cursor.rowcount != events:
        raise BenchError(f"the base has {cursor.rowcount} events, not {events}")
    with step("raw files"):
        with rows.open("rb") as lines:
            raw.write_singles(lines, buckets / "singles", singles)
        with rows.open("rb") as lines:
            raw.write_exports(lines, buckets / "exports", FILES, events // FILES)
        with rows.open("rb") as lines:
            nine = (line for number, line in enumerate(lines) if number % 10)
            raw.write_exports(nine, buckets / "nine-of-ten", FILES, events * 9 // 10 // FILES)
        with rows.open("rb") as lines:
            raw.write_exports(lines, buckets / "one-export", 1, events)
        for number in range(BATCHES):
            with (base.directory / f"batch-{number}.tsv").open("rb") as lines:
                # Keys of their own: one after the other they go into one warehouse.
                name = f"batch-{number}"
                raw.write_exports(lines, buckets / name, FILES, batch // FILES, name)
    rows.unlink()


def _rounds(works: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Measure each work in turn, RUNS times, FEWER when a round is slow; return their seconds."""
    found: dict[str, list[float]] = {name: [] for name in works}
    began = time.monotonic()
    rounds = RUNS
    while len(found[next(iter(works))]) < rounds:
        for name, work in works.items():
            found[name].append(work())
            say(f"  {name:<40}{found[name][-1]:8.2f} s")
        if rounds == RUNS and time.monotonic() - began > SLOW * len(next(iter(found.values()))):
            rounds = FEWER
    return found


def _once_or_more(name: str, work: Callable[[], float]) -> list[float]:
    """Measure a reference once, FEWER times when it is quick."""
    found = [work()]
    if found[0] < SLOW_REFERENCE:
        found += [work() for _ in range(FEWER - 1)]
    say(f"  {name:<40}{median(found):8.2f} s")
    return found


def _singles(rig: Rig) -> list[Entry]:
    say(f"Load {rig.singles:,} files of one event")
    expected = Expected(rig.singles, rig.singles)

    def through(url: str) -> float:
        with loads.database(rig.server):
            return loads.ours(rig.server, url, "singles", expected).seconds

    def reference() -> float:
        with loads.database(rig.server):
            return loads.by_reference(rig.server, rig.url, "singles", rig.singles).seconds

    through(rig.url)  # reads the files into memory for all of them
    with s3.delayed(rig.url, 0) as at_once, s3.delayed(rig.url, DELAY) as late:
        found = _rounds(
            {
                "ours": lambda: through(rig.url),
                "bare GETs": lambda: _gets(rig),
                "ours by the proxy": lambda: through(at_once),
                f"ours, {DELAY} ms later": lambda: through(late),
            }
        )
    ours = found["ours"]
    plain = _once_or_more("reference", reference)
    delay = found[f"ours, {DELAY} ms later"]
    return [
        _faster(
            "one_per_file_vs_gets",
            "one event a file ÷ bare GETs",
            (0.6, 0.85),
            rig.singles,
            ours,
            found["bare GETs"],
        ),
        _faster(
            "one_per_file_vs_reference",
            "one event a file ÷ plain loader",
            (10, 25),
            rig.singles,
            ours,
            plain,
        ),
        _faster(
            "delayed_gets_vs_none",
            f"one event a file, GETs {DELAY} ms later ÷ at once",
            (0.5, 0.9),
            rig.singles,
            delay,
            found["ours by the proxy"],
        ),
    ]


def _gets(rig: Rig) -> float:
    """Return the seconds of the GETs alone: the loader's client, its number of requests under way."""
    env = loads.environment(rig.url, "singles", rig.server)
    settings = from_environment(env)
    folder = rig.buckets / "singles"
    keys = [str(path.relative_to(folder)) for path in sorted(folder.rglob("*.json"))]
    began = time.perf_counter()
    found = asyncio.run(_get_all(settings, env, keys))
    seconds = time.perf_counter() - began
    if found != rig.singles:
        raise BenchError(f"{found} objects were read, not {rig.singles}")
    return seconds


async def _get_all(settings: Settings, env: Mapping[str, str], keys: Sequence[str]) -> int:
    credentials = environment_credentials(env)
    assert credentials is not None
    store = open_store(settings, lambda: credentials)
    rest = iter(keys)

    async def work() -> int:
        count = 0
        for key in rest:
            answer = await obstore.get_async(store, key)
            count += bool(await answer.bytes_async())
        return count

    return sum(await asyncio.gather(*(work() for _ in range(settings.limits.fetch_concurrency))))


def _exports(rig: Rig) -> list[Entry]:
    say(f"Load {FILES} exports of {rig.events // FILES:,} events")
    server, memory = rig.server, {"ten": 0.0, "one": 0.0}

    def alone(bucket: str, files: int, which: str) -> float:
        load = rig.ours(bucket, Expected(files, rig.events), rollups=False)
        memory[which] = max(memory[which], load.mib)
        return load.seconds

    def copy() -> float:
        with loads.database(server):
            return loads.copy(server, home, span[0], span[1], rig.events)

    def resent() -> float:
        expected = Expected(FILES, rig.events // 10, rig.events * 9 // 10)
        return rig.ours("exports", expected, template=RESENT).seconds

    def dlt() -> float:
        with loads.database(server):
            return loads.by_dlt(server, rig.url, "exports", rig.events).seconds

    with contextlib.ExitStack() as stack:
        with loads.database(server, rollups=False):
            loads.ours(server, rig.url, "exports", rig.exports)
            home = stack.enter_context(loads.copied(server))
            span = server.execute(
                DATABASE, "SELECT min(event_timestamp), max(event_timestamp) FROM etl.event_ids"
            )[0]
        stack.enter_context(_resent(rig))
        found = _rounds(
            {
                "ours": lambda: alone("exports", FILES, "ten"),
                "ours with sessions and rollups": lambda: rig.ours("exports", rig.exports).seconds,
                r"psql's \copy": copy,
                "nine of ten re-sent": resent,
                "ours, one file": lambda: alone("one-export", 1, "one"),
            }
        )
        theirs = _once_or_more("dlt", dlt)
    ours, derived = found["ours"], found["ours with sessions and rollups"]
    copies = found[r"psql's \copy"]
    count = rig.events
    return [
        _faster(
            "exports_vs_copy",
            r"exports without rollups ÷ psql's \copy",
            (0.6, 0.85),
            count,
            ours,
            copies,
        ),
        _faster(
            "exports_with_rollups_vs_copy",
            r"exports with rollups ÷ psql's \copy",
            (0.2, 0.45),
            count,
            derived,
            copies,
        ),
        _faster(
            "exports_with_rollups_vs_dlt",
            "exports with rollups ÷ dlt",
            (3, 6),
            count,
            derived,
            theirs,
        ),
        _faster("exports_vs_dlt", "exports without rollups ÷ dlt", (8, 18), count, ours, theirs),
        _faster(
            "resent_vs_new",
            "exports, 90 % re-sent ÷ none",
            (0.8, 1.5),
            count,
            found["nine of ten re-sent"],
            derived,
        ),
        *_memory(memory),
    ]


@contextlib.contextmanager
def _resent(rig: Rig) -> Iterator[None]:
    """Keep a database that holds nine of ten events of the exports, from other objects."""
    most = rig.events * 9 // 10
    server = rig.server
    server.execute("postgres", f"DROP DATABASE IF EXISTS {RESENT} WITH (FORCE)")
    with loads.database(server):
        loads.ours(server, rig.url, "nine-of-ten", Expected(FILES, most))
        server.execute(
            DATABASE, "DELETE FROM etl.object_versions"
        )  # the exports have the same keys
        server.execute(DATABASE, "VACUUM ANALYZE")
        server.execute("postgres", f"CREATE DATABASE {RESENT} TEMPLATE {DATABASE}")
    try:
        yield
    finally:
        server.execute("postgres", f"DROP DATABASE {RESENT} WITH (FORCE)")


def _growth(rig: Rig, large: KeptServer, batch: int) -> Entry:
    """Return seconds of a batch after the base's year ÷ of the same into an empty warehouse."""
    say(f"Load batches of {batch:,} events")
    expected = Expected(FILES, batch)
    on_empty, on_base = [], []
    with loads.database(large):
        for number in range(BATCHES):
            loaded = loads.ours(large, rig.url, f"batch-{number}", expected)
            say(f"  {f'batch {number} on the base':<40}{loaded.seconds:8.2f} s")
            on_base.append(loaded.seconds)
    for number in range(1, BATCHES):
        on_empty.append(rig.ours(f"batch-{number}", expected).seconds)
        say(f"  {f'batch {number} on none':<40}{on_empty[-1]:8.2f} s")
    del on_base[0]  # it reads the base into memory
    value = median(on_base) / median(on_empty)
    return _entry(
        "batch_on_base_vs_empty",
        f"batch of {batch:,} on the base ÷ on an empty warehouse",
        value,
        (1.8, 1.2),
        [seconds / median(on_empty) for seconds in on_base],
        "lower",
        (f"{shown(median(on_base))} s", f"{shown(median(on_empty))} s"),
        ours_s=on_base,
        other_s=on_empty,
    )


def _cold(server: KeptServer) -> list[Entry]:
    say("Start the function's package")
    seconds, megabytes = cold.start(server)
    return [
        _entry(
            "cold_start",
            "start of Python to the first request, s",
            median(seconds),
            (1.0, 0.4),
            seconds,
            "lower",
            (f"{shown(median(seconds))} s", ""),
            "s",
        ),
        _entry(
            "package",
            "the function's zip, MB",
            megabytes,
            (20, 12),
            [megabytes],
            "lower",
            (f"{shown(megabytes)} MB", ""),
            "MB",
        ),
    ]


def _ledger(rig: Rig) -> Entry:
    """Return the bytes of an object in the ledger and its indexes, after one load of events alone."""
    with loads.database(rig.server):
        loads.ours(rig.server, rig.url, "singles", Expected(rig.singles, rig.singles))
        (table, indexes) = rig.server.execute(
            DATABASE,
            "SELECT sum(pg_table_size(i.inhrelid)), sum(pg_indexes_size(i.inhrelid))"
            " FROM pg_inherits AS i WHERE i.inhparent = 'etl.object_versions'::regclass",
        )[0]
    each = [float(size) / rig.singles for size in (table, indexes)]
    return Entry(
        name="loader.ledger_bytes",
        value=sum(each),
        bar=None,
        better="lower",
        runs=[sum(each)],
        title="bytes of an object in the ledger: rows + indexes",
        ours=f"{each[0]:.0f} + {each[1]:.0f}",
        other="",
        unit="bytes",
    )


def _memory(peaks: Mapping[str, float]) -> list[Entry]:
    one, ten = peaks["one"], peaks["ten"]
    cells = (f"{one:.0f} MiB", f"{ten:.0f} MiB")
    return [
        _entry(
            "memory_one_file_vs_ten",
            "peak memory, one file ÷ ten",
            one / ten,
            (1.2, 1.0),
            [one / ten],
            "lower",
            cells,
        ),
        _entry(
            "memory",
            "peak memory, MiB",
            max(one, ten),
            (400, 200),
            [one, ten],
            "lower",
            cells,
            "MiB",
        ),
    ]


def _faster(
    name: str,
    title: str,
    bars: tuple[float, float],
    events: int,
    ours: Sequence[float],
    other: Sequence[float],
) -> Entry:
    """Return events a second of ours ÷ of the other, both of the same events."""
    value, runs = ratios(other, ours)
    rates = tuple(f"{shown(events / median(seconds))}/s" for seconds in (ours, other))
    return _entry(
        name,
        title,
        value,
        bars,
        runs,
        "higher",
        (rates[0], rates[1]),
        events=events,
        ours_s=ours,
        other_s=other,
    )


def _entry(
    name: str,
    title: str,
    value: float,
    bars: tuple[float, float],
    runs: Sequence[float],
    better: Literal["higher", "lower"],
    cells: tuple[str, str],
    unit: str = "ratio",
    **more: Any,
) -> Entry:
    bar, stretch = bars
    facts = {
        key: [significant(one) for one in value] if isinstance(value, Sequence) else value
        for key, value in more.items()
    }
    return Entry(
        name=f"loader.{name}",
        value=value,
        bar=bar,
        better=better,
        runs=runs,
        title=title,
        ours=cells[0],
        other=cells[1],
        unit=unit,
        more={"stretch": stretch, **facts},
    )
