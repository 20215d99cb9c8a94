"""The process that holds the dashboard's tunnel ends its plugin when it is told to end."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PLUGIN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1], "ready").touch()
try:
    time.sleep(60)
except KeyboardInterrupt:
    pathlib.Path(sys.argv[1], "interrupted").touch()
"""
KEEPER = """
import signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)  # as in a shell's background job
from demo import tunnel
tunnel.session_command = lambda *_: [sys.executable, "-c", sys.argv[1], sys.argv[2]]
tunnel.keep_open("plugin", lambda: "i-1", "document", 1, {"AWS_REGION": "ap-southeast-1"})
"""


def test_a_tunnel_that_is_told_to_end_interrupts_its_plugin_and_ends(tmp_path: Path) -> None:
    argv = [sys.executable, "-c", KEEPER, PLUGIN, str(tmp_path)]
    with subprocess.Popen(argv, cwd=REPOSITORY) as keeper:
        deadline = time.monotonic() + 30
        while not (tmp_path / "ready").exists():
            assert keeper.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        keeper.send_signal(signal.SIGTERM)
        try:
            assert keeper.wait(8) == 0
        finally:
            keeper.kill()
    assert (tmp_path / "interrupted").exists()


CHANGING = """
import sys, time
from demo import tunnel
tunnel.session_command = lambda plugin, instance, *_: [sys.executable, "-c", f"print({instance!r})"]
tunnel.time.sleep = lambda seconds, sleep=time.sleep: sleep(0.05)
found = iter(["i-1", "i-2"])
tunnel.keep_open("plugin", lambda: next(found, "i-3"), "document", 1, {"AWS_REGION": "ap-southeast-1"})
"""


def test_each_session_goes_to_the_instance_of_now() -> None:
    argv = [sys.executable, "-c", CHANGING]
    with subprocess.Popen(argv, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as keeper:
        try:
            assert keeper.stdout is not None
            assert [keeper.stdout.readline().strip() for _ in range(3)] == ["i-1", "i-2", "i-3"]
        finally:
            keeper.kill()
