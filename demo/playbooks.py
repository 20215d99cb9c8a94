"""Runs playbooks as an operator would, reading their output for progress and failures."""

from __future__ import annotations

import collections
import dataclasses
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from demo.console import DemoError

REPOSITORY = Path(__file__).resolve().parent.parent
_HEAD = re.compile(r"^(PLAY|TASK|RUNNING HANDLER) \[(.*)\] \*+$")
_RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)")


@dataclasses.dataclass(frozen=True)
class Recap:
    """The counts of one host at the end of a run."""

    ok: int
    changed: int
    unreachable: int
    failed: int


def environment(aws: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a controller: this process's, and how AWS is reached."""
    binaries = str(Path(sys.executable).parent)
    return {
        **os.environ,
        **aws,
        "PATH": binaries + os.pathsep + os.environ.get("PATH", ""),
        "ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        "PYTHONUNBUFFERED": "1",
        "LC_ALL": "C.UTF-8",
    }


def inventories(paths: Sequence[Path]) -> list[str]:
    """Return the -i arguments: the project's inventory and those that belong to this set-up."""
    found = [str(REPOSITORY / "inventory"), *map(str, paths)]
    return [part for path in found for part in ("-i", path)]


def play(
    playbook: str,
    *,
    aws: Mapping[str, str],
    inventory: Sequence[Path],
    log: Path,
    on_task: Callable[[str], None] = lambda _text: None,
    on_play: Callable[[str, float], None] = lambda _name, _seconds: None,
    arguments: Sequence[str] = (),
) -> dict[str, Recap]:
    """Run a playbook to its end, its output into `log`, and return the recap by host.

    `on_task` hears each task's name, `on_play` each finished play with its seconds.
    Raises DemoError with the failing task, its message and where the log is.
    """
    command = [str(Path(sys.executable).parent / "ansible-playbook"), *inventories(inventory)]
    command += [*arguments, str(REPOSITORY / "playbooks" / playbook)]
    log.parent.mkdir(parents=True, exist_ok=True)
    recaps: dict[str, Recap] = {}
    tail: collections.deque[str] = collections.deque(maxlen=400)
    task, running, began = "", "", time.monotonic()
    with log.open("w") as out:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=environment(aws),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        try:
            assert process.stdout is not None  # noqa: S101 - asked for above
            for line in process.stdout:
                out.write(line)
                out.flush()
                tail.append(line.rstrip("\n"))
                if head := _HEAD.match(line):
                    if head[1] == "PLAY":
                        if running:
                            on_play(running, time.monotonic() - began)
                        running, began = head[2], time.monotonic()
                    else:
                        task = head[2]
                        tail.clear()
                        on_task(f"{running}: {task}")
                elif line.startswith("PLAY RECAP") and running:
                    on_play(running, time.monotonic() - began)
                    running = ""
                elif counts := _RECAP.match(line):
                    recaps[counts[1]] = Recap(*map(int, counts.groups()[1:]))
            code = process.wait()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if code != 0:
        raise DemoError(f"playbook {playbook} failed at “{task}”: {_reason(tail)} (log: {log})")
    return recaps


def _reason(tail: Sequence[str]) -> str:
    """Pick the message out of a failing task's output."""
    for line in tail:
        if line.startswith("[ERROR]:"):
            return line.removeprefix("[ERROR]:").strip()
    for line in tail:
        if "FAILED!" in line or "UNREACHABLE!" in line or line.startswith("ERROR"):
            return line[:600]
    return next((line for line in reversed(tail) if line.strip()), "no output")


def on_host(
    argv: Sequence[str],
    *,
    aws: Mapping[str, str],
    inventory: Sequence[Path],
    group: str = "warehouse",
) -> str:
    """Run one command as root on the group's only host, over Session Manager; return its output.

    Raises DemoError with what it printed when it fails.
    """
    command = [
        str(Path(sys.executable).parent / "ansible"),
        *inventories(inventory),
        group,
        "--become",
    ]
    quoted = " ".join("'" + part.replace("'", "'\\''") + "'" for part in argv)
    done = subprocess.run(
        [*command, "-m", "ansible.builtin.command", "-a", quoted],
        cwd=REPOSITORY,
        env=environment(aws),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    output = done.stdout.partition(">>\n")[2]
    if done.returncode != 0 or not output:
        raise DemoError(
            f"on the host, {argv[0]} failed: {(done.stdout + done.stderr).strip()[-800:]}"
        )
    return output.strip()
