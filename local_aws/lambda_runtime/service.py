"""Lambda's Invoke, and what follows from changes that moto's Lambda has accepted."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from local_aws.control.server import Request, Response
from local_aws.lambda_runtime.manager import AsyncSettings, Manager, ThrottledError
from local_aws.lambda_runtime.model import Function

log = logging.getLogger(__name__)

_PATH = re.compile(r"^/(?P<date>\d{4}-\d{2}-\d{2})/functions/(?P<name>[^/]+)(?P<rest>/.*)?$")
MAX_PAYLOAD = 6 * 1024 * 1024
MAX_EVENT = 1024 * 1024


class FunctionNotFoundError(Exception):
    """There is no function of that name."""


def function_name(text: str) -> str:
    """Return the plain name of a function given by name, partial or full ARN."""
    parts = unquote(text).split(":")
    if len(parts) == 1:
        return parts[0]
    if "function" in parts:
        return parts[parts.index("function") + 1]
    return parts[0]


class Registry:
    """The functions that moto's Lambda keeps."""

    def __init__(self, region: str, account: str) -> None:
        from moto.awslambda.models import lambda_backends

        self.backend: Any = lambda_backends[account][region]

    def _get(self, name: str) -> Any:
        try:
            return self.backend.get_function(function_name(name))
        except Exception:
            raise FunctionNotFoundError(name) from None

    def find(self, name: str) -> Function:
        """Return a function as it is now; raises FunctionNotFoundError."""
        found = self._get(name)
        variables = {str(k): str(v) for k, v in (found.environment_vars or {}).items()}
        network = found._vpc_config or {}
        facts = [
            found.code_sha_256, found.handler, found.run_time, found.timeout, found.memory_size,
            sorted(variables.items()), network,
        ]  # fmt: skip
        revision = hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode())
        reserved = found.reserved_concurrency
        return Function(
            found.function_name,
            found.function_arn,
            found.handler,
            found.run_time,
            found.role,
            int(found.timeout),
            int(found.memory_size),
            variables,
            tuple(network.get("SubnetIds") or network.get("subnet_ids") or ()),
            tuple(network.get("SecurityGroupIds") or network.get("security_group_ids") or ()),
            revision.hexdigest(),
            None if reserved is None else int(reserved),
        )

    def code(self, name: str) -> bytes:
        """Return a function's zip."""
        return bytes(self._get(name).code_bytes)

    def settings(self, name: str, retry_age: float = 21600.0) -> AsyncSettings:
        """Return how a function's events are retried."""
        found = self._get(name)
        try:
            config = self.backend.get_function_event_invoke_config(found.function_name)
        except Exception:
            config = {}
        destinations = config.get("DestinationConfig") or {}
        retries = config.get("MaximumRetryAttempts")
        letters = (getattr(found, "dead_letter_config", None) or {}).get("TargetArn", "")
        return AsyncSettings(
            2 if retries is None else int(retries),
            float(config.get("MaximumEventAgeInSeconds") or retry_age),
            (destinations.get("OnFailure") or {}).get("Destination", "") or letters,
            (destinations.get("OnSuccess") or {}).get("Destination", ""),
        )


class LambdaService:
    """Answers Invoke; passes the rest to moto and keeps the environments in step."""

    def __init__(self, manager: Manager, moto: Callable[[Request], Response]) -> None:
        self.manager = manager
        self.moto = moto

    def __call__(self, request: Request) -> Response:
        """Answer one call of Lambda's API."""
        match = _PATH.match(request.raw_path)
        rest = match["rest"] if match else None
        if match and request.method == "POST" and rest == "/invocations":
            return self._invoke(request, function_name(match["name"]))
        response = self.moto(request)
        if match and response.status < 300:
            name = function_name(match["name"])
            if request.method == "DELETE" and rest in (None, "/"):
                self.manager.remove(name)
            elif request.method == "PUT" and rest in ("/code", "/configuration"):
                self.manager.expire(name)
        return response

    def _invoke(self, request: Request, name: str) -> Response:
        kind = request.headers.get("x-amz-invocation-type", "RequestResponse")
        payload = request.body or b"{}"
        limit = MAX_EVENT if kind == "Event" else MAX_PAYLOAD
        if len(payload) > limit:
            message = f"{len(payload)} byte payload is too large for the {kind} invocation type"
            return _error(413, "RequestTooLargeException", message)
        try:
            json.loads(payload)
        except ValueError as error:
            message = f"Could not parse request body into json: {error}"
            return _error(400, "InvalidRequestContentException", message)
        try:
            if kind == "DryRun":
                self.manager.find(name)
                return Response(204)
            if kind == "Event":
                self.manager.submit(name, payload)
                return Response(202)
            return self._wait(request, name, payload)
        except FunctionNotFoundError:
            return _error(404, "ResourceNotFoundException", f"Function not found: {name}")
        except ThrottledError:
            return _error(
                429,
                "TooManyRequestsException",
                "Rate Exceeded.",
                {"Reason": "ReservedFunctionConcurrentInvocationLimitExceeded"},
            )
        except Exception as error:
            log.exception("invoke %s", name)
            return _error(500, "ServiceException", f"the miniature cannot run {name}: {error}")

    def _wait(self, request: Request, name: str, payload: bytes) -> Response:
        outcome = self.manager.invoke(name, payload)
        headers = [
            ("Content-Type", "application/json"),
            ("X-Amz-Executed-Version", "$LATEST"),
            ("x-amzn-RequestId", outcome.request_id),
        ]
        if outcome.reply.error:
            headers.append(("X-Amz-Function-Error", outcome.reply.error))
        if request.headers.get("x-amz-log-type") == "Tail":
            headers.append(("X-Amz-Log-Result", base64.b64encode(outcome.log_tail).decode()))
        return Response(200, headers, outcome.reply.payload)


def _error(status: int, code: str, message: str, extra: dict[str, str] | None = None) -> Response:
    body = {"Type": "User" if status < 500 else "Service", "message": message, **(extra or {})}
    return Response(
        status,
        [("Content-Type", "application/json"), ("x-amzn-ErrorType", code)],
        json.dumps(body).encode(),
    )
