"""Heatmap, cohorts, new against returning and the funnel's buckets are as defined, for random shops."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.warehouse import oracle, shops
from tests.warehouse.shops import Case, Stock

pytestmark = pytest.mark.toolbox
each_span = pytest.mark.parametrize("asked", shops.questions())
# Eight years of hours, or of weeks against weeks, say no more than two weeks of them.
each_short_span = pytest.mark.parametrize("asked", shops.questions(whole=False))


@pytest.fixture(scope="module")
def stock() -> Iterator[Stock]:
    with shops.stocked() as running:
        yield running


def by_cohorts(case: Case, whole: bool) -> Case:
    """Ask by days or weeks, and only for whole ones if told so."""
    bucket = "week" if case.bucket == "week" else "day"
    zone = ZoneInfo(case.zone)
    ends = oracle.buckets(case.since, case.until, zone, bucket)[-1].end
    return replace(case, bucket=bucket, until=ends if whole else case.until)


def compare_retention(stock: Stock, asked: list[Case]) -> None:
    stock.compare(
        asked,
        "retention",
        lambda c: [c.bucket],
        lambda oracle, c: oracle.retention(c.since, c.until, ZoneInfo(c.zone), c.wanted, c.bucket),
        ordered=False,
    )


@each_short_span
def test_heatmap(stock: Stock, asked: list[Case]) -> None:
    stock.compare(
        asked,
        "heatmap",
        lambda _: [],
        lambda oracle, c: oracle.heatmap(c.since, c.until, ZoneInfo(c.zone), c.wanted),
        ordered=False,
    )


@each_short_span
def test_retention(stock: Stock, asked: list[Case]) -> None:
    compare_retention(stock, [by_cohorts(case, whole=True) for case in asked])


def test_retention_takes_the_day_or_week_whole_that_the_range_cuts(stock: Stock) -> None:
    asked = shops.cases(shops.SPANS[0])[:4] + shops.cases(shops.SPANS[5])[:4]
    compare_retention(stock, [by_cohorts(case, whole=False) for case in asked])


@each_span
def test_new_returning(stock: Stock, asked: list[Case]) -> None:
    stock.compare(
        asked,
        "new_returning",
        lambda c: [c.bucket],
        lambda oracle, c: oracle.new_returning(
            c.since, c.until, ZoneInfo(c.zone), c.wanted, c.bucket
        ),
    )


@pytest.mark.parametrize("login", [None, "guest", "other"])
def test_the_first_of_two_sessions_of_an_instant_is_new_whatever_the_filter(
    stock: Stock, login: str | None
) -> None:
    day = shops.TWINS_AT.replace(hour=0)
    wanted = {"login_state": [login]} if login else None
    stock.compare(
        [Case(day, day + timedelta(days=1), "UTC", wanted, "day", [], 0)],
        "new_returning",
        lambda c: [c.bucket],
        lambda oracle, c: oracle.new_returning(
            c.since, c.until, ZoneInfo(c.zone), c.wanted, c.bucket
        ),
    )


@each_span
def test_visitor_facts(stock: Stock, asked: list[Case]) -> None:
    stock.compare(
        asked,
        "visitor_facts",
        lambda _: [],
        lambda oracle, c: oracle.visitor_facts(c.since, c.until, c.wanted),
    )


@each_span
def test_funnel_series(stock: Stock, asked: list[Case]) -> None:
    stock.compare(
        asked,
        "funnel_series",
        lambda c: [c.steps, c.bucket],
        lambda oracle, c: oracle.funnel_series(
            c.since, c.until, ZoneInfo(c.zone), c.wanted, c.steps, c.bucket
        ),
    )


def test_new_returning_by_hours_over_a_change_of_half_an_hour(stock: Stock) -> None:
    stock.compare(
        shops.half_hour_changes(),
        "new_returning",
        lambda c: [c.bucket],
        lambda oracle, c: oracle.new_returning(
            c.since, c.until, ZoneInfo(c.zone), c.wanted, c.bucket
        ),
    )


def test_funnel_series_by_hours_over_a_change_of_half_an_hour(stock: Stock) -> None:
    stock.compare(
        shops.half_hour_changes(),
        "funnel_series",
        lambda c: [c.steps, c.bucket],
        lambda oracle, c: oracle.funnel_series(
            c.since, c.until, ZoneInfo(c.zone), c.wanted, c.steps, c.bucket
        ),
    )


def test_heatmap_counts_an_hour_that_half_an_hour_repeats_twice(stock: Stock) -> None:
    """The clock of Lord Howe goes back from 2 to half past 1 on Sunday, 1 April 2018."""
    rows = stock.ask(
        "SELECT hour, occurrences FROM dashboard.heatmap(%s, %s, %s) WHERE hour < 4 ORDER BY 1",
        ["2018-03-31T13:00Z", "2018-04-01T13:30Z", "Australia/Lord_Howe"],
    )
    assert [(row["hour"], row["occurrences"]) for row in rows] == [(0, 1), (1, 2), (2, 1), (3, 1)]
