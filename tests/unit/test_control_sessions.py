"""Calls of Session Manager reach the process that knows sessions; other SSM calls do not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.unit.control_server import running_plane

seen: list[tuple[str, bytes]] = []


class Sessions(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        seen.append((self.headers["X-Amz-Target"], body))
        answer = b'{"SessionId":"s-1","TokenValue":"t","StreamUrl":"ws://127.0.0.1:1/v1/x"}'
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def ssm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    server = HTTPServer(("127.0.0.1", 0), Sessions)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}"
    with running_plane(tmp_path_factory.mktemp("sessions"), url) as plane:
        yield plane.client("ssm")
    server.shutdown()


def test_start_session_is_passed_on(ssm: Any) -> None:
    seen.clear()
    answer = ssm.start_session(Target="i-1")
    assert answer["SessionId"] == "s-1"
    assert seen == [("AmazonSSM.StartSession", b'{"Target": "i-1"}')]


def test_parameters_stay_with_the_control_plane(ssm: Any) -> None:
    seen.clear()
    ssm.put_parameter(Name="mine", Type="String", Value="v")
    assert ssm.get_parameter(Name="mine")["Parameter"]["Value"] == "v"
    assert seen == []


def test_public_parameter_names_the_debian_image(ssm: Any) -> None:
    found = ssm.get_parameter(Name="/aws/service/debian/release/13/latest/amd64")
    assert found["Parameter"]["Value"].startswith("ami-")


def test_silent_sessions_process_is_an_error_of_the_service(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with (
        running_plane(tmp_path_factory.mktemp("silent"), "http://127.0.0.1:9") as plane,
        pytest.raises(ClientError, match="ServiceUnavailable"),
    ):
        plane.client("ssm").start_session(Target="i-1")
