"""How a base is made: events by making.sql into a plain table, from there into all that is measured."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import duckdb

from etl_lambda.mapping import COLUMNS
from tests.bench.measuring import BenchError, step
from tests.bench.server import KeptServer

HERE = Path(__file__).resolve().parent
ZONE = "Asia/Ho_Chi_Minh"
LOCAL = dt.timezone(dt.timedelta(hours=7))  # the zone's offset, all year
END = dt.datetime(2026, 7, 1, tzinfo=LOCAL)
START = END - dt.timedelta(days=365)
LATER = dt.timedelta(days=90)  # what is generated after the year: enough for the batches
BATCHES = 4
PLAIN_INDEXES = (
    "CREATE INDEX ON plain.events (event_timestamp)",
    "CREATE INDEX ON plain.events (session_id, event_timestamp)",
    "CREATE INDEX ON plain.events (client_id, event_timestamp)",
    "CREATE INDEX ON plain.events (context_product_category, user_login_state, event_timestamp)",
)
DUCKDB_TYPES = {
    "event_id": "UUID",
    "event_timestamp": "TIMESTAMP",
    "is_first_visit": "BOOLEAN",
    "context_product_price": "DECIMAL(18, 2)",
    "context_product_discount_price": "DECIMAL(18, 2)",
}


def months() -> Sequence[dt.datetime]:
    """Return the local months' edges from the year's start until after the batches; one is END."""
    edges = [START]
    while edges[-1] < END + LATER:
        year, month = edges[-1].year, edges[-1].month
        edges.append(dt.datetime(year + month // 12, month % 12 + 1, 1, tzinfo=LOCAL))
    return edges


def make_events(server: KeptServer, size: int) -> None:
    """Make the database plain: about `size` events of a year, and what follows in gen.later."""
    text = (HERE / "making.sql").read_text()
    for name, value in (
        (":sessions", str(size // 5)),
        (":from_at", f"timestamptz '{START.isoformat()}'"),
        (":to_at", f"timestamptz '{END.isoformat()}'"),
    ):
        text = text.replace(name, value)
    server.execute("postgres", "CREATE DATABASE plain")
    with step("products, visitors, sessions"):
        server.execute("plain", text)
    edges = months()
    with step("events"):
        for start, end in itertools.pairwise(edges):
            table = "plain.events" if start < END else "gen.later"
            server.execute(
                "plain", f"INSERT INTO {table} SELECT * FROM gen.events(%s, %s)", start, end
            )
    with step("indexes of the plain table"):
        for statement in PLAIN_INDEXES:
            server.execute("plain", statement)


def write_batches(server: KeptServer, directory: Path, size: int) -> None:
    """Write what follows the year as BATCHES files of COPY's text, each of `size` rows, and drop it.

    Raises BenchError when there is not enough of it.
    """
    server.execute(
        "plain",
        "WITH moved AS (DELETE FROM plain.events WHERE event_timestamp >= %s RETURNING *)"
        " INSERT INTO gen.later SELECT * FROM moved",
        END,
    )
    with step("batches"), server.connection("plain") as connection, connection.cursor() as cursor:
        for number in range(BATCHES):
            with (directory / f"batch-{number}.tsv").open("wb") as file:
                cursor.copy_expert(
                    "COPY (SELECT * FROM gen.later ORDER BY event_timestamp, event_id"
                    f" OFFSET {number * size} LIMIT {size}) TO STDOUT",
                    file,
                )
            if cursor.rowcount != size:
                raise BenchError(f"batch {number} has {cursor.rowcount} events, not {size}")
    server.execute("plain", "DROP SCHEMA gen CASCADE")
    with step("statistics"):
        server.execute("plain", "VACUUM ANALYZE plain.events")


def make_duckdb(server: KeptServer, path: Path) -> None:
    """Copy the plain table into a file of DuckDB's, ordered by time, instants as UTC without a zone."""
    part = path.with_suffix(".csv")
    columns = ", ".join(f"{name} {DUCKDB_TYPES.get(name, 'VARCHAR')}" for name in COLUMNS)
    edges = [edge for edge in months() if edge <= END]
    with (
        step("DuckDB's file"),
        duckdb.connect(str(path), config={"threads": 2}) as duck,
        server.connection("plain") as connection,
        connection.cursor() as cursor,
    ):
        duck.execute(f"CREATE TABLE events ({columns})")
        for start, end in itertools.pairwise(edges):
            with part.open("wb") as file:
                cursor.copy_expert(
                    f"COPY (SELECT {', '.join(COLUMNS)} FROM plain.events"
                    f" WHERE event_timestamp >= '{start.isoformat()}'"
                    f" AND event_timestamp < '{end.isoformat()}'"
                    " ORDER BY event_timestamp) TO STDOUT (FORMAT csv)",
                    file,
                )
            duck.execute(f"COPY events FROM '{part}' (FORMAT csv, HEADER false)")
        part.unlink()


def make_warehouse(server: KeptServer) -> None:
    """Deploy the warehouse anew and fill it with the plain table's events, by its own rebuild."""
    server.execute("postgres", "DROP DATABASE IF EXISTS clickstream_dw")
    with step("sqitch"):
        server.deploy()
    columns = ", ".join(COLUMNS)
    with step("events"):
        server.execute("clickstream_dw", "SELECT etl.ensure_partitions(%s, %s)", START, END + LATER)
        _pipe(
            server, f"SELECT {columns} FROM plain.events", f"public.clickstream_events ({columns})"
        )
    with step("ids"):
        _pipe(
            server,
            "SELECT event_id, event_timestamp, 0::bigint,"
            " (row_number() OVER (ORDER BY event_id))::integer - 1"
            " FROM plain.events ORDER BY event_id",
            "etl.event_ids (event_id, event_timestamp, object_id, position)",
        )
    with step("statistics of the events"):
        server.execute("clickstream_dw", "VACUUM ANALYZE")
    with step("rebuild"):
        server.execute("clickstream_dw", "SELECT etl.rebuild('-infinity', 'infinity')")
    # Data until: an hour after the last event, so that no session and no day of the year is open.
    server.execute(
        "clickstream_dw",
        "INSERT INTO etl.runs (request, result, started_at, ended_at, chunks)"
        " VALUES ('{}', 'loaded', %s, %s, 1)",
        END + dt.timedelta(hours=1),
        END + dt.timedelta(hours=1),
    )
    with step("statistics"):
        server.execute("clickstream_dw", "VACUUM ANALYZE")


def _pipe(server: KeptServer, query: str, into: str) -> None:
    """Send a query's rows of the database plain into a table of the warehouse."""
    reading, writing = os.pipe()
    failed: list[BaseException] = []

    def send(sink: IO[bytes]) -> None:
        try:
            with sink, server.connection("plain") as connection, connection.cursor() as cursor:
                cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT binary)", sink)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=send, args=(os.fdopen(writing, "wb"),))
    thread.start()
    with (
        os.fdopen(reading, "rb") as source,
        server.connection("clickstream_dw") as connection,
        connection.cursor() as cursor,
    ):
        cursor.copy_expert(f"COPY {into} FROM STDIN (FORMAT binary)", source)
    thread.join()
    if failed:
        raise failed[0]
