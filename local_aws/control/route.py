"""Tell which service and which operation a request is for."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote

from local_aws.control.query import parse_form
from local_aws.control.server import Request


@dataclass(frozen=True, slots=True)
class Call:
    """A service by its signing name, the region, and the operation where the protocol names it."""

    service: str
    region: str
    operation: str = ""
    signed: bool = True


def identify(request: Request, region: str) -> Call:
    """Return what a request calls, from signature, target header, host and form fields."""
    scope = _scope(request)
    if scope:
        service, found = scope
    else:
        service, found = _by_host(request.headers.get("host", "")), region
    target = request.headers.get("x-amz-target", "")
    operation = target.rsplit(".", 1)[-1] if target else ""
    if not scope and target.startswith("AmazonSSM."):
        service = "ssm"
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    if not operation and (form or "Action=" in request.query_string) and service != "s3":
        operation = parse_form(request.body, request.query_string).get("Action", "")
    return Call(service, found, operation, scope is not None)


def access_key(request: Request) -> str:
    """Return the id of the access key that a request names as its signer's, or nothing."""
    parts = _credential(request)
    # Addresses presigned the old way have no credential.
    return parts[0] if parts else request.query.get("AWSAccessKeyId", "")


def _scope(request: Request) -> tuple[str, str] | None:
    """Return (service, region) of the credential scope."""
    parts = _credential(request)
    return (parts[-2].lower(), parts[-3]) if len(parts) >= 5 else None


def _credential(request: Request) -> list[str]:
    """Return the parts of the credential in the header or in a presigned URL."""
    text = request.headers.get("authorization", "")
    mark = "Credential="
    if mark not in text:
        if "X-Amz-Credential=" not in request.query_string:
            return []
        text, mark = unquote(request.query_string), "X-Amz-Credential="
    return text.split(mark, 1)[1].split(",")[0].split("&")[0].split()[0].split("/")


def _by_host(host: str) -> str:
    """Return the service that a host name of AWS's stands for; anything else is S3."""
    name = host.split(":")[0].lower()
    if not name.endswith(".amazonaws.com"):
        return "s3"
    labels = name.removesuffix(".amazonaws.com").split(".")
    if "s3" in labels or any(label.startswith("s3-") for label in labels):
        return "s3"
    return labels[0]
