"""The dashboard in a browser: its numbers are SQL's, and it says what it does not know."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.server
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from demo.objects import Writer
from tests.browser import checks, shop
from tests.browser.conftest import Dashboard, serving
from tests.toolbox import PostgresServer


def test_every_number_of_the_overview_is_sqls(dashboard: Dashboard, page: Page) -> None:
    seen = checks.watched(page)
    checks.show(page, dashboard.url)
    checks.overview_equals_sql(page, dashboard.ask)
    checks.series_equals_sql(page, dashboard.ask)
    checks.completeness_equals_sql(page, dashboard.ask)
    checks.definitions_stand_beside_numbers(page)
    checks.quiet_and_alone(seen, dashboard.url)


@pytest.mark.parametrize(
    "query",
    [
        {"range": "today"},
        {"range": "90d", "login": "guest,anonymous"},
        {"range": "30d", "zone": "Asia/Kathmandu", "bucket": "day"},
        {"range": "yesterday", "zone": "America/New_York", "login": "other"},
        {"category": "<b>fat</b>", "brand": "o'br\u00efen", "event": "product_view"},
    ],
)
def test_a_link_shows_its_view(dashboard: Dashboard, page: Page, query: dict[str, str]) -> None:
    checks.show(page, dashboard.url, query)
    assert checks.shown_range(page)["zone"] == query.get("zone", "Asia/Ho_Chi_Minh")
    checks.overview_equals_sql(page, dashboard.ask)
    if (checks.number(page, "kpi-events") or 0) > 0:
        checks.series_equals_sql(page, dashboard.ask)
        checks.completeness_equals_sql(page, dashboard.ask)


def test_the_funnel_is_sqls(dashboard: Dashboard, page: Page) -> None:
    seen = checks.watched(page)
    checks.show(page, dashboard.url, {"page": "funnel"})
    checks.funnel_equals_sql(page, dashboard.ask)
    checks.funnel_page_speaks_of(page, "left")
    checks.funnel_page_speaks_of(page, "still open")
    checks.choose(page, "login", "anonymous")
    checks.drawn(page)
    checks.funnel_equals_sql(page, dashboard.ask)
    checks.quiet_and_alone(seen, dashboard.url)


def test_the_funnels_heights_are_of_the_first_step_or_of_the_one_before(
    dashboard: Dashboard, page: Page
) -> None:
    seen = checks.watched(page)
    checks.show(page, dashboard.url, {"page": "funnel"})
    checks.funnel_heights_are_a_choice(page, dashboard.ask)
    checks.quiet_and_alone(seen, dashboard.url)


def test_the_funnels_steps_are_a_choice(dashboard: Dashboard, page: Page) -> None:
    seen = checks.watched(page)
    checks.funnel_steps_are_a_choice(page, dashboard.url, dashboard.ask)
    checks.quiet_and_alone(seen, dashboard.url)


def test_the_funnel_is_split_by_what_sql_says(dashboard: Dashboard, page: Page) -> None:
    seen = checks.watched(page)
    checks.show(page, dashboard.url, {"page": "funnel"})
    checks.funnel_splits_equal_sql(page, dashboard.ask)
    checks.quiet_and_alone(seen, dashboard.url)


def test_who_left_where_leads_to_those_sessions(dashboard: Dashboard, page: Page) -> None:
    checks.show(page, dashboard.url, {"page": "funnel", "login": "anonymous"})
    checks.left_equals_sql(page, dashboard.ask)


@pytest.mark.parametrize("query", [{}, {"range": "today", "category": "mouse", "login": "guest"}])
def test_visitors_are_sqls(dashboard: Dashboard, page: Page, query: dict[str, str]) -> None:
    seen = checks.watched(page)
    checks.show(page, dashboard.url, {"page": "visitors", **query})
    checks.visitors_equal_sql(page, dashboard.ask)
    checks.quiet_and_alone(seen, dashboard.url)


def test_visitors_by_hour_day_and_week_and_daily_cohorts(dashboard: Dashboard, page: Page) -> None:
    seen = checks.watched(page)
    checks.show(page, dashboard.url, {"page": "visitors"})
    checks.visitors_by_bucket_and_daily_cohorts(page, dashboard.ask)
    checks.quiet_and_alone(seen, dashboard.url)


def test_sessions_are_turned_and_looked_into(dashboard: Dashboard, page: Page) -> None:
    seen = checks.watched(page)
    checks.show(page, dashboard.url, {"page": "sessions"})
    checks.sessions_equal_sql(page, dashboard.ask)
    older = page.locator(f"{checks.SHOWN} .pager [data-value=older]")
    older.click()
    checks.sessions_equal_sql(page, dashboard.ask, skip=25)
    page.locator("[data-testid=sessions] [data-pick=session]").nth(3).click()
    checks.drawn(page)
    checks.trail_equals_sql(page, dashboard.ask)
    checks.sessions_equal_sql(page, dashboard.ask, skip=25)
    checks.show(page, page.url)
    checks.trail_equals_sql(page, dashboard.ask)
    page.locator("[data-choice=outcome] [data-value=converted]").click()
    checks.drawn(page)
    checks.sessions_equal_sql(page, dashboard.ask, "converted")
    checks.quiet_and_alone(seen, dashboard.url)


def test_a_link_to_a_session_survives_that_all_are_counted_anew(
    dashboard: Dashboard, page: Page
) -> None:
    seen = checks.watched(page)
    checks.session_links_survive(
        page,
        dashboard.url,
        lambda: dashboard.server.psql("SELECT etl.rebuild('-infinity', 'infinity')"),
    )
    checks.quiet_and_alone(seen, dashboard.url)


def test_events_are_turned_chosen_and_saved(dashboard: Dashboard, page: Page) -> None:
    seen = checks.watched(page)
    checks.show(page, dashboard.url, {"page": "explore"})
    checks.events_equal_sql(page, dashboard.ask)
    turn = page.locator(f"{checks.SHOWN} .pager button")
    turn.nth(1).click()
    checks.events_equal_sql(page, dashboard.ask, skip=50)
    turn.nth(0).click()
    checks.events_equal_sql(page, dashboard.ask)
    checks.choose(page, "columns", "context_product_brand")
    checks.choose(page, "event", "product_view")
    checks.drawn(page)
    checks.events_equal_sql(page, dashboard.ask)
    assert page.locator("[data-testid=events] th").count() == 10
    checks.csv_equals_sql(page, dashboard.ask)
    checks.show(page, page.url)
    assert page.locator("[data-testid=events] th").count() == 10
    page.locator("[data-testid=events] [data-goto=sessions]").first.click()
    checks.drawn(page)
    checks.trail_equals_sql(page, dashboard.ask)
    checks.quiet_and_alone(seen, dashboard.url)


def test_names_in_events_and_in_the_file_are_text(dashboard: Dashboard, page: Page) -> None:
    checks.show(page, dashboard.url, {"page": "explore", "category": "<b>fat</b>"})
    checks.events_equal_sql(page, dashboard.ask)
    assert shop.EVIL_NAME in page.locator("[data-testid=events] tbody").inner_text()
    checks.csv_equals_sql(page, dashboard.ask)
    assert page.title() == "Clickstream"


def test_a_file_that_cannot_be_whole_is_none(dashboard: Dashboard, page: Page) -> None:
    checks.show(page, dashboard.url, {"page": "explore", "range": "today"})
    dashboard.server.stop()
    try:
        page.get_by_test_id("csv-rows").click()
        page.get_by_test_id("csv-failed").wait_for(timeout=checks.PATIENCE * 1000)
    finally:
        dashboard.server.start()


def test_products_categories_and_brands_are_sqls(dashboard: Dashboard, page: Page) -> None:
    seen = checks.watched(page)
    checks.show(page, dashboard.url, {"page": "products"})
    checks.products_equal_sql(page, dashboard.ask)
    # A day's traffic has all of it: an add without a view, prices and percentages as discount.
    plausible = checks.said(page, "discounts") - checks.said(page, "implausible")
    assert plausible == len(shop.awkward(dt.datetime.now(dt.UTC)))
    assert checks.said(page, "implausible") > 0
    assert checks.said(page, "unviewed") > 0
    checks.quiet_and_alone(seen, dashboard.url)


def test_products_are_sorted_searched_and_turned(dashboard: Dashboard, page: Page) -> None:
    seen = checks.watched(page)
    checks.products_are_sorted_searched_and_turned(page, dashboard.url, dashboard.ask)
    checks.quiet_and_alone(seen, dashboard.url)


def test_one_product_is_opened_and_left(dashboard: Dashboard, page: Page) -> None:
    seen = checks.watched(page)
    checks.one_product_is_opened_and_left(page, dashboard.url, dashboard.ask)
    checks.quiet_and_alone(seen, dashboard.url)


def test_odd_products_give_a_note_and_the_list(dashboard: Dashboard, page: Page) -> None:
    seen = checks.watched(page)
    checks.odd_products_give_a_note(page, dashboard.url)
    checks.quiet_and_alone(seen, dashboard.url)


def test_names_are_text_whatever_they_hold(dashboard: Dashboard, page: Page) -> None:
    checks.show(page, dashboard.url, {"page": "products"})
    line = page.locator("[data-testid=products] [data-key=p-evil]")
    assert shop.EVIL_NAME in line.inner_text()
    assert "1.990.000 \N{DONG SIGN}" in line.inner_text()
    line.locator("a").click()
    checks.drawn(page)
    assert page.locator(".product-head h2").inner_text() == shop.EVIL_NAME
    checks.product_equals_sql(page, dashboard.ask, "p-evil")
    assert page.title() == "Clickstream"


def test_the_pipeline_page_is_sqls(dashboard: Dashboard, page: Page) -> None:
    seen = checks.watched(page)
    checks.show(page, dashboard.url, {"page": "pipeline"})
    checks.freshness_equals_sql(page, dashboard.ask)
    checks.runs_equal_sql(page, dashboard.ask)
    seldom = page.locator("[data-testid=runs]").get_by_text("2 erased, 1 expired, 1 in conflict")
    assert seldom.is_visible()
    checks.reasons_are_explained(page)
    checks.quiet_and_alone(seen, dashboard.url)


@pytest.mark.parametrize("language", ["en", "vi"])
def test_a_phone_reads_why_something_is_in_quarantine(
    dashboard: Dashboard, page: Page, language: str
) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    checks.show(page, dashboard.url, {"page": "pipeline", "lang": language})
    checks.reasons_are_explained(page)


def test_rejects_are_named_and_an_event_leads_to_its_object(
    dashboard: Dashboard, page: Page
) -> None:
    seen = checks.watched(page)
    checks.show(page, dashboard.url, {"page": "pipeline"})
    wanted = checks.pairs(
        dashboard.ask, "dashboard.rejects(max_rows => 25)", "quarantine_id", "run_id"
    )
    assert wanted
    assert checks.listed(page, "rejects") == [[str(key), run] for key, run in wanted]
    event = "00000000-0000-4000-9000-000000000002"
    page.get_by_placeholder("Event id").fill(event)
    page.get_by_placeholder("Event id").press("Enter")
    page.get_by_test_id("source").wait_for(timeout=checks.PATIENCE * 1000)
    objects = checks.pairs(
        dashboard.ask, f"dashboard.event_source('{event}')", "object_key", "object_position"
    )
    assert len(objects) == 2
    assert checks.listed(page, "source") == objects
    checks.quiet_and_alone(seen, dashboard.url)


def test_filters_change_the_numbers_and_the_url(dashboard: Dashboard, page: Page) -> None:
    checks.show(page, dashboard.url)
    checks.filters_change_the_numbers(page, dashboard.ask)


def test_a_filter_is_searched_chosen_shown_and_cleared(dashboard: Dashboard, page: Page) -> None:
    seen = checks.watched(page)
    checks.show(page, dashboard.url)
    everyone = checks.number(page, "kpi-events")
    page.locator("[data-open=brand]").click()
    option = page.locator("[data-choice=brand] [data-value]")
    page.locator("[data-search=brand]").fill("o'br")
    checks.eventually(lambda: checks._is(option.all_inner_texts(), ["O'Br\u00efen"]))
    option.click()
    page.keyboard.press("Escape")
    assert page.locator("[data-open=brand]").evaluate("x => x === document.activeElement")
    checks.drawn(page)
    checks.overview_equals_sql(page, dashboard.ask)
    chip = page.get_by_test_id("chips").get_by_text("Brand: O'Br\u00efen")
    assert chip.is_visible()
    checks.show(page, page.url)
    checks.overview_equals_sql(page, dashboard.ask)
    assert checks.number(page, "kpi-events") == len(shop.awkward(dt.datetime.now(dt.UTC)))
    chip.click()
    checks.drawn(page)
    assert page.url == dashboard.url
    checks.eventually(lambda: checks._is(checks.number(page, "kpi-events"), everyone))
    checks.quiet_and_alone(seen, dashboard.url)


def test_days_can_be_typed(dashboard: Dashboard, page: Page) -> None:
    checks.show(page, dashboard.url)
    now = dt.datetime.now(dt.timezone(dt.timedelta(hours=7)))
    day = (now - dt.timedelta(days=2)).date().isoformat()
    checks.dates_change_the_numbers(page, dashboard.ask, day)


def test_pages_change_without_losing_the_view(dashboard: Dashboard, page: Page) -> None:
    checks.show(page, dashboard.url, {"range": "today"})
    page.locator(".navbar [data-value=funnel]").click()
    checks.drawn(page)
    checks.funnel_equals_sql(page, dashboard.ask)
    assert page.url == f"{dashboard.url}?page=funnel&range=today"
    page.locator(".navbar [data-value=overview]").click()
    checks.drawn(page)
    checks.overview_equals_sql(page, dashboard.ask)


def test_the_language_is_switched_kept_in_the_link_and_remembered(
    dashboard: Dashboard, page: Page
) -> None:
    seen = checks.watched(page)
    checks.show(page, dashboard.url, {"page": "visitors"})
    page.locator("[data-lang=vi]").click()
    page.wait_for_url("**lang=vi**")
    checks.drawn(page)
    assert page.locator("html").get_attribute("lang") == "vi"
    assert page.locator(".navbar [aria-current=page]").inner_text() == "Kh\u00e1ch"
    assert "Gi\u1eef ch\u00e2n" in page.locator("main").inner_text()
    checks.visitors_equal_sql(page, dashboard.ask)
    page.goto(dashboard.url)
    page.wait_for_url("**lang=vi**")
    checks.drawn(page)
    checks.overview_equals_sql(page, dashboard.ask)
    page.locator("[data-lang=en]").click()
    page.wait_for_url(dashboard.url)
    checks.drawn(page)
    assert page.locator("html").get_attribute("lang") == "en"
    checks.quiet_and_alone(seen, dashboard.url)


def test_an_empty_range_says_so(dashboard: Dashboard, page: Page) -> None:
    checks.empty_range_says_so(page, dashboard.url)


def test_garbage_in_the_url_is_harmless(dashboard: Dashboard, page: Page) -> None:
    seen = checks.watched(page)
    checks.garbage_in_the_url_is_harmless(page, dashboard.url)
    checks.quiet_and_alone(seen, dashboard.url)


def test_it_fits_a_phone(dashboard: Dashboard, page: Page) -> None:
    checks.fits_a_phone(page, dashboard.url)


def test_a_phone_shows_products_without_a_swipe(dashboard: Dashboard, page: Page) -> None:
    checks.products_need_no_swipe(page, dashboard.url)


def test_a_phone_folds_sections(dashboard: Dashboard, page: Page) -> None:
    checks.sections_fold(page, dashboard.url)


def test_a_phone_chooses_values_and_days(dashboard: Dashboard, page: Page) -> None:
    now = dt.datetime.now(dt.timezone(dt.timedelta(hours=7)))
    day = (now - dt.timedelta(days=2)).date().isoformat()
    checks.phone_filters_are_usable(page, dashboard.url, dashboard.ask, day)


def test_a_page_of_another_site_gets_nothing(dashboard: Dashboard, page: Page) -> None:
    checks.another_page_gets_nothing(page, dashboard.url)


@contextlib.contextmanager
def _another_site() -> Iterator[str]:
    """An empty page of another origin."""

    class Empty(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Empty) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_a_hostile_page_reads_and_hears_nothing(dashboard: Dashboard, page: Page) -> None:
    token, socket, frames = checks.spoken_by(page, dashboard.url)
    guessed = [frame.replace(token, "0" * len(token)) for frame in frames]
    with _another_site() as site:
        page.goto(site)
        kind, _, text = checks.read_by(page, dashboard.url, "cors")
        assert (kind, token in text) == ("refused", False), text
        assert checks.read_by(page, dashboard.url, "no-cors")[::2] == ["opaque", ""]
        assert "kpi-visitors" not in checks.heard_by(page, socket, guessed)
        # It is the token alone that is missing: with it, the same words are answered.
        assert "kpi-visitors" in checks.heard_by(page, socket, frames)


def test_a_name_that_another_site_lets_point_here_is_refused(
    dashboard: Dashboard, page: Page, chromium: Browser
) -> None:
    token, socket, frames = checks.spoken_by(page, dashboard.url)
    name = "rebound.example"
    rebound = chromium.browser_type.launch(
        executable_path=checks.CHROMIUM,
        args=[*checks.ARGUMENTS, f"--host-resolver-rules=MAP {name} 127.0.0.1"],
    )
    try:
        hostile = rebound.new_page()
        url = dashboard.url.replace("localhost", name)
        answer = hostile.goto(url)
        assert answer is not None
        assert answer.status == 403
        assert "localhost alone" in hostile.inner_text("body")
        kind, status, text = checks.read_by(hostile, url, "cors")
        assert (kind, status) == ("basic", 403)
        assert "data-token" not in text
        guessed = [frame.replace(token, "0" * len(token)) for frame in frames]
        heard = checks.heard_by(hostile, socket.replace("localhost", name), guessed)
        assert "kpi-visitors" not in heard
    finally:
        rebound.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "rebound.example:3838"},
        {"Host": "localhost.example"},
        {"Origin": "http://hostile.example"},
        {"Origin": "null"},
    ],
)
def test_only_the_tunnels_own_names_get_the_page(
    dashboard: Dashboard, headers: dict[str, str]
) -> None:
    request = urllib.request.Request(dashboard.url, headers=headers)  # noqa: S310
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)  # noqa: S310
    assert refused.value.code == 403
    assert b"data-token" not in refused.value.read()


def test_a_load_shows_up_by_itself(dashboard: Dashboard, page: Page) -> None:
    checks.show(page, dashboard.url, {"range": "30d"})
    before = checks.number(page, "kpi-visitors")
    assert before is not None
    now = dt.datetime.now(dt.UTC)
    event = {"eventName": "home_view", "clientId": f"c-{now:%H%M%S%f}", "sessionId": "s-late"}
    thing = Writer(int(now.timestamp())).single(now, event, True)
    dashboard.bucket.put(thing, now)
    shop.load(dashboard.server, dashboard.bucket, {})
    checks.eventually(lambda: checks._is(checks.number(page, "kpi-visitors"), before + 1))
    checks.overview_equals_sql(page, dashboard.ask)


def test_a_stopped_database_is_said_and_survived(dashboard: Dashboard, page: Page) -> None:
    server = dashboard.server
    checks.says_when_the_database_is_down(
        page, dashboard.url, dashboard.ask, server.stop, server.start
    )


def test_a_killed_r_costs_no_view(dashboard: Dashboard, page: Page) -> None:
    checks.comes_back_when_its_session_is_lost(page, dashboard.url, dashboard.ask, dashboard.kill_r)


def test_a_dashboard_that_starts_before_its_database_waits_for_it(
    dashboard: Dashboard, page: Page
) -> None:
    checks.show(page, dashboard.url)
    dashboard.server.stop()
    try:
        # The open page follows by itself: a visitor in the very instant of the death gets an error.
        page.evaluate("window.before = true")
        dashboard.kill_r()
        page.wait_for_function("() => !window.before", timeout=checks.PATIENCE * 1000)
        page.get_by_test_id("failed").wait_for(timeout=checks.PATIENCE * 1000)
        page.get_by_test_id("failed-part").first.wait_for(timeout=checks.PATIENCE * 1000)
    finally:
        dashboard.server.start()
    page.get_by_test_id("failed").wait_for(state="detached", timeout=checks.PATIENCE * 1000)
    checks.drawn(page)
    checks.overview_equals_sql(page, dashboard.ask)


def test_a_warehouse_without_any_load_is_said_to_be_empty(page: Page) -> None:
    with PostgresServer(warehouse=True) as server, serving(server) as (url, _):
        seen = checks.watched(page)
        checks.show(page, url)
        assert page.get_by_test_id("empty").count() >= 3
        assert checks.number(page, "kpi-visitors") == 0
        for name in checks.PAGES[1:]:
            page.locator(f".navbar [data-value={name}]").click()
            checks.drawn(page)
        assert checks.number(page, "fresh-until") is None
        assert page.get_by_text("No run yet").is_visible()
        assert page.get_by_test_id("failed-part").count() == 0
        assert page.locator(".shiny-output-error").count() == 0
        checks.quiet_and_alone(seen, url)
