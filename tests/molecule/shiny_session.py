"""Opens a page of Shiny Server and its session as a browser does; runs on the host, with stdlib alone.

    python3 shiny_session.py URL
    python3 shiny_session.py URL --token 'data-token="([0-9a-f]+)"' \
        --inputs '{"view": {"token": "@TOKEN@"}}' --output status-pill --says 'data until'

Prints one JSON object, `{"config": …, "output": …}`, and exits 0 once the app has sent its init
config and, where asked for, an output with that text. Else it says on stderr what came instead.
The protocols: RFC 6455 below, SockJS frames in it, Shiny Server's numbering (`ID#`) and channels
(`0|o|`, `0|m|`) in those, and Shiny's messages in JSON in these.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import secrets
import socket
import string
import sys
import time
import urllib.parse
import urllib.request
from typing import Any

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_TEXT, _CLOSE, _PING, _PONG = 1, 8, 9, 10


class SessionError(Exception):
    """What the server did instead of answering."""


class WebSocket:
    """A websocket's client side: text in whole messages, pings answered."""

    def __init__(self, host: str, port: int, path: str, timeout: float) -> None:
        self._socket = socket.create_connection((host, port), timeout)
        self._file = self._socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self._socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
            f"Origin: http://{host}:{port}\r\n\r\n".encode()
        )
        status = self._file.readline().decode().strip()
        headers = {}
        while line := self._file.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        if " 101 " not in f"{status} ":
            raise SessionError(f"no websocket at {path}: {status}")
        # SHA-1 is the protocol's (RFC 6455, 4.2.2), not a matter of secrecy.
        digest = hashlib.sha1(f"{key}{_GUID}".encode(), usedforsecurity=False).digest()
        if headers.get("sec-websocket-accept") != base64.b64encode(digest).decode():
            raise SessionError("the handshake was answered for another key")

    def send(self, text: str, kind: int = _TEXT) -> None:
        """Send one frame, masked, as clients must."""
        payload, mask = text.encode(), os.urandom(4)
        size = len(payload)
        if size < 126:
            head = bytes([0x80 | kind, 0x80 | size])
        else:
            head = bytes([0x80 | kind, 0x80 | 126]) + size.to_bytes(2)
        body = bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))
        self._socket.sendall(head + mask + body)

    def receive(self, deadline: float) -> str:
        """Return the next text message; raise SessionError when it ends or none comes in time."""
        message = b""
        while True:
            self._socket.settimeout(max(deadline - time.monotonic(), 0.01))
            try:
                first, second = self._exactly(2)
                size = second & 0x7F
                if size >= 126:
                    size = int.from_bytes(self._exactly(2 if size == 126 else 8))
                payload = self._exactly(size)
            except TimeoutError:
                raise SessionError("nothing more came in time") from None
            kind = first & 0x0F
            if kind == _CLOSE:
                raise SessionError(f"the server closed the websocket: {payload[2:].decode()}")
            if kind == _PING:
                self.send(payload.decode(), _PONG)
            elif kind != _PONG:
                message += payload
                if first & 0x80:
                    return message.decode()

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) != size:
            raise SessionError("the server ended the connection")
        return data


class ShinySession:
    """One visitor's session: values of inputs go in, messages of the app come out."""

    def __init__(self, url: urllib.parse.SplitResult, timeout: float) -> None:
        self.deadline = time.monotonic() + timeout
        letters = string.ascii_lowercase + string.digits
        session = "".join(secrets.choice(letters) for _ in range(8))
        path = (
            f"{url.path}__sockjs__/n={secrets.token_hex(9)}/{secrets.randbelow(1000):03}/{session}"
        )
        self._socket = WebSocket(url.hostname or "", url.port or 80, f"{path}/websocket", timeout)
        self._sent = 0
        if (opened := self._socket.receive(self.deadline)) != "o":
            raise SessionError(f"SockJS opened with {opened[:200]!r}")
        self._send("0|o|")

    def _send(self, message: str) -> None:
        self._socket.send(json.dumps([f"{self._sent:X}#{message}"]))
        self._sent += 1

    def start(self, inputs: dict[str, Any]) -> None:
        """Send the first message of a browser, with the values of inputs."""
        self._send("0|m|" + json.dumps({"method": "init", "data": inputs}))

    def messages(self) -> list[dict[str, Any]]:
        """Return the app's messages of the next SockJS frame, perhaps none."""
        frame = self._socket.receive(self.deadline)
        if frame.startswith("c"):
            raise SessionError(f"Shiny Server closed the session: {frame[1:300]}")
        found = []
        for text in json.loads(frame[1:]) if frame.startswith("a") else []:
            numbered = re.fullmatch(r"[0-9A-F]+#0\|([mc])\|(.*)", text, re.DOTALL)
            if numbered is None:
                continue  # ACK of what was sent
            if numbered[1] == "c":
                raise SessionError(f"the app ended the session: {numbered[2][:300]}")
            found.append(json.loads(numbered[2]))
        return found


def page(url: str, timeout: float) -> str:
    """Return the page's HTML; raise SessionError unless it answers 200."""
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:  # noqa: S310 - a given address
            return str(answer.read().decode())
    except OSError as error:
        raise SessionError(f"no page at {url}: {error}") from None


def visit(options: argparse.Namespace) -> dict[str, Any]:
    """Open the page and its session, and return what was waited for."""
    html = page(options.url, options.timeout)
    inputs = options.inputs
    if options.token:
        found = re.search(options.token, html)
        if found is None:
            raise SessionError(f"the page holds nothing like {options.token}")
        inputs = inputs.replace("@TOKEN@", found[1])
    values = json.loads(inputs)
    if options.output:
        # A browser says what it shows: Shiny leaves out what nobody sees.
        values[f".clientdata_output_{options.output}_hidden"] = False
    session = ShinySession(urllib.parse.urlsplit(options.url), options.timeout)
    session.start(values)
    seen: dict[str, Any] = {}
    try:
        while "config" not in seen or (options.output and "output" not in seen):
            for message in session.messages():
                note(message, options, seen)
    except SessionError as error:
        raise SessionError(f"{error}; seen: {json.dumps(seen)[:2000]}") from None
    return seen


def note(message: dict[str, Any], options: argparse.Namespace, seen: dict[str, Any]) -> None:
    """Keep of a message what is waited for, and what the output was before it said that."""
    if "config" in message:
        seen["config"] = message["config"]
    if options.output in message.get("errors", {}):
        seen["before"] = message["errors"][options.output]
    if options.output in message.get("values", {}):
        value = message["values"][options.output]
        seen["output" if options.says in json.dumps(value) else "before"] = value


def main() -> int:
    """Make the visit; return 0, or 1 for what came instead."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url", help="of the app, with a slash at the end")
    parser.add_argument("--inputs", default="{}", help="JSON; @TOKEN@ stands for the page's token")
    parser.add_argument("--token", help="pattern whose group is the token in the page")
    parser.add_argument("--output", default="", help="id of an output to wait for")
    parser.add_argument("--says", default="", help="text that it must hold")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds")
    try:
        print(json.dumps(visit(parser.parse_args())))
    except SessionError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
