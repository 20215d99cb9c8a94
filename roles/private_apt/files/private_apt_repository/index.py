"""Writes a repository's signed indexes: dists/SUITE/… beside the pool.

Format: https://wiki.debian.org/DebianRepository/Format
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
from pathlib import Path

from private_apt_repository.commands import run
from private_apt_repository.keys import SigningKey
from private_apt_repository.resolve import Resolved, only_one


def write_indexes(resolved: Resolved, key: SigningKey) -> Path:
    """Return a directory with `dists/` for these packages, signed by this key; keep it if it stands.

    Signing the same lock twice would only change the date, and so make hosts fetch for nothing.
    """
    kept = resolved.folder / f"signed-{key.fingerprint[-16:]}"
    with only_one(resolved.folder / "sign.flock"):
        if (kept / "lock.txt").exists() and (kept / "lock.txt").read_text() == resolved.lock:
            return kept
        shutil.rmtree(kept, ignore_errors=True)
        recipe = resolved.recipe
        release_dir = kept / "dists" / recipe.suite
        binary = release_dir / "main" / f"binary-{recipe.architecture}"
        binary.mkdir(parents=True)
        packages = (resolved.folder / "Packages").read_bytes()
        for name, content in (
            ("Packages", packages),
            ("Packages.gz", gzip.compress(packages, mtime=0)),
        ):
            (binary / name).write_bytes(content)
            hashed = binary / "by-hash" / "SHA256" / hashlib.sha256(content).hexdigest()
            hashed.parent.mkdir(parents=True, exist_ok=True)
            hashed.write_bytes(content)
        options = {
            "Origin": "Private package repository",
            "Label": "Private package repository",
            "Suite": recipe.suite,
            "Codename": recipe.suite,
            "Architectures": recipe.architecture,
            "Components": "main",
            "Acquire-By-Hash": "yes",
        }
        argv = ["apt-ftparchive"]
        for name, value in options.items():
            argv += ["-o", f"APT::FTPArchive::Release::{name}={value}"]
        release = run([*argv, "release", "."], cwd=release_dir)
        clear, detached = key.sign(release)
        (release_dir / "Release").write_bytes(release)
        (release_dir / "Release.gpg").write_bytes(detached)
        (release_dir / "InRelease").write_bytes(clear)
        (kept / "lock.txt").write_text(resolved.lock)
        return kept


def write_directory(resolved: Resolved, key: SigningKey, directory: Path) -> bool:
    """Make `directory` this signed repository, in place; return whether anything changed.

    Hosts may be reading it: packages come first, the index that names them last, and what the
    index no longer names goes at the end.
    """
    signed = write_indexes(resolved, key)
    with only_one(directory.parent / f"{directory.name}.flock"):
        public = directory / "public-key.asc"
        held = directory / "lock.txt"
        same = held.exists() and held.read_text() == resolved.lock
        if same and public.exists() and public.read_text() == key.public:
            return False
        (directory / "pool").mkdir(parents=True, exist_ok=True)
        for source in sorted((resolved.folder / "pool").iterdir()):
            _place(source, directory / "pool" / source.name)
        files = [path for path in sorted(signed.rglob("*")) if path.is_file()]
        for source in sorted(files, key=order):
            target = directory / source.relative_to(signed)
            target.parent.mkdir(parents=True, exist_ok=True)
            _place(source, target)
        public.write_text(key.public)
        wanted = {path.name for path in (resolved.folder / "pool").iterdir()}
        for stale in (directory / "pool").iterdir():
            if stale.name not in wanted:
                stale.unlink()
        return True


def order(path: Path) -> int:
    """Return when a file of `dists` may appear: what names another comes after it."""
    if "by-hash" in path.parts:
        return 0
    return {"Release.gpg": 2, "Release": 2, "InRelease": 3, "lock.txt": 4}.get(path.name, 1)


def _place(source: Path, target: Path) -> None:
    """Link or copy one file so that a reader sees the old one or the new one, never half of it."""
    if target.exists() and target.samefile(source):
        return
    partial = target.with_name(f".{target.name}.partial")
    partial.unlink(missing_ok=True)
    try:
        os.link(source, partial)
    except OSError:
        shutil.copyfile(source, partial)
    partial.replace(target)
