"""Bytes of an object in, its records and rejects out: gzip, BOM, one object, array or NDJSON.

The fast way is one pass of msgspec. Only what it refuses is looked at again, piece by piece, so that
one bad record never costs its neighbours.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from etl_lambda import brackets, streaming
from etl_lambda.settings import Limits
from etl_lambda.spellings import INGEST
from etl_lambda.unpacking import WHITE, UnpackError, unmark, unpack

SAMPLE_BYTES = 4096
_INDEX = re.compile(r"0|[1-9][0-9]{0,8}")
_OPEN = re.compile(rb"\s*\[")
_NEXT = re.compile(rb",\s*(?=\{)")
# The beginning of a character of several bytes, where the text ends (RFC 3629).
_CUT_CHARACTER = re.compile(
    rb"(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z"
)
_TRIES = 20
_EMPTY: dict[str, Any] = {}


class Reject(msgspec.Struct, frozen=True):
    """What cannot become a row: 0-based `position` in the file, or None for the whole object."""

    position: int | None
    reason: str
    sample: bytes


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record: 0-based `position`, the decoded object, its bytes, and the `_ingest` around it.

    `line` is what `Usual` made of the bytes; then they were not decoded, and `value` is empty.
    """

    position: int
    value: dict[str, Any]
    raw: bytes
    ingest: Any = None
    line: str | None = None


# Makes a line of COPY of the bytes of a usual record, None of any other.
Usual = Callable[[bytes], str | None]


def never(_: bytes) -> None:
    """Take no record for a usual one."""


def sample(raw: bytes | memoryview) -> bytes:
    """Return the first 4 KiB."""
    return bytes(raw[:SAMPLE_BYTES])


def decode(data: bytes, limits: Limits, usual: Usual = never) -> Iterator[Record | Reject]:
    """Yield the records and rejects of an object's bytes, in the order of the file.

    At most `limits.records` are read; the rest of a longer file is one reject.
    """
    lines = streaming.lines(data, limits)
    if lines is not None:
        found = _records(lines, limits, usual, 0)
    else:
        try:
            plain, truncated = unpack(data, limits)
        except UnpackError as error:
            yield Reject(None, error.reason, sample(data))
            return
        found = _parse(plain, limits, truncated, usual)
    for count, item in enumerate(found):
        if count >= limits.records:
            yield Reject(count, "too_many_records", _bytes_of(item))
            return
        yield item


def _bytes_of(item: Record | Reject) -> bytes:
    return sample(item.raw) if isinstance(item, Record) else item.sample


def _parse(text: bytes, limits: Limits, truncated: bool, usual: Usual) -> Iterator[Record | Reject]:
    if not text:
        yield Reject(None, "truncated_gzip" if truncated else "empty_file", b"")
        return
    position = 0
    found = _array(text, limits, usual) if text.startswith(b"[") else _objects(text, limits, usual)
    if not truncated:
        yield from found
        return
    last: Reject | None = None
    for item in found:
        if last is not None:
            yield last
            last = None
        position += 1
        if isinstance(item, Reject):
            last = item  # the last one may be no bad record, but the place where the gzip broke off
        else:
            yield item
    if last is not None and (
        last.position is None
        or last.reason == "not_json"
        or (last.reason == "not_utf8" and _CUT_CHARACTER.search(text[-3:]))
    ):
        where = last.position if position > 1 else None
        yield Reject(where, "truncated_gzip", last.sample)
    else:
        if last is not None:
            yield last
        yield Reject(position, "truncated_gzip", b"")


def _array(text: bytes, limits: Limits, usual: Usual) -> Iterator[Record | Reject]:
    try:
        elements = msgspec.json.decode(text, type=list[msgspec.Raw])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        yield from (
            _objects(text, limits, usual) if _is_lines(text) else _broken_array(text, limits, usual)
        )
        return
    position = 0
    for element in elements:
        for item in read_record(position, bytes(element), limits, usual):
            position += 1
            yield item


def _is_lines(text: bytes) -> bool:
    """Whether `text` is no array but lines, of which the first is rubbish that begins with `[`."""
    first, second = [*itertools.islice(lines(text), 2), b"", b""][:2]
    if first == b"[" or first.endswith((b",", b"]")):
        return False
    return isinstance(json_value(first), Bad) and isinstance(json_value(second), dict)


def _broken_array(text: bytes, limits: Limits, usual: Usual) -> Iterator[Record | Reject]:
    """Take the elements of an array one by one: by their brackets and strings, whatever is in them.

    Further arrays may follow the first.
    """
    position, end, mark = 0, 1, b","
    items: list[Record | Reject] = []
    while mark == b",":
        begin = end
        stop, end, mark = brackets.element(text, begin, len(text))
        if again := _hidden(text, begin, stop, end, limits):
            stop, end, mark = again, again, b","
        piece = text[begin:stop].strip(WHITE)
        items = list(read_record(position, piece, limits, usual)) if piece or mark == b"," else []
        position += len(items)
        yield from items
        if mark in (b"]", b"}") and (further := _OPEN.match(text, end)):
            end, mark = further.end(), b","
    if not mark and (not items or isinstance(items[0], Record)):
        yield Reject(position, "not_json", b"")  # whole, but the array's end is missing
    elif rest := text[end:].strip(WHITE):
        yield from _objects(rest, limits, usual, position)


def _hidden(text: bytes, begin: int, stop: int, end: int, limits: Limits) -> int:
    """Return where an element begins that a lost quote or bracket has hidden in another, or 0.

    Trusts the brackets if the element is JSON, or the next one is an object, or the text broke off.
    """
    places = [at.end() for at in itertools.islice(_NEXT.finditer(text, begin, stop), _TRIES)]
    if not places or (stop == len(text) and not text.endswith(b"]")):
        return 0
    if not isinstance(json_value(text[begin:stop].strip(WHITE)), Bad) or _is_object(
        text, end, limits
    ):
        return 0
    return next((place for place in places if _is_object(text, place, limits)), 0)


def _is_object(text: bytes, begin: int, limits: Limits) -> bool:
    """Whether the array's element that begins there is an object of a size within the limits."""
    stop = brackets.element(text, begin, min(len(text), begin + limits.record_bytes))[0]
    return isinstance(json_value(text[begin:stop].strip(WHITE)), dict)


def _objects(
    text: bytes, limits: Limits, usual: Usual, position: int = 0
) -> Iterator[Record | Reject]:
    """One object, one to a line, or one after the other."""
    one_line = b"\n" not in text
    if one_line:  # mostly one event: not decoded twice
        found = list(read_record(position, text, limits, usual))
        if isinstance(found[0], Record):
            yield from found
            return
    if one_line or len(text) <= limits.record_bytes:
        value = json_value(text)
        if not isinstance(value, Bad):
            yield from read_record(position, text, limits, usual)
            return
    if not one_line and any(isinstance(json_value(line), dict) for line in lines(text)):
        pieces = lines(text)
    else:
        extents = list(brackets.top_level(text))
        if not any(isinstance(json_value(piece), dict) for piece in extents):
            first = next(read_record(position, text, limits, usual))
            reason = first.reason if isinstance(first, Reject) else "not_json"
            whole = position == 0 and reason != "too_deep"
            yield Reject(None if whole else position, reason, sample(text))
            return
        pieces = iter(extents)
    yield from _records(pieces, limits, usual, position)


def _records(
    pieces: Iterable[bytes], limits: Limits, usual: Usual, position: int
) -> Iterator[Record | Reject]:
    most, nesting, is_too_deep = limits.record_bytes, limits.nesting, brackets.too_deep
    for piece in pieces:
        # What read_record would do, for nearly all of them: its generator costs more than that.
        if len(piece) <= most and not is_too_deep(piece, nesting):
            line = usual(piece)
            if line is not None:
                yield Record(position, _EMPTY, piece, None, line)
                position += 1
                continue
        for item in read_record(position, piece, limits, usual):
            position += 1
            yield item


def lines(text: bytes) -> Iterator[bytes]:
    """Yield the lines that are not blank, without a list of them all."""
    begin = 0
    while begin < len(text):
        end = text.find(b"\n", begin)
        end = len(text) if end < 0 else end
        line = unmark(text[begin:end])
        if line:
            yield line
        begin = end + 1


class Bad(msgspec.Struct, frozen=True):
    """No JSON value; `reason` is the reject's code."""

    reason: str


def json_value(raw: bytes) -> Any:
    """Return the JSON value of `raw`, or a Bad with the reason.

    msgspec refuses lone surrogates, NaN, Infinity and numbers without end, which our rules take one
    value at a time: the standard library's parser reads those.
    """
    try:
        return msgspec.json.decode(raw)
    except RecursionError:
        return Bad("too_deep")
    except UnicodeDecodeError:
        return Bad("not_utf8")
    except msgspec.DecodeError:
        pass
    try:
        return json.loads(raw.decode(), parse_int=_integer)
    except RecursionError:
        return Bad("too_deep")
    except UnicodeDecodeError:
        return Bad("not_utf8")
    except ValueError:
        return Bad("not_json")


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 300 else float(digits)


def read_record(
    position: int, raw: bytes, limits: Limits, usual: Usual = never
) -> Iterator[Record | Reject]:
    """Yield the record of one JSON value's bytes, the records of a posted array, or the reject."""
    if len(raw) > limits.record_bytes and not _posted_bytes(raw):
        yield Reject(position, "record_too_large", sample(raw))
        return
    if brackets.too_deep(raw, limits.nesting):
        yield Reject(position, "too_deep", sample(raw))
        return
    line = usual(raw)
    if line is not None:
        yield Record(position, _EMPTY, raw, None, line)
        return
    value = json_value(raw)
    if isinstance(value, dict):
        if "0" in value and (keys := posted_keys(value)):
            yield from _posted_records(position, value, keys, limits)
        else:
            yield Record(position, value, raw)
    else:
        reason = value.reason if isinstance(value, Bad) else "not_an_object"
        yield Reject(position, reason, sample(raw))


def _posted_bytes(raw: bytes) -> bool:
    """Whether a large record may be a posted array: its first key is "0"."""
    return re.match(rb'\{\s*"0"\s*:', raw) is not None


def posted_keys(value: dict[str, Any]) -> list[str]:
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
