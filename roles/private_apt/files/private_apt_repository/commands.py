"""Runs other programs, turning their failure into one clear line."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from private_apt_repository.errors import RepositoryError


def run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    remedy: str = "see the message above",
) -> bytes:
    """Return what a program prints; raise RepositoryError with its last words when it fails."""
    try:
        done = subprocess.run(
            argv,
            input=stdin,
            cwd=cwd,
            env={**os.environ, "LC_ALL": "C.UTF-8", **(env or {})},
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        raise RepositoryError(f"{argv[0]} is missing", "install it on the controller") from None
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip().splitlines()
        told = [line for line in words if line.startswith(("E:", "gpg:"))] or words[-3:]
        raise RepositoryError(f"{argv[0]} failed ({'; '.join(told)[:600]})", remedy)
    return done.stdout
