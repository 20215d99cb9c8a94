"""One listener for all that Session Manager serves: the API, clients' websockets, agents."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

from local_aws.agent.program import wire
from local_aws.session_manager.agents import Agents
from local_aws.session_manager.api import Api
from local_aws.session_manager.sessions import Sessions
from local_aws.session_manager.websocket import ServerWebSocket

_LOG = logging.getLogger(__name__)
CHANNEL_PATH = "/v1/data-channel/"
_MAX_BODY = 1 << 20
_FIRST_FRAME = 10.0
_Headers = dict[str, str]


class Service:
    """Session Manager on one port of the loopback interface."""

    def __init__(self, resume_window: float = 10.0) -> None:
        self.agents = Agents()
        self.sessions = Sessions(resume_window)
        self._server: asyncio.Server | None = None
        self._api: Api | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def start(self, port: int) -> int:
        """Listen; give the port, which is a free one for 0."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port, limit=1 << 20)
        bound = int(self._server.sockets[0].getsockname()[1])
        url = f"ws://127.0.0.1:{bound}{CHANNEL_PATH.rstrip('/')}"
        self._api = Api(self.agents, self.sessions, url)
        return bound

    async def stop(self) -> None:
        """End all sessions and close everything."""
        for session in list(self.sessions.active.values()):
            session.terminate()
        await asyncio.sleep(0.05)  # for the last frames: kill, channel_closed
        if self._server is not None:
            self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)
        try:
            while await self._request(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; say whether the connection goes on."""
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, _ = first.split(" ", 2)
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines if line)
        }
        upgrade = headers.get("upgrade", "").lower()
        if upgrade == wire.UPGRADE and path == wire.PATH:
            writer.write(
                b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                + f"Upgrade: {wire.UPGRADE}\r\n\r\n".encode()
            )
            await self.agents.serve(reader, writer)
            return False
        if upgrade == "websocket" and path.startswith(CHANNEL_PATH):
            session_id = path.removeprefix(CHANNEL_PATH).partition("?")[0]
            await self._data_channel(session_id, head, reader, writer)
            return False
        body = await self._body(headers, reader, writer)
        status, answer = await self._answer(method, path, headers, body)
        keep = headers.get("connection", "").lower() != "close"
        _respond(writer, status, answer, keep)
        await writer.drain()
        return keep

    async def _body(
        self, headers: _Headers, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        length = int(headers.get("content-length", "0"))
        if length > _MAX_BODY:
            raise ValueError(f"{length} bytes")
        if headers.get("expect", "").lower() == "100-continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return await reader.readexactly(length)

    async def _answer(
        self, method: str, path: str, headers: _Headers, body: bytes
    ) -> tuple[int, dict[str, Any]]:
        if method == "GET" and path == "/":
            return 200, {"sessions": len(self.sessions.active)}
        if method != "POST" or self._api is None or "x-amz-target" not in headers:
            return 404, {"__type": "UnknownOperationException", "message": f"{method} {path}"}
        try:
            request = json.loads(body or b"{}")
        except ValueError as error:
            return 400, {"__type": "SerializationException", "message": str(error)}
        caller = headers.get("x-miniature-caller", "local")
        return await self._api.call(headers["x-amz-target"], request, caller)

    async def _data_channel(
        self,
        session_id: str,
        head: bytes,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        socket = ServerWebSocket(reader, writer)
        if not socket.accept(head):
            return
        session = self.sessions.active.get(session_id)
        try:
            async with asyncio.timeout(_FIRST_FRAME):
                opening = await socket.receive()
        except TimeoutError:
            opening = None
        if session is None or not _has_token(opening, session.token):
            _LOG.warning("%s: data channel refused", session_id)
            socket.abort()
            return
        await session.serve_socket(socket)


def _has_token(opening: bytes | str | None, token: str) -> bool:
    try:
        return bool(opening) and json.loads(opening or "")["TokenValue"] == token
    except (ValueError, KeyError, TypeError):
        return False


def _respond(writer: asyncio.StreamWriter, status: int, answer: dict[str, Any], keep: bool) -> None:
    body = json.dumps(answer).encode()
    reason = {200: "OK", 400: "Bad Request", 404: "Not Found"}.get(status, "Error")
    writer.write(
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/x-amz-json-1.1\r\n"
        f"Content-Length: {len(body)}\r\nConnection: {'keep-alive' if keep else 'close'}\r\n"
        f"\r\n".encode()
        + body
    )
