"""Smux version 1: many TCP connections over one byte stream, as Port sessions use it."""

from __future__ import annotations

import struct

SYN = 0
FIN = 1
PUSH = 2
NOP = 3

_HEADER = struct.Struct("<BBHI")
_VERSION = 1
MAX_PAYLOAD = 0xFFFF


class SmuxError(Exception):
    """The peer sent something that is not smux version 1."""


def encode(command: int, stream: int, payload: bytes = b"") -> bytes:
    """Encode one frame; the payload has at most 65,535 bytes."""
    return _HEADER.pack(_VERSION, command, len(payload), stream) + payload


class Decoder:
    """Cut a byte stream into frames, which may span messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """Take bytes, give the frames now complete as (command, stream, payload)."""
        buffer = self._buffer
        buffer += data
        frames = []
        position = 0
        while len(buffer) - position >= _HEADER.size:
            version, command, length, stream = _HEADER.unpack_from(buffer, position)
            if version != _VERSION or command > NOP:
                raise SmuxError(f"version {version}, command {command}")
            start = position + _HEADER.size
            if len(buffer) < start + length:
                break
            frames.append((command, stream, bytes(buffer[start : start + length])))
            position = start + length
        del buffer[:position]
        return frames
