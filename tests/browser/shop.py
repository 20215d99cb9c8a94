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
            "product": {**product, "price": 1_990_000},
        }
        for number in range(900)
    ]


def fill(server: PostgresServer, now: dt.datetime, wanted: int, hours: int = 24) -> MemoryBucket:
    """Load the hours before `now`, at least `wanted` events; what arrives late in a second run."""
    start = now - dt.timedelta(hours=hours)
    delivery = objects.deliver(SEED, start, now, wanted)
    bucket = MemoryBucket()
    whole = {"from": start.isoformat(), "to": (now + dt.timedelta(hours=1)).isoformat()}
    writer = objects.Writer(SEED)
    first = [*delivery.first, writer.export(now - dt.timedelta(hours=1), awkward(now))]
    for part, payload in ((first, {}), (delivery.late, whole)):
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
