"""Session documents: AWS's own, and custom ones read through the API."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass, field
from typing import Any

_PORT_PATTERN = (
    "^([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])$"
)
_LOCAL_PORT_PATTERN = _PORT_PATTERN.replace("^(", "^(0|")
_REMOTE_HOST = (
    "AWS-StartPortForwardingSessionToRemoteHost",
    "AWS-StartRemotePortForwardingSession",
)
_SESSION_TYPES = ("Standard_Stream", "InteractiveCommands", "NonInteractiveCommands", "Port")


class DocumentError(Exception):
    """A request that names a document wrongly; `code` is the API's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class SessionPlan:
    """What a session does: its type, and the document's properties with parameters filled in."""

    session_type: str
    properties: dict[str, Any] = field(default_factory=dict)
    document: str = "SSM-SessionManagerRunShell"


def _command_document(session_type: str) -> dict[str, Any]:
    return {
        "sessionType": session_type,
        "parameters": {"command": {"type": "String"}},
        "properties": {"linux": {"commands": "{{ command }}", "runAsElevated": True}},
    }


_DOCUMENTS: dict[str, dict[str, Any]] = {
    "SSM-SessionManagerRunShell": {"sessionType": "Standard_Stream"},
    "AWS-StartPortForwardingSession": {
        "sessionType": "Port",
        "parameters": {
            "portNumber": {"type": "String", "default": "80", "allowedPattern": _PORT_PATTERN},
            "localPortNumber": {
                "type": "String",
                "default": "0",
                "allowedPattern": _LOCAL_PORT_PATTERN,
            },
        },
        "properties": {
            "portNumber": "{{ portNumber }}",
            "type": "LocalPortForwarding",
            "localPortNumber": "{{ localPortNumber }}",
        },
    },
    "AWS-StartSSHSession": {
        "sessionType": "Port",
        "parameters": {
            "portNumber": {"type": "String", "default": "22", "allowedPattern": _PORT_PATTERN}
        },
        "properties": {"portNumber": "{{ portNumber }}"},
    },
    "AWS-StartInteractiveCommand": _command_document("InteractiveCommands"),
    "AWS-StartNonInteractiveCommand": _command_document("NonInteractiveCommands"),
}


def plan(name: str | None, parameters: dict[str, list[str]]) -> SessionPlan:
    """Work out a session from its document and parameters; raise DocumentError if it cannot be.

    Reads custom documents by ssm:GetDocument, so it may block.
    """
    name = name or "SSM-SessionManagerRunShell"
    if name in _REMOTE_HOST:
        raise DocumentError("InvalidDocument", f"{name} is not supported by this miniature")
    document = _DOCUMENTS.get(name) or _read(name)
    session_type = document.get("sessionType")
    if session_type not in _SESSION_TYPES:
        raise DocumentError("InvalidDocument", f"{name}: sessionType {session_type!r}")
    values = _values(name, document.get("parameters") or {}, parameters)
    properties = _fill(document.get("properties") or {}, values)
    if session_type == "Port":
        if properties.get("host"):
            raise DocumentError("InvalidDocument", f"{name}: forwarding to another host")
        if not re.fullmatch(_PORT_PATTERN, str(properties.get("portNumber", ""))):
            raise DocumentError("InvalidParameters", f"{name}: portNumber is not a port")
    return SessionPlan(str(session_type), properties, name)


def _values(
    name: str, declared: dict[str, dict[str, Any]], given: dict[str, list[str]]
) -> dict[str, str]:
    unknown = sorted(set(given) - set(declared))
    if unknown:
        raise DocumentError(
            "InvalidParameters", f"Document {name} has no parameter {', '.join(unknown)}"
        )
    values = {}
    for key, rule in declared.items():
        if key in given:
            value = ",".join(given[key])
        elif "default" in rule:
            value = str(rule["default"])
        else:
            raise DocumentError("InvalidParameters", f"Document {name} needs parameter {key}")
        pattern = rule.get("allowedPattern")
        if pattern and not re.search(pattern, value):
            raise DocumentError(
                "InvalidParameters", f"Parameter {key} of {name} does not match {pattern}"
            )
        if rule.get("allowedValues") and value not in rule["allowedValues"]:
            raise DocumentError("InvalidParameters", f"Parameter {key} of {name}: {value!r}")
        values[key] = value
    return values


def _fill(template: Any, values: dict[str, str]) -> Any:
    if isinstance(template, dict):
        return {key: _fill(value, values) for key, value in template.items()}
    if isinstance(template, list):
        return [_fill(value, values) for value in template]
    if isinstance(template, str):
        return re.sub(
            r"\{\{\s*(\w+)\s*\}\}", lambda found: values.get(found[1], found[0]), template
        )
    return template


def _read(name: str) -> dict[str, Any]:
    """Read a custom document from the control plane."""
    if not os.environ.get("AWS_ENDPOINT_URL"):
        raise DocumentError("InvalidDocument", f"Document with name {name} does not exist.")
    import boto3  # half a second that most services never pay
    import yaml
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        found = boto3.client("ssm").get_document(Name=name)
        content = yaml.safe_load(found["Content"])  # JSON is YAML
    except ClientError as error:
        text = error.response.get("Error", {}).get("Message") or str(error)
        raise DocumentError("InvalidDocument", text) from error
    except (BotoCoreError, yaml.YAMLError) as error:
        raise DocumentError("InvalidDocument", f"{name}: {error}") from error
    if not isinstance(content, dict):
        raise DocumentError("InvalidDocument", f"{name}: {json.dumps(content)[:80]}")
    return content
