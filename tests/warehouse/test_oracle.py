"""Every number of the dashboard is the one that its definition gives, for random shops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.warehouse import shops
from tests.warehouse.oracle import Row
from tests.warehouse.shops import Case, Stock

pytestmark = pytest.mark.toolbox
each_span = pytest.mark.parametrize("asked", shops.questions())


@pytest.fixture(scope="module")
def stock() -> Iterator[Stock]:
    with shops.stocked() as running:
        yield running


@each_span
def test_kpis(stock: Stock, asked: list[Case]) -> None:
    stock.compare(
        asked, "kpis", lambda _: [], lambda oracle, c: oracle.kpis(c.since, c.until, c.wanted)
    )


@each_span
def test_series(stock: Stock, asked: list[Case]) -> None:
    stock.compare(
        asked,
        "series",
        lambda c: [c.bucket],
        lambda oracle, c: oracle.series(c.since, c.until, ZoneInfo(c.zone), c.wanted, c.bucket),
    )


def test_series_of_hours_over_a_change_of_half_an_hour(stock: Stock) -> None:
    stock.compare(
        shops.half_hour_changes(),
        "series",
        lambda c: [c.bucket],
        lambda oracle, c: oracle.series(c.since, c.until, ZoneInfo(c.zone), c.wanted, c.bucket),
    )


def test_event_mix_begins_with_the_most_frequent(stock: Stock) -> None:
    for case in shops.all_years():
        rows = stock.ask("SELECT events FROM dashboard.event_mix(%s, %s, %s, %s)", case.values)
        counts = [row["events"] for row in rows]
        assert counts == sorted(counts, reverse=True)
        assert len(set(counts)) > 2


@each_span
def test_event_mix(stock: Stock, asked: list[Case]) -> None:
    stock.compare(
        asked,
        "event_mix",
        lambda _: [],
        lambda oracle, c: oracle.event_mix(c.since, c.until, c.wanted),
        ordered=False,
    )


@each_span
def test_login_states(stock: Stock, asked: list[Case]) -> None:
    stock.compare(
        asked,
        "login_states",
        lambda _: [],
        lambda oracle, c: oracle.login_states(c.since, c.until, c.wanted),
        ordered=False,
    )


@each_span
def test_funnel(stock: Stock, asked: list[Case]) -> None:
    stock.compare(
        asked,
        "funnel",
        lambda c: [c.steps],
        lambda oracle, c: oracle.funnel(c.since, c.until, c.wanted, c.steps),
    )


@pytest.mark.parametrize("split", ["login_state", "category", "brand", "new_returning"])
@each_span
def test_funnel_split(stock: Stock, asked: list[Case], split: str) -> None:
    stock.compare(
        asked,
        "funnel_split",
        lambda _: [split, 4],
        lambda oracle, c: oracle.funnel_split(c.since, c.until, c.wanted, split, 4),
    )


@each_span
def test_top_products(stock: Stock, asked: list[Case]) -> None:
    stock.compare(
        asked,
        "top_products",
        lambda c: [c.max_rows],
        lambda oracle, c: oracle.top_products(c.since, c.until, c.wanted, c.max_rows),
    )


SORTS = ("views", "name", "adds", "removals", "wishlisted", "rate", "bought", "price")


@pytest.mark.parametrize("ascending", [False, True])
@each_span
def test_product_list(stock: Stock, asked: list[Case], ascending: bool) -> None:
    sorts = iter(SORTS * len(asked))
    for search in ("", "", "1", " BAN ", "no such product"):
        for case in asked:
            more: list[Any] = [search, next(sorts), ascending, case.max_rows % 2 + 1, case.max_rows]
            values = [*case.values, *more]
            answer = stock.ask(
                f"SELECT * FROM dashboard.product_list({', '.join(['%s'] * 9)})", values
            )
            wanted = stock.oracle.product_list(case.since, case.until, case.wanted, *more)
            assert shops.same(answer, wanted), (values, answer[:5], wanted[:5])


def each_product(stock: Stock) -> list[str]:
    """Return the ids of all products, and one that none has."""
    held = {one.product for one in stock.oracle.facts if one.of_product}
    assert len(held) >= 4
    return [*sorted(one for one in held if one), "no such product"]


def compare_products(
    stock: Stock,
    asked: list[Case],
    function: str,
    more: Callable[[Case], list[Any]],
    expected: Callable[[str, Case], list[Row]],
) -> None:
    """Fail when an answer about a product differs, or when few of them say anything."""
    spoke = 0
    for case in asked:
        events = stock.oracle.events(case.since, case.until, case.wanted)
        often = Counter(one.product for one in events if one.of_product and one.product)
        products = [product for product, _ in often.most_common(2)]
        for product in {*products, each_product(stock)[-2], "no such product"}:
            values = [*case.values, *more(case), product]
            marks = ", ".join(["%s"] * len(values))
            answer = stock.ask(f"SELECT * FROM dashboard.{function}({marks})", values)
            wanted = expected(product, case)
            assert shops.same(answer, wanted), (values, answer, wanted)
            spoke += product in products and bool(wanted)
    assert spoke >= len(asked) / 3, f"only {spoke} answers say anything"


@each_span
def test_product_totals(stock: Stock, asked: list[Case]) -> None:
    compare_products(
        stock,
        asked,
        "product_totals",
        lambda _: [],
        lambda product, c: stock.oracle.product_totals(product, c.since, c.until, c.wanted),
    )


@each_span
def test_product_series(stock: Stock, asked: list[Case]) -> None:
    compare_products(
        stock,
        asked,
        "product_series",
        lambda c: [c.bucket],
        lambda product, c: stock.oracle.product_series(
            product, c.since, c.until, ZoneInfo(c.zone), c.wanted, c.bucket
        ),
    )


@each_span
def test_product_prices(stock: Stock, asked: list[Case]) -> None:
    compare_products(
        stock,
        asked,
        "product_prices",
        lambda _: [],
        lambda product, c: stock.oracle.product_prices(product, c.since, c.until, c.wanted),
    )


def test_product_labels(stock: Stock) -> None:
    for product in each_product(stock):
        answer = stock.ask("SELECT * FROM dashboard.product_labels(%s)", [product])
        assert shops.same(answer, stock.oracle.product_labels(product)), (product, answer)


@each_span
def test_top_categories(stock: Stock, asked: list[Case]) -> None:
    stock.compare(
        asked,
        "top_categories",
        lambda c: [c.max_rows],
        lambda oracle, c: oracle.top_terms("category", c.since, c.until, c.wanted, c.max_rows),
    )


@each_span
def test_top_brands(stock: Stock, asked: list[Case]) -> None:
    stock.compare(
        asked,
        "top_brands",
        lambda c: [c.max_rows],
        lambda oracle, c: oracle.top_terms("brand", c.since, c.until, c.wanted, c.max_rows),
    )


@pytest.mark.parametrize("field", ["login_state", "category", "brand", "event_name"])
def test_filter_values(stock: Stock, field: str) -> None:
    answer = stock.ask("SELECT * FROM dashboard.filter_values(%s)", [field])
    expected = stock.oracle.filter_values(field)
    assert sorted(answer, key=lambda row: row["value"]) == sorted(
        expected, key=lambda row: row["value"]
    )
    assert len(expected) >= 4
