"""A seeded generator of a shop's traffic, event by event, as the storefront's publisher sends it.

Everything follows from (seed, start, end, wanted number of events): the same four give the same
events with the same ids. The numbers are drawn to look like a shop's, they are nobody's.
"""

from __future__ import annotations

import datetime as dt
import math
import random
import uuid
from collections.abc import Iterator
from typing import Any

from demo.catalogue import Product, catalogue

ZONE = dt.timezone(dt.timedelta(hours=7))  # where the shop's customers live
# Relative traffic by local hour and by weekday (Monday first): a lunch and an evening peak.
HOURS = (9, 5, 3, 2, 2, 4, 10, 22, 38, 52, 60, 66, 62, 48, 50, 52, 50, 46, 44, 58, 78, 84, 62, 28)
WEEKDAYS = (0.97, 0.98, 1.0, 1.0, 1.04, 1.12, 1.10)
EVENTS_PER_SESSION = 4.24  # measured on 200,000 events of this generator
AGENTS = (
    "Mozilla/5.0 (Linux; Android 14; SM-A556E) Chrome/131.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/131.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.1 Safari/605.1.15",
)

Event = dict[str, Any]


def intensity(at: dt.datetime) -> float:
    """Return the relative traffic at an instant: the day's and the week's rhythm together."""
    local = at.astimezone(ZONE)
    share = local.minute / 60
    hour = HOURS[local.hour] * (1 - share) + HOURS[(local.hour + 1) % 24] * share
    return hour * WEEKDAYS[local.weekday()]


def _session_starts(
    draw: random.Random, start: dt.datetime, end: dt.datetime, count: int
) -> list[dt.datetime]:
    minutes = [
        start + dt.timedelta(minutes=n)
        for n in range(max(1, int((end - start).total_seconds() // 60)))
    ]
    chosen = draw.choices(minutes, [intensity(minute) for minute in minutes], k=count)
    return sorted(minute + dt.timedelta(seconds=draw.random() * 60) for minute in chosen)


class Shop:
    """Draws sessions one after the other, remembering its visitors so that some come back."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)  # noqa: S311 - a simulation, not a secret
        self.products = catalogue()
        self.weights = [product.weight for product in self.products]
        self.clients: list[dict[str, Any]] = []

    def _client(self) -> dict[str, Any]:
        """Return a visitor: a known one for two sessions in five, more likely a recent one."""
        if self.clients and self.draw.random() < 0.4:
            back = min(len(self.clients) - 1, int(self.draw.expovariate(1 / 400)))
            return self.clients[-1 - back]
        client = {
            "id": f"c{self.draw.getrandbits(64):016x}",
            "user": f"u{self.draw.randrange(10_000, 99_999)}" if self.draw.random() < 0.3 else None,
            "agent": self.draw.choice(AGENTS),
            "address": f"203.0.113.{self.draw.randrange(1, 255)}",
            "old_browser": self.draw.random() < 0.02,  # no crypto.randomUUID: ids of another form
            "first": True,
        }
        self.clients.append(client)
        return client

    def session(self, at: dt.datetime) -> Iterator[Event]:
        """Yield the events of one visit that starts at `at`, in the order they happen."""
        visit = Visit(self, self._client(), at)
        yield from visit.arrive()
        yield from visit.browse()
        yield from visit.buy()

    def described(self, product: Product) -> dict[str, Any]:
        """Return a product as an event carries it; a few producers spell prices as text."""
        price: Any = product.price
        odd = self.draw.random()
        if odd < 0.02:
            price = str(product.price)
        elif odd < 0.025:
            price = f"{product.price:,}".replace(",", ".")  # "1.990.000": a price for people
        return {
            "id": product.id,
            "name": product.name,
            "category": product.category,
            "brand": product.brand,
            "price": price,
            "discountPrice": product.discount_percent,
            "urlPath": product.url_path,
        }

    def uuid(self) -> str:
        """Return a random UUID of the shop's own seed."""
        return str(uuid.UUID(int=self.draw.getrandbits(128), version=4))


class Visit:
    """One visit: its visitor, its moment in time, and what lies in the cart."""

    def __init__(self, shop: Shop, client: dict[str, Any], at: dt.datetime) -> None:
        draw = shop.draw
        self.shop, self.draw, self.client, self.moment = shop, draw, client, at
        self.session_id = f"s{draw.getrandbits(64):016x}"
        self.logged_in = client["user"] is not None and draw.random() < 0.55
        self.state = "guest" if not self.logged_in and draw.random() < 0.1 else "anonymous"
        self.first_event, client["first"] = client["first"], False
        self.carted: list[Product] = []

    def _wait(self, median: float) -> None:
        self.moment += dt.timedelta(seconds=self.draw.lognormvariate(math.log(median), 0.8))

    def _chance(self, share: float) -> bool:
        return self.draw.random() < share

    def _event(self, name: str, product: dict[str, Any] | None = None, path: str = "/") -> Event:
        first, self.first_event = self.first_event, False
        millis = int(self.moment.timestamp() * 1000)
        old = self.client["old_browser"]
        return {
            "eventName": name,
            "eventId": f"{millis}-{self.draw.getrandbits(44):011x}" if old else self.shop.uuid(),
            "pageUrl": f"https://shop.example{path}",
            "referrer": None,
            "userId": self.client["user"] if self.logged_in else None,
            "userLoginState": "logged_in" if self.logged_in else self.state,
            "clientId": self.client["id"],
            "sessionId": self.session_id,
            "isFirstVisit": first,
            "product": product,
            "_ingest": {
                "receivedAt": self.moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{millis % 1000:03d}Z",
                "sourceIp": self.client["address"],
                "userAgent": self.client["agent"],
                "method": "POST",
                "path": "/clickstream",
                "requestId": self.shop.uuid(),
                "stage": "$default",
            },
        }

    def arrive(self) -> Iterator[Event]:
        """Yield the first pages, and a login for some of those who have an account."""
        if self._chance(0.45):
            yield self._event("home_view")
            self._wait(8)
        elif self._chance(0.3):
            yield self._event("page_view", path="/pages/khuyen-mai")
            self._wait(10)
        if not self.logged_in and self.client["user"] is not None and self._chance(0.25):
            yield self._event("login_open")
            self._wait(12)
            self.logged_in = True
            yield self._event("login_success")
            self._wait(4)

    def browse(self) -> Iterator[Event]:
        """Yield category and product pages, with what is done on them."""
        shop = self.shop
        wanted = self.draw.choices(shop.products, shop.weights)[0].category
        if self._chance(0.4):
            # The publisher writes the category where a product's id belongs.
            described = {"id": wanted, "category": wanted}
            yield self._event("category_view", described, f"/category/{wanted}")
            self._wait(12)
        near = [product for product in shop.products if product.category == wanted]
        for _ in range(min(12, int(self.draw.expovariate(1 / 2.6)))):
            pool = near if self._chance(0.7) else shop.products
            product = self.draw.choices(pool, [one.weight for one in pool])[0]
            yield from self._look_at(product)

    def _look_at(self, product: Product) -> Iterator[Event]:
        seen, path = self.shop.described(product), product.url_path
        if self.first_event:
            yield self._event("page_view", path=path)  # a visitor's first page sends two
        yield self._event("product_view", seen, path)
        self._wait(25)
        for name, share in (("wishlist_toggle", 0.06), ("share_click", 0.02)):
            if self._chance(share):
                yield self._event(name, seen, path)
                self._wait(5)
        if self._chance(0.12):
            yield self._event("click", path=path)
            self._wait(6)
        if self._chance(0.13 if self.logged_in else 0.075):
            yield self._event("add_to_cart_click", seen, path)
            self.carted.append(product)
            self._wait(10)

    def buy(self) -> Iterator[Event]:
        """Yield what happens in the cart, at the checkout, and on the way out."""
        if self.carted and self._chance(0.14):
            gone = self.carted.pop()
            yield self._event("remove_from_cart_click", self.shop.described(gone), "/cart")
            self._wait(8)
        if self.carted and self._chance(0.52):
            self._wait(30)
            yield self._event("checkout_start", path="/checkout")  # no product, no order value
            if self._chance(0.66):
                self.moment += dt.timedelta(seconds=1.5)  # a timer of the page, not the customer
                yield self._event("checkout_complete", path="/checkout")
        if self.logged_in and self._chance(0.1):
            self._wait(20)
            yield self._event("logout")


def events_between(
    seed: int, start: dt.datetime, end: dt.datetime, wanted: int
) -> list[tuple[dt.datetime, Event]]:
    """Return at least `wanted` events received in [start, end), by time, each with its instant.

    Visits that would run past `end` are cut there: those customers are still in the shop.
    """
    shop = Shop(seed)
    found: list[tuple[dt.datetime, Event]] = []
    starts = _session_starts(shop.draw, start, end, math.ceil(wanted / EVENTS_PER_SESSION * 1.01))
    while True:
        for at in starts:
            for event in shop.session(at):
                received = dt.datetime.fromisoformat(event["_ingest"]["receivedAt"])
                if received < end:
                    found.append((received, event))
        if len(found) >= wanted:
            break
        starts = _session_starts(shop.draw, start, end, 50)
    return sorted(found, key=lambda item: (item[0], item[1]["eventId"]))
