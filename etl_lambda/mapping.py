"""An object's bytes and facts in; rows, coercions and rejects out. Pure.

It knows no S3, no database and no Lambda, so that any worker can make the same rows. The rules are
those of the raw event contract (EVENTS.md).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from etl_lambda import spellings, usual, values
from etl_lambda.decoding import Record, Reject, canonical, decode, sample
from etl_lambda.settings import Limits
from etl_lambda.spellings import Spelling
from etl_lambda.values import ABSENT, BAD, Missing

T = TypeVar("T")


class Facts(msgspec.Struct, frozen=True):
    """What is known of an object besides its bytes. `last_modified` carries a time zone."""

    bucket: str
    key: str
    last_modified: datetime


class Row(msgspec.Struct, frozen=True, gc=False):
    """One row of `clickstream_events`, with the record's position in front.

    Prices are plain decimals as text: exact, and as PostgreSQL reads them.
    """

    position: int
    event_id: str
    event_timestamp: datetime
    event_name: str
    user_id: str | None
    user_login_state: str | None
    identity_source: str | None
    client_id: str | None
    session_id: str | None
    is_first_visit: bool | None
    context_product_id: str | None
    context_product_name: str | None
    context_product_category: str | None
    context_product_brand: str | None
    context_product_price: str | None
    context_product_discount_price: str | None
    context_product_url_path: str | None


COLUMNS: tuple[str, ...] = Row.__struct_fields__[1:]


class Mapped(msgspec.Struct):
    """An object's rows and rejects, and how many values were coerced or cleaned, by column."""

    rows: list[Row]
    rejects: list[Reject]
    coerced: dict[str, int]
    cleaned: dict[str, int]


def map_object(data: bytes, facts: Facts, limits: Limits | None = None) -> Mapped:
    """Map a whole object; for large ones `Mapper.items` gives the same piece by piece."""
    mapper = Mapper(facts)
    items = list(mapper.items(data, limits or Limits()))
    return Mapped(
        [item for item in items if isinstance(item, Row)],
        [item for item in items if isinstance(item, Reject)],
        dict(mapper.coerced),
        dict(mapper.cleaned),
    )


class Mapper:
    """Maps the records of one object. `coerced` and `cleaned` count values by column."""

    def __init__(self, facts: Facts) -> None:
        self.coerced: Counter[str] = Counter()
        self.cleaned: Counter[str] = Counter()
        self._facts = facts
        self._latest = facts.last_modified + values.AHEAD
        self._equals: Counter[bytes] = Counter()
        self._bad: set[str] = set()
        self._unclean: set[str] = set()

    def items(self, data: bytes, limits: Limits) -> Iterator[Row | Reject]:
        """Yield a row or a reject for each record of an object's bytes, in the order of the file."""
        for item in decode(data, limits):
            yield item if isinstance(item, Reject) else self.record(item)

    def lines(self, data: bytes, limits: Limits) -> Iterator[Record | Row | Reject]:
        """Yield as `items`, but usual records as they are: with their line of COPY (usual.py)."""
        for item in decode(data, limits, self._usual):
            if isinstance(item, Record) and item.line is None:
                yield self.record(item)
            else:
                yield item

    def record(self, record: Record) -> Row | Reject:
        """Map one record; the reject is `not_an_event` when nothing of an event is in it."""
        event = record.value
        if self._bad or self._unclean:
            self._bad, self._unclean = set(), set()
        event_id = self._id("event_id", _present(event, spellings.EVENT_ID))
        name = self._name(_present(event, spellings.EVENT_NAME))
        client = self._id("client_id", _present(event, spellings.CLIENT_ID))
        session = self._id("session_id", _present(event, spellings.SESSION_ID))
        if event_id is None and name is None and client is None and session is None:
            return Reject(record.position, "not_an_event", sample(record.raw))
        shown = self._products(event)
        row = Row(
            record.position,
            self._own_id(event) if event_id is None else values.text_id(event_id),
            self._time(event, record.ingest),
            name or "unknown",
            self._id("user_id", _present(event, spellings.USER_ID)),
            self._text("user_login_state", _present(event, spellings.LOGIN_STATE)),
            self._text("identity_source", _present(event, spellings.IDENTITY)),
            client,
            session,
            self._first("is_first_visit", _present(event, spellings.FIRST_VISIT), values.boolean),
            self._id(spellings.ID.column, _shown(event, shown, spellings.ID)),
            self._text(spellings.NAME.column, _shown(event, shown, spellings.NAME)),
            self._text(spellings.CATEGORY.column, _shown(event, shown, spellings.CATEGORY)),
            self._text(spellings.BRAND.column, _shown(event, shown, spellings.BRAND)),
            self._first(
                spellings.PRICE.column, _shown(event, shown, spellings.PRICE), values.number
            ),
            self._first(
                spellings.DISCOUNT.column, _shown(event, shown, spellings.DISCOUNT), values.number
            ),
            self._text(spellings.URL.column, _shown(event, shown, spellings.URL)),
        )
        if self._bad or self._unclean:
            self.coerced.update(self._bad)
            self.cleaned.update(self._unclean)
        return row

    def _usual(self, raw: bytes) -> str | None:
        return usual.line(raw, self._latest)

    def _first(
        self, column: str, found: Iterable[Any], convert: Callable[[Any], T | Missing]
    ) -> T | None:
        """Return the first present and valid value; a bad one before it counts as coerced."""
        for value in found:
            result = convert(value)
            if result is BAD:
                self._bad.add(column)
            elif not isinstance(result, Missing):
                return result
        return None

    def _id(self, column: str, found: Iterable[Any]) -> str | None:
        for value in found:
            if not isinstance(value, str):
                self._bad.add(column)
                continue
            result = values.identifier(self._clean(column, value))
            if result is BAD:
                self._bad.add(column)
            elif result is not ABSENT:
                return result
        return None

    def _name(self, found: Iterable[Any]) -> str | None:
        name = self._text("event_name", found, values.NAME_CHARACTERS)
        return name if name and not name.isspace() else None

    def _text(
        self, column: str, found: Iterable[Any], most: int = values.TEXT_CHARACTERS
    ) -> str | None:
        """Return the first text that is not blank, else the blank one as sent, cut at `most`."""
        blank: str | None = None
        for value in found:
            if not isinstance(value, str):
                self._bad.add(column)
                continue
            text = self._clean(column, value)
            if not text or text.isspace():
                blank = text if blank is None else blank
                continue
            if len(text) > most:
                self._bad.add(column)
            return text[:most]
        return blank if blank is None else blank[:most]

    def _clean(self, column: str, text: str) -> str:
        cleaned = values.clean(text)
        if cleaned is not text and cleaned != text:
            self._unclean.add(column)
        return cleaned

    def _products(self, event: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the product objects of an event; one that is no object counts as coerced."""
        shown = []
        for key in spellings.PRODUCTS:
            value = event.get(key)
            if isinstance(value, dict):
                shown.append(value)
            elif value is not None:
                self._bad.add("product")
        return shown

    def _time(self, event: dict[str, Any], around: Any) -> datetime:
        """Return the first valid instant: received, sent, or the object's LastModified."""
        received = [
            value
            for ingest in (around, event.get(spellings.INGEST))
            if isinstance(ingest, dict)
            for value in _present(ingest, spellings.RECEIVED)
        ]
        for value in (*received, *_present(event, spellings.TIMES)):
            result = values.instant(value, self._latest)
            if isinstance(result, datetime):
                return result
            if result is BAD:
                self._bad.add("event_timestamp")
        return self._facts.last_modified

    def _own_id(self, event: dict[str, Any]) -> str:
        """Return the id of an event without one: of where it lies, what it says, and which equal.

        Not of its position: a rewritten file may move records, and must not put another event on an
        old id.
        """
        name = canonical([self._facts.bucket, self._facts.key]) + canonical(event)
        first = hashlib.sha256(name).digest()
        which = self._equals[first]
        self._equals[first] = which + 1
        return values.name_id(name + b"%d" % which)


def _present(event: dict[str, Any], keys: tuple[str, ...]) -> Iterator[Any]:
    """Yield the values of `keys` that are there and not null."""
    for key in keys:
        value = event.get(key)
        if value is not None:
            yield value


def _shown(event: dict[str, Any], shown: list[dict[str, Any]], spelling: Spelling) -> Iterator[Any]:
    """Yield the values of a product field: in the product objects first, then flat in the event."""
    for product in shown:
        yield from _present(product, spelling.inside)
    yield from _present(event, spelling.flat)
