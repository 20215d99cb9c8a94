"""Proxies on the loopback that spoil what passes: one for HTTP answers, one for any connection."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import socketserver
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False
    proxy: Any


class _Proxy:
    """Listens on a free port while it is entered."""

    handler: type[socketserver.BaseRequestHandler]

    def __init__(self, target: tuple[str, int]) -> None:
        self.target = target
        self._server = _Server(("127.0.0.1", 0), self.handler)
        self._server.proxy = self
        self.port = int(self._server.server_address[1])

    def __enter__(self) -> Any:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()


class _HttpHandler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            while self._one():
                pass

    def _one(self) -> bool:
        """Answer one request; say whether the connection goes on."""
        proxy: HttpProxy = self.server.proxy  # type: ignore[attr-defined]
        first = self.rfile.readline()
        if not first:
            return False
        method, path, _ = first.decode().split(" ", 2)
        headers = http.client.parse_headers(self.rfile)
        body = self.rfile.read(int(headers.get("Content-Length") or 0))
        fault = proxy.fault_of(method, path)
        if fault == "silent":
            time.sleep(proxy.patience)
            return False
        if fault is not None and fault[0].isdigit():
            status, code = fault.split()
            words = "<Message>neither AccessDenied nor SlowDown</Message>"
            self._send(int(status), {}, f"<Error><Code>{code}</Code>{words}</Error>".encode())
            return True
        with contextlib.closing(http.client.HTTPConnection(*proxy.target, timeout=60)) as upstream:
            upstream.request(method, path, body or None, dict(headers.items()))
            answer = upstream.getresponse()
            data = answer.read()
            kept = {
                name: value
                for name, value in answer.getheaders()
                if name.lower() not in ("transfer-encoding", "connection", "content-length")
            }
            length = int(answer.headers.get("Content-Length") or len(data))
        if fault == "cut":
            self._send(answer.status, kept, data[: len(data) // 2], len(data))
            return False
        if fault == "short":
            self._send(answer.status, kept, data[: len(data) // 2])
            return True
        if fault == "slow":
            time.sleep(0.5)
        if fault == "trickle":
            self._send(answer.status, kept, b"", len(data))
            for byte in data:
                self.wfile.write(bytes([byte]))
                time.sleep(0.2)
            return True
        self._send(answer.status, kept, data, length if method == "HEAD" else len(data))
        return True

    def _send(
        self, status: int, headers: dict[str, str], body: bytes, length: int | None = None
    ) -> None:
        lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in headers.items())]
        lines.append(f"Content-Length: {len(body) if length is None else length}")
        self.wfile.write(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body)


class HttpProxy(_Proxy):
    """Passes requests on; spoils the next answers about a path by `faults`, one fault each.

    "503 SlowDown": an error of S3 with this status and code; cut: the connection ends within the body;
    short: half of the body, as if it were all; slow: half a second later; trickle: a byte each 200 ms;
    silent: no answer at all.
    """

    handler = _HttpHandler

    def __init__(self, target: tuple[str, int], faults: list[str], path: str) -> None:
        super().__init__(target)
        self.faults, self._path = faults, path
        self.patience = 20.0
        self.spoilt: list[str] = []
        self._lock = threading.Lock()

    def fault_of(self, method: str, path: str) -> str | None:
        if method != "GET" or self._path not in path:
            return None
        with self._lock:
            if not self.faults:
                return None
            fault = self.faults[0] if self.faults[-1] == "for ever" else self.faults.pop(0)
            self.spoilt.append(fault)
            return fault


class _WireHandler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        proxy: WireProxy = self.server.proxy  # type: ignore[attr-defined]
        with contextlib.suppress(OSError), socket.create_connection(proxy.target) as server:
            client = self.request
            ends = {client: server, server: client}
            while not proxy.ended.is_set():
                for readable in select.select(list(ends), [], [], 0.02)[0]:
                    if proxy.silent.is_set():
                        # As a firewall that forgot the connection: taken, passed to nobody.
                        time.sleep(0.02)
                        continue
                    data = readable.recv(65536)
                    if not data:
                        return
                    done = proxy.decide_on(data) if readable is client else None
                    if done == "cut":
                        return
                    ends[readable].sendall(data)
                    if callable(done):
                        done()


Decision = Literal["cut", "silent"] | Callable[[], None] | None


class WireProxy(_Proxy):
    """Passes bytes both ways; `decide` sees each piece of the client's, with its number from 1.

    It returns None, and the piece passes; "cut": both ends close before it; "silent": it passes, and
    nothing afterwards, of which nobody is told; or what is called once it has passed.
    """

    handler = _WireHandler

    def __init__(
        self,
        target: tuple[str, int],
        decide: Callable[[int, bytes], Decision] = lambda _number, _data: None,
    ) -> None:
        super().__init__(target)
        self.silent, self.ended = threading.Event(), threading.Event()
        self.pieces = 0
        self._decide = decide

    def decide_on(self, data: bytes) -> Decision:
        """Count a piece of the client's and return what becomes of it."""
        self.pieces += 1
        done = self._decide(self.pieces, data)
        if done == "silent":
            self.silent.set()
        return done

    def __exit__(self, *error: Any) -> None:
        self.ended.set()
        super().__exit__(*error)
