"""Publishes a repository in S3, in an order that never shows a host half of it."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import hashlib
from pathlib import Path
from typing import Any

from private_apt_repository.errors import RepositoryError
from private_apt_repository.index import order, write_indexes
from private_apt_repository.keys import SigningKey
from private_apt_repository.resolve import Resolved, changes

PARALLEL = 12


@dataclasses.dataclass(frozen=True)
class Published:
    """What a publication did: whether anything changed, and how the lock differs from the last."""

    changed: bool
    differences: list[str]


def signing_key(secrets: Any, name: str, *, check: bool) -> SigningKey | None:
    """Return the key in Secrets Manager, made and put there by the first run.

    In check mode a missing key is not made: None.
    """
    try:
        return SigningKey.parse(secrets.get_secret_value(SecretId=name)["SecretString"])
    except secrets.exceptions.ResourceNotFoundException:
        if check:
            return None
    key = SigningKey.generate()
    secrets.create_secret(
        Name=name,
        Description="OpenPGP private key that signs the private package repository",
        SecretString=key.private,
    )
    return key


def publish(
    s3: Any, bucket: str, prefix: str, resolved: Resolved, key: SigningKey, *, check: bool
) -> Published:
    """Make `prefix` of `bucket` this repository, signed by `key`.

    The lock goes up last, so a publication that was cut short is done again. Packages that only
    the publication before the last named are deleted: a host may still be installing the last's.
    """
    old = _text(s3, bucket, f"{prefix}/lock.txt")
    held_key = _text(s3, bucket, f"{prefix}/public-key.asc")
    differences = changes(old or "", resolved.lock)
    if old == resolved.lock and held_key == key.public:
        return Published(changed=False, differences=[])
    if check:
        return Published(changed=True, differences=differences)
    signed = write_indexes(resolved, key)
    there = _sizes(s3, bucket, f"{prefix}/pool/")
    pool = sorted((resolved.folder / "pool").iterdir())
    put = {f"{prefix}/pool/{path.name}": path for path in pool}
    # A package's file name holds its version: the same name and size is the same file.
    missing = {name: path for name, path in put.items() if there.get(name) != path.stat().st_size}
    _put_all(s3, bucket, missing)
    s3.put_object(Bucket=bucket, Key=f"{prefix}/public-key.asc", Body=key.public.encode())
    files = [path for path in sorted(signed.rglob("*")) if path.is_file()]
    for path in sorted(files, key=order):
        name = f"{prefix}/{path.relative_to(signed)}"
        s3.put_object(Bucket=bucket, Key=name, Body=path.read_bytes())
    named = _named(old or "") | _named(resolved.lock)
    for name in there:
        if name not in put and _package(name) not in named:
            s3.delete_object(Bucket=bucket, Key=name)
    return Published(changed=True, differences=differences)


def put_file(s3: Any, bucket: str, name: str, file: Path, *, check: bool) -> tuple[bool, str]:
    """Put one file with its SHA-256 as metadata; return whether it was new, and that SHA-256."""
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    try:
        held = s3.head_object(Bucket=bucket, Key=name)["Metadata"].get("sha256")
    except s3.exceptions.ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] not in (403, 404):
            raise
        held = None
    if held == digest:
        return False, digest
    if not check:
        s3.put_object(Bucket=bucket, Key=name, Body=file.read_bytes(), Metadata={"sha256": digest})
    return True, digest


def fetch(s3: Any, source: str, target: Path) -> Path:
    """Return a local file for a path or an s3://BUCKET/KEY, downloaded to `target` if need be."""
    if not source.startswith("s3://"):
        path = Path(source)
        if not path.is_file():
            raise RepositoryError(f"{source} is not a file", "name the SSM agent's package")
        return path
    bucket, _, key = source.removeprefix("s3://").partition("/")
    try:
        s3.download_file(bucket, key, str(target))
    except s3.exceptions.ClientError as error:
        raise RepositoryError(
            f"{source} cannot be read ({error})",
            "download the SSM agent's package and signature and set private_apt_agent_deb and "
            "private_apt_agent_signature to the files",
        ) from None
    return target


def _put_all(s3: Any, bucket: str, files: dict[str, Path]) -> None:
    def put(item: tuple[str, Path]) -> None:
        with item[1].open("rb") as body:
            s3.put_object(Bucket=bucket, Key=item[0], Body=body)

    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        for _ in pool.map(put, files.items()):
            pass


def _sizes(s3: Any, bucket: str, prefix: str) -> dict[str, int]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}


def _text(s3: Any, bucket: str, key: str) -> str | None:
    try:
        return str(s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode())
    except s3.exceptions.NoSuchKey:
        return None


def _named(lock: str) -> set[tuple[str, str]]:
    return {(line.split(" ")[0], line.split(" ")[1]) for line in lock.splitlines()}


def _package(key: str) -> tuple[str, str]:
    """Return name and version of a pool file: `name_version_arch.deb`, its colon written %3a."""
    name, version, *_ = [*key.rpartition("/")[2].split("_"), ""]
    return name, version.replace("%3a", ":")
