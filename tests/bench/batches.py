"""Loads what follows the base's year as the loader does, with and without what is derived from it."""

from __future__ import annotations

import io
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from psycopg2 import extensions

from etl_lambda.copying import EVENT_COLUMNS, OBJECT_COLUMNS
from etl_lambda.settings import Limits
from tests.bench.making import BATCHES
from tests.bench.measuring import BenchError, Entry, say, shown, significant
from tests.bench.server import KeptServer

EVENTS_PER_OBJECT = (
    500  # an export's; one event an object would add the ledger's work to both sides
)
SIDES = {"warehouse_without": False, "warehouse_with": True}


def load_ratio(server: KeptServer, directory: Path, size: int) -> Entry:
    """Return time of a batch of `size` events with sessions and rollups ÷ without.

    Each side loads the same BATCHES batches, one after another, into a copy of the base of its own;
    the first is not counted. The sides take turns, so that what else the machine does meets both.
    Seconds are those of the transactions from staging to commit.
    """
    files = [directory / f"batch-{number}.tsv" for number in range(BATCHES)]
    without, derived = _seconds(server, files, size)
    value = median(derived) / median(without)
    return Entry(
        name="warehouse.load_with_rollups_vs_without",
        value=value,
        bar=2.4,
        better="lower",
        runs=[seconds / median(without) for seconds in derived],
        title=f"batch of {size:,} with sessions and rollups ÷ without",
        ours=f"{shown(median(derived))} s",
        other=f"{shown(median(without))} s",
        more={
            "ours_s": [significant(seconds) for seconds in derived],
            "without_s": [significant(seconds) for seconds in without],
        },
    )


def _seconds(server: KeptServer, files: list[Path], size: int) -> list[list[float]]:
    """Return the counted seconds of each of SIDES."""
    found: dict[str, list[float]] = {side: [] for side in SIDES}
    try:
        for side, derived in SIDES.items():
            _drop(server, side)
            server.execute(
                "postgres", f"CREATE DATABASE {side} TEMPLATE clickstream_dw STRATEGY FILE_COPY"
            )
            server.execute(side, "UPDATE etl.settings SET rollups_enabled = %s", derived)
        for number, file in enumerate(files):
            for side, seconds in found.items():
                with server.connection(side, "etl_loader_a") as connection:
                    connection.autocommit = False
                    seconds.append(_load(connection, number, list(_chunks(file)), size))
                say(f"  batch {number}, {side.replace('_', ' ')}: {seconds[-1]:.1f} s")
        return [seconds[1:] for seconds in found.values()]
    finally:
        for side in SIDES:
            _drop(server, side)


def _drop(server: KeptServer, database: str) -> None:
    server.execute("postgres", f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


def _chunks(file: Path) -> Iterator[tuple[int, bytes]]:
    """Yield chunks of the loader's usual size: how many events, and their text for COPY."""
    with file.open("rb") as lines:
        while chunk := list(itertools.islice(lines, Limits().chunk_events)):
            yield (
                len(chunk),
                b"".join(
                    b"%d\t%d\t%b" % (*divmod(place, EVENTS_PER_OBJECT), line)
                    for place, line in enumerate(chunk)
                ),
            )


def _objects(batch: int, chunk: int, events: int) -> bytes:
    """Return the chunk's objects as COPY's text."""
    lines = []
    for number, first in enumerate(range(0, events, EVENTS_PER_OBJECT)):
        key = f"events/2026/07/{batch + 1:02d}/00/export-{chunk:04d}-{number:04d}.json"
        held = min(EVENTS_PER_OBJECT, events - first)
        at = "2026-08-01 00:00:00Z"
        lines.append(f"{number}\t{key}\te\t{at}\t1\t{at}\tloaded\t{held}\n")
    return "".join(lines).encode()


def _load(
    connection: extensions.connection, batch: int, chunks: list[tuple[int, bytes]], size: int
) -> float:
    """Load one batch as one run and return the seconds; raise BenchError unless all of it was stored."""
    stored = 0
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("SELECT etl.start_run('{}')")
        run = (cursor.fetchone() or (0,))[0]
        connection.commit()
        for number, (events, text) in enumerate(chunks):
            cursor.execute("SELECT etl.begin_chunk()")
            for table, columns, lines in (
                ("staged_objects", OBJECT_COLUMNS, _objects(batch, number, events)),
                ("staged_events", EVENT_COLUMNS, text),
            ):
                cursor.copy_expert(
                    f"COPY etl.{table} ({', '.join(columns)}) FROM STDIN", io.BytesIO(lines)
                )
            cursor.execute("SELECT etl.apply_chunk(%s, false)", (run,))
            stored += int((cursor.fetchone() or ({},))[0]["events_stored"])
            connection.commit()
        cursor.execute("SELECT etl.finish_run(%s, 'loaded', '{}', '[]', NULL)", (run,))
        connection.commit()
    seconds = time.perf_counter() - began
    if stored != size:
        raise BenchError(f"batch {batch}: {stored} events were stored, not {size}")
    return seconds
