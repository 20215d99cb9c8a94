"""Where a demo keeps what it must know between commands, and the processes it left running."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path
from typing import Any


def started_at(pid: int) -> str | None:
    """Return when a process began (clock ticks since boot), or None when it is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


class State:
    """A directory with the demo's facts (`demo.json`), logs and pid files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.logs = self.folder / "logs"

    @property
    def _facts_file(self) -> Path:
        return self.folder / "demo.json"

    def facts(self) -> dict[str, Any]:
        """Return what earlier commands noted; empty when there was none."""
        try:
            return dict(json.loads(self._facts_file.read_text()))
        except (OSError, ValueError):
            return {}

    def note(self, **facts: Any) -> None:
        """Add facts, written whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self._facts_file.with_suffix(".new")
        draft.write_text(json.dumps(self.facts() | facts, indent=1) + "\n")
        draft.replace(self._facts_file)

    def forget(self) -> None:
        """Drop the facts of a demo that is no more."""
        self._facts_file.unlink(missing_ok=True)

    def environment(self) -> dict[str, str]:
        """Return how this demo's AWS is reached; empty when it is not up."""
        try:
            lines = (self.folder / "env").read_text().splitlines()
        except OSError:
            return {}
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def keep_pid(self, name: str, pid: int) -> None:
        """Note a process with its start time, so that no stranger's process is ever stopped."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / f"{name}.pid").write_text(f"{pid} {started_at(pid)}\n")

    def running(self, name: str) -> int | None:
        """Return the pid of a noted process that still runs."""
        try:
            pid, began = (self.folder / f"{name}.pid").read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if started_at(int(pid)) == began else None

    def stop(self, name: str, patience: float = 10.0) -> None:
        """End a noted process and its group; kill what does not listen within `patience` seconds."""
        pid = self.running(name)
        if pid is not None:
            for how in (signal.SIGTERM, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(pid, how)
                deadline = time.monotonic() + patience
                while time.monotonic() < deadline and self.running(name) is not None:
                    with contextlib.suppress(ChildProcessError):
                        os.waitpid(pid, os.WNOHANG)
                    time.sleep(0.05)
                if self.running(name) is None:
                    break
        (self.folder / f"{name}.pid").unlink(missing_ok=True)
