"""The payload of an invocation becomes a request, or an error that names the field."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from etl_lambda.errors import RequestError

_OWN = ("from", "to", "prefix", "dry_run", "reload", "quarantine")
# The original loader's fields: the first that is given decides.
_ORIGINAL = ("overridePrefix", "targetUtcHour", "targetUtcDate", "hoursBack")
_SCHEDULED = frozenset(
    ("version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail")
)
_HOUR = re.compile(r"([0-9]{4})[-/]([0-9]{2})[-/]([0-9]{2})[T /-]([0-9]{2})")
_DAY = re.compile(r"([0-9]{4})[-/]?([0-9]{2})[-/]?([0-9]{2})")
_MOST_HOURS_BACK = 24 * 366 * 20
_LONGEST = timedelta(days=366 * 20)


@dataclass(frozen=True)
class Request:
    """What one run shall load.

    A range of key hours [`from_at`, `to_at`), or a `prefix`, or neither: the default window.
    `reload` loads objects again that the ledger holds; with `quarantine` only those in quarantine.
    """

    from_at: datetime | None = None
    to_at: datetime | None = None
    prefix: str | None = None
    dry_run: bool = False
    reload: bool = False
    quarantine: bool = False

    @property
    def default(self) -> bool:
        """Whether the default window is meant."""
        return self.from_at is None and self.prefix is None

    def as_json(self) -> dict[str, Any]:
        """Return the request as the run's row keeps it."""
        fields: dict[str, Any] = {}
        if self.from_at is not None and self.to_at is not None:
            fields |= {"from": self.from_at.isoformat(), "to": self.to_at.isoformat()}
        if self.prefix is not None:
            fields["prefix"] = self.prefix
        for name in ("dry_run", "reload", "quarantine"):
            if getattr(self, name):
                fields[name] = True
        return fields


def parse(payload: Any, now: datetime) -> Request:
    """Return the request of a payload at the instant `now`.

    Takes nothing, `{}`, EventBridge's scheduled event, the fields of this loader, or the original's.
    Raises RequestError for a field that is unknown, cannot be parsed or does not fit another.
    """
    if payload is None:
        return Request()
    if not isinstance(payload, dict):
        raise RequestError("payload", "is not a JSON object")
    if "detail-type" in payload:
        return _scheduled(payload)
    for name in payload:
        if name not in (*_OWN, *_ORIGINAL, "scope"):
            raise RequestError(str(name), "is not a known field")
    base = Request(
        dry_run=_flag(payload, "dry_run"),
        reload=_flag(payload, "reload"),
        quarantine=_flag(payload, "quarantine"),
    )
    if base.quarantine and not base.reload:
        raise RequestError("quarantine", "goes only with reload")
    return _with_window(payload, base, now)


def _with_window(payload: dict[str, Any], base: Request, now: datetime) -> Request:
    own = [name for name in ("from", "to", "prefix") if name in payload]
    theirs = [name for name in (*_ORIGINAL, "scope") if name in payload]
    if own and theirs:
        raise RequestError(theirs[0], f"cannot be combined with {own[0]}")
    if theirs:
        return _original(payload, base, now)
    if "prefix" in payload:
        if len(own) > 1:
            raise RequestError("prefix", f"cannot be combined with {own[0]}")
        return replace(base, prefix=_prefix(payload, "prefix"))
    if own:
        return _range(payload, base)
    return base


def _scheduled(payload: dict[str, Any]) -> Request:
    for name in payload:
        if name not in _SCHEDULED:
            raise RequestError(str(name), "is not a field of a scheduled event")
    if payload["detail-type"] != "Scheduled Event":
        raise RequestError("detail-type", "is not that of a scheduled event")
    if payload.get("source") != "aws.events":
        raise RequestError("source", "is not that of a scheduled event")
    return Request()


def _flag(payload: dict[str, Any], name: str) -> bool:
    value = payload.get(name, False)
    if not isinstance(value, bool):
        raise RequestError(name, "is neither true nor false")
    return value


def _range(payload: dict[str, Any], base: Request) -> Request:
    for name in ("from", "to"):
        if name not in payload:
            raise RequestError(name, "is missing")
    from_at, to_at = (_instant(payload, name) for name in ("from", "to"))
    if from_at >= to_at:
        raise RequestError("to", "is not after from")
    if to_at - from_at > _LONGEST:
        raise RequestError("to", "is more than 20 years after from")
    return replace(base, from_at=from_at, to_at=to_at)


def _instant(payload: dict[str, Any], name: str) -> datetime:
    value = payload[name]
    if not isinstance(value, str):
        raise RequestError(name, "is not ISO 8601 text, as 2026-01-31 or 2026-01-31T05")
    try:
        at = datetime.fromisoformat(value.strip())
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise RequestError(name, "is not ISO 8601 text, as 2026-01-31 or 2026-01-31T05") from None
    return at


def _prefix(payload: dict[str, Any], name: str) -> str:
    value = payload[name]
    if not isinstance(value, str) or not value.strip():
        raise RequestError(name, "is not the beginning of a key")
    return value.strip().removeprefix("/")


def _original(payload: dict[str, Any], base: Request, now: datetime) -> Request:
    """Parse every field of the original's, then let the first in the order of precedence decide."""
    scope = payload.get("scope", "hour")
    if scope not in ("hour", "day"):
        raise RequestError("scope", 'is neither "hour" nor "day"')
    found: dict[str, Request] = {}
    if "overridePrefix" in payload:
        prefix = _prefix(payload, "overridePrefix")
        found["overridePrefix"] = replace(base, prefix=prefix)
    if "targetUtcHour" in payload:
        start = _calendar(payload, "targetUtcHour", _HOUR, "an hour as YYYY-MM-DDTHH")
        found["targetUtcHour"] = replace(base, from_at=start, to_at=start + timedelta(hours=1))
    if "targetUtcDate" in payload:
        start = _calendar(payload, "targetUtcDate", _DAY, "a day as YYYY-MM-DD")
        found["targetUtcDate"] = replace(base, from_at=start, to_at=start + timedelta(days=1))
    if "hoursBack" in payload:
        start = now.replace(minute=0, second=0, microsecond=0)
        start -= timedelta(hours=_hours_back(payload["hoursBack"]))
        length = timedelta(hours=1)
        if scope == "day":
            start, length = start.replace(hour=0), timedelta(days=1)
        found["hoursBack"] = replace(base, from_at=start, to_at=start + length)
    for name in _ORIGINAL:
        if name in found:
            return found[name]
    raise RequestError("scope", "goes only with hoursBack")


def _calendar(payload: dict[str, Any], name: str, form: re.Pattern[str], words: str) -> datetime:
    value = payload[name]
    text = value.strip() if isinstance(value, str) else ""
    match = form.fullmatch(text)
    if match is None and form is _HOUR:  # a whole instant names its hour
        match = re.fullmatch(_HOUR.pattern + r":[0-5][0-9](?::[0-5][0-9](?:\.[0-9]+)?)?Z?", text)
    if match is None and form is _HOUR:
        match = re.fullmatch(_HOUR.pattern + "Z", text)
    if match is None:
        raise RequestError(name, f"is not {words}")
    try:
        return datetime(*(int(part) for part in match.groups()), tzinfo=UTC)  # type: ignore[misc,arg-type]
    except ValueError:
        raise RequestError(name, f"is not {words}") from None


def _hours_back(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 9:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise RequestError("hoursBack", "is not a whole number of hours")
    if not 0 <= value <= _MOST_HOURS_BACK:
        raise RequestError("hoursBack", f"is not between 0 and {_MOST_HOURS_BACK}")
    return value
