"""`python -m demo up|down|keep`: run the whole layer on this machine, and stop it again."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from demo import stages
from demo.console import Console, DemoError
from demo.state import State


def parser() -> argparse.ArgumentParser:
    """Return the command line's grammar."""
    top = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for name in ("up", "down", "keep"):
        command = commands.add_parser(name)
        command.add_argument("--state", type=Path, required=True, help="directory of this demo")
    up = commands.choices["up"]
    up.add_argument(
        "--port", type=int, default=0, help="the dashboard's port on this machine (3838)"
    )
    up.add_argument(
        "--clock-period", type=int, default=0, help="seconds between the rule's runs (60)"
    )
    up.add_argument("--events", type=Path, help="load the files of this directory instead")
    up.add_argument("--wanted", type=int, default=22_000, help="events of the shop's last 24 hours")
    up.add_argument("--seed", type=int, default=20_261_124, help="seed of the shop's traffic")
    up.add_argument("--live", type=int, default=1, help="1: new visits go on arriving; 0: none")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 1 after one line on standard error that says what to do."""
    arguments = parser().parse_args(argv)
    if os.geteuid() != 0:
        print("demo: root rights are needed: run `sudo make demo`", file=sys.stderr)
        return 1
    console, state = Console(), State(arguments.state)
    try:
        if arguments.command == "up":
            stages.up(console, state, stages.Options.of(arguments))
        elif arguments.command == "down":
            stages.down(console, state)
        else:
            stages.keep(state)
    except DemoError as error:
        console.say()
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        console.say()
        print("demo: interrupted; `make demo-down` clears up what is left", file=sys.stderr)
        return 130
    except Exception as error:
        console.say()
        log = state.logs / "demo.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(traceback.format_exc())
        print(f"demo: {type(error).__name__}: {error} (log: {log})", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
