"""An object's bytes in, the same without erased events out. Pure, as the mapping is.

Records that stay keep their bytes, their order and so their event ids, also those made of the record
itself: the loader finds nothing new in what is written back.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from etl_lambda import brackets
from etl_lambda.decoding import (
    Bad,
    Reject,
    json_value,
    lines,
    posted_keys,
    read_record,
)
from etl_lambda.mapping import Facts, Mapper, Row
from etl_lambda.settings import Limits
from etl_lambda.unpacking import GZIP_MAGIC, UnpackError, unpack


@dataclass(frozen=True)
class Erased:
    """What goes: events by their ids, records in quarantine by the SHA-256 (hex) of their samples.

    Where it is known who was erased, `client_ids` and `user_ids` take events that were never stored.
    """

    event_ids: frozenset[str]
    samples: frozenset[str] = frozenset()
    client_ids: frozenset[str] = frozenset()
    user_ids: frozenset[str] = frozenset()

    def has(self, item: Row | Reject) -> bool:
        """Whether a record was erased."""
        if isinstance(item, Reject):
            return hashlib.sha256(item.sample).hexdigest() in self.samples
        return (
            item.event_id in self.event_ids
            or item.client_id in self.client_ids
            or item.user_id in self.user_ids
        )


class UnreadableError(Exception):
    """An object cannot be taken apart into records, so none can be taken out; `reason` is a code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def redact(data: bytes, facts: Facts, erased: Erased, limits: Limits | None = None) -> bytes | None:
    """Return an object's bytes without the erased records.

    That is `data` itself if it holds none, and None if nothing is left. Raises UnreadableError for a
    broken gzip or array, and for a text whose other records would not be the same again.
    """
    most = replace(limits or Limits(), records=sys.maxsize)
    pieces, is_array = _pieces(data, most)
    mapper = Mapper(facts)
    kept: list[bytes] = []
    stays: list[object] = []
    changed, position = False, 0
    for piece in pieces:
        items = list(read_record(position, piece, most))
        position += len(items)
        rows = [item if isinstance(item, Reject) else mapper.record(item) for item in items]
        goes = [erased.has(row) for row in rows]
        stays += [_identity(row) for row, gone in zip(rows, goes, strict=True) if not gone]
        changed = changed or any(goes)
        if not any(goes):
            kept.append(piece)
        elif not all(goes):
            kept.append(_without(piece, goes))
    if not changed:
        return data
    if not kept:
        return None
    text = _joined(kept, is_array)
    again = gzip.compress(text, mtime=0) if data.startswith(GZIP_MAGIC) else text
    if [_identity(item) for item in Mapper(facts).items(again, most)] != stays:
        raise UnreadableError("not_the_same_again")
    return again


def _pieces(data: bytes, limits: Limits) -> tuple[Sequence[bytes], bool]:
    """Return the bytes of each value of an object in order, and whether they are an array's."""
    try:
        text, truncated = unpack(data, limits)
    except UnpackError as error:
        raise UnreadableError(error.reason) from error
    if truncated:
        raise UnreadableError("truncated_gzip")
    if text.startswith(b"["):
        try:
            return [bytes(item) for item in msgspec.json.decode(text, type=list[msgspec.Raw])], True
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise UnreadableError("broken_array") from error
    if not isinstance(json_value(text), Bad):
        return [text], False
    if any(isinstance(json_value(line), dict) for line in lines(text)):
        return list(lines(text)), False
    return list(brackets.top_level(text)), False


def _without(piece: bytes, goes: Sequence[bool]) -> bytes:
    """Return a posted array, which the ingest function spreads into an object, without some records."""
    value = json_value(piece)
    keys = posted_keys(value)
    stay = [value[key] for key, gone in zip(keys, goes, strict=True) if not gone]
    around = {key: value[key] for key in value if key not in keys}
    again = {**{str(number): item for number, item in enumerate(stay)}, **around}
    text = json.dumps(again, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")


def _joined(pieces: Sequence[bytes], is_array: bool) -> bytes:
    if is_array:
        return b"[" + b",".join(pieces) + b"]"
    return b"\n".join(pieces) + (b"\n" if len(pieces) > 1 else b"")


def _identity(item: Row | Reject) -> object:
    """Return what a record is known by wherever it lies."""
    return item.event_id if isinstance(item, Row) else (item.reason, item.sample)
