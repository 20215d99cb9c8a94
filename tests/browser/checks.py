"""What a reader may rely on in the dashboard, checked in a real browser against any running one.

Each check takes a page (of `watched`), the dashboard's address and `ask(sql)`, which returns the one
JSON value of a statement on the warehouse. Expectations come from schema dashboard alone.
"""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import itertools
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from playwright.sync_api import ConsoleMessage, Page, Response, WebSocket

Ask = Callable[[str], Any]
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
CHROMIUM = "/usr/bin/chromium"
SHOWN = "section.page:not([hidden])"
# Shiny is connected and idle, and nothing that is seen still waits for its first answer.
DRAWN = f"""() => window.Shiny && Shiny.shinyapp && Shiny.shinyapp.isConnected()
  && !document.documentElement.classList.contains('shiny-busy')
  && !document.querySelector('{SHOWN} .skel')
  && !document.querySelector('{SHOWN} .recalculating')
  && document.querySelector('{SHOWN} .card')"""
PATIENCE = 20.0
VIEW, ADD = "product_view", "add_to_cart_click"
START, COMPLETE = "checkout_start", "checkout_complete"
PAGES = ("overview", "funnel", "products", "visitors", "sessions", "explore", "pipeline")


@dataclasses.dataclass
class Seen:
    """What a page did besides drawing: complaints, and requests by host."""

    complaints: list[str] = dataclasses.field(default_factory=list)
    hosts: set[str] = dataclasses.field(default_factory=set)


def watched(page: Page) -> Seen:
    """Note the page's complaints and the hosts it asks from now on."""
    seen = Seen()

    def console(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            seen.complaints.append(f"console {message.type}: {message.text}")

    def response(answer: Response) -> None:
        if answer.status >= 400:
            seen.complaints.append(f"{answer.status} {answer.url}")

    page.on("console", console)
    page.on("pageerror", lambda error: seen.complaints.append(f"script: {error}"))
    page.on("response", response)
    page.on("request", lambda request: seen.hosts.add(urlsplit(request.url).netloc))
    page.on("websocket", lambda socket: seen.hosts.add(urlsplit(socket.url).netloc))
    return seen


def quiet_and_alone(seen: Seen, url: str) -> None:
    """No console errors or warnings, and no request to another host."""
    assert seen.complaints == []
    assert {host for host in seen.hosts if host} == {urlsplit(url).netloc}


def show(page: Page, url: str, query: Mapping[str, str] | None = None) -> None:
    """Open a view and wait until all of it is drawn."""
    page.goto(f"{url}?{urlencode(query)}" if query else url)
    drawn(page)


def drawn(page: Page) -> None:
    """Wait until all that is seen is drawn, the part that follows a click in its own flush too."""
    page.wait_for_function(DRAWN, timeout=PATIENCE * 1000)
    page.wait_for_timeout(150)
    page.wait_for_function(DRAWN, timeout=PATIENCE * 1000)


def eventually(check: Callable[[], None]) -> None:
    """Pass as soon as `check` does: a page follows a load, a click or a restart by itself."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            check()
            return
        except AssertionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.25)


def shown_range(page: Page) -> dict[str, str]:
    """Return the days, the zone and the filters that the page's controls and address show."""
    pressed = page.locator("[data-choice=login] [aria-pressed=true]").evaluate_all(
        "all => all.map(one => one.dataset.value)"
    )
    chosen = {"login_state": [state for state in pressed if state != "all"]}
    query = parse_qs(urlsplit(page.url).query)
    for name, field in (("category", "category"), ("brand", "brand"), ("event", "event_name")):
        chosen[field] = query.get(name, [])
    chosen = {field: values for field, values in chosen.items() if values}
    return {
        "from": page.locator("#from").input_value(),
        "to": page.locator("#to").input_value(),
        "zone": page.locator("#zone").input_value(),
        "filter": json.dumps(chosen, ensure_ascii=False) if chosen else "",
    }


def choose(page: Page, field: str, value: str) -> None:
    """Take a value of a filter, or leave it, in its menu; the menu is closed again."""
    page.locator(f"[data-open={field}]").click()
    page.locator(f"[data-choice={field}] [data-value='{value}']").click()
    page.keyboard.press("Escape")


def call(function: str, view: Mapping[str, str], more: str = "") -> str:
    """Return the call of a function of schema dashboard for the days that a page shows."""
    view = {name: value.replace("'", "''") for name, value in view.items()}
    start = f"(date '{view['from']}')::timestamp AT TIME ZONE '{view['zone']}'"
    end = f"(date '{view['to']}' + 1)::timestamp AT TIME ZONE '{view['zone']}'"
    chosen = f"nullif('{view['filter']}', '')::jsonb"
    return f"dashboard.{function}({start}, {end}, '{view['zone']}', {chosen}{more})"


def row(ask: Ask, source: str) -> dict[str, Any]:
    """Return the one row of a source."""
    found: dict[str, Any] = ask(f"SELECT row_to_json(x) FROM {source} AS x")
    return found


def pairs(ask: Ask, source: str, key: str, value: str) -> list[list[Any]]:
    """Return two columns of a source, in its own order."""
    found: list[list[Any]] = ask(
        f"SELECT coalesce(json_agg(json_build_array(x.{key}, x.{value})), '[]') FROM {source} AS x"
    )
    return found


def number(page: Page, testid: str) -> float | None:
    """Return the exact value behind a number on the page; None for a dash."""
    text = page.get_by_test_id(testid).get_attribute("data-value")
    return float(text) if text else None


def said(page: Page, testid: str) -> float:
    """Return a count that the page speaks of only where there is any."""
    return (number(page, testid) or 0) if page.get_by_test_id(testid).count() else 0


def listed(page: Page, testid: str) -> list[list[Any]]:
    """Return key and exact value of each item of a list or table."""
    items: list[list[Any]] = page.locator(f"[data-testid={testid}] [data-key]").evaluate_all(
        "all => all.map(one => [one.dataset.key, Number(one.dataset.value)])"
    )
    return items


def near(found: float | None, wanted: float | None) -> bool:
    """Whether two numbers are the same but for the last digits of a binary fraction."""
    if found is None or wanted is None:
        return found is wanted
    return abs(found - wanted) <= 1e-12 * max(1.0, abs(wanted))


def overview_equals_sql(page: Page, ask: Ask) -> None:
    """Every number of the overview that is shown is the warehouse's for what its controls show."""

    def check() -> None:
        view = shown_range(page)
        kpis = row(ask, call("kpis", view))
        for testid, column in {
            "kpi-events": "events",
            "kpi-visitors": "visitors",
            "kpi-sessions": "sessions",
            "kpi-conversion": "conversion_rate",
            "kpi-cart": "add_to_cart_rate",
            "kpi-bounce": "bounce_rate",
        }.items():
            found = number(page, testid)
            assert near(found, kpis[column]), f"{testid}: {found}, SQL says {kpis[column]}"
        for testid, column in {
            "kpi-unviewed": "adds_without_view_sessions",
            "kpi-robots": "robot_sessions",
        }.items():
            assert said(page, testid) == kpis[column], testid
        assert listed(page, "event-mix") == pairs(
            ask, call("event_mix", view), "event_name", "events"
        )
        assert listed(page, "login-states") == pairs(
            ask, call("login_states", view), "login_state", "sessions"
        )
        _heatmap_equals_sql(page, ask, view)
        steps = pairs(ask, call("funnel", view), "event_name", "closed_sessions")
        began = any(sessions for _, sessions in steps)
        assert listed(page, "steps") == (steps if began else [])

    eventually(check)


def _heatmap_equals_sql(page: Page, ask: Ask, view: Mapping[str, str]) -> None:
    """Sessions by weekday and hour of complete days; nothing is drawn where there are none."""
    rows = ask(
        "SELECT coalesce(json_agg(json_build_array(x.weekday || '-' || x.hour, x.sessions)"
        " ORDER BY x.weekday, x.hour), '[]')"
        f" FROM {call('heatmap', view)} AS x WHERE x.sessions > 0"
    )
    assert [pair for pair in listed(page, "heatmap") if pair[1]] == rows


def series_equals_sql(page: Page, ask: Ask) -> None:
    """The table under the chart holds the warehouse's buckets, from the first one drawn on."""

    def check() -> None:
        view = shown_range(page)
        bucket = page.locator(f"{SHOWN} [data-choice=bucket] [aria-pressed=true]").get_attribute(
            "data-value"
        )
        rows = page.locator("[data-testid=series] ~ .as-table tbody tr").evaluate_all(
            "all => all.map(one => [...one.cells].slice(1, 5).map("
            "cell => Number(cell.textContent.replaceAll(',', ''))))"
        )
        wanted = ask(
            "SELECT json_agg(json_build_array(x.events, x.visitors, x.sessions,"
            f" x.converted_sessions)) FROM {call('series', view, f', {chr(39)}{bucket}{chr(39)}')} AS x"
        )
        left_out = len(wanted) - len(rows)
        assert rows
        assert rows == wanted[left_out:]
        assert all(events == 0 for events, *_ in wanted[:left_out])

    eventually(check)


# How complete an hour is, the worst first, as the page says it.
STATE_WORDS = {
    "gap": "gap",
    "pending": "pending",
    "open": "still open",
    "quarantined": "some in quarantine",
    "complete": "complete",
}
WORST_FIRST = tuple(STATE_WORDS)


def completeness_equals_sql(page: Page, ask: Ask) -> None:
    """The strip under the chart gives each bucket the worst state of the hours that it touches."""

    def check() -> None:
        view = shown_range(page)
        bucket = page.locator(f"{SHOWN} [data-choice=bucket] [aria-pressed=true]").get_attribute(
            "data-value"
        )
        strip = page.get_by_test_id("completeness-strip")
        found = [state for state, count in listed(page, "completeness-strip") for _ in range(count)]
        series = call("series", view, f", '{bucket}'")
        edges = ask(f"SELECT json_agg(extract(EPOCH FROM x.bucket_at)) FROM {series} AS x")
        end = ask(
            f"SELECT to_json(extract(EPOCH FROM (date '{view['to']}' + 1)::timestamp"
            f" AT TIME ZONE '{view['zone']}'))"
        )
        hours = ask(
            "SELECT json_agg(json_build_array(extract(EPOCH FROM h.hour_at), CASE WHEN h.state ="
            " 'open' AND h.pending > 0 THEN 'pending' ELSE h.state END)) FROM"
            f" dashboard.completeness(to_timestamp({edges[0]}), to_timestamp({end})) AS h"
        )
        wanted = [
            min(
                (state for at, state in hours if at < until and at + 3600 > since),
                key=WORST_FIRST.index,
            )
            for since, until in itertools.pairwise([*edges, end])
        ]
        assert found == wanted[len(wanted) - len(found) :]
        said = [
            f"{found.count(state)} {words}"
            for state, words in STATE_WORDS.items()
            if state in found
        ]
        assert strip.get_attribute("aria-label") == "Completeness: " + ", ".join(said)

    eventually(check)


def funnel_equals_sql(page: Page, ask: Ask) -> None:
    """Both funnels hold the warehouse's steps."""

    def check() -> None:
        source = call("funnel", shown_range(page))
        for testid, column in (
            ("funnel-closed", "closed_sessions"),
            ("funnel-open", "open_sessions"),
        ):
            found = page.locator(f"[data-testid={testid}] .heads li").evaluate_all(
                "all => all.map(one => Number(one.dataset.value))"
            )
            assert found == [value for _, value in pairs(ask, source, "step", column)]
        steps = ask(
            "SELECT json_agg(json_build_array(x.left_sessions, x.still_open_sessions,"
            " x.left_sessions::float8 / nullif(x.closed_sessions - x.still_open_sessions, 0))"
            f" ORDER BY x.step) FROM {source} AS x"
        )
        _left_between_steps(page, steps)

    eventually(check)


def _left_between_steps(page: Page, steps: list[list[Any]]) -> None:
    """Words under the closed funnel, and its table, for steps of [left, still open, rate]."""
    for place, (left, still_open, rate) in enumerate(steps):
        under = page.locator("[data-testid=funnel-closed] .under li").nth(place)
        cells = page.locator("[data-testid=funnel-closed] ~ .as-table tbody tr").nth(place)
        shown = [cells.locator("td").nth(column).text_content() for column in (2, 3)]
        if left is None:
            assert under.text_content() == ""
            assert shown == ["\N{EN DASH}"] * 2
            continue
        assert shown == [f"{left:,}", f"{still_open:,}"]
        words = under.locator("span").all_inner_texts()
        if not words:  # nobody came that far
            assert left + still_open == 0
            continue
        assert words[0] == f"{left:,} left"
        assert words[1:-1] == ([f"{still_open:,} still open"] if still_open else [])
        text = under.locator("b").get_attribute("data-value")
        assert near(float(text) if text else None, rate)


def funnel_heights_are_a_choice(page: Page, ask: Ask) -> None:
    """Heights of the step before: SQL's shares, no slopes, kept in the address and by a reload."""
    slopes = page.locator("[data-testid=funnel-closed] .flow")
    assert slopes.count() == 3
    page.locator("[data-choice=heights] [data-value=before]").click()
    page.locator("[data-testid=funnel-closed][data-heights=before]").wait_for()
    for again in (False, True):
        if again:
            page.reload()
            drawn(page)
        assert parse_qs(urlsplit(page.url).query)["heights"] == ["before"]
        assert slopes.count() == 0
        for testid, column in (
            ("funnel-closed", "closed_sessions"),
            ("funnel-open", "open_sessions"),
        ):
            steps = pairs(ask, call("funnel", shown_range(page)), "step", column)
            counts = [count for _, count in steps]
            wanted = [1.0, *(now / was for was, now in itertools.pairwise(counts))]
            shares = page.locator(f"[data-testid={testid}] .heads li").evaluate_all(
                "all => all.map(one => Number(one.dataset.share))"
            )
            assert all(map(near, shares, wanted)), (shares, wanted)
            heights = page.locator(f"[data-testid={testid}] .step").evaluate_all(
                "all => all.map(one => Number(one.getAttribute('height')))"
            )
            assert heights == [round(100 * min(1, share), 2) for share in wanted]


def funnel_steps_are_a_choice(page: Page, url: str, ask: Ask) -> None:
    """Steps are changed, added and left out; the funnel is SQL's of them; the address holds them."""
    show(page, url, {"page": "funnel"})

    def follows(*steps: str) -> None:
        def check() -> None:
            found = page.get_by_test_id("steps").get_attribute("data-steps")
            assert json.loads(found or "") == list(steps)
            array = ", ".join(f"'{step}'" for step in steps)
            source = call("funnel", shown_range(page), f", ARRAY[{array}]")
            for testid, column in (
                ("funnel-closed", "closed_sessions"),
                ("funnel-open", "open_sessions"),
            ):
                heads = page.locator(f"[data-testid={testid}] .heads li").evaluate_all(
                    "all => all.map(one => Number(one.dataset.value))"
                )
                assert heads == [value for _, value in pairs(ask, source, "step", column)]

        eventually(check)

    follows(VIEW, ADD, START, COMPLETE)
    page.locator("[data-step='1']").select_option("home_view")
    follows("home_view", ADD, START, COMPLETE)
    assert page.locator("[data-testid=who-left] [data-goto]").count() == 0
    page.locator("[data-step='5']").select_option(VIEW)
    follows("home_view", ADD, START, COMPLETE, VIEW)
    assert page.evaluate("document.activeElement.dataset.step") == "5"
    page.locator("[data-step-off='3']").click()
    follows("home_view", ADD, COMPLETE, VIEW)
    show(page, page.evaluate("location.href"))
    follows("home_view", ADD, COMPLETE, VIEW)
    page.go_back()
    drawn(page)
    follows("home_view", ADD, START, COMPLETE, VIEW)
    page.locator("[data-step-off=all]").click()
    follows(VIEW, ADD, START, COMPLETE)
    assert "step" not in parse_qs(urlsplit(page.evaluate("location.href")).query)
    assert page.locator("[data-testid=who-left] [data-goto]").count() == 3
    page.goto(f"{url}?page=funnel&step={VIEW}&step=nobody&step={COMPLETE}")
    drawn(page)
    assert "nobody" in page.get_by_test_id("note").inner_text()
    follows(VIEW, COMPLETE)
    page.goto(f"{url}?page=funnel&step={VIEW}")
    drawn(page)
    assert "step" in page.get_by_test_id("note").inner_text()
    follows(VIEW, ADD, START, COMPLETE)


def funnel_splits_equal_sql(page: Page, ask: Ask) -> None:
    """Each split's rows are what SQL's funnel gives for the filter by its value."""
    for split, field in (
        ("login_state", "login_state"),
        ("category", "category"),
        ("brand", "brand"),
    ):
        page.locator(f"[data-choice=split] [data-value={split}]").click()
        drawn(page)
        assert page.locator("[data-choice=split] [aria-pressed=true]").count() == 1
        view = shown_range(page)
        cells = page.locator("[data-testid=funnel-split] [data-key]").evaluate_all(
            "all => all.map(one => [one.dataset.key, one.dataset.counts.split(' ').map(Number)])"
        )
        assert len(cells) >= 2, split
        for value, counts in cells:
            one = {**view, "filter": json.dumps({field: [value]}, ensure_ascii=False)}
            steps = pairs(ask, call("funnel", one), "step", "closed_sessions")
            assert counts == [count for _, count in steps], (split, value)
    page.locator("[data-choice=split] [data-value=new_returning]").click()
    drawn(page)
    assert parse_qs(urlsplit(page.url).query)["split"] == ["new_returning"]
    cells = page.locator("[data-testid=funnel-split] [data-key]").evaluate_all(
        "all => all.map(one => one.dataset.counts.split(' ').map(Number))"
    )
    steps = pairs(ask, call("funnel", shown_range(page)), "step", "closed_sessions")
    assert [sum(counts) for counts in zip(*cells, strict=True)] == [count for _, count in steps]


def funnel_page_speaks_of(page: Page, words: str) -> None:
    """The closed funnel says these words somewhere between its steps."""
    found = page.locator("[data-testid=funnel-closed] .under").inner_text()
    assert re.search(rf"[1-9][\d,]* {words}", found), found


def left_equals_sql(page: Page, ask: Ask) -> None:
    """Who left where is the funnel's, and each count leads to as many sessions."""
    steps = pairs(ask, call("funnel", shown_range(page)), "step", "left_sessions")
    found = listed(page, "who-left")
    assert [count for _, count in found] == [count for _, count in steps[:-1]]
    for outcome, count in found:
        page.locator(f"[data-testid=who-left] [data-outcome={outcome}]").click()
        drawn(page)
        sessions_equal_sql(page, ask, outcome)
        if count:
            assert f"of {count:,.0f}" in page.locator(f"{SHOWN} .pager").inner_text()
        page.go_back()
        drawn(page)


def sessions_equal_sql(page: Page, ask: Ask, outcome: str = "all", skip: int = 0) -> None:
    """The list holds the warehouse's sessions from one place on, in its order."""
    more = f", '{outcome}', max_rows => {skip + 25}"

    def check() -> None:
        assert page.locator("[data-testid=sessions]").count() == 1, page.inner_text("main")
        rows = pairs(ask, call("session_list", shown_range(page), more), "session_no", "events")
        assert listed(page, "sessions") == [[str(no), events] for no, events in rows[skip:]]

    eventually(check)


def trail_equals_sql(page: Page, ask: Ask) -> None:
    """The session that is shown is the warehouse's, event by event."""
    number_of = parse_qs(urlsplit(page.url).query)["session"][0].partition("-")[0]

    def check() -> None:
        rows = pairs(ask, f"dashboard.session_events({int(number_of)})", "event_id", "event_name")
        found = page.locator("[data-testid=trail] [data-key]").evaluate_all(
            "all => all.map(one => one.dataset.key)"
        )
        assert found
        assert found == [event for event, _ in rows[:500]]

    eventually(check)


def session_links_survive(page: Page, url: str, counted_anew: Callable[[], object]) -> None:
    """A link leads to the same events after sessions are counted anew, whatever their numbers are."""

    def trail() -> list[str]:
        found: list[str] = page.locator("[data-testid=trail] [data-key]").evaluate_all(
            "all => all.map(one => one.dataset.key)"
        )
        return found

    show(page, url, {"page": "sessions"})
    page.locator("[data-testid=sessions] [data-pick=session]").nth(5).click()
    page.wait_for_url("**session=**")
    drawn(page)
    link, before = page.url, trail()
    assert before
    counted_anew()
    show(page, link)
    assert trail() == before
    assert page.get_by_test_id("renumbered").count() == 0
    number_of, _, at = parse_qs(urlsplit(link).query)["session"][0].partition("-")
    # As if the numbers had passed to others: found again by the event, and said so.
    show(page, url, {"page": "sessions", "session": f"{int(number_of) - 1}-{at}"})
    assert trail() == before
    assert page.get_by_test_id("renumbered").is_visible()
    show(page, url, {"page": "sessions", "session": f"{number_of}-1000000000.000000"})
    assert trail() == []
    assert page.get_by_test_id("stale-session").is_visible()


def events_equal_sql(page: Page, ask: Ask, skip: int = 0) -> None:
    """The list holds the warehouse's events from one place on, the newest first."""
    more = f", max_rows => {skip + 50}"

    def check() -> None:
        view = shown_range(page)
        wanted = pairs(ask, call("event_list", view, more), "event_id", "event_name")[skip:]
        assert [event for event, _ in listed(page, "events")] == [event for event, _ in wanted]
        events = row(ask, call("kpis", view))["events"]
        assert number(page, "csv-rows") == events
        _histogram_equals_sql(page, ask, view, events)
        assert f"of {events:,}" in page.locator(f"{SHOWN} .pager").inner_text()

    eventually(check)


def _histogram_equals_sql(page: Page, ask: Ask, view: Mapping[str, str], events: int) -> None:
    """The columns over the table are as high as SQL's buckets, which add up to all its events."""
    bucket = page.locator(f"{SHOWN} [data-choice=bucket] [aria-pressed=true]").get_attribute(
        "data-value"
    )
    series = call("series", view, f", '{bucket}'")
    wanted = [count for _, count in pairs(ask, series, "bucket_at", "events")]
    assert number(page, "when") == sum(wanted) == events
    heights = page.locator("[data-testid=when] rect").evaluate_all(
        "all => all.map(one => Number(one.getAttribute('height')))"
    )
    most = max(wanted)
    tallest = heights[wanted.index(most)]
    assert tallest > 50
    assert all(
        abs(height / tallest - count / most) < 0.001
        for height, count in zip(heights, wanted, strict=True)
    )


def csv_equals_sql(page: Page, ask: Ask) -> None:
    """The file holds the rows that were announced: all that the filters say, each event once."""
    promised = number(page, "csv-rows")
    with page.expect_download(timeout=PATIENCE * 1000) as waiting:
        page.get_by_test_id("csv-rows").click()
    with waiting.value.path().open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == promised
    assert len(rows[0]) == 16
    wanted = ask(
        "SELECT json_agg(x.event_id ORDER BY x.event_timestamp DESC, x.event_id DESC)"
        f" FROM {call('event_export', shown_range(page))} AS x"
    )
    assert [one["event_id"] for one in rows] == wanted


def visitors_equal_sql(page: Page, ask: Ask) -> None:
    """Visitors, cohorts and shapes are the warehouse's."""

    def check() -> None:
        view = shown_range(page)
        facts = row(ask, call("visitor_facts", view))
        for testid, column in {
            "visitor-new": "new_visitors",
            "visitor-returning": "returning_visitors",
            "visitor-per_visitor": "sessions_per_visitor",
            "visitor-length": "median_seconds",
            "visitor-depth": "depth",
        }.items():
            assert near(number(page, testid), facts[column]), testid
        for shape in ("sessions", "length", "depth"):
            rows = ask(
                "SELECT coalesce(json_agg(json_build_array(x.place::text, x.amount)), '[]')"
                f" FROM {call('session_shapes', view)} AS x WHERE x.shape = '{shape}'"
            )
            assert [pair for pair in listed(page, f"shape-{shape}") if pair[1]] == rows, shape
        cells = page.locator("[data-testid=retention] [data-returned]").evaluate_all(
            "all => all.map(one => one.dataset.returned).filter(text => text).map(Number)"
        )
        weeks = {**view, "from": str(dt.date.fromisoformat(view["to"]) - dt.timedelta(days=55))}
        assert cells == ask(
            "SELECT coalesce(json_agg(x.returned), '[]')"
            f" FROM {call('retention', weeks)} AS x WHERE x.number > 0 AND x.cohort_at >= ("
            f"SELECT min(f.cohort_at) FROM {call('retention', weeks)} AS f WHERE f.cohort > 0)"
        )

    eventually(check)


def visitors_by_bucket_and_daily_cohorts(page: Page, ask: Ask) -> None:
    """New and returning by hour, day and week, and cohorts of days: each is SQL's, in the address."""
    for bucket in ("hour", "day", "week"):
        page.locator(f"{SHOWN} [data-choice=bucket] [data-value={bucket}]").click()
        drawn(page)
        wanted = ask(
            "SELECT json_agg(json_build_array(x.new_visitors, x.returning_visitors))"
            f" FROM {call('new_returning', shown_range(page), f', {chr(39)}{bucket}{chr(39)}')} AS x"
        )
        rows = page.locator("[data-testid=new-returning] ~ .as-table tbody tr").evaluate_all(
            "all => all.map(one => [...one.cells].slice(1, 3).map("
            "cell => Number(cell.textContent.replaceAll(',', ''))))"
        )
        assert rows == wanted, bucket
    assert parse_qs(urlsplit(page.url).query)["bucket"] == ["week"]
    page.locator("[data-choice=cohort] [data-value=day]").click()
    drawn(page)
    view = shown_range(page)
    days = {**view, "from": str(dt.date.fromisoformat(view["to"]) - dt.timedelta(days=13))}
    wanted = ask(
        "SELECT json_agg(x.cohort ORDER BY x.cohort_at)"
        f" FROM {call('retention', days, ', ' + repr('day'))} AS x WHERE x.number = 0 AND x.cohort > 0"
    )
    found = [size for _, size in listed(page, "retention") if size]
    assert found == wanted
    assert parse_qs(urlsplit(page.url).query)["cohort"] == ["day"]


def list_call(page: Page) -> str:
    """Return the call of product_list for what the address says."""
    query = {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
    search = query.get("find", "").replace("'", "''")
    ascending = query.get("order", "desc") == "asc"
    skipped = 25 * (int(query.get("part", "1")) - 1)
    more = f", '{search}', '{query.get('sort', 'views')}', {ascending}, {skipped}, 25"
    return call("product_list", shown_range(page), more)


def products_of(page: Page, ask: Ask) -> list[list[Any]]:
    """Return the products and their views that SQL lists for what the address says."""
    return pairs(ask, list_call(page), "product_id", "views")


def list_total(page: Page, ask: Ask) -> int:
    """Return how many products there are on all parts of that list."""
    return int(ask(f"SELECT min(x.products) FROM {list_call(page)} AS x"))


def products_are_sorted_searched_and_turned(page: Page, url: str, ask: Ask) -> None:
    """Each headline sorts both ways, the search narrows, parts follow; the address holds it all."""
    show(page, url, {"page": "products", "range": "30d"})

    def as_sql(part: Mapping[str, str]) -> None:
        def check() -> None:
            # Asked of the page: what Playwright knows of the address comes later.
            search = page.evaluate("location.search.slice(1)")
            query = {name: values[0] for name, values in parse_qs(search).items()}
            known = {key: query.get(key) for key in ("sort", "order", "find", "part")}
            assert known == {**dict.fromkeys(known), **part}
            wanted = products_of(page, ask)
            assert wanted
            assert listed(page, "products") == wanted

        eventually(check)

    orders: list[list[list[Any]]] = []
    for key in ("name", "adds", "removals", "wishlisted", "rate", "bought", "price", "views"):
        part = {} if key == "views" else {"sort": key}
        page.locator(f"[data-testid=products] [data-sort={key}]").click()
        as_sql(part | ({"order": "asc"} if key == "name" else {}))
        orders.append(listed(page, "products"))
        page.locator(f"[data-testid=products] [data-sort={key}]").click()
        as_sql(part | ({} if key == "name" else {"order": "asc"}))
        heads = page.locator("[data-testid=products] [aria-sort]")
        assert heads.count() == 1
    assert len({str(one) for one in orders}) > 4
    total = list_total(page, ask)
    assert total > 25
    page.locator(f"{SHOWN} .pager [data-value='2']").click()
    as_sql({"order": "asc", "part": "2"})
    page.locator("#find").press_sequentially("chuot")
    as_sql({"order": "asc", "find": "chuot"})
    assert 0 < list_total(page, ask) < total
    assert page.locator("#find").evaluate("x => x === document.activeElement")
    show(page, page.url)
    assert page.locator("#find").input_value() == "chuot"
    as_sql({"order": "asc", "find": "chuot"})
    page.go_back()
    page.go_back()
    as_sql({"order": "asc"} if "part" not in page.url else {"order": "asc", "part": "2"})
    page.locator("#find").fill("<b>no such product")
    page.get_by_test_id("unfound").wait_for()
    assert "<b>no such product" in page.get_by_test_id("unfound").inner_text()


def product_equals_sql(page: Page, ask: Ask, product: str) -> None:
    """One product's numbers, course and prices are SQL's, and its table has the same numbers."""
    quoted = "'" + product.replace("'", "''") + "'"

    def check() -> None:
        view = shown_range(page)
        totals = row(ask, call("product_totals", view, f", {quoted}"))
        for name in ("views", "adds", "removals", "wishlisted", "bought_sessions"):
            assert said(page, f"product-{name}") == totals[name], name
        rate = number(page, "product-add_to_cart_rate")
        assert (rate is None) == (totals["add_to_cart_rate"] is None)
        assert abs((rate or 0) - (totals["add_to_cart_rate"] or 0)) < 1e-9
        bucket = page.locator("[data-choice=bucket]:visible [aria-pressed=true]")
        chosen = bucket.get_attribute("data-value")
        columns = ("views", "adds", "removals", "bought_sessions")
        source = call("product_series", view, f", '{chosen}', {quoted}")
        course = ask(
            "SELECT json_agg(json_build_array(x.views, x.adds, x.removals, x.bought_sessions)"
            f" ORDER BY x.bucket_at) FROM {source} AS x"
        )
        for place, name in enumerate(columns):
            total = sum(line[place] for line in course)
            assert said(page, f"course-{name}") == total, name
        cells = page.locator(".one-product details.as-table tbody tr").evaluate_all(
            "all => all.map(one => [...one.cells].slice(1).map("
            "cell => Number(cell.textContent.replaceAll(/[,.]/g, ''))))"
        )
        assert cells == course
        prices = row(ask, call("product_prices", view, f", {quoted}"))
        spread = page.get_by_test_id("price-spread")
        for name in ("lowest", "highest"):
            text = spread.get_attribute(f"data-{name}") or ""
            assert (float(text) if text else None) == prices[name], name
        if prices["discounts"]:
            assert said(page, "product-discounts") == prices["discounts"]
            assert said(page, "product-implausible") == prices["implausible_discounts"]
        assert page.locator(".one-product .mono").inner_text() == product

    eventually(check)


def one_product_is_opened_and_left(page: Page, url: str, ask: Ask) -> None:
    """A row leads to its product, a link opens it again, filters count there, a way leads back."""
    show(page, url, {"page": "products", "sort": "adds"})
    row_ = page.locator("[data-testid=products] tbody tr").first
    product = row_.get_attribute("data-key")
    assert product
    row_.locator("a").click()
    drawn(page)
    assert parse_qs(urlsplit(page.url).query)["product"] == [product]
    assert not page.get_by_test_id("products").is_visible()
    assert not page.get_by_test_id("brands").is_visible()
    product_equals_sql(page, ask, product)
    for bucket in ("day", "week", "hour"):
        page.locator(f"{SHOWN} [data-choice=bucket] [data-value={bucket}]").click()
        drawn(page)
        product_equals_sql(page, ask, product)
    choose(page, "login", "anonymous")
    drawn(page)
    product_equals_sql(page, ask, product)
    show(page, page.url)
    product_equals_sql(page, ask, product)
    page.locator(".product-head [data-goto=products]").click()
    drawn(page)
    query = parse_qs(urlsplit(page.url).query)
    assert "product" not in query
    assert query["sort"] == ["adds"]
    assert page.get_by_test_id("products").is_visible()
    page.go_back()
    drawn(page)
    assert page.get_by_test_id("one-product").get_attribute("data-key") == product
    page.locator(".navbar [data-value=products]").click()
    drawn(page)
    assert page.get_by_test_id("products").is_visible()


def odd_products_give_a_note(page: Page, url: str) -> None:
    """A product that is none is named, and the list stands there; a note can be dismissed."""
    for odd, words in (
        ("<script>document.title='taken'</script>", "<script>document.title='taken'</script>"[:60]),
        ("'; DROP TABLE etl.products; --", "'; DROP TABLE etl.products; --"),
        ("x" * 201, "product"),
    ):
        show(page, url, {"page": "products", "product": odd})
        note = page.get_by_test_id("note")
        note.wait_for()
        assert words in note.inner_text()
        assert page.get_by_test_id("products").is_visible()
        assert page.get_by_test_id("one-product").count() == 0
        assert page.title() == "Clickstream"
    show(page, url, {"page": "products", "product": "nobody"})
    page.locator("[data-testid=note] [data-dismiss]").click()
    drawn(page)
    assert "product=" not in page.url
    assert page.get_by_test_id("note").count() == 0


def products_equal_sql(page: Page, ask: Ask) -> None:
    """Products, categories and brands are the warehouse's, in its order."""

    def check() -> None:
        view = shown_range(page)
        assert listed(page, "products") == products_of(page, ask)
        assert said(page, "product-count") == list_total(page, ask)
        for testid, function, key, rows in (
            ("categories", "top_categories", "value", 10),
            ("brands", "top_brands", "value", 10),
        ):
            wanted = pairs(ask, call(function, view, f", {rows}"), key, "views")
            assert wanted
            assert listed(page, testid) == wanted
        kpis = row(ask, call("kpis", view))
        for testid, column in (
            ("unviewed", "adds_without_view_sessions"),
            ("discounts", "discount_rows"),
        ):
            assert said(page, testid) == kpis[column], testid
        assert said(page, "implausible") == kpis["implausible_discounts"]

    eventually(check)


def freshness_equals_sql(page: Page, ask: Ask) -> None:
    """The pill on every page and the strip on the pipeline page say how far the data goes."""

    def check() -> None:
        fresh = row(
            ask,
            "(SELECT extract(EPOCH FROM data_until)::float8 AS until, objects_loaded AS loaded,"
            " objects_quarantined AS quarantined, objects_pending AS pending,"
            " events_stored AS events FROM dashboard.freshness())",
        )
        pill = number(page, "freshness")
        assert pill is not None
        assert abs(pill - fresh["until"]) < 0.001
        for name in ("loaded", "quarantined", "pending", "events"):
            assert number(page, f"fresh-{name}") == fresh[name], name
        assert listed(page, "quarantine") == pairs(
            ask, "dashboard.quarantine_summary()", "reason_code", "objects"
        )
        records = page.locator("[data-testid=quarantine] tbody td:nth-child(3)").all_inner_texts()
        assert records == [
            f"{count:,}"
            for _, count in pairs(ask, "dashboard.quarantine_summary()", "reason_code", "records")
        ]

    eventually(check)


def reasons_are_explained(page: Page) -> None:
    """Each reason of the quarantine stands in words, with what to do, inside its card."""
    rows = page.locator("[data-testid=quarantine] tbody tr")
    assert rows.count() >= 3
    for place in range(rows.count()):
        said = rows.nth(place).locator(".reason .sub").all_inner_texts()
        assert len(said) == 2, rows.nth(place).inner_text()
        assert all(text.endswith(".") for text in said), said
    card = page.locator("[data-testid=quarantine]").locator("..")
    assert card.evaluate("x => x.scrollWidth <= x.clientWidth")


def runs_equal_sql(page: Page, ask: Ask) -> None:
    """The last runs say what became of the records they read, seldom things where there are any."""

    def check() -> None:
        runs = ask("SELECT json_agg(x) FROM dashboard.runs(12) AS x")
        lines = page.locator("[data-testid=runs] tbody tr")
        assert lines.count() == len(runs)
        for place, run in enumerate(runs):
            line = lines.nth(place)
            assert line.get_attribute("data-key") == str(run["run_id"])
            assert line.locator("td.num").all_inner_texts()[1:] == [
                f"{run['objects_loaded'] + run['objects_quarantined']:,}",
                f"{run['events_stored']:,}",
                f"{run['events_duplicate']:,}",
                f"{run['records_quarantined']:,}",
            ]
            seldom = {
                "erased": run["events_erased"],
                "expired": run["events_expired"],
                "in conflict": run["events_conflict"],
            }
            wanted = [f"{count:,} {word}" for word, count in seldom.items() if count]
            more = [run["error"]] if run["error"] else []
            assert line.locator(".sub").all_inner_texts() == (
                [", ".join(wanted), *more] if wanted else more
            )

    eventually(check)


def filters_change_the_numbers(page: Page, ask: Ask) -> None:
    """A click changes numbers and URL; the URL restores the view; Back goes back."""
    everyone = number(page, "kpi-visitors")
    choose(page, "login", "logged_in")
    drawn(page)
    overview_equals_sql(page, ask)
    some = number(page, "kpi-visitors")
    assert some is not None
    assert everyone is not None
    assert 0 < some < everyone
    page.locator("[data-choice=range] [data-value=yesterday]").click()
    drawn(page)
    overview_equals_sql(page, ask)
    query = parse_qs(urlsplit(page.url).query)
    assert query == {"range": ["yesterday"], "login": ["logged_in"]}
    page.reload()
    drawn(page)
    overview_equals_sql(page, ask)
    assert parse_qs(urlsplit(page.url).query) == query
    assert json.loads(shown_range(page)["filter"]) == {"login_state": ["logged_in"]}
    page.go_back()
    page.go_back()
    drawn(page)
    eventually(lambda: _is(number(page, "kpi-visitors"), everyone))


def _is(found: object, wanted: object) -> None:
    assert found == wanted


def dates_change_the_numbers(page: Page, ask: Ask, day: str) -> None:
    """A day put into the date fields becomes the range, in the URL as well."""
    page.locator("#from").fill(day)
    page.locator("#to").fill(day)
    drawn(page)
    overview_equals_sql(page, ask)
    query = parse_qs(urlsplit(page.url).query)
    assert (query["range"], query["from"], query["to"]) == (["custom"], [day], [day])


def definitions_stand_beside_numbers(page: Page) -> None:
    """Each headline has its definition, for the mouse and for a screen reader."""
    cells = page.locator(f"{SHOWN} .kpi")
    assert cells.count() == 6
    for index in range(cells.count()):
        label = cells.nth(index).locator(".i").get_attribute("aria-label") or ""
        assert re.fullmatch(r"[^:]+: .{20,}", label, re.DOTALL), label


def empty_range_says_so(page: Page, url: str) -> None:
    """A range without events is said in words, its rates are dashes."""
    show(page, url, {"range": "custom", "from": "2019-01-01", "to": "2019-01-02"})
    assert page.get_by_test_id("empty").count() >= 3
    assert number(page, "kpi-events") == 0
    assert number(page, "kpi-conversion") is None
    assert page.get_by_test_id("kpi-conversion").locator(".x").inner_text() == "\N{EN DASH}"


def garbage_in_the_url_is_harmless(page: Page, url: str) -> None:
    """Whatever a link says, the page shows its default view."""
    garbage = {"page": "'; DROP TABLE x", "range": "custom", "from": "2026-99-99", "to": "x"}
    more = {"zone": "Mars/Olympus", "login": "<b>", "bucket": "[object]", "measure": "1"}
    show(page, url, {**garbage, **more})
    assert (number(page, "kpi-events") or 0) > 0
    note = page.get_by_test_id("note")
    assert "left out: page, from, to, login, zone, bucket, measure" in note.inner_text()
    note.get_by_text("Dismiss").click()
    note.wait_for(state="detached", timeout=PATIENCE * 1000)
    for query in (
        {"from": "2026-01-01;DROP TABLE x"},
        {"category": "x" * 10_000},
        {"brand": "<img src=x onerror=alert(1)>", "event": "no such"},
    ):
        show(page, url, query)
        assert note.is_visible(), query
        assert (number(page, "kpi-events") or 0) > 0, query
        assert page.get_by_test_id("chips").count() == 0
    assert "Brand: <img src=x onerror=alert(1)>" in note.inner_text()


def fits_a_phone(page: Page, url: str) -> None:
    """No page scrolls sideways, tables unfolded; the filters hide behind one button."""
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 800})
        for name in PAGES:
            show(page, url, {"page": name})
            page.locator(f"{SHOWN} details").evaluate_all("all => all.forEach(x => x.open = true)")
            page.locator(f"{SHOWN} .fold").evaluate_all(
                "all => all.filter(x => x.ariaExpanded === 'false').forEach(x => x.click())"
            )
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
    show(page, url)
    assert not page.locator("[data-choice=range]").is_visible()
    page.get_by_text("Filters", exact=True).click()
    assert page.locator("[data-choice=range]").is_visible()


def products_need_no_swipe(page: Page, url: str) -> None:
    """A phone shows every number of every product, each under its own title, without a swipe."""
    show(page, url, {"page": "products"})
    row = page.locator("[data-testid=products] tbody tr").nth(1)
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 800})
        region = page.locator("[data-testid=products]").locator("..")
        assert region.evaluate("x => x.scrollWidth <= x.clientWidth"), width
        assert row.locator("td").count() == 8
        for cell in row.locator("td").all():
            box = cell.bounding_box()
            assert box is not None
            assert 0 <= box["x"] < box["x"] + box["width"] <= width
    titles = row.locator("td[data-label]").evaluate_all(
        "all => all.map(one => getComputedStyle(one, '::before').content)"
    )
    assert titles[0] == '"Views"'
    assert len(set(titles)) == 7
    page.locator("#sort").select_option("adds")
    drawn(page)
    assert "sort=adds" in page.url
    page.locator("[data-flip]").click()
    drawn(page)
    assert "order=asc" in page.url


def sections_fold(page: Page, url: str) -> None:
    """A phone begins with the headlines; what was unfolded stays so when it is drawn anew."""
    page.set_viewport_size({"width": 390, "height": 800})
    show(page, url)
    mix = page.get_by_test_id("event-mix")
    button = page.locator("[data-fold=Events] .fold")
    assert not mix.is_visible()
    assert button.get_attribute("aria-expanded") == "false"
    button.click()
    assert mix.is_visible()
    page.locator("#filters").click()
    page.locator("[data-choice=range] [data-value='30d']").click()
    drawn(page)
    assert mix.is_visible()
    assert button.get_attribute("aria-expanded") == "true"
    button.click()
    assert not mix.is_visible()
    page.set_viewport_size({"width": 1280, "height": 800})
    assert mix.is_visible()
    assert not button.is_visible()


def phone_filters_are_usable(page: Page, url: str, ask: Ask, day: str) -> None:
    """On a small phone every value of a menu can be tapped, the menu closed, days be entered."""
    page.set_viewport_size({"width": 320, "height": 568})
    show(page, url)
    page.locator("#filters").click()
    opener = page.locator("[data-open=event]")
    opener.click()
    options = page.locator("[data-choice=event] [data-value]")
    options.first.wait_for()
    last = options.last
    last.scroll_into_view_if_needed()
    box = last.bounding_box()
    close = page.locator("#menu-event [data-close]")
    below = close.bounding_box()
    assert box is not None
    assert below is not None
    assert box["height"] >= 40
    assert box["y"] >= 0
    assert below["y"] + below["height"] <= 568
    last.click()
    close.click()
    assert not page.locator("#menu-event").is_visible()
    assert opener.evaluate("x => x === document.activeElement")
    drawn(page)
    assert len(parse_qs(urlsplit(page.url).query)["event"]) == 1
    page.get_by_test_id("chips").locator(".chip").first.click()
    drawn(page)
    for end in ("#from", "#to"):
        box = page.locator(end).bounding_box()
        assert box is not None
        assert box["height"] >= 40
        assert 0 <= box["x"] < box["x"] + box["width"] <= 320
    dates_change_the_numbers(page, ask, day)


def another_page_gets_nothing(page: Page, url: str) -> None:
    """A session that does not know the page's token is told no number."""
    answer = page.request.get(url)
    body = re.sub(r'data-token="[0-9a-f]+"', 'data-token="0"', answer.text())
    assert 'data-token="0"' in body
    page.route(url, lambda route: route.fulfill(body=body, content_type="text/html"))
    page.goto(url)
    page.wait_for_function("() => window.Shiny && Shiny.shinyapp && Shiny.shinyapp.isConnected()")
    page.wait_for_timeout(1500)
    page.unroute(url)
    assert page.locator("[data-testid^=kpi-]").count() == 0
    assert page.get_by_test_id("freshness").count() == 0


# What a page of another site may try, for a minute at most: ask for the page and read it, or talk to
# its socket as the page itself did. Returns what it got to read.
_FETCH = """async ([address, mode]) => {
  try {
    const answer = await fetch(address, { mode: mode, credentials: 'include' });
    return [answer.type, answer.status, await answer.text()];
  } catch (error) { return ['refused', 0, String(error)]; }
}"""
_TALK = """async ([address, frames]) => {
  let heard = '';
  const socket = new WebSocket(address);
  socket.onmessage = message => { heard += message.data; };
  await new Promise(go => { socket.onopen = go; socket.onerror = go; });
  for (const frame of frames) {
    if (socket.readyState === WebSocket.OPEN) socket.send(frame);
    await new Promise(go => setTimeout(go, 300));
  }
  // Until it has nothing more to say: idle, and then the values in the same breath.
  for (let tries = 0; tries < 100 && !heard.includes('idle'); tries++) {
    await new Promise(go => setTimeout(go, 200));
  }
  await new Promise(go => setTimeout(go, 2000));
  socket.close();
  return heard;
}"""


def spoken_by(page: Page, url: str) -> tuple[str, str, list[str]]:
    """Open the dashboard; return its token, its socket's address and what it sent there at first."""
    sockets: list[str] = []
    frames: list[str] = []

    def opened(socket: WebSocket) -> None:
        sockets.append(socket.url)
        socket.on("framesent", lambda frame: frames.append(str(frame)))

    page.on("websocket", opened)
    show(page, url)
    token = page.locator("#view").get_attribute("data-token")
    assert token
    assert len(sockets) == 1
    assert any(token in frame for frame in frames)
    return token, sockets[0], frames


def read_by(page: Page, url: str, mode: str) -> list[Any]:
    """Return type, status and text of what a page's script gets when it fetches an address."""
    found: list[Any] = page.evaluate(_FETCH, [url, mode])
    return found


def heard_by(page: Page, socket: str, frames: list[str]) -> str:
    """Return what a page hears that says the same to a socket of its own."""
    own = re.sub(r"n=\w+", "n=" + secrets.token_hex(9), socket)
    heard: str = page.evaluate(_TALK, [own, frames])
    # A session there was: what is not heard was not said.
    assert "sessionId" in heard
    assert "idle" in heard
    return heard


def comes_back_when_its_session_is_lost(
    page: Page, url: str, ask: Ask, cut: Callable[[], object]
) -> None:
    """R gone under an open page: the same view is opened again by itself."""
    show(page, url, {"range": "today", "login": "anonymous"})
    page.evaluate("window.before = true")
    cut()
    page.locator("#gone").wait_for(timeout=PATIENCE * 1000)
    page.wait_for_function("() => !window.before", timeout=PATIENCE * 1000)
    drawn(page)
    assert parse_qs(urlsplit(page.url).query) == {"range": ["today"], "login": ["anonymous"]}
    overview_equals_sql(page, ask)


def says_when_the_database_is_down(
    page: Page, url: str, ask: Ask, stop: Callable[[], object], start: Callable[[], object]
) -> None:
    """Stopped: said in words, known numbers stay, unknown ones fail. Started: back by itself."""
    show(page, url)
    before = number(page, "kpi-visitors")
    stop()
    try:
        page.get_by_test_id("failed").wait_for(timeout=PATIENCE * 1000)
        assert number(page, "kpi-visitors") == before
        choose(page, "login", "guest")
        page.locator(f"{SHOWN} [data-testid=failed-part]").first.wait_for(timeout=PATIENCE * 1000)
        assert page.get_by_test_id("kpi-visitors").count() == 0
    finally:
        start()
    page.get_by_test_id("failed").wait_for(state="detached", timeout=PATIENCE * 1000)
    drawn(page)
    assert page.get_by_test_id("failed-part").count() == 0
    overview_equals_sql(page, ask)
