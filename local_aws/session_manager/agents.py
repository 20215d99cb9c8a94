"""The agents that dialled in, and the streams opened on them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from local_aws.agent.program import wire

_LOG = logging.getLogger(__name__)
_PING_PERIOD = 5.0
_SILENCE = 15.0
_MAX_BUFFERED = 4 << 20


class NotConnectedError(Exception):
    """The instance has no agent, or it does not answer."""


class RefusedError(Exception):
    """The agent could not open what was asked for."""


@dataclass(frozen=True)
class Event:
    """Something a stream said: data, its end (`code` is None for a connection)."""

    data: bytes = b""
    error_output: bool = False
    over: bool = False
    code: int | None = None


class AgentStream:
    """One shell, command or connection on an instance."""

    def __init__(self, link: AgentLink, number: int) -> None:
        self._link = link
        self._number = number
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._credit = wire.WINDOW
        self._buffer = bytearray()
        self._drained = asyncio.Event()
        self._drained.set()
        self._ending = False
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.opened.add_done_callback(lambda future: future.cancelled() or future.exception())

    async def read(self) -> Event:
        """Wait for the next event; give credit for its data with `passed_on`."""
        return await self._events.get()

    def passed_on(self, count: int) -> None:
        """Let the agent send so many bytes more."""
        self._link.send(wire.encode_number(wire.CREDIT, self._number, count))

    async def write(self, data: bytes) -> None:
        """Send data as credit allows; wait while too much is held back."""
        self._buffer += data
        self._flush()
        if len(self._buffer) > _MAX_BUFFERED:
            self._drained.clear()
            await self._drained.wait()

    def resize(self, columns: int, rows: int) -> None:
        """Tell a terminal its size."""
        self._link.send(wire.encode_size(self._number, columns, rows))

    def end(self) -> None:
        """Close a connection once everything written has reached it."""
        self._ending = True
        self._flush()

    def kill(self) -> None:
        """End it now."""
        if self._link.forget(self._number):
            self._link.send(wire.encode(wire.KILL, self._number))
        self._drained.set()

    def _flush(self) -> None:
        while self._buffer and self._credit > 0:
            piece = bytes(self._buffer[: min(self._credit, wire.CHUNK)])
            del self._buffer[: len(piece)]
            self._credit -= len(piece)
            self._link.send(wire.encode(wire.DATA, self._number, piece))
        if len(self._buffer) <= _MAX_BUFFERED // 2:
            self._drained.set()
        if self._ending and not self._buffer and self._link.forget(self._number):
            self._link.send(wire.encode(wire.END, self._number))

    def receive(self, kind: int, payload: bytes) -> None:
        """Take a frame of this stream from the agent."""
        if kind == wire.DATA:
            self._events.put_nowait(Event(payload))
        elif kind == wire.ERROR_DATA:
            self._events.put_nowait(Event(payload, error_output=True))
        elif kind == wire.CREDIT:
            self._credit += wire.number(payload)
            self._flush()
        elif kind == wire.OPENED and not self.opened.done():
            self.opened.set_result(None)
        elif kind == wire.FAILED:
            self.fail(RefusedError(payload.decode("utf-8", "replace")))
        elif kind == wire.EXIT:
            self._over(wire.number(payload))
        elif kind == wire.END:
            self._over(None)

    def fail(self, error: Exception) -> None:
        """End the stream because the agent refused or was lost."""
        if not self.opened.done():
            self.opened.set_exception(error)
        self._over(None)

    def _over(self, code: int | None) -> None:
        self._link.forget(self._number)
        self._drained.set()
        self._events.put_nowait(Event(over=True, code=code))


class Losable(Protocol):
    """What depends on an agent and must end with it."""

    def lose(self) -> None:
        """End it because the agent is gone."""


@dataclass
class AgentLink:
    """The connection of one instance's agent."""

    about: dict[str, Any]
    address: str
    writer: asyncio.StreamWriter
    sessions: set[Losable] = field(default_factory=set)
    heard_at: float = field(default_factory=time.time)
    _streams: dict[int, AgentStream] = field(default_factory=dict)
    _last_number: int = 0

    @property
    def instance_id(self) -> str:
        """Say whose agent this is."""
        return str(self.about["instance_id"])

    def start(self, request: dict[str, Any]) -> AgentStream:
        """Ask the agent to open something; the stream's `opened` tells the outcome."""
        self._last_number += 1
        stream = AgentStream(self, self._last_number)
        self._streams[self._last_number] = stream
        self.send(wire.encode_json(wire.OPEN, self._last_number, request))
        return stream

    def send(self, frame: bytes) -> None:
        """Send one frame to the agent."""
        if not self.writer.transport.is_closing():
            self.writer.write(frame)

    def forget(self, number: int) -> bool:
        """Drop a stream; say whether it was known."""
        return self._streams.pop(number, None) is not None

    def receive(self, kind: int, number: int, payload: bytes) -> None:
        """Pass a frame to its stream; frames of streams already over are dropped."""
        self.heard_at = time.time()
        stream = self._streams.get(number)
        if stream is not None:
            stream.receive(kind, payload)

    def lose(self) -> None:
        """End every stream: the agent is gone."""
        for stream in list(self._streams.values()):
            stream.fail(NotConnectedError(self.instance_id))
        for session in list(self.sessions):
            session.lose()
        self.writer.transport.abort()


class Agents:
    """Every instance that has dialled in since the service started."""

    def __init__(self) -> None:
        self._links: dict[str, AgentLink] = {}
        self.known: dict[str, AgentLink] = {}

    def get(self, instance_id: str) -> AgentLink:
        """Find an instance's agent; raise NotConnectedError if there is none."""
        try:
            return self._links[instance_id]
        except KeyError:
            raise NotConnectedError(instance_id) from None

    def connected(self, instance_id: str) -> bool:
        """Say whether the instance's agent is there."""
        return instance_id in self._links

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one agent's connection, from its first frame to its end."""
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        decoder = wire.Decoder()
        link: AgentLink | None = None
        pinging: asyncio.Task[None] | None = None
        try:
            while True:
                async with asyncio.timeout(_SILENCE):
                    data = await reader.read(256 * 1024)
                if not data:
                    break
                for kind, number, payload in decoder.feed(data):
                    if link is not None:
                        link.receive(kind, number, payload)
                    elif kind == wire.HELLO:
                        link = self._register(json.loads(payload), writer)
                        pinging = asyncio.create_task(_ping(link))
        except (OSError, TimeoutError, wire.WireError, ValueError, KeyError) as error:
            _LOG.warning("agent connection: %s", error or "silent")
        finally:
            if pinging is not None:
                pinging.cancel()
            if link is not None:
                self._unregister(link)
            writer.transport.abort()

    def _register(self, about: dict[str, Any], writer: asyncio.StreamWriter) -> AgentLink:
        peer = writer.get_extra_info("peername")
        link = AgentLink(about, str(peer[0]) if peer else "", writer)
        former = self._links.get(link.instance_id)
        self._links[link.instance_id] = self.known[link.instance_id] = link
        if former is not None:
            former.lose()
        link.send(wire.encode(wire.HELLO, 0, b"{}"))
        _LOG.info("%s: agent registered", link.instance_id)
        return link

    def _unregister(self, link: AgentLink) -> None:
        if self._links.get(link.instance_id) is link:
            del self._links[link.instance_id]
            _LOG.info("%s: agent lost", link.instance_id)
        link.lose()


async def _ping(link: AgentLink) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        while True:
            await asyncio.sleep(_PING_PERIOD)
            link.send(wire.encode(wire.PING))
