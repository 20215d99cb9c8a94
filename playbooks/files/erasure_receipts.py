#!/usr/bin/env python3
"""Put receipts of erasures into a bucket, or read all of them back.

    erasure_receipts.py --bucket BUCKET [--region REGION] put|get FILE

FILE has a receipt, JSON, on each line. put prints the number of each one that was put, get how many
there are.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import boto3

PREFIX = "erasures/"


def put(s3: Any, bucket: str, file: Path) -> list[str]:
    """Put each receipt under its number and return the numbers; one that is there is put again."""
    numbers = []
    for line in filter(None, file.read_text().split("\n")):
        number = json.loads(line)["receipt_id"]
        s3.put_object(
            Bucket=bucket,
            Key=f"{PREFIX}{number}.json",
            Body=line.encode(),
            ContentType="application/json",
        )
        numbers.append(number)
    return numbers


def get(s3: Any, bucket: str, file: Path) -> int:
    """Write all receipts, oldest first, and return how many there are."""
    receipts = []
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=PREFIX):
        for item in page.get("Contents", []):
            body = s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()
            receipts.append(json.loads(body))
    receipts.sort(key=lambda receipt: str(receipt.get("erased_at")))
    file.write_text("".join(f"{json.dumps(receipt)}\n" for receipt in receipts))
    return len(receipts)


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description="Keep receipts of erasures.")
    parser.add_argument("action", choices=("put", "get"))
    parser.add_argument("file", type=Path, help="receipts, one a line")
    parser.add_argument("--bucket", required=True, help="where they are kept")
    parser.add_argument("--region", default=None, help="AWS region")
    arguments = parser.parse_args()
    s3 = boto3.client("s3", region_name=arguments.region)
    if arguments.action == "put":
        for number in put(s3, arguments.bucket, arguments.file):
            print(number)
    else:
        print(get(s3, arguments.bucket, arguments.file))


if __name__ == "__main__":
    main()
