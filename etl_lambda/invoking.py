"""Call the deployed function; whatever AWS's client says becomes a reply, or one line with the remedy."""

from __future__ import annotations

import json
import os
from typing import Any

import boto3
from botocore import exceptions as aws
from botocore.config import Config

from etl_lambda.backfill import Payload, Reply

CREDENTIALS = "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
# The function's longest time, and some seconds for the way.
_READ_SECONDS = 910
_UNREACHED = (aws.EndpointConnectionError, aws.ConnectTimeoutError, aws.ProxyConnectionError)
_NO_ANSWER = (aws.ReadTimeoutError, aws.ConnectionClosedError, aws.ResponseStreamingError)
# Words of AWS for what passes by itself; its answers from 500 on do as well.
_PASSING = {"ThrottlingException", "ResourceConflictException", "ResourceNotReadyException"}


class CommandError(Exception):
    """What keeps the command from its work and how to mend it, in one line."""


class Function:
    """The Lambda function `name`. Raises CommandError when AWS cannot be asked at all."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._reached = False
        config = Config(read_timeout=_READ_SECONDS, retries={"max_attempts": 0})
        # botocore itself looks at AWS_DEFAULT_REGION only.
        region = os.environ.get("AWS_REGION") or None
        try:
            self._client = boto3.Session(region_name=region).client("lambda", config=config)
        except (aws.BotoCoreError, ValueError) as error:  # ValueError: an endpoint that is no URL
            raise CommandError(_remedy(error)) from error

    def __call__(self, payload: Payload) -> Reply:
        """Invoke it with the payload and return its reply."""
        try:
            answer = self._client.invoke(
                FunctionName=self._name, Payload=json.dumps(payload).encode()
            )
            text = answer["Payload"].read()
        except aws.ClientError as error:
            return self._refused(error)
        except _NO_ANSWER as error:  # it may be running: then the next call finds it busy
            return _failed("no_answer", f"no answer from the function ({type(error).__name__})")
        except (aws.BotoCoreError, OSError) as error:
            if self._reached and isinstance(error, (*_UNREACHED, OSError)):
                return _failed("unreachable", "AWS cannot be reached any more")
            raise CommandError(_remedy(error)) from error
        self._reached = True
        reply: Any = json.loads(text)
        if "FunctionError" in answer:
            return _failed("function_error", str(reply.get("errorMessage", "")))
        if not isinstance(reply, dict) or "result" not in reply:
            raise CommandError(f"{self._name} is not the loader: its reply has no result")
        if payload.get("dry_run") and "error" not in reply and "pending" not in reply:
            raise CommandError(f"{self._name} is older than this command: make deploy")
        return reply

    def _refused(self, error: aws.ClientError) -> Reply:
        """Return the reply for an answer of AWS that passes; raise what somebody has to mend."""
        code = str(error.response.get("Error", {}).get("Code", ""))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code == "TooManyRequestsException":  # as at an account's limit
            return {"result": "busy"}
        if code in _PASSING or status >= 500:
            return _failed("aws_unavailable", f"AWS answers {code}")
        region = self._client.meta.region_name
        remedies = {
            "ResourceNotFoundException": f"there is no function {self._name} in {region}:"
            " look at its name (FUNCTION=, --function) and at AWS_REGION",
            "AccessDeniedException": f"AWS does not let these credentials invoke {self._name}:"
            " they need lambda:InvokeFunction",
            "ValidationException": f"{self._name} cannot be a function's name"
            " (FUNCTION=, --function)",
            "ExpiredTokenException": "the AWS credentials have expired: get new ones",
        }
        refused = f"AWS does not accept the credentials ({code}): {CREDENTIALS}"
        for name in ("UnrecognizedClientException", "InvalidSignatureException"):
            remedies[name] = refused
        raise CommandError(remedies.get(code, f"AWS refuses to invoke {self._name}: {code}"))


def _failed(code: str, message: str) -> Reply:
    """Return a reply for a failure that may pass."""
    return {"result": "failed", "error": {"code": code, "message": message, "transient": True}}


def _remedy(error: Exception) -> str:
    """Return in one line what somebody has to do."""
    if isinstance(error, aws.NoRegionError):
        return "there is no AWS region: set AWS_REGION, as AWS_REGION=ap-southeast-1"
    if isinstance(error, aws.NoCredentialsError):
        return f"there are no AWS credentials: {CREDENTIALS}"
    if isinstance(error, aws.ProfileNotFound):
        return f"there is no AWS profile {error.kwargs['profile']}: look at AWS_PROFILE"
    if isinstance(error, (*_UNREACHED, aws.SSLError)):
        endpoint = error.kwargs.get("endpoint_url") or error.kwargs.get("proxy_url")
        return f"{endpoint} cannot be reached: look at AWS_REGION, AWS_ENDPOINT_URL and the network"
    words = " ".join(str(error).split())
    return f"AWS's client says {type(error).__name__}: {words}"
