"""Answers the dashboard's questions in plain Python, from the events and *data until* alone.

A reading of the metric definitions of its own, written before a look at the warehouse's SQL. What
they leave open is decided as the warehouse does: an add without a product id is of one product more,
a category has a row if it has a product_view or an add, a bucket that the range cuts is provisional
if what is left of it ends after *data until*, and cohorts are followed to the end of the range.
Answers are lists of rows as the functions of the schema `dashboard` give them.
"""

from __future__ import annotations

import statistics
import unicodedata
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]
Filter = Mapping[str, Sequence[str]]
NOT_SET = "not set"
VIEW, ADD, REMOVE = "product_view", "add_to_cart_click", "remove_from_cart_click"
START, COMPLETE = "checkout_start", "checkout_complete"
VIEWS = {"home_view", "category_view", "product_view", "page_view"}
FUNNEL = (VIEW, ADD, START, COMPLETE)
LOGINS = ("logged_in", "guest", "anonymous", "other", NOT_SET)
HALF_HOUR = timedelta(minutes=30)
QUARTER = timedelta(minutes=15)
ROBOT_EVENTS = 5_000


def key(text: str | None) -> str:
    """Return what a value is grouped by: NFC, trimmed, lower case, and "not set" when blank."""
    return unicodedata.normalize("NFC", text or "").strip().lower() or NOT_SET


def login_class(text: str | None) -> str:
    """Return the class of an event's login state; one without a class of its own is "other"."""
    return key(text) if key(text) in LOGINS else "other"


def ratio(numerator: float, denominator: float) -> float | None:
    """Divide; None when there is nothing to divide by."""
    return numerator / denominator if denominator else None


def median(values: Sequence[float]) -> float | None:
    """Return the middle value, or the mean of the two in the middle; None of nothing."""
    return statistics.median(values) if values else None


@dataclass(frozen=True)
class Fact:
    """An event as the metrics see it: its keys, and the fields that labels are taken from."""

    at: datetime
    event_id: str
    client: str | None
    session_id: str | None
    product: str | None
    price: Decimal | None
    discount: Decimal | None
    event_name: str
    login_state: str
    category: str
    brand: str
    spelled: Mapping[str, str | None]

    @property
    def of_product(self) -> bool:
        """Whether product metrics count it: category_view has a category for its product id."""
        return self.product is not None and self.event_name != "category_view"


def fact(event: Mapping[str, Any]) -> Fact:
    """Read a row of the 16 columns."""
    spelled = {
        "event_name": event.get("event_name"),
        "login_state": event.get("user_login_state"),
        "category": event.get("context_product_category"),
        "brand": event.get("context_product_brand"),
        "name": event.get("context_product_name"),
    }
    return Fact(
        at=event["event_timestamp"],
        event_id=str(event["event_id"]),
        client=event.get("client_id"),
        session_id=event.get("session_id"),
        product=event.get("context_product_id"),
        price=event.get("context_product_price"),
        discount=event.get("context_product_discount_price"),
        event_name=key(spelled["event_name"]),
        login_state=login_class(spelled["login_state"]),
        category=key(spelled["category"]),
        brand=key(spelled["brand"]),
        spelled=spelled,
    )


def passes(one: Fact, wanted: Filter | None, but: str | None = None) -> bool:
    """Tell whether an event passes every field of a filter, except `but`; an empty list lets all."""
    return all(
        getattr(one, field) in values
        for field, values in (wanted or {}).items()
        if values and field != but
    )


@dataclass(frozen=True)
class Session:
    """Events of one session, in order of time and event id."""

    facts: tuple[Fact, ...]

    @property
    def started_at(self) -> datetime:
        return self.facts[0].at

    @property
    def ended_at(self) -> datetime:
        return self.facts[-1].at

    @cached_property
    def client(self) -> str | None:
        return next((one.client for one in self.facts if one.client is not None), None)

    @cached_property
    def names(self) -> frozenset[str]:
        return frozenset(one.event_name for one in self.facts)

    @cached_property
    def login_state(self) -> str:
        states = {one.login_state for one in self.facts}
        return next(state for state in LOGINS if state in states)

    @property
    def is_robot(self) -> bool:
        return len(self.facts) > ROBOT_EVENTS

    @cached_property
    def is_engaged(self) -> bool:
        if self.names & {ADD, START, COMPLETE}:
            return True
        if self.ended_at - self.started_at > timedelta(seconds=10):
            return True
        views = [one.at for one in self.facts if one.event_name in VIEWS]
        return bool(views) and views[-1] - views[0] > timedelta(seconds=5)

    def completes(self, of: Callable[[Fact], bool] | None = None) -> bool:
        """Tell whether a checkout completes at or after the first add, of some products if given."""
        adds = [one.at for one in self.facts if one.event_name == ADD and (of is None or of(one))]
        return any(one.event_name == COMPLETE and one.at >= min(adds) for one in self.facts if adds)

    def passes(self, wanted: Filter | None) -> bool:
        """Tell whether the session is of a login state, and one event of it passes the rest."""
        logins = (wanted or {}).get("login_state")
        return (not logins or self.login_state in logins) and any(
            passes(one, wanted, but="login_state") for one in self.facts
        )

    def reached(self, steps: Sequence[str]) -> list[datetime]:
        """Return when each step of the closed funnel was reached, as far as it goes."""
        taken: list[int] = []
        for step in steps:
            since = self.facts[taken[-1]].at if taken else self.started_at
            for number, one in enumerate(self.facts):
                if one.event_name == step and one.at >= since and number not in taken:
                    taken.append(number)
                    break
            else:
                break
        return [self.facts[number].at for number in taken]

    @cached_property
    def cart(self) -> list[tuple[int, Decimal | None]]:
        """Return number and price of each product that is in the cart of the last checkout.

        Adds without a product id are as one product.
        """
        done = [one.at for one in self.facts if one.event_name == COMPLETE]
        held: Counter[str | None] = Counter()
        prices: dict[str | None, Decimal | None] = {}
        for one in self.facts:
            if not done or one.at > done[-1]:
                continue
            if one.event_name == ADD:
                held[one.product] += 1
                prices[one.product] = one.price
            elif one.event_name == REMOVE:
                held[one.product] -= 1
        return [(count, prices.get(product)) for product, count in held.items() if count > 0]


def sessions_of(facts: Iterable[Fact]) -> list[Session]:
    """Put events, in order, into sessions: by session id, else by client and gaps of 30 minutes."""
    held: dict[tuple[str | int, ...], list[Fact]] = defaultdict(list)
    last: dict[str, tuple[int, datetime]] = {}
    for one in facts:
        if one.session_id is not None:
            held[(one.session_id,)].append(one)
        elif one.client is not None:
            number, at = last.get(one.client, (0, one.at))
            number += one.at - at > HALF_HOUR
            last[one.client] = (number, one.at)
            held[(one.client, number)].append(one)
    found = [Session(tuple(members)) for members in held.values()]
    return sorted(found, key=lambda one: one.started_at)


@dataclass(frozen=True)
class Bucket:
    """A local hour, day or week that a range touches, and what of it lies in the range."""

    start: datetime
    end: datetime
    since: datetime
    until: datetime

    def holds(self, at: datetime) -> bool:
        return self.since <= at < self.until


@lru_cache(100_000)
def bucket_start(at: datetime, zone: ZoneInfo, bucket: str) -> datetime:
    """Return when the local hour, day or week (from Monday) of an instant began.

    An hour ends where the clock is put forward or back as well: a repeated hour is two.
    """
    local = at.astimezone(zone)
    if bucket == "hour":
        start = at - timedelta(
            minutes=at.minute % 15, seconds=at.second, microseconds=at.microsecond
        )
        while _same_hour(start - QUARTER, at, zone):
            start -= QUARTER
        return start
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    days = midnight.weekday() if bucket == "week" else 0
    return (midnight - timedelta(days=days)).astimezone(UTC)


def _same_hour(one: datetime, other: datetime, zone: ZoneInfo) -> bool:
    here, there = one.astimezone(zone), other.astimezone(zone)
    return (here.date(), here.hour, here.utcoffset()) == (
        there.date(),
        there.hour,
        there.utcoffset(),
    )


def bucket_end(start: datetime, zone: ZoneInfo, bucket: str) -> datetime:
    """Return when the local hour, day or week that begins at an instant ends."""
    if bucket == "hour":
        end = start + QUARTER
        while bucket_start(end, zone, bucket) == start:
            end += QUARTER
        return end
    days = 7 if bucket == "week" else 1
    return (start.astimezone(zone) + timedelta(days=days)).astimezone(UTC)


@lru_cache(10_000)
def buckets(since: datetime, until: datetime, zone: ZoneInfo, bucket: str) -> tuple[Bucket, ...]:
    """Return every bucket that [since, until) touches."""
    found: list[Bucket] = []
    start = bucket_start(since, zone, bucket)
    while start < until and since < until:
        end = bucket_end(start, zone, bucket)
        found.append(Bucket(start, end, max(start, since), min(end, until)))
        start = end
    return tuple(found)


class Oracle:
    """All the events of a warehouse; asked by range, zone and filter as `dashboard` is.

    `events` are rows of the 16 columns, times aware and in UTC, each event id once.
    """

    def __init__(self, events: Iterable[Mapping[str, Any]], data_until: datetime) -> None:
        self.facts = sorted(map(fact, events), key=lambda one: (one.at, one.event_id))
        self.data_until = data_until
        self.all_sessions = sessions_of(self.facts)
        self.first: dict[str, Fact] = {}
        for one in self.facts:
            if one.client is not None:
                self.first.setdefault(one.client, one)

    def events(self, since: datetime, until: datetime, wanted: Filter | None) -> list[Fact]:
        """Return the events of a range that pass a filter."""
        begin = bisect_left(self.facts, since, key=lambda one: one.at)
        end = bisect_left(self.facts, until, key=lambda one: one.at)
        return [one for one in self.facts[begin:end] if passes(one, wanted)]

    def starting(self, since: datetime, until: datetime, wanted: Filter | None) -> list[Session]:
        """Return the sessions that start in a range and pass a filter, robots too."""
        begin = bisect_left(self.all_sessions, since, key=lambda one: one.started_at)
        end = bisect_left(self.all_sessions, until, key=lambda one: one.started_at)
        return [one for one in self.all_sessions[begin:end] if one.passes(wanted)]

    def sessions(self, since: datetime, until: datetime, wanted: Filter | None) -> list[Session]:
        """Return the sessions that session metrics count."""
        return [one for one in self.starting(since, until, wanted) if not one.is_robot]

    def is_open(self, session: Session) -> bool:
        """Tell whether the last event lies under 30 minutes before *data until*."""
        return self.data_until - session.ended_at < HALF_HOUR

    def is_new(self, session: Session) -> bool:
        """Tell whether a session holds its client's first event."""
        return session.client is not None and self.first[session.client] in session.facts

    def label(self, field: str, value: str) -> str:
        """Return the newest spelling of a key, of all events; classes and "not set" are themselves."""
        if value == NOT_SET or (field == "login_state" and value == "other"):
            return value
        spelled = next(one for one in reversed(self.facts) if getattr(one, field) == value)
        return (spelled.spelled[field] or "").strip()

    def newest(self, product: str, read: Callable[[Fact], Any]) -> Any:
        """Return what the newest event of a product says, of those that say anything."""
        said = (
            read(one) for one in reversed(self.facts) if one.product == product and one.of_product
        )
        return next((value for value in said if value is not None), None)

    def kpis(self, since: datetime, until: datetime, wanted: Filter | None) -> list[Row]:
        """Return the headline numbers."""
        events = self.events(since, until, wanted)
        starting = self.starting(since, until, wanted)
        sessions = [one for one in starting if not one.is_robot]
        carts = [one for one in sessions if ADD in one.names and not self.is_open(one)]
        discounts = [one for one in events if one.discount is not None]
        left = [cart for one in sessions for cart in one.cart]
        row: Row = {
            "events": len(events),
            "visitors": len({one.client for one in events} - {None}),
            "sessions": len(sessions),
            "converted_sessions": sum(COMPLETE in one.names for one in sessions),
            "engaged_sessions": sum(one.is_engaged for one in sessions),
            "product_view_sessions": sum(VIEW in one.names for one in sessions),
            "add_sessions": sum({VIEW, ADD} <= one.names for one in sessions),
            "sessions_with_add": len(carts),
            "abandoned_sessions": sum(not one.completes() for one in carts),
            "robot_sessions": len(starting) - len(sessions),
            "adds_without_view_sessions": sum(
                ADD in one.names and VIEW not in one.names for one in sessions
            ),
            "discount_rows": len(discounts),
            "implausible_discounts": sum(not plausible(one) for one in discounts),
            "cart_value": sum(
                (count * price for count, price in left if price is not None), Decimal(0)
            ),
            "cart_value_missing": sum(price is None for _, price in left),
        }
        bounced = row["sessions"] - row["engaged_sessions"]
        return [
            row
            | {
                "conversion_rate": ratio(row["converted_sessions"], row["sessions"]),
                "bounce_rate": ratio(bounced, row["sessions"]),
                "add_to_cart_rate": ratio(row["add_sessions"], row["product_view_sessions"]),
                "abandonment_rate": ratio(row["abandoned_sessions"], row["sessions_with_add"]),
            }
        ]

    def series(
        self, since: datetime, until: datetime, zone: ZoneInfo, wanted: Filter | None, bucket: str
    ) -> list[Row]:
        """Return the headline counts of every bucket."""
        events = self.events(since, until, wanted)
        sessions = self.sessions(since, until, wanted)
        rows = []
        for one in buckets(since, until, zone, bucket):
            inside = [event for event in events if one.holds(event.at)]
            started = [session for session in sessions if one.holds(session.started_at)]
            rows.append(
                {
                    "bucket_at": one.start,
                    "events": len(inside),
                    "visitors": len({event.client for event in inside} - {None}),
                    "sessions": len(started),
                    "converted_sessions": sum(COMPLETE in session.names for session in started),
                    "provisional": one.until > self.data_until,
                }
            )
        return rows

    def event_mix(self, since: datetime, until: datetime, wanted: Filter | None) -> list[Row]:
        """Return the number of events by name, the most frequent first."""
        counts = Counter(one.event_name for one in self.events(since, until, wanted))
        return [
            {"event_name": name, "label": self.label("event_name", name), "events": count}
            for name, count in counts.most_common()
        ]

    def login_states(self, since: datetime, until: datetime, wanted: Filter | None) -> list[Row]:
        """Return the sessions of each login state that there is."""
        sessions = self.sessions(since, until, wanted)
        counts = Counter(one.login_state for one in sessions)
        converted = Counter(one.login_state for one in sessions if COMPLETE in one.names)
        return [
            {"login_state": state, "sessions": count, "converted_sessions": converted[state]}
            for state, count in counts.items()
        ]

    def funnel(
        self, since: datetime, until: datetime, wanted: Filter | None, steps: Sequence[str]
    ) -> list[Row]:
        """Return who reached each step, how long it took, and who left after it."""
        sessions = self.sessions(since, until, wanted)
        reached = [(session, session.reached(steps)) for session in sessions]
        rows: list[Row] = []
        for number, name in enumerate(steps):
            there = [(session, times) for session, times in reached if len(times) > number]
            ended = [session for session, times in there if len(times) == number + 1]
            still = sum(map(self.is_open, ended))
            last = number == len(steps) - 1
            took = [(times[number] - times[number - 1]).total_seconds() for _, times in there]
            rows.append(
                {
                    "step": number + 1,
                    "event_name": name,
                    "closed_sessions": len(there),
                    "open_sessions": sum(name in session.names for session in sessions),
                    "median_seconds": median(took) if number else None,
                    "left_sessions": None if last else len(ended) - still,
                    "still_open_sessions": None if last else still,
                }
            )
        return rows

    def funnel_series(
        self,
        since: datetime,
        until: datetime,
        zone: ZoneInfo,
        wanted: Filter | None,
        steps: Sequence[str],
        bucket: str,
    ) -> list[Row]:
        """Return the funnel of the sessions that start in each bucket."""
        kept = ("step", "event_name", "closed_sessions", "open_sessions")
        return [
            {"bucket_at": one.start, **{name: row[name] for name in kept}}
            for one in buckets(since, until, zone, bucket)
            for row in self.funnel(one.since, one.until, wanted, steps)
        ]

    def funnel_split(
        self,
        since: datetime,
        until: datetime,
        wanted: Filter | None,
        split: str,
        max_rows: int,
    ) -> list[Row]:
        """Return the funnel that the filter by each value gives; values without a view are left out."""
        if split == "new_returning":
            found = [
                (value, value, sessions) for value, sessions in self._by_age(since, until, wanted)
            ]
        else:
            found = [
                (
                    value,
                    value if split == "login_state" else self.label(split, value),
                    self.sessions(since, until, {**(wanted or {}), split: [value]}),
                )
                for value in self._split_values(since, until, wanted, split, max_rows)
            ]
        rows: list[Row] = []
        for value, label, sessions in found:
            depths = [len(session.reached(FUNNEL)) for session in sessions]
            names = ("view_sessions", "add_sessions", "start_sessions", "complete_sessions")
            counts = {
                name: sum(depth > step for depth in depths) for step, name in enumerate(names)
            }
            if counts["view_sessions"]:
                rows.append({"value": value, "label": label, **counts})
        rows.sort(key=lambda row: (-row["view_sessions"], row["value"]))
        return rows[:max_rows]

    def _by_age(
        self, since: datetime, until: datetime, wanted: Filter | None
    ) -> list[tuple[str, list[Session]]]:
        found: dict[str, list[Session]] = {"new": [], "returning": [], NOT_SET: []}
        for one in self.sessions(since, until, wanted):
            age = "new" if self.is_new(one) else "returning"
            found[NOT_SET if one.client is None else age].append(one)
        return list(found.items())

    def _split_values(
        self, since: datetime, until: datetime, wanted: Filter | None, split: str, max_rows: int
    ) -> list[str]:
        if split == "login_state":
            return list((wanted or {}).get(split) or {one.login_state for one in self.all_sessions})
        return [row["value"] for row in self.top_terms(split, since, until, wanted, max_rows)]

    def top_products(
        self, since: datetime, until: datetime, wanted: Filter | None, max_rows: int
    ) -> list[Row]:
        """Return the products that an event has, by views, adds and id."""
        return self._products(since, until, wanted)[:max_rows]

    def _products(self, since: datetime, until: datetime, wanted: Filter | None) -> list[Row]:
        """Return every product that an event has, by views, adds and id."""
        events = [one for one in self.events(since, until, wanted) if one.of_product]
        sessions = self.sessions(since, until, wanted)
        rows: list[Row] = []
        for product in {one.product for one in events if one.product is not None}:
            counts = Counter(one.event_name for one in events if one.product == product)
            done = _done(sessions, _having("product", product))
            rows.append(
                {
                    **self._labels(product),
                    "views": counts[VIEW],
                    "adds": counts[ADD],
                    "removals": counts[REMOVE],
                    "wishlisted": counts["wishlist_toggle"],
                    **done,
                    "add_to_cart_rate": ratio(done["add_sessions"], done["view_sessions"]),
                }
            )
        return sorted(rows, key=lambda row: (-row["views"], -row["adds"], row["product_id"]))

    def product_list(
        self,
        since: datetime,
        until: datetime,
        wanted: Filter | None,
        search: str,
        sort: str,
        ascending: bool,
        rows_before: int,
        max_rows: int,
    ) -> list[Row]:
        """Return a page of the products whose id or name holds a text, by a column."""
        text = folded(search.strip(" "))
        rows = [
            row
            for row in self._products(since, until, wanted)
            if text in folded(row["product_id"]) or text in folded(row["name"] or "")
        ]

        def value(row: Row) -> Any:
            if sort == "name":
                return folded(row["name"] or row["product_id"])
            columns = {
                "rate": "add_to_cart_rate",
                "bought": "bought_sessions",
                "price": "price_seen",
            }
            return row[columns.get(sort, sort)]

        # Sorting is stable: what is equal stays by views, adds and id.
        having = [row for row in rows if value(row) is not None]
        having.sort(key=value, reverse=not ascending)
        rest = [row for row in rows if value(row) is None]
        page = [*having, *rest][rows_before : rows_before + max_rows]
        return [{**row, "products": len(rows)} for row in page]

    def _product(
        self, product: str, since: datetime, until: datetime, wanted: Filter | None
    ) -> dict[str, int]:
        """Count what was done with one product."""
        events = [
            one
            for one in self.events(since, until, wanted)
            if one.of_product and one.product == product
        ]
        counts = Counter(one.event_name for one in events)
        return {
            "views": counts[VIEW],
            "adds": counts[ADD],
            "removals": counts[REMOVE],
            "wishlisted": counts["wishlist_toggle"],
            **_done(self.sessions(since, until, wanted), _having("product", product)),
        }

    def _labels(self, product: str) -> Row:
        """Return what the newest events of a product say of it."""
        return {
            "product_id": product,
            "name": self.newest(product, lambda one: _said(one, "name")),
            "category": self.newest(product, lambda one: _said(one, "category")),
            "brand": self.newest(product, lambda one: _said(one, "brand")),
            "price_seen": self.newest(product, lambda one: one.price),
        }

    def product_labels(self, product: str) -> list[Row]:
        """Return what a product is called, if any event has it."""
        return [self._labels(product)] if self.knows(product) else []

    def knows(self, product: str) -> bool:
        """Tell whether any event has a product."""
        return any(one.of_product and one.product == product for one in self.facts)

    def product_totals(
        self, product: str, since: datetime, until: datetime, wanted: Filter | None
    ) -> list[Row]:
        """Return what was done with one product in a range."""
        if not self.knows(product):
            return []
        done = self._product(product, since, until, wanted)
        rate = ratio(done["add_sessions"], done["view_sessions"])
        return [{**done, "add_to_cart_rate": rate}]

    def product_series(
        self,
        product: str,
        since: datetime,
        until: datetime,
        zone: ZoneInfo,
        wanted: Filter | None,
        bucket: str,
    ) -> list[Row]:
        """Return what was done with one product in every bucket of a range."""
        rows: list[Row] = []
        for one in buckets(since, until, zone, bucket) if self.knows(product) else ():
            done = self._product(product, one.since, one.until, wanted)
            columns = ("views", "adds", "removals", "bought_sessions")
            rows.append(
                {
                    "bucket_at": one.start,
                    **{name: done[name] for name in columns},
                    "provisional": one.until > self.data_until,
                }
            )
        return rows

    def product_prices(
        self, product: str, since: datetime, until: datetime, wanted: Filter | None
    ) -> list[Row]:
        """Return the prices seen of one product, and its discounts."""
        events = [
            one
            for one in self.events(since, until, wanted)
            if one.of_product and one.product == product
        ]
        prices = [one.price for one in events if one.price is not None]
        discounts = [one for one in events if one.discount is not None]
        return [
            {
                "lowest": min(prices, default=None),
                "highest": max(prices, default=None),
                "priced": len(prices),
                "discounts": len(discounts),
                "implausible_discounts": sum(not plausible(one) for one in discounts),
            }
        ]

    def top_terms(
        self, field: str, since: datetime, until: datetime, wanted: Filter | None, max_rows: int
    ) -> list[Row]:
        """Return views and adds by category or brand: by views, adds and value."""
        events = [one for one in self.events(since, until, wanted) if one.event_name in (VIEW, ADD)]
        sessions = self.sessions(since, until, wanted)
        rows: list[Row] = []
        for value in {str(getattr(one, field)) for one in events}:
            counts = Counter(one.event_name for one in events if getattr(one, field) == value)
            done = _done(sessions, _having(field, value))
            rows.append(
                {
                    "value": value,
                    "label": self.label(field, value),
                    "views": counts[VIEW],
                    "adds": counts[ADD],
                    "view_sessions": done["view_sessions"],
                    "bought_sessions": done["bought_sessions"],
                }
            )
        rows.sort(key=lambda row: (-row["views"], -row["adds"], row["value"]))
        return rows[:max_rows]

    def filter_values(self, field: str) -> list[Row]:
        """Return every value of a field, with its label."""
        return [
            {"value": value, "label": self.label(field, value)}
            for value in {str(getattr(one, field)) for one in self.facts}
        ]

    def heatmap(
        self, since: datetime, until: datetime, zone: ZoneInfo, wanted: Filter | None
    ) -> list[Row]:
        """Return the sessions that start in each local hour of the week, on complete days."""
        occurrences: Counter[tuple[int, int]] = Counter()
        started: Counter[tuple[int, int]] = Counter()
        for day in buckets(since, until, zone, "day"):
            if day.start < since or day.end > min(until, self.data_until):
                continue
            for hour in buckets(day.start, day.end, zone, "hour"):
                occurrences[_hour_of_week(hour.start, zone)] += 1
            for session in self.sessions(day.start, day.end, wanted):
                started[_hour_of_week(session.started_at, zone)] += 1
        return [
            {
                "weekday": weekday,
                "hour": hour,
                "sessions": started[weekday, hour],
                "occurrences": count,
                "sessions_per_hour": started[weekday, hour] / count,
            }
            for (weekday, hour), count in sorted(occurrences.items())
        ]

    def retention(
        self, since: datetime, until: datetime, zone: ZoneInfo, wanted: Filter | None, bucket: str
    ) -> list[Row]:
        """Return how many of the clients first seen in a bucket come back in each that follows."""
        cells = [
            one
            for one in buckets(since, until, zone, bucket)
            if one.start >= since and one.start < self.data_until
        ]
        seen = [self._clients(one.start, one.end, wanted) for one in cells]
        rows: list[Row] = []
        for first, cohort in enumerate(cells):
            members = {
                client
                for client in seen[first]
                if cohort.start <= self.first[client].at < cohort.end
            }
            for number, cell in enumerate(cells[first:]):
                returned = len(members & seen[first + number])
                rows.append(
                    {
                        "cohort_at": cohort.start,
                        "number": number,
                        "cohort": len(members),
                        "returned": returned,
                        "rate": ratio(returned, len(members)),
                        "provisional": cell.end > self.data_until,
                    }
                )
        return rows

    def new_returning(
        self, since: datetime, until: datetime, zone: ZoneInfo, wanted: Filter | None, bucket: str
    ) -> list[Row]:
        """Return new and returning visitors and sessions of every bucket."""
        marked_until = self.facts[0].at + timedelta(days=30)
        rows: list[Row] = []
        for one in buckets(since, until, zone, bucket):
            clients = self._clients(one.since, one.until, wanted)
            new = sum(one.holds(self.first[client].at) for client in clients)
            sessions = self.sessions(one.since, one.until, wanted)
            unset = sum(session.client is None for session in sessions)
            new_sessions = sum(map(self.is_new, sessions))
            rows.append(
                {
                    "bucket_at": one.start,
                    "new_visitors": new,
                    "returning_visitors": len(clients) - new,
                    "new_sessions": new_sessions,
                    "returning_sessions": len(sessions) - new_sessions - unset,
                    "unset_sessions": unset,
                    "provisional": one.until > self.data_until,
                    "marked": one.start < marked_until,
                }
            )
        return rows

    def visitor_facts(self, since: datetime, until: datetime, wanted: Filter | None) -> list[Row]:
        """Return visitors, and sessions for each of theirs, of a whole range."""
        clients = self._clients(since, until, wanted)
        new = sum(since <= self.first[client].at < until for client in clients)
        sessions = self.sessions(since, until, wanted)
        owners = {one.client for one in sessions} - {None}
        lengths = [
            (one.ended_at - one.started_at).total_seconds()
            for one in sessions
            if len(one.facts) > 1
        ]
        views = sum(event.event_name in VIEWS for one in sessions for event in one.facts)
        return [
            {
                "new_visitors": new,
                "returning_visitors": len(clients) - new,
                "sessions": len(sessions),
                "session_visitors": len(owners),
                "sessions_per_visitor": ratio(len(sessions), len(owners)),
                "median_seconds": median(lengths),
                "views": views,
                "depth": ratio(views, len(sessions)),
            }
        ]

    def _clients(self, since: datetime, until: datetime, wanted: Filter | None) -> set[str]:
        """Return the clients of the events of a range that pass a filter."""
        events = self.events(since, until, wanted)
        return {one.client for one in events if one.client is not None}


def plausible(one: Fact) -> bool:
    """Tell whether a discount price is one: above 100 and below the price."""
    return one.discount is not None and one.price is not None and 100 < one.discount < one.price


def folded(text: str) -> str:
    """Return text without case and marks, as a search compares it."""
    apart = unicodedata.normalize("NFD", text.lower())
    return "".join(one for one in apart if not "\u0300" <= one <= "\u036f").replace("đ", "d")


def _said(one: Fact, field: str) -> str | None:
    text = one.spelled[field] or ""
    return text if text.strip() else None


def _having(field: str, value: str) -> Callable[[Fact], bool]:
    return lambda one: getattr(one, field) == value


def _hour_of_week(at: datetime, zone: ZoneInfo) -> tuple[int, int]:
    local = at.astimezone(zone)
    return local.isoweekday(), local.hour


def _done(sessions: Iterable[Session], of: Callable[[Fact], bool]) -> dict[str, int]:
    """Count sessions by what they did with some products: viewed, viewed and added, bought."""
    counts = Counter[str]()
    for session in sessions:
        names = {one.event_name for one in session.facts if of(one)}
        counts["view_sessions"] += VIEW in names
        counts["add_sessions"] += {VIEW, ADD} <= names
        counts["bought_sessions"] += session.completes(of)
    return {name: counts[name] for name in ("view_sessions", "add_sessions", "bought_sessions")}
