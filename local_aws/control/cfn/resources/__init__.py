"""The CloudFormation types of the miniature, by name."""

from __future__ import annotations

from local_aws.control.cfn.provider import ResourceType
from local_aws.control.cfn.resources import (
    compute,
    endpoints,
    functions,
    groups,
    iam,
    network,
    observe,
    secrets,
    storage,
    systems,
)

_MODULES = (
    compute, endpoints, functions, groups, iam, network, observe, secrets, storage, systems,
)  # fmt: skip


def all_types() -> dict[str, ResourceType]:
    """Return one provider for each type."""
    found: dict[str, ResourceType] = {}
    for module in _MODULES:
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and issubclass(value, ResourceType)
                and "type" in vars(value)
            ):
                found[value.type] = value()
    return found
