"""The templates as plain data: short forms are read as their long ones."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
FOLDER = REPOSITORY / "cloudformation"
NAMES = ("storage", "network", "warehouse", "etl")
SECTIONS = (
    "AWSTemplateFormatVersion", "Description", "Parameters", "Conditions", "Resources", "Outputs",
)  # fmt: skip


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's tags."""


def _tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if name == "Fn::GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name: value}


_Loader.add_multi_constructor("!", _tag)


@cache
def template(name: str) -> dict[str, Any]:
    """Return a template by the name of its file."""
    loaded = yaml.load((FOLDER / f"{name}.yaml").read_text(), Loader=_Loader)  # noqa: S506
    assert isinstance(loaded, dict)
    return loaded


def resources(name: str, kind: str | None = None) -> dict[str, Any]:
    """Return the resources of a template, those of one type if it is given."""
    every = template(name)["Resources"]
    return {key: value for key, value in every.items() if kind in (None, value["Type"])}


def everywhere(kind: str | None = None) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield template, logical id and resource of all templates."""
    for name in NAMES:
        for key, value in resources(name, kind).items():
            yield name, key, value


def values(thing: Any) -> Iterator[Any]:
    """Yield every leaf of a structure."""
    if isinstance(thing, dict):
        for value in thing.values():
            yield from values(value)
    elif isinstance(thing, list):
        for value in thing:
            yield from values(value)
    else:
        yield thing


def keys(thing: Any) -> Iterator[str]:
    """Yield every key of a structure."""
    if isinstance(thing, dict):
        for key, value in thing.items():
            yield key
            yield from keys(value)
    elif isinstance(thing, list):
        for value in thing:
            yield from keys(value)


def text(thing: Any) -> str:
    """Return all leaves as one text."""
    return "\n".join(str(value) for value in values(thing))


def statement(policy: dict[str, Any], sid: str) -> dict[str, Any]:
    """Return the one statement of a policy document that has this Sid."""
    found = [item for item in policy["Statement"] if item["Sid"] == sid]
    assert len(found) == 1, sid
    return dict(found[0])
