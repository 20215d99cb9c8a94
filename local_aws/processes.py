"""Processes that outlive the command that started them: records, and ending exactly those."""

from __future__ import annotations

import ctypes
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from local_aws.paths import write_atomically

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class ProcessRecord:
    """A process by its id and start time, so that a reused id is never mistaken for it."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> ProcessRecord | None:
        """Return the record of a living process, None when there is none."""
        started = start_time(pid)
        return None if started is None else cls(pid, started)

    @classmethod
    def read(cls, path: Path) -> ProcessRecord | None:
        """Return what a record file holds, None when it is missing or damaged."""
        try:
            pid, started = path.read_text().split()
            return cls(int(pid), int(started))
        except (FileNotFoundError, ValueError):
            return None

    def write(self, path: Path) -> None:
        """Keep the record in a file: `PID START\\n`."""
        write_atomically(path, f"{self.pid} {self.started}\n")

    def alive(self) -> bool:
        """Tell whether this very process still runs."""
        return start_time(self.pid) == self.started

    def end(self, grace: float) -> None:
        """Terminate the process, and kill it after `grace` seconds; return when it is gone."""
        for wanted, wait in ((signal.SIGTERM, grace), (signal.SIGKILL, 10.0)):
            if not self.alive():
                return
            try:
                os.kill(self.pid, wanted)
            except ProcessLookupError:
                return
            deadline = time.monotonic() + wait
            while self.alive() and time.monotonic() < deadline:
                time.sleep(0.02)


def start_time(pid: int) -> int | None:
    """Return the clock tick at which a process started (proc(5)), None for none or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def die_with_parent() -> None:
    """Have the kernel kill this process when its parent ends, however that happens."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
