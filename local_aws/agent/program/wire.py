"""Frames between the agent and Session Manager: many streams over one connection.

This protocol is the miniature's own. A frame is kind, stream and length (big endian, 9 bytes), then
the payload. Data may be sent only on credit: each side starts with WINDOW bytes for each stream and
gets more as the other side has passed them on.
"""

from __future__ import annotations

import json
import struct
from typing import Any

HELLO = 1  # agent: who it is (JSON); service: {} once registered
OPEN = 2  # service: what to start (JSON)
OPENED = 3  # agent: it runs
FAILED = 4  # agent: why it does not (text); the stream is over
DATA = 5  # both
ERROR_DATA = 6  # agent: standard error, where it is kept apart
CREDIT = 7  # both: so many bytes were passed on (u32)
END = 8  # both: no more data; from the service to a connection: close it after the last byte
EXIT = 9  # agent: the program ended with this code (i32); the stream is over
KILL = 10  # service: end it now; the stream is over
RESIZE = 11  # service: columns and rows (two u16)
PING = 12
PONG = 13

WINDOW = 1 << 20
CHUNK = 16 * 1024
PATH = "/v1/agent-channel"
UPGRADE = "ssm-agent-stand-in"

_HEADER = struct.Struct(">BII")
_NUMBER = struct.Struct(">i")
_SIZE = struct.Struct(">HH")
_MAX_PAYLOAD = 1 << 20


class WireError(Exception):
    """The peer does not speak this protocol."""


def encode(kind: int, stream: int = 0, payload: bytes = b"") -> bytes:
    """Encode one frame."""
    return _HEADER.pack(kind, stream, len(payload)) + payload


def encode_json(kind: int, stream: int, content: dict[str, Any]) -> bytes:
    """Encode a frame whose payload is a JSON object."""
    return encode(kind, stream, json.dumps(content).encode())


def encode_number(kind: int, stream: int, number: int) -> bytes:
    """Encode a frame that carries one number."""
    return encode(kind, stream, _NUMBER.pack(number))


def encode_size(stream: int, columns: int, rows: int) -> bytes:
    """Encode a terminal's new size."""
    return encode(RESIZE, stream, _SIZE.pack(min(columns, 0xFFFF), min(rows, 0xFFFF)))


def number(payload: bytes) -> int:
    """Read the payload of CREDIT or EXIT."""
    if len(payload) != _NUMBER.size:
        raise WireError(f"{len(payload)} bytes for a number")
    return int(_NUMBER.unpack(payload)[0])


def size(payload: bytes) -> tuple[int, int]:
    """Read columns and rows from the payload of RESIZE."""
    if len(payload) != _SIZE.size:
        raise WireError(f"{len(payload)} bytes for a size")
    columns, rows = _SIZE.unpack(payload)
    return columns, rows


class Decoder:
    """Cut a byte stream into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Take bytes, give the frames now complete as (kind, stream, payload)."""
        buffer = self._buffer
        buffer += data
        frames = []
        position = 0
        while len(buffer) - position >= _HEADER.size:
            kind, stream, length = _HEADER.unpack_from(buffer, position)
            if length > _MAX_PAYLOAD or not HELLO <= kind <= PONG:
                raise WireError(f"kind {kind}, length {length}")
            start = position + _HEADER.size
            if len(buffer) < start + length:
                break
            frames.append((kind, stream, bytes(buffer[start : start + length])))
            position = start + length
        del buffer[:position]
        return frames
