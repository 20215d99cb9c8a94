"""Put the control plane together: who answers which call."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import unquote, urlsplit

from local_aws.control import patches, seed, unsupported
from local_aws.control.cfn.api import CloudFormation
from local_aws.control.cfn.errors import StackError
from local_aws.control.cfn.resources import all_types
from local_aws.control.clients import Clients
from local_aws.control.functions import Functions
from local_aws.control.identity import Identity
from local_aws.control.lifecycles import Lifecycles
from local_aws.control.moto_app import MotoApp
from local_aws.control.route import identify
from local_aws.control.s3.access import Door, Gate
from local_aws.control.s3.objects import Objects
from local_aws.control.s3.store import Store
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
        store = Store(settings.account)
        self.identity = Identity(
            settings.region, settings.account, settings.state / "logs" / "rights-used.log"
        )
        gate = Gate(store, self.identity, self._door)
        self.objects = Objects(store, gate, settings.region, self.moto)
        self.functions = Functions(settings, self.clients, self.moto)
        self.lifecycles = Lifecycles(settings.region, settings.account)
        self.stacks = CloudFormation(
            all_types(), self.clients, self._read_url, settings.region, settings.account
        )

    def fast(self, request: Request) -> Response | None:
        """Answer at once on the server's loop, or return None for `slow`."""
        if not self.objects.quick(request):
            return None
        if identify(request, self.settings.region).service != "s3":
            return None
        return self.objects.handle(request)

    def slow(self, request: Request) -> Response:
        """Answer in a thread."""
        call = identify(request, self.settings.region)
        if call.service == "s3" and not request.raw_path.startswith("/moto-api"):
            return self.objects.handle(request)
        refused = self.identity.check(call, request)
        if refused is not None:
            return refused
        if call.service == "cloudformation":
            return self.stacks.handle(request)
        if call.service == "lambda":
            return self.functions.service(request)
        if call.service == "ssm" and call.operation in SESSION_ACTIONS and self.sessions:
            return self.sessions(request, self.identity.principal(request))
        if call.service == "dlm":
            answer = self.lifecycles(call, request)
            return answer or unsupported.not_supported(call, request)
        refusal = unsupported.refuse(call, request)
        return refusal or self.moto(request)

    def start(self) -> None:
        """Start what works without being called: the clock, and the end of idle environments."""
        self.functions.start()

    def close(self) -> None:
        """End every function's environments."""
        self.functions.close()

    def _door(self) -> Door | None:
        """Return the gateway endpoint of S3, if a stack has made one."""
        from moto.ec2.models import ec2_backends

        ec2: Any = ec2_backends[self.settings.account][self.settings.region]
        for endpoint in list(ec2.vpc_end_points.values()):
            if endpoint.service_name.endswith(".s3") and endpoint.state == "available":
                return Door(endpoint.id, endpoint.vpc_id, endpoint.policy_document)
        return None

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
