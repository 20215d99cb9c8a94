"""Two real data sets give the answers that were counted twice, independently of this project."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests import toolbox
from tests.warehouse import samples
from tests.warehouse.loading import Loader, ask

pytestmark = pytest.mark.toolbox
REES46 = "'2019-10-01T00:00Z', '2019-10-02T00:00Z', 'UTC'"
WEBFARM = "'1997-01-01T00:00Z', '2000-01-01T00:00Z', 'UTC'"
CART_FUNNEL = "ARRAY['product_view', 'add_to_cart_click', 'checkout_complete']"


@pytest.fixture(scope="module")
def server() -> Iterator[toolbox.PostgresServer]:
    rows = {"rees46": samples.rees46(), "webfarm": samples.webfarm()}
    with toolbox.PostgresServer(warehouse=True) as running:
        for events in rows.values():
            assert Loader(running).load([events])["events_stored"] == len(events)
        yield running


@pytest.fixture(scope="module")
def rees46(server: toolbox.PostgresServer) -> dict[str, Any]:
    return ask(server, f"SELECT * FROM dashboard.kpis({REES46})")[0]


def test_rees46_counts_events_visitors_and_sessions(rees46: dict[str, Any]) -> None:
    assert (rees46["events"], rees46["visitors"], rees46["sessions"]) == (17_434, 4_504, 5_066)


def test_rees46_has_the_events_of_each_name(server: toolbox.PostgresServer) -> None:
    rows = ask(server, f"SELECT event_name, events FROM dashboard.event_mix({REES46})")
    assert {row["event_name"]: row["events"] for row in rows} == {
        "product_view": 17_055,
        "add_to_cart_click": 165,
        "checkout_complete": 214,
    }


def test_rees46_funnel_closed_and_open(server: toolbox.PostgresServer) -> None:
    rows = ask(server, f"SELECT * FROM dashboard.funnel({REES46}, NULL, {CART_FUNNEL})")
    assert [row["closed_sessions"] for row in rows] == [5_066, 118, 65]
    assert [row["open_sessions"] for row in rows] == [5_066, 118, 200]


def test_rees46_rates(rees46: dict[str, Any]) -> None:
    assert (rees46["converted_sessions"], rees46["sessions"]) == (200, 5_066)
    assert (rees46["add_sessions"], rees46["product_view_sessions"]) == (118, 5_066)
    assert rees46["sessions"] - rees46["engaged_sessions"] == 2_087
    assert (rees46["abandoned_sessions"], rees46["sessions_with_add"]) == (53, 118)
    assert rees46["conversion_rate"] == pytest.approx(200 / 5_066)


def test_rees46_cart_value(rees46: dict[str, Any]) -> None:
    assert rees46["cart_value"] == Decimal("33536.64")


def test_rees46_buckets_add_up_to_the_range(
    server: toolbox.PostgresServer, rees46: dict[str, Any]
) -> None:
    for bucket, zone in (("hour", "Asia/Kathmandu"), ("day", "America/New_York"), ("week", "UTC")):
        rows = ask(
            server,
            "SELECT * FROM dashboard.series('2019-10-01T00:00Z', '2019-10-02T00:00Z', %s, NULL, %s)",
            zone,
            bucket,
        )
        for name in ("events", "sessions", "converted_sessions"):
            assert sum(row[name] for row in rows) == rees46[name], (bucket, zone, name)


def test_webfarm_counts_and_funnel(server: toolbox.PostgresServer) -> None:
    kpis = ask(server, f"SELECT * FROM dashboard.kpis({WEBFARM})")[0]
    assert kpis["sessions"] == 1_240
    assert (kpis["abandoned_sessions"], kpis["sessions_with_add"]) == (269, 617)
    rows = ask(server, f"SELECT * FROM dashboard.funnel({WEBFARM})")
    assert [row["closed_sessions"] for row in rows] == [1_101, 604, 441, 342]
    assert [row["open_sessions"] for row in rows] == [1_101, 617, 451, 354]
