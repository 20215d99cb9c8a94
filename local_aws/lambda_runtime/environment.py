"""One execution environment: a box with a runtime client, its Runtime API, and its log."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from local_aws.lambda_runtime.api import RuntimeApi
from local_aws.lambda_runtime.model import Box, Function, Invocation, Reply, failure

log = logging.getLogger(__name__)

START_SECONDS = 60.0
_TAIL = 4096


class LogFile:
    """A function's log: lines of the function and of the service, in their order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._tail: deque[str] = deque(maxlen=200)
        path.parent.mkdir(parents=True, exist_ok=True)

    def write(self, line: str) -> None:
        """Append one line."""
        with self._lock, self.path.open("a", encoding="utf-8") as file:
            file.write(line.rstrip("\n") + "\n")
            self._tail.append(line.rstrip("\n"))

    def tail(self, request_id: str) -> bytes:
        """Return the last 4 KiB since an invocation's start, as LogType Tail gives them."""
        with self._lock:
            lines = list(self._tail)
        mark = f"START RequestId: {request_id}"
        first = next((i for i, line in enumerate(lines) if line.startswith(mark)), 0)
        return "\n".join(lines[first:]).encode()[-_TAIL:]


@dataclass
class Environment:
    """Runs one event at a time; broken for good once `usable` is False."""

    function: Function
    box: Box
    api: RuntimeApi
    log: LogFile
    usable: bool = True
    last_used: float = field(default_factory=time.monotonic)
    init_seconds: float = 0.0
    peak: int = 0
    fresh: bool = True

    def start(self) -> Reply | None:
        """Start the box and wait for its first poll; return the failure if it does not come."""
        begun = time.monotonic()
        self.box.start()
        while not self.api.ready.wait(0.05):
            if not self.box.alive():
                self.usable = False
                return failure(
                    "Runtime.ExitError", f"Error: Runtime exited {self.box.exit_status()}"
                )
            if time.monotonic() - begun > START_SECONDS:
                self.usable = False
                return failure("Sandbox.Timedout", "Error: the runtime did not start in time")
        self.init_seconds = time.monotonic() - begun
        if self.api.init_error is not None:
            self.usable = False
        return self.api.init_error

    def run(self, payload: bytes) -> tuple[str, Reply]:
        """Run one event; return its request id and reply, with START, END and REPORT logged."""
        function = self.function
        invocation = Invocation(payload, function.arn, function.timeout)
        self.log.write(f"START RequestId: {invocation.id} Version: $LATEST")
        self.api.submit(invocation)
        reply = self._wait(invocation)
        invocation.finish(reply)
        if self.usable:
            self.peak = max(self.peak, self.box.memory())
            time.sleep(0.01)  # the client's last lines are still on their way through the pipe
        taken = (invocation.ended or time.monotonic()) - (invocation.started or invocation.ended)
        self._report(invocation.id, taken, reply)
        self.last_used = time.monotonic()
        self.fresh = False
        return invocation.id, reply

    def _wait(self, invocation: Invocation) -> Reply:
        function = self.function
        begun = time.monotonic()
        while not invocation.done.wait(0.1):
            now = time.monotonic()
            if not self.box.alive():
                self.usable = False
                status = self.box.exit_status()
                message = f"RequestId: {invocation.id} Error: Runtime exited {status}"
                return failure("Runtime.ExitError", message)
            self.peak = max(self.peak, self.box.memory())
            if self.peak > function.memory * 1024 * 1024:
                self.usable = False
                message = (
                    f"RequestId: {invocation.id} Error: Runtime exited with error: signal: killed"
                )
                return failure("Runtime.OutOfMemory", message)
            if now - (invocation.started or begun) > function.timeout:
                self.usable = False
                message = (
                    f"RequestId: {invocation.id} Error: "
                    f"Task timed out after {function.timeout:.2f} seconds"
                )
                return failure("Sandbox.Timedout", message)
        assert invocation.reply is not None  # noqa: S101 (done is set with it)
        return invocation.reply

    def _report(self, request_id: str, seconds: float, reply: Reply) -> None:
        milliseconds = seconds * 1000
        if not self.usable:
            self.log.write(reply.payload.decode(errors="replace"))
        parts = [
            f"REPORT RequestId: {request_id}",
            f"Duration: {milliseconds:.2f} ms",
            f"Billed Duration: {int(milliseconds) + 1} ms",
            f"Memory Size: {self.function.memory} MB",
            f"Max Memory Used: {self.peak // (1024 * 1024)} MB",
        ]
        if self.fresh:
            parts.append(f"Init Duration: {self.init_seconds * 1000:.2f} ms")
        self.log.write(f"END RequestId: {request_id}")
        self.log.write("\t".join(parts))

    def stop(self) -> None:
        """End the box and its Runtime API."""
        self.usable = False
        try:
            self.box.stop()
        finally:
            self.api.close()
