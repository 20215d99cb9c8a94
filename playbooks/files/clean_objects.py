#!/usr/bin/env python3
"""Take erased events out of raw objects: rewrite those that hold others too, delete the rest.

    clean_objects.py --bucket BUCKET [--region REGION] [--delete-unreadable] LIST

LIST is a file with a line of JSON for each key, as etl.list_uncleaned() gives them. Where the environment
names who was erased, SBW_ERASE_CLIENT_ID or SBW_ERASE_USER_ID, their events go that were never stored,
too. Of a bucket with versions, those that hold something go as well. Limits are the loader's, by its
variables.

Prints a line of JSON: how many keys were `deleted` and `rewritten`, in how many `nothing_found`, the
numbers of the objects that are `cleaned`, which of them are `gone`, and of each that `failed` its `key`
and the `reason`. An object fails that cannot be taken apart.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from etl_lambda.mapping import Facts
from etl_lambda.redacting import Erased, UnreadableError, redact
from etl_lambda.settings import Limits, limits_of

THREADS = 8
# What has no records that one could take out, nor anything else of somebody.
BROKEN = ("truncated_gzip", "corrupt_gzip", "broken_array", "not_utf8")
KEPT = (
    "CacheControl",
    "ContentDisposition",
    "ContentEncoding",
    "ContentLanguage",
    "ContentType",
    "Metadata",
    "SSEKMSKeyId",
    "ServerSideEncryption",
    "StorageClass",
)
DELETED, REWRITTEN, NOTHING = "deleted", "rewritten", "nothing_found"
# There was none; the newest version is clean, and older ones were deleted.
ABSENT, OLDER = "absent", "older_deleted"


class FailedError(Exception):
    """An object could not be cleaned; the message is the reason."""


class Cleaner:
    """Cleans the objects of one bucket."""

    def __init__(
        self, s3: Any, bucket: str, limits: Limits, *, delete_unreadable: bool = False
    ) -> None:
        self._s3, self._bucket, self._limits = s3, bucket, limits
        self._delete_unreadable = delete_unreadable
        status = s3.get_bucket_versioning(Bucket=bucket).get("Status")
        self._versions = status is not None  # suspended: older versions are still there

    def clean(self, key: str, erased: Erased) -> str:
        """Return what became of a key's object. Raises FailedError, and changes nothing then."""
        newest, any_deleted = ABSENT, False
        for version, is_newest in list(self._all_versions(key)):
            result = self._clean_version(key, version, is_newest, erased)
            any_deleted = any_deleted or result == DELETED
            if is_newest:
                newest = result
        if not any_deleted:
            return newest
        return {ABSENT: DELETED, NOTHING: OLDER}.get(newest, newest)

    def _all_versions(self, key: str) -> Iterator[tuple[dict[str, Any], bool]]:
        """Yield what reads each version of a key, the newest first, and whether it is that one."""
        if not self._versions:
            yield {}, True
            return
        pages = self._s3.get_paginator("list_object_versions").paginate(
            Bucket=self._bucket, Prefix=key
        )
        for page in pages:
            for item in page.get("Versions", []):
                if item["Key"] == key:
                    yield {"VersionId": item["VersionId"]}, item["IsLatest"]

    def _clean_version(
        self, key: str, version: dict[str, Any], is_newest: bool, erased: Erased
    ) -> str:
        at = {"Bucket": self._bucket, "Key": key}
        try:
            found = self._s3.get_object(**at, **version)
        except self._s3.exceptions.NoSuchKey:
            return ABSENT
        again = self._redacted(key, found, erased)
        if again is found["Body"]:
            return NOTHING
        if not is_newest:
            self._s3.delete_object(**at, **version)
            return DELETED
        if again is None:
            # Not by its version: then the one before would be the newest.
            made = self._s3.delete_object(**at, IfMatch=found["ETag"])
        else:
            kept = {name: found[name] for name in KEPT if found.get(name)}
            if found.get("TagCount"):
                tags = self._s3.get_object_tagging(**at, **version)["TagSet"]
                kept["Tagging"] = urlencode([(tag["Key"], tag["Value"]) for tag in tags])
            made = self._s3.put_object(**at, Body=again, IfMatch=found["ETag"], **kept)
        # While versions are suspended, what is new takes the place of the version "null".
        if version and made.get("VersionId", "null") != version["VersionId"]:
            self._s3.delete_object(**at, **version)
        return DELETED if again is None else REWRITTEN

    def _redacted(self, key: str, found: dict[str, Any], erased: Erased) -> Any:
        """Return the bytes to write back, None if nothing is left, or the body itself if it is clean."""
        try:
            if found["ContentLength"] > self._limits.object_bytes:
                raise UnreadableError("object_too_large")
            data = found["Body"].read()
            facts = Facts(self._bucket, key, found["LastModified"])
            again = redact(data, facts, erased, self._limits)
            return found["Body"] if again is data else again
        except UnreadableError as error:
            if self._delete_unreadable and error.reason in BROKEN:
                return None
            raise FailedError(error.reason) from error


def main() -> None:
    """Clean one object after the other, several at once."""
    parser = argparse.ArgumentParser(description="Take erased events out of raw objects.")
    parser.add_argument("list", type=Path, help="file with a line of JSON for each object")
    parser.add_argument("--bucket", required=True, help="the raw bucket")
    parser.add_argument("--region", default=None, help="AWS region")
    parser.add_argument(
        "--delete-unreadable", action="store_true", help="delete objects that are broken"
    )
    arguments = parser.parse_args()
    config = Config(max_pool_connections=THREADS, retries={"mode": "standard", "max_attempts": 5})
    s3 = boto3.client("s3", region_name=arguments.region, config=config)
    cleaner = Cleaner(
        s3,
        arguments.bucket,
        limits_of(os.environ),
        delete_unreadable=arguments.delete_unreadable,
    )
    objects = [json.loads(line) for line in arguments.list.read_text().split("\n") if line]
    with ThreadPoolExecutor(THREADS) as pool:
        results = list(pool.map(lambda item: attempt(cleaner, item, os.environ), objects))
    print(json.dumps(report(objects, results)))


def attempt(cleaner: Cleaner, item: dict[str, Any], environment: Any) -> tuple[str, str | None]:
    """Return what became of one object of the list, and why it failed if it did."""
    named = {
        name: frozenset(filter(None, [environment.get(f"SBW_ERASE_{name}")]))
        for name in ("CLIENT_ID", "USER_ID")
    }
    erased = Erased(
        frozenset(item["event_ids"]),
        frozenset(item["sample_hashes"]),
        named["CLIENT_ID"],
        named["USER_ID"],
    )
    try:
        return cleaner.clean(item["object_key"], erased), None
    except FailedError as error:
        return "failed", str(error)
    except ClientError as error:
        return "failed", error.response["Error"]["Code"]
    except Exception as error:  # one object's never costs the report of the others
        return "failed", type(error).__name__


def report(objects: list[dict[str, Any]], results: list[tuple[str, str | None]]) -> dict[str, Any]:
    """Return what is printed."""
    outcomes = [outcome for outcome, _ in results]
    pairs = list(zip(objects, results, strict=True))
    numbers = {
        name: [
            number
            for item, (outcome, _) in pairs
            if outcome == name
            for number in item["object_ids"]
        ]
        for name in (DELETED, REWRITTEN, NOTHING, ABSENT, OLDER)
    }
    return {
        DELETED: outcomes.count(DELETED) + outcomes.count(OLDER),
        REWRITTEN: outcomes.count(REWRITTEN),
        NOTHING: outcomes.count(NOTHING) + outcomes.count(ABSENT),
        "cleaned": sorted(number for each in numbers.values() for number in each),
        "gone": sorted(numbers[DELETED] + numbers[ABSENT]),
        "failed": [
            {"key": item["object_key"], "reason": reason}
            for item, (outcome, reason) in pairs
            if outcome == "failed"
        ],
    }


if __name__ == "__main__":
    main()
