"""The agent's one connection to Session Manager: dial, register, serve, and dial again for ever."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import ssl
from dataclasses import dataclass
from typing import Any

from . import identity, wire
from .connections import Connection
from .processes import Process

_LOG = logging.getLogger("amazon-ssm-agent")
_DIAL_TIMEOUT = 10.0
_SILENCE = 20.0  # the service pings more often than that
_RETRY_FIRST = 0.2
_RETRY_MAX = 5.0


@dataclass(frozen=True)
class Endpoint:
    """Where Session Manager is reached; without TLS only in tests."""

    host: str
    port: int
    tls: bool = True


class Link:
    """One registered connection and the streams on it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._streams: dict[int, Process | Connection] = {}

    async def serve(self, about: dict[str, Any]) -> None:
        """Register, then do as the service says until the connection is lost."""
        decoder = wire.Decoder()
        self._writer.write(wire.encode_json(wire.HELLO, 0, about))
        try:
            while True:
                async with asyncio.timeout(_SILENCE):
                    data = await self._reader.read(256 * 1024)
                if not data:
                    return
                for kind, number, payload in decoder.feed(data):
                    self._handle(kind, number, payload)
                await self._writer.drain()
        finally:
            for stream in list(self._streams.values()):
                stream.kill()
            self._writer.transport.abort()

    def _handle(self, kind: int, number: int, payload: bytes) -> None:
        if kind == wire.PING:
            self._send(wire.encode(wire.PONG))
        elif kind == wire.HELLO:
            _LOG.info("registered")
        elif kind == wire.OPEN:
            self._open(number, json.loads(payload))
        elif number in self._streams:
            self._streams[number].receive(kind, payload)

    def _open(self, number: int, request: dict[str, Any]) -> None:
        def over() -> None:
            self._streams.pop(number, None)

        try:
            if request["kind"] == "port":
                self._streams[number] = Connection(number, request, self._send, over)
            else:
                self._streams[number] = Process(number, request, self._send, over)
        except (OSError, ValueError, KeyError) as error:
            self._send(wire.encode(wire.FAILED, number, str(error).encode()))

    def _send(self, frame: bytes) -> None:
        if not self._writer.transport.is_closing():
            self._writer.write(frame)


async def _dial(endpoint: Endpoint) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    context = ssl.create_default_context() if endpoint.tls else None
    async with asyncio.timeout(_DIAL_TIMEOUT):
        reader, writer = await asyncio.open_connection(
            endpoint.host, endpoint.port, ssl=context, limit=1 << 20
        )
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        writer.write(
            f"GET {wire.PATH} HTTP/1.1\r\nHost: {endpoint.host}\r\n"
            f"Connection: Upgrade\r\nUpgrade: {wire.UPGRADE}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101 "):
        writer.transport.abort()
        raise OSError(f"answered {head.splitlines()[0].decode('latin-1')!r}")
    return reader, writer


async def run(endpoint: Endpoint, instance_id: str) -> None:
    """Stay registered for ever."""
    pause = _RETRY_FIRST
    while True:
        try:
            reader, writer = await _dial(endpoint)
            pause = _RETRY_FIRST
            address = str(writer.get_extra_info("sockname")[0])
            await Link(reader, writer).serve(identity.describe(instance_id, address))
            _LOG.warning("the connection to %s was closed", endpoint.host)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, wire.WireError) as error:
            _LOG.warning("%s:%d: %s", endpoint.host, endpoint.port, error or "timed out")
        await asyncio.sleep(pause)
        pause = min(pause * 2, _RETRY_MAX)
