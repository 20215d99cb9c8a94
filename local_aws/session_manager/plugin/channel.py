"""The client's end of a data channel."""

from __future__ import annotations

import json
import os
import time

from local_aws.session_manager import frames
from local_aws.session_manager.plugin import reactor, websocket
from local_aws.session_manager.sequence import Receiver, Sender

TYPE_CHECKING = False  # what `typing` has, without its import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    class Handler(Protocol):
        """What a kind of session does with the channel."""

        def start(self, properties: dict[str, Any], agent_version: str) -> None:
            """Begin: the handshake is done."""

        def receive(self, payload_type: int, payload: bytes) -> None:
            """Take one payload, in order."""

        def room(self) -> None:
            """Go on sending: there is room again."""

        def closed(self, output: str) -> None:
            """End: the service closed the channel."""


VERSION = "1.2.764.0"
_CHUNK = 1024
_WINDOW = 1024
_RESUME_TRIES = 6
_KEEPALIVE = 300.0


class Channel:
    """Numbered frames to and from the service; it takes up lost sockets again."""

    def __init__(
        self,
        loop: reactor.Reactor,
        session: dict[str, str],
        make_handler: Callable[[str, dict[str, Any]], Handler | None],
        resume: Callable[[], dict[str, str]],
    ) -> None:
        self.session_id = session["SessionId"]
        self.started = False
        self._loop = loop
        self._session = session
        self._make_handler = make_handler
        self._handler: Handler | None = None
        self._resume = resume
        self._client_id = frames.id_text(frames.new_id())
        self._sender = Sender(_WINDOW)
        self._receiver = Receiver()
        self._request: tuple[str, dict[str, Any], str] = ("Standard_Stream", {}, "")
        self._timer = False
        self._finished = False
        self._paused = False
        self._watched = 0
        self._descriptor = -1

    def connect(self) -> None:
        """Dial, present the token, and send again what is not acknowledged.

        Raises websocket.ConnectionLostError.
        """
        certificates = os.environ.get("SSL_CERT_FILE")
        self._socket = websocket.WebSocket(self._session["StreamUrl"], certificates)
        opening = {
            "MessageSchemaVersion": "1.0",
            "RequestId": frames.id_text(frames.new_id()),
            "TokenValue": self._session["TokenValue"],
            "ClientId": self._client_id,
            "ClientVersion": VERSION,
        }
        self._socket.send(json.dumps(opening).encode(), websocket.TEXT)
        for data in self._sender.reconnect(time.monotonic()):
            self._socket.send(data)
        self._descriptor = self._socket.fileno()
        self._watched = -1
        self._watch()
        self._ready(reactor.READ)  # bytes may have come with the upgrade's answer

    @property
    def full(self) -> bool:
        """Say whether to hold input back."""
        return self._sender.full

    def send(self, payload_type: int, payload: bytes) -> None:
        """Send bytes of the stream, in frames as small as AWS's plugin makes them."""
        for start in range(0, len(payload), _CHUNK):
            self._send_frame(payload_type, payload[start : start + _CHUNK])
        self._watch()

    def pause(self, paused: bool) -> None:
        """Stop reading from the service, or go on."""
        if paused != self._paused:
            self._paused = paused
            self._watch()

    def keep_alive(self) -> None:
        """Ping now and every five minutes."""
        try:  # noqa: SIM105 - one import less
            self._socket.send(b"keepalive", websocket.PING)
        except websocket.ConnectionLostError:
            pass
        self._loop.later(_KEEPALIVE, self.keep_alive)

    def finish(self, patience: float) -> None:
        """Send what waits, for so many seconds at most, and close."""
        self._finished = True
        self._loop.forget(self._descriptor)
        deadline = time.monotonic() + patience
        try:
            while self._socket.sending and time.monotonic() < deadline:
                self._socket.flush()
                time.sleep(0.002)
        except websocket.ConnectionLostError:
            pass
        self._socket.close()

    def _send_frame(self, payload_type: int, payload: bytes) -> None:
        frame = frames.Frame(frames.INPUT, self._sender.next_sequence, payload, payload_type)
        data = frame.encode()
        self._sender.add(data, time.monotonic())
        self._write(data)
        self._set_timer()

    def _write(self, data: bytes) -> None:
        try:
            self._socket.send(data)
        except websocket.ConnectionLostError as error:
            self._lost(error)

    def _watch(self) -> None:
        if self._finished:
            return
        wanted = 0 if self._paused else reactor.READ
        wanted |= reactor.WRITE if self._socket.sending else 0
        if wanted != self._watched:
            self._watched = wanted
            self._loop.watch(self._descriptor, wanted, self._ready)

    def _ready(self, events: int) -> None:
        if self._finished:
            return
        try:
            if events & reactor.WRITE:
                self._socket.flush()
            if events & ~reactor.WRITE:
                for opcode, message in self._socket.receive():
                    if opcode == websocket.BINARY:
                        self._take(message)
        except websocket.ConnectionLostError as error:
            self._lost(error)
        self._watch()

    def _take(self, message: bytes) -> None:
        try:
            frame = frames.decode(message)
            if frame.type == frames.ACKNOWLEDGE:
                was_full = self._sender.full
                self._sender.acknowledge(frames.acknowledged_sequence(frame), time.monotonic())
                if was_full and not self._sender.full and self._handler is not None:
                    self._handler.room()
            elif frame.type == frames.OUTPUT:
                acknowledge, ready = self._receiver.accept(frame)
                if acknowledge:
                    self._write(frames.acknowledgement(frame))
                for ordered in ready:
                    self._process(ordered)
            elif frame.type == frames.CHANNEL_CLOSED:
                self._closed(str(json.loads(frame.payload).get("Output") or ""))
        except (frames.FrameError, ValueError):
            return

    def _process(self, frame: frames.Frame) -> None:
        if frame.payload_type == frames.HANDSHAKE_REQUEST:
            self._answer_handshake(json.loads(frame.payload))
        elif frame.payload_type == frames.HANDSHAKE_COMPLETE:
            message = json.loads(frame.payload).get("CustomerMessage")
            if message:
                os.write(1, f"{message}\n".encode())
            self._start()
        else:
            self._start()
            if self._handler is not None:
                self._handler.receive(frame.payload_type, frame.payload)

    def _answer_handshake(self, request: dict[str, Any]) -> None:
        processed = []
        for action in request.get("RequestedClientActions") or []:
            kind = action.get("ActionType")
            parameters = action.get("ActionParameters") or {}
            status, error = 1, ""
            if kind == "SessionType":
                session_type = str(parameters.get("SessionType"))
                properties = parameters.get("Properties") or {}
                self._request = (session_type, properties, str(request.get("AgentVersion", "")))
                self._handler = self._make_handler(session_type, properties)
                if self._handler is None:
                    status, error = 2, f"Unknown session type {session_type}"
            else:
                status, error = 2, f"{kind} is not supported by this plugin"
            processed.append(
                {
                    "ActionType": kind,
                    "ActionStatus": status,
                    "ActionResult": None,
                    "Error": error,
                }
            )
        answer = {"ClientVersion": VERSION, "ProcessedClientActions": processed, "Errors": None}
        self._send_frame(frames.HANDSHAKE_RESPONSE, json.dumps(answer).encode())
        errors = [entry["Error"] for entry in processed if entry["Error"]]
        if errors:
            os.write(2, ("; ".join(errors) + "\n").encode())
            self._loop.stop(1)

    def _start(self) -> None:
        if self.started:
            return
        self.started = True
        session_type, properties, agent_version = self._request
        if self._handler is None:
            self._handler = self._make_handler(session_type, properties)
        if self._handler is not None:
            self._handler.start(properties, agent_version)

    def _closed(self, output: str) -> None:
        text = (
            f"\n\nSessionId: {self.session_id} : {output}\n\n"
            if output
            else f"\n\nExiting session with sessionId: {self.session_id}.\n\n"
        )
        if self._handler is not None:
            self._handler.closed(text)
        else:
            os.write(1, text.encode())
            self._loop.stop(0)

    def _set_timer(self) -> None:
        due = self._sender.next_due()
        if not self._timer and due is not None:
            self._timer = True
            self._loop.later(max(0.01, due - time.monotonic()), self._resend)

    def _resend(self) -> None:
        self._timer = False
        if not self._socket.sending:
            for data in self._sender.due(time.monotonic()):
                self._write(data)
        self._set_timer()

    def _lost(self, cause: Exception) -> None:
        """Ask for a new token and dial again, six times at most."""
        if self._finished:
            return
        self._loop.forget(self._descriptor)
        pause = 0.1
        for _ in range(_RESUME_TRIES):
            time.sleep(pause)
            pause *= 2
            try:
                self._session = {**self._session, **self._resume()}
                self.connect()
            except websocket.SessionGoneError as error:
                cause = error
                break
            except (OSError, ValueError, KeyError, websocket.ConnectionLostError) as error:
                cause = error
            else:
                return
        os.write(2, f"session-manager-plugin: the session is lost: {cause}\n".encode())
        self._loop.stop(1)
