"""Key layouts, key hours and windows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from etl_lambda import window
from etl_lambda.request import Request

NOW = datetime(2026, 11, 24, 14, 37, tzinfo=UTC)


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("key", "modified", "hour"),
    [
        ("events/2026/11/01/05/event-1.json", at(2026, 11, 3, 9), at(2026, 11, 1, 5)),
        ("events/2026/11/01/event-1.json", at(2026, 11, 1, 9, 59), at(2026, 11, 1, 9)),
        ("events/2026/11/01/event-1.json", at(2026, 11, 3, 9), at(2026, 11, 1, 23)),
        ("events/2026/11/01/event-1.json", at(2026, 10, 31, 9), at(2026, 11, 1, 0)),
        ("events/2026/11/01/export.ndjson.gz", at(2026, 11, 1, 9), at(2026, 11, 1, 9)),
        ("events/2026/11/01/Bản sao (1).json", at(2026, 11, 1, 9), at(2026, 11, 1, 9)),
    ],
)
def test_the_hour_of_a_key(key: str, modified: datetime, hour: datetime) -> None:
    assert window.key_hour(key, modified) == hour


@pytest.mark.parametrize(
    "key",
    [
        "events/readme.txt",
        "events/2026/11/event-1.json",
        "events/2026/11/31/event-1.json",
        "events/2026/11/01/24/event-1.json",
        "events/2026/11/01/5/event-1.json",
        "events/2026/11/01/05/deeper/event-1.json",
        "events/2026/11/01//event-1.json",
        "events/2026/11/01/..",
        "events/2026/11/01/a\tb.json",
        "Events/2026/11/01/event-1.json",
        "backup/events/2026/11/01/event-1.json",
        "events/٢٠٢٦/11/01/event-1.json",
        "events/2026/11/01/event-1.json\n",
    ],
)
def test_foreign_keys(key: str) -> None:
    assert window.key_hour(key, NOW) is None


def test_a_range_lists_each_day_that_it_touches() -> None:
    found = window.of_range(at(2026, 10, 31, 22, 30), at(2026, 11, 2))
    assert found.prefixes == ("events/2026/10/31/", "events/2026/11/01/")
    assert (found.from_at, found.to_at) == (at(2026, 10, 31, 22), at(2026, 11, 2))
    assert not found.holds(at(2026, 10, 31, 21))
    assert found.holds(at(2026, 10, 31, 22))
    assert found.holds(at(2026, 11, 1, 23))
    assert not found.holds(at(2026, 11, 2))


def test_a_range_within_an_hour_means_that_hour() -> None:
    found = window.of_range(at(2026, 11, 1, 5, 10), at(2026, 11, 1, 5, 20))
    assert (found.from_at, found.to_at) == (at(2026, 11, 1, 5), at(2026, 11, 1, 6))


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        (at(2026, 11, 24, 13), at(2026, 11, 24, 13)),
        (at(2026, 11, 1), at(2026, 11, 22, 14)),  # not longer ago than 48 hours
        (None, at(2026, 11, 22, 14)),
        (at(2026, 11, 25), at(2026, 11, 24, 14)),  # never without the hour that runs
    ],
)
def test_the_default_window(start: datetime | None, expected: datetime) -> None:
    found = window.of_request(Request(), NOW, start)
    assert (found.from_at, found.to_at, found.full) == (expected, at(2026, 11, 24, 15), False)


def test_once_a_day_the_last_weeks_are_listed_again() -> None:
    found = window.of_request(Request(), NOW, at(2026, 11, 24, 13), 35)
    assert found.full
    assert found.from_at == at(2026, 10, 20, 14)
    assert len(found.prefixes) == 36


def test_a_prefix_is_taken_as_it_is() -> None:
    found = window.of_request(Request(prefix="events/2026/1"), NOW, None)
    assert found.prefixes == ("events/2026/1",)
    assert found.holds(at(1999, 1, 1))


@pytest.mark.parametrize(
    ("prefix", "levels"),
    [
        ("", True),
        ("ev", True),
        ("events/", True),
        ("events/20", True),
        ("events/2026/", True),
        ("events/2026/11/", True),
        ("events/2026/11/01/", True),
        ("events/2026/11/01/0", True),
        ("events/2026/11/01/05/", False),
        ("events/2026/11/01/05/event-a", False),
        ("events/2026/11/01/x/", False),
        ("other/", False),
    ],
)
def test_which_prefixes_are_listed_level_by_level(prefix: str, levels: bool) -> None:
    assert window.has_levels(prefix) is levels


def test_a_finished_range_proves_its_hours_but_not_the_future() -> None:
    listed = window.of_range(NOW - timedelta(hours=2), NOW + timedelta(hours=5))
    assert window.hours_listed(listed, set(), NOW) == [
        at(2026, 11, 24, 12),
        at(2026, 11, 24, 13),
        at(2026, 11, 24, 14),
    ]


def test_a_prefix_proves_the_hours_of_its_whole_days() -> None:
    listed = window.Window(("events/2026/11/01/",))
    hours = window.hours_listed(listed, {at(2026, 11, 1)}, NOW)
    assert (len(hours), hours[0], hours[-1]) == (24, at(2026, 11, 1), at(2026, 11, 1, 23))
    assert window.hours_listed(listed, set(), NOW) == []
