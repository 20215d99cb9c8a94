"""One run: list, skip what the ledger holds, fetch, map, copy, commit, and say what is left."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from etl_lambda import listing, window
from etl_lambda.backlog import Backlog
from etl_lambda.chunks import Chunks
from etl_lambda.errors import BusyError, LoaderError, TransientError
from etl_lambda.fetching import Fetcher, Reader
from etl_lambda.listing import Tally
from etl_lambda.loading import Result, Warehouse
from etl_lambda.metrics import Counts, error_facts, log
from etl_lambda.request import Request
from etl_lambda.retrying import wait_before
from etl_lambda.settings import Limits, Settings

FULL_LISTING_EVERY = timedelta(hours=23)
LOST_LOCK_PATIENCE = 90.0


class Bucket(Protocol):
    """The raw bucket: lists pages and makes readers."""

    def lister(self) -> listing.Lister:
        """Return what lists it."""

    def reader(self) -> Reader:
        """Return what reads its objects."""


@dataclass
class Clock:
    """Time left. `deadline` is of time.monotonic(), or None without a limit."""

    deadline: float | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def left(self) -> float:
        """Return the seconds until the deadline."""
        return float("inf") if self.deadline is None else self.deadline - time.monotonic()


@dataclass
class _State:
    """What survives a lost connection within one run."""

    counts: Counts = field(default_factory=Counts)
    tally: Tally = field(default_factory=Tally)
    run: int | None = None
    remaining: int = 0
    listed_whole: bool = True
    chunk_seconds: float = 0.0
    hours: Counter[datetime] = field(default_factory=Counter)
    window: window.Window | None = None

    def done(self, objects: int) -> None:
        """Book objects that need no further work."""
        self.remaining -= objects

    def result(self) -> Result:
        """Return what a run that did not fail has come to."""
        return "loaded" if self.listed_whole and not self.remaining else "partial"


class Run:
    """Carries out one request."""

    def __init__(
        self,
        settings: Settings,
        bucket: Bucket,
        clock: Clock,
        open_warehouse: Callable[[Settings], Warehouse] = Warehouse,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._settings = settings
        self._limits: Limits = settings.limits
        self._bucket = bucket
        self._clock = clock
        self._open = open_warehouse
        self._sleep = sleep

    def __call__(self, request: Request) -> dict[str, Any]:
        """Return the reply: `result` is loaded, partial, busy or failed, with what remains."""
        state = _State()
        try:
            result = self._persist(request, state)
            return self._reply(request, state, result, None)
        except BusyError as error:
            return self._reply(request, state, "busy", error)
        except LoaderError as error:
            log("run failed", code=error.code, error=str(error), transient=error.transient)
            return self._reply(request, state, "failed", error)

    def _persist(self, request: Request, state: _State) -> Result:
        """Run until done; a lost connection is made anew, and the lock taken anew with it."""
        for attempt in range(1, self._limits.attempts + 1):
            try:
                return self._session(request, state, LOST_LOCK_PATIENCE if attempt > 1 else 0)
            except BusyError:
                raise
            except TransientError as error:
                last = attempt == self._limits.attempts
                if not error.code.startswith("db_") or last or self._out_of_time(state):
                    raise
                log("trying again", code=error.code, attempt=attempt)
                self._sleep(wait_before(attempt))
        raise AssertionError("unreachable")

    def _session(self, request: Request, state: _State, patience: float) -> Result:
        warehouse = self._open(self._settings)
        try:
            if request.dry_run:
                self._list(warehouse, request, state)
                return state.result()
            warehouse.lock(min(patience, max(0.0, self._clock.left())), self._sleep)
            return self._locked(warehouse, request, state)
        finally:
            warehouse.close()

    def _locked(self, warehouse: Warehouse, request: Request, state: _State) -> Result:
        started = self._clock.now()
        full = self._full_listing_due(warehouse, request, started)
        if state.run is None:
            extra = {"full_listing": True} if full else {}
            state.run = warehouse.start_run({**request.as_json(), **extra})
        try:
            if full:  # once a day
                log("expired", partitions=warehouse.drop_expired(), run=state.run)
            backlog = self._list(warehouse, request, state, full)
            self._load(warehouse, backlog, request, state)
            result = state.result()
            warehouse.finish_run(state.run, result, self._counts(state), self._listed(state), None)
            return result
        except LoaderError as error:
            self._finish_failed(warehouse, state, error)
            raise

    def _finish_failed(self, warehouse: Warehouse, state: _State, error: LoaderError) -> None:
        """Note the failure if the connection still lives; the first error is what counts."""
        try:
            warehouse.rollback()
            if state.run is not None:
                counts, listed = self._counts(state), self._listed(state)
                warehouse.finish_run(state.run, "failed", counts, listed, f"{error.code}: {error}")
        except LoaderError as second:
            log("the run's row stays open", code=second.code)

    def _full_listing_due(self, warehouse: Warehouse, request: Request, now: datetime) -> bool:
        if not request.default or request.quarantine:  # the quarantine is no listing
            return False
        last = warehouse.last_full_listing()
        return last is None or now - last >= FULL_LISTING_EVERY

    def _list(
        self, warehouse: Warehouse, request: Request, state: _State, full: bool = False
    ) -> Backlog:
        """Return the backlog of the request's window, and book what was listed."""
        now = self._clock.now()
        start = warehouse.window_start(now) if request.default else None
        days = self._limits.relist_days if full else None
        state.window = window.of_request(request, now, start, days)
        state.tally = Tally()
        state.listed_whole = True
        state.hours = Counter()
        backlog = Backlog(self._limits.run_objects)
        if request.quarantine:
            backlog.add(_of_quarantine(warehouse, request, state.window))
        else:
            self._walk(warehouse, request, state, backlog, now)
        backlog.close()
        state.remaining = len(backlog) + backlog.dropped
        for name in ("listed", "foreign", "markers"):
            state.counts.objects[name] = getattr(state.tally, name)
        log("listed", requests=state.tally.requests, unknown=state.remaining, run=state.run)
        return backlog

    def _walk(
        self,
        warehouse: Warehouse,
        request: Request,
        state: _State,
        backlog: Backlog,
        now: datetime,
    ) -> None:
        """List the window into the backlog; the hours are booked when all of them were listed."""
        assert state.window is not None  # noqa: S101 - for the type checker
        pages = listing.walk(
            self._bucket.lister(),
            state.window,
            state.tally,
            workers=self._limits.list_concurrency,
            attempts=self._limits.attempts,
        )
        for page in pages:
            if self._out_of_time(state):
                state.listed_whole = False
                pages.close()
                return
            unknown, returned = warehouse.unknown(page)
            backlog.add(page if request.reload else unknown)
            if state.run is not None:
                warehouse.record_listing(state.run, [], unknown + returned)
            state.hours.update(found.hour for found in page)
        if state.run is not None:
            hours = window.hours_listed(state.window, state.tally.days, now)
            warehouse.record_listing(state.run, hours, [])
            backlog.add(warehouse.unseen(state.run, hours))

    def _load(
        self, warehouse: Warehouse, backlog: Backlog, request: Request, state: _State
    ) -> None:
        assert state.run is not None  # noqa: S101 - for the type checker
        if not len(backlog):
            return
        with (
            Fetcher(self._bucket.reader(), backlog, self._limits) as fetcher,
            ThreadPoolExecutor(1, thread_name_prefix="copy") as pool,
        ):
            chunks = Chunks(
                warehouse,
                state.run,
                reload=request.reload,
                bucket=self._settings.bucket,
                limits=self._limits,
                counts=state.counts,
                pool=pool,
                committed=state.done,
            )
            for fetched in fetcher:
                state.chunk_seconds = chunks.longest_seconds
                if self._out_of_time(state):
                    break
                if fetched is not None:
                    chunks.add(fetched)
            chunks.finish()

    def _out_of_time(self, state: _State) -> bool:
        return self._clock.left() < self._limits.stop_seconds + 2 * state.chunk_seconds

    def _counts(self, state: _State) -> dict[str, Any]:
        counts = state.counts.as_json()
        counts["objects"]["remaining"] = state.remaining
        return counts

    def _listed(self, state: _State) -> list[dict[str, Any]]:
        hours = Counter(state.hours)
        return [{"hour": hour.isoformat(), "objects": hours[hour]} for hour in sorted(hours)]

    def _reply(
        self, request: Request, state: _State, result: Result, error: LoaderError | None
    ) -> dict[str, Any]:
        reply: dict[str, Any] = {"result": result, "run": state.run, "request": request.as_json()}
        reply |= self._counts(state)
        if state.window is not None:
            reply["window"] = {
                "from": state.window.from_at and state.window.from_at.isoformat(),
                "to": state.window.to_at and state.window.to_at.isoformat(),
                "full_listing": state.window.full,
            }
        if error is not None:
            reply["error"] = error_facts(error)
        return reply


def _of_quarantine(
    warehouse: Warehouse, request: Request, of: window.Window
) -> list[listing.Found]:
    """Return the quarantined objects of the request: all of them unless it names a range or prefix."""
    return [
        found
        for found in warehouse.quarantined()
        if request.default or (of.holds(found.hour) and found.key.startswith(request.prefix or ""))
    ]
