"""What a miniature could leave on the machine: looked for by its directory, so that others may run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


def _processes(text: bytes) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            if text in command:
                yield f"process {process.name}: {command.replace(bytes(1), b' ').decode()}"


def _mounts(text: str) -> Iterator[str]:
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        if text in line:
            yield f"mount {line}"


def _loop_devices(text: str) -> Iterator[str]:
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            if text in file.read_text():
                yield f"loop device {file.parent.parent.name}: {file.read_text().strip()}"


def found(state: Path) -> list[str]:
    """Return what still stands of the miniature in `state`: nothing, when all is well."""
    text = str(state)
    files = [] if not state.exists() else [f"file {p}" for p in state.iterdir() if p.name != "logs"]
    return [*_processes(text.encode()), *_mounts(text), *_loop_devices(text), *files]
