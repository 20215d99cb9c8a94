"""Seconds of a run by stage, each measured by the one thread that is at work on it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

STAGES = ("list", "ledger", "fetch", "map", "copy", "apply", "commit")
_END = object()


class Stages:
    """Adds up what each stage takes, on a clock that only goes forward.

    - `list`: waiting for pages of the listing; requests go on while the ledger is asked.
    - `ledger`: asking the warehouse for the window and for what it lacks, booking what was listed.
    - `fetch`: waiting for objects' bytes; what came in while nobody could take it costs nothing.
    - `map`: decoding, mapping and writing COPY's lines, without waiting for the copy before.
    - `copy`: opening a chunk and sending its lines.
    - `apply`: the warehouse moving a chunk into its tables.
    - `commit`: the warehouse making it durable.

    Three threads: list, ledger and map are one after another; fetch runs beside them; so do copy, apply
    and commit, one after another. Each group is at most as long as the run; all together can be longer.
    No two threads share a stage, so there is no lock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Add the seconds of the block to `stage`, also when it fails."""
        started = self._clock()
        try:
            yield
        finally:
            self._seconds[stage] += self._clock() - started

    @contextmanager
    def without(self, stage: str) -> Iterator[None]:
        """Take the seconds of the block out of `stage`, inside which it stands."""
        started = self._clock()
        try:
            yield
        finally:
            self._seconds[stage] -= self._clock() - started

    def each(self, stage: str, items: Iterable[T]) -> Iterator[T]:
        """Yield the items; what it takes to get them is the stage's."""
        rest = iter(items)
        while True:
            with self(stage):
                item = next(rest, _END)
            if item is _END:
                return
            yield item  # type: ignore[misc]

    def as_json(self) -> dict[str, float]:
        """Return seconds by stage, rounded to microseconds."""
        return {stage: round(self._seconds[stage], 6) for stage in STAGES}
