"""Finds out, and downloads, everything that a host installs.

The closure is computed by Debian's own apt in a throwaway root of the host's release, from an
empty package database: what comes out is complete whatever a host has already. One cached
directory for each recipe; its lock says name, version, architecture and SHA-256 of each package.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from private_apt_repository.commands import run
from private_apt_repository.errors import RepositoryError

# Debian's essential, required and important packages: what any host has and must keep up to date.
BASE = ("?essential", "?priority(required)", "?priority(important)")
NO_NETWORK = (
    "check that `apt-get update` works on this machine and that the package names are right"
)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What the repository is made for; equal recipes share one cached directory."""

    suite: str
    architecture: str
    packages: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Return 16 hexadecimal digits that stand for this recipe."""
        text = json.dumps([self.suite, self.architecture, sorted(set(self.packages)), BASE])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclasses.dataclass(frozen=True)
class Resolved:
    """A directory with `pool/`, `Packages` and `lock.txt`."""

    folder: Path
    recipe: Recipe
    renewed: bool

    @property
    def lock(self) -> str:
        """Return the lock: one line `name version architecture sha256` for each package, sorted."""
        return (self.folder / "lock.txt").read_text()

    @property
    def lock_sha256(self) -> str:
        """Return the lock's SHA-256 in hexadecimal digits."""
        return hashlib.sha256(self.lock.encode()).hexdigest()


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold a lock file, so that two runs do not write one directory."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def resolve(recipe: Recipe, cache: Path, max_age_hours: float) -> Resolved:
    """Return the recipe's packages, resolved against Debian as it is now unless the cache is young.

    Raises RepositoryError when Debian cannot be reached or knows a name not; an older resolution
    stays as it was.
    """
    folder = cache / recipe.digest
    with only_one(cache / f"{recipe.digest}.flock"):
        stamp = folder / "resolved"
        if stamp.exists() and time.time() - stamp.stat().st_mtime < max_age_hours * 3600:
            return Resolved(folder, recipe, renewed=False)
        pool = folder / "pool"
        pool.mkdir(parents=True, exist_ok=True)
        wanted = _download(recipe, pool)
        for stale in pool.iterdir():
            if stale.name not in wanted:
                stale.unlink()
        index = run(["apt-ftparchive", "packages", "pool"], cwd=folder)
        lock = lock_of(index.decode())
        old = (folder / "lock.txt").read_text() if (folder / "lock.txt").exists() else ""
        (folder / "Packages").write_bytes(index)
        (folder / "lock.txt").write_text(lock)
        stamp.touch()
        return Resolved(folder, recipe, renewed=lock != old)


def lock_of(index: str) -> str:
    """Return the lock of an apt `Packages` index."""
    lines = []
    for paragraph in index.strip().split("\n\n"):
        fields = dict(
            line.split(": ", 1)
            for line in paragraph.splitlines()
            if not line.startswith(" ") and ": " in line
        )
        parts = [fields[name] for name in ("Package", "Version", "Architecture", "SHA256")]
        lines.append(" ".join(parts))
    return "".join(f"{line}\n" for line in sorted(lines))


def changes(old: str, new: str) -> list[str]:
    """Say how two locks differ: `+ name version`, `- name version`, `name old -> new`."""
    before, after = (
        {line.split(" ")[0]: line.split(" ")[1] for line in lock.splitlines()}
        for lock in (old, new)
    )
    said = []
    for name in sorted({*before, *after}):
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        if was is None:
            said.append(f"+ {name} {now}")
        elif now is None:
            said.append(f"- {name} {was}")
        else:
            said.append(f"{name} {was} -> {now}")
    return said


# Runs inside the throwaway root ($1). An empty status file makes apt leave nothing out; what the
# pool holds already is not fetched again (apt checks its hash).
_HOOK = r"""
set -eu
archives="$1/var/cache/private-apt"
mkdir -p "$archives/partial" "$1/var/lib/private-apt"
: >"$1/var/lib/private-apt/status"
find "$PRIVATE_APT_POOL" -name '*.deb' -exec cp -t "$archives" {} +
set -- "$1" $PRIVATE_APT_PACKAGES
root=$1; shift
fetch() {
  chroot "$root" apt-get -q -y --no-install-recommends --download-only \
    -o Dir::State::status=/var/lib/private-apt/status -o Dir::Cache::archives=/var/cache/private-apt \
    -o APT::Sandbox::User=root -o APT::Keep-Downloaded-Packages=true "$@"
}
fetch install "$@" >&2
chroot "$root" apt-get -q -y --no-install-recommends --print-uris \
  -o Dir::State::status=/var/lib/private-apt/status -o Dir::Cache::archives=/var/cache/none \
  install "$@" | sed -nE "s/^'[^']*' ([^ ]+\.deb) .*/\1/p" >"$PRIVATE_APT_WANTED"
while read -r name; do cp -n -t "$PRIVATE_APT_POOL" "$archives/$name"; done <"$PRIVATE_APT_WANTED"
"""


def _download(recipe: Recipe, pool: Path) -> set[str]:
    """Bring the closure into `pool`; return the names of its files."""
    scratch = Path(tempfile.mkdtemp(prefix="private-apt-"))
    try:
        scratch.chmod(0o755)  # apt's own user reads below it.
        hook, wanted = scratch / "hook", scratch / "wanted"
        hook.write_text("#!/bin/sh\n" + _HOOK)
        hook.chmod(0o755)
        work = scratch / "tmp"
        work.mkdir(mode=0o755)
        # In a mount namespace of its own, so that nothing stays mounted if this is killed.
        run(
            [
                *("unshare", "--mount", "--propagation", "private", "--pid", "--fork"),
                *("--mount-proc", "--kill-child=SIGKILL"),
                *("mmdebstrap", "--quiet", "--variant=apt", "--mode=root", "--format=null"),
                f"--architectures={recipe.architecture}",
                '--aptopt=Acquire::Retries "3"',
                f'--customize-hook={hook} "$1"',
                *(recipe.suite, os.devnull),
            ],
            env={
                "TMPDIR": str(work),
                "PRIVATE_APT_POOL": str(pool.resolve()),
                "PRIVATE_APT_WANTED": str(wanted),
                "PRIVATE_APT_PACKAGES": " ".join([*sorted(set(recipe.packages)), *BASE]),
            },
            remedy=NO_NETWORK,
        )
        names = set(wanted.read_text().split())
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    missing = [name for name in names if not (pool / name).exists()]
    if not names or missing:
        raise RepositoryError(f"{len(missing)} packages were not downloaded", NO_NETWORK)
    return names
