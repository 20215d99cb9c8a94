"""What the demo says: one line a step with its duration, and progress inside long ones."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from typing import TextIO

WIDTH = 64
QUIET_SECONDS = 15.0  # without a terminal, at most one progress line in this time


class DemoError(RuntimeError):
    """The demo cannot go on; the message is one line that says what to do."""


class Console:
    """Writes steps to a stream; on a terminal the running step's line is rewritten in place."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._terminal = self._stream.isatty()
        self._told_at = 0.0
        self._told = ""

    def say(self, text: str = "") -> None:
        """Write a line."""
        self._clear()
        self._stream.write(text + "\n")
        self._stream.flush()

    def progress(self, text: str) -> None:
        """Tell what the running step is doing; without a terminal only now and then."""
        if self._terminal:
            line = f"  … {text}"[: WIDTH + 14]
            self._stream.write("\r\033[K" + line)
            self._told = line
            self._stream.flush()
        elif time.monotonic() - self._told_at > QUIET_SECONDS:
            self._stream.write(f"  … {text}\n")
            self._stream.flush()
            self._told_at = time.monotonic()

    def done(self, name: str, seconds: float) -> None:
        """Write a finished step with how long it took."""
        self.say(f"{name:<{WIDTH}} {seconds:5.1f} s")

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Time a block and write its line when it ends well."""
        started = time.monotonic()
        self._told_at = started
        self.progress(name)
        yield
        self.done(name, time.monotonic() - started)

    def _clear(self) -> None:
        if self._terminal and self._told:
            self._stream.write("\r\033[K")
            self._told = ""
