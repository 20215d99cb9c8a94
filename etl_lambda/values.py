"""One JSON value in, one column's value out, or the reason why there is none.

Each function returns the value, `ABSENT` where the contract says that the value counts as not sent,
or `BAD` for a value of the wrong type, form or range.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

# Never change it: ids made of it are in the warehouse.
NAMESPACE = UUID("6f7d1c0a-3b52-5e0e-9a41-5c1b8f0d2e77")
ID_CHARACTERS = 256
TEXT_CHARACTERS = 1024
NAME_CHARACTERS = 100
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
AHEAD = timedelta(minutes=5)
MILLISECONDS_FROM = 10**11
NUMBER_BELOW = 10**12
NUMBER_CHARACTERS = 1024


class Missing(Enum):
    """Why there is no value."""

    ABSENT = "absent"
    BAD = "bad"


ABSENT: Final = Missing.ABSENT
BAD: Final = Missing.BAD
Absent: TypeAlias = Literal[Missing.ABSENT]
Bad: TypeAlias = Literal[Missing.BAD]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_ID = frozenset({"", "null", "undefined", "00000000-0000-0000-0000-000000000000"})
_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?")
_ISO = re.compile(
    r"(?:[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8})"
    r"(?:[Tt ](?:[0-9]{2}|[0-9]{2}:?[0-9]{2}|[0-9]{2}:?[0-9]{2}:?[0-9]{2}(?:[.,][0-9]+)?)"
    r"(?:[Zz]|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
)


def clean(text: str) -> str:
    """Return `text` without what PostgreSQL cannot store: NUL characters and lone surrogates."""
    return text if text.isprintable() else _UNSTORABLE.sub("", text)


def identifier(text: str) -> str | Missing:
    """Return a cleaned id as sent; blank, null, undefined and the nil UUID are ABSENT."""
    if (len(text) <= 40 or text.isspace()) and text.strip().lower() in NO_ID:
        return ABSENT
    return text if len(text) <= ID_CHARACTERS else BAD


def boolean(value: Any) -> bool | Bad:
    """Return true or false for booleans, "true" and "false" in any case, and the numbers 0 and 1."""
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        word = value.strip().lower()
        if word in ("true", "false"):
            return word == "true"
    return BAD


def number(value: Any) -> str | Missing:
    """Return a plain decimal 0 ≤ x < 10^12 as PostgreSQL reads it; a blank string is ABSENT.

    Strings are taken digit by digit: "1.990.000", "1e5" and "NaN" are BAD, never a guess.
    """
    if isinstance(value, bool):
        return BAD
    if isinstance(value, int):
        return str(value) if 0 <= value < NUMBER_BELOW else BAD
    if isinstance(value, float):
        if not 0 <= value < NUMBER_BELOW:  # NaN fails as well
            return BAD
        text = repr(abs(value))
        return format(Decimal(text), "f") if "e" in text else text
    if not isinstance(value, str):
        return BAD
    text = value.strip()
    if not text:
        return ABSENT
    if len(text) > NUMBER_CHARACTERS or not _NUMBER.fullmatch(text):
        return BAD
    whole, _, fraction = text.lstrip("-").partition(".")
    if text.startswith("-"):
        return BAD if whole.strip("0") or fraction.strip("0") else "0"
    whole = whole.lstrip("0") or "0"
    if len(whole) > 12:
        return BAD
    return f"{whole}.{fraction}" if fraction else whole


def instant(value: Any, latest: datetime) -> datetime | Missing:
    """Return the UTC instant of ISO 8601 text or of a number, from 1990 to `latest`.

    Text without an offset is UTC. Numbers from 10^11 on are milliseconds, smaller ones seconds, both
    since 1970.
    """
    found: datetime
    if isinstance(value, str):
        text = value.strip()
        if not text:
            return ABSENT
        if not _ISO.fullmatch(text):
            return BAD
        try:
            found = datetime.fromisoformat(text.upper())
        except ValueError:
            return BAD
        if found.tzinfo is None:
            found = found.replace(tzinfo=UTC)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        if not 0 <= value < 10**15:
            return BAD
        if value >= MILLISECONDS_FROM:
            found = _EPOCH + timedelta(milliseconds=value)
        else:
            found = _EPOCH + timedelta(seconds=value)
    else:
        return BAD
    return found.astimezone(UTC) if EARLIEST <= found <= latest else BAD


def text_id(text: str) -> str:
    """Return the event id of what the publisher sent: the UUID, or the UUIDv5 of other text."""
    return text.lower() if _UUID.fullmatch(text) else name_id(text.encode())


def name_id(name: bytes) -> str:
    """Return the UUIDv5 of `name` in this project's namespace (RFC 9562, 5.5)."""
    digest = hashlib.sha1(NAMESPACE.bytes + name, usedforsecurity=False).digest()
    return str(UUID(bytes=digest[:16], version=5))
