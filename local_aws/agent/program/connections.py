"""TCP connections of sessions to ports of this instance."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from . import wire

_CONNECT_TIMEOUT = 10.0


class Connection:
    """One forwarded connection and its stream."""

    def __init__(
        self,
        number: int,
        request: dict[str, Any],
        send: Callable[[bytes], None],
        over: Callable[[], None],
    ) -> None:
        self._number = number
        self._port = int(request["port"])
        self._send = send
        self._over = over
        self._credit = wire.WINDOW
        self._credit_came = asyncio.Event()
        self._to_write: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def receive(self, kind: int, payload: bytes) -> None:
        """Take a frame of this stream."""
        if kind == wire.DATA:
            self._to_write.put_nowait(payload)
        elif kind == wire.END:
            self._to_write.put_nowait(None)
        elif kind == wire.CREDIT:
            self._credit += wire.number(payload)
            self._credit_came.set()
        elif kind == wire.KILL:
            self.kill()

    def kill(self) -> None:
        """Close the connection now."""
        self._task.cancel()

    async def _run(self) -> None:
        try:
            try:
                async with asyncio.timeout(_CONNECT_TIMEOUT):
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except (OSError, TimeoutError) as error:
                reason = str(error) or "the connection timed out"
                self._send(wire.encode(wire.FAILED, self._number, reason.encode()))
                return
            self._send(wire.encode(wire.OPENED, self._number))
            try:
                await self._forward(reader, writer)
            finally:
                writer.transport.abort() if self._task.cancelling() else writer.close()
        finally:
            self._over()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Copy both ways until either side has ended: smux knows no half-closed connection."""
        up = asyncio.create_task(self._copy_up(writer))
        down = asyncio.create_task(self._copy_down(reader))
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (up, down):
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(up, down, return_exceptions=True)

    async def _copy_up(self, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while (data := await self._to_write.get()) is not None:
                writer.write(data)
                await writer.drain()
                self._send(wire.encode_number(wire.CREDIT, self._number, len(data)))

    async def _copy_down(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError):
            while True:
                while self._credit <= 0:
                    self._credit_came.clear()
                    await self._credit_came.wait()
                data = await reader.read(min(wire.CHUNK, self._credit))
                if not data:
                    break
                self._credit -= len(data)
                self._send(wire.encode(wire.DATA, self._number, data))
        self._send(wire.encode(wire.END, self._number))
