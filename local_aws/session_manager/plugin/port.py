"""Port sessions: a local listening port whose connections end at the instance."""

from __future__ import annotations

import os
import socket

from local_aws.session_manager import frames, smux
from local_aws.session_manager.plugin import reactor

TYPE_CHECKING = False  # what `typing` has, without its import
if TYPE_CHECKING:
    from typing import Any

    from local_aws.session_manager.plugin.channel import Channel

_READ = 16 * 1024
_BACKLOG = 16 << 20
_SMUX_ABOVE = (3, 0, 196, 0)


def version(text: str) -> tuple[int, ...]:
    """Read an agent's version; without four parts it counts as older than any."""
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isdigit() for part in parts):
        return ()
    return tuple(int(part) for part in parts)


class _Local:
    """One local connection: its socket and what waits to be written to it."""

    __slots__ = ("ending", "out", "socket", "watched")

    def __init__(self, accepted: socket.socket) -> None:
        self.socket = accepted
        self.out = bytearray()
        self.ending = False
        self.watched = -1


class Port:
    """Listen, and carry connections: many by smux, or one at a time to an older agent."""

    def __init__(self, loop: reactor.Reactor, channel: Channel) -> None:
        self._loop = loop
        self._channel = channel
        self._mux = True
        self._decoder = smux.Decoder()
        self._next_stream = 3
        self._locals: dict[int, _Local] = {}
        self._backlog = 0
        self._listener: socket.socket | None = None
        self._blocked = False

    def start(self, properties: dict[str, Any], agent_version: str) -> None:
        """Begin to listen; a port that cannot be had ends the session."""
        self._mux = version(agent_version) > _SMUX_ABOVE
        try:
            self._listener, name = _listen(properties)
        except (OSError, ValueError) as error:
            place = properties.get("localUnixSocket") or properties.get("localPortNumber")
            reason = error.strerror if isinstance(error, OSError) else str(error)
            os.write(2, f"session-manager-plugin: cannot listen on {place}: {reason}\n".encode())
            self.stop(1)
            return
        self._listener.setblocking(False)
        self._loop.watch(self._listener.fileno(), reactor.READ, self._accept)
        where = f"{name} opened for sessionId {self._channel.session_id}.\n"
        os.write(1, f"{where}Waiting for connections...\n".encode())
        self._channel.keep_alive()

    def receive(self, payload_type: int, payload: bytes) -> None:
        """Take the service's bytes to their connections."""
        if payload_type == frames.FLAG:
            if frames.flag_value(payload) == frames.CONNECT_TO_PORT_ERROR:
                text = b"Connection to destination port failed, check SSM Agent logs.\n"
                os.write(1, text)
        elif payload_type == frames.DATA and self._mux:
            for command, number, content in self._decoder.feed(payload):
                local = self._locals.get(number)
                if command == smux.PUSH and local is not None:
                    self._write(number, local, content)
                elif command == smux.FIN and local is not None:
                    local.ending = True
                    self._flush(number, local)
        elif payload_type == frames.DATA:
            for number, local in list(self._locals.items()):
                self._write(number, local, payload)

    def room(self) -> None:
        """Read from local connections again."""
        if self._blocked and not self._channel.full:
            self._blocked = False
            for number, local in list(self._locals.items()):
                self._watch(number, local)

    def closed(self, output: str) -> None:
        """End: the service closed the channel."""
        os.write(1, output.encode())
        self._loop.stop(0)

    def stop(self, exit_code: int) -> None:
        """End the session from this side."""
        self._channel.send(frames.FLAG, frames.flag_payload(frames.TERMINATE_SESSION))
        self._channel.finish(0.5)
        self._loop.stop(exit_code)

    def _accept(self, _events: int) -> None:
        if self._listener is None or (not self._mux and self._locals):
            return
        try:
            accepted, _ = self._listener.accept()
        except OSError:
            return
        accepted.setblocking(False)
        if accepted.family == socket.AF_INET:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        number, self._next_stream = self._next_stream, self._next_stream + 2
        local = self._locals[number] = _Local(accepted)
        os.write(1, f"\nConnection accepted for session [{self._channel.session_id}]\n".encode())
        if self._mux:
            self._channel.send(frames.DATA, smux.encode(smux.SYN, number))
        else:
            self._loop.forget(self._listener.fileno())
        self._watch(number, local)

    def _watch(self, number: int, local: _Local) -> None:
        self._blocked = self._blocked or self._channel.full
        wanted = 0 if self._blocked or local.ending else reactor.READ
        wanted |= reactor.WRITE if local.out else 0
        if wanted != local.watched:
            local.watched = wanted
            self._loop.watch(
                local.socket.fileno(), wanted, lambda events: self._ready(number, local, events)
            )

    def _ready(self, number: int, local: _Local, events: int) -> None:
        if events & reactor.WRITE:
            self._flush(number, local)
        if events & ~reactor.WRITE and number in self._locals:
            merely_readable = events & ~reactor.WRITE == reactor.READ
            if self._channel.full and merely_readable:
                self._watch(number, local)
            else:
                self._read(number, local)

    def _read(self, number: int, local: _Local) -> None:
        try:
            data = local.socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(number, local, told=False)
            return
        self._channel.send(frames.DATA, smux.encode(smux.PUSH, number, data) if self._mux else data)
        self._watch(number, local)

    def _write(self, number: int, local: _Local, data: bytes) -> None:
        local.out += data
        self._backlog += len(data)
        self._flush(number, local)

    def _flush(self, number: int, local: _Local) -> None:
        try:
            while local.out:
                count = local.socket.send(local.out[: 1 << 18])
                del local.out[:count]
                self._backlog -= count
        except BlockingIOError:
            pass
        except OSError:
            self._close(number, local, told=False)
            return
        if local.ending and not local.out:
            self._close(number, local, told=True)
            return
        self._watch(number, local)
        self._channel.pause(self._backlog > _BACKLOG)

    def _close(self, number: int, local: _Local, told: bool) -> None:
        """Forget a connection; unless the service ended it, tell the service."""
        if self._locals.pop(number, None) is None:
            return
        self._loop.forget(local.socket.fileno())
        local.socket.close()
        self._backlog -= len(local.out)
        self._channel.pause(self._backlog > _BACKLOG)
        if self._mux:
            if not told:
                self._channel.send(frames.DATA, smux.encode(smux.FIN, number))
            return
        self._channel.send(frames.FLAG, frames.flag_payload(frames.DISCONNECT_TO_PORT))
        if self._listener is not None:
            self._loop.watch(self._listener.fileno(), reactor.READ, self._accept)


def _listen(properties: dict[str, Any]) -> tuple[socket.socket, str]:
    """Open the local port or Unix socket; give it and its name for the user."""
    if properties.get("localConnectionType") == "unix":
        path = str(properties.get("localUnixSocket"))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(128)
        return listener, f"Unix socket {path}"
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(properties.get("localPortNumber") or 0)))
    listener.listen(128)
    return listener, f"Port {listener.getsockname()[1]}"


class Pipe:
    """Port sessions without a local port: standard input and output, as for SSH."""

    def __init__(self, loop: reactor.Reactor, channel: Channel) -> None:
        self._loop = loop
        self._channel = channel

    def start(self, _properties: dict[str, Any], _agent_version: str) -> None:
        """Begin to read standard input."""
        self.room()
        self._channel.keep_alive()

    def receive(self, payload_type: int, payload: bytes) -> None:
        """Write to standard output."""
        if payload_type == frames.DATA:
            view = memoryview(payload)
            while view:
                view = view[os.write(1, view) :]

    def room(self) -> None:
        """Read standard input again."""
        self._loop.watch(0, reactor.READ, self._readable)

    def closed(self, output: str) -> None:
        """End: the service closed the channel."""
        os.write(2, output.encode())
        self._loop.stop(0)

    def stop(self, exit_code: int) -> None:
        """End the session from this side."""
        self._channel.send(frames.FLAG, frames.flag_payload(frames.TERMINATE_SESSION))
        self._channel.finish(0.5)
        self._loop.stop(exit_code)

    def _readable(self, _events: int) -> None:
        data = os.read(0, _READ)
        if not data:
            self.stop(0)
            return
        self._channel.send(frames.DATA, data)
        if self._channel.full:
            self._loop.forget(0)
