#!/usr/bin/env python3
"""Delete every object and version of the named buckets, which stay; say how many those were.

    empty_bucket.py [--region REGION] BUCKET…

A bucket that is not there is empty.
"""

from __future__ import annotations

import argparse

import boto3


def main() -> None:
    """Empty one bucket after the other."""
    parser = argparse.ArgumentParser(description="Delete every object of buckets.")
    parser.add_argument("buckets", nargs="+", metavar="BUCKET", help="name of a bucket")
    parser.add_argument("--region", default=None, help="AWS region")
    arguments = parser.parse_args()
    s3 = boto3.resource("s3", region_name=arguments.region)
    deleted = 0
    for name in arguments.buckets:
        try:
            answers = s3.Bucket(name).object_versions.delete()
        except s3.meta.client.exceptions.NoSuchBucket:
            continue
        deleted += sum(len(answer.get("Deleted", [])) for answer in answers)
        for answer in answers:
            for error in answer.get("Errors", []):
                parser.error(f"{name}/{error['Key']}: {error['Message']}")
    print(deleted)


if __name__ == "__main__":
    main()
