"""How large the function's zip is, and how long a new process of it takes to its first request."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import zipfile
from pathlib import Path

from tests import toolbox
from tests.bench import loads
from tests.bench.measuring import BenchError, say
from tests.bench.server import KeptServer

RUNS = 5
LONGEST = 30.0  # seconds
BUILDER = toolbox.REPOSITORY / "playbooks" / "files" / "build_lambda_zip.py"
# As Lambda's client does it: the handler is imported, then called.
PROGRAM = """
from etl_lambda.handler import handler

class Context:
    def get_remaining_time_in_millis(self):
        return 900_000

handler({"prefix": "events/"}, Context())
"""


def start(server: KeptServer) -> tuple[list[float], float]:
    """Return the seconds of some starts, and the zip's size in MB.

    The processes are those of the function's Python, 3.13, with the unpacked zip alone; they compile it,
    as the function does, whose folder cannot be written. Python's own start counts. Raises BenchError
    when no request came.
    """
    with toolbox.scratch("cold-") as home:
        (home / "ca.crt").write_text("-----BEGIN CERTIFICATE-----\n")
        options = ["--ca", f"{home}/ca.crt", "--out", str(home), "--cache", f"{home}/wheels"]
        built = subprocess.run(
            [sys.executable, str(BUILDER), "build", *options],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if built.returncode != 0:
            raise BenchError(built.stderr.strip())
        path = Path(json.loads(built.stdout)["path"])
        with zipfile.ZipFile(path) as archive:
            archive.extractall(home / "task")
        seconds = [_first_request(server, home / "task") for _ in range(RUNS)]
        return seconds, path.stat().st_size / 1e6


def _first_request(server: KeptServer, task: Path) -> float:
    with loads.database(server), socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(LONGEST)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        environment = loads.environment(url, "none", server)
        named = [f"{name}={value}" for name, value in environment.items()]
        # Entered before the clock starts: the shell of the toolbox reads a line and becomes Python.
        inside = [
            *("env", "-i", *named, "PYTHONDONTWRITEBYTECODE=1"),
            *("sh", "-c", 'read -r _ && cd "$1" && exec python3 -c "$2"', "start"),
            *(toolbox.inside_path(task), PROGRAM),
        ]
        with subprocess.Popen(
            toolbox.command(inside),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            assert process.stdin is not None
            time.sleep(1)
            began = time.perf_counter()
            process.stdin.write("go\n")
            process.stdin.close()
            try:
                listening.accept()[0].close()
                seconds = time.perf_counter() - began
            except TimeoutError:
                process.kill()
                words = process.stdout.read() if process.stdout else ""
                raise BenchError(f"no request came: {words[-2000:]}") from None
            process.kill()
    say(f"  {'start to the first request':<40}{seconds:8.2f} s")
    return seconds
