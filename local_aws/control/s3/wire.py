"""S3's addresses, errors and body codings."""

from __future__ import annotations

import binascii
import re
import uuid
from dataclasses import dataclass
from email.utils import formatdate
from urllib.parse import unquote
from xml.sax.saxutils import escape

from local_aws.control.server import Request, Response

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_HOST = re.compile(r"^(?:(?P<bucket>.+)\.)?s3[.-](?:[a-z0-9-]+\.)?amazonaws\.com$")


class S3Error(Exception):
    """An error that S3 names."""

    def __init__(self, status: int, code: str, message: str, resource: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.resource = resource

    def response(self) -> Response:
        """Return the error as S3 sends it."""
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{self.code}</Code><Message>{escape(self.message)}</Message>"
            f"<Resource>{escape(self.resource)}</Resource>"
            f"<RequestId>{uuid.uuid4().hex[:16].upper()}</RequestId></Error>"
        )
        return Response(self.status, [("Content-Type", "application/xml")], body.encode())


@dataclass(frozen=True, slots=True)
class Target:
    """What a request addresses; `key` is exact, with its double slashes and plus signs."""

    bucket: str
    key: str


def target_of(request: Request) -> Target:
    """Return bucket and key of a path-style or virtual-hosted request."""
    host = request.headers.get("host", "").split(":")[0].lower()
    match = _HOST.match(host)
    path = unquote(request.raw_path)[1:]
    if match and match["bucket"]:
        return Target(match["bucket"], path)
    bucket, _, key = path.partition("/")
    return Target(bucket, key)


def xml_response(name: str, inner: str, headers: list[tuple[str, str]] | None = None) -> Response:
    """Return a document of S3's namespace."""
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{name} xmlns="{NAMESPACE}">{inner}</{name}>'
    return Response(200, [("Content-Type", "application/xml"), *(headers or [])], body.encode())


def http_date(timestamp: float) -> str:
    """Return an instant as HTTP writes it."""
    return formatdate(timestamp, usegmt=True)


def body_of(request: Request) -> bytes:
    """Return an upload's bytes with the aws-chunked coding taken off.

    Raises S3Error when the chunks are broken, are fewer than announced, or when a Content-MD5 or
    a CRC-32 sent along does not fit.
    """
    headers = request.headers
    body = request.body
    trailers: dict[str, str] = {}
    sha = headers.get("x-amz-content-sha256", "")
    if sha.startswith("STREAMING-") or "aws-chunked" in headers.get("content-encoding", ""):
        try:
            body, trailers = _dechunk(body)
        except (ValueError, IndexError):
            raise S3Error(400, "IncompleteBody", "The chunked body is broken.") from None
        announced = headers.get("x-amz-decoded-content-length")
        if announced is not None and int(announced) != len(body):
            raise S3Error(400, "IncompleteBody", "The body is not as long as announced.")
    _check_sums(headers, trailers, body)
    return body


def _dechunk(data: bytes) -> tuple[bytes, dict[str, str]]:
    parts: list[bytes] = []
    position = 0
    while True:
        end = data.index(b"\r\n", position)
        size = int(data[position:end].split(b";")[0], 16)
        start = end + 2
        if size == 0:
            lines = data[start:].decode("latin-1").split("\r\n")
            pairs = (line.partition(":") for line in lines if ":" in line)
            return b"".join(parts), {name.lower(): value.strip() for name, _, value in pairs}
        parts.append(data[start : start + size])
        if data[start + size : start + size + 2] != b"\r\n":
            raise ValueError("chunk without end")
        position = start + size + 2


def _check_sums(headers: dict[str, str], trailers: dict[str, str], body: bytes) -> None:
    crc = trailers.get("x-amz-checksum-crc32") or headers.get("x-amz-checksum-crc32")
    if crc:
        try:
            wanted = binascii.a2b_base64(crc)
        except binascii.Error:
            wanted = b""
        if wanted != binascii.crc32(body).to_bytes(4, "big"):
            raise S3Error(400, "BadDigest", "The CRC32 you specified did not match.")
    md5 = headers.get("content-md5")
    if md5:
        import base64
        import hashlib

        if base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode() != md5:
            raise S3Error(400, "BadDigest", "The Content-MD5 you specified did not match.")
