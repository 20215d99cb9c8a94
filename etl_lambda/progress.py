"""A backfill's lines for people: how far it is, what it would do, and how it ended."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import TextIO

from etl_lambda.backfill import Plan, Reply


def span(seconds: float) -> str:
    """Return a time in words, as exact as it is worth."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


class Progress:
    """Writes to `stream` (standard error), a line for each reply."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._plan: Plan | None = None
        self._began: float | None = None
        self._events: Counter[str] = Counter()
        self._waits = False
        self.done = 0

    def say(self, text: str) -> None:
        """Write a line."""
        print(text, file=self._stream, flush=True)

    def begin(self, plan: Plan | None) -> None:
        """Say what is to be loaded; `plan` is None when nobody looked."""
        self._plan, self._began = plan, self._clock()
        if plan is not None:
            self.say(f"to load: {self._all()} objects, {plan.bytes:,} bytes")

    def table(self, plan: Plan) -> None:
        """Say what would be loaded, by day of the keys."""
        rows = [(day, found["objects"], found["bytes"]) for day, found in sorted(plan.days.items())]
        for first, objects, size in [*rows, ("all", plan.objects, plan.bytes)]:
            self.say(f"{first:<10} {objects:>12,} objects {size:>18,} bytes")
        if not plan.whole:
            self.say("and more: the time was over before all was listed")

    def told(self, name: str, reply: Reply) -> None:
        """Say what a reply adds."""
        result = reply["result"]
        if result == "busy":
            if not self._waits:
                self.say(f"{name}: another run is under way, waiting for its end")
            self._waits = True
            return
        self._waits = False
        objects = reply.get("objects", {})
        new = sum(objects.get(kind, 0) for kind in ("loaded", "quarantined", "gone"))
        self.done += new
        self._events.update(reply.get("events", {}))
        if result == "failed":
            self.say(f"{name}: {_error(reply)}")
        elif result == "loaded" and not new:
            self.say(f"{name}: nothing to load")
        else:
            self.say(f"{name}: {self._far(objects.get('remaining', 0))}")
        if reply.get("error_budget", {}).get("over"):
            self.say(f"{name}: {_over(reply)}")

    def looked(self, name: str, reply: Reply) -> None:
        """Say what kept a dry run from its end, if anything did."""
        if reply["result"] in ("busy", "failed"):
            self.told(name, reply)

    def end(self) -> None:
        """Say how it ended, all loaded."""
        seen = [f"{self._events['stored']:,} stored"]
        for kind in ("duplicate", "conflict", "expired", "erased", "quarantined"):
            if self._events[kind]:
                seen.append(f"{self._events[kind]:,} {kind}")
        read = f"{self._events['read']:,} events read ({', '.join(seen)})"
        self.say(f"loaded: {self.done:,} objects, {read} in {span(self._seconds())}")

    def stopped(self, why: str) -> None:
        """Say why it ended before its end, and that nothing is lost."""
        if self._began is None:
            self.say(f"{why}; nothing was loaded")
            return
        far = f"{self.done:,} of {self._all()} objects are loaded"
        self.say(f"{why}; {far}, the same command goes on from there")

    def _far(self, remaining: int) -> str:
        words = [f"{self.done:,} of {self._all(remaining)} objects"]
        words.append(f"{self._events['stored']:,} events stored")
        seconds = self._seconds()
        if seconds > 0 and self.done:
            rate = self.done / seconds
            words.append(f"{rate:,.0f} objects/s")
            left = max(self._objects() - self.done, remaining)
            if left > 0:
                words.append(f"about {span(left / rate)} left")
        return ", ".join(words)

    def _objects(self) -> int:
        return 0 if self._plan is None else self._plan.objects

    def _all(self, remaining: int = 0) -> str:
        """Return of how many: what was found, or what has come to light since."""
        least = self._plan is None or not self._plan.whole
        return ("at least " if least else "") + f"{max(self._objects(), self.done + remaining):,}"

    def _seconds(self) -> float:
        return 0.0 if self._began is None else self._clock() - self._began


def _error(reply: Reply) -> str:
    error = reply["error"]
    return f"failed, {error['code']}: {error['message']}"


def _over(reply: Reply) -> str:
    worst = sorted(reply.get("reasons", {}).items(), key=lambda item: -item[1])[:5]
    reasons = ", ".join(f"{reason} {count:,}" for reason, count in worst)
    budget = reply["error_budget"]
    share, most = f"{budget['share']:.1%}", f"{budget['budget']:.1%}"
    return f"{share} of its records went to quarantine, more than {most} ({reasons})"
