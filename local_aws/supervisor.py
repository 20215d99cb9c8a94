"""The process that keeps a miniature's parts running, from `up` until `down`.

Run as `python -m local_aws.supervisor --state DIR --image NAME …`. It starts the parts in the
order in which they need each other and waits for each to answer. The control plane keeps its
state in memory, so its end is the end; the other parts hold none and are started again.
When the supervisor itself is killed, the kernel ends its parts.
"""

from __future__ import annotations

import argparse
import http.client
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from local_aws import setup
from local_aws.paths import REPOSITORY, LocalAwsError, State, write_atomically
from local_aws.processes import ProcessRecord, die_with_parent

LOG = logging.getLogger("supervisor")
READY_SECONDS = 60.0
_PORTS = ("control", "inside", "sessions", "proxy")


def free_ports(count: int) -> list[int]:
    """Return loopback ports that nothing listens on, all different."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def answers_http(port: int) -> bool:
    """Tell whether something on a loopback port answers an HTTP request, whatever it says."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def listens(port: int) -> bool:
    """Tell whether something on a loopback port takes connections."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


@dataclass
class Part:
    """One child process, how to see that it answers, and whether it may be started again."""

    name: str
    argv: list[str]
    answers: Callable[[], bool]
    restartable: bool = True
    # Whether it has the user's own environment, because it is what others are pointed at.
    outside: bool = False
    process: subprocess.Popen[bytes] | None = None
    starts: list[float] = field(default_factory=list)

    def start(self, state: State, env: dict[str, str]) -> None:
        """Start the process; its output goes to the logs."""
        with (state.logs / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *self.argv],
                cwd=REPOSITORY,
                env=os.environ if self.outside else env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
            )
        record = ProcessRecord.of(self.process.pid)
        if record is not None:
            record.write(state.run / f"{self.name}.pid")
        self.starts = [*self.starts[-4:], time.monotonic()]

    def ended(self) -> bool:
        """Tell whether the process is gone."""
        return self.process is None or self.process.poll() is not None


class Supervisor:
    """Start, watch and end the parts of one miniature."""

    def __init__(self, state: State, image: str, extra: list[str], log_level: str) -> None:
        self.state = state
        self.ports = dict(zip(_PORTS, free_ports(len(_PORTS)), strict=True))
        self.env = {**os.environ, **setup.environment(state, self.ports)}
        self.ending = False
        control = f"http://127.0.0.1:{self.ports['control']}"
        sessions = f"http://127.0.0.1:{self.ports['sessions']}"
        where = ["--state", str(state.directory), "--log-level", log_level]
        doors = [word for name in _PORTS for word in (f"--{name}", str(self.ports[name]))]
        inside = ["--inside-port", str(self.ports["inside"])]
        served = ["--port", str(self.ports["control"]), *inside, "--sessions-url", sessions]
        self.parts = [
            Part(
                "sessions",
                ["local_aws.session_manager", "--port", str(self.ports["sessions"]), *where],
                lambda: listens(self.ports["sessions"]),
            ),
            Part(
                "control",
                ["local_aws.control", *served, *where, *extra],
                lambda: answers_http(self.ports["control"]),
                restartable=False,
            ),
            Part(
                "reconciler",
                ["local_aws.reconciler", "--endpoint", control, "--image", image, *where],
                state.network_map.exists,
            ),
            Part(
                "gateway",
                ["local_aws.gateway", *doors, *where],
                lambda: listens(self.ports["proxy"]),
                outside=True,
            ),
        ]

    def start(self) -> None:
        """Start all parts; raise LocalAwsError with the one that does not answer."""
        for part in self.parts:
            part.start(self.state, self.env)
        for part in self.parts:
            deadline = time.monotonic() + READY_SECONDS
            while not part.answers():
                if part.ended() or time.monotonic() > deadline or self.ending:
                    raise LocalAwsError(
                        f"{part.name} did not start ({last_line(self.state, part.name)})",
                        f"see {self.state.logs / part.name}.log",
                    )
                time.sleep(0.05)
            LOG.info("event=ready part=%s", part.name)
        setup.publish(self.state, self.ports)
        self.report("ready")

    def watch(self) -> None:
        """Start parts again that end, until told to stop or the control plane is gone."""
        while not self.ending:
            time.sleep(0.2)
            for part in self.parts:
                if not part.ended() or self.ending:
                    continue
                status = part.process.returncode if part.process else None
                LOG.error("event=ended part=%s status=%s", part.name, status)
                recent = [at for at in part.starts if time.monotonic() - at < 60]
                if not part.restartable or len(recent) >= 5:
                    self.report("failed", f"{part.name} ended ({last_line(self.state, part.name)})")
                    return
                part.start(self.state, self.env)

    def report(self, state: str, why: str = "") -> None:
        """Tell the commands what state the miniature is in."""
        parts = {part.name: part.process.pid for part in self.parts if part.process}
        said = {"state": state, "why": why, "ports": self.ports, "parts": parts}
        write_atomically(self.state.run / "status.json", json.dumps(said))

    def stop(self) -> None:
        """End all parts, the last started first."""
        for part in reversed(self.parts):
            if part.process is not None and part.process.poll() is None:
                part.process.terminate()
        deadline = time.monotonic() + 5
        for part in self.parts:
            if part.process is None:
                continue
            try:
                part.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                part.process.kill()
                part.process.wait()


def last_line(state: State, name: str) -> str:
    """Return the last line of one part's log."""
    path: Path = state.logs / f"{name}.log"
    lines = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
    return lines[-1][-300:] if lines else "it said nothing"


def main() -> int:
    """Supervise until SIGTERM; return 1 when the miniature cannot go on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--clock-period", type=float, default=None)
    parser.add_argument("--log-level", default="INFO")
    options = parser.parse_args()
    logging.basicConfig(
        level=options.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    state = State.at(options.state)
    record = ProcessRecord.of(os.getpid())
    if record is not None:
        record.write(state.run / "supervisor.pid")
    clock = options.clock_period
    extra = [] if clock is None else ["--clock-period", str(clock)]
    supervisor = Supervisor(state, options.image, extra, options.log_level)

    def end(*_: object) -> None:
        supervisor.ending = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        supervisor.start()
        supervisor.watch()
    except (LocalAwsError, OSError, subprocess.SubprocessError) as error:
        LOG.error("event=failed error=%s", error)
        supervisor.report("failed", str(error))
    finally:
        supervisor.stop()
    return 0 if supervisor.ending else 1


if __name__ == "__main__":
    sys.exit(main())
