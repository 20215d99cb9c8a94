"""A small event loop over poll(2): descriptors and timers."""

from __future__ import annotations

import select
import time

TYPE_CHECKING = False  # what `typing` has, without its import
if TYPE_CHECKING:
    from collections.abc import Callable

READ = select.POLLIN
WRITE = select.POLLOUT


class Reactor:
    """Call back when descriptors are ready or times have come, until somebody stops it."""

    def __init__(self) -> None:
        self._poll = select.poll()
        self._callbacks: dict[int, Callable[[int], None]] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._timer_count = 0
        self._exit_code: int | None = None

    def watch(self, descriptor: int, events: int, callback: Callable[[int], None]) -> None:
        """Watch a descriptor; with no events, only for its end."""
        self._callbacks[descriptor] = callback
        self._poll.register(descriptor, events)

    def forget(self, descriptor: int) -> None:
        """Stop watching."""
        if self._callbacks.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def later(self, seconds: float, callback: Callable[[], None]) -> None:
        """Call once after so many seconds."""
        self._timer_count += 1
        self._timers.append((time.monotonic() + seconds, self._timer_count, callback))
        self._timers.sort()

    def stop(self, exit_code: int) -> None:
        """Make `run` return this; the first call counts."""
        if self._exit_code is None:
            self._exit_code = exit_code

    def run(self) -> int:
        """Serve until stopped; give the exit code."""
        while self._exit_code is None:
            timeout = None
            if self._timers:
                timeout = max(0.0, (self._timers[0][0] - time.monotonic()) * 1000)
            for descriptor, events in self._poll.poll(timeout):
                callback = self._callbacks.get(descriptor)
                if callback is not None:
                    callback(events)
            while self._timers and self._timers[0][0] <= time.monotonic():
                self._timers.pop(0)[2]()
        return self._exit_code
