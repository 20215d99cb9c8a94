"""The dashboard's part: what a person waits for in Chromium, and what many at once wait for."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, sync_playwright

from tests import toolbox
from tests.bench.base import Base
from tests.bench.measuring import BenchError, Entry, say, shown
from tests.bench.server import KeptServer
from tests.bench.visitors import Recorded, Visitor, click_together, slowest_tenth
from tests.browser import checks
from tests.browser.conftest import serving

ZONE = "Asia/Ho_Chi_Minh"
DAYS = 30
RUNS = 5
PEOPLE = 20
CLICKS = 6  # of each person
SLOW_SECONDS = 5.0
CATEGORIES = [f"category-{number:02}" for number in range(20)]
LOGINS = ("logged_in", "guest", "anonymous")
KILOBYTE = 1000
# Clicks, and returns the milliseconds until Shiny was idle for the last time before a rest, drawn.
CLICK = """async selector => {
  let last = 0, busy = false, answered = false;
  const mark = event => {
    if (event.type === 'shiny:busy') busy = true;
    if (event.type === 'shiny:idle') { busy = false; last = performance.now(); }
    if (event.type === 'shiny:value') { answered = true; last = performance.now(); }
  };
  const names = 'shiny:busy.bench shiny:idle.bench shiny:value.bench';
  $(document).on(names, mark);
  const began = performance.now();
  document.querySelector(selector).click();
  const rest = ms => new Promise(done => setTimeout(done, ms));
  while (!answered || busy || performance.now() - last < 250) {
    if (performance.now() - began > 60000) throw new Error('nothing was drawn within a minute');
    await rest(10);
  }
  $(document).off('.bench');
  return last - began;
}"""


@dataclass(frozen=True)
class Rig:
    """A running dashboard over a base, a browser, and the days that are looked at."""

    url: str
    home: Path
    server: KeptServer
    browser: Browser
    first: dt.date
    last: dt.date

    def address(self, **more: str) -> str:
        """Return the address of a view of the days."""
        return f"{self.url}?" + urlencode(
            {"range": "custom", "from": f"{self.first}", "to": f"{self.last}", "zone": ZONE, **more}
        )

    @contextlib.contextmanager
    def context(self) -> Iterator[BrowserContext]:
        """Yield a browser without anything cached."""
        context = self.browser.new_context(viewport={"width": 1280, "height": 720})
        try:
            yield context
        finally:
            context.close()

    def r_process(self) -> int:
        """Return the number of the app's R process. Raises BenchError unless there is one."""
        app = (self.home / "site" / "sbw_dashboard").resolve()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                is_r = (process / "comm").read_text().strip() == "R"
                if is_r and (process / "cwd").readlink() == app:
                    found.append(int(process.name))
        if len(found) != 1:
            raise BenchError(f"{len(found)} R processes serve the dashboard, one was expected")
        return found[0]


def run(size: int) -> list[Entry]:
    """Measure over a base of `size` events; return the table's rows in order.

    Raises BenchError when the dashboard does not answer.
    """
    base = Base(size)
    base.ready()
    with base.serving() as server, serving(server) as (url, home), sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=checks.CHROMIUM, args=list(checks.ARGUMENTS)
        )
        (newest,) = server.execute(
            "clickstream_dw", "SELECT max(event_timestamp) FROM public.clickstream_events"
        )[0]
        last = newest.astimezone(ZoneInfo(ZONE)).date() - dt.timedelta(1)
        rig = Rig(url, home, server, browser, last - dt.timedelta(DAYS - 1), last)
        try:
            return [
                *_visits(rig),
                *_changes(rig),
                *_people(rig),
                *_export(rig, size),
            ]
        finally:
            browser.close()


def _visits(rig: Rig) -> list[Entry]:
    say("Open the dashboard")
    cold, warm, first_bytes, later_bytes = [], [], [], []
    for _ in range(RUNS):
        os.kill(rig.r_process(), signal.SIGKILL)
        with rig.context() as context:
            page = context.new_page()
            with _counted(context, page) as received:
                cold.append(_opened(page, lambda page=page: page.goto(rig.address())))  # type: ignore[misc]
            first_bytes.append(received[0])
            for _ in range(2):
                with _counted(context, page) as received:
                    warm.append(_opened(page, page.reload))
            later_bytes.append(received[0])
    return [
        _waited("cold_visit", "first visit, R process cold", cold, 4.5, 2.5),
        _waited("warm_visit", "later visit (reload)", warm, 1.3, 0.8),
        _entry("first_bytes", "bytes of a first visit, kB", first_bytes, 600, 300, "kB"),
        _entry("later_bytes", "bytes of a later visit, kB", later_bytes, 100, 30, "kB"),
    ]


def _opened(page: Page, go: Callable[[], object]) -> float:
    """Return the seconds until all that is seen is drawn, and goes on being drawn."""
    began = time.perf_counter()
    go()
    while True:
        page.wait_for_function(checks.DRAWN, timeout=60_000, polling="raf")
        seconds = time.perf_counter() - began
        page.wait_for_timeout(250)  # the part below the chart comes in its own flush
        if page.evaluate(checks.DRAWN):
            return seconds


@contextlib.contextmanager
def _counted(context: BrowserContext, page: Page) -> Iterator[list[float]]:
    """Count the kB that come to a page: answers with their heads as sent, and websocket frames."""
    session: CDPSession = context.new_cdp_session(page)
    counted = [0.0]

    def finished(event: dict[str, Any]) -> None:
        counted[0] += event["encodedDataLength"] / KILOBYTE

    def framed(event: dict[str, Any]) -> None:
        counted[0] += len(event["response"]["payloadData"].encode()) / KILOBYTE

    session.on("Network.loadingFinished", finished)
    session.on("Network.webSocketFrameReceived", framed)
    session.send("Network.enable")
    try:
        yield counted
    finally:
        page.wait_for_timeout(200)
        session.detach()


def _changes(rig: Rig) -> list[Entry]:
    """Return how long a filter change takes, and the original's way over about a million events."""
    say("Change a filter")
    times = []
    with rig.context() as context:
        page = context.new_page()
        checks.show(page, rig.address())
        _open_menu(page)
        for category in CATEGORIES[: 2 * RUNS]:
            times.append(page.evaluate(CLICK, _choice(category)) / 1000)
            page.evaluate(CLICK, _choice(category))  # left again
        # Of several categories at once no rollup tells: sessions are counted from themselves.
        several = [page.evaluate(CLICK, _choice(one)) / 1000 for one in CATEGORIES[-RUNS - 1 :]][1:]
    entries = [
        _waited("filter_change", "filter change, all drawn again", times, 0.45, 0.15),
        _waited("filter_change_several", "the same, a further category", several, None, None),
    ]
    say("Read all rows into R, as the original does")
    theirs, ours = _original(rig)
    value = median(theirs) / median(ours)
    entries.append(
        Entry(
            name="dashboard.original_vs_ours",
            value=value,
            bar=20,
            better="higher",
            runs=[one / median(ours) for one in theirs],
            title="every row into R ÷ ours, filter change",
            ours=f"{shown(median(ours))} s",
            other=f"{shown(median(theirs))} s",
            more={"stretch": 60},
        )
    )
    return entries


def _open_menu(page: Page) -> None:
    page.locator("[data-open=category]").click()
    page.locator(_choice(CATEGORIES[0])).wait_for()
    checks.drawn(page)


def _choice(category: str) -> str:
    return f"[data-choice=category] [data-value='{category}']"


def _original(rig: Rig) -> tuple[list[float], list[float]]:
    """Return seconds of the original's changes over the days that hold a million events, and of ours."""
    first = _first_of(rig, 1_000_000)
    bounds = [
        dt.datetime.combine(day, dt.time(), ZoneInfo(ZONE)).isoformat()
        for day in (first, rig.last + dt.timedelta(1))
    ]
    script = "/src/tests/bench/original.R"  # as the toolbox sees the repository
    done = toolbox.run(
        ["Rscript", "--vanilla", script, str(rig.server.port), *bounds, CATEGORIES[0]],
        user="postgres",
        cwd="/",
    )
    theirs = [float(line.split()[0]) for line in done.stdout.splitlines() if line.strip()]
    ours = []
    with rig.context() as context:
        page = context.new_page()
        checks.show(page, rig.address(**{"from": f"{first}"}))
        _open_menu(page)
        for category in CATEGORIES[:RUNS]:
            ours.append(page.evaluate(CLICK, _choice(category)) / 1000)
            page.evaluate(CLICK, _choice(category))
    return theirs, ours


def _first_of(rig: Rig, events: int) -> dt.date:
    """Return the first of the last days that hold about so many events, at most all."""
    rows = rig.server.execute(
        "clickstream_dw",
        "SELECT bucket_at AT TIME ZONE %s, events FROM dashboard.series(%s, %s, %s, NULL, 'day')"
        " ORDER BY 1 DESC",
        ZONE,
        dt.datetime.combine(rig.last - dt.timedelta(360), dt.time(), ZoneInfo(ZONE)),
        dt.datetime.combine(rig.last + dt.timedelta(1), dt.time(), ZoneInfo(ZONE)),
        ZONE,
    )
    total = 0
    for at, count in rows:
        total += count
        if total >= events:
            return at.date()  # type: ignore[no-any-return]
    return rows[-1][0].date()  # type: ignore[no-any-return]


def _people(rig: Rig) -> list[Entry]:
    """Return what twenty people at once wait for, the memory they take, and a slow question's cost."""
    say(f"Let {PEOPLE} people click")
    inputs, slow_inputs = _recorded(rig), _recorded(rig, page="products")
    with Visitor(rig.url, inputs) as first:
        outputs = first.learn(category=[CATEGORIES[0]])
    with Visitor(rig.url, inputs, outputs) as alone:
        single = click_together([alone], _choices(rig, 1, "one"), 1)
    with contextlib.ExitStack() as stack:
        people = [stack.enter_context(Visitor(rig.url, inputs, outputs)) for _ in range(PEOPLE)]
        many = click_together(people, _choices(rig, PEOPLE, "many"), 2)
        megabytes = _resident(rig.r_process())
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(Visitor(rig.url, inputs, outputs)) for _ in range(4)]
        before = click_together(others, _choices(rig, 4, "before"), 3)
        with _slow(rig, slow_inputs):
            during = click_together(others, _choices(rig, 4, "during"), 4)
    return [
        Entry(
            name="dashboard.people_vs_one",
            value=slowest_tenth(many) / median(single),
            bar=6,
            better="lower",
            runs=[one / median(single) for one in many],
            title=f"{PEOPLE} people at once, slowest tenth ÷ one alone",
            ours=f"{shown(slowest_tenth(many))} s",
            other=f"{shown(median(single))} s",
            more={"stretch": 2.5},
        ),
        Entry(
            name="dashboard.others_of_a_slow_question",
            value=max(during) / max(before),
            bar=2,
            better="lower",
            runs=[one / max(before) for one in during],
            title=f"a question of {SLOW_SECONDS:g} s: others' slowest ÷ without",
            ours=f"{shown(max(during))} s",
            other=f"{shown(max(before))} s",
            more={"stretch": 1.2},
        ),
        _entry("memory", f"R with {PEOPLE} sessions, MB", [megabytes], 350, 230, "MB"),
    ]


def _recorded(rig: Rig, **more: str) -> dict[str, Any]:
    """Return the inputs that a real page begins with."""
    with rig.context() as context:
        page = context.new_page()
        recorded = Recorded(page)
        checks.show(page, rig.address(**more))
        if not recorded.inputs:
            raise BenchError("the page sent no first message")
        return recorded.inputs


def _choices(rig: Rig, people: int, round_name: str) -> list[list[dict[str, Any]]]:
    """Return each person's clicks: views that nobody has asked for before, in this round or another."""
    round_number = ("one", "many", "before", "during", "export").index(round_name)
    found = []
    for person in range(people):
        # Days of one's own make every answer another one.
        first = rig.first - dt.timedelta(1 + person + PEOPLE * round_number)
        found.append(
            [
                {
                    "from": f"{first}",
                    "category": [CATEGORIES[(person + click) % len(CATEGORIES)]],
                    "login": [LOGINS[click % len(LOGINS)]],
                }
                for click in range(CLICKS)
            ]
        )
    return found


def _resident(process: int) -> float:
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


@contextlib.contextmanager
def _slow(rig: Rig, inputs: dict[str, Any]) -> Iterator[None]:
    """Have one person wait SLOW_SECONDS for an answer: what only that page reads is locked so long.

    Raises BenchError when the answer came sooner.
    """
    locked = threading.Event()
    waited: list[float] = []

    def lock() -> None:
        with rig.server.connection("clickstream_dw") as connection, connection.cursor() as cursor:
            connection.autocommit = False
            cursor.execute("LOCK TABLE etl.product_labels IN ACCESS EXCLUSIVE MODE")
            locked.set()
            time.sleep(SLOW_SECONDS)
            connection.rollback()

    def ask() -> None:
        began = time.perf_counter()
        visitor.learn(category=[CATEGORIES[-1]])  # which nobody has asked this page for
        waited.append(time.perf_counter() - began)

    visitor = Visitor(rig.url, inputs)
    holder = threading.Thread(target=lock)
    holder.start()
    locked.wait(10)
    person = threading.Thread(target=ask)
    person.start()
    try:
        yield
    finally:
        holder.join()
        person.join()
        visitor.__exit__()
    if not waited or waited[0] < SLOW_SECONDS - 1:
        raise BenchError(f"the question that should take {SLOW_SECONDS} s took {waited}")


def _export(rig: Rig, size: int) -> list[Entry]:
    """Return a file of about a million rows against psql's COPY, and what others wait for meanwhile."""
    say("Write a CSV")
    first = _first_of(rig, min(1_000_000, size // 2))
    ours: list[float] = []
    inputs = _recorded(rig)
    with Visitor(rig.url, inputs) as one:
        outputs = one.learn(category=[CATEGORIES[0]])
    with rig.context() as context, Visitor(rig.url, inputs, outputs) as other:
        page = context.new_page()
        checks.show(page, rig.address(**{"from": f"{first}", "page": "explore"}))
        rows = int(checks.number(page, "csv-rows") or 0)
        meanwhile: list[float] = []
        over = threading.Event()

        def click() -> None:
            for choice in itertools.chain.from_iterable(_choices(rig, 3 * PEOPLE, "export")):
                if over.is_set():
                    return
                meanwhile.append(other.click(**choice))

        person = threading.Thread(target=click)
        person.start()
        for _ in range(3):
            began = time.perf_counter()
            with page.expect_download(timeout=120_000) as waiting:
                page.get_by_test_id("csv-rows").click()
            lines = sum(1 for _ in waiting.value.path().open("rb"))
            ours.append(time.perf_counter() - began)
            if lines != rows + 1:
                raise BenchError(f"the CSV has {lines - 1} rows, {rows} were announced")
        over.set()
        person.join()
    theirs = [_copied(rig, first) for _ in range(3)]
    return [
        Entry(
            name="dashboard.csv_vs_copy",
            value=median(ours) / median(theirs),
            bar=2,
            better="lower",
            runs=[one / median(theirs) for one in ours],
            title=f"CSV of {rows:,} rows ÷ psql's COPY of the same",
            ours=f"{shown(median(ours))} s",
            other=f"{shown(median(theirs))} s",
            more={"stretch": 1.2, "rows": rows},
        ),
        _waited("csv_others", "others' slowest click meanwhile", [max(meanwhile)], 0.3, 0.1),
    ]


def _copied(rig: Rig, first: dt.date) -> float:
    """Return the seconds of psql's COPY of the same rows and columns to a file."""
    view = {"from": f"{first}", "to": f"{rig.last}", "zone": ZONE, "filter": ""}
    query = f"SELECT * FROM {checks.call('event_export', view)}"
    with toolbox.scratch("csv-", "postgres") as home:
        target = f"{toolbox.inside_path(home)}/rows.csv"
        command = ["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"]
        dsn = rig.server.dsn("dashboard_reader", "clickstream_dw")
        began = time.perf_counter()
        toolbox.run(
            [*command, "-d", dsn, "-c", rf"\copy ({query}) TO '{target}' CSV HEADER"],
            user="postgres",
            cwd="/",
        )
        return time.perf_counter() - began


def _waited(
    name: str, title: str, seconds: Sequence[float], bar: float | None, stretch: float | None
) -> Entry:
    return _entry(name, f"{title}, s", seconds, bar, stretch, "s")


def _entry(
    name: str,
    title: str,
    values: Sequence[float],
    bar: float | None,
    stretch: float | None,
    unit: Literal["s", "kB", "MB"],
) -> Entry:
    value = median(values)
    return Entry(
        name=f"dashboard.{name}",
        value=value,
        bar=bar,
        better="lower",
        runs=values,
        title=title,
        ours=f"{shown(value)} {unit}",
        other="",
        unit=unit,
        more={"stretch": stretch},
    )
