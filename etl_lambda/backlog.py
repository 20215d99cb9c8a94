"""The objects that a listing found and the ledger lacks, oldest first, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

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

    def add(self, objects: Iterable[Found]) -> None:
        """Take objects in any order."""
        self._objects.extend(objects)
        if len(self._objects) > self._most * 5 // 4 + 1000:
            self._cut()

    def _cut(self) -> None:
        self._objects.sort(key=order)
        self.dropped += max(0, len(self._objects) - self._most)
        del self._objects[self._most :]

    def close(self) -> None:
        """Sort what was added; call once, after the listing."""
        self._cut()

    def __len__(self) -> int:
        return len(self._objects)

    def __iter__(self) -> Iterator[Found]:
        return iter(self._objects)
