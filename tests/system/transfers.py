"""What Ansible sends through its S3 bucket, seen while it lies there: the plugin deletes it after use."""

from __future__ import annotations

import threading
from typing import Any


class Recorder(threading.Thread):
    """Reads every object that appears in a bucket, until told to stop; a context manager."""

    def __init__(self, s3: Any, bucket: str) -> None:
        super().__init__(daemon=True)
        self._s3, self._bucket = s3, bucket
        self._over = threading.Event()
        self.bodies: dict[tuple[str, str], bytes] = {}

    def run(self) -> None:
        while not self._over.wait(0.05):
            listed = self._s3.list_objects_v2(Bucket=self._bucket)
            for item in listed.get("Contents", []):
                version = (item["Key"], item["ETag"])
                if version not in self.bodies:
                    try:
                        answer = self._s3.get_object(Bucket=self._bucket, Key=item["Key"])
                        self.bodies[version] = answer["Body"].read()
                    except self._s3.exceptions.NoSuchKey:
                        continue

    def __enter__(self) -> Recorder:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self.join(10)
