"""The commands of the miniature: up, down, status, exec, host, host-rm."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from local_aws import hosts
from local_aws.namespace import Namespace, require_root
from local_aws.paths import LocalAwsError, State
from local_aws.podman import Podman


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    top = argparse.ArgumentParser(prog="python -m local_aws", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text)
        made.add_argument("--state", required=True, metavar="DIR", help="the miniature's directory")
        return made

    command("host", "boot a Debian 13 host without AWS and without internet")
    commands.choices["host"].add_argument("name")
    commands.choices["host"].add_argument(
        "--mount",
        action="append",
        default=[],
        metavar="SRC:DST[:ro]",
        help="bind mount; repeatable",
    )
    command("host-rm", "remove such a host").add_argument("name")
    command("down", "end everything that up and host started")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status, 1 with one line on stderr for an error."""
    options = parser().parse_args(argv)
    try:
        state = State.at(options.state)
        return _run(state, options)
    except LocalAwsError as error:
        print(f"local_aws: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("local_aws: interrupted; `down` takes away what was started", file=sys.stderr)
        return 130


def _run(state: State, options: argparse.Namespace) -> int:
    if options.command == "host":
        return _host(state, options.name, options.mount)
    if options.command == "host-rm":
        return _host_rm(state, options.name)
    if options.command == "down":
        with state.lock():
            Namespace(state).destroy()
            state.erase()
        return 0
    return 2


def _host(state: State, name: str, mounts: Sequence[str]) -> int:
    require_root()
    with state.lock():
        podman = Podman(state)
        podman.configure()
        podman.namespace.ensure()
        hosts.create(podman, name, mounts)
    return 0


def _host_rm(state: State, name: str) -> int:
    require_root()
    if not state.directory.is_dir():
        return 0
    with state.lock():
        podman = Podman(state)
        hosts.remove(podman, name)
        alone = not podman.namespace.alive() or not podman.containers(hosts.LABEL)
        if alone and not state.env_file.exists():
            podman.namespace.destroy()
            state.erase()
    return 0
