"""When chunks are committed: by size, and smaller ones while the warehouse has nothing to do."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from etl_lambda import chunks
from etl_lambda.copying import Part
from etl_lambda.errors import TransientError
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


class Lines(Staging):
    """As Staging, with what was done in its order."""

    def __init__(self) -> None:
        super().__init__()
        self.done: list[str] = []
        self.fails = False

    def begin_chunk(self) -> None:
        """Open a chunk."""
        self.done.append("begin")
        super().begin_chunk()

    def copy(self, part: Part) -> None:
        """Take a part, or fail."""
        self.done.append("copy")
        if self.fails:
            raise TransientError("db_lost", "gone")
        super().copy(part)


def export(number: int, events: int) -> Fetched:
    key = f"events/2026/11/20/05/{number}.json"
    line = b'{"eventName":"page_view","eventId":"%d-%d","_ingest":{"receivedAt":"2026-11-20T05:00:00Z"}}'
    data = b"\n".join(line % (number, event) for event in range(events))
    return Fetched(Found(key, "e", AT, len(data), AT), "e", AT, len(data), data, None)


def sending_lines(staging: Staging, pool: ThreadPoolExecutor, taken: list[int]) -> chunks.Chunks:
    limits = Limits(chunk_events=100)
    return chunks.Chunks(
        staging,
        1,
        reload=False,
        bucket="raw",
        limits=limits,
        counts=Counts(),
        pool=pool,
        committed=taken.append,
    )


def add_all(sending: chunks.Chunks, added: list[int]) -> None:
    for number in range(60):
        sending.add(export(number, 5))
        added.append(number)
    sending.finish()


def test_what_is_mapped_ahead_is_one_chunk_and_some_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl_lambda.copying.PART_BYTES", 1000)  # some ten events
    monkeypatch.setattr(chunks, "MOST_WAITING", 4)
    staging = Lines()
    mapped: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        taken: list[int] = []
        sending = sending_lines(staging, pool, taken)

        mapping = threading.Thread(target=add_all, args=(sending, mapped))
        mapping.start()
        assert staging.applying.wait(10)
        # The first chunk of 100 events is being applied: parts of the next are made, and wait.
        until = time.monotonic() + 10
        while len(mapped) < 25 and time.monotonic() < until:
            time.sleep(0.01)
        assert 25 <= len(mapped) < 40
        assert staging.done.count("begin") == 1
        staging.go.set()
        mapping.join(20)
        assert not mapping.is_alive()
    assert staging.committed == taken == [20, 20, 20]


def test_nothing_is_sent_behind_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etl_lambda.copying.PART_BYTES", 1000)
    staging = Lines()
    staging.fails = True
    staging.go.set()
    taken: list[int] = []
    with ThreadPoolExecutor(1) as pool:
        sending = sending_lines(staging, pool, taken)
        with pytest.raises(TransientError, match="gone"):
            add_all(sending, [])
    assert staging.done == ["begin", "copy"]
    assert staging.committed == taken == []


def test_events_enough_for_a_commit_wait_for_no_more_while_the_warehouse_is_idle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chunks, "FEWEST_EVENTS", 10)
    staging = Lines()
    with ThreadPoolExecutor(1) as pool:
        taken: list[int] = []
        sending = sending_lines(staging, pool, taken)
        for number in range(2):
            sending.add(export(number, 5))
        assert staging.applying.wait(10)  # at 10 of the 100 events
        for number in range(2, 12):
            sending.add(export(number, 5))
        staging.go.set()
        sending.finish()
    assert staging.committed == taken
    assert taken == [2, 10]
