"""Puts literal events into a warehouse the way the loader does, for tests of SQL."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import psycopg2

from tests import toolbox

COLUMNS = [
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
]
Event = dict[str, Any]


def _lines(rows: Sequence[Sequence[Any]]) -> io.StringIO:
    def cell(value: Any) -> str:
        return (
            "\\N" if value in (None, "") else str(value).replace("\\", "\\\\").replace("\t", "\\t")
        )

    return io.StringIO("".join("\t".join(map(cell, row)) + "\n" for row in rows))


class Loader:
    """A session as one of the loader's logins."""

    def __init__(self, server: toolbox.PostgresServer) -> None:
        self.connection = psycopg2.connect(server.dsn("etl_loader_a"))
        self._objects = 0

    def start(self, request: str = "{}") -> int:
        return int(self.value("SELECT etl.start_run(%s)", request))

    def value(self, statement: str, *values: Any) -> Any:
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            row = cursor.fetchone()
        return row[0] if row else None

    def chunk(
        self, run: int, objects: Sequence[Sequence[Event]], etag: str = "e"
    ) -> dict[str, int]:
        """Load objects of events in one chunk; each is put a second after the one before."""
        staged, events = [], []
        for number, held in enumerate(objects):
            self._objects += 1
            seconds = self._objects
            stamp = f"2030-01-01 {seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}Z"
            key = f"events/2030/01/01/00/event-{self._objects:06d}.json"
            staged.append([number, key, etag, stamp, 1, "2030-01-01T00:00Z", "loaded", len(held)])
            events += [
                [number, position, *(event.get(column) for column in COLUMNS)]
                for position, event in enumerate(held)
            ]
        with self.connection, self.connection.cursor() as cursor:
            cursor.execute("SELECT etl.begin_chunk()")
            cursor.copy_expert(
                "COPY etl.staged_objects (object_no, object_key, etag, last_modified, size_bytes,"
                " key_hour, status, records_read) FROM STDIN",
                _lines(staged),
            )
            cursor.copy_expert(
                f"COPY etl.staged_events (object_no, position, {', '.join(COLUMNS)}) FROM STDIN",
                _lines(events),
            )
            cursor.execute("SELECT etl.apply_chunk(%s)", (run,))
            row = cursor.fetchone()
        return dict(row[0]) if row else {}

    def finish(self, run: int, result: str = "loaded") -> None:
        self.value("SELECT etl.finish_run(%s, %s, '{}', '[]', NULL)", run, result)

    def load(self, objects: Sequence[Sequence[Event]]) -> dict[str, int]:
        """Load objects in one run of one chunk."""
        run = self.start()
        counts = self.chunk(run, objects)
        self.finish(run)
        return counts


def ask(server: toolbox.PostgresServer, statement: str, *values: Any) -> list[dict[str, Any]]:
    """Ask the warehouse as the dashboard does, and return rows by column."""
    connection = psycopg2.connect(server.dsn("dashboard_reader"))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    finally:
        connection.close()
