"""The service's end of a data channel: handshake, numbering, acknowledgements, resending, resuming.

It outlives its sockets: a client that lost one attaches another, and both counters go on.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from typing import Any, Protocol

from local_aws.session_manager import frames
from local_aws.session_manager.sequence import Receiver, Sender

_LOG = logging.getLogger(__name__)
AGENT_VERSION = "3.3.0.0"
MAX_PAYLOAD = 16 * 1024
# Input up to here is acknowledged at once; beyond it only when it has been passed on.
_EAGER = 1 << 20
_INPUT_LIMIT = 64 << 20


class Socket(Protocol):
    """What a channel needs of a websocket."""

    def send(self, data: bytes) -> None:
        """Send one binary message."""

    @property
    def idle(self) -> bool:
        """Say whether everything sent so far has left this process."""


class DataChannel:
    """Numbered frames to and from one client."""

    def __init__(self) -> None:
        self.client_version = ""
        self._socket: Socket | None = None
        self._sender = Sender()
        self._receiver = Receiver()
        self._input: asyncio.Queue[tuple[frames.Frame, bool]] = asyncio.Queue()
        self._input_size = 0
        self._late: set[int] = set()
        self._last: tuple[frames.Frame, bool] | None = None
        self._room = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self._timer: asyncio.TimerHandle | None = None

    def attach(self, socket: Socket) -> None:
        """Go on over this socket; what was not acknowledged on a former one goes first."""
        self._socket = socket
        for data in self._sender.reconnect(time.monotonic()):
            socket.send(data)
        self._set_timer()

    def detach(self, socket: Socket) -> None:
        """Stop using a lost socket."""
        if self._socket is socket:
            self._socket = None

    async def send(self, payload_type: int, payload: bytes) -> None:
        """Send one data frame; wait while too many are not acknowledged."""
        while self._sender.full:
            self._room.clear()
            await self._room.wait()
        sequence = self._sender.next_sequence
        flags = frames.FLAG_SYN if sequence == 0 else 0
        data = frames.Frame(frames.OUTPUT, sequence, payload, payload_type, flags).encode()
        self._sender.add(data, time.monotonic())
        self._empty.clear()
        if self._socket is not None:
            self._socket.send(data)
        self._set_timer()

    async def send_json(self, payload_type: int, content: dict[str, Any]) -> None:
        """Send one data frame with a JSON object."""
        await self.send(payload_type, json.dumps(content, separators=(",", ":")).encode())

    async def acknowledged(self) -> None:
        """Wait until the client has acknowledged everything."""
        await self._empty.wait()

    def close(self, session_id: str, output: str) -> None:
        """Tell the client that the session is over."""
        if self._timer is not None:
            self._timer.cancel()
        if self._socket is not None:
            self._socket.send(frames.channel_closed(session_id, output))

    def receive(self, data: bytes) -> None:
        """Take one binary message from the client."""
        try:
            frame = frames.decode(data)
            if frame.type == frames.ACKNOWLEDGE:
                self._acknowledge(frames.acknowledged_sequence(frame))
            elif frame.type == frames.INPUT:
                self._accept(frame)
        except frames.FrameError as error:
            _LOG.warning("frame dropped: %s", error)

    async def read(self) -> frames.Frame:
        """Wait for the client's next data frame, in order."""
        if self._last is not None:
            done, late = self._last
            self._input_size -= len(done.payload)
            if late:
                self._late.discard(done.sequence)
                self._send_unnumbered(frames.acknowledgement(done))
        self._last = await self._input.get()
        return self._last[0]

    async def handshake(self, session_type: str, properties: dict[str, Any]) -> str:
        """Agree on the session's type; give the client's objection, or nothing."""
        started = time.monotonic_ns()
        action = {
            "ActionType": "SessionType",
            "ActionParameters": {"SessionType": session_type, "Properties": properties},
        }
        request = {"AgentVersion": AGENT_VERSION, "RequestedClientActions": [action]}
        await self.send_json(frames.HANDSHAKE_REQUEST, request)
        while (answer := await self.read()).payload_type != frames.HANDSHAKE_RESPONSE:
            _LOG.warning("payload type %d before the handshake", answer.payload_type)
        content = json.loads(answer.payload)
        self.client_version = str(content.get("ClientVersion", ""))
        for processed in content.get("ProcessedClientActions") or []:
            if processed.get("ActionStatus") != 1:
                return str(processed.get("Error") or f"no sessions of type {session_type}")
        complete = {
            "HandshakeTimeToComplete": time.monotonic_ns() - started,
            "CustomerMessage": "",
        }
        await self.send_json(frames.HANDSHAKE_COMPLETE, complete)
        return ""

    def _accept(self, frame: frames.Frame) -> None:
        if self._input_size > _INPUT_LIMIT or frame.sequence in self._late:
            return
        acknowledge, ready = self._receiver.accept(frame)
        for ordered in ready:
            self._input_size += len(ordered.payload)
            # One that waited for its turn was acknowledged when it came.
            late = ordered is frame and self._input_size > _EAGER
            if late:
                self._late.add(ordered.sequence)
                acknowledge = False
            self._input.put_nowait((ordered, late))
        if acknowledge:
            self._send_unnumbered(frames.acknowledgement(frame))

    def _acknowledge(self, sequence: int) -> None:
        self._sender.acknowledge(sequence, time.monotonic())
        if not self._sender.full:
            self._room.set()
        if len(self._sender) == 0:
            self._empty.set()

    def _send_unnumbered(self, data: bytes) -> None:
        if self._socket is not None:
            self._socket.send(data)

    def _set_timer(self) -> None:
        due = self._sender.next_due()
        if self._timer is None and due is not None and self._socket is not None:
            delay = max(0.005, due - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._resend)

    def _resend(self) -> None:
        """Send again what is overdue, unless the socket itself is what is slow."""
        self._timer = None
        if self._socket is not None and self._socket.idle:
            for data in self._sender.due(time.monotonic()):
                self._socket.send(data)
        if not self._sender.full:
            self._room.set()
        if len(self._sender) == 0:
            self._empty.set()
        self._set_timer()
