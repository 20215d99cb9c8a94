"""The commands of the miniature: up, down, status, exec, host, host-rm."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from local_aws import hosts, lifecycle
from local_aws.namespace import require_root
from local_aws.paths import LocalAwsError, State
from local_aws.podman import Podman


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    top = argparse.ArgumentParser(
        prog="python -m local_aws", description="AWS in miniature on this machine."
    )
    commands = top.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.add_argument("--state", required=True, metavar="DIR", help="the miniature's directory")
        return made

    up = command("up", "start the miniature and return when all of it answers")
    up.add_argument(
        "--clock-period",
        type=float,
        metavar="SECONDS",
        help="fire enabled rules this often instead of by their schedules",
    )
    up.add_argument("--log-level", default="INFO", choices=("DEBUG", "INFO", "WARNING", "ERROR"))
    command("down", "end everything that up and host started; the logs stay")
    command("status", "tell what runs; exit status 3 when it is not all of it")
    run = command("exec", "run a program with the environment that points it at the miniature")
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- CMD ...")
    host = command("host", "boot a Debian 13 host without AWS and without internet")
    host.add_argument("name")
    host.add_argument(
        "--mount",
        action="append",
        default=[],
        metavar="SRC:DST[:ro]",
        help="bind mount; repeatable",
    )
    command("host-rm", "remove such a host, and what only hosts needed").add_argument("name")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status, 1 with one line on stderr for an error."""
    options = parser().parse_args(argv)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return _run(State.at(options.state), options)
    except (LocalAwsError, OSError) as error:
        print(f"local_aws: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("local_aws: interrupted", file=sys.stderr)
        return 130


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def _run(state: State, options: argparse.Namespace) -> int:
    match options.command:
        case "up":
            print(lifecycle.up(state, options.clock_period, options.log_level))
        case "down":
            lifecycle.down(state)
        case "status":
            text, complete = lifecycle.status(state)
            print(text)
            return 0 if complete else 3
        case "exec":
            return _exec(state, options.argv)
        case "host":
            _host(state, options.name, options.mount)
        case "host-rm":
            _host_rm(state, options.name)
    return 0


def _exec(state: State, argv: Sequence[str]) -> int:
    command = list(argv[1:] if argv[:1] == ["--"] else argv)
    if not command:
        raise LocalAwsError("exec needs a program", "python -m local_aws exec --state DIR -- CMD")
    environment = {**os.environ, **state.environment()}
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606 - the user's own program
    except OSError as error:
        print(f"local_aws: {command[0]}: {error.strerror}", file=sys.stderr)
        return 127


def _host(state: State, name: str, mounts: Sequence[str]) -> None:
    require_root()
    with state.lock():
        podman = Podman(state)
        try:
            podman.configure()
            podman.namespace.ensure()
            hosts.create(podman, name, mounts)
        except BaseException:
            _leave(state, podman, name)
            raise


def _leave(state: State, podman: Podman, name: str) -> None:
    """Remove a host, and everything else when neither a miniature nor another host needs it."""
    hosts.remove(podman, name)
    needed = podman.namespace.alive() and podman.containers(hosts.LABEL)
    if not needed and not lifecycle.supervised(state):
        lifecycle.clear(state)


def _host_rm(state: State, name: str) -> None:
    require_root()
    if not state.directory.is_dir():
        return
    with state.lock():
        _leave(state, Podman(state), name)
