"""The objects that a listing found and the ledger lacks, oldest first, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from etl_lambda.listing import Found


def order(found: Found) -> tuple[float, str]:
    """Return the order of loading: of two copies of an event the smallest (LastModified, key) stays."""
    return (found.last_modified.timestamp(), found.key)


class Backlog:
    """Keeps the oldest `most` objects; the others are only counted, for the next run."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._objects: list[Found] = []
        self.dropped = 0
        self._oldest_dropped: datetime | None = None

    def add(self, objects: Iterable[Found]) -> None:
        """Take objects in any order."""
        self._objects.extend(objects)
        if len(self._objects) > self._most * 5 // 4 + 1000:
            self._cut()

    def _cut(self) -> None:
        self._objects.sort(key=order)
        if len(self._objects) <= self._most:
            return
        self.dropped += len(self._objects) - self._most
        first = self._objects[self._most].last_modified
        self._oldest_dropped = min(first, self._oldest_dropped or first)
        del self._objects[self._most :]

    def close(self) -> None:
        """Sort what was added; call once, after the listing."""
        self._cut()

    def oldest_after(self, done: int) -> datetime | None:
        """Return the LastModified of the oldest object but for the first `done`; None: none is left.

        The objects that were only counted are among them.
        """
        if done < len(self._objects):
            return self._objects[done].last_modified
        return self._oldest_dropped

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[Found]:
        return iter(self._objects)
