"""AWS's runtime client (awslambdaric) for the function's Python, unpacked once into the cache."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from local_aws.paths import CACHE, REPOSITORY, LocalAwsError

LOCK = REPOSITORY / "requirements" / "runtime.lock"
_SECONDS = 180


def ensure(runtime: str, cache: Path = CACHE) -> Path:
    """Return the folder that holds awslambdaric for a runtime such as `python3.13`.

    Needs the package index the first time; raises LocalAwsError when it cannot be had.
    """
    python = runtime.removeprefix("python")
    version = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    target = cache / f"awslambdaric-{version}-{runtime}"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "awslambdaric.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        scratch = Path(tempfile.mkdtemp(prefix="awslambdaric-", dir=cache))
        try:
            _install(python, scratch)
            scratch.chmod(0o755)
            scratch.rename(target)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
    return target


def _install(python: str, target: Path) -> None:
    argv = [
        sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--no-compile", "--target", str(target), "--python-version", python,
        "--only-binary", ":all:", "--implementation", "cp",
        "--require-hashes", "-r", str(LOCK),
    ]  # fmt: skip
    done = subprocess.run(argv, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        raise LocalAwsError(
            f"awslambdaric for Python {python} could not be had",
            lines[-1] if lines else "pip said nothing",
        )
