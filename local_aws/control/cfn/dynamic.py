"""Dynamic references: {{resolve:secretsmanager:…}} and {{resolve:ssm:…}}."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from local_aws.control.cfn.errors import ResourceError

_REFERENCE = re.compile(r"\{\{resolve:(secretsmanager|ssm|ssm-secure):([^{}]+)\}\}")
_SECRET = re.compile(r"^(arn:[^:]*:secretsmanager:[^:]*:[^:]*:secret:[^:]+|[^:]+)(?::(.*))?$")


class DynamicReferences:
    """Replaces dynamic references in a resource's properties by their values."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self.client = client

    def __call__(self, node: Any) -> Any:
        """Return a node with each reference in its texts resolved.

        Raises ResourceError when a reference cannot be resolved.
        """
        if isinstance(node, dict):
            return {key: self(item) for key, item in node.items()}
        if isinstance(node, list):
            return [self(item) for item in node]
        if isinstance(node, str) and "{{resolve:" in node:
            found = _REFERENCE.sub(self._value, node)
            if "{{resolve:" in found:
                raise ResourceError(f"Incorrect format is used in the dynamic reference: {node}")
            return found
        return node

    def _value(self, match: re.Match[str]) -> str:
        service, rest = match.groups()
        try:
            if service == "secretsmanager":
                return self._secret(rest)
            if service == "ssm":
                return self._parameter(rest)
        except ClientError as error:
            raise ResourceError(f"Could not resolve {match.group(0)}: {error}") from error
        raise ResourceError("SecureString references are not supported for this property")

    def _secret(self, rest: str) -> str:
        match = _SECRET.match(rest)
        if match is None:
            raise ResourceError(f"Incorrect format is used in the dynamic reference: {rest}")
        name, tail = match.groups()
        parts = [*(tail or "").split(":"), "", "", "", ""]
        kind, key, stage, version = (part.strip() for part in parts[:4])
        if kind not in ("", "SecretString"):
            raise ResourceError(f"{kind} is no SecretString")
        if stage and version:
            raise ResourceError("give a version stage or a version id, not both")
        given = {"VersionStage": stage} if stage else {}
        given |= {"VersionId": version} if version else {}
        text: str = self.client("secretsmanager").get_secret_value(SecretId=name, **given)[
            "SecretString"
        ]
        if not key:
            return text
        try:
            return str(json.loads(text)[key])
        except (ValueError, KeyError, TypeError):
            raise ResourceError(f"Could not find a value associated with JSONKey {key}") from None

    def _parameter(self, rest: str) -> str:
        value: str = self.client("ssm").get_parameter(Name=rest)["Parameter"]["Value"]
        return value
