"""Objects in moto's buckets."""

from __future__ import annotations

import hashlib
import itertools
import threading
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

from local_aws.control.s3.wire import S3Error

_uploads = itertools.count(1)


@dataclass
class Upload:
    """A multipart upload under way."""

    id: str
    bucket: str
    key: str
    metadata: dict[str, str]
    parts: dict[int, tuple[str, bytes]] = field(default_factory=dict)


class Store:
    """The account's buckets; the objects are moto's own, so that its other services find them."""

    def __init__(self, account: str) -> None:
        import moto.s3.models as models

        self.backend: Any = models.s3_backends[account]["aws"]
        self.key_class: Any = models.FakeKey
        self.uploads: dict[str, Upload] = {}
        self.lock = threading.Lock()
        self._names: dict[str, tuple[Any, int, list[str]]] = {}
        self._changes: dict[str, int] = {}

    def bucket(self, name: str) -> Any:
        """Return a bucket; raises S3Error when there is none."""
        bucket = self.backend.buckets.get(name)
        if bucket is None:
            raise S3Error(404, "NoSuchBucket", "The specified bucket does not exist", name)
        return bucket

    def get(self, bucket_name: str, key: str, version: str | None = None) -> Any:
        """Return an object; raises S3Error when there is none."""
        bucket = self.bucket(bucket_name)
        for found in reversed(bucket.keys.getlist(key, [])):
            if version in (None, found.version_id):
                if isinstance(found, self.key_class):
                    return found
                break
        code = "NoSuchVersion" if version else "NoSuchKey"
        raise S3Error(404, code, "The specified key does not exist.", key)

    def put(
        self,
        bucket_name: str,
        key: str,
        value: bytes,
        metadata: dict[str, str],
        etag: str | None = None,
        encryption: str | None = None,
        if_none_match: bool = False,
        if_match: str | None = None,
    ) -> Any:
        """Keep an object; raises S3Error when it must be new, or replace an ETag, and does not."""
        bucket = self.bucket(bucket_name)
        if etag is None:
            etag = hashlib.md5(value, usedforsecurity=False).hexdigest()
        with self.lock:
            new = key not in bucket.keys
            if if_match is not None and self.get(bucket_name, key).etag != if_match:
                raise _precondition_failed()
            if if_none_match and not new:
                raise _precondition_failed()
            made = self.backend.put_object(
                bucket_name, key, value, etag=etag, encryption=encryption or "AES256"
            )
            if new:
                self._changed(bucket_name)
        made.set_metadata(dict(metadata))
        return made

    def delete(
        self, bucket_name: str, key: str, version: str | None = None, if_match: str | None = None
    ) -> dict[str, Any]:
        """Remove an object; one that is not there is no error, one of another ETag raises S3Error."""
        self.bucket(bucket_name)
        with self.lock:
            if if_match is not None and self.get(bucket_name, key).etag != if_match:
                raise _precondition_failed()
            self._changed(bucket_name)
            _, details = self.backend.delete_object(bucket_name, key, version_id=version)
        return dict(details or {})

    def _changed(self, bucket_name: str) -> None:
        self._changes[bucket_name] = self._changes.get(bucket_name, 0) + 1

    def names(self, bucket_name: str) -> list[str]:
        """Return a bucket's living keys in order of their UTF-8 bytes; kept until one changes."""
        bucket = self.bucket(bucket_name)
        with self.lock:
            change = self._changes.get(bucket_name, 0)
            kept = self._names.get(bucket_name)
            if kept is not None and kept[0] is bucket and kept[1] == change:
                return kept[2]
            keys = bucket.keys
            living = [n for n in dict.keys(keys) if isinstance(keys[n], self.key_class)]
            living.sort()
            self._names[bucket_name] = (bucket, change, living)
            return living

    def start_upload(self, bucket_name: str, key: str, metadata: dict[str, str]) -> Upload:
        """Begin a multipart upload."""
        self.bucket(bucket_name)
        upload = Upload(f"upload-{next(_uploads):012d}", bucket_name, key, metadata)
        self.uploads[upload.id] = upload
        return upload

    def upload(self, upload_id: str) -> Upload:
        """Return an upload under way; raises S3Error when there is none."""
        try:
            return self.uploads[upload_id]
        except KeyError:
            raise S3Error(
                404, "NoSuchUpload", "The specified multipart upload does not exist."
            ) from None

    def complete(self, upload_id: str, wanted: list[tuple[int, str]]) -> Any:
        """Join an upload's parts in the given order; raises S3Error when one does not fit."""
        upload = self.upload(upload_id)
        digests, values = b"", []
        for number, etag in wanted:
            have = upload.parts.get(number)
            if have is None or have[0] != etag.strip('"'):
                raise S3Error(400, "InvalidPart", "One or more parts could not be found.")
            digests += bytes.fromhex(have[0])
            values.append(have[1])
        whole = hashlib.md5(digests, usedforsecurity=False).hexdigest()
        made = self.put(
            upload.bucket, upload.key, b"".join(values), upload.metadata, f"{whole}-{len(wanted)}"
        )
        self.uploads.pop(upload_id, None)
        return made


def _precondition_failed() -> S3Error:
    text = "At least one of the pre-conditions you specified did not hold"
    return S3Error(412, "PreconditionFailed", text)


@dataclass(frozen=True)
class Page:
    """One page of a listing, keys and common prefixes in one order."""

    keys: list[str]
    prefixes: list[str]
    last: str
    truncated: bool


def list_page(names: list[str], prefix: str, delimiter: str, after: str, limit: int) -> Page:
    """Return up to `limit` keys and common prefixes that follow `after`."""
    keys: list[str] = []
    prefixes: list[str] = []
    last = ""
    index = bisect_left(names, max(prefix, after))
    while index < len(names):
        name = names[index]
        if not name.startswith(prefix):
            break
        cut = name.find(delimiter, len(prefix)) if delimiter else -1
        entry = name if cut < 0 else name[: cut + len(delimiter)]
        if entry <= after or (cut >= 0 and after.startswith(entry)):
            index = index + 1 if cut < 0 else bisect_left(names, entry[:-1] + _next(entry[-1]))
            continue
        if len(keys) + len(prefixes) >= limit:
            return Page(keys, prefixes, last, True)
        last = entry
        if cut < 0:
            keys.append(name)
            index += 1
        else:
            prefixes.append(entry)
            index = bisect_left(names, entry[:-1] + _next(entry[-1]))
    return Page(keys, prefixes, last, False)


def _next(character: str) -> str:
    return chr(ord(character) + 1)
