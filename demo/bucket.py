"""Puts a shop's objects, or the files of a directory, into the raw bucket."""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import obstore
from obstore.store import S3Store

from demo.console import DemoError
from demo.objects import PREFIX, RawObject

CONCURRENT = 24  # puts under way at once
_DATED = re.compile(r"\d{4}/\d{2}/\d{2}/(\d{2}/)?[^/]+")  # the layout of keys behind PREFIX


def store(bucket: str, aws: Mapping[str, str]) -> S3Store:
    """Return the bucket, reached the way the environment of a controller says."""
    return S3Store(
        bucket,
        region=aws["AWS_REGION"],
        access_key_id=aws["AWS_ACCESS_KEY_ID"],
        secret_access_key=aws["AWS_SECRET_ACCESS_KEY"],
        endpoint=aws.get("AWS_ENDPOINT_URL") or f"https://s3.{aws['AWS_REGION']}.amazonaws.com",
        client_options={"allow_http": True, "timeout": "60s"},
    )


def put_all(
    target: S3Store, objects: Iterable[RawObject], told: Callable[[int], None] = lambda _n: None
) -> int:
    """Put every object, many at a time, and return how many; `told` hears the count so far."""

    async def work() -> int:
        queue = iter(objects)
        written = 0

        async def one() -> None:
            nonlocal written
            for thing in queue:
                await obstore.put_async(target, thing.key, thing.body)
                written += 1
                if written % 250 == 0:
                    told(written)

        await asyncio.gather(*(one() for _ in range(CONCURRENT)))
        return written

    return asyncio.run(work())


def files_of(folder: Path, now: dt.datetime) -> Iterator[RawObject]:
    """Yield the files below a directory as raw objects; their records are not counted (0).

    A path of the layout [events/]YYYY/MM/DD[/HH]/NAME keeps it; any other file is received now, as the
    ingest function would say. Its folders become part of its name, since a key with more of them is
    none of the layout: the loader leaves it alone.
    Raises DemoError when there is no such directory, no file in it, or two of one name.
    """
    if not folder.is_dir():
        raise DemoError(f"EVENTS={folder} is not a directory: give one that holds event files")
    found: set[str] = set()
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        name = path.relative_to(folder).as_posix().removeprefix(PREFIX)
        if not _DATED.fullmatch(name):
            name = f"{now:%Y/%m/%d/%H/}" + name.replace("/", "__")
        key = PREFIX + name
        if key in found:
            raise DemoError(f"EVENTS={folder} holds two files for the key {key}: rename {path}")
        found.add(key)
        yield RawObject(key, path.read_bytes(), 0, "file")
    if not found:
        raise DemoError(f"EVENTS={folder} holds no file: there is nothing to load")
