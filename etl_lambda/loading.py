"""The loader's side of the warehouse: one session, the lock, staging by COPY, one commit a chunk."""

from __future__ import annotations

import contextlib
import io
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal

import psycopg2
from psycopg2 import extensions, sql

from etl_lambda.copying import EVENT_COLUMNS, OBJECT_COLUMNS, REJECT_COLUMNS, Part
from etl_lambda.errors import BusyError, LoaderError, PermanentError, TransientError, from_db
from etl_lambda.listing import Found
from etl_lambda.settings import Limits, Settings
from etl_lambda.watching import Watch

# The server ends a statement in time; a connection that says nothing for longer is lost.
SILENT_SECONDS = 30
IDLE_SECONDS = 60
IN_TRANSACTION_SECONDS = 120
LOCK = "SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtext('etl_loader'))"
Result = Literal["loaded", "partial", "failed", "busy"]


@contextmanager
def _decided() -> Iterator[None]:
    """Turn the driver's errors into those of errors.py."""
    try:
        yield
    except psycopg2.Error as error:
        raise from_db(error) from error


def connect(settings: Settings) -> extensions.connection:
    """Open a session whose loss both sides notice. Raises LoaderError.

    Lost packets they notice within about a minute. Where something in between takes packets and passes
    none on, the server ends a session that waits longer than S3 may keep the loader waiting, and the
    lock is free again; Watch ends the loader's side. The server's certificate is verified against the CA
    of the package (`verify-full`).
    """
    if settings.sslmode.startswith("verify") and settings.sslrootcert is None:
        raise PermanentError("db_ca_missing", "the package has no ca.crt: set DWH_SSLROOTCERT")
    statement = settings.limits.statement_seconds * 1000
    idle = longest_idle_seconds(settings.limits) * 1000
    with _decided():
        connection: extensions.connection = psycopg2.connect(
            host=settings.host,
            port=settings.port,
            user=settings.user,
            password=settings.password,
            dbname=settings.database,
            sslmode=settings.sslmode,
            sslrootcert=settings.sslrootcert or "",
            connect_timeout=10,
            application_name="etl_lambda",
            keepalives=1,
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
            tcp_user_timeout=60_000,
            client_encoding="UTF8",
            options=(
                f"-c statement_timeout={statement} -c idle_session_timeout={idle}"
                f" -c idle_in_transaction_session_timeout={IN_TRANSACTION_SECONDS * 1000}"
                " -c lock_timeout=60000 -c timezone=UTC -c search_path=pg_catalog"
                " -c client_connection_check_interval=10000 -c tcp_user_timeout=60000"
                " -c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"
            ),
        )
    return connection


def longest_idle_seconds(limits: Limits) -> int:
    """Return how long a session may wait for S3 between two statements: all tries of a read."""
    return limits.request_seconds * limits.attempts + IDLE_SECONDS


def _array(values: Iterable[object]) -> str:
    """Return an array as its text, for a cast; a list would be sent as a constant for each element."""
    escaped = (str(value).replace("\\", "\\\\").replace('"', '\\"') for value in values)
    return "{" + ",".join(f'"{value}"' for value in escaped) + "}"


class Warehouse:
    """One session of the loader's. Every method raises LoaderError."""

    def __init__(self, settings: Settings) -> None:
        self._connection = connect(settings)
        self._watch = Watch(
            self._connection.fileno(), settings.limits.statement_seconds + SILENT_SECONDS
        )

    def close(self) -> None:
        """Give the lock back and end the session.

        The server would free the lock at the session's end, but a moment after this returns: a run
        that follows at once would be told that it is busy.
        """
        with contextlib.suppress(psycopg2.Error), self._watch:
            self._connection.rollback()
            with self._connection.cursor() as cursor:
                cursor.execute("SELECT pg_catalog.pg_advisory_unlock_all()")
            self._connection.commit()
        self._connection.close()

    def lock(self, patience: float = 0, sleep: Callable[[float], object] = time.sleep) -> None:
        """Take the lock of the one run at a time; BusyError when `patience` seconds did not help."""
        deadline = time.monotonic() + patience
        while not self._one(LOCK):
            if time.monotonic() >= deadline:
                raise BusyError
            sleep(1)

    def start_run(self, request: dict[str, Any]) -> int:
        """Return the number of a new run."""
        return int(self._one("SELECT etl.start_run(%s::jsonb)", json.dumps(request)))

    def finish_run(
        self, run: int, result: Result, counts: dict[str, Any], listed: Any, error: str | None
    ) -> None:
        """Close the run's row. `loaded` moves *data until* to the run's start."""
        self._one(
            "SELECT etl.finish_run(%s, %s, %s::jsonb, %s::jsonb, %s)",
            run,
            result,
            json.dumps(counts),
            json.dumps(listed, default=str),
            error,
        )

    def disks(self) -> dict[str, float]:
        """Return in percent how full each file system of the host is, by path; none that is not known.

        The host's timer measures them; what is over an hour old is not told.
        """
        rows = self._all("SELECT path, used_percent FROM etl.disk_usage() ORDER BY path")
        return {path: float(percent) for path, percent in rows}

    def window_start(self, now: datetime) -> datetime | None:
        """Return the oldest hour that is not proven complete."""
        found: datetime | None = self._one("SELECT etl.window_start(%s)", now)
        return found

    def drop_expired(self) -> int:
        """Drop what is older than the retention edge, and return how many partitions that was."""
        return int(self._one("SELECT etl.drop_expired()"))

    def last_full_listing(self) -> datetime | None:
        """Return when the last weeks were last listed whole."""
        found: datetime | None = self._one("SELECT etl.last_full_listing()")
        return found

    def unknown(self, objects: Sequence[Found]) -> tuple[list[Found], list[Found]]:
        """Return the `objects` whose key and ETag the ledger lacks, and those that came back.

        The latter are versions that it holds, and that were replaced by another meanwhile.
        """
        if not objects:
            return [], []
        rows = sorted(
            self._all(
                "SELECT number, is_held FROM etl.unknown_objects(%s::text[], %s::text[])",
                _array(found.key for found in objects),
                _array(found.etag for found in objects),
            )
        )
        lacking = [objects[number - 1] for number, is_held in rows if not is_held]
        return lacking, [objects[number - 1] for number, is_held in rows if is_held]

    def unseen(self, run: int, hours: Sequence[datetime]) -> list[Found]:
        """Return the pending objects of the listed `hours` that this run's listing did not show."""
        rows = self._all(
            "SELECT object_key, etag, last_modified, size_bytes, key_hour"
            " FROM etl.unseen_objects(%s, %s::timestamptz[])",
            run,
            list(hours),
        )
        return [Found(*row) for row in rows]

    def quarantined(self) -> list[Found]:
        """Return the objects that have an open reject."""
        rows = self._all(
            "SELECT object_key, etag, last_modified, size_bytes, key_hour"
            " FROM etl.quarantined_objects()"
        )
        return [Found(*row) for row in rows]

    def record_listing(self, run: int, hours: Sequence[datetime], pending: Sequence[Found]) -> None:
        """Book the hours that were listed whole, and the objects seen there but not yet loaded."""
        self._one(
            "SELECT etl.record_listing(%s, %s::timestamptz[], %s::text[], %s::text[],"
            " %s::timestamptz[], %s::bigint[], %s::timestamptz[])",
            run,
            list(hours),
            _array(found.key for found in pending),
            _array(found.etag for found in pending),
            _array(found.last_modified for found in pending),
            _array(found.size for found in pending),
            _array(found.hour for found in pending),
        )

    def begin_chunk(self) -> None:
        """Open the chunk's transaction with empty staging tables."""
        with self._talking(), self._connection.cursor() as cursor:
            cursor.execute("SELECT etl.begin_chunk()")

    def copy(self, part: Part) -> None:
        """Send a part of a chunk to the staging tables."""
        with self._talking(), self._connection.cursor() as cursor:
            for table, columns, lines in (
                ("staged_objects", OBJECT_COLUMNS, part.objects),
                ("staged_events", EVENT_COLUMNS, part.events),
                ("staged_rejects", REJECT_COLUMNS, part.rejects),
            ):
                if lines:
                    command = sql.SQL("COPY {} ({}) FROM STDIN").format(
                        sql.Identifier("etl", table),
                        sql.SQL(", ").join(map(sql.Identifier, columns)),
                    )
                    cursor.copy_expert(command, io.BytesIO("".join(lines).encode()))

    def apply_chunk(self, run: int, reload: bool) -> dict[str, int]:
        """Move the staged chunk into the tables, uncommitted; return what became of it."""
        with self._talking(), self._connection.cursor() as cursor:
            cursor.execute("SELECT etl.apply_chunk(%s, %s)", (run, reload))
            row = cursor.fetchone()
        return {name: int(value) for name, value in (row[0] if row else {}).items()}

    def commit(self) -> None:
        """Make the chunk durable: until then it can be lost, and is then loaded again."""
        with self._talking():
            self._connection.commit()

    def rollback(self) -> None:
        """Give up the open transaction."""
        with self._talking():
            self._connection.rollback()

    @contextmanager
    def _talking(self) -> Iterator[None]:
        """Give up a server that does not answer, and decide the driver's errors."""
        try:
            with _decided(), self._watch:
                yield
        except LoaderError as error:
            if self._watch.is_over:
                words = f"the warehouse said nothing for {self._watch.seconds} s"
                raise TransientError("db_silent", words) from error
            raise

    def _all(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run one statement in a transaction of its own."""
        with self._talking():
            with self._connection.cursor() as cursor:
                cursor.execute(statement, values)
                rows: list[tuple[Any, ...]] = cursor.fetchall()
            self._connection.commit()
        return rows

    def _one(self, statement: str, *values: Any) -> Any:
        rows = self._all(statement, *values)
        return rows[0][0] if rows else None
