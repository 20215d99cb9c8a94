"""What an update of one parameter does to a stack's resources, by AWS's own resource schemas.

Source: CloudFormation's registry schemas, which cfn-lint carries: `createOnlyProperties` are replaced
by a change, `conditionalCreateOnlyProperties` in some cases. A replaced resource has another id, so what
names it changes as well.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

from tests.template.deployment import REGION, deployed


@dataclass(frozen=True)
class Update:
    """Logical ids by what becomes of them."""

    replaced: frozenset[str]
    perhaps_replaced: frozenset[str]
    removed: frozenset[str]


@cache
def _only(kind: str, condition: str) -> tuple[tuple[str, ...], ...]:
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
    paths = schema.get(condition) or []
    return tuple(tuple(path.removeprefix("/properties/").split("/")) for path in paths)


def update(name: str, before: dict[str, Any], after: dict[str, Any]) -> Update:
    """Return what an update from some parameters to others does."""
    old = deployed(name, **before)
    replaced: frozenset[str] = frozenset()
    while True:
        new = deployed(name, renamed=replaced, **after)
        both = set(old) & set(new)
        found = {key for key in both if _differs(old[key], new[key], "createOnlyProperties")}
        if found <= replaced:
            break
        replaced |= found
    perhaps = {
        key for key in both if _differs(old[key], new[key], "conditionalCreateOnlyProperties")
    }
    return Update(replaced, frozenset(perhaps - replaced), frozenset(set(old) - set(new)))


def _differs(old: dict[str, Any], new: dict[str, Any], condition: str) -> bool:
    return any(_at(old, path) != _at(new, path) for path in _only(old["Type"], condition))


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        if step == "*" or not isinstance(value, dict):
            return value
        value = value.get(step)
    return value
