"""The plugin's substitute as a process, forwarding a port."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.unit.session_manager_rig import INSTANCE, Plugin, RawClient, Rig, running, wait_until

FORWARD = "AWS-StartPortForwardingSession"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(tmp_path_factory.mktemp("home"), resume_window=1.0) as started:
        yield started


class EchoServer:
    """Send back what comes; count the connections that are open."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def open(self) -> int:
        return len(self._open)

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(accepted)
            threading.Thread(target=self._echo, args=(accepted,), daemon=True).start()

    def _echo(self, accepted: socket.socket) -> None:
        with accepted:
            try:
                while data := accepted.recv(1 << 16):
                    accepted.sendall(data)
            except OSError:
                pass
            finally:
                self._open.discard(accepted)

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[EchoServer]:
    server = EchoServer()
    yield server
    server.close()


@pytest.fixture
def forwarded(rig: Rig, echo: EchoServer) -> Iterator[tuple[Plugin, int]]:
    """Give a forwarding plugin and its local port."""
    plugin, port = _forward(rig, echo.port)
    yield plugin, port
    plugin.kill()


def _forward(rig: Rig, port: int, **parameters: str) -> tuple[Plugin, int]:
    session = rig.start(FORWARD, portNumber=str(port), **parameters)
    plugin = Plugin(rig, session, FORWARD)
    opened = plugin.until(b"Waiting for connections...\n").decode()
    found = re.search(r"^Port (\d+) opened for sessionId (\S+)\.$", opened, re.MULTILINE)
    assert found is not None
    assert found[2] == session["SessionId"]
    return plugin, int(found[1])


def _both_ways(port: int, data: bytes) -> str:
    """Send data and take as much back at the same time; give its digest."""
    digest = hashlib.sha256()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(20)
        sending = threading.Thread(target=connection.sendall, args=(data,))
        sending.start()
        count = 0
        while count < len(data):
            piece = connection.recv(1 << 16)
            assert piece, f"ended after {count} bytes"
            digest.update(piece)
            count += len(piece)
        sending.join()
    return digest.hexdigest()


def test_ten_megabytes_go_both_ways_unchanged(forwarded: tuple[Plugin, int]) -> None:
    data = os.urandom(10 << 20)
    assert _both_ways(forwarded[1], data) == hashlib.sha256(data).hexdigest()


def test_concurrent_connections_do_not_mix(forwarded: tuple[Plugin, int]) -> None:
    pieces = [bytes([number]) * (200_000 + number) for number in range(16)]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda data: _both_ways(forwarded[1], data), pieces))
    assert answers == [hashlib.sha256(data).hexdigest() for data in pieces]


def test_connection_is_announced(forwarded: tuple[Plugin, int]) -> None:
    plugin, port = forwarded
    with socket.create_connection(("127.0.0.1", port)):
        plugin.until(b"\nConnection accepted for session [")


def test_closing_locally_closes_at_the_instance(
    echo: EchoServer, forwarded: tuple[Plugin, int]
) -> None:
    with socket.create_connection(("127.0.0.1", forwarded[1])) as connection:
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
        assert echo.open == 1
    wait_until(lambda: echo.open == 0)


def test_reply_before_the_servers_end_arrives_whole(rig: Rig) -> None:
    reply = os.urandom(3 << 20)
    with socket.create_server(("127.0.0.1", 0)) as server:
        plugin, port = _forward(rig, server.getsockname()[1])
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.settimeout(10)
            accepted, _ = server.accept()
            sending = threading.Thread(target=_send_and_close, args=(accepted, reply))
            sending.start()
            got = bytearray()
            while piece := connection.recv(1 << 16):
                got += piece
            sending.join()
    plugin.kill()
    assert hashlib.sha256(got).hexdigest() == hashlib.sha256(reply).hexdigest()


def _send_and_close(accepted: socket.socket, data: bytes) -> None:
    with accepted:
        accepted.sendall(data)


def test_slow_reader_does_not_hold_up_another_connection(
    forwarded: tuple[Plugin, int],
) -> None:
    with socket.create_connection(("127.0.0.1", forwarded[1])) as slow:
        slow.setblocking(False)
        sent = 0
        try:
            while sent < 4 << 20:
                sent += slow.send(bytes(1 << 16))
        except BlockingIOError:
            pass
        data = os.urandom(100_000)
        assert _both_ways(forwarded[1], data) == hashlib.sha256(data).hexdigest()


def test_closed_port_at_the_instance_closes_the_local_connection(rig: Rig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        target = unused.getsockname()[1]
    plugin, port = _forward(rig, target)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.settimeout(10)
        assert connection.recv(1) == b""
    plugin.until(b"Connection to destination port failed, check SSM Agent logs.\n")
    plugin.kill()


def test_local_port_is_the_one_asked_for(rig: Rig, echo: EchoServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        wanted = probe.getsockname()[1]
    plugin, port = _forward(rig, echo.port, localPortNumber=str(wanted))
    assert port == wanted
    plugin.kill()


def test_taken_local_port_is_one_clear_line_and_ends_the_session(
    rig: Rig, echo: EchoServer
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        session = rig.start(FORWARD, portNumber=str(echo.port), localPortNumber=str(number))
        plugin = Plugin(rig, session, FORWARD)
        assert plugin.process.wait(10) == 1
    assert plugin.process.stderr is not None
    assert plugin.process.stderr.read() == (
        f"session-manager-plugin: cannot listen on {number}: Address already in use\n".encode()
    )
    wait_until(lambda: session["SessionId"] not in rig.active())
    plugin.kill()


def test_ending_the_plugin_ends_session_and_sockets(rig: Rig, echo: EchoServer) -> None:
    plugin, port = _forward(rig, echo.port)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
        plugin.process.terminate()
        assert plugin.process.wait(5) == 0
        wait_until(lambda: echo.open == 0, patience=0.9)
    wait_until(lambda: plugin.session_id not in rig.active(), patience=0.9)
    plugin.kill()


def test_killed_plugin_ends_session_and_sockets_in_time(rig: Rig, echo: EchoServer) -> None:
    plugin, port = _forward(rig, echo.port)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
        plugin.kill()
        wait_until(lambda: echo.open == 0)
    wait_until(lambda: plugin.session_id not in rig.active())


def test_pipe_session_carries_standard_input_and_output(rig: Rig, echo: EchoServer) -> None:
    session = rig.start("AWS-StartSSHSession", portNumber=str(echo.port))
    plugin = Plugin(rig, session, "AWS-StartSSHSession")
    plugin.type("SSH-2.0-test\r\n")
    plugin.until(b"SSH-2.0-test\r\n")
    assert plugin.close() == 0


class _Documents(BaseHTTPRequestHandler):
    """A control plane that has one document."""

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        request = json.loads(self.rfile.read(length))
        document = {
            "schemaVersion": "1.0",
            "sessionType": "Port",
            "parameters": {"localPortNumber": {"type": "String", "default": "0"}},
            "properties": {
                "portNumber": "3838",
                "type": "LocalPortForwarding",
                "localPortNumber": "{{ localPortNumber }}",
            },
        }
        found = request == {"Name": "Dashboard"}
        answer = {"Name": "Dashboard", "Content": json.dumps(document)}
        missing = {"__type": "InvalidDocument", "Message": "no such document"}
        body = json.dumps(answer if found else missing).encode()
        self.send_response(200 if found else 400)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def control_plane(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Documents)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-southeast-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    yield
    server.shutdown()
    server.server_close()


@pytest.mark.usefixtures("control_plane")
def test_custom_document_decides_the_port(rig: Rig) -> None:
    client = RawClient(rig.start("Dashboard", localPortNumber="13838"))
    parameters = client.handshake()["RequestedClientActions"][0]["ActionParameters"]
    assert parameters == {
        "SessionType": "Port",
        "Properties": {
            "portNumber": "3838",
            "type": "LocalPortForwarding",
            "localPortNumber": "13838",
        },
    }


@pytest.mark.usefixtures("control_plane")
def test_parameter_that_the_document_lacks_is_refused(rig: Rig) -> None:
    request = {
        "Target": INSTANCE,
        "DocumentName": "Dashboard",
        "Parameters": {"portNumber": ["22"]},
    }
    status, answer = rig.call("StartSession", request)
    assert (status, answer["__type"]) == (400, "InvalidParameters")
    assert answer["message"] == "Document Dashboard has no parameter portNumber"


@pytest.mark.usefixtures("control_plane")
def test_unknown_document_is_refused(rig: Rig) -> None:
    status, answer = rig.call("StartSession", {"Target": INSTANCE, "DocumentName": "Nothing"})
    assert (status, answer) == (
        400,
        {
            "__type": "InvalidDocument",
            "message": "no such document",
            "Message": "no such document",
        },
    )


def test_port_that_is_none_is_refused(rig: Rig) -> None:
    request = {
        "Target": INSTANCE,
        "DocumentName": FORWARD,
        "Parameters": {"portNumber": ["65536"]},
    }
    status, answer = rig.call("StartSession", request)
    assert (status, answer["__type"]) == (400, "InvalidParameters")
