"""An HTTP/1.1 server small enough to be fast: keep-alive, chunked bodies, Expect: 100-continue.

A handler that answers at once runs on the event loop; the rest runs in a pool of threads, so that
22,000 small S3 requests do not pay for a thread switch each and a slow one holds up nobody.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, unquote

log = logging.getLogger(__name__)

MAX_HEAD = 64 * 1024
MAX_BODY = 5 * 1024**3
_REASONS = {status.value: status.phrase for status in HTTPStatus}


@dataclass(slots=True)
class Request:
    """One request: the raw target, lower-case header names, and the body without transfer coding."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""
    inside: bool = False
    raw_headers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def raw_path(self) -> str:
        """Return the path as it was sent, percent-encoding kept."""
        return self.target.partition("?")[0]

    @property
    def path(self) -> str:
        """Return the decoded path; a plus sign stays a plus sign, as in S3."""
        return unquote(self.raw_path)

    @property
    def query_string(self) -> str:
        """Return what follows the question mark."""
        return self.target.partition("?")[2]

    @property
    def query(self) -> dict[str, str]:
        """Return the query's fields, blank ones too."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True))


@dataclass(slots=True)
class Response:
    """One response; Content-Length is added unless the headers carry one (an answer to HEAD)."""

    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    def head_bytes(self) -> bytes:
        """Return status line and headers, ready to send."""
        lines = [f"HTTP/1.1 {self.status} {_REASONS.get(self.status, 'Unknown')}"]
        has_length = False
        for name, value in self.headers:
            lower = name.lower()
            if lower in ("connection", "transfer-encoding", "keep-alive"):
                continue
            has_length = has_length or lower == "content-length"
            lines.append(f"{name}: {value}")
        if not has_length and self.status not in (204, 304):
            lines.append(f"Content-Length: {len(self.body)}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")


FastHandler = Callable[[Request], Response | None]
SlowHandler = Callable[[Request], Response]


class BadRequestError(Exception):
    """The bytes are no HTTP/1.1 request."""


class _Connection(asyncio.Protocol):
    """Reads one connection's requests in order and answers each before the next."""

    def __init__(self, server: HttpServer, inside: bool) -> None:
        self.server = server
        self.inside = inside
        self.buffer = bytearray()
        self.transport: Any = None
        self.head: Request | None = None
        self.need = 0
        self.chunked = False
        self.chunks: list[bytes] = []
        self.busy = False
        self.closing = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.closing = True

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if not self.busy:
            self._advance()

    def eof_received(self) -> bool:
        """Keep our half open while an answer is under way."""
        return self.busy

    def _advance(self) -> None:
        try:
            while not self.busy and not self.closing:
                request = self._next_request()
                if request is None:
                    return
                self._handle(request)
        except (BadRequestError, ValueError) as error:
            self._send(Response(400, [("Connection", "close")], str(error).encode()), False, True)

    def _next_request(self) -> Request | None:
        if self.head is None and not self._read_head():
            return None
        head = self.head
        if head is None:
            return None
        if self.chunked:
            if not self._read_chunks():
                return None
            head.body = b"".join(self.chunks)
            self.chunks = []
        else:
            if len(self.buffer) < self.need:
                return None
            if self.need:
                head.body = bytes(memoryview(self.buffer)[: self.need])
                del self.buffer[: self.need]
        self.head = None
        return head

    def _read_head(self) -> bool:
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self.buffer) > MAX_HEAD:
                raise BadRequestError("request head is too long")
            return False
        lines = self.buffer[:end].decode("latin-1").split("\r\n")
        del self.buffer[: end + 4]
        while lines and not lines[0]:
            lines.pop(0)
        parts = lines[0].split(" ") if lines else []
        if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
            raise BadRequestError("no HTTP/1.1 request line")
        method, target = parts[0], parts[1]
        if target.startswith(("http://", "https://")):
            target = "/" + target.split("/", 3)[3] if target.count("/") > 2 else "/"
        raw = [(n, v.strip()) for n, _, v in (line.partition(":") for line in lines[1:])]
        headers = {name.lower(): value for name, value in raw}
        if parts[2] == "HTTP/1.0":
            headers.setdefault("connection", "close")
        self.chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        self.need = 0 if self.chunked else int(headers.get("content-length") or 0)
        if self.need > MAX_BODY or self.need < 0:
            raise BadRequestError("request body is too long")
        self.head = Request(method, target, headers, b"", self.inside, raw)
        if headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return True

    def _read_chunks(self) -> bool:
        while True:
            line_end = self.buffer.find(b"\r\n")
            if line_end < 0:
                return False
            size = int(bytes(self.buffer[:line_end]).split(b";")[0], 16)
            if size == 0:
                end = self.buffer.find(b"\r\n\r\n", line_end)
                if end < 0:
                    return False
                del self.buffer[: end + 4]
                return True
            if len(self.buffer) < line_end + 4 + size:
                return False
            self.chunks.append(bytes(self.buffer[line_end + 2 : line_end + 2 + size]))
            del self.buffer[: line_end + 4 + size]

    def _handle(self, request: Request) -> None:
        close = request.headers.get("connection", "").lower() == "close"
        is_head = request.method == "HEAD"
        try:
            response = self.server.fast(request)
        except Exception:
            log.exception("fast handler failed for %s %s", request.method, request.raw_path)
            response = Response(500)
        if response is not None:
            self._send(response, is_head, close)
            return
        self.busy = True
        future = self.server.loop.run_in_executor(self.server.pool, self.server.slow, request)
        future.add_done_callback(lambda done: self._finish(done, is_head, close))

    def _finish(self, done: asyncio.Future[Response], is_head: bool, close: bool) -> None:
        self.busy = False
        try:
            response = done.result()
        except Exception:
            log.exception("request failed")
            response = Response(500)
        self._send(response, is_head, close)
        self._advance()

    def _send(self, response: Response, is_head: bool, close: bool) -> None:
        if self.closing:
            return
        head = response.head_bytes()
        if is_head or not response.body:
            self.transport.write(head)
        elif len(response.body) < 65536:
            self.transport.write(head + response.body)
        else:
            self.transport.write(head)
            self.transport.write(response.body)
        if close:
            self.closing = True
            self.transport.close()


class HttpServer:
    """Serve HTTP on loopback ports until stopped; `fast` may answer None, then `slow` must."""

    def __init__(self, fast: FastHandler, slow: SlowHandler, threads: int = 48) -> None:
        self.fast = fast
        self.slow = slow
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self.loop = asyncio.new_event_loop()
        self._servers: list[asyncio.Server] = []

    def bind(self, host: str, port: int, inside: bool = False) -> int:
        """Listen on an address (port 0: any) before `run`; return the port."""
        server = self.loop.run_until_complete(
            self.loop.create_server(lambda: _Connection(self, inside), host, port, backlog=512)
        )
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def run(self) -> None:
        """Serve until `stop` is called from any thread."""
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            for server in self._servers:
                server.close()
            self.pool.shutdown(wait=False, cancel_futures=True)

    def stop(self) -> None:
        """End `run`."""
        self.loop.call_soon_threadsafe(self.loop.stop)
