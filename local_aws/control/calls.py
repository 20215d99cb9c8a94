"""Name a call as IAM does: its action, and the ARNs of what it is on.

Sources: AWS, "Service Authorization Reference" (actions, resource types); botocore's service models (the
operation behind a path of a REST protocol). A call on nothing that has an ARN is on "*".
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

from local_aws.control.query import parse_form
from local_aws.control.route import Call
from local_aws.control.server import Request

# Where the signing name, or the operation, is not what IAM says.
_PREFIXES = {"monitoring": "cloudwatch", "tagging": "tag"}
# Whose operation is in the path alone.
_BY_PATH = {"dlm", "lambda"}
_IRREGULAR = {"lambda:Invoke": "lambda:InvokeFunction"}
# The document of a session that names none.
SHELL_DOCUMENT = "SSM-SessionManagerRunShell"

Parameters = dict[str, Any]


def name(call: Call, request: Request) -> tuple[str, Parameters]:
    """Return a call's action and parameters; the action of an unknown path is `<service>:`."""
    if call.service in _BY_PATH and not call.operation:
        operation, parameters = _by_path(call.service, request.method, request.raw_path)
    else:
        operation, parameters = call.operation, _parameters(request)
    action = f"{_PREFIXES.get(call.service, call.service)}:{operation}"
    return _IRREGULAR.get(action, action), parameters


def _parameters(request: Request) -> Parameters:
    if "x-amz-target" in request.headers:
        try:
            loaded = json.loads(request.body or b"{}")
        except ValueError:
            return {}
        return loaded if isinstance(loaded, dict) else {}
    try:
        return dict(parse_form(request.body, request.query_string))
    except UnicodeDecodeError:
        return {}


@functools.cache
def _paths(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    import botocore.session

    model = botocore.session.get_session().get_service_model(service)
    found = []
    for operation in model.operation_names:
        http = model.operation_model(operation).http
        uri = http["requestUri"].partition("?")[0].rstrip("/")
        pattern = re.sub(r"\\{(\w+)\\\+\\}", r"(?P<\1>.+)", re.escape(uri))
        pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", pattern)
        found.append((http["method"], re.compile(pattern), operation))
    return found


def _by_path(service: str, method: str, path: str) -> tuple[str, Parameters]:
    for wanted, pattern, operation in _paths(service):
        match = pattern.fullmatch(path.rstrip("/"))
        if wanted == method and match:
            return operation, {key: unquote(value) for key, value in match.groupdict().items()}
    return "", {}


def resources(action: str, parameters: Parameters, region: str, account: str) -> list[str]:
    """Return the ARNs of what a call is on, all of which have to be allowed."""

    def arn(service: str, rest: str) -> str:
        return f"arn:aws:{service}:{region}:{account}:{rest}"

    if action == "ssm:StartSession":
        document = str(parameters.get("DocumentName") or SHELL_DOCUMENT)
        target = str(parameters.get("Target", ""))
        return [arn("ec2", f"instance/{target}"), arn("ssm", f"document/{document}")]
    for start, field, make in _NAMED:
        value = parameters.get(field)
        if action.startswith(start) and isinstance(value, str) and value:
            return [value if value.startswith("arn:") else make(arn, value)]
    return ["*"]


def _global(arn: str) -> str:
    """Return the ARN of a service without regions."""
    parts = arn.split(":", 4)
    return ":".join([*parts[:3], "", parts[4]])


Arn = Callable[[str, str], str]
# Actions by how they begin, the parameter that names what they are on, and its ARN.
_NAMED: tuple[tuple[str, str, Callable[[Arn, str], str]], ...] = (
    ("ssm:ResumeSession", "SessionId", lambda arn, value: arn("ssm", f"session/{value}")),
    ("ssm:TerminateSession", "SessionId", lambda arn, value: arn("ssm", f"session/{value}")),
    ("ssm:GetParameter", "Name", lambda arn, value: arn("ssm", f"parameter/{value.lstrip('/')}")),
    ("ssm:", "Name", lambda arn, value: arn("ssm", f"document/{value}")),
    ("secretsmanager:", "SecretId", lambda arn, value: arn("secretsmanager", f"secret:{value}")),
    ("lambda:", "FunctionName", lambda arn, value: arn("lambda", f"function:{value}")),
    ("cloudformation:", "StackName", lambda arn, value: arn("cloudformation", f"stack/{value}/1")),
    ("logs:", "logGroupName", lambda arn, value: arn("logs", f"log-group:{value}:*")),
    ("sqs:", "QueueUrl", lambda arn, value: arn("sqs", value.rsplit("/", 1)[-1])),
    ("sqs:", "QueueName", lambda arn, value: arn("sqs", value)),
    ("sns:", "TopicArn", lambda _arn, value: value),
    ("events:", "Name", lambda arn, value: arn("events", f"rule/{value}")),
    ("iam:", "RoleName", lambda arn, value: _global(arn("iam", f"role/{value}"))),
    ("iam:", "PolicyArn", lambda _arn, value: value),
)
