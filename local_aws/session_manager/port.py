"""Port sessions: TCP connections to an instance's own ports, many by smux, or one in basic mode."""

from __future__ import annotations

import asyncio
import contextlib

from local_aws.session_manager import frames, smux
from local_aws.session_manager.agents import (
    AgentLink,
    AgentStream,
    NotConnectedError,
    RefusedError,
)
from local_aws.session_manager.channel import MAX_PAYLOAD, DataChannel
from local_aws.session_manager.documents import SessionPlan

CONNECT_TIMEOUT = 15.0
_FIRST_CLIENT_WITH_SMUX = (1, 1, 70)
_SMUX_DATA = MAX_PAYLOAD - 8
_LOST = "The instance's agent was lost."


async def serve(channel: DataChannel, link: AgentLink, plan: SessionPlan) -> str:
    """Forward until the client ends the session; say why it ended."""
    port = int(plan.properties["portNumber"])
    forwarding = plan.properties.get("type") == "LocalPortForwarding"
    if forwarding and _version(channel.client_version) > _FIRST_CLIENT_WITH_SMUX:
        return await _Mux(channel, link, port).serve()
    return await _Basic(channel, link, port, pipe=not forwarding).serve()


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(".") if part.isdigit())


class _Mux:
    """Many connections. Nothing is sent before the client's first SYN: its reader is not ready."""

    def __init__(self, channel: DataChannel, link: AgentLink, port: int) -> None:
        self._channel = channel
        self._link = link
        self._port = port
        self._streams: dict[int, AgentStream] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> str:
        decoder = smux.Decoder()
        try:
            while True:
                frame = await self._channel.read()
                if frames.is_termination(frame):
                    return ""
                if frame.payload_type == frames.DATA:
                    for command, number, payload in decoder.feed(frame.payload):
                        await self._handle(command, number, payload)
        except smux.SmuxError as error:
            return f"The client does not speak smux 1: {error}"
        finally:
            for stream in self._streams.values():
                stream.kill()
            for task in self._tasks:
                task.cancel()

    async def _handle(self, command: int, number: int, payload: bytes) -> None:
        if command == smux.SYN and number not in self._streams:
            self._streams[number] = self._link.start({"kind": "port", "port": self._port})
            task = asyncio.create_task(self._give_output(number, self._streams[number]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif command == smux.PUSH and number in self._streams:
            await self._streams[number].write(payload)
        elif command == smux.FIN and number in self._streams:
            self._streams.pop(number).end()
        elif command == smux.NOP:
            await self._send(smux.NOP, 0)

    async def _give_output(self, number: int, stream: AgentStream) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await stream.opened
        except (RefusedError, NotConnectedError, TimeoutError):
            stream.kill()
            flag = frames.flag_payload(frames.CONNECT_TO_PORT_ERROR)
            await self._channel.send(frames.FLAG, flag)
        else:
            while not (event := await stream.read()).over:
                for start in range(0, len(event.data), _SMUX_DATA):
                    if self._streams.get(number) is not stream:
                        stream.kill()
                        return
                    await self._send(smux.PUSH, number, event.data[start : start + _SMUX_DATA])
                stream.passed_on(len(event.data))
        if self._streams.get(number) is stream:
            del self._streams[number]
            await self._send(smux.FIN, number)

    async def _send(self, command: int, number: int, payload: bytes = b"") -> None:
        await self._channel.send(frames.DATA, smux.encode(command, number, payload))


class _Basic:
    """One connection after another; `pipe` says that the client is a pipe, not a local port."""

    def __init__(self, channel: DataChannel, link: AgentLink, port: int, pipe: bool) -> None:
        self._channel = channel
        self._link = link
        self._port = port
        self._pipe = pipe
        self._stream: AgentStream | None = None
        self._output: asyncio.Task[None] | None = None
        self._over = asyncio.Event()

    async def serve(self) -> str:
        taking = asyncio.create_task(self._take_input())
        over = asyncio.create_task(self._over.wait())
        try:
            await self._connect()
            await asyncio.wait((taking, over), return_when=asyncio.FIRST_COMPLETED)
            return taking.result() if taking.done() else ""
        finally:
            self._disconnect()
            for task in (taking, over):
                task.cancel()

    async def _take_input(self) -> str:
        while True:
            frame = await self._channel.read()
            if frames.is_termination(frame):
                return ""
            if frame.payload_type == frames.FLAG:
                if frames.flag_value(frame.payload) == frames.DISCONNECT_TO_PORT:
                    self._disconnect()
            elif frame.payload_type == frames.DATA:
                if self._stream is None:
                    await self._connect()
                if self._stream is not None:
                    await self._stream.write(frame.payload)

    async def _connect(self) -> None:
        stream = self._stream = self._link.start({"kind": "port", "port": self._port})
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                await stream.opened
        except (RefusedError, NotConnectedError, TimeoutError):
            self._stream = None
            stream.kill()
            flag = frames.flag_payload(frames.CONNECT_TO_PORT_ERROR)
            await self._channel.send(frames.FLAG, flag)
            if self._pipe:
                self._over.set()
            return
        self._output = asyncio.create_task(self._give_output(stream))

    def _disconnect(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.end()
        if self._output is not None:
            self._output.cancel()
            self._output = None

    async def _give_output(self, stream: AgentStream) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            while not (event := await stream.read()).over:
                for start in range(0, len(event.data), MAX_PAYLOAD):
                    piece = event.data[start : start + MAX_PAYLOAD]
                    await self._channel.send(frames.DATA, piece)
                stream.passed_on(len(event.data))
            if self._stream is stream:
                self._stream = None
            if self._pipe:  # a local port has no way to learn of it; the next data connects again
                self._over.set()
