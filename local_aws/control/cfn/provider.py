"""What a resource type is, and what its methods get."""

# ruff: noqa: ARG002 - the base class names the arguments that its subclasses use
from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from local_aws.control.cfn.errors import ResourceError
from local_aws.control.cfn.stacks import random_name

Properties = dict[str, Any]


@dataclass(frozen=True)
class Made:
    """A resource's physical id and its attributes for `Fn::GetAtt`."""

    physical_id: str
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Context:
    """Where a resource belongs; `client(service)` gives a boto3 client of the miniature itself."""

    client: Callable[[str], Any]
    region: str
    account: str
    stack_name: str
    stack_id: str
    logical_id: str
    stack_tags: dict[str, str]

    def name(self, limit: int = 64) -> str:
        """Return a generated physical name, as CloudFormation makes them."""
        tail = f"-{random_name()}"
        return f"{self.stack_name}-{self.logical_id}"[: limit - len(tail)] + tail

    def tags(self, properties: Properties) -> list[dict[str, str]]:
        """Return the resource's own tags over the stack's, in AWS's form."""
        merged = dict(self.stack_tags)
        merged.update({tag["Key"]: text(tag["Value"]) for tag in properties.get("Tags") or []})
        return [{"Key": key, "Value": value} for key, value in merged.items()]

    def tag_specification(self, kind: str, properties: Properties) -> list[dict[str, Any]]:
        """Return EC2's way to tag at creation, or nothing when there are no tags."""
        tags = self.tags(properties)
        return [{"ResourceType": kind, "Tags": tags}] if tags else []

    def call(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """Call an operation by its boto3 name; arguments take the types that AWS's model names.

        None and empty-string arguments are left out. Raises ResourceError for an unknown field.
        """
        client = self.client(service)
        api_name = client.meta.method_to_api_mapping[operation]
        shape = client.meta.service_model.operation_model(api_name).input_shape
        given = {k: v for k, v in arguments.items() if v is not None}
        result: dict[str, Any] = getattr(client, operation)(**coerce(given, shape, api_name))
        return result


class ResourceType:
    """One CloudFormation type, made of calls to the service's public API.

    `known` are the properties that it honours: any other fails the resource by name. `replaced_by`
    are those whose change makes a new resource; a change of the rest calls `update`.
    """

    type: ClassVar[str]
    known: ClassVar[str]
    replaced_by: ClassVar[str] = ""

    def create(self, ctx: Context, props: Properties) -> Made:
        """Make the resource."""
        raise NotImplementedError

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        """Change the resource in place; `old` and `new` have dynamic references resolved."""
        raise ResourceError(f"{self.type} cannot be updated in place here")

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        """Remove the resource."""
        raise NotImplementedError

    def snapshot(self, ctx: Context, physical_id: str) -> None:
        """Keep a copy before deletion; raises ResourceError where the type has none."""
        raise ResourceError(f"{self.type} has no DeletionPolicy Snapshot")

    def must_replace(self, old: Properties, new: Properties) -> list[str]:
        """Return the changed properties that demand a replacement."""
        changed = changed_names(old, new)
        if self.replaced_by == "*":
            return changed
        return [name for name in changed if name in self.replaced_by.split()]

    def check(self, props: Properties) -> None:
        """Raise ResourceError when a property is not honoured."""
        strangers = sorted(set(props) - set(self.known.split()))
        if strangers:
            raise ResourceError(f"Encountered unsupported property {', '.join(strangers)}")


def changed_names(old: Properties, new: Properties) -> list[str]:
    """Return the names of properties that differ."""
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))


def text(value: Any) -> str:
    """Return a scalar as text; booleans as JSON writes them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def flag(value: Any) -> bool:
    """Return a boolean that may have come as text."""
    return text(value).lower() == "true"


def document(value: Any) -> str:
    """Return a policy document as JSON text."""
    return value if isinstance(value, str) else json.dumps(value)


def coerce(value: Any, shape: Any, where: str) -> Any:
    """Return a value with the types of a botocore shape; raises ResourceError for strangers."""
    kind = shape.type_name
    if kind == "structure":
        if not isinstance(value, dict):
            raise ResourceError(f"{where} must be an object")
        strangers = sorted(set(value) - set(shape.members))
        if strangers:
            raise ResourceError(f"Encountered unsupported property {where}.{strangers[0]}")
        return {
            name: coerce(item, shape.members[name], f"{where}.{name}")
            for name, item in value.items()
        }
    if kind == "list":
        items = value if isinstance(value, list) else [value]
        return [coerce(item, shape.member, where) for item in items]
    if kind == "map":
        return {text(k): coerce(item, shape.value, f"{where}.{k}") for k, item in value.items()}
    try:
        return _scalar(value, kind)
    except (TypeError, ValueError):
        raise ResourceError(f"{where}: {value!r} is no {kind}") from None


def _scalar(value: Any, kind: str) -> Any:
    if kind in ("integer", "long"):
        return int(value)
    if kind in ("float", "double"):
        return float(value)
    if kind == "boolean":
        return flag(value)
    if kind == "string":
        return document(value) if isinstance(value, dict) else text(value)
    return value
