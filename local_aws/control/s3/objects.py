"""Answer S3's calls on objects; calls on a bucket's settings go to moto."""

from __future__ import annotations

import base64
import hashlib
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

from local_aws.control.s3.access import Gate
from local_aws.control.s3.store import Store, list_page
from local_aws.control.s3.wire import S3Error, Target, body_of, http_date, target_of, xml_response
from local_aws.control.server import Request, Response

# Calls on a bucket that name a setting in the query string are moto's.
SETTINGS = {
    "accelerate", "acl", "analytics", "cors", "encryption", "intelligent-tiering", "inventory",
    "lifecycle", "location", "logging", "metrics", "notification", "object-lock",
    "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "replication",
    "requestPayment", "tagging", "versioning", "versions", "website", "attributes", "legal-hold",
    "retention", "restore", "select", "torrent",
}  # fmt: skip
KEPT_HEADERS = (
    "cache-control", "content-disposition", "content-encoding", "content-language", "content-type",
    "expires",
)  # fmt: skip
QUICK_BODY = 256 * 1024


class Objects:
    """S3 for objects; `moto` answers for the rest."""

    def __init__(
        self, store: Store, gate: Gate, region: str, moto: Callable[[Request], Response]
    ) -> None:
        self.store = store
        self.gate = gate
        self.region = region
        self.moto = moto

    def quick(self, request: Request) -> bool:
        """Tell whether a request can be answered without a thread."""
        if request.method in ("GET", "HEAD"):
            return not any(name in SETTINGS for name in request.query)
        return request.method == "PUT" and len(request.body) <= QUICK_BODY and not request.query

    def handle(self, request: Request) -> Response:
        """Answer one call."""
        target = target_of(request)
        try:
            response = self._dispatch(request, target)
        except S3Error as error:
            response = error.response()
        response.headers.append(("x-amz-request-id", f"{id(request):016X}"))
        return response

    def _dispatch(self, request: Request, target: Target) -> Response:
        query = request.query
        if not target.bucket or SETTINGS & set(query) or (not target.key and "delete" not in query):
            return self._bucket(request, target, query)
        self.gate.check(request, target, query)
        if request.method == "POST" and "delete" in query:
            return self._delete_many(request, target)
        method = request.method
        if "uploads" in query or "uploadId" in query:
            return self._multipart(request, target, query)
        if method in ("GET", "HEAD"):
            return self._get(request, target, query)
        if method == "PUT":
            return self._put(request, target)
        if method == "DELETE":
            details = self.store.delete(
                target.bucket, target.key, query.get("versionId"), request.headers.get("if-match")
            )
            return Response(204, [(f"x-amz-{name}", str(v)) for name, v in details.items()])
        raise S3Error(501, "NotImplemented", f"{method} object is not supported by the miniature")

    # -- buckets

    def _bucket(self, request: Request, target: Target, query: dict[str, str]) -> Response:
        if target.bucket:
            self.gate.check(request, target, query)
        elif "authorization" not in request.headers and "X-Amz-Signature" not in query:
            raise S3Error(403, "AccessDenied", "Access Denied")
        else:
            self.gate.check_account(request)
        if target.bucket and not SETTINGS & set(query):
            if request.method == "HEAD":
                return self._head_bucket(target.bucket)
            if request.method == "GET" and "uploads" not in query:
                return self._list(target.bucket, query)
        path = "/" + quote(target.bucket) + ("/" + quote(target.key) if target.key else "")
        suffix = f"?{request.query_string}" if request.query_string else ""
        headers = {**request.headers, "host": f"s3.{self.region}.amazonaws.com"}
        plain = Request(request.method, path + suffix, headers, request.body, request.inside)
        return self.moto(plain)

    def _head_bucket(self, name: str) -> Response:
        self.store.bucket(name)
        return Response(
            200,
            [
                ("x-amz-bucket-region", self.region),
                ("x-amz-access-point-alias", "false"),
                ("Content-Type", "application/xml"),
            ],
        )

    def _list(self, name: str, query: dict[str, str]) -> Response:
        new = query.get("list-type") == "2"
        encode = (lambda t: escape(quote(t))) if query.get("encoding-type") == "url" else escape
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        limit = min(int(query.get("max-keys", "1000")), 1000)
        token = query.get("continuation-token")
        if token:
            after = base64.urlsafe_b64decode(token).decode()
        else:
            after = query.get("start-after" if new else "marker", "")
        page = list_page(self.store.names(name), prefix, delimiter, after, limit)
        parts = [
            f"<Name>{escape(name)}</Name><Prefix>{encode(prefix)}</Prefix>"
            f"<MaxKeys>{limit}</MaxKeys>"
            f"<IsTruncated>{'true' if page.truncated else 'false'}</IsTruncated>"
        ]
        if delimiter:
            parts.append(f"<Delimiter>{encode(delimiter)}</Delimiter>")
        if query.get("encoding-type"):
            parts.append(f"<EncodingType>{escape(query['encoding-type'])}</EncodingType>")
        parts.append(self._list_tokens(page.last, page.truncated, query, new, encode))
        if new:
            parts.append(f"<KeyCount>{len(page.keys) + len(page.prefixes)}</KeyCount>")
        for key in page.keys:
            parts.append(self._entry(name, key, encode))
        parts += [
            f"<CommonPrefixes><Prefix>{encode(item)}</Prefix></CommonPrefixes>"
            for item in page.prefixes
        ]
        return xml_response("ListBucketResult", "".join(parts))

    def _entry(self, bucket: str, key: str, encode: Callable[[str], str]) -> str:
        try:
            item = self.store.get(bucket, key)
        except S3Error:  # removed since the names were read
            return ""
        return (
            f"<Contents><Key>{encode(key)}</Key>"
            f"<LastModified>{item.last_modified.strftime('%Y-%m-%dT%H:%M:%S.000Z')}</LastModified>"
            f"<ETag>{escape(item.etag, {chr(34): '&quot;'})}</ETag><Size>{item.contentsize}</Size>"
            "<StorageClass>STANDARD</StorageClass></Contents>"
        )

    @staticmethod
    def _list_tokens(
        last: str, truncated: bool, query: dict[str, str], new: bool, encode: Callable[[str], str]
    ) -> str:
        if not new:
            marker = f"<Marker>{encode(query.get('marker', ''))}</Marker>"
            return marker + (f"<NextMarker>{encode(last)}</NextMarker>" if truncated else "")
        text = ""
        if "continuation-token" in query:
            text += f"<ContinuationToken>{escape(query['continuation-token'])}</ContinuationToken>"
        if "start-after" in query:
            text += f"<StartAfter>{encode(query['start-after'])}</StartAfter>"
        if truncated:
            token = base64.urlsafe_b64encode(last.encode()).decode()
            text += f"<NextContinuationToken>{token}</NextContinuationToken>"
        return text

    # -- objects

    def _get(self, request: Request, target: Target, query: dict[str, str]) -> Response:
        item = self.store.get(target.bucket, target.key, query.get("versionId"))
        etag = item.etag
        modified = item.last_modified.timestamp()
        headers = [
            ("ETag", etag),
            ("Last-Modified", http_date(modified)),
            ("Accept-Ranges", "bytes"),
            ("x-amz-server-side-encryption", item.encryption or "AES256"),
        ]
        if item.version_id != "null":
            headers.append(("x-amz-version-id", item.version_id))
        headers += [(name, str(value)) for name, value in item.metadata.items()]
        for name in KEPT_HEADERS:
            if f"response-{name}" in query:
                headers = [h for h in headers if h[0].lower() != name]
                headers.append((name, query[f"response-{name}"]))
        self._preconditions(request, etag)
        if request.headers.get("if-none-match", "") in (etag, "*"):
            return Response(304, headers)
        span = _range(request.headers.get("range", ""), item.contentsize)
        status, length = 200, item.contentsize
        if span:
            status, length = 206, span[1] - span[0] + 1
            headers.append(("Content-Range", f"bytes {span[0]}-{span[1]}/{item.contentsize}"))
        headers.append(("Content-Length", str(length)))
        if request.method == "HEAD":
            return Response(status, headers)
        value = item.value
        return Response(status, headers, value[span[0] : span[1] + 1] if span else value)

    @staticmethod
    def _preconditions(request: Request, etag: str) -> None:
        wanted = request.headers.get("if-match")
        if wanted and wanted not in ("*", etag, etag.strip('"')):
            raise S3Error(
                412,
                "PreconditionFailed",
                "At least one of the pre-conditions you specified did not hold",
            )

    def _put(self, request: Request, target: Target) -> Response:
        headers = request.headers
        if "x-amz-copy-source" in headers:
            return self._copy(request, target)
        made = self.store.put(
            target.bucket,
            target.key,
            body_of(request),
            _metadata(headers),
            encryption=headers.get("x-amz-server-side-encryption"),
            if_none_match=headers.get("if-none-match") == "*",
            if_match=headers.get("if-match"),
        )
        return Response(200, _made_headers(made))

    def _copy(self, request: Request, target: Target) -> Response:
        source = unquote(request.headers["x-amz-copy-source"]).lstrip("/")
        bucket, _, rest = source.partition("/")
        key, _, version = rest.partition("?versionId=")
        item = self.store.get(bucket, key, version or None)
        replace = request.headers.get("x-amz-metadata-directive", "COPY") == "REPLACE"
        metadata = _metadata(request.headers) if replace else dict(item.metadata)
        made = self.store.put(target.bucket, target.key, item.value, metadata)
        stamp = made.last_modified.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        inner = f"<LastModified>{stamp}</LastModified><ETag>{escape(made.etag)}</ETag>"
        return xml_response("CopyObjectResult", inner)

    def _delete_many(self, request: Request, target: Target) -> Response:
        root = ET.fromstring(body_of(request))  # noqa: S314 (our own callers; expat is current)
        quiet, answer = False, []
        for element in root:
            name = element.tag.rpartition("}")[2]
            if name == "Quiet":
                quiet = (element.text or "").lower() == "true"
            if name != "Object":
                continue
            fields = {child.tag.rpartition("}")[2]: child.text or "" for child in element}
            self.store.delete(target.bucket, fields["Key"], fields.get("VersionId"))
            answer.append(f"<Deleted><Key>{escape(fields['Key'])}</Key></Deleted>")
        return xml_response("DeleteResult", "" if quiet else "".join(answer))

    # -- multipart uploads

    def _multipart(self, request: Request, target: Target, query: dict[str, str]) -> Response:
        names = f"<Bucket>{escape(target.bucket)}</Bucket><Key>{escape(target.key)}</Key>"
        if request.method == "POST" and "uploads" in query:
            upload = self.store.start_upload(target.bucket, target.key, _metadata(request.headers))
            return xml_response(
                "InitiateMultipartUploadResult", f"{names}<UploadId>{upload.id}</UploadId>"
            )
        upload = self.store.upload(query.get("uploadId", ""))
        if request.method == "PUT":
            value = body_of(request)
            etag = hashlib.md5(value, usedforsecurity=False).hexdigest()
            upload.parts[int(query["partNumber"])] = (etag, value)
            return Response(200, [("ETag", f'"{etag}"')])
        if request.method == "DELETE":
            self.store.uploads.pop(upload.id, None)
            return Response(204)
        if request.method == "POST":
            wanted = []
            for part in ET.fromstring(request.body):  # noqa: S314
                fields = {child.tag.rpartition("}")[2]: child.text or "" for child in part}
                wanted.append((int(fields["PartNumber"]), fields["ETag"]))
            made = self.store.complete(upload.id, wanted)
            return xml_response(
                "CompleteMultipartUploadResult", f"{names}<ETag>{escape(made.etag)}</ETag>"
            )
        raise S3Error(501, "NotImplemented", "ListParts is not supported by the miniature")


def _metadata(headers: dict[str, str]) -> dict[str, str]:
    kept = {n: v for n, v in headers.items() if n.startswith("x-amz-meta-") or n in KEPT_HEADERS}
    encoding = kept.pop("content-encoding", "")
    rest = ",".join(e for e in encoding.split(",") if e.strip() not in ("aws-chunked", ""))
    return {**kept, "content-encoding": rest} if rest else kept


def _made_headers(made: Any) -> list[tuple[str, str]]:
    headers = [
        ("ETag", made.etag),
        ("x-amz-server-side-encryption", made.encryption or "AES256"),
    ]
    if made.version_id != "null":
        headers.append(("x-amz-version-id", made.version_id))
    return headers


def _range(text: str, size: int) -> tuple[int, int] | None:
    """Return first and last byte of a single range; None when there is none to honour."""
    if not text.startswith("bytes=") or "," in text:
        return None
    first, _, last = text.removeprefix("bytes=").partition("-")
    try:
        if first:
            start, end = int(first), min(int(last or size - 1), size - 1)
        else:
            start, end = max(size - int(last), 0), size - 1
    except ValueError:
        return None
    if start >= size or end < start:
        raise S3Error(416, "InvalidRange", "The requested range is not satisfiable")
    return start, end
