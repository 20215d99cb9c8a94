"""Put the control plane together: who answers which call."""

from __future__ import annotations

import logging
from urllib.parse import unquote, urlsplit

from local_aws.control import patches, seed, unsupported
from local_aws.control.cfn.api import CloudFormation
from local_aws.control.cfn.errors import StackError
from local_aws.control.cfn.resources import all_types
from local_aws.control.clients import Clients
from local_aws.control.moto_app import MotoApp
from local_aws.control.route import identify
from local_aws.control.server import Request, Response
from local_aws.control.sessions import SESSION_ACTIONS, Sessions
from local_aws.control.settings import Settings

log = logging.getLogger(__name__)


class ControlPlane:
    """AWS's control plane and S3 in one process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clients = Clients(settings.endpoint, settings.region)
        self.moto = MotoApp()
        self.sessions = Sessions(settings.sessions_url) if settings.sessions_url else None
        patches.apply()
        seed.seed(settings.region, settings.account)
        self.stacks = CloudFormation(
            all_types(), self.clients, self._read_url, settings.region, settings.account
        )

    def fast(self, request: Request) -> Response | None:  # noqa: ARG002
        """Answer at once on the server's loop, or return None for `slow`."""
        return None

    def slow(self, request: Request) -> Response:
        """Answer in a thread."""
        call = identify(request, self.settings.region)
        if call.service == "cloudformation":
            return self.stacks.handle(request)
        if call.service == "ssm" and call.operation in SESSION_ACTIONS and self.sessions:
            return self.sessions(request)
        refusal = unsupported.refuse(call, request)
        return refusal or self.moto(request)

    def _read_url(self, url: str) -> str:
        """Return a template that is an S3 object, by path-style or virtual-hosted address."""
        parts = urlsplit(url)
        host, path = parts.hostname or "", unquote(parts.path).lstrip("/")
        if host.startswith("s3") or not host.endswith(".amazonaws.com"):
            bucket, _, key = path.partition("/")
        else:
            bucket, key = host.split(".s3", 1)[0], path
        try:
            body = self.clients("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        except self.clients("s3").exceptions.ClientError as error:
            raise StackError(f"S3 error: {error}") from error
        return str(body.decode())
