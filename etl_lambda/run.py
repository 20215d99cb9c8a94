"""One run: list, skip what the ledger holds, fetch, map, copy, commit, and say what is left."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from etl_lambda import listing, window
from etl_lambda.backlog import Backlog
from etl_lambda.chunks import Chunks
from etl_lambda.errors import BusyError, LoaderError, TransientError
from etl_lambda.fetching import Fetcher, Reader
from etl_lambda.loading import Result, Warehouse
from etl_lambda.metrics import error_facts, log
from etl_lambda.request import Request
from etl_lambda.retrying import wait_before
from etl_lambda.settings import Limits, Settings
from etl_lambda.state import State

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
        state = State()
        try:
            result = self._persist(request, state)
            return self._reply(request, state, result, None)
        except BusyError as error:
            return self._reply(request, state, "busy", error)
        except LoaderError as error:
            facts = {"error": str(error), "transient": error.transient}
            log("run failed", level=logging.ERROR, code=error.code, **facts)
            return self._reply(request, state, "failed", error)

    def _persist(self, request: Request, state: State) -> Result:
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
                log("trying again", level=logging.WARNING, code=error.code, attempt=attempt)
                self._sleep(wait_before(attempt))
        raise AssertionError("unreachable")

    def _session(self, request: Request, state: State, patience: float) -> Result:
        warehouse = self._open(self._settings)
        try:
            # Before anything can fail: whatever becomes of the run, it tells of a disk that fills.
            state.disks = warehouse.disks()
            if request.dry_run:
                self._list(warehouse, request, state)
                return state.result()
            warehouse.lock(min(patience, max(0.0, self._clock.left())), self._sleep)
            return self._locked(warehouse, request, state)
        finally:
            warehouse.close()

    def _locked(self, warehouse: Warehouse, request: Request, state: State) -> Result:
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
            counts = self._counts(request, state)
            warehouse.finish_run(state.run, result, counts, state.hours_json(), None)
            return result
        except LoaderError as error:
            self._finish_failed(warehouse, request, state, error)
            raise

    def _finish_failed(
        self, warehouse: Warehouse, request: Request, state: State, error: LoaderError
    ) -> None:
        """Note the failure; the first error is what counts.

        While S3 kept the run waiting, the server may have ended the session: then in another one.
        """
        try:
            try:
                warehouse.rollback()
                self._note(warehouse, request, state, error)
            except TransientError:
                if error.code.startswith("db_"):
                    raise
                other = self._open(self._settings)
                try:
                    self._note(other, request, state, error)
                finally:
                    other.close()
        except LoaderError as second:
            log("the run's row stays open", level=logging.ERROR, code=second.code)

    def _note(
        self, warehouse: Warehouse, request: Request, state: State, error: LoaderError
    ) -> None:
        if state.run is not None:
            counts, listed = self._counts(request, state), state.hours_json()
            warehouse.finish_run(state.run, "failed", counts, listed, f"{error.code}: {error}")

    def _full_listing_due(self, warehouse: Warehouse, request: Request, now: datetime) -> bool:
        if not request.default or request.quarantine:  # the quarantine is no listing
            return False
        last = warehouse.last_full_listing()
        return last is None or now - last >= FULL_LISTING_EVERY

    def _list(
        self, warehouse: Warehouse, request: Request, state: State, full: bool = False
    ) -> Backlog:
        """Return the backlog of the request's window, and book what was listed."""
        now = self._clock.now()
        with state.counts.stages("ledger"):
            start = warehouse.window_start(now) if request.default else None
        days = self._limits.relist_days if full else None
        of = window.of_request(request, now, start, days)
        state.begin_listing(now, of)
        backlog = Backlog(self._limits.run_objects)
        if request.quarantine:
            with state.counts.stages("ledger"):
                state.take(backlog, _of_quarantine(warehouse, request, of))
        else:
            self._walk(warehouse, request, state, backlog, now)
        state.end_listing(backlog)
        return backlog

    def _walk(
        self,
        warehouse: Warehouse,
        request: Request,
        state: State,
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
        for page in state.counts.stages.each("list", pages):
            if self._out_of_time(state):
                state.listed_whole = False
                pages.close()
                return
            with state.counts.stages("ledger"):
                unknown, returned = warehouse.unknown(page)
                if state.run is not None:
                    warehouse.record_listing(state.run, [], unknown + returned)
            taken = page if request.reload else unknown
            state.take(backlog, taken)
            state.skipped += len(page) - len(taken)
            state.hours.update(found.hour for found in page)
        if state.run is not None:
            hours = window.hours_listed(state.window, state.tally.days, now)
            with state.counts.stages("ledger"):
                warehouse.record_listing(state.run, hours, [])
                state.take(backlog, warehouse.unseen(state.run, hours))

    def _load(self, warehouse: Warehouse, backlog: Backlog, request: Request, state: State) -> None:
        assert state.run is not None  # noqa: S101 - for the type checker
        if not len(backlog):
            return
        fetcher = Fetcher(self._bucket.reader(), backlog, self._limits, state.counts.stages)
        try:
            self._send(warehouse, fetcher, request, state)
        finally:
            state.counts.bytes_read += fetcher.bytes_read

    def _send(self, warehouse: Warehouse, fetcher: Fetcher, request: Request, state: State) -> None:
        assert state.run is not None  # noqa: S101 - for the type checker
        with fetcher, ThreadPoolExecutor(1, thread_name_prefix="copy") as pool:
            chunks = Chunks(
                warehouse,
                state.run,
                reload=request.reload,
                bucket=self._settings.bucket,
                limits=self._limits,
                counts=state.counts,
                pool=pool,
                committed=state.committed,
            )
            for fetched in fetcher:
                state.chunk_seconds = chunks.longest_seconds
                if self._out_of_time(state):
                    break
                if fetched is not None:
                    chunks.add(fetched)
            chunks.finish()

    def _out_of_time(self, state: State) -> bool:
        return self._clock.left() < self._limits.stop_seconds + 2 * state.chunk_seconds

    def _counts(self, request: Request, state: State) -> dict[str, Any]:
        counts = state.counts_json(self._settings.error_budget)
        # Only the default window goes up to now and holds what is not loaded, nothing else.
        if request.default and not request.reload:
            lag = state.lag_seconds(self._clock.now())
            if lag is not None:
                counts["lag_seconds"] = lag
        return counts

    def _reply(
        self, request: Request, state: State, result: Result, error: LoaderError | None
    ) -> dict[str, Any]:
        reply: dict[str, Any] = {"result": result, "run": state.run, "request": request.as_json()}
        reply |= {**self._counts(request, state), **state.window_json()}
        if request.dry_run:
            reply["pending"] = state.pending_json()
        if error is not None:
            reply["error"] = error_facts(error)
        if reply["error_budget"]["over"]:
            _warn(state, reply["error_budget"])
        return reply


def _warn(state: State, budget: dict[str, Any]) -> None:
    events = state.counts.events
    log(
        "over the error budget",
        level=logging.WARNING,
        run=state.run,
        read=events["read"],
        quarantined=events["quarantined"],
        worst=state.counts.worst_reasons(),
        **budget,
    )


def _of_quarantine(
    warehouse: Warehouse, request: Request, of: window.Window
) -> list[listing.Found]:
    """Return the quarantined objects of the request: all of them unless it names a range or prefix."""
    return [
        found
        for found in warehouse.quarantined()
        if request.default or (of.holds(found.hour) and found.key.startswith(request.prefix or ""))
    ]
