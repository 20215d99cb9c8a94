"""The end of a connection whose other side says nothing any more: its driver would wait for ever."""

from __future__ import annotations

import os
import socket
import threading


class Watch:
    """A context manager: what waits inside for the socket `descriptor` fails after so many `seconds`.

    Keepalives do not help against a peer that takes every packet and passes none on. `is_over` says
    whether it came to that; the socket is then shut down for good.
    """

    def __init__(self, descriptor: int, seconds: float) -> None:
        self.seconds = seconds
        self.is_over = False
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._timer: threading.Timer | None = None

    def __enter__(self) -> None:
        self._timer = timer = threading.Timer(self.seconds, lambda: self._end(timer))
        timer.daemon = True
        timer.start()

    def __exit__(self, *error: object) -> None:
        with self._lock:  # afterwards the descriptor may be another file's
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None

    def _end(self, timer: threading.Timer) -> None:
        with self._lock:
            if self._timer is timer:
                self.is_over = True
                with socket.socket(fileno=os.dup(self._descriptor)) as copy:
                    copy.shutdown(socket.SHUT_RDWR)
