"""Raw objects as the shop's ingest function and its exports write them, made of rows of the base."""

from __future__ import annotations

import datetime as dt
import gzip
import itertools
import os
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from etl_lambda.mapping import COLUMNS

DAY = dt.datetime(2026, 10, 1, tzinfo=dt.UTC)  # of every key, and after every event
AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Chrome/126.0.0.0 Safari/537.36"
)
PRODUCT = {
    "context_product_id": "id",
    "context_product_name": "name",
    "context_product_category": "category",
    "context_product_brand": "brand",
    "context_product_price": "price",
    "context_product_discount_price": "discountPrice",
    "context_product_url_path": "urlPath",
}
NUMBERS = ("context_product_price", "context_product_discount_price")


def records(rows: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the JSON of rows in COPY's text format that have the columns of clickstream_events."""
    encode = msgspec.json.Encoder().encode
    for row in rows:
        yield encode(_event(row.decode().rstrip("\n").split("\t")))


def _event(cells: list[str]) -> dict[str, Any]:
    row = {name: None if cell == "\\N" else cell for name, cell in zip(COLUMNS, cells, strict=True)}
    event: dict[str, Any] = {
        "eventName": row["event_name"],
        "eventId": row["event_id"],
        "pageUrl": f"https://shop.invalid{row['context_product_url_path'] or '/'}",
        "referrer": None,
        "userId": row["user_id"],
        "userLoginState": row["user_login_state"],
        "clientId": row["client_id"],
        "sessionId": row["session_id"],
        "isFirstVisit": row["is_first_visit"] == "t",
    }
    if row["context_product_id"] is not None:
        event["product"] = {
            inside: int(row[name] or 0) if name in NUMBERS and row[name] else row[name]
            for name, inside in PRODUCT.items()
        }
    received, _, _ = str(row["event_timestamp"]).partition("+")
    event["_ingest"] = {
        "receivedAt": f"{received.replace(' ', 'T')}Z",
        "sourceIp": "203.0.113.9",
        "userAgent": AGENT,
        "method": "POST",
        "path": "/clickstream",
        "requestId": f"{str(row['event_id'])[:13]}=",
        "apiId": "a1b2c3d4e5",
        "stage": "$default",
        "traceId": f"Root=1-{str(row['event_id'])[:8]}-000000000000000000000000",
    }
    return event


def write_exports(
    rows: Iterable[bytes], bucket: Path, files: int, each: int, name: str = "export"
) -> None:
    """Write gzip NDJSON objects of `each` events; those of a bucket are in the order of their keys."""
    folder = bucket / f"events/{DAY:%Y/%m/%d/%H}"
    folder.mkdir(parents=True)
    rest = iter(rows)
    for number in range(files):
        path = folder / f"{name}-{number:03d}.json.gz"
        with gzip.open(path, "wb", compresslevel=6) as file:
            for record in records(itertools.islice(rest, each)):
                file.write(record + b"\n")
        _date(path, number)


def write_singles(rows: Iterable[bytes], bucket: Path, count: int) -> None:
    """Write one object for each of `count` rows, under the 24 hours of a day."""
    for hour in range(24):
        (bucket / f"events/{DAY:%Y/%m/%d}/{hour:02d}").mkdir(parents=True)
    for number, record in enumerate(records(itertools.islice(rows, count))):
        name = uuid.UUID(int=number, version=4)
        path = bucket / f"events/{DAY:%Y/%m/%d}/{number * 24 // count:02d}/event-{name}.json"
        path.write_bytes(record)
        _date(path, number)


def _date(path: Path, number: int) -> None:
    """Let objects be as old as their order says: an event is not newer than its object."""
    at = (DAY + dt.timedelta(seconds=number)).timestamp()
    os.utime(path, (at, at))
