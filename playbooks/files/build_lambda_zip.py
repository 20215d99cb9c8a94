#!/usr/bin/env python3
"""Build the function's zip, the same bytes from the same files, and say its SHA-256.

    build_lambda_zip.py build --ca FILE --out DIRECTORY [--cache DIRECTORY] [--architecture arm64]
    build_lambda_zip.py lock

`build` prints {"sha256": …, "path": …, "built": …} and names the zip `<sha256>.zip`: the loader's
modules, the wheels of etl_lambda/requirements.lock for the function's processor, and the warehouse's CA
as `ca.crt`. `lock` pins the newest versions that the ranges in pyproject.toml allow, their wheels for
both processors.
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
# As Lambda names processors, and as wheels do.
MACHINES = {"x86_64": "x86_64", "arm64": "aarch64"}
LOCKED_FOR = "# Processors: "
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


def target(architecture: str) -> list[str]:
    """Return what tells pip of the function: its python3.13 runs on Amazon Linux 2023, glibc 2.34."""
    machine = MACHINES[architecture]
    platforms = [
        f"{name}_{machine}" for name in ("manylinux2014", "manylinux_2_17", "manylinux_2_28")
    ]
    return [
        "--only-binary=:all:", "--no-deps", "--python-version=3.13", "--implementation=cp",
        "--abi=cp313", "--abi=abi3", "--abi=none",
        *(f"--platform={platform}" for platform in (*platforms, "any")),
    ]  # fmt: skip


def locked_for() -> list[str]:
    """Return the processors that the lock has wheels for."""
    lines = [line for line in LOCK.read_text().splitlines() if line.startswith(LOCKED_FOR)]
    return lines[0].removeprefix(LOCKED_FOR).split(", ") if lines else []


def wheels(cache: Path, architecture: str) -> Path:
    """Return the directory with the locked wheels unpacked; made once for each lock and processor."""
    if architecture not in locked_for():
        sys.exit(
            f"build_lambda_zip: {LOCK.relative_to(REPOSITORY)} has no wheels for {architecture}: run"
            " `build_lambda_zip.py lock` where the package index has them"
        )
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    place = cache / f"wheels-{architecture}-{digest}"
    if place.is_dir():
        return place
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="unpacking-") as scratch:
        unpacked = Path(scratch) / "wheels"
        pip(
            "install",
            "--require-hashes",
            "--no-compile",
            *target(architecture),
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


def build(ca: Path, out: Path, cache: Path, architecture: str = "x86_64") -> dict[str, object]:
    """Build the zip unless one of the same inputs is there; return its SHA-256 and path."""
    if "BEGIN CERTIFICATE" not in ca.read_text() or "PRIVATE KEY" in ca.read_text():
        sys.exit(f"build_lambda_zip: {ca} is not a certificate alone")
    files = list(members(wheels(cache, architecture), ca))
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
    """Write the lock: each requirement of the group `loader`, with the hash of each processor's wheel.

    A processor without wheels in this machine's package index is left out, and said.
    """
    groups = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["dependency-groups"]
    hashes: dict[str, set[str]] = {}
    locked = []
    for architecture in MACHINES:
        with tempfile.TemporaryDirectory() as scratch:
            try:
                pip("download", *target(architecture), f"--dest={scratch}", *groups["loader"])
            except SystemExit as error:
                print(f"{architecture} is left out: {error}", file=sys.stderr)
                continue
            locked.append(architecture)
            for wheel in Path(scratch).glob("*.whl"):
                name, version = wheel.name.split("-")[:2]
                digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
                hashes.setdefault(f"{name.replace('_', '-')}=={version}", set()).add(digest)
    if not locked:
        sys.exit("build_lambda_zip: nothing can be locked here")
    head = [
        line
        for line in LOCK.read_text().splitlines()
        if line.startswith("#") and not line.startswith(LOCKED_FOR)
    ]
    pinned = [
        " \\\n    ".join([name, *(f"--hash=sha256:{digest}" for digest in sorted(digests))])
        for name, digests in sorted(hashes.items())
    ]
    LOCK.write_text("\n".join([*head, LOCKED_FOR + ", ".join(locked), *pinned]) + "\n")


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
    building.add_argument(
        "--architecture", choices=MACHINES, default="x86_64", help="processor of the function"
    )
    commands.add_parser("lock")
    arguments = parser.parse_args()
    if arguments.command == "lock":
        lock()
        return
    cache = arguments.cache or arguments.out
    result = build(arguments.ca, arguments.out, cache, arguments.architecture)
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main()
