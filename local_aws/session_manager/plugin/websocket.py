"""A client's websocket (RFC 6455) in what the data channel needs: no extensions, no subprotocol."""

from __future__ import annotations

import binascii
import hashlib
import os
import socket

TYPE_CHECKING = False  # what `typing` has, without its import
if TYPE_CHECKING:
    import ssl

TEXT = 1
BINARY = 2
CLOSE = 8
PING = 9
PONG = 10
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TIMEOUT = 10.0


class ConnectionLostError(Exception):
    """The socket could not be opened, or is gone."""


class SessionGoneError(Exception):
    """The service says that there is no session to go on with."""


class WebSocket:
    """One connection; after the upgrade nothing in it blocks."""

    def __init__(self, url: str, certificates: str | None = None) -> None:
        scheme, _, rest = url.partition("://")
        authority, slash, path = rest.partition("/")
        host, _, port = authority.partition(":")
        self._in = bytearray()
        self._out = bytearray()
        self._parts: list[bytes] = []
        self._opcode = BINARY
        try:
            number = int(port or (443 if scheme == "wss" else 80))
            self._socket: socket.socket | ssl.SSLSocket
            self._socket = socket.create_connection((host, number), _TIMEOUT)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if scheme == "wss":
                import ssl

                context = ssl.create_default_context(cafile=certificates)
                self._socket = context.wrap_socket(self._socket, server_hostname=host)
                self._again: tuple[type[OSError], ...]
                self._again = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
            else:
                self._again = (BlockingIOError,)
            self._upgrade(authority, slash + path)
        except (OSError, ValueError) as error:
            raise ConnectionLostError(f"{scheme}://{authority}: {error}") from error
        self._socket.setblocking(False)

    def _upgrade(self, authority: str, target: str) -> None:
        key = binascii.b2a_base64(os.urandom(16)).strip()
        self._socket.sendall(
            f"GET {target or '/'} HTTP/1.1\r\nHost: {authority}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key.decode()}\r\n\r\n".encode()
        )
        while (end := self._in.find(b"\r\n\r\n")) < 0:
            data = self._socket.recv(65536)
            if not data or len(self._in) > 65536:
                raise OSError("no answer to the upgrade")
            self._in += data
        head = bytes(self._in[:end])
        del self._in[: end + 4]
        lines = head.split(b"\r\n")
        if lines[0].split(b" ")[1:2] != [b"101"]:
            raise OSError(f"answered {lines[0].decode('latin-1')}")
        accept = binascii.b2a_base64(hashlib.sha1(key + _GUID).digest()).strip()  # noqa: S324
        headers = dict(line.split(b":", 1) for line in lines[1:] if b":" in line)
        found = {name.strip().lower(): value.strip() for name, value in headers.items()}
        if found.get(b"sec-websocket-accept") != accept:
            raise OSError("the upgrade was not accepted")

    def fileno(self) -> int:
        """Give the descriptor to watch."""
        return self._socket.fileno()

    @property
    def sending(self) -> bool:
        """Say whether something waits for the socket to take it."""
        return bool(self._out)

    def send(self, data: bytes, opcode: int = BINARY) -> None:
        """Send one message, as far as the socket takes it now."""
        length = len(data)
        head = bytes((0x80 | opcode,))
        if length < 126:
            head += bytes((0x80 | length,))
        elif length < 1 << 16:
            head += b"\xfe" + length.to_bytes(2, "big")
        else:
            head += b"\xff" + length.to_bytes(8, "big")
        mask = os.urandom(4)
        repeated = (mask * (length // 4 + 1))[:length]
        number = int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")
        self._out += head + mask + number.to_bytes(length, "big")
        self.flush()

    def flush(self) -> None:
        """Write what waits."""
        try:
            while self._out:
                del self._out[: self._socket.send(memoryview(bytes(self._out[: 1 << 18])))]
        except self._again:
            return
        except OSError as error:
            raise ConnectionLostError(str(error)) from error

    def receive(self) -> list[tuple[int, bytes]]:
        """Read what there is; give complete messages as (TEXT or BINARY, content)."""
        lost = None
        try:
            while True:
                data = self._socket.recv(1 << 18)
                if not data:
                    lost = "closed by the service"
                    break
                self._in += data
                if len(data) < 1 << 14:
                    break
        except self._again:
            pass
        except OSError as error:
            lost = str(error)
        messages = self._messages()
        if lost and not messages:
            raise ConnectionLostError(lost)
        return messages

    def close(self) -> None:
        """Say good-bye and close."""
        try:  # noqa: SIM105 - one import less
            self.send((1000).to_bytes(2, "big"), CLOSE)
        except ConnectionLostError:
            pass
        self._socket.close()

    def _messages(self) -> list[tuple[int, bytes]]:
        buffer = self._in
        found = []
        position = 0
        while len(buffer) - position >= 2:
            opcode, length = buffer[position] & 0x0F, buffer[position + 1] & 0x7F
            start = position + 2
            if length >= 126:
                width = 2 if length == 126 else 8
                if len(buffer) < start + width:
                    break
                length = int.from_bytes(buffer[start : start + width], "big")
                start += width
            if len(buffer) < start + length:
                break
            content = bytes(buffer[start : start + length])
            final = buffer[position] & 0x80
            position = start + length
            if opcode == PING:
                self.send(content, PONG)
            elif opcode in (0, TEXT, BINARY):
                self._opcode = opcode or self._opcode
                self._parts.append(content)
                if final:
                    found.append((self._opcode, b"".join(self._parts)))
                    self._parts = []
        del buffer[:position]
        return found
