"""Loads of one bucket into one database, each by a process of its own, and what they must leave there."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from etl_lambda.mapping import COLUMNS
from tests import toolbox
from tests.bench import reference, s3
from tests.bench.measuring import BenchError
from tests.bench.raw import DAY
from tests.bench.server import KeptServer

DATABASE = "loader_run"
DLT_PYTHON = toolbox.REPOSITORY / "build" / "venv-bench" / "bin" / "python"
# An export of a million events is larger than what the loader takes by default.
LARGE = {"ETL_OBJECT_BYTES": str(2**30), "ETL_DECOMPRESSED_BYTES": str(2**31)}
COPIED = (
    (
        "events",
        f"public.clickstream_events ({', '.join(COLUMNS)})",
        f"SELECT {', '.join(COLUMNS)} FROM public.clickstream_events ORDER BY event_timestamp",
    ),
    ("ids", "etl.event_ids", "SELECT * FROM etl.event_ids ORDER BY event_id"),
    ("objects", "etl.object_versions", "SELECT * FROM etl.object_versions ORDER BY object_id"),
)
HELD = """
SELECT
    (SELECT count(*) FROM public.clickstream_events), (SELECT count(*) FROM etl.event_ids),
    (SELECT count(*) FROM etl.newest_objects),
    (SELECT count(*) FROM etl.object_versions WHERE status = 'loaded'),
    (SELECT count(*) FROM etl.quarantine), (SELECT count(*) FROM etl.duplicates)
"""


@dataclass(frozen=True)
class Load:
    """What one run of a process took: seconds from its start to its end, and its peak of memory."""

    seconds: float
    mib: float


@dataclass(frozen=True)
class Expected:
    """What a load must add: objects, stored events, and copies of stored ones."""

    objects: int
    events: int
    copies: int = 0


@contextlib.contextmanager
def database(
    server: KeptServer, template: str = "clickstream_dw", *, rollups: bool = True
) -> Iterator[str]:
    """Yield the name of a copy of the template, dropped afterwards; nothing waits to be written."""
    server.execute("postgres", f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    server.execute("postgres", f"CREATE DATABASE {DATABASE} TEMPLATE {template} STRATEGY FILE_COPY")
    try:
        server.execute(DATABASE, "UPDATE etl.settings SET rollups_enabled = %s", rollups)
        server.execute("postgres", "CHECKPOINT")
        yield DATABASE
    finally:
        server.execute("postgres", f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")


def environment(url: str, bucket: str, server: KeptServer) -> dict[str, str]:
    """Return the environment of a load, as the function has it; no TLS on the loopback."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": s3.KEY,
        "AWS_SECRET_ACCESS_KEY": s3.SECRET,
        "AWS_REGION": "ap-southeast-1",
        "AWS_DEFAULT_REGION": "ap-southeast-1",
        "RAW_BUCKET": bucket,
        "DWH_HOST": server.host,
        "DWH_PORT": str(server.port),
        "DWH_USER": "etl_loader_a",
        "DWH_PASSWORD": "not-asked-for",
        "DWH_DATABASE": DATABASE,
        "DWH_SSLMODE": "disable",
    }


def ours(server: KeptServer, url: str, bucket: str, expected: Expected) -> Load:
    """Load a bucket by `python -m etl_lambda`; raise BenchError unless all of it is in the database."""
    before = server.execute(DATABASE, HELD)[0]
    command = [sys.executable, "-m", "etl_lambda", "--prefix", f"events/{DAY:%Y/%m/%d}/"]
    load, output = _run(command, environment(url, bucket, server) | LARGE)
    reply = json.loads(output.splitlines()[-1])
    added = [
        now - then for now, then in zip(server.execute(DATABASE, HELD)[0], before, strict=True)
    ]
    events, objects = expected.events, expected.objects
    if reply["result"] != "loaded" or added != [
        events,
        events,
        objects,
        objects,
        0,
        expected.copies,
    ]:
        raise BenchError(f"the loader left {added} of {bucket}: {reply}")
    return load


def by_reference(server: KeptServer, url: str, bucket: str, events: int) -> Load:
    """Load a bucket by the plain reference into a table of its own."""
    server.execute(DATABASE, reference.CREATE)
    command = [sys.executable, "-m", "tests.bench.reference"]
    load, _ = _run(command, environment(url, bucket, server))
    _hold(server, reference.TABLE, events)
    return load


def by_dlt(server: KeptServer, url: str, bucket: str, events: int) -> Load:
    """Load a bucket by dlt into a schema of its own."""
    with tempfile.TemporaryDirectory() as home:
        quiet = {"HOME": home, "RUNTIME__DLTHUB_TELEMETRY": "false"}
        command = [str(DLT_PYTHON), "-m", "tests.bench.dlt_load"]
        load, _ = _run(command, environment(url, bucket, server) | quiet)
    _hold(server, "shop.events", events)
    return load


@contextlib.contextmanager
def copied(server: KeptServer) -> Iterator[Path]:
    """Yield a directory with the text of what the loader has left in the database, for `copy`."""
    with toolbox.scratch("copy-", "postgres") as home:
        with server.connection(DATABASE) as connection, connection.cursor() as cursor:
            for name, _, query in COPIED:
                with (home / name).open("wb") as file:
                    cursor.copy_expert(f"COPY ({query}) TO STDOUT", file)
        yield home


def copy(server: KeptServer, home: Path, first: object, last: object, events: int) -> float:
    r"""Return the seconds of psql's `\copy` of the prepared text, in one transaction.

    That is the events into the partitioned table, their ids into etl.event_ids in the order of its
    key, the ledger's lines into etl.object_versions: with every index that the loader keeps there as
    well. The partitions of the months exist before.
    """
    server.execute(DATABASE, "SELECT etl.ensure_partitions(%s, %s)", first, last)
    server.execute(DATABASE, "SELECT etl.ensure_ledger(ARRAY[%s]::date[])", DAY)
    inside = toolbox.inside_path(home)
    commands = [
        word
        for name, table, _ in COPIED
        for word in ("-c", rf"\copy {table} FROM '{inside}/{name}'")
    ]
    options = ["-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-d", server.dsn("postgres", DATABASE)]
    began = time.perf_counter()
    toolbox.run(["psql", *options, *commands], user="postgres", cwd="/")
    seconds = time.perf_counter() - began
    _hold(server, "public.clickstream_events", events)
    _hold(server, "etl.event_ids", events)
    return seconds


def _hold(server: KeptServer, table: str, events: int) -> None:
    held = server.execute(DATABASE, f"SELECT count(*) FROM {table}")[0][0]
    if held != events:
        raise BenchError(f"{table} holds {held} events, not {events}")


def _run(command: Sequence[str], env: dict[str, str]) -> tuple[Load, str]:
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        began = time.perf_counter()
        with subprocess.Popen(
            command,
            cwd=toolbox.REPOSITORY,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
        ) as process:
            peak = _watch(process)
        seconds = time.perf_counter() - began
        output.seek(0)
        errors.seek(0)
        if process.returncode != 0:
            name = " ".join(command[1:3])
            raise BenchError(f"{name} ended with {process.returncode}: {errors.read()[-2000:]}")
        return Load(seconds, peak), output.read()


def _watch(process: subprocess.Popen[bytes]) -> float:
    """Wait for the end and return the peak of resident memory in MiB.

    The kernel keeps the peak of a program; what wait4() tells would be that of this process as well,
    from before the program was started.
    """
    peak = 0.0
    while process.poll() is None:
        with contextlib.suppress(OSError, StopIteration, ProcessLookupError):
            status = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            peak = max(
                peak,
                next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM")),
            )
        time.sleep(0.02)
    return peak
