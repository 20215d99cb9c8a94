"""Whoever cannot see or use a mouse: axe's rules, tables beside charts, the order of keys."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser import axe, checks
from tests.browser.conftest import Dashboard


@pytest.mark.parametrize("name", checks.PAGES)
def test_axe_finds_nothing_serious(dashboard: Dashboard, page: Page, name: str) -> None:
    # Colours that still change are no colours to measure.
    page.emulate_media(reduced_motion="reduce")
    checks.show(page, dashboard.url, {"page": name, "login": "anonymous", "measure": "x"})
    if name == "sessions":
        page.locator("[data-testid=sessions] [data-pick=session]").first.click()
        checks.drawn(page)
    page.locator(f"{checks.SHOWN} details").evaluate_all("all => all.forEach(x => x.open = true)")
    assert axe.serious(page) == []
    page.locator("#theme").click()
    if name != "pipeline":
        page.locator("[data-open=category]").click()
        page.locator("[data-choice=category] [data-value]").first.wait_for()
    assert axe.serious(page) == []
    page.set_viewport_size({"width": 390, "height": 800})
    assert axe.serious(page) == []
    # Each chart's numbers stand in a table of the same card, or of the card beside it.
    alone = page.locator(f"{checks.SHOWN} .plot, {checks.SHOWN} .funnel").evaluate_all(
        "all => all.filter(one => !(one.closest('.halves') || one.closest('.card'))"
        ".querySelector('.as-table')).length"
    )
    assert alone == 0


def test_axe_finds_nothing_serious_on_one_products_page(dashboard: Dashboard, page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")
    checks.show(page, dashboard.url, {"page": "products", "product": "p-evil"})
    page.locator(f"{checks.SHOWN} details").evaluate_all("all => all.forEach(x => x.open = true)")
    assert axe.serious(page) == []
    page.locator("#theme").click()
    assert axe.serious(page) == []
    page.set_viewport_size({"width": 390, "height": 800})
    assert axe.serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_axe_would_find_something(dashboard: Dashboard, page: Page) -> None:
    checks.show(page, dashboard.url)
    page.evaluate("() => document.querySelector('main').append(document.createElement('button'))")
    assert [found.split(":")[0] for found in axe.serious(page)] == ["button-name"]


def test_keys_go_through_the_page_in_its_order(dashboard: Dashboard, page: Page) -> None:
    checks.show(page, dashboard.url)
    names = []
    for _ in range(40):
        page.keyboard.press("Tab")
        names.append(
            page.evaluate(
                "() => document.activeElement.dataset.open || document.activeElement.dataset.value"
                " || document.activeElement.id || document.activeElement.hash || ''"
            )
        )
    wanted = [
        "#main",
        *checks.PAGES,
        "today",
        "from",
        "login",
        "category",
        "brand",
        "event",
        "zone",
    ]
    places = [names.index(name) for name in wanted if name in names]
    assert len(places) == len(wanted), names
    assert places == sorted(places), names
    page.locator("[data-open=brand]").focus()
    page.keyboard.press("Enter")
    page.locator("[data-search=brand]").wait_for()
    page.keyboard.press("Escape")
    assert page.evaluate("() => document.activeElement.dataset.open") == "brand"
