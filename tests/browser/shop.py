"""A day of the demo shop's traffic, put into a warehouse by the real loader without an S3 server."""

from __future__ import annotations

import datetime as dt
import os
from typing import Any
from unittest import mock

from demo import objects
from etl_lambda.fetching import Fetched
from etl_lambda.listing import Found
from etl_lambda.request import parse
from etl_lambda.run import Clock, Run
from etl_lambda.s3_list import Listed, Page
from etl_lambda.settings import from_environment
from tests.toolbox import PostgresServer

SEED = 20301


class MemoryBucket:
    """A raw bucket in memory: its own lister and reader, as the loader wants them."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[dt.datetime, bytes]] = {}

    def put(self, thing: objects.RawObject, at: dt.datetime) -> None:
        """Write an object as if at that instant."""
        self._held[thing.key] = (at, thing.body)

    def lister(self) -> MemoryBucket:
        return self

    def reader(self) -> Any:
        return self

    def page(self, prefix: str, *, delimiter: bool = False, token: str | None = None) -> Page:
        """Return all keys below a prefix in one page."""
        assert token is None
        found, prefixes = [], set()
        for key in sorted(self._held):
            if not key.startswith(prefix):
                continue
            folder, slash, _ = key[len(prefix) :].partition("/")
            if delimiter and slash:
                prefixes.add(f"{prefix}{folder}/")
                continue
            at, body = self._held[key]
            found.append(Listed(key, f"e{len(body)}", at, len(body)))
        return Page(found, sorted(prefixes), None)

    async def read(self, found: Found) -> Fetched:
        """Return an object's bytes."""
        at, body = self._held[found.key]
        return Fetched(found, found.etag, at, len(body), body)


# What a product may be called by whoever sends it: shown as text, whatever it is.
EVIL_NAME = "<img src=x onerror=\"document.title='taken'\"> B\u00e0n ph\u00edm & chu\u1ed9t"


def awkward(at: dt.datetime) -> list[dict[str, Any]]:
    """Return events that a page may stumble over: markup in names, an unknown login state."""
    product = {"id": "p-evil", "name": EVIL_NAME, "category": "<b>fat</b>", "brand": "O'Br\u00efen"}
    return [
        {
            "eventName": "product_view",
            "eventId": f"00000000-0000-4000-8000-{number:012d}",
            "eventTimestamp": (at - dt.timedelta(minutes=90, seconds=number)).isoformat(),
            "clientId": "c-awkward",
            "sessionId": "s-awkward",
            "userLoginState": "half logged in",
            "product": {**product, "price": 1_990_000, "discountPrice": 1_790_000},
        }
        for number in range(900)
    ]


def _event(name: str, client: str, number: int, at: dt.datetime) -> dict[str, Any]:
    return {
        "eventName": name,
        "eventId": f"00000000-0000-4000-9000-{number:012d}",
        "eventTimestamp": at.isoformat(),
        "clientId": f"c-{client}",
        "sessionId": f"s-{client}",
    }


def seldom(at: dt.datetime) -> list[dict[str, Any]]:
    """Return sessions that traffic alone may not hold: just begun, an add without a view, forgotten."""
    earlier = at - dt.timedelta(hours=2)
    return [
        _event("product_view", "just-begun", 1, at - dt.timedelta(minutes=2)),
        _event("add_to_cart_click", "unviewed", 2, earlier),
        _event("home_view", "forgotten", 3, earlier),
        _event("product_view", "forgotten", 4, earlier),
    ]


def sent_again(at: dt.datetime) -> list[dict[str, Any]]:
    """Return what a run reads and does not store: in conflict, expired, and erased before."""
    _, unviewed, *forgotten = seldom(at)
    later = (at - dt.timedelta(hours=1)).isoformat()
    old = dt.datetime(2001, 1, 1, tzinfo=dt.UTC)
    expired = _event("home_view", "old", 5, old)
    return [{**unviewed, "eventTimestamp": later}, expired, *forgotten]


def fill(server: PostgresServer, now: dt.datetime, wanted: int, hours: int = 24) -> MemoryBucket:
    """Load the hours before `now`, at least `wanted` events; what arrives late in a second run.

    A third run, after an erasure, reads what it must not store.
    """
    start = now - dt.timedelta(hours=hours)
    delivery = objects.deliver(SEED, start, now, wanted)
    bucket = MemoryBucket()
    whole = {"from": start.isoformat(), "to": (now + dt.timedelta(hours=1)).isoformat()}
    writer = objects.Writer(SEED)
    hour_ago = now - dt.timedelta(hours=1)
    first = [*delivery.first, writer.export(hour_ago, awkward(now) + seldom(now))]
    no_events = writer.export(hour_ago, [{"hello": "world"}] * 2)
    again = [writer.export(hour_ago, sent_again(now)), no_events]
    for part, payload in ((first, {}), (delivery.late, whole), (again, whole)):
        if part is again:
            server.psql("SELECT etl.erase('c-forgotten')")
            server.psql("UPDATE etl.settings SET retention_months = 120")
        for thing in part:
            bucket.put(thing, now)
        load(server, bucket, payload)
    return bucket


def load(server: PostgresServer, bucket: MemoryBucket, payload: dict[str, str]) -> None:
    """Run the loader once."""
    env = {
        "RAW_BUCKET": "clickstream-s3-ingest",
        "DWH_HOST": server.host,
        "DWH_PORT": str(server.port),
        "DWH_USER": "etl_loader_a",
        "DWH_PASSWORD": "not-asked-for",
        "DWH_SSLMODE": "disable",
    }
    with mock.patch.dict(os.environ, env):
        settings = from_environment(os.environ)
    clock = Clock()
    reply = Run(settings, bucket, clock)(parse(payload, clock.now()))
    assert reply["result"] == "loaded", reply
