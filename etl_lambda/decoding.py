"""Bytes of an object in, its records and rejects out: gzip, BOM, one object, array or NDJSON.

The fast way is one pass of msgspec. Only what it refuses is looked at again, piece by piece, so that
one bad record never costs its neighbours.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from etl_lambda.settings import Limits
from etl_lambda.unpacking import WHITE, UnpackError, unmark, unpack

SAMPLE_BYTES = 4096
INGEST = "_ingest"
# A whole string, or one character that opens, closes or separates. The string part cannot backtrack.
_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")


class Reject(msgspec.Struct, frozen=True):
    """What cannot become a row: 0-based `position` in the file, or None for the whole object."""

    position: int | None
    reason: str
    sample: bytes


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record: 0-based `position`, the decoded object, its bytes, and the `_ingest` around it."""

    position: int
    value: dict[str, Any]
    raw: bytes
    ingest: Any = None


def sample(raw: bytes | memoryview) -> bytes:
    """Return the first 4 KiB."""
    return bytes(raw[:SAMPLE_BYTES])


def decode(data: bytes, limits: Limits) -> Iterator[Record | Reject]:
    """Yield the records and rejects of an object's bytes, in the order of the file.

    At most `limits.records` are read; the rest of a longer file is one reject.
    """
    try:
        plain, truncated = unpack(data, limits)
    except UnpackError as error:
        yield Reject(None, error.reason, sample(data))
        return
    for count, item in enumerate(_parse(plain, limits, truncated)):
        if count >= limits.records:
            yield Reject(count, "too_many_records", _bytes_of(item))
            return
        yield item


def _bytes_of(item: Record | Reject) -> bytes:
    return sample(item.raw) if isinstance(item, Record) else item.sample


def _parse(text: bytes, limits: Limits, truncated: bool) -> Iterator[Record | Reject]:
    if not text:
        yield Reject(None, "truncated_gzip" if truncated else "empty_file", b"")
        return
    position = 0
    found = _array(text, limits) if text.startswith(b"[") else _objects(text, limits)
    last: Reject | None = None
    for item in found:
        if last is not None:
            yield last
            last = None
        position += 1
        if truncated and isinstance(item, Reject):
            last = item  # the last one may be no bad record, but the place where the gzip broke off
        else:
            yield item
    if last is not None and last.reason == "not_json":
        where = last.position if position > 1 else None
        yield Reject(where, "truncated_gzip", last.sample)
    elif truncated:
        if last is not None:
            yield last
        yield Reject(position, "truncated_gzip", b"")


def _array(text: bytes, limits: Limits) -> Iterator[Record | Reject]:
    try:
        elements = msgspec.json.decode(text, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        yield from _broken_array(text, limits)
        return
    position = 0
    for element in elements:
        for item in _record(position, bytes(element), limits):
            position += 1
            yield item


def _broken_array(text: bytes, limits: Limits) -> Iterator[Record | Reject]:
    """Take the elements of an array one by one: by their brackets and strings, whatever is in them."""
    position, end = 0, 1
    closed = False
    for piece, end, closed in _elements(text):  # noqa: B007 - both are of the last one afterwards
        if piece or not closed:
            for item in _record(position, piece, limits):
                position += 1
                yield item
    rest = text[end:].strip(WHITE)
    if closed:
        if rest:
            yield from _objects(rest, limits, position)
        return
    items = list(_record(position, rest, limits)) if rest else []
    yield from items
    if not items or isinstance(items[0], Record):  # whole, but the array's end is missing
        yield Reject(position + len(items), "not_json", b"")


def _elements(text: bytes) -> Iterator[tuple[bytes, int, bool]]:
    """Yield each element of the array that `text` begins with, where it ends, and if that closes it."""
    begin, depth = 1, 1
    for token in _TOKEN.finditer(text, 1):
        mark = token[0]
        if mark in (b"[", b"{"):
            depth += 1
        elif mark in (b"]", b"}"):
            depth -= 1
        if depth == 0 or (depth == 1 and mark == b","):
            yield text[begin : token.start()].strip(WHITE), token.end(), depth == 0
            begin = token.end()
        if depth == 0:
            return


def _objects(text: bytes, limits: Limits, position: int = 0) -> Iterator[Record | Reject]:
    """One object, one to a line, or one after the other."""
    one_line = b"\n" not in text
    if one_line or len(text) <= limits.record_bytes:
        value = _value(text)
        if not isinstance(value, _Bad) or value.reason == "too_deep":
            yield from _record(position, text, limits)
            return
    if not one_line and any(isinstance(_value(line), dict) for line in _lines(text)):
        pieces = _lines(text)
    else:
        extents = list(_top_level(text))
        if not any(isinstance(_value(piece), dict) for piece in extents):
            first = next(_record(position, text, limits))
            reason = first.reason if isinstance(first, Reject) else "not_json"
            whole = None if position == 0 else position
            yield Reject(whole, reason, sample(text))
            return
        pieces = iter(extents)
    for piece in pieces:
        for item in _record(position, piece, limits):
            position += 1
            yield item


def _lines(text: bytes) -> Iterator[bytes]:
    """Yield the lines that are not blank, without a list of them all."""
    begin = 0
    while begin < len(text):
        end = text.find(b"\n", begin)
        end = len(text) if end < 0 else end
        line = unmark(text[begin:end])
        if line:
            yield line
        begin = end + 1


def _top_level(text: bytes) -> Iterator[bytes]:
    """Yield the pieces that begin with `{` and end with its `}`, and what lies between them."""
    begin, depth = 0, 0
    for token in _TOKEN.finditer(text):
        mark = token[0]
        if mark in (b"[", b"{"):
            if depth == 0 and (between := text[begin : token.start()].strip(WHITE)):
                yield between
                begin = token.start()
            depth += 1
        elif mark in (b"]", b"}") and depth:
            depth -= 1
            if depth == 0:
                yield text[begin : token.end()].strip(WHITE)
                begin = token.end()
    if rest := text[begin:].strip(WHITE):
        yield rest


class _Bad(msgspec.Struct, frozen=True):
    reason: str


def _value(raw: bytes) -> Any:
    """Return the JSON value of `raw`, or a _Bad with the reason.

    msgspec refuses lone surrogates, NaN, Infinity and numbers without end, which our rules take one
    value at a time: the standard library's parser reads those.
    """
    try:
        return msgspec.json.decode(raw)
    except RecursionError:
        return _Bad("too_deep")
    except UnicodeDecodeError:
        return _Bad("not_utf8")
    except msgspec.DecodeError:
        pass
    try:
        return json.loads(raw.decode(), parse_int=_integer)
    except RecursionError:
        return _Bad("too_deep")
    except UnicodeDecodeError:
        return _Bad("not_utf8")
    except ValueError:
        return _Bad("not_json")


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 300 else float(digits)


def _record(position: int, raw: bytes, limits: Limits) -> Iterator[Record | Reject]:
    """Yield the record of `raw`, the records of a posted array, or the reject."""
    if len(raw) > limits.record_bytes and not _posted_bytes(raw):
        yield Reject(position, "record_too_large", sample(raw))
        return
    if _too_deep(raw, limits.nesting):
        yield Reject(position, "too_deep", sample(raw))
        return
    value = _value(raw)
    if isinstance(value, dict):
        if "0" in value and (keys := _posted(value)):
            yield from _posted_records(position, value, keys, limits)
        else:
            yield Record(position, value, raw)
    else:
        reason = value.reason if isinstance(value, _Bad) else "not_an_object"
        yield Reject(position, reason, sample(raw))


def _too_deep(raw: bytes, nesting: int) -> bool:
    """Whether brackets nest deeper than `nesting`; exact only for the rare record with so many."""
    if raw.count(b"{") + raw.count(b"[") <= nesting:
        return False
    depth = 0
    for token in _TOKEN.finditer(raw):
        mark = token[0]
        if mark in (b"[", b"{"):
            depth += 1
            if depth > nesting:
                return True
        elif mark in (b"]", b"}"):
            depth -= 1
    return False


def _posted_bytes(raw: bytes) -> bool:
    """Whether a large record may be a posted array: its first key is "0"."""
    return re.match(rb'\{\s*"0"\s*:', raw) is not None


def _posted(value: dict[str, Any]) -> list[str]:
    """Return the keys of a posted array in their order, or nothing if `value` is none.

    The ingest function spreads an array into an object: {"0": {…}, "1": {…}, "_ingest": {…}}.
    """
    keys = [key for key in value if key != INGEST]
    if not all(_INDEX.fullmatch(key) for key in keys):
        return []
    if not any(isinstance(value[key], dict) for key in keys):
        return []
    return sorted(keys, key=int)


def _posted_records(
    position: int, value: dict[str, Any], keys: list[str], limits: Limits
) -> Iterator[Record | Reject]:
    for offset, key in enumerate(keys):
        item = value[key]
        raw = canonical(item)
        where = position + offset
        if not isinstance(item, dict):
            yield Reject(where, "not_an_object", sample(raw))
        elif len(raw) > limits.record_bytes:
            yield Reject(where, "record_too_large", sample(raw))
        else:
            yield Record(where, item, raw, value.get(INGEST))


def canonical(value: Any) -> bytes:
    """Return JSON with sorted keys and no white space: equal values, equal bytes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "surrogatepass")
