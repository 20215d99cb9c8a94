"""Read objects concurrently and hand them over in order, within a budget of memory.

The reads run in obstore (Rust) on a thread of their own; the consumer maps meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import obstore
from obstore.store import S3Store

from etl_lambda.decoding import SAMPLE_BYTES
from etl_lambda.errors import TransientError, VanishedError, from_s3, s3_answer
from etl_lambda.listing import Found
from etl_lambda.retrying import wait_before
from etl_lambda.s3_list import Credentials
from etl_lambda.settings import Limits, Settings
from etl_lambda.stages import Stages

_BATCH_OBJECTS = 64


@dataclass(frozen=True)
class Fetched:
    """What was read of an object. `etag` and `last_modified` are of the read itself.

    `problem` is None, `vanished` (nothing else is set), or the reason code why the object is not
    here: then `data` is its first 4 KiB at most.
    """

    found: Found
    etag: str
    last_modified: datetime
    size: int
    data: bytes
    problem: str | None = None


def open_store(settings: Settings, credentials: Callable[[], Credentials]) -> S3Store:
    """Return the bulk reader of the raw bucket.

    Without an endpoint the name is AWS's own. Plain http only if the endpoint says so. A CA of
    `settings.ca_bundle` is trusted besides the system's.
    """
    options: dict[str, Any] = {
        "timeout": f"{settings.limits.request_seconds}s",
        "connect_timeout": "10s",
        "allow_http": (settings.endpoint or "").startswith("http:"),
        "pool_max_idle_per_host": str(settings.limits.fetch_concurrency),
    }
    if settings.ca_bundle:
        options["root_certificate"] = Path(settings.ca_bundle).read_bytes()
    config: dict[str, Any] = {"region": settings.region}
    if settings.endpoint:
        config["endpoint"] = settings.endpoint
    return S3Store(
        settings.bucket,
        config=config,  # type: ignore[arg-type]
        client_options=options,  # type: ignore[arg-type]
        retry_config={"max_retries": 0},
        credential_provider=lambda: {**credentials(), "expires_at": None},  # type: ignore[arg-type]
    )


class Reader:
    """Reads one object at a time for each task, trying again what may pass."""

    def __init__(self, store: Any, bucket: str, limits: Limits) -> None:
        self._store = store
        self._bucket = bucket
        self._limits = limits

    async def read(self, found: Found) -> Fetched:
        """Read one object. Raises LoaderError when all attempts failed."""
        for attempt in range(1, self._limits.attempts):
            try:
                return await self._try(found)
            except TransientError:
                await asyncio.sleep(wait_before(attempt))
        return await self._try(found)

    async def _try(self, found: Found) -> Fetched:
        try:
            if found.size > self._limits.object_bytes:
                return await self._head(found)
            result = await obstore.get_async(self._store, found.key)
            if result.meta["size"] > self._limits.object_bytes:
                return await self._head(found)
            fetched = _fetched(found, result.meta, bytes(await result.bytes_async()))
            if len(fetched.data) != (found.size if fetched.etag == found.etag else fetched.size):
                words = f"bucket {self._bucket}: an object came shorter or longer than it is"
                raise TransientError("s3_truncated", words)
            return fetched
        except (obstore.exceptions.BaseError, OSError, ValueError) as error:
            return self._failed(found, error)

    async def _head(self, found: Found) -> Fetched:
        """Read the first 4 KiB of an object above the limit."""
        options: Any = {"range": (0, SAMPLE_BYTES)}
        result = await obstore.get_async(self._store, found.key, options=options)
        data = await result.bytes_async()
        problem = "object_too_large"
        return _fetched(found, result.meta, bytes(data)[:SAMPLE_BYTES], problem)

    def _failed(self, found: Found, error: Exception) -> Fetched:
        problem = None
        answer = s3_answer(error)
        if isinstance(error, (obstore.exceptions.InvalidPathError, ValueError)):
            problem = "unreadable_key"
        elif answer is not None and answer[1] == "InvalidObjectState":
            problem = "archived"
        else:
            decided = from_s3(error, self._bucket)
            if not isinstance(decided, VanishedError):
                raise decided from error
            problem = "vanished"
        return Fetched(found, found.etag, found.last_modified, found.size, b"", problem)


def _fetched(found: Found, meta: Any, data: bytes, problem: str | None = None) -> Fetched:
    etag = (meta["e_tag"] or found.etag).strip('"')
    modified = meta["last_modified"].astimezone(UTC)
    return Fetched(found, etag, modified, meta["size"], data, problem)


class _StoppedError(Exception):
    """The consumer has gone."""


class Fetcher:
    """Iterates over the objects in the order given; a context manager that ends its thread.

    Memory: reads under way hold at most half of `limits.fetch_bytes`, finished ones the rest; an
    object larger than that is read alone. `bytes_read` counts what came, taken or not.
    """

    def __init__(
        self, reader: Reader, objects: Iterable[Found], limits: Limits, stages: Stages
    ) -> None:
        self._reader = reader
        self._objects = objects
        self._limits = limits
        self._stages = stages
        self.bytes_read = 0
        self._batch_bytes = limits.fetch_bytes // 8
        self._out: queue.Queue[list[Fetched] | BaseException | None] = queue.Queue(2)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fetch", daemon=True)

    def __enter__(self) -> Fetcher:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join(timeout=5)  # a read that hangs ends with its own time-out

    def __iter__(self) -> Iterator[Fetched | None]:
        """Yield the objects; None once a second while there is none, so that time can be looked at."""
        while True:
            try:
                batch = self._out.get(timeout=1)
            except queue.Empty:
                yield None
                continue
            if batch is None:
                return
            if isinstance(batch, BaseException):
                raise batch
            yield from batch

    def _run(self) -> None:
        try:
            asyncio.run(self._pump())
            self._put(None)
        except _StoppedError:
            pass
        except BaseException as error:  # the consumer raises it
            self._last_word(error)

    def _last_word(self, error: BaseException) -> None:
        with contextlib.suppress(_StoppedError):
            self._put(error)

    def _put(self, item: list[Fetched] | BaseException | None) -> None:
        """Wait for a place in the queue; obstore goes on reading meanwhile."""
        while not self._stop.is_set():
            try:
                self._out.put(item, timeout=0.2)
                return
            except queue.Full:
                continue
        raise _StoppedError

    async def _result(self, task: asyncio.Task[Fetched]) -> Fetched:
        with self._stages("fetch"):
            fetched = await task
        self.bytes_read += len(fetched.data)
        return fetched

    async def _pump(self) -> None:
        under_way: deque[tuple[asyncio.Task[Fetched], int]] = deque()
        batch: list[Fetched] = []
        held = batch_bytes = 0
        try:
            for found in self._objects:
                weight = min(found.size, self._limits.object_bytes)
                while under_way and (
                    len(under_way) >= self._limits.fetch_concurrency
                    or held + weight > self._limits.fetch_bytes // 2
                ):
                    task, freed = under_way.popleft()
                    batch.append(await self._result(task))
                    held -= freed
                    batch_bytes += freed
                    if len(batch) >= _BATCH_OBJECTS or batch_bytes >= self._batch_bytes:
                        self._put(batch)
                        batch, batch_bytes = [], 0
                under_way.append((asyncio.create_task(self._reader.read(found)), weight))
                held += weight
            while under_way:
                batch.append(await self._result(under_way.popleft()[0]))
                if len(batch) >= _BATCH_OBJECTS:
                    self._put(batch)
                    batch = []
            if batch:
                self._put(batch)
        finally:
            for task, _ in under_way:
                task.cancel()
            await asyncio.gather(*(task for task, _ in under_way), return_exceptions=True)
