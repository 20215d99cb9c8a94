"""A client's websocket on the service's side: the `websockets` library's protocol on asyncio."""

from __future__ import annotations

import asyncio
import socket
from collections import deque

from websockets.exceptions import InvalidHandshake
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

_MAX_MESSAGE = 16 << 20


class ServerWebSocket:
    """One accepted websocket: receive messages (bytes or str), send binary ones."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = ServerProtocol(extensions=None, max_size=_MAX_MESSAGE)
        self._messages: deque[bytes | str] = deque()
        self._parts: list[bytes] = []
        self._text = False

    @property
    def idle(self) -> bool:
        """Say whether everything sent so far has left this process."""
        return self._writer.transport.get_write_buffer_size() == 0

    @property
    def closed_by_peer(self) -> bool:
        """Say whether the client closed with a close frame, rather than vanished."""
        return self._protocol.close_rcvd is not None

    def accept(self, head: bytes) -> bool:
        """Answer the upgrade request whose head this is; say whether it was one."""
        raw = self._writer.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._protocol.receive_data(head)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._protocol.send_response(self._protocol.accept(event))
        self._flush()
        failed = isinstance(self._protocol.handshake_exc, InvalidHandshake)
        return not failed and self._protocol.state is State.OPEN

    def send(self, data: bytes) -> None:
        """Send one binary message."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_binary(data)
            self._flush()

    def abort(self) -> None:
        """Drop the connection."""
        self._writer.transport.abort()

    async def close_after(self, seconds: float) -> None:
        """Let the client close first; close after so long."""
        for _ in range(int(seconds / 0.05)):
            if self._reader.at_eof() or self._writer.transport.is_closing():
                return
            await asyncio.sleep(0.05)
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(1000)
            self._flush()
            self._writer.close()

    async def receive(self) -> bytes | str | None:
        """Wait for the client's next message; None once it has closed or is lost."""
        while not self._messages:
            if self._protocol.state is not State.OPEN:
                return None
            try:
                data = await self._reader.read(256 * 1024)
            except OSError:
                data = b""
            if data:
                self._protocol.receive_data(data)
            else:
                self._protocol.receive_eof()
            for event in self._protocol.events_received():
                if isinstance(event, Frame):
                    self._assemble(event)
            self._flush()
        return self._messages.popleft()

    def _assemble(self, frame: Frame) -> None:
        if frame.opcode not in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            return
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
        self._parts.append(bytes(frame.data))
        if frame.fin:
            whole = b"".join(self._parts)
            self._parts.clear()
            self._messages.append(whole.decode("utf-8", "replace") if self._text else whole)

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                if not self._writer.transport.is_closing():
                    self._writer.write(data)
            else:
                self._writer.close()
