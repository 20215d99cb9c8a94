"""Invoke functions: environments made, kept and ended; concurrency; retries of events."""

from __future__ import annotations

import datetime
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from local_aws.lambda_runtime.environment import Environment, LogFile
from local_aws.lambda_runtime.model import Function, Reply

log = logging.getLogger(__name__)

UNRESERVED = 4  # environments of one function at a time where the template reserves none
IDLE_SECONDS = 900.0


class ThrottledError(Exception):
    """All environments that the function may have are at work."""


@dataclass(frozen=True)
class AsyncSettings:
    """How an asynchronous event is tried again and where it goes in the end."""

    retries: int = 2
    max_age: float = 21600.0
    on_failure: str = ""
    on_success: str = ""


@dataclass
class Outcome:
    """An invocation's result with the log lines that belong to it."""

    request_id: str
    reply: Reply
    log_tail: bytes = b""


@dataclass
class _Pool:
    lock: threading.Lock = field(default_factory=threading.Lock)
    idle: list[Environment] = field(default_factory=list)
    busy: list[Environment] = field(default_factory=list)
    starting: int = 0
    log: LogFile | None = None

    def running(self) -> int:
        return len(self.busy) + self.starting


class Manager:
    """Runs functions in environments that `make` provides.

    `find(name)` returns a function as it is now; `settings(name)` how its events are retried;
    `deliver(arn, record)` sends a record to a destination.
    """

    def __init__(
        self,
        find: Callable[[str], Function],
        make: Callable[[Function, LogFile], Environment],
        logs: Path,
        settings: Callable[[str], AsyncSettings] = lambda _: AsyncSettings(),
        deliver: Callable[[str, str], None] = lambda _arn, _record: None,
        retry_seconds: float = 60.0,
    ) -> None:
        self.find = find
        self.make = make
        self.logs = logs
        self.settings = settings
        self.deliver = deliver
        self.retry_seconds = retry_seconds
        self.closed = threading.Event()
        self._pools: dict[str, _Pool] = {}
        self._lock = threading.Lock()
        self._events = ThreadPoolExecutor(16, thread_name_prefix="lambda-event")

    def invoke(self, name: str, payload: bytes) -> Outcome:
        """Run a function and wait for its reply.

        Raises ThrottledError when its concurrency is used up.
        """
        function = self.find(name)
        pool = self._pool(function.name)
        environment, failed = self._take(function, pool)
        if failed is not None:
            self._release(pool, environment)
            request_id = str(uuid.uuid4())
            text = failed.payload.decode(errors="replace")
            environment.log.write(f"INIT_REPORT RequestId: {request_id} Status: error {text}")
            return Outcome(request_id, failed, environment.log.tail(request_id))
        try:
            request_id, reply = environment.run(payload)
        finally:
            self._release(pool, environment)
        return Outcome(request_id, reply, environment.log.tail(request_id))

    def _pool(self, name: str) -> _Pool:
        with self._lock:
            return self._pools.setdefault(name, _Pool())

    def _take(self, function: Function, pool: _Pool) -> tuple[Environment, Reply | None]:
        limit = UNRESERVED if function.reserved is None else function.reserved
        with pool.lock:
            if pool.running() >= limit:
                raise ThrottledError(function.name)
            stale = [e for e in pool.idle if e.function.revision != function.revision]
            pool.idle = [e for e in pool.idle if e not in stale and e.box.alive()]
            pool.log = pool.log or LogFile(self.logs / f"lambda-{function.name}.log")
            environment = pool.idle.pop() if pool.idle else None
            if environment is not None:
                pool.busy.append(environment)
            else:
                pool.starting += 1
        for old in stale:
            old.stop()
        if environment is not None:
            return environment, None
        try:
            environment = self.make(function, pool.log)
            failed = environment.start()
        finally:
            with pool.lock:
                pool.starting -= 1
                if environment is not None:
                    pool.busy.append(environment)
        return environment, failed

    def _release(self, pool: _Pool, environment: Environment) -> None:
        with pool.lock:
            if environment in pool.busy:
                pool.busy.remove(environment)
            keep = environment.usable and not self.closed.is_set()
            if keep:
                pool.idle.append(environment)
        if not keep:
            environment.stop()

    # -- events

    def submit(self, name: str, payload: bytes) -> str:
        """Take an event to run later, with retries; return its request id."""
        function = self.find(name)
        request_id = str(uuid.uuid4())
        self._events.submit(self._run_event, function.name, payload, request_id)
        return request_id

    def _run_event(self, name: str, payload: bytes, request_id: str) -> None:
        settings = self.settings(name)
        born = time.monotonic()
        attempt, pause = 0, 1.0
        outcome: Outcome | None = None
        condition = "EventAgeExceeded"
        while time.monotonic() - born < settings.max_age and not self.closed.is_set():
            try:
                outcome = self.invoke(name, payload)
            except ThrottledError:
                if self.closed.wait(pause):
                    return
                pause = min(pause * 2, 300.0)
                continue
            except Exception:
                log.exception("function %s cannot be invoked", name)
                return
            attempt += 1
            if not outcome.reply.error:
                condition = "Success"
                break
            if attempt > settings.retries:
                condition = "RetriesExhausted"
                break
            if self.closed.wait(self.retry_seconds * attempt):
                return
        target = settings.on_success if condition == "Success" else settings.on_failure
        if target and not self.closed.is_set():
            record = _record(name, payload, request_id, condition, attempt, outcome)
            self._deliver(target, record)

    def _deliver(self, target: str, record: str) -> None:
        try:
            self.deliver(target, record)
        except Exception:
            log.exception("no delivery to %s", target)

    # -- ending

    def remove(self, name: str) -> None:
        """End a function's environments."""
        with self._lock:
            pool = self._pools.pop(name, None)
        if pool is not None:
            with pool.lock:
                environments = [*pool.idle, *pool.busy]
                pool.idle = []
            for environment in environments:
                environment.stop()

    def expire(self, name: str) -> None:
        """End a function's idle environments, because its code or settings changed."""
        pool = self._pools.get(name)
        if pool is None:
            return
        with pool.lock:
            idle, pool.idle = pool.idle, []
        for environment in idle:
            environment.stop()

    def reap(self) -> None:
        """End environments that nobody used for a while."""
        oldest = time.monotonic() - IDLE_SECONDS
        for pool in list(self._pools.values()):
            with pool.lock:
                old = [e for e in pool.idle if e.last_used < oldest or not e.box.alive()]
                pool.idle = [e for e in pool.idle if e not in old]
            for environment in old:
                environment.stop()

    def close(self) -> None:
        """End everything; later invocations end with their environment."""
        self.closed.set()
        self._events.shutdown(wait=False, cancel_futures=True)
        for name in list(self._pools):
            self.remove(name)


def _record(
    name: str,
    payload: bytes,
    request_id: str,
    condition: str,
    attempts: int,
    outcome: Outcome | None,
) -> str:
    """Return the record that Lambda sends to a destination (Developer Guide, "Destinations")."""
    try:
        request: object = json.loads(payload or b"null")
    except ValueError:
        request = payload.decode(errors="replace")
    answer: object = None
    if outcome is not None:
        try:
            answer = json.loads(outcome.reply.payload or b"null")
        except ValueError:
            answer = outcome.reply.payload.decode(errors="replace")
    return json.dumps(
        {
            "version": "1.0",
            "timestamp": datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds"),
            "requestContext": {
                "requestId": request_id,
                "functionArn": f"{name}:$LATEST",
                "condition": condition,
                "approximateInvokeCount": attempts,
            },
            "requestPayload": request,
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": outcome.reply.error if outcome else "",
            },
            "responsePayload": answer,
        }
    )
