"""The dashboard as an analyst sees it: Chromium, the forwarded port, the warehouse's own numbers."""

from __future__ import annotations

from playwright.sync_api import Page

from demo.stages import PAGE
from tests.browser import checks
from tests.system.conftest import Running


def _url(demo: Running) -> str:
    return f"http://localhost:{demo.port}{PAGE}"


def test_the_overview_is_sqls_through_the_forwarded_port(demo: Running, page: Page) -> None:
    seen = checks.watched(page)
    checks.show(page, _url(demo))
    checks.overview_equals_sql(page, demo.ask)
    checks.series_equals_sql(page, demo.ask)
    checks.quiet_and_alone(seen, _url(demo))


def test_funnel_products_and_pipeline_are_sqls(demo: Running, page: Page) -> None:
    seen = checks.watched(page)
    checks.show(page, _url(demo), {"page": "funnel", "login": "anonymous"})
    checks.funnel_equals_sql(page, demo.ask)
    checks.show(page, _url(demo), {"page": "products", "range": "7d"})
    checks.products_equal_sql(page, demo.ask)
    checks.show(page, _url(demo), {"page": "pipeline"})
    checks.freshness_equals_sql(page, demo.ask)
    checks.quiet_and_alone(seen, _url(demo))


def test_filters_change_the_numbers_and_the_url(demo: Running, page: Page) -> None:
    checks.show(page, _url(demo))
    checks.filters_change_the_numbers(page, demo.ask)


def test_a_stopped_database_is_said_and_survived(demo: Running, page: Page) -> None:
    checks.says_when_the_database_is_down(
        page,
        _url(demo),
        demo.ask,
        lambda: demo.on_host("systemctl", "stop", "postgresql@17-main"),
        lambda: demo.on_host("systemctl", "start", "postgresql@17-main"),
    )
