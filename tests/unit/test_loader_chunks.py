"""When chunks are committed: by size, and smaller ones while the warehouse has nothing to do."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from etl_lambda import chunks
from etl_lambda.copying import Part
from etl_lambda.fetching import Fetched
from etl_lambda.listing import Found
from etl_lambda.metrics import Counts
from etl_lambda.settings import Limits

AT = datetime(2026, 11, 20, 5, tzinfo=UTC)


class Staging:
    """Counts the objects of each commit; `apply_chunk` waits until it is let go."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.applying = threading.Event()
        self.committed: list[int] = []
        self._objects = 0

    def begin_chunk(self) -> None:
        """Open a chunk."""
        self._objects = 0

    def copy(self, part: Part) -> None:
        """Take a part."""
        self._objects += len(part.objects)

    def apply_chunk(self, run: int, reload: bool) -> dict[str, int]:
        """Wait."""
        assert (run, reload) == (1, False)
        self.applying.set()
        assert self.go.wait(10)
        return {}

    def commit(self) -> None:
        """Note how much it was."""
        self.committed.append(self._objects)


def vanished(number: int) -> Fetched:
    key = f"events/2026/11/20/05/{number}.json"
    return Fetched(Found(key, "e", AT, 1, AT), "e", AT, 1, b"", "vanished")


def test_a_busy_warehouse_gets_larger_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "FEWEST_OBJECTS", 3)
    staging = Staging()
    with ThreadPoolExecutor(1) as pool:
        taken: list[int] = []
        sending = chunks.Chunks(
            staging,
            1,
            reload=False,
            bucket="raw",
            limits=Limits(chunk_objects=10),
            counts=Counts(),
            pool=pool,
            committed=taken.append,
        )
        for number in range(3):
            sending.add(vanished(number))
        assert staging.applying.wait(10)
        for number in range(3, 12):
            sending.add(vanished(number))
        assert staging.committed == []
        staging.go.set()
        for number in range(12, 24):
            sending.add(vanished(number))
        sending.finish()
    assert staging.committed[:2] == [3, 10]
    assert sum(staging.committed) == 24
    assert all(3 <= size <= 10 for size in staging.committed[:-1])
    assert taken == staging.committed
