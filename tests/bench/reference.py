"""The loader that one writes first: boto3, one GET after the other, INSERT … ON CONFLICT of 200 rows.

No ledger, no quarantine, no coercion; one table of the same columns, the event id its primary key. In a
process of its own, as the loader; what it needs comes from the environment.
"""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
import psycopg2
from psycopg2.extras import execute_values

from etl_lambda.mapping import COLUMNS
from tests.bench.raw import PRODUCT

BATCH = 200
TABLE = "reference_events"
CREATE = f"CREATE TABLE {TABLE} (LIKE public.clickstream_events, PRIMARY KEY (event_id))"
INSERT = f"INSERT INTO {TABLE} ({', '.join(COLUMNS)}) VALUES %s ON CONFLICT (event_id) DO NOTHING"


def row(event: dict[str, Any]) -> tuple[Any, ...]:
    """Return the columns of an event that is as it should be."""
    product = event.get("product") or {}
    return (
        event["eventId"],
        event["_ingest"]["receivedAt"],
        event["eventName"],
        event["userId"],
        event["userLoginState"],
        event.get("identitySource"),
        event["clientId"],
        event["sessionId"],
        event["isFirstVisit"],
        *(product.get(name) for name in PRODUCT.values()),
    )


def main() -> None:
    """Load the bucket RAW_BUCKET into the database DWH_DATABASE."""
    s3, bucket = boto3.client("s3"), os.environ["RAW_BUCKET"]
    connection = psycopg2.connect(
        host=os.environ["DWH_HOST"],
        port=os.environ["DWH_PORT"],
        user="postgres",
        dbname=os.environ["DWH_DATABASE"],
    )
    rows: list[tuple[Any, ...]] = []
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="events/")
    with connection.cursor() as cursor:
        for key in (item["Key"] for page in pages for item in page.get("Contents", [])):
            rows.append(row(json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())))
            if len(rows) == BATCH:
                execute_values(cursor, INSERT, rows, page_size=BATCH)
                connection.commit()
                rows = []
        if rows:
            execute_values(cursor, INSERT, rows, page_size=BATCH)
            connection.commit()
    connection.close()


if __name__ == "__main__":
    main()
