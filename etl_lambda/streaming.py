"""Lines of a large gzip, unpacked piece by piece, so that memory does not follow an export's size."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from etl_lambda.settings import Limits
from etl_lambda.unpacking import CutError, UnpackError, inflate, unmark

WHOLE_BYTES = 16 * 2**20


def lines(data: bytes, limits: Limits) -> Iterator[bytes] | None:
    """Return the lines of a gzip that unpacks to more than 16 MiB; None for what is better read whole.

    It is unpacked twice: an object that breaks off or is too large must be known before its first line
    is taken. Read whole is what is small, no gzip or broken, and what does not begin with an object
    that fills a line.
    """
    # A gzip ends with the size of its content (RFC 1952); if that is wrong, the longer way is taken.
    if int.from_bytes(data[-4:], "little") <= WHOLE_BYTES or limits.record_bytes > WHOLE_BYTES:
        return None
    head = bytearray()
    total = 0
    try:
        for piece in inflate(data, limits.decompressed_bytes):
            total += len(piece)
            if len(head) <= limits.record_bytes:
                head += piece
    except (CutError, UnpackError):
        return None
    if total <= WHOLE_BYTES or not _begins_with_an_object(unmark(bytes(head))):
        return None
    return _split(data, limits)


def _begins_with_an_object(text: bytes) -> bool:
    line, end, _ = text.partition(b"\n")
    try:
        return bool(end) and isinstance(msgspec.json.decode(line), dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _split(data: bytes, limits: Limits) -> Iterator[bytes]:
    """Yield the lines that are not blank."""
    begun: list[bytes] = []
    for piece in inflate(data, limits.decompressed_bytes):
        *whole, rest = piece.split(b"\n")
        if whole:
            whole[0] = b"".join([*begun, whole[0]])
            begun = []
        for line in map(unmark, whole):
            if line:
                yield line
        begun.append(rest)
    if line := unmark(b"".join(begun)):
        yield line
