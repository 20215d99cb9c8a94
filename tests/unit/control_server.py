"""A control plane of its own for unit tests, in this process, on a free loopback port."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from local_aws.control.app import ControlPlane
from local_aws.control.server import HttpServer
from local_aws.control.settings import Settings
from tests.toolbox import free_port


class RunningPlane:
    """A control plane that answers; `client(service)` gives a boto3 client of it."""

    def __init__(self, plane: ControlPlane, port: int, inside_port: int) -> None:
        self.plane = plane
        self.port = port
        self.inside_port = inside_port

    def client(self, service: str, **config: Any) -> Any:
        return boto3.client(  # type: ignore[call-overload]
            service,
            endpoint_url=f"http://127.0.0.1:{self.port}",
            region_name="ap-southeast-1",
            aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
            aws_secret_access_key="secret",
            config=Config(retries={"total_max_attempts": 1}, proxies={}, **config),
        )


@contextmanager
def running_plane(state: Path, sessions_url: str = "") -> Iterator[RunningPlane]:
    port, inside = free_port(), free_port()
    plane = ControlPlane(Settings(state, port, inside, sessions_url))
    server = HttpServer(plane.fast, plane.slow, threads=8)
    server.bind("127.0.0.1", port)
    server.bind("127.0.0.1", inside, inside=True)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield RunningPlane(plane, port, inside)
    finally:
        plane.close()
        server.stop()
        thread.join(5)
