"""Which keys a request means: key layouts, key hours, and the window of a run."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from etl_lambda.request import Request

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MOST_BACK = timedelta(hours=48)

_KEY = re.compile(r"events/([0-9]{4})/([0-9]{2})/([0-9]{2})/(?:([0-9]{2})/)?([^/\x00-\x1f\x7f\\]+)")
_DAY_PREFIX = re.compile(r"events/([0-9]{4})/([0-9]{2})/([0-9]{2})/")
_HOUR_PREFIX = re.compile(r"events/([0-9]{4})/([0-9]{2})/([0-9]{2})/([0-9]{2})/")
_ABOVE_DAY = re.compile(r"(?:events/(?:[0-9]{4}/(?:[0-9]{2}/)?)?)?")


@dataclass(frozen=True)
class Window:
    """What is listed: the `prefixes`, and of them the keys with hours in [`from_at`, `to_at`).

    `from_at` and `to_at` are None when the prefixes alone decide. `full` marks the daily listing of
    the last weeks.
    """

    prefixes: tuple[str, ...]
    from_at: datetime | None = None
    to_at: datetime | None = None
    full: bool = False

    def holds(self, hour: datetime) -> bool:
        """Whether a key of that hour is meant."""
        if self.from_at is None or self.to_at is None:
            return True
        return self.from_at <= hour < self.to_at


def floor_hour(at: datetime) -> datetime:
    """Return the start of the UTC hour."""
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def ceil_hour(at: datetime) -> datetime:
    """Return the first start of a UTC hour that is not before `at`."""
    floor = floor_hour(at)
    return floor if floor == at else floor + HOUR


def key_hour(key: str, last_modified: datetime) -> datetime | None:
    """Return the UTC hour that a key belongs to, or None for a key outside both layouts.

    A key of the day level belongs to the hour of its LastModified, kept within the key's day.
    """
    match = _KEY.fullmatch(key)
    if match is None or match[5] in (".", ".."):
        return None
    day = _date(match)
    if day is None:
        return None
    if match[4] is not None:
        return day.replace(hour=int(match[4])) if int(match[4]) < 24 else None
    return min(max(floor_hour(last_modified), day), day + 23 * HOUR)


def _date(match: re.Match[str]) -> datetime | None:
    try:
        return datetime(int(match[1]), int(match[2]), int(match[3]), tzinfo=UTC)
    except ValueError:
        return None


def day_of(prefix: str) -> datetime | None:
    """Return the day of `events/YYYY/MM/DD/`, or None for any other prefix."""
    match = _DAY_PREFIX.fullmatch(prefix)
    return _date(match) if match else None


def hour_of(prefix: str) -> datetime | None:
    """Return the hour of `events/YYYY/MM/DD/HH/`, or None for any other prefix."""
    match = _HOUR_PREFIX.fullmatch(prefix)
    day = _date(match) if match else None
    if match is None or day is None or int(match[4]) > 23:
        return None
    return day.replace(hour=int(match[4]))


def has_levels(prefix: str) -> bool:
    """Whether the layout has further levels below `prefix`, so that it is listed level by level."""
    if not prefix.endswith("/"):
        return _ABOVE_DAY.fullmatch(prefix[: prefix.rfind("/") + 1]) is not None or (
            day_of(prefix[: prefix.rfind("/") + 1]) is not None
        )
    return _ABOVE_DAY.fullmatch(prefix) is not None or day_of(prefix) is not None


def of_range(from_at: datetime, to_at: datetime, *, full: bool = False) -> Window:
    """Return the window of all key hours that [`from_at`, `to_at`) touches."""
    start, end = floor_hour(from_at), ceil_hour(to_at)
    day = start.replace(hour=0)
    prefixes = []
    while day < end:
        prefixes.append(f"events/{day:%Y/%m/%d}/")
        day += DAY
    return Window(tuple(prefixes), start, end, full)


def of_request(
    request: Request, now: datetime, start: datetime | None, relist_days: int | None = None
) -> Window:
    """Return the window of a request.

    `start` is the oldest hour that is not proven complete (for the default window); with
    `relist_days` the default window looks back so many days.
    """
    if request.prefix is not None:
        return Window((request.prefix,))
    if request.from_at is not None and request.to_at is not None:
        return of_range(request.from_at, request.to_at)
    end = floor_hour(now) + HOUR
    earliest = now - MOST_BACK
    from_at = earliest if start is None else max(start, earliest)
    if relist_days is not None:
        return of_range(min(now - DAY * relist_days, from_at), end, full=True)
    return of_range(min(from_at, now), end)


def hours_listed(window: Window, days: set[datetime], now: datetime) -> list[datetime]:
    """Return the hours that a finished listing proves, until `now`.

    Of a range: all of its hours. Of a prefix: those of the whole `days` that were listed.
    """
    if window.from_at is None or window.to_at is None:
        hours = [day + HOUR * number for day in sorted(days) for number in range(24)]
    else:
        count = int((window.to_at - window.from_at) / HOUR)
        hours = [window.from_at + HOUR * number for number in range(count)]
    return [hour for hour in hours if hour <= now]
