"""Random shops that try every clause of the metric definitions, and random questions about them."""

from __future__ import annotations

import contextlib
import json
import random
import unicodedata
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg2
import pytest

from tests import toolbox
from tests.warehouse import oracle
from tests.warehouse.loading import Event, Loader
from tests.warehouse.oracle import Oracle, Row

# Where the shops' clocks stand still: the start of the newest run is put here after loading.
DATA_UNTIL = datetime(2024, 5, 29, 7, 41, 20, 500_000, tzinfo=UTC)
DAYS = 12
TWINS_AT = datetime(2023, 5, 1, 9, tzinfo=UTC)


@dataclass(frozen=True)
class Span:
    """Days of one shop, with a change of summer time in them where there is one."""

    name: str
    seed: int
    start: datetime
    change: datetime | None = None
    visits: int = 110


SPANS = [
    Span("new_york_forward", 1, datetime(2017, 3, 6, tzinfo=UTC), datetime(2017, 3, 12, 7)),
    Span("lord_howe_back", 2, datetime(2018, 3, 26, tzinfo=UTC), datetime(2018, 3, 31, 15)),
    Span("new_york_back", 3, datetime(2019, 10, 29, tzinfo=UTC), datetime(2019, 11, 3, 6)),
    Span("lord_howe_forward", 4, datetime(2020, 9, 28, tzinfo=UTC), datetime(2020, 10, 3, 15, 30)),
    Span("robot", 5, datetime(2021, 12, 27, tzinfo=UTC)),
    Span("around_data_until", 6, datetime(2024, 5, 20, tzinfo=UTC), visits=180),
]
ZONES = ["Asia/Ho_Chi_Minh", "UTC", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe"]
NAMES = {
    "product_view": 30,
    "add_to_cart_click": 16,
    "remove_from_cart_click": 6,
    "checkout_start": 8,
    "checkout_complete": 9,
    "page_view": 8,
    "home_view": 6,
    "category_view": 8,
    "click": 6,
    "wishlist_toggle": 4,
    "Mở Trang": 3,
}
ABOUT_PRODUCTS = {"product_view", "add_to_cart_click", "remove_from_cart_click", "wishlist_toggle"}
LOGINS = [
    "logged_in",
    "Logged_In ",
    "guest",
    "GUEST",
    "anonymous",
    "\u3000Anonymous",
    "vip",
    "VIP2",
]
CATEGORIES = ["mouse", "bàn phím", "ghế", "desk"]
BRANDS = ["aula", "điện máy", "logi"]
BLANK = [None, None, " ", "\u3000", "\t"]
GAPS = [
    0,
    0,
    0,
    0.000001,
    1,
    1,
    5,
    5.000001,
    10,
    10.5,
    60,
    600,
    1799,
    1800,
    1800.000001,
    1801,
    5000,
]
PRICES = ["1990000", "10.50", "99.9", "450000", "101", "100"]
FUNNELS = [
    list(oracle.FUNNEL),
    ["product_view", "product_view"],
    ["page_view", "product_view", "product_view"],
    ["home_view", *oracle.FUNNEL[:2], "remove_from_cart_click", *oracle.FUNNEL[2:]],
    ["wishlist_toggle", "never_sent"],
    ["add_to_cart_click", "checkout_complete"],
    ["checkout_complete", "mở trang", "add_to_cart_click"],
]
FILTERS: list[dict[str, list[str]] | None] = [
    None,
    {"login_state": ["logged_in"]},
    {"login_state": ["guest", "other", "not set"]},
    {"category": ["mouse"]},
    {"category": ["bàn phím", "ghế"]},
    {"category": ["not set"], "login_state": ["anonymous", "logged_in"]},
    {"brand": ["aula"]},
    {"category": ["bàn phím"], "brand": ["điện máy"]},
    {"event_name": ["product_view", "mở trang"]},
    {"event_name": ["checkout_complete"], "login_state": ["logged_in"]},
    {
        "login_state": ["logged_in", "anonymous"],
        "category": ["mouse", "desk"],
        "brand": ["aula", "not set"],
        "event_name": ["product_view", "add_to_cart_click"],
    },
    {"category": ["nobody has it"]},
    {"category": [], "brand": []},
    {"login_state": [], "brand": ["logi", "not set"]},
    None,
    {"category": ["mouse"], "login_state": ["logged_in"]},
]


class Shop:
    """Makes the events of one span; the same for the same seed."""

    def __init__(self, span: Span) -> None:
        self.span = span
        self.rng = random.Random(span.seed)
        self.clients = [f"{span.name}-{number}" for number in range(35)]
        self.session_ids: list[str] = []
        self.looked_at = [0]
        self.events: list[Event] = []
        for _ in range(span.visits):
            self.visit(self.moment())

    def spelled(self, text: str) -> str:
        """Spell a key in one of the ways that share it."""
        rng = self.rng
        text = rng.choice([text, text, text, text.upper(), text.title(), text.capitalize()])
        form = rng.choice(["NFC", "NFC", "NFD"])
        text = unicodedata.normalize("NFD" if form == "NFD" else "NFC", text)
        before, after = (
            rng.choice(["", "", "", " ", "\u3000"]),
            rng.choice(["", "", "\t", "\u00a0"]),
        )
        return before + text + after

    def moment(self) -> datetime:
        """Return an instant of the span: any, or one near an edge of slots, days or summer time."""
        rng, zone = self.rng, ZoneInfo(self.rng.choice(ZONES))
        at = self.span.start + timedelta(seconds=rng.randrange(DAYS * 86_400))
        kind = rng.randrange(8)
        if kind == 0:
            return at + timedelta(microseconds=rng.randrange(1_000_000))
        if kind in (1, 2):
            at = at.replace(minute=rng.choice([0, 15, 30, 45]), second=0)
        elif kind == 3:
            at = at.astimezone(zone).replace(hour=0, minute=0, second=0).astimezone(UTC)
        elif kind in (4, 5) and self.span.change:
            hours = rng.choice([-1.5, -1, -0.5, -0.25, 0, 0, 0.25, 0.5, 0.75, 1, 1.5])
            at = self.span.change.replace(tzinfo=UTC) + timedelta(hours=hours)
        elif kind in (4, 5):
            return at
        return at + timedelta(microseconds=rng.choice([-1, 0, 0, 1, 1_000_000, 200_000_000]))

    def product(self) -> Event:
        """Return the columns of a product, as one event says them."""
        rng = self.rng
        number = rng.choice(self.looked_at) if rng.random() < 0.8 else rng.randrange(9)
        category = CATEGORIES[number % 4] if rng.random() < 0.85 else rng.choice(CATEGORIES)
        brand = BRANDS[number % 3] if rng.random() < 0.85 else rng.choice(BRANDS)
        price = None if rng.random() < 0.15 else Decimal(rng.choice(PRICES))
        discount = rng.choice([None, "0", "0", "10", "100", "100.01", "101", "450000"])
        title = rng.choice([f"Chuột {number}", f" Chuột {number} v2\u3000", *BLANK])
        return {
            "context_product_id": f"p{number}" if rng.random() < 0.97 else None,
            "context_product_name": title,
            "context_product_category": self.or_blank(category),
            "context_product_brand": self.or_blank(brand),
            "context_product_price": price,
            "context_product_discount_price": None if discount is None else Decimal(discount),
        }

    def or_blank(self, text: str) -> str | None:
        return self.rng.choice(BLANK) if self.rng.random() < 0.2 else self.spelled(text)

    def event(self, at: datetime, client: str | None, session: str | None) -> Event:
        """Return one event; what its name does not call for is left out, mostly."""
        rng = self.rng
        name = rng.choices(list(NAMES), list(NAMES.values()))[0]
        event: Event = {
            "event_id": str(uuid.UUID(int=rng.getrandbits(128))),
            "event_timestamp": at,
            "event_name": name if rng.random() < 0.9 else self.spelled(name),
            "client_id": client,
            "session_id": session,
            "is_first_visit": rng.choice([True, False, None]),
        }
        if name == "category_view":
            category = rng.choice(CATEGORIES)
            event["context_product_id"] = rng.choice([category, "p1", None])
            event["context_product_category"] = self.or_blank(category)
            event["context_product_name"] = "a category"
            event["context_product_price"] = Decimal(7)
        elif rng.random() < (0.95 if name in ABOUT_PRODUCTS else 0.15):
            event |= self.product()
        return event

    def visit(self, at: datetime, ends_at: datetime | None = None) -> None:
        """Make one visit: mostly of one client and session, which may be another's too."""
        rng = self.rng
        client = None if rng.random() < 0.1 else rng.choice(self.clients)
        session = f"{self.span.name}-s{len(self.session_ids)}"
        kind = rng.random()
        if kind < 0.15 and self.session_ids:
            session = rng.choice(self.session_ids[-20:])
        self.session_ids.append(session)
        self.looked_at = rng.sample(range(9), 2)
        login = rng.choice([*LOGINS, None, " "])
        made: list[Event] = []
        for number in range(rng.choice([1, 1, 2, 3, 4, 5, 6, 8, 12])):
            owner = None if rng.random() < 0.05 else client
            owner = rng.choice(self.clients) if rng.random() < 0.03 else owner
            known = session if kind < 0.7 and rng.random() < 0.97 else None
            event = self.event(at, owner, known)
            login = rng.choice([*LOGINS, None]) if number and rng.random() < 0.1 else login
            event["user_login_state"] = login if rng.random() < 0.85 else None
            made.append(event)
            at += timedelta(seconds=rng.choice(GAPS))
        if ends_at:
            late = ends_at - made[-1]["event_timestamp"]
            for event in made:
                event["event_timestamp"] += late
        self.events += made

    def robot(self) -> list[Event]:
        """Return a session of over 5,000 events, of a client that has visits too."""
        made = []
        for number in range(5_003):
            at = self.span.start + timedelta(days=3, hours=5, seconds=number // 2)
            event = self.event(at, self.clients[0], f"{self.span.name}-robot")
            event |= {"event_name": "click"} if number % 50 else {}
            made.append(event)
        return made


def near_data_until(shop: Shop) -> None:
    """Add visits whose last event lies about 30 minutes before *data until*."""
    for seconds in (1800, 1800.000001, 1799.999999, 1799, 600, 0, -60, 1900, 4000):
        for _ in range(4):
            shop.visit(DATA_UNTIL, DATA_UNTIL - timedelta(seconds=seconds))


def twins() -> list[Event]:
    """Return clients whose first instant has an event in two sessions, of two login states each."""
    rng = random.Random(23)
    return [
        {
            "event_id": str(uuid.UUID(int=rng.getrandbits(128))),
            "event_timestamp": TWINS_AT,
            "event_name": "click",
            "client_id": f"twin-{client}",
            "session_id": f"twin-{client}-{login}",
            "user_login_state": login,
        }
        for client in range(4)
        for login in ("guest", "vip")
    ]


def sent_again(shop: Shop) -> list[Event]:
    """Return copies of some events, a few of them with another name and time."""
    copies = [dict(event) for event in shop.rng.sample(shop.events, len(shop.events) // 15)]
    for event in copies[::4]:
        event["event_name"] = "checkout_complete"
        event["event_timestamp"] += timedelta(hours=shop.rng.choice([-3, 3]))
    return copies


def pieces(rng: random.Random, events: Sequence[Event], most: int) -> list[list[Event]]:
    """Cut events into objects of up to `most`."""
    left, found = list(events), []
    while left:
        size = rng.randint(1, most)
        found.append(left[:size])
        left = left[size:]
    return found


def chunks() -> list[list[list[Event]]]:
    """Return what is loaded, as chunks of objects: every shop's events in no order of time."""
    rng = random.Random(0)
    found: list[list[list[Event]]] = []
    for span in SPANS:
        shop = Shop(span)
        if span.name == "around_data_until":
            near_data_until(shop)
        events = [*shop.events, *sent_again(shop)]
        rng.shuffle(events)
        objects = pieces(rng, events, 25)
        while objects:
            size = rng.randint(1, 7)
            found.append(objects[:size])
            objects = objects[size:]
        if span.name == "robot":
            robot = shop.robot()
            rng.shuffle(robot)
            found += [[robot[:4_000]], [robot[4_000:4_990], robot[4_990:]]]
    found.append([[event] for event in twins()])
    first = SPANS[0].start - timedelta(hours=7)  # midnight in Hanoi: 30 days on, one begins as well
    found.append([[{**Shop(SPANS[0]).events[0], "event_id": str(uuid.UUID(int=7))}]])
    found[-1][0][0] |= {"event_timestamp": first, "client_id": "the first", "session_id": None}
    rng.shuffle(found)
    return found


def stored(loaded: Sequence[Sequence[Sequence[Event]]]) -> list[Event]:
    """Return the events that stay: of an event id, the one that came first."""
    kept: dict[str, Event] = {}
    for chunk in loaded:
        for held in chunk:
            for event in held:
                kept.setdefault(event["event_id"], event)
    return list(kept.values())


@dataclass(frozen=True)
class Case:
    """One question: a range, a zone, a filter, and what else a function may ask for."""

    since: datetime
    until: datetime
    zone: str
    wanted: dict[str, list[str]] | None
    bucket: str
    steps: list[str]
    max_rows: int

    @property
    def values(self) -> list[Any]:
        """The arguments that every function has."""
        wanted = None if self.wanted is None else json.dumps(self.wanted)
        return [self.since, self.until, self.zone, wanted]


def span_range(span: Span, rng: random.Random, zone: ZoneInfo, kind: int) -> list[datetime]:
    """Return a range that is cut on days, slots or months, at odd instants, or round a change."""
    day = span.start.replace(tzinfo=zone) + timedelta(days=rng.randrange(DAYS - 4))
    if kind == 0:
        return [day, day + timedelta(days=rng.randint(1, 9))]
    if kind == 1:
        slot = span.start + timedelta(minutes=30 * rng.randrange(DAYS * 40))
        return [slot, slot + timedelta(minutes=30 * rng.randint(1, 220))]
    if kind == 2:
        odd = day.astimezone(UTC) + timedelta(hours=14, minutes=3, seconds=7.5)
        return [odd, odd + timedelta(seconds=rng.randint(40_000, 800_000), microseconds=1)]
    if kind == 3:
        month = day.replace(day=1)
        return [month, (month + timedelta(days=rng.choice([32, 63]))).replace(day=1)]
    if kind == 4:
        at = (span.change or span.start + timedelta(days=9)).replace(tzinfo=UTC)
        around = [rng.choice([1, 6, 15.5, 30]) * rng.choice([1, 0.9]) for _ in "12"]
        return [at - timedelta(hours=around[0]), at + timedelta(hours=around[1])]
    return [day - timedelta(days=6), day + timedelta(days=30)]


def cases(span: Span) -> list[Case]:
    """Return the questions about one span, the same at every call."""
    rng = random.Random(span.seed * 1000)
    found = []
    for number in range(10):
        zone = ZONES[(number + span.seed) % len(ZONES)]
        kind = (number + number // 6 + span.seed) % 6
        since, until = (at.astimezone(UTC) for at in span_range(span, rng, ZoneInfo(zone), kind))
        if span.name == "around_data_until" and number % 3 == 0:
            until = DATA_UNTIL + timedelta(hours=rng.choice([-1, 0, 1, 30]))
            since = min(since, until - timedelta(days=2))
        short = until - since < timedelta(days=5) and not half_hour_change(since, until, zone)
        bucket = rng.choice(["hour", "day", "hour"] if short else ["day", "week"])
        steps = FUNNELS[0] if rng.random() < 0.4 else rng.choice(FUNNELS)
        rows = rng.choice([1, 3, 1000, 1000])
        wanted = FILTERS[(number + 5 * span.seed) % len(FILTERS)]
        found.append(Case(since, until, zone, wanted, bucket, steps, rows))
    return found


def half_hour_change(since: datetime, until: datetime, zone: str) -> bool:
    """Tell whether the clock is put forward or back by half an hour in a range."""
    changes = [span.change for span in SPANS if span.change and span.name.startswith("lord")]
    return zone == "Australia/Lord_Howe" and any(
        since <= change.replace(tzinfo=UTC) < until for change in changes
    )


def half_hour_changes() -> list[Case]:
    """Return questions by the hour about such ranges."""
    found = []
    for span in (SPANS[1], SPANS[3]):
        for wanted in FILTERS[:3]:
            at = (span.change or span.start).replace(tzinfo=UTC)
            since, until = at - timedelta(hours=7.6), at + timedelta(hours=3)
            found.append(Case(since, until, ZONES[4], wanted, "hour", FUNNELS[0], 1000))
    return found


def all_years() -> list[Case]:
    """Return questions about all spans at once."""
    since, until = datetime(2016, 2, 3, 4, 5, 6, tzinfo=UTC), datetime(2024, 8, 1, tzinfo=UTC)
    return [
        Case(since, until, zone, wanted, "week", FUNNELS[0], 1000)
        for zone, wanted in zip(ZONES, [None, *FILTERS[1:9:2]], strict=True)
    ]


def questions(whole: bool = True) -> list[Any]:
    """Return the questions of each span and, if `whole`, of all at once: parameters of a test."""
    asked = {span.name: cases(span) for span in SPANS}
    asked |= {"all_years": all_years()} if whole else {}
    return [pytest.param(found, id=name) for name, found in asked.items()]


class Stock:
    """A warehouse that holds the shops, and the oracle that holds the same events."""

    def __init__(self, server: toolbox.PostgresServer, events: Sequence[Event]) -> None:
        self.connection = psycopg2.connect(server.dsn("dashboard_reader"))
        self.connection.autocommit = True
        self.oracle = Oracle(events, DATA_UNTIL)

    def ask(self, statement: str, values: Sequence[Any]) -> list[Row]:
        """Ask the warehouse as the dashboard does."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            names = [column.name for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def compare(
        self,
        asked: Sequence[Case],
        call: str,
        more: Callable[[Case], list[Any]],
        expected: Callable[[Oracle, Case], list[Row]],
        ordered: bool = True,
    ) -> None:
        """Fail when the complete answer to a case differs, or when few answers say anything."""
        spoke = 0
        for case in asked:
            values = [*case.values, *more(case)]
            marks = ", ".join(["%s"] * 4 + ["%s"] * len(more(case)))
            statement = f"SELECT * FROM dashboard.{call}({marks})"
            answer, wanted = self.ask(statement, values), expected(self.oracle, case)
            if not ordered:
                answer, wanted = sorted(answer, key=_order), sorted(wanted, key=_order)
            spoke += any(_speaks(row) for row in wanted)
            if not same(answer, wanted):
                with self.connection.cursor() as cursor:
                    literal = cursor.mogrify(statement, values).decode()
                pytest.fail(f"{literal}\n{_differences(answer, wanted)}", pytrace=False)
        assert spoke >= len(asked) / 3, f"only {spoke} of {len(asked)} answers say anything"


def same(answer: Sequence[Row], wanted: Sequence[Row]) -> bool:
    """Tell whether rows are equal, real numbers to 12 digits."""
    return len(answer) == len(wanted) and all(
        left.keys() == right.keys() and all(_equal(left[name], right[name]) for name in left)
        for left, right in zip(answer, wanted, strict=True)
    )


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, float) and isinstance(right, float | int):
        return bool(left == pytest.approx(right, rel=1e-12, abs=1e-9))
    return bool(left == right)


def _speaks(row: Row) -> bool:
    return any(
        isinstance(value, int | Decimal) and not isinstance(value, bool) and value > 0
        for name, value in row.items()
        if name not in {"step", "number", "weekday", "hour", "occurrences"}
    )


def _order(row: Row) -> list[str]:
    return [
        f"{row[name]:05d}" if isinstance(row[name], int) else str(row[name]) for name in sorted(row)
    ]


def _differences(answer: Sequence[Row], wanted: Sequence[Row]) -> str:
    lines = [f"{len(answer)} rows from the warehouse, {len(wanted)} expected"]
    for number in range(max(len(answer), len(wanted))):
        pair = [rows[number] if number < len(rows) else {} for rows in (answer, wanted)]
        apart = [
            f"{name}: {pair[0].get(name)!r} for {pair[1].get(name)!r}"
            for name in pair[1] or pair[0]
            if not _equal(pair[0].get(name), pair[1].get(name))
        ]
        if apart:
            lines.append(f"row {number}: " + "; ".join(apart))
            lines.append(f"  warehouse {pair[0]}\n  expected  {pair[1]}")
    return "\n".join(lines[:25])


@contextlib.contextmanager
def stocked() -> Iterator[Stock]:
    """Start a warehouse, load the shops into it, and put *data until* where it is said to be."""
    loaded = chunks()
    events = stored(loaded)
    with toolbox.PostgresServer(warehouse=True) as server:
        loader = Loader(server)
        counts = [loader.load(chunk) for chunk in loaded]
        assert sum(count["events_stored"] for count in counts) == len(events)
        loader.connection.close()
        server.psql(f"UPDATE etl.runs SET started_at = '{DATA_UNTIL.isoformat()}'")
        stock = Stock(server, events)
        yield stock
        stock.connection.close()
