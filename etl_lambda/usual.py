"""The usual record, decoded by its types straight into a line of COPY.

Most records are as the publisher's code writes them. Whatever is in any way different is refused here and
mapped by mapping.py, which alone decides what it means; what is taken comes out the same there
(tests/unit/test_loader_usual.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from etl_lambda import spellings, values
from etl_lambda.spellings import Spelling

_Text = str | None
_Number = int | float | str | None


def _struct(name: str, fields: Iterable[Any], others: Iterable[str]) -> Any:
    """Return a type of `fields` in which any of the `others` may only be null.

    Another spelling counts when the first says nothing: that is no usual record.
    """
    guards = [
        (f"other_{number}", None, msgspec.field(name=other, default=None))
        for number, other in enumerate(others)
    ]
    return msgspec.defstruct(name, [*fields, *guards], gc=False)


def _field(name: str, keys: tuple[str, ...], kind: Any) -> tuple[str, Any, Any]:
    return name, kind, msgspec.field(name=keys[0], default=None)


def _of_product(name: str, spelling: Spelling, kind: Any) -> tuple[str, Any, Any]:
    return _field(name, spelling.inside, kind)


_Product = _struct(
    "_Product",
    [
        _of_product("id", spellings.ID, _Text),
        _of_product("name", spellings.NAME, _Text),
        _of_product("category", spellings.CATEGORY, _Text),
        _of_product("brand", spellings.BRAND, _Text),
        _of_product("price", spellings.PRICE, _Number),
        _of_product("discount", spellings.DISCOUNT, _Number),
        _of_product("url", spellings.URL, _Text),
    ],
    [other for spelling in spellings.PRODUCT for other in spelling.inside[1:]],
)
_Ingest = msgspec.defstruct(
    "_Ingest", [("received", str, msgspec.field(name=spellings.RECEIVED[0]))], gc=False
)
_FIELDS = (
    ("user", spellings.USER_ID, _Text),
    ("login_state", spellings.LOGIN_STATE, _Text),
    ("client", spellings.CLIENT_ID, _Text),
    ("session", spellings.SESSION_ID, _Text),
    ("is_first", spellings.FIRST_VISIT, bool | None),
    ("product", spellings.PRODUCTS, _Product | None),
    ("identity", spellings.IDENTITY, _Text),
)
_Event = _struct(
    "_Event",
    [
        ("event_name", str, msgspec.field(name=spellings.EVENT_NAME[0])),
        ("event_id", str, msgspec.field(name=spellings.EVENT_ID[0])),
        ("ingest", _Ingest, msgspec.field(name=spellings.INGEST)),
        *(_field(*field) for field in _FIELDS),
    ],
    [
        *(other for _, keys, _ in _FIELDS for other in keys[1:]),
        *(flat for spelling in spellings.PRODUCT for flat in spelling.flat),
    ],
)
_decode = msgspec.json.Decoder(_Event).decode
_NO_PRODUCT = _Product()
_NIL = "\t00000000-0000-0000-0000-000000000000\t"
_NULL = "\\N"
_BOOLEANS = {True: "t", False: "f", None: _NULL}
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z")
_UUID_CHARACTERS, _TIME_CHARACTERS = 36, 20


def line(raw: bytes, latest: datetime) -> str | None:
    """Return the line of COPY that one record's bytes become, or None if it is not usual.

    It has the columns of clickstream_events in COPY's text format, without what stands before them.
    """
    event = _event(raw)
    if event is None or not _is_valid(event.ingest.received, latest):
        return None
    product = event.product or _NO_PRODUCT
    price, discount = _number(product.price), _number(product.discount)
    if price is None or discount is None:
        return None
    name, user, login, client = event.event_name, event.user, event.login_state, event.client
    session, identity, item, label = event.session, event.identity, product.id, product.name
    category, brand, url = product.category, product.brand, product.url
    ids = f"\t{event.event_id}\t{user}\t{client}\t{session}\t{item}\t".lower()
    if "\tnull\t" in ids or "\tundefined\t" in ids or _NIL in ids:
        return None
    text = (
        f"{values.text_id(event.event_id)}\t{event.ingest.received}\t{name}"
        f"\t{_NULL if user is None else user}"
        f"\t{_NULL if login is None else login}"
        f"\t{_NULL if identity is None else identity}"
        f"\t{_NULL if client is None else client}"
        f"\t{_NULL if session is None else session}"
        f"\t{_BOOLEANS[event.is_first]}"
        f"\t{_NULL if item is None else item}"
        f"\t{_NULL if label is None else label}"
        f"\t{_NULL if category is None else category}"
        f"\t{_NULL if brand is None else brand}"
        f"\t{price}\t{discount}"
        f"\t{_NULL if url is None else url}\t"
    )
    if _has_blank(ids) or _has_blank(text):
        return None
    # Beyond ASCII there are other spaces; shown names and categories alone are usual there.
    if not raw.isascii() and not (
        f"{ids}{name}{login}{identity}{url}".isascii() and f"{label}{category}{brand}".isprintable()
    ):
        return None
    if len(name) > values.NAME_CHARACTERS or not _within_limits(
        text,
        (event.event_id, user, client, session, item),
        (login, identity, label, category, brand, url),
    ):
        return None
    return text[:-1] + "\n"


def _event(raw: bytes) -> Any:
    """Return the event of a record without any escape, or None."""
    # Then no value has a tab, a line's end, a NUL or a backslash: what COPY would escape.
    if raw.find(b"\\") >= 0:
        return None
    try:
        event = _decode(raw)
        if not raw.isascii():
            raw.decode()  # msgspec does not look into the values that it skips
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return event


def _has_blank(text: str) -> bool:
    """Whether a value between tabs is empty, or begins or ends with a space."""
    return "\t\t" in text or "\t " in text or " \t" in text


def _is_valid(at: str, latest: datetime) -> bool:
    """Whether a time is spelt as the publisher's clock does, exists, and is from 1990 to `latest`."""
    if not _TIME.fullmatch(at):
        return False
    try:
        return values.EARLIEST <= datetime.fromisoformat(at) <= latest
    except ValueError:
        return False


def _number(value: Any) -> str | None:
    """Return the text of a number or of none, or None for what is no number."""
    if value is None:
        return _NULL
    if value.__class__ is int and 0 <= value < values.NUMBER_BELOW:  # nearly all
        return str(value)
    text = values.number(value)
    return None if isinstance(text, values.Missing) else text


def _within_limits(text: str, ids: tuple[str | None, ...], texts: tuple[str | None, ...]) -> bool:
    # The id, of whatever it was made, and the time take so much of the line at least.
    most = values.ID_CHARACTERS + _UUID_CHARACTERS + _TIME_CHARACTERS
    if len(text) <= most and len(ids[0] or "") <= values.ID_CHARACTERS:
        return True
    if any(len(one) > values.ID_CHARACTERS for one in ids if one is not None):
        return False
    return not any(len(one) > values.TEXT_CHARACTERS for one in texts if one is not None)
