"""What Ansible sends through its S3 bucket, where the plugin deletes it after use."""

from __future__ import annotations

from typing import Any


class Recorder:
    """Has a bucket keep versions meanwhile, then reads all; a context manager."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3, self._bucket = s3, bucket
        self.bodies: list[bytes] = []

    def __enter__(self) -> Recorder:
        self._version("Enabled")
        return self

    def __exit__(self, *_: object) -> None:
        pages = self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket)
        for page in pages:
            for item in page.get("Versions", []):
                answer = self._s3.get_object(
                    Bucket=self._bucket, Key=item["Key"], VersionId=item["VersionId"]
                )
                self.bodies.append(answer["Body"].read())
            for item in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                self._s3.delete_object(
                    Bucket=self._bucket, Key=item["Key"], VersionId=item["VersionId"]
                )
        self._version("Suspended")

    def _version(self, status: str) -> None:
        self._s3.put_bucket_versioning(
            Bucket=self._bucket, VersioningConfiguration={"Status": status}
        )
