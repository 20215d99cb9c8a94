"""The usual record, decoded by its types straight into columns.

Most records are as the publisher's code writes them. Whatever is in any way different is refused here and
mapped by mapping.py, which alone decides what it means; what is taken comes out the same there
(tests/unit/test_loader_usual.py).
"""

from __future__ import annotations

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


def columns(raw: bytes, latest: datetime) -> tuple[Any, ...] | None:
    """Return the columns of clickstream_events of one record's bytes, or None if it is not usual."""
    try:
        event = _decode(raw)
        if not raw.isascii():
            raw.decode()  # msgspec does not look into the values that it skips
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    product = event.product or _NO_PRODUCT
    name, event_id = event.event_name, event.event_id
    ids = (event.user, event.client, event.session, product.id)
    shown = (product.name, product.category, product.brand)
    texts = (event.login_state, event.identity, *shown, product.url)
    at = values.instant(event.ingest.received, latest)
    price = discount = None
    if product.price is not None:
        price = values.number(product.price)
    if product.discount is not None:
        discount = values.number(product.discount)
    if (
        not _plain(name, event_id, ids, texts)
        or not isinstance(at, datetime)
        or isinstance(price, values.Missing)
        or isinstance(discount, values.Missing)
    ):
        return None
    return (
        values.text_id(event_id),
        at,
        name,
        event.user,
        event.login_state,
        event.identity,
        event.client,
        event.session,
        event.is_first,
        product.id,
        *shown,
        price,
        discount,
        product.url,
    )


def _plain(
    name: str, event_id: str, ids: tuple[str | None, ...], texts: tuple[str | None, ...]
) -> bool:
    """Whether every text is printable, within its limit, not blank, and no id counts as absent."""
    given = [text for text in (name, event_id, *ids, *texts) if text is not None]
    whole = f" {' '.join(given)} "
    if "  " in whole or not whole.isprintable() or len(name) > values.NAME_CHARACTERS:
        return False
    if len(whole) > values.ID_CHARACTERS:
        if any(len(text) > values.ID_CHARACTERS for text in (event_id, *ids) if text is not None):
            return False
        if any(len(text) > values.TEXT_CHARACTERS for text in texts if text is not None):
            return False
    lower = [text.lower() for text in (event_id, *ids) if text is not None]
    return values.NO_ID.isdisjoint(lower)
