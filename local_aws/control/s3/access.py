"""Who may reach which object: bucket policy, gateway endpoint's policy, expiry of presigned URLs."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass

from local_aws.control import policy
from local_aws.control.identity import Identity, Principal
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

    The account's own signature is allowed what no policy denies; a user's or role's what its policies or
    the bucket's allow; an unsigned request only what the bucket's policy allows. From inside (the door
    has a port of its own), the endpoint's policy must allow it as well.
    """

    def __init__(self, store: Store, identity: Identity, door: Callable[[], Door | None]) -> None:
        self.store = store
        self.identity = identity
        self.account = identity.account
        self.door = door

    def check_account(self, request: Request) -> None:
        """Raise S3Error when the caller may not list the account's buckets."""
        principal = self.identity.principal(request)
        context = self._context(True, None, principal)
        if principal and principal.decide("s3:ListAllMyBuckets", "*", context) != policy.ALLOW:
            raise _denied(Target("", ""))

    def check(self, request: Request, target: Target, query: dict[str, str]) -> None:
        """Raise S3Error when the request is not allowed."""
        signature = request.headers.get("authorization", "")
        presigned = "X-Amz-Signature" in query
        if presigned:
            _check_expiry(query)
        signed = bool(signature) or presigned or "Signature" in query
        principal = self.identity.principal(request) if signed else None
        bucket = self.store.backend.buckets.get(target.bucket)
        if bucket is None and principal is None:
            return
        door = self.door() if request.inside else None
        text = bucket.policy.decode() if bucket and bucket.policy else None
        if signed and principal is None and door is None and text is None:
            return
        access = policy.Access(
            action_of(request.method, target.key, query),
            f"arn:aws:s3:::{target.bucket}" + (f"/{target.key}" if target.key else ""),
            (principal.arn if principal else f"arn:aws:iam::{self.account}:root") if signed else "",
            self.account if signed else "",
            self._context(signed, door, principal),
        )
        verdicts = {policy.decide(text, access)}
        if principal:
            verdicts.add(principal.decide(access.action, access.resource, access.context))
        asks = principal is not None or not signed
        if policy.DENY in verdicts or (asks and policy.ALLOW not in verdicts):
            raise _denied(target)
        if door is not None and policy.decide(door.policy, access) != policy.ALLOW:
            raise _denied(target)
        if principal:
            self.identity.use(principal, access.action)

    def _context(
        self, signed: bool, door: Door | None, principal: Principal | None = None
    ) -> dict[str, str]:
        context = {"aws:SecureTransport": "true", "aws:ResourceAccount": self.account}
        if signed:
            context |= {
                "aws:PrincipalAccount": self.account,
                "aws:PrincipalArn": f"arn:aws:iam::{self.account}:root",
                "aws:PrincipalType": "Account",
            }
        if principal:
            context |= {"aws:PrincipalArn": principal.arn, "aws:PrincipalType": "User"}
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


def action_of(method: str, key: str, query: dict[str, str]) -> str:
    """Return what IAM calls a request (source: AWS, "Actions … for Amazon S3")."""
    verb = {"GET": "Get", "HEAD": "Get", "PUT": "Put", "DELETE": "Delete"}.get(method, "Put")
    if key:
        version = "Version" if "versionId" in query else ""
        if "tagging" in query:
            return f"s3:{verb}Object{version}Tagging"
        if method == "DELETE":
            return "s3:AbortMultipartUpload" if "uploadId" in query else f"s3:DeleteObject{version}"
        return f"s3:GetObject{version}" if verb == "Get" else "s3:PutObject"
    if "delete" in query:
        return "s3:DeleteObject"
    for name, plural in _LISTS.items():
        if name in query and verb == "Get":
            return f"s3:{plural}"
    for name, setting in _SETTINGS.items():
        if name in query:
            return f"s3:{verb}{setting}"
    if verb == "Get":
        return "s3:ListBucket"
    return {"Put": "s3:CreateBucket", "Delete": "s3:DeleteBucket"}[verb]


_LISTS = {"versions": "ListBucketVersions", "uploads": "ListBucketMultipartUploads"}
_SETTINGS = {
    "acl": "BucketAcl",
    "encryption": "EncryptionConfiguration",
    "lifecycle": "LifecycleConfiguration",
    "location": "BucketLocation",
    "logging": "BucketLogging",
    "notification": "BucketNotification",
    "ownershipControls": "BucketOwnershipControls",
    "policy": "BucketPolicy",
    "policyStatus": "BucketPolicyStatus",
    "publicAccessBlock": "BucketPublicAccessBlock",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
}
