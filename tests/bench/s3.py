"""S3 on the loopback: rclone over a directory, a bucket each folder, and a proxy that delays requests."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests import toolbox
from tests.bench.measuring import BenchError

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "not-a-secret-of-any-account"
RCLONE = toolbox.REPOSITORY / "build" / "venv-bench" / "bin" / "rclone"


@contextlib.contextmanager
def serving(directory: Path) -> Iterator[str]:
    """Yield the address of an S3 server over `directory`, stopped afterwards."""
    if not RCLONE.exists():
        raise BenchError("rclone is missing: run `make bench`, or `./setup.sh bench`")
    port = toolbox.free_port()
    options = ["--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY},{SECRET}"]
    with _process(
        [str(RCLONE), "serve", "s3", *options, "--vfs-cache-mode", "off", str(directory)], port
    ):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def delayed(url: str, milliseconds: int) -> Iterator[str]:
    """Yield an address that passes on to `url`, every request so much later."""
    port = toolbox.free_port()
    target = url.rpartition(":")[2]
    command = [sys.executable, "-m", "tests.bench.delay", str(port), target, str(milliseconds)]
    with _process(command, port):
        yield f"http://127.0.0.1:{port}"


@contextlib.contextmanager
def _process(command: Sequence[str], port: int) -> Iterator[None]:
    with subprocess.Popen(
        command,
        cwd=toolbox.REPOSITORY,
        env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), timeout=1).close()
                    break
                except OSError:
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise BenchError(f"{Path(command[0]).name} does not listen") from None
                    time.sleep(0.05)
            yield
        finally:
            process.terminate()
