"""A PostgreSQL whose data directory outlives it: the base of the measurements."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg2
from psycopg2 import extensions

from tests import toolbox

# As the role postgresql sets them on a host of 8 GiB (roles/postgresql/filter_plugins), but for the
# workers of one query: PostgreSQL's default of two, which the plain queries gain by.
PRODUCT = {
    "shared_buffers": "2GB",
    "effective_cache_size": "8GB",
    "work_mem": "64MB",
    "maintenance_work_mem": "512MB",
    "random_page_cost": "1.1",
    "effective_io_concurrency": "200",
    "min_wal_size": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "lz4",
    "max_parallel_workers": "2",
    "jit": "off",
    "timezone": "Etc/UTC",
    "fsync": "on",
}
# While a base is made a crash costs nothing but the time to make it again.
MAKING = PRODUCT | {
    "fsync": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "8GB",
    "maintenance_work_mem": "1GB",
    "work_mem": "256MB",
    "autovacuum": "off",
}
# $1 is the data directory, $2 where the toolbox sees it, the rest the command.
BIND = 'mount --bind "$1" "$2"; shift 2; exec "$@"'


class KeptServer(toolbox.PostgresServer):
    """A PostgreSQL 17 over a data directory of this side that stays when the server is stopped."""

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        super().__init__(settings=settings)
        self._directory = directory

    def __enter__(self) -> KeptServer:
        try:
            self._home = self._stack.enter_context(toolbox.scratch("bench-", "postgres"))
            toolbox.run(["mkdir", f"{self.socket_dir}/data"], cwd="/")
            if not (self._directory / "PG_VERSION").exists():
                self._initialize()
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(psycopg2.Error):
                self.execute("postgres", "CHECKPOINT")  # before the stop, which has 30 s
        self.stop(signal.SIGINT)
        self._stack.close()

    def _command(self, argv: Sequence[str]) -> list[str]:
        inside = toolbox.ROOT / self.socket_dir.lstrip("/") / "data"
        enter = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", BIND, "bench"]
        # As its user, after which nothing clears it: the server stops when this process is no more.
        mortal = ["setpriv", "--pdeathsig", "INT", *argv]
        return [*enter, str(self._directory), str(inside), *super()._command(mortal)]

    def _initialize(self) -> None:
        self._directory.mkdir(parents=True, exist_ok=True)
        data = f"{self.socket_dir}/data"
        init = [f"{toolbox.PG_BIN}/initdb", "-D", data, "-A", "trust", "-U", "postgres"]
        locale = ["--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=builtin"]
        for argv in (
            super()._command(["true"]),  # makes sure that the toolbox stands
            ["chown", self._owner(), str(self._directory)],
            self._command(
                [*init, "--no-sync", "--data-checksums", *locale, "--builtin-locale=C.UTF-8"]
            ),
        ):
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise toolbox.ToolboxError(f"{argv[0]} failed:\n{done.stderr[-2000:]}")

    @staticmethod
    def _owner() -> str:
        number = toolbox.run(["sh", "-c", "echo $(id -u postgres):$(id -g postgres)"], cwd="/")
        return number.stdout.strip()

    @contextlib.contextmanager
    def connection(self, database: str, user: str = "postgres") -> Iterator[extensions.connection]:
        """Yield a session that commits each statement by itself, closed afterwards."""
        connection: extensions.connection = psycopg2.connect(self.dsn(user, database))
        try:
            connection.autocommit = True
            yield connection
        finally:
            connection.close()

    def execute(self, database: str, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run one statement, or several without values, and return the last one's rows."""
        with self.connection(database) as connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []
