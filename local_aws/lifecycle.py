"""Bring a miniature up and take it down, from whatever state an earlier run left it in."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

from local_aws import ca, image, namespace, podman, setup, volumes
from local_aws.instances import LABEL
from local_aws.namespace import Namespace, require_root, require_tools
from local_aws.paths import REPOSITORY, LocalAwsError, State
from local_aws.podman import Podman
from local_aws.processes import ProcessRecord
from local_aws.supervisor import last_line

_PARTS = ("control", "sessions", "reconciler", "gateway")
_TOOLS = {"openssl": "openssl", "losetup": "mount", "gpg": "gpg", "dpkg-deb": "dpkg"}
_UP_SECONDS = 120.0


def supervised(state: State) -> bool:
    """Tell whether a supervisor runs for this state."""
    record = ProcessRecord.read(state.run / "supervisor.pid")
    return record is not None and record.alive()


def reported(state: State) -> dict[str, Any]:
    """Return what the supervisor last said, empty when it has said nothing."""
    try:
        said: dict[str, Any] = json.loads((state.run / "status.json").read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return said


def healthy(state: State) -> bool:
    """Tell whether all of a miniature runs."""
    return (
        supervised(state)
        and Namespace(state).alive()
        and reported(state).get("state") == "ready"
        and state.env_file.exists()
    )


def up(state: State, clock_period: float | None = None, log_level: str = "INFO") -> str:
    """Start the miniature unless it runs; return one line that says where it is.

    Raises LocalAwsError when it cannot start, with nothing left running.
    """
    require_root()
    require_tools({**namespace.TOOLS, **podman.TOOLS, **_TOOLS})
    state.prepare()
    with state.lock():
        if healthy(state):
            return f"AWS in miniature runs already: {_where(state)}"
        clear(state)
        try:
            _start(state, clock_period, log_level)
        except BaseException:
            # A second signal must not stop the clearing away.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            clear(state)
            raise
    return f"AWS in miniature runs: {_where(state)}"


def _where(state: State) -> str:
    return f"{state.environment()['AWS_ENDPOINT_URL']} (environment in {state.env_file})"


def _start(state: State, clock_period: float | None, log_level: str) -> None:
    state.prepare()
    for old in state.logs.glob("*.log"):
        old.unlink()  # an earlier run's
    engine = Podman(state)
    engine.configure()
    engine.namespace.ensure()
    base = image.ensure(engine)
    ca.create(state)
    argv = [sys.executable, "-m", "local_aws.supervisor", "--state", str(state.directory)]
    argv += ["--image", base, "--log-level", log_level]
    if clock_period is not None:
        argv += ["--clock-period", str(clock_period)]
    with (state.logs / "supervisor.log").open("wb") as log:
        process = subprocess.Popen(
            argv, cwd=REPOSITORY, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    deadline = time.monotonic() + _UP_SECONDS
    while not healthy(state):
        said = reported(state)
        if said.get("state") == "failed":
            raise LocalAwsError(said["why"])
        if process.poll() is not None or time.monotonic() > deadline:
            raise LocalAwsError(
                f"the miniature did not start ({last_line(state, 'supervisor')})",
                f"see {state.logs}",
            )
        time.sleep(0.05)


def down(state: State) -> None:
    """Take everything away that up and host made, except the logs; no error for nothing."""
    if not state.directory.is_dir():
        return
    require_root()
    with state.lock():
        clear(state)


def clear(state: State) -> None:
    """End the processes, the namespace and the loop devices of a state, and its files.

    Each step works alone, so that any half-finished state can be cleared. The caller holds the
    state's lock.
    """
    for name, grace in (("supervisor", 8.0), *((part, 2.0) for part in _PARTS)):
        record = ProcessRecord.read(state.run / f"{name}.pid")
        if record is not None:
            record.end(grace)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(record.pid, os.WNOHANG)
    # With its first process all containers end, and their mounts, bridges and rules.
    Namespace(state).destroy()
    volumes.release_all(state)
    state.erase()


def status(state: State) -> tuple[str, bool]:
    """Return a description of what runs, and whether that is all of a miniature."""
    if not supervised(state) and not Namespace(state).alive():
        return f"no miniature runs in {state.directory}", False
    said = reported(state)
    lines = [f"state: {said.get('state', 'starting') if supervised(state) else 'half-finished'}"]
    if said.get("why"):
        lines.append(f"reason: {said['why']}")
    for name in ("supervisor", *_PARTS):
        record = ProcessRecord.read(state.run / f"{name}.pid")
        alive = record is not None and record.alive()
        lines.append(f"{name}: {f'process {record.pid}' if record and alive else 'not running'}")
    if Namespace(state).alive():
        rows = Podman(state).run("ps", "--all", "--format", "json", check=False).stdout
        for row in json.loads(rows or "[]"):
            kind = "instance" if LABEL in (row.get("Labels") or {}) else "container"
            lines.append(f"{kind} {row['Names'][0]}: {row['State']}")
    if state.env_file.exists():
        lines.append(f"endpoint: {setup.ENDPOINT}={state.environment()[setup.ENDPOINT]}")
    return "\n".join(lines), healthy(state)
