"""ListObjectsV2, signed, over the standard library's HTTP client.

The bulk client (obstore) keeps keys as paths: one key with an empty segment ("a//b") or a control
character makes its whole listing fail, and it cannot tell the marker "a/" from "a". Keys outside our
layout must be counted and left alone, so the list comes from here; the reads come from obstore.
Signature version 4: AWS's S3 API reference, "Authenticating Requests (AWS Signature Version 4)".
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import os
import ssl
import threading
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypedDict
from urllib.parse import quote, unquote, urlsplit

from etl_lambda.errors import TransientError, from_s3, from_s3_status
from etl_lambda.settings import Settings

PAGE_KEYS = 1000
LONGEST_SECONDS = 30
_EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()
_DOCTYPE = b"<!DOCTYPE"


class Credentials(TypedDict):
    """Keys for signing; `token` is None for a user's own keys."""

    access_key_id: str
    secret_access_key: str
    token: str | None


@dataclass(frozen=True)
class Listed:
    """One object of a listing; `etag` without quotes."""

    key: str
    etag: str
    last_modified: datetime
    size: int


@dataclass(frozen=True)
class Page:
    """One answer: objects, common prefixes, and the token of the next page (None at the end)."""

    objects: list[Listed]
    prefixes: list[str]
    token: str | None


def environment_credentials(env: Mapping[str, str] = os.environ) -> Credentials | None:
    """Return the credentials of the environment, as Lambda gives them, or None."""
    key, secret = env.get("AWS_ACCESS_KEY_ID"), env.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        return None
    token = env.get("AWS_SESSION_TOKEN") or None
    return {"access_key_id": key, "secret_access_key": secret, "token": token}


class ListClient:
    """Lists one bucket; safe to use from several threads, each keeps a connection of its own."""

    def __init__(
        self,
        settings: Settings,
        credentials: Callable[[], Credentials],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        endpoint = settings.endpoint or f"https://s3.{settings.region}.amazonaws.com"
        parts = urlsplit(endpoint)
        self._bucket = settings.bucket
        self._region = settings.region
        self._secure = parts.scheme != "http"
        self._address = parts.netloc
        self._path = f"{parts.path.rstrip('/')}/{quote(settings.bucket)}"
        self._credentials = credentials
        self._clock = clock
        self._seconds = min(LONGEST_SECONDS, settings.limits.request_seconds)
        self._local = threading.local()
        self._tls: ssl.SSLContext | None = None
        if self._secure:
            self._tls = ssl.create_default_context(cafile=settings.ca_bundle)

    def page(self, prefix: str, *, delimiter: bool = False, token: str | None = None) -> Page:
        """Return one page of at most 1,000 keys that begin with `prefix`.

        With `delimiter` the keys below a further "/" come as common prefixes. Raises LoaderError.
        """
        query = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
        if delimiter:
            query["delimiter"] = "/"
        if token is not None:
            query["continuation-token"] = token
        status, body = self._get(query)
        if _DOCTYPE in body[:1000]:
            raise TransientError("s3_unavailable", f"bucket {self._bucket}: the answer is no list")
        try:
            root = ET.fromstring(body)  # noqa: S314 - no document type, so no entities
        except ET.ParseError:
            if status == 200:
                raise TransientError(
                    "s3_unavailable", f"bucket {self._bucket}: the list broke off"
                ) from None
            root = ET.Element("none")
        if status != 200:
            raise from_s3_status(status, _text(root, "Code"), self._bucket)
        if root.tag.rpartition("}")[2] != "ListBucketResult":  # it would be a list of nothing
            raise TransientError("s3_unavailable", f"bucket {self._bucket}: the answer is no list")
        return _page(root)

    def _get(self, query: Mapping[str, str]) -> tuple[int, bytes]:
        """Send one signed GET on this thread's connection, made anew if it was closed meanwhile."""
        text = "&".join(f"{name}={quote(query[name], safe='-_.~')}" for name in sorted(query))
        for fresh in (False, True):
            connection = self._connection(fresh)
            reused = connection.sock is not None
            try:
                connection.request("GET", f"{self._path}?{text}", headers=self._sign(text))
                answer = connection.getresponse()
                return answer.status, _body(answer, time.monotonic() + self._seconds)
            except (http.client.HTTPException, OSError) as error:
                connection.close()
                if fresh or not reused or isinstance(error, TimeoutError):
                    if isinstance(error, http.client.HTTPException):
                        raise TransientError(
                            "s3_unavailable", f"bucket {self._bucket}: the connection broke"
                        ) from error
                    raise from_s3(error, self._bucket) from error
        raise AssertionError("unreachable")

    def _connection(self, fresh: bool) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None or fresh:
            if self._tls is not None:
                connection = http.client.HTTPSConnection(
                    self._address, timeout=self._seconds, context=self._tls
                )
            else:
                connection = http.client.HTTPConnection(self._address, timeout=self._seconds)
            self._local.connection = connection
        return connection

    def _sign(self, query: str) -> dict[str, str]:
        keys = self._credentials()
        now = self._clock()
        stamp, day = f"{now:%Y%m%dT%H%M%SZ}", f"{now:%Y%m%d}"
        headers = {
            "host": self._address,
            "x-amz-content-sha256": _EMPTY_SHA256,
            "x-amz-date": stamp,
        }
        if keys["token"]:
            headers["x-amz-security-token"] = keys["token"]
        names = ";".join(sorted(headers))
        lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
        canonical = f"GET\n{self._path}\n{query}\n{lines}\n{names}\n{_EMPTY_SHA256}"
        scope = f"{day}/{self._region}/s3/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        key = f"AWS4{keys['secret_access_key']}".encode()
        for part in (day, self._region, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        signature = hmac.digest(
            key, f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}".encode(), "sha256"
        )
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={keys['access_key_id']}/{scope}, "
            f"SignedHeaders={names}, Signature={signature.hex()}"
        )
        return headers


def _body(answer: http.client.HTTPResponse, deadline: float) -> bytes:
    """Read an answer to its end. Raises TimeoutError also when it only trickles."""
    pieces = []
    while piece := answer.read1(2**16):
        if time.monotonic() > deadline:
            raise TimeoutError("timed out")
        pieces.append(piece)
    if answer.length:
        raise http.client.IncompleteRead(b"", answer.length)
    return b"".join(pieces)


def _text(element: ET.Element, name: str) -> str:
    for child in element:
        if child.tag.rpartition("}")[2] == name:
            return child.text or ""
    return ""


def _page(root: ET.Element) -> Page:
    objects, prefixes = [], []
    for child in root:
        tag = child.tag.rpartition("}")[2]
        if tag == "Contents":
            fields = {field.tag.rpartition("}")[2]: field.text or "" for field in child}
            objects.append(
                Listed(
                    unquote(fields["Key"].replace("+", " ")),
                    fields["ETag"].strip('"'),
                    datetime.fromisoformat(fields["LastModified"]).astimezone(UTC),
                    int(fields["Size"]),
                )
            )
        elif tag == "CommonPrefixes":
            prefixes.append(unquote(_text(child, "Prefix").replace("+", " ")))
    more = _text(root, "IsTruncated") == "true"
    return Page(objects, prefixes, _text(root, "NextContinuationToken") if more else None)
