"""Gzip by its magic bytes, byte order marks, and the limit of what may be unpacked."""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Iterator

from etl_lambda.settings import Limits

WHITE = b" \t\r\n"
GZIP_MAGIC = b"\x1f\x8b"
_PIECE = 2**20


class UnpackError(Exception):
    """The object as a whole cannot be unpacked; `reason` is the reject's code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CutError(Exception):
    """A gzip broke off before its end."""


def unpack(data: bytes, limits: Limits) -> tuple[bytes, bool]:
    """Return the unpacked UTF-8 bytes without BOM, and whether a gzip broke off before its end.

    Bytes that are no gzip come back as they are; a gzip in a gzip is unpacked as well.
    """
    truncated = False
    for _ in range(2):
        if not data.startswith(GZIP_MAGIC):
            break
        data, cut = _gunzip(data, limits.decompressed_bytes)
        truncated = truncated or cut
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            data = data.decode("utf-16").encode()
        except UnicodeError as error:
            raise UnpackError("not_utf8") from error
    return unmark(data), truncated


def unmark(data: bytes) -> bytes:
    """Strip white space and byte order marks from both ends."""
    data = data.strip(WHITE)
    while data.startswith(codecs.BOM_UTF8):
        data = data[len(codecs.BOM_UTF8) :].lstrip(WHITE)
    return data


def _gunzip(data: bytes, most: int) -> tuple[bytes, bool]:
    """Unpack all members of a gzip; never holds more than `most` bytes (and one piece) of output."""
    out = bytearray()
    try:
        for piece in inflate(data, most):
            out += piece
    except CutError:
        return bytes(out), True
    return bytes(out), False


def inflate(data: bytes, most: int) -> Iterator[bytes]:
    """Yield what is in all members of a gzip, about 1 MiB at a time.

    Raises CutError where it breaks off, UnpackError when it is broken or holds more than `most` bytes.
    """
    total = 0
    rest = data
    while rest.startswith(GZIP_MAGIC):
        member = zlib.decompressobj(wbits=31)
        waiting = rest
        try:
            while not member.eof:
                piece = member.decompress(waiting, _PIECE) if waiting else member.flush()
                total += len(piece)
                if total > most:
                    raise UnpackError("object_too_large")
                yield piece
                if not waiting:
                    break
                waiting = member.unconsumed_tail
        except zlib.error as error:
            raise UnpackError("corrupt_gzip") from error
        if not member.eof:
            raise CutError
        rest = member.unused_data
    if rest.strip(b"\0"):  # zero padding after the last member is usual, anything else is not
        raise UnpackError("corrupt_gzip")
