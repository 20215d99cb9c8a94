"""What holds for any bytes that lie in the raw bucket: the loader's mapping, looked at from outside."""

from __future__ import annotations

import codecs
import contextlib
import dataclasses
import gzip
import json
import re
import uuid
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest import mock

from etl_lambda import streaming, unpacking
from etl_lambda.copying import Part
from etl_lambda.decoding import Record, Reject
from etl_lambda.mapping import COLUMNS, Facts, Mapped, Mapper, Row
from etl_lambda.settings import Limits
from tests.corpus.cases import BUCKET, FOLDER, LIMITS

FACTS = Facts(BUCKET, FOLDER + "event-1.json", datetime(2026, 1, 2, 3, 30, tzinfo=UTC))
REASONS = frozenset(
    {
        "corrupt_gzip",
        "empty_file",
        "not_an_event",
        "not_an_object",
        "not_json",
        "not_utf8",
        "object_too_large",
        "record_too_large",
        "too_deep",
        "too_many_records",
        "truncated_gzip",
    }
)
# The longest that the contract lets each column's text be.
LONGEST = {
    "event_name": 100,
    "user_id": 256,
    "client_id": 256,
    "session_id": 256,
    "context_product_id": 256,
    "user_login_state": 1024,
    "identity_source": 1024,
    "context_product_name": 1024,
    "context_product_category": 1024,
    "context_product_brand": 1024,
    "context_product_url_path": 1024,
}
PRICES = ("context_product_price", "context_product_discount_price")
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
NEIGHBOURS = ("00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002")
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_WHITE = " \t\r\n"
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_MEANT = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}

Item = Row | Reject


def check(data: bytes, facts: Facts = FACTS, limits: Limits = LIMITS) -> Mapped:
    """Map `data` and return what came out. Raises AssertionError if it breaks any rule below."""
    mapper = Mapper(facts)
    items = list(mapper.items(data, limits))
    found = Mapped(_rows(items), _rejects(items), dict(mapper.coerced), dict(mapper.cleaned))
    again = Mapper(facts)
    assert list(again.items(data, limits)) == items, "a second pass gives something else"
    _check_places(items)
    _check_count(data, items, limits)
    for row in found.rows:
        _check_row(row, facts)
    for reject in found.rejects:
        assert reject.reason in REASONS, f"an unknown reason: {reject.reason}"
        assert len(reject.sample) <= 4096, "a sample is longer than 4 KiB"
    for counts in (found.coerced, found.cleaned):
        assert all(0 < count <= len(found.rows) for count in counts.values()), counts
    _check_short_way(data, facts, limits, items, found)
    _check_lines_of_copy(items)
    _check_packed(data, facts, limits, items)
    _check_streaming(data, facts, limits)
    _check_neighbours(data, facts, limits)
    return found


def _rows(items: list[Item]) -> list[Row]:
    return [item for item in items if isinstance(item, Row)]


def _rejects(items: list[Item]) -> list[Reject]:
    return [item for item in items if isinstance(item, Reject)]


def _check_places(items: list[Item]) -> None:
    """Each record is one row or one reject, in the order of the file; or one reject is the object."""
    places = [item.position for item in items]
    assert places in ([None], list(range(len(items)))), f"records are left out: {places}"


def _check_count(data: bytes, items: list[Item], limits: Limits) -> None:
    """Where the standard library takes all of it, there are as many records as it says."""
    records = _count(data)
    if records is not None:
        assert len(items) == min(records, limits.records + 1), f"{len(items)} of {records} records"
        bad = {item.reason for item in _rejects(items)} & {"not_json", "not_utf8"}
        assert not bad, f"JSON is called {bad}"


def _count(data: bytes) -> int | None:
    """Return the records of plain JSON or NDJSON; None for anything else, and for posted arrays."""
    try:
        text = data.decode().strip(_WHITE)
        values = _parsed(text) if text else None
    except (ValueError, RecursionError):
        return None
    if values is None or any(isinstance(value, dict) and "0" in value for value in values):
        return None
    return len(values)


def _parsed(text: str) -> list[Any] | None:
    try:
        value = json.loads(text, parse_int=float)
    except ValueError:
        lines = [line for line in text.split("\n") if line.strip(_WHITE)]
        values = [json.loads(line, parse_int=float) for line in lines]
        return values if all(isinstance(value, dict) for value in values) else None
    return value if isinstance(value, list) else [value]


def _check_row(row: Row, facts: Facts) -> None:
    """Each value is one that its column can hold."""
    assert str(uuid.UUID(row.event_id)) == row.event_id, "the event id is no UUID"
    assert row.event_timestamp.utcoffset() == timedelta(0), "the time is not UTC"
    latest = facts.last_modified + timedelta(minutes=5)
    assert EARLIEST <= row.event_timestamp <= latest, "the time is out of range"
    assert row.event_name, "no name"
    assert row.is_first_visit in (True, False, None)
    for column, longest in LONGEST.items():
        text = getattr(row, column)
        if text is not None:
            assert len(text) <= longest, f"{column} is too long"
            assert not _UNSTORABLE.search(text), f"{column} cannot be stored"
    for column in PRICES:
        text = getattr(row, column)
        if text is not None:
            assert re.fullmatch(r"[0-9]+(\.[0-9]+)?", text, re.ASCII), f"{column} is no number"
            assert 0 <= Decimal(text) < 10**12, f"{column} is out of range"


def _check_short_way(
    data: bytes, facts: Facts, limits: Limits, items: list[Item], found: Mapped
) -> None:
    """What the loader takes by usual.py is what the whole mapping makes of it."""
    mapper, part = Mapper(facts), Part()
    shortly: list[Item] = []
    for item in mapper.lines(data, limits):
        if isinstance(item, Record):
            assert item.line is not None
            part.add_line(0, item.position, item.line)
            shortly.append(_read_row(part.events[-1]))
        else:
            shortly.append(item)
    assert shortly == items, "the short way gives something else"
    counted = dict(mapper.coerced), dict(mapper.cleaned)
    assert counted == (found.coerced, found.cleaned), "the short way counts something else"


def _check_lines_of_copy(items: list[Item]) -> None:
    """PostgreSQL will read of each line what was written."""
    part = Part()
    for item in items:
        if isinstance(item, Row):
            part.add_row(0, item)
            assert _read_row(part.events[-1]) == item, "the row is another after COPY"
        else:
            part.add_reject(0, item)
            _, position, reason, sample = _cells(part.rejects[-1])
            assert reason == item.reason
            assert sample is not None
            read = Reject(None if position is None else int(position), reason, _hex(sample))
            assert read == item, "the reject is another after COPY"


def _hex(cell: str) -> bytes:
    assert cell.startswith("\\x")
    return bytes.fromhex(cell[2:])


def _cells(line: str) -> list[str | None]:
    """Return the values of one line of COPY's text format (PostgreSQL's manual, COPY)."""
    line.encode()
    assert line.find("\n") == len(line) - 1, "a line of COPY is several"
    assert "\r" not in line, "a line of COPY has a bare return"
    cells = line[:-1].split("\t")
    return [
        None if cell == "\\N" else _ESCAPED.sub(lambda found: _MEANT[found[1]], cell)
        for cell in cells
    ]


def _read_row(line: str) -> Row:
    cells = _cells(line)
    assert len(cells) == 2 + len(COLUMNS), "a line of COPY has too few or too many cells"
    _, position, event_id, at, *others = cells
    values: dict[str, Any] = dict(zip(COLUMNS[2:], others, strict=True))
    first = values["is_first_visit"]
    values["is_first_visit"] = None if first is None else {"t": True, "f": False}[first]
    assert position is not None, "no position"
    assert event_id is not None, "no event id"
    assert at is not None, "no time"
    instant = datetime.fromisoformat(at)
    return Row(position=int(position), event_id=event_id, event_timestamp=instant, **values)


def _check_packed(data: bytes, facts: Facts, limits: Limits, items: list[Item]) -> None:
    """A gzip gives what its content does; one that breaks off behind it loses no row."""
    if data.startswith(unpacking.GZIP_MAGIC) or len(data) > limits.decompressed_bytes:
        return
    whole = list(Mapper(facts).items(gzip.compress(data, 1), limits))
    assert _outline(whole) == _outline(items), "a gzip gives something else than its content"
    packer = zlib.compressobj(1, wbits=31)
    cut = packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
    rows = _rows(list(Mapper(facts).items(cut, limits)))
    assert rows == _rows(items), "a gzip that broke off gives other rows"


def _outline(items: list[Item]) -> list[Any]:
    """Return rows whole and rejects without their samples: that of a whole gzip is its own bytes."""
    return [item if isinstance(item, Row) else (item.position, item.reason) for item in items]


def _check_streaming(data: bytes, facts: Facts, limits: Limits) -> None:
    """A large gzip is read line by line and gives what it gives when it is read whole."""
    if data.startswith(unpacking.GZIP_MAGIC) or len(data) > limits.decompressed_bytes:
        return
    most = max(16, len(data) * 2 // 3)
    small = dataclasses.replace(limits, record_bytes=most)
    packed = gzip.compress(data, 1)
    with _large_is(most):
        if streaming.lines(packed, small) is None:
            return
        streamed = list(Mapper(facts).items(packed, small))
    assert streamed == list(Mapper(facts).items(packed, small)), "streaming gives something else"


@contextlib.contextmanager
def _large_is(most: int) -> Iterator[None]:
    """Let a gzip be large from `most` bytes on, and be unpacked in pieces that cut its lines."""
    with (
        mock.patch.object(streaming, "WHOLE_BYTES", most),
        mock.patch.object(unpacking, "_PIECE", 23),
    ):
        yield


def _check_neighbours(data: bytes, facts: Facts, limits: Limits) -> None:
    """Whatever stands in a line, the lines before and behind it load."""
    first, last = (b'{"eventId":"%s"}' % number.encode() for number in NEIGHBOURS)
    limits = dataclasses.replace(limits, records=10**6)
    rows = _rows(list(Mapper(facts).items(b"\n".join([first, data, last]), limits)))
    ids = [row.event_id for row in rows]
    assert (ids[0], ids[-1]) == NEIGHBOURS, "a line costs its neighbours"
    # Nothing stands before it: then it may be another kind of file, but not for its line alone.
    line = data.strip(unpacking.WHITE)
    if line.startswith((b"[", unpacking.GZIP_MAGIC, *_MARKS)) or b"\n" in line:
        return
    rows = _rows(list(Mapper(facts).items(line + b"\n" + last, limits)))
    assert rows, "a first line costs all others"
    assert rows[-1].event_id == NEIGHBOURS[1], "a first line costs the next"
