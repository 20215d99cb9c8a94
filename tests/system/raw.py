"""An independent, slow and plain count of what a raw bucket holds, sharing nothing with the loader."""

from __future__ import annotations

import collections
import dataclasses
import gzip
import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
NOTHING = {"", "null", "undefined", "00000000-0000-0000-0000-000000000000"}


@dataclasses.dataclass
class Count:
    """What was found: names by event id, and what could not be read."""

    objects: int = 0
    unreadable: list[str] = dataclasses.field(default_factory=list)
    names: dict[str, str] = dataclasses.field(default_factory=dict)
    clients: set[str] = dataclasses.field(default_factory=set)
    sessions: set[str] = dataclasses.field(default_factory=set)
    completed: set[str] = dataclasses.field(default_factory=set)

    def by_name(self) -> dict[str, int]:
        return dict(collections.Counter(self.names.values()))


def _bodies(s3: Any, bucket: str) -> Iterator[tuple[str, bytes]]:
    keys = [
        item["Key"]
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        for item in page.get("Contents", [])
    ]
    with ThreadPoolExecutor(16) as pool:
        yield from pool.map(
            lambda key: (key, s3.get_object(Bucket=bucket, Key=key)["Body"].read()), keys
        )


def _records(body: bytes) -> list[Any]:
    text = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    try:
        value = json.loads(text)
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        return [json.loads(line) for line in lines]
    if isinstance(value, list):
        return value
    if isinstance(value, dict) and "0" in value and "_ingest" in value:
        return [value[key] for key in sorted(value) if key.isdigit()]
    return [value]


def count(s3: Any, bucket: str) -> Count:
    """Read every object and count its distinct events, visitors and sessions."""
    found = Count()
    for key, body in _bodies(s3, bucket):
        found.objects += 1
        try:
            records = _records(body)
        except (ValueError, EOFError, OSError):
            found.unreadable.append(key)
            continue
        for record in records:
            if not isinstance(record, dict) or not {"eventName", "clientId"} & set(record):
                found.unreadable.append(key)
                continue
            identity = str(record.get("eventId") or f"none:{key}").lower()
            found.names.setdefault(identity, record["eventName"])
            client, session = record.get("clientId") or "", record.get("sessionId") or ""
            if client not in NOTHING:
                found.clients.add(client)
            if session not in NOTHING:
                found.sessions.add(session)
                if record["eventName"] == "checkout_complete":
                    found.completed.add(session)
    return found
