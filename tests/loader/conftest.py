"""A real warehouse and a real S3 server for the loader's tests."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import psycopg2
import pytest

from etl_lambda import settings
from etl_lambda.bucket import RawBucket
from etl_lambda.handler import answer
from etl_lambda.run import Clock, Run
from tests.toolbox import PostgresServer, free_port

REPOSITORY = Path(__file__).resolve().parents[2]
LOGIN = "etl_loader_a"
BUCKET = "clickstream-s3-ingest"


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """The address of an S3 server in a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    assert process.poll() is None, "the S3 server ended at its start"
                    assert time.monotonic() < deadline, "the S3 server does not answer"
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    with PostgresServer(warehouse=True) as running:
        yield running


@dataclass
class World:
    """A bucket and a warehouse, both empty at the start, and the loader's environment."""

    env: dict[str, str]
    s3: Any
    server: PostgresServer
    database: str

    def put(self, key: str, *records: Any, body: bytes | None = None) -> None:
        """Write an object: NDJSON of `records`, or `body` as it is."""
        text = "\n".join(json.dumps(record) for record in records).encode()
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=text if body is None else body)

    def load(self, payload: Mapping[str, Any] | None = None, **env: str) -> dict[str, Any]:
        """Run the loader in this process, as the function does, and return its reply."""
        os.environ.update(env)
        try:
            return answer(payload, Clock())
        finally:
            for name in env:
                if name in self.env:
                    os.environ[name] = self.env[name]
                else:
                    del os.environ[name]

    def runner(self, clock: Clock | None = None, **limits: int) -> Run:
        """Return a run with other limits or another clock."""
        config = settings.from_environment(
            {**os.environ, **{f"ETL_{name.upper()}": str(value) for name, value in limits.items()}}
        )
        return Run(config, RawBucket(config), clock or Clock())

    def command(self, *arguments: str, **env: str) -> subprocess.Popen[str]:
        """Start the command in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "etl_lambda", *arguments],
            cwd=REPOSITORY,
            env={**os.environ, **env},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def crash_and_recover(self) -> None:
        """End the database server as a crash would, start it and wait until it answers."""
        self.server.stop(signal.SIGQUIT)
        self.server.start()
        deadline = time.monotonic() + 60
        while True:
            try:
                self.connect().close()
                return
            except psycopg2.OperationalError:
                assert time.monotonic() < deadline, "the server does not come back"
                time.sleep(0.1)

    def connect(self, user: str = "postgres") -> Any:
        connection = psycopg2.connect(self.server.dsn(user, self.database))
        connection.autocommit = True
        return connection

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the warehouse as its superuser."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                rows: list[tuple[Any, ...]] = cursor.fetchall()
                return rows
        finally:
            connection.close()

    def names(self) -> list[str]:
        """Return the names of the stored events."""
        rows = self.query("SELECT event_name FROM public.clickstream_events ORDER BY 1")
        return [name for (name,) in rows]


@pytest.fixture
def world(
    s3_url: str, server: PostgresServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[World]:
    """An empty bucket and a warehouse made from the deployed one as a template."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "DWH_", "ETL_", "SSL_CERT")):
            monkeypatch.delenv(name)
    database = f"world_{tmp_path.name}".replace("-", "_").lower()[:60]
    server.psql(
        f"CREATE DATABASE {database} TEMPLATE clickstream_dw OWNER dwh_owner", database="postgres"
    )
    env = {
        "AWS_ENDPOINT_URL": s3_url,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "ap-southeast-1",
        "AWS_DEFAULT_REGION": "ap-southeast-1",
        "RAW_BUCKET": BUCKET,
        "DWH_HOST": server.host,
        "DWH_PORT": str(server.port),
        "DWH_USER": LOGIN,
        "DWH_PASSWORD": "not-asked-for",
        "DWH_DATABASE": database,
        "DWH_SSLMODE": "disable",
    }
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    s3 = boto3.client("s3")
    region: Any = {"LocationConstraint": "ap-southeast-1"}
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration=region)
    try:
        yield World(env, s3, server, database)
    finally:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        for key in [item["Key"] for page in pages for item in page.get("Contents", [])]:
            s3.delete_object(Bucket=BUCKET, Key=key)
        s3.delete_bucket(Bucket=BUCKET)
        server.psql(f"DROP DATABASE {database} WITH (FORCE)", database="postgres")
