#!/usr/bin/env python3
"""Build the function's zip, the same bytes from the same files, and say its SHA-256.

    build_lambda_zip.py build --ca FILE --out DIRECTORY [--cache DIRECTORY]
    build_lambda_zip.py lock

`build` prints {"sha256": …, "path": …, "built": …} and names the zip `<sha256>.zip`: the loader's
modules, the wheels of etl_lambda/requirements.lock, and the warehouse's CA as `ca.crt`.
`lock` pins the newest wheels that the ranges in pyproject.toml allow.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "etl_lambda"
LOCK = PACKAGE / "requirements.lock"
# Lambda's python3.13 runs on Amazon Linux 2023, whose glibc is 2.34.
TARGET = [
    "--only-binary=:all:", "--no-deps", "--python-version=3.13", "--implementation=cp",
    "--abi=cp313", "--abi=abi3", "--abi=none",
    "--platform=manylinux2014_x86_64", "--platform=manylinux_2_17_x86_64",
    "--platform=manylinux_2_28_x86_64", "--platform=any",
]  # fmt: skip
STAMP = (2020, 1, 1, 0, 0, 0)  # the time of every file in the zip
LEFT_OUT = ("__pycache__", ".pyc", ".pyi", "py.typed", "/tests/")
# A wheel's metadata stays; what pip adds to it at installation differs from machine to machine.
PIP_WRITES = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json")


def pip(*arguments: str) -> None:
    """Run this interpreter's pip; exit with its words when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"build_lambda_zip: pip failed: {(done.stderr or done.stdout).strip()[-2000:]}")


def wheels(cache: Path) -> Path:
    """Return the directory with the locked wheels unpacked; made once for each lock."""
    place = cache / f"wheels-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"
    if place.is_dir():
        return place
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="unpacking-") as scratch:
        unpacked = Path(scratch) / "wheels"
        pip(
            "install",
            "--require-hashes",
            "--no-compile",
            *TARGET,
            f"--target={unpacked}",
            f"-r{LOCK}",
        )
        try:
            unpacked.rename(place)
        except OSError:  # another build was faster
            if not place.is_dir():
                raise
    return place


def members(unpacked: Path, ca: Path) -> Iterator[tuple[str, Path]]:
    """Yield every file of the zip as its name there and where it is now."""
    for root, top in ((unpacked, ""), (PACKAGE, "etl_lambda/")):
        for path in root.rglob("*"):
            name = top + path.relative_to(root).as_posix()
            if not path.is_file() or any(part in f"/{name}" for part in LEFT_OUT):
                continue
            if (".dist-info/" in name and path.name in PIP_WRITES) or name.startswith("bin/"):
                continue
            if root == PACKAGE and path.suffix != ".py":
                continue
            yield name, path
    yield "ca.crt", ca


def write(zip_path: Path, files: list[tuple[str, Path]]) -> None:
    """Write a zip whose bytes depend on names and contents only."""
    with zipfile.ZipFile(zip_path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, path in sorted(files):
            entry = zipfile.ZipInfo(name, STAMP)
            entry.create_system = 3
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if name.endswith(".so") else 0o100644) << 16
            archive.writestr(entry, path.read_bytes(), compresslevel=9)


def source_digest(files: list[tuple[str, Path]]) -> str:
    """Return a digest of what goes in, by which a zip built before is found again."""
    digest = hashlib.sha256(f"{STAMP} {sys.version}".encode())
    for name, path in sorted(files):
        digest.update(f"\0{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}".encode())
    return digest.hexdigest()


def build(ca: Path, out: Path, cache: Path) -> dict[str, object]:
    """Build the zip unless one of the same inputs is there; return its SHA-256 and path."""
    if "BEGIN CERTIFICATE" not in ca.read_text() or "PRIVATE KEY" in ca.read_text():
        sys.exit(f"build_lambda_zip: {ca} is not a certificate alone")
    files = list(members(wheels(cache), ca))
    out.mkdir(parents=True, exist_ok=True)
    known = out / f"built-{source_digest(files)}"
    if known.is_file() and (path := out / f"{known.read_text()}.zip").is_file():
        return {"sha256": known.read_text(), "path": str(path), "built": False}
    handle, name = tempfile.mkstemp(dir=out, suffix=".partial")
    os.close(handle)
    partial = Path(name)
    try:
        write(partial, files)
        sha256 = hashlib.sha256(partial.read_bytes()).hexdigest()
        partial.chmod(0o644)
        partial.rename(path := out / f"{sha256}.zip")
    finally:
        partial.unlink(missing_ok=True)
    known.write_text(sha256)
    return {"sha256": sha256, "path": str(path), "built": True}


def lock() -> None:
    """Write the lock: one wheel for each requirement of the group `loader`, with its hash."""
    groups = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["dependency-groups"]
    head = [line for line in LOCK.read_text().splitlines() if line.startswith("#")]
    with tempfile.TemporaryDirectory() as scratch:
        pip("download", *TARGET, f"--dest={scratch}", *groups["loader"])
        for wheel in sorted(Path(scratch).glob("*.whl")):
            name, version = wheel.name.split("-")[:2]
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            head.append(f"{name.replace('_', '-')}=={version} \\\n    --hash=sha256:{digest}")
    LOCK.write_text("\n".join(head) + "\n")


def main() -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(description="Build the function's zip, or lock what it holds.")
    commands = parser.add_subparsers(dest="command", required=True)
    building = commands.add_parser("build")
    building.add_argument(
        "--ca", type=Path, required=True, help="certificate of the warehouse's CA"
    )
    building.add_argument("--out", type=Path, required=True, help="directory for the zip")
    building.add_argument("--cache", type=Path, help="directory for unpacked wheels (default: OUT)")
    commands.add_parser("lock")
    arguments = parser.parse_args()
    if arguments.command == "lock":
        lock()
        return
    result = build(arguments.ca, arguments.out, arguments.cache or arguments.out)
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
