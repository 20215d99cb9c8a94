"""List a window concurrently, level by level, and tell objects, foreign keys and markers apart."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from etl_lambda.retrying import retry
from etl_lambda.s3_list import Listed, Page
from etl_lambda.window import Window, day_of, has_levels, hour_of, key_hour


class Lister(Protocol):
    """What lists a page of a bucket."""

    def page(self, prefix: str, *, delimiter: bool = False, token: str | None = None) -> Page:
        """Return one page of keys that begin with `prefix`."""


@dataclass(frozen=True, slots=True)
class Found:
    """One object inside the layouts, with the hour of its key."""

    key: str
    etag: str
    last_modified: datetime
    size: int
    hour: datetime


@dataclass
class Tally:
    """What a listing came across; `days` are those whose both layouts were listed whole."""

    listed: int = 0
    foreign: int = 0
    markers: int = 0
    requests: int = 0
    days: set[datetime] = field(default_factory=set)


@dataclass(frozen=True)
class _Task:
    prefix: str
    token: str | None = None


def walk(
    client: Lister, window: Window, tally: Tally, *, workers: int, attempts: int
) -> Generator[list[Found], None, None]:
    """Yield the objects of the window page by page, in no order; `tally` counts as it goes.

    At most `workers` requests are under way, and no more pages wait in memory. Raises LoaderError.
    """
    todo = deque(_Task(prefix) for prefix in window.prefixes)
    under_way: dict[Future[Page], _Task] = {}

    def fetch(task: _Task) -> Page:
        levels = has_levels(task.prefix)
        return retry(lambda: client.page(task.prefix, delimiter=levels, token=task.token), attempts)

    with ThreadPoolExecutor(workers, thread_name_prefix="list") as pool:
        try:
            while todo or under_way:
                while todo and len(under_way) < workers:
                    task = todo.popleft()
                    under_way[pool.submit(fetch, task)] = task
                done, _ = wait(under_way, return_when=FIRST_COMPLETED)
                for future in done:
                    task = under_way.pop(future)
                    page = future.result()
                    tally.requests += 1
                    if page.token is not None:
                        todo.appendleft(_Task(task.prefix, page.token))
                    todo.extend(_below(page.prefixes, window))
                    day = day_of(task.prefix)
                    if day is not None:
                        tally.days.add(day)
                    yield _sort(page.objects, window, tally)
        finally:
            for future in under_way:
                future.cancel()


def _below(prefixes: list[str], window: Window) -> Iterator[_Task]:
    """Yield the tasks of the common prefixes, but for hours that are not meant."""
    for prefix in prefixes:
        hour = hour_of(prefix)
        if hour is None or window.holds(hour):
            yield _Task(prefix)


def _sort(objects: list[Listed], window: Window, tally: Tally) -> list[Found]:
    found = []
    for listed in objects:
        if listed.key.endswith("/"):
            tally.markers += 1
            continue
        hour = key_hour(listed.key, listed.last_modified)
        if hour is None:
            tally.foreign += 1
        elif window.holds(hour):
            found.append(Found(listed.key, listed.etag, listed.last_modified, listed.size, hour))
    tally.listed += len(found)
    return found
