"""Refuse by name what the miniature does not do, in the caller's own protocol."""

from __future__ import annotations

import json

from local_aws.control import query
from local_aws.control.route import Call
from local_aws.control.server import Request, Response

# The services that the miniature answers for. moto would answer for hundreds more, but nobody has
# checked here whether it does so as AWS would.
SERVICES = {
    "cloudformation", "cloudwatch", "ec2", "events", "iam", "kms", "lambda", "logs", "monitoring",
    "s3", "secretsmanager", "sns", "sqs", "ssm", "sts", "tagging",
}  # fmt: skip


def refuse(call: Call, request: Request) -> Response | None:
    """Return an error that names the call when its service is not among ours."""
    if request.raw_path.startswith("/moto-api") or call.service not in SERVICES:
        return not_supported(call, request)
    return None


def not_supported(call: Call, request: Request) -> Response:
    """Return 501 NotImplemented with service and operation in the message."""
    what = f"{call.service} {call.operation or request.method + ' ' + request.raw_path}"
    message = f"{what} is not supported by the miniature"
    if "x-amz-target" in request.headers or "json" in request.headers.get("content-type", ""):
        return Response(
            501,
            [
                ("Content-Type", "application/x-amz-json-1.1"),
                ("x-amzn-ErrorType", "NotImplemented"),
            ],
            json.dumps({"__type": "NotImplemented", "message": message}).encode(),
        )
    return query.error(501, "NotImplemented", message, "")
