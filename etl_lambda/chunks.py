"""Objects become chunks: mapped here, sent by one thread of the warehouse's while the next are mapped."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Protocol

from etl_lambda.copying import Part
from etl_lambda.decoding import Record, Reject, sample
from etl_lambda.fetching import Fetched
from etl_lambda.mapping import Facts, Mapper, Row
from etl_lambda.metrics import Counts
from etl_lambda.settings import Limits

LONGEST_SECONDS = 60.0
# A chunk of so many objects, or events, is worth a commit when the warehouse has nothing to do meanwhile.
FEWEST_OBJECTS, FEWEST_EVENTS = 4000, 50_000
# Parts that wait in memory (copying.PART_BYTES each), so that mapping goes on while a chunk is applied.
MOST_WAITING = 4


class Staging(Protocol):
    """The part of the warehouse that takes chunks."""

    def begin_chunk(self) -> None:
        """Open the chunk's transaction."""

    def copy(self, part: Part) -> None:
        """Send a part."""

    def apply_chunk(self, run: int, reload: bool) -> dict[str, int]:
        """Move the chunk into the tables; return what became of it."""

    def commit(self) -> None:
        """Make the chunk durable."""


class Chunks:
    """Takes objects in order; commits chunks that are large or old enough, smaller ones while it can.

    `committed(objects)` is called after each commit with the number of objects in it.
    """

    def __init__(
        self,
        staging: Staging,
        run: int,
        *,
        reload: bool,
        bucket: str,
        limits: Limits,
        counts: Counts,
        pool: Executor,
        committed: Callable[[int], None],
    ) -> None:
        self._staging = staging
        self._run = run
        self._reload = reload
        self._bucket = bucket
        self._limits = limits
        self._counts = counts
        self._pool = pool
        self._committed = committed
        self._under_way: deque[Future[None]] = deque()
        self._ending: Future[None] | None = None  # of the chunk before
        self._has_failed = False
        self.longest_seconds = 0.0
        self._clear()

    def _clear(self) -> None:
        self._part = Part()
        self._objects = 0
        self._events = 0
        self._gone = 0
        self._begun = False
        self._opened_at = 0.0
        self._coerced: Counter[str] = Counter()
        self._cleaned: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    def add(self, fetched: Fetched) -> None:
        """Map one object into the chunk."""
        if not self._objects:
            self._opened_at = time.monotonic()
        number, self._objects = self._objects, self._objects + 1
        if fetched.problem == "vanished":
            self._part.add_object(number, fetched, "gone", 0)
            self._gone += 1
        elif fetched.problem is not None:
            reject = Reject(None, fetched.problem, sample(fetched.data))
            self._reasons[reject.reason] += 1
            self._part.add_reject(number, reject)
            self._part.add_object(number, fetched, "quarantined", 1)
        else:
            with self._counts.stages("map"):
                self._map(number, fetched)
        if (
            self._events >= self._limits.chunk_events
            or self._objects >= self._limits.chunk_objects
            or (self._is_worth_it and self._is_idle)
            or time.monotonic() - self._opened_at >= LONGEST_SECONDS
        ):
            self._end()

    def _map(self, number: int, fetched: Fetched) -> None:
        mapper = Mapper(Facts(self._bucket, fetched.found.key, fetched.last_modified))
        rejects = records = 0
        for item in mapper.lines(fetched.data, self._limits):
            records += 1
            if isinstance(item, Record):
                self._part.add_line(number, item.position, item.line or "")
            elif isinstance(item, Row):
                self._part.add_row(number, item)
            else:
                rejects += 1
                self._reasons[item.reason] += 1
                self._part.add_reject(number, item)
            if self._part.full:
                with self._counts.stages.without("map"):
                    self._send(last=False)
        self._events += records
        status = "quarantined" if rejects else "loaded"
        self._part.add_object(number, fetched, status, records)
        if mapper.coerced or mapper.cleaned:
            self._coerced.update(mapper.coerced)
            self._cleaned.update(mapper.cleaned)

    @property
    def _is_worth_it(self) -> bool:
        return self._objects >= FEWEST_OBJECTS or self._events >= FEWEST_EVENTS

    @property
    def _is_idle(self) -> bool:
        return self._ending is None or self._ending.done()

    def finish(self) -> None:
        """Commit what is left and wait for it."""
        if self._objects:
            self._end()
        self._wait(0)

    def _end(self) -> None:
        self._send(last=True)
        self._clear()

    def _send(self, *, last: bool) -> None:
        """Hand the part to the other thread, once it has not too much to do."""
        self._wait(MOST_WAITING - 1)
        # One chunk ahead and no more: a run that is out of time ends within what two chunks take.
        while last and self._ending is not None and not self._ending.done():
            self._under_way.popleft().result()
        part, begun, objects = self._part, self._begun, self._objects
        gone, found = self._gone, (self._coerced, self._cleaned, self._reasons)

        def send() -> None:
            started = time.monotonic()
            with self._counts.stages("copy"):
                if not begun:
                    self._staging.begin_chunk()
                self._staging.copy(part)
            if last:
                with self._counts.stages("apply"):
                    result = self._staging.apply_chunk(self._run, self._reload)
                with self._counts.stages("commit"):
                    self._staging.commit()
                self._book({**result, "objects_gone": gone}, objects, *found)
            self.longest_seconds = max(self.longest_seconds, time.monotonic() - started)

        def work() -> None:
            if self._has_failed:
                return  # what waits behind a failure is of no use; the failure is found first
            try:
                send()
            except BaseException:
                self._has_failed = True
                raise

        self._part, self._begun = Part(), True
        sent = self._pool.submit(work)
        self._under_way.append(sent)
        if last:
            self._ending = sent

    def _wait(self, most: int) -> None:
        """Wait until no more than `most` parts are under way; raise what one failed with."""
        while self._under_way and (len(self._under_way) > most or self._under_way[0].done()):
            self._under_way.popleft().result()

    def _book(
        self,
        result: dict[str, int],
        objects: int,
        coerced: Counter[str],
        cleaned: Counter[str],
        reasons: Counter[str],
    ) -> None:
        """Count a committed chunk."""
        for name, value in result.items():
            group, _, what = name.partition("_")
            counter = self._counts.objects if group == "objects" else self._counts.events
            counter[what] += value
        self._counts.coerced.update(coerced)
        self._counts.cleaned.update(cleaned)
        self._counts.reasons.update(reasons)
        self._counts.chunks += 1
        self._committed(objects)
