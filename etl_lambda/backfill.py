"""A backfill: first look what there is to load, then load it day by day, again until nothing is left.

Each call is one run of the loader, whole in itself: whatever ends a backfill between two of them or in
the middle of one, what was committed stays, and the next backfill finds it in the ledger.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from etl_lambda.request import Request

Payload = dict[str, Any]
Reply = dict[str, Any]
Call = Callable[[Payload], Reply]

WAIT_BUSY_SECONDS = 15.0
MOST_FAILURES = 5
DAY = timedelta(days=1)
MOST_DAYS = 31


@dataclass
class Plan:
    """What the looking found: objects and bytes by day of the keys.

    `whole` is false when the function's time ran out meanwhile: there is more than that then.
    """

    days: dict[str, dict[str, int]] = field(default_factory=dict)
    whole: bool = True

    @property
    def objects(self) -> int:
        """How many objects there are to load."""
        return sum(day["objects"] for day in self.days.values())

    @property
    def bytes(self) -> int:
        """How large they are."""
        return sum(day["bytes"] for day in self.days.values())

    def add(self, reply: Reply) -> None:
        """Take a dry run's reply."""
        for day, found in reply["pending"].items():
            sums = self.days.setdefault(day, {"objects": 0, "bytes": 0})
            for name in sums:
                sums[name] += found[name]
        self.whole = self.whole and reply["window"]["listed_whole"]


def print_reply(reply: Reply) -> None:
    """Print a reply as a line of JSON on standard output."""
    print(json.dumps(reply, default=str), flush=True)


def until_loaded(
    call: Call,
    payload: Payload,
    sleep: Callable[[float], object] = time.sleep,
    told: Callable[[Reply], object] = print_reply,
) -> Reply:
    """Call again while the reply is busy or partial, or failed for a passing reason.

    A partial reply that left as much as the one before it is given up like a failure. A dry run is over
    with its first reply that is neither. `told` gets every reply.
    """
    failures, left = 0, None
    while True:
        reply = call(payload)
        told(reply)
        result = reply["result"]
        if result == "loaded" or (payload.get("dry_run") and result == "partial"):
            return reply
        if result == "busy":
            sleep(WAIT_BUSY_SECONDS)
            continue
        remaining = reply.get("objects", {}).get("remaining")
        if result == "partial" and (left is None or remaining < left):
            failures, left = 0, remaining
            continue
        failures += 1
        if failures >= MOST_FAILURES or not reply.get("error", {}).get("transient", True):
            return reply
        sleep(2.0**failures)


def divided(request: Request) -> bool:
    """Whether the request is a range of keys, which can be loaded in pieces."""
    return request.from_at is not None and not request.quarantine


def looks(request: Request) -> Iterator[Payload]:
    """Yield the payloads that look what there is, a month's days at most in one."""
    base = {**request.as_json(), "dry_run": True}
    if not divided(request):
        yield base
        return
    for start, end in _spans(request, MOST_DAYS):
        yield {**base, "from": start.isoformat(), "to": end.isoformat()}


def loads(request: Request, plan: Plan) -> Iterator[tuple[str, Payload]]:
    """Yield what to call it and the payload of each run.

    A day with something to load is a run of its own. The days between are listed as well, since only
    that proves their hours complete, but many in one run.
    """
    base = request.as_json()
    if not divided(request):
        yield request.prefix or ("quarantine" if request.quarantine else "default window"), base
        return
    for start, end in _merged(request, plan):
        last = end - timedelta(microseconds=1)
        name = f"{start:%Y-%m-%d}"
        if last - start >= DAY:
            name += f" to {last:%Y-%m-%d}"
        yield name, {**base, "from": start.isoformat(), "to": end.isoformat()}


def _merged(request: Request, plan: Plan) -> Iterator[tuple[datetime, datetime]]:
    empty: tuple[datetime, datetime] | None = None
    for start, end in _spans(request, 1):
        full = not plan.whole or f"{start:%Y-%m-%d}" in plan.days
        if empty is not None and (full or end - empty[0] > DAY * MOST_DAYS):
            yield empty
            empty = None
        if full:
            yield start, end
        else:
            empty = (start if empty is None else empty[0], end)
    if empty is not None:
        yield empty


def _spans(request: Request, days: int) -> Iterator[tuple[datetime, datetime]]:
    """Cut a range at UTC midnights, `days` apart."""
    if request.from_at is None or request.to_at is None:
        return
    start, to_at = request.from_at, request.to_at
    while start < to_at:
        midnight = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        end = min(midnight + DAY * days, to_at)
        yield start, end
        start = end
