"""Signed calls to the Session Manager API, for what the plugin itself has to ask."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request

from local_aws.session_manager.plugin.websocket import SessionGoneError

TYPE_CHECKING = False  # what `typing` has, without its import
if TYPE_CHECKING:
    from typing import Any

_TIMEOUT = 5.0


def call(endpoint: str, region: str, profile: str, action: str, request: dict[str, Any]) -> Any:
    """Call an action of the API; raise OSError, ValueError or SessionGoneError."""
    body = json.dumps(request).encode()
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"AmazonSSM.{action}",
    }
    headers.update(signature(endpoint, region, profile, headers, body))
    url = endpoint if urllib.parse.urlsplit(endpoint).path else endpoint + "/"
    context = None
    if endpoint.startswith("https:"):
        import ssl

        bundle = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
        context = ssl.create_default_context(cafile=bundle)
    message = urllib.request.Request(url, body, headers)  # noqa: S310 - argv's own endpoint
    try:
        with urllib.request.urlopen(message, timeout=_TIMEOUT, context=context) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code < 500:
            raise SessionGoneError(error.read(4096).decode("utf-8", "replace")) from error
        raise


def credentials(profile: str) -> tuple[str, str, str]:
    """Find key id, secret and session token: environment, then the shared file."""
    variables = os.environ
    if not profile and variables.get("AWS_ACCESS_KEY_ID"):
        return (
            variables["AWS_ACCESS_KEY_ID"],
            variables.get("AWS_SECRET_ACCESS_KEY", ""),
            variables.get("AWS_SESSION_TOKEN", ""),
        )
    import configparser

    path = variables.get("AWS_SHARED_CREDENTIALS_FILE") or os.path.expanduser("~/.aws/credentials")
    parser = configparser.RawConfigParser()
    parser.read(path)
    name = profile or variables.get("AWS_PROFILE", "default")
    if not parser.has_option(name, "aws_access_key_id"):
        raise SessionGoneError(f"no credentials of profile {name}")
    section = parser[name]
    return (
        section["aws_access_key_id"],
        section.get("aws_secret_access_key", ""),
        section.get("aws_session_token", ""),
    )


def signature(
    endpoint: str, region: str, profile: str, headers: dict[str, str], body: bytes
) -> dict[str, str]:
    """Make the headers of Signature Version 4 for a POST."""
    key_id, secret, token = credentials(profile)
    now = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    url = urllib.parse.urlsplit(endpoint)
    signed = {name.lower(): value for name, value in headers.items()}
    signed.update({"host": url.netloc, "x-amz-date": now})
    extra = {"X-Amz-Date": now}
    if token:
        signed["x-amz-security-token"] = extra["X-Amz-Security-Token"] = token
    names = ";".join(sorted(signed))
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    digest = hashlib.sha256(body).hexdigest()
    canonical = f"POST\n{url.path or '/'}\n\n{lines}\n{names}\n{digest}"
    scope = f"{now[:8]}/{region}/ssm/aws4_request"
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{now}\n{scope}\n{hashed}"
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    extra["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, "
        f"Signature={signature}"
    )
    return extra
