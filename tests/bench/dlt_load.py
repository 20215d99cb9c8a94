"""The same files by dlt: filesystem → postgres, merged on eventId. Runs in build/venv-bench."""

from __future__ import annotations

import os
import tempfile

import dlt
from dlt.sources.credentials import AwsCredentials
from dlt.sources.filesystem import filesystem, read_jsonl


def main() -> None:
    """Load the bucket RAW_BUCKET into the schema shop of the database DWH_DATABASE."""
    env = os.environ
    credentials = AwsCredentials(
        aws_access_key_id=env["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        endpoint_url=env["AWS_ENDPOINT_URL"],
        region_name=env["AWS_REGION"],
    )
    files = filesystem(
        bucket_url=f"s3://{env['RAW_BUCKET']}/events",
        file_glob="**/*.json.gz",
        credentials=credentials,
    )
    events = (files | read_jsonl()).with_name("events")
    events.apply_hints(write_disposition="merge", primary_key="eventId")
    address = (
        f"postgresql://postgres:none@{env['DWH_HOST']}:{env['DWH_PORT']}/{env['DWH_DATABASE']}"
    )
    with tempfile.TemporaryDirectory() as home:
        pipeline = dlt.pipeline(
            "bench",
            destination=dlt.destinations.postgres(address),
            dataset_name="shop",
            pipelines_dir=home,
        )
        pipeline.run(events).raise_on_failed_jobs()


if __name__ == "__main__":
    main()
