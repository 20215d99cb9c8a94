"""What one run knows of itself: it survives a lost connection, and becomes the reply."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from etl_lambda.backlog import Backlog
from etl_lambda.listing import Found, Tally
from etl_lambda.loading import Result
from etl_lambda.metrics import Counts, log
from etl_lambda.window import Window


@dataclass
class State:
    """A run's counts, and what its last listing found.

    `backlog` is None until a listing has ended; `done` counts what was committed of it. `pending` are
    objects and bytes by hour of their keys. `disks` are the warehouse's file systems, by percent used.
    """

    counts: Counts = field(default_factory=Counts)
    tally: Tally = field(default_factory=Tally)
    run: int | None = None
    remaining: int = 0
    done: int = 0
    skipped: int = 0
    listed_whole: bool = True
    listed_at: datetime | None = None
    chunk_seconds: float = 0.0
    hours: Counter[datetime] = field(default_factory=Counter)
    window: Window | None = None
    backlog: Backlog | None = None
    pending: dict[datetime, list[int]] = field(default_factory=dict)
    disks: dict[str, float] = field(default_factory=dict)

    def begin_listing(self, at: datetime, window: Window) -> None:
        """Forget the listing before; what this run loaded since is not skipped now."""
        self.listed_at, self.window = at, window
        self.tally, self.listed_whole, self.hours = Tally(), True, Counter()
        self.backlog, self.done, self.pending = None, 0, {}
        self.skipped = -self.counts.objects["loaded"] - self.counts.objects["quarantined"]

    def take(self, backlog: Backlog, objects: Sequence[Found]) -> None:
        """Put objects into the backlog."""
        backlog.add(objects)
        for found in objects:
            sums = self.pending.setdefault(found.hour, [0, 0])
            sums[0] += 1
            sums[1] += found.size

    def end_listing(self, backlog: Backlog) -> None:
        """Book what was listed."""
        backlog.close()
        self.backlog = backlog
        self.remaining = len(backlog) + backlog.dropped
        objects = self.counts.objects
        for name in ("listed", "foreign", "markers"):
            objects[name] = getattr(self.tally, name)
        objects["skipped"] = max(0, self.skipped)
        log("listed", run=self.run, requests=self.tally.requests, unknown=self.remaining, **objects)

    def committed(self, objects: int) -> None:
        """Book objects that need no further work."""
        self.remaining -= objects
        self.done += objects
        log("committed", run=self.run, objects=objects, remaining=self.remaining)

    def result(self) -> Result:
        """Return what a run that did not fail has come to."""
        return "loaded" if self.listed_whole and not self.remaining else "partial"

    def lag_seconds(self, now: datetime) -> float | None:
        """Return for how long the warehouse lacks something of the window; None when not known.

        It is the age of the oldest object that is left, by its LastModified. When none is left, all that
        was there when the listing began is loaded, and it is the time since then.
        """
        if self.backlog is None or self.listed_at is None or not self.listed_whole:
            return None
        since = self.backlog.oldest_after(self.done) or self.listed_at
        return round(max(0.0, (now - since).total_seconds()), 3)

    def counts_json(self, budget: float) -> dict[str, Any]:
        """Return the counts as the reply and the run's row have them."""
        counts = self.counts.as_json()
        counts["objects"]["remaining"] = self.remaining
        if self.disks:
            counts["disks"] = self.disks
        return {**counts, "error_budget": self.counts.error_budget(budget)}

    def hours_json(self) -> list[dict[str, Any]]:
        """Return how many objects were listed by hour."""
        return [{"hour": at.isoformat(), "objects": self.hours[at]} for at in sorted(self.hours)]

    def pending_json(self) -> dict[str, dict[str, int]]:
        """Return what is to be loaded by day of the keys."""
        days: dict[str, dict[str, int]] = {}
        for hour, (objects, size) in sorted(self.pending.items()):
            day = days.setdefault(f"{hour:%Y-%m-%d}", {"objects": 0, "bytes": 0})
            day["objects"] += objects
            day["bytes"] += size
        return days

    def window_json(self) -> dict[str, Any]:
        """Return what was listed."""
        if self.window is None:
            return {}
        window = {
            "from": self.window.from_at and self.window.from_at.isoformat(),
            "to": self.window.to_at and self.window.to_at.isoformat(),
            "full_listing": self.window.full,
            "listed_whole": self.listed_whole,
        }
        return {"window": window}
