"""Who may reach which object: bucket policy, gateway endpoint's policy, expiry of presigned URLs."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from local_aws.control.s3 import policy
from local_aws.control.s3.store import Store
from local_aws.control.s3.wire import S3Error, Target
from local_aws.control.server import Request


@dataclass(frozen=True)
class Door:
    """The gateway endpoint that a request from inside came through."""

    endpoint_id: str
    vpc_id: str
    policy: str


class Gate:
    """Decides on requests as S3 does.

    The account's own signature is allowed what no policy denies; an unsigned request only what the
    bucket's policy allows. From inside (the door has a port of its own), the endpoint's policy must
    allow it as well.
    """

    def __init__(self, store: Store, account: str, door: Callable[[], Door | None]) -> None:
        self.store = store
        self.account = account
        self.door = door

    def check(self, request: Request, target: Target, query: dict[str, str]) -> None:
        """Raise S3Error when the request is not allowed."""
        signature = request.headers.get("authorization", "")
        presigned = "X-Amz-Signature" in query
        if presigned:
            _check_expiry(query)
        signed = bool(signature) or presigned or "Signature" in query
        bucket = self.store.backend.buckets.get(target.bucket)
        if bucket is None:
            return
        door = self.door() if request.inside else None
        if signed and door is None and not bucket.policy:
            return
        access = policy.Access(
            _action(request, target, query),
            f"arn:aws:s3:::{target.bucket}" + (f"/{target.key}" if target.key else ""),
            f"arn:aws:iam::{self.account}:root" if signed else "",
            self.account if signed else "",
            self._context(signed, door),
        )
        text = bucket.policy.decode() if bucket.policy else None
        verdict = policy.decide(text, access)
        if verdict == policy.DENY or (verdict == policy.SILENT and not signed):
            raise _denied(target)
        if door is not None and policy.decide(door.policy, access) != policy.ALLOW:
            raise _denied(target)

    def _context(self, signed: bool, door: Door | None) -> dict[str, str]:
        context = {"aws:SecureTransport": "true", "aws:ResourceAccount": self.account}
        if signed:
            context |= {
                "aws:PrincipalAccount": self.account,
                "aws:PrincipalArn": f"arn:aws:iam::{self.account}:root",
                "aws:PrincipalType": "Account",
            }
        if door is not None:
            context |= {"aws:SourceVpce": door.endpoint_id, "aws:SourceVpc": door.vpc_id}
        return context


def _denied(target: Target) -> S3Error:
    return S3Error(403, "AccessDenied", "Access Denied", f"/{target.bucket}/{target.key}")


def _check_expiry(query: dict[str, str]) -> None:
    try:
        signed_at = datetime.datetime.strptime(
            query.get("X-Amz-Date", ""), "%Y%m%dT%H%M%SZ"
        ).replace(tzinfo=datetime.UTC)
        lifetime = datetime.timedelta(seconds=int(query.get("X-Amz-Expires", "")))
    except ValueError:
        raise S3Error(
            400, "AuthorizationQueryParametersError", "X-Amz-Date or X-Amz-Expires is malformed"
        ) from None
    if datetime.datetime.now(datetime.UTC) > signed_at + lifetime:
        raise S3Error(403, "AccessDenied", "Request has expired")


def _action(request: Request, target: Target, query: dict[str, str]) -> str:
    method = request.method
    if "delete" in query:
        return "s3:DeleteObject"
    if not target.key:
        if method in ("GET", "HEAD") and not query.keys() - _LISTING:
            return "s3:ListBucket"
        return (
            "s3:" + {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}.get(method, "Get") + "Bucket"
        )
    if method == "DELETE":
        return "s3:DeleteObject"
    return "s3:GetObject" if method in ("GET", "HEAD") else "s3:PutObject"


_LISTING = {
    "list-type", "prefix", "delimiter", "max-keys", "continuation-token", "start-after", "marker",
    "encoding-type", "fetch-owner",
}  # fmt: skip
