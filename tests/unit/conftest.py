"""A control plane for a module, a bucket of its S3 for each test, and a server of literal answers."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.unit.control_server import RunningPlane, running_plane


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlane]:
    with running_plane(tmp_path_factory.mktemp("control")) as running:
        yield running


@pytest.fixture
def s3(plane: RunningPlane) -> Any:
    return plane.client("s3", s3={"addressing_style": "path"})


@pytest.fixture
def bucket(s3: Any, request: pytest.FixtureRequest) -> str:
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:60].strip("-")
    s3.create_bucket(
        Bucket=name, CreateBucketConfiguration={"LocationConstraint": "ap-southeast-1"}
    )
    return str(name)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with what the test has put in line; keeps what was asked."""

    protocol_version = "HTTP/1.1"
    answers: list[tuple[int, bytes]]
    asked: list[tuple[str, dict[str, str]]]

    def do_GET(self) -> None:
        self.asked.append((self.path, dict(self.headers)))
        status, body = self.answers.pop(0)
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        if status == 299:  # a server that closes without saying so
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[type[Handler]]:
    """A server on the loopback whose answers the test puts in line."""
    kind = type("OneHandler", (Handler,), {"answers": [], "asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.02,))
        thread.start()
        kind.port = running.server_port  # type: ignore[attr-defined]
        yield kind
        running.shutdown()
        thread.join()
