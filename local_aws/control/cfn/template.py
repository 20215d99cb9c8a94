"""Read a template (YAML with short tags, or JSON) and check parameters against it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import yaml

from local_aws.control.cfn.errors import StackError

Template = dict[str, Any]


class _Loader(yaml.SafeLoader):
    """YAML as CloudFormation reads it: dates stay text, `!Sub` becomes `Fn::Sub`."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _construct_tag(loader: Any, suffix: str, node: yaml.Node) -> Any:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    if suffix in ("Ref", "Condition"):
        return {suffix: value}
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _construct_tag)

SECTIONS = {
    "AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings",
    "Conditions", "Resources", "Outputs",
}  # fmt: skip
RESOURCE_KEYS = {
    "Type", "Properties", "DependsOn", "Condition", "Metadata", "DeletionPolicy",
    "UpdateReplacePolicy",
}  # fmt: skip


def load_template(text: str) -> Template:
    """Parse a template and check its outline.

    Raises StackError when it is no template, or when it has a section or a resource attribute
    that this engine would otherwise pass over (a transform, a creation policy).
    """
    try:
        template = yaml.load(text, Loader=_Loader)  # noqa: S506 (a SafeLoader)
    except yaml.YAMLError as error:
        raise StackError(f"Template format error: {error}") from error
    if not isinstance(template, dict):
        raise StackError("Template format error: unsupported structure.")
    unknown = sorted(set(template) - SECTIONS)
    if unknown:
        raise StackError(f"Invalid template property or properties {unknown}")
    resources = template.get("Resources")
    if not isinstance(resources, dict) or not resources:
        raise StackError("Template format error: At least one Resources member must be defined.")
    for name, resource in resources.items():
        if not isinstance(resource, dict) or "Type" not in resource:
            raise StackError(f"Template format error: [/Resources/{name}] needs a Type.")
        odd = sorted(set(resource) - RESOURCE_KEYS)
        if odd:
            raise StackError(f"Template error: resource {name} has unsupported attributes {odd}")
    return template


def resolve_parameters(
    template: Template,
    supplied: dict[str, str],
    ssm_value: Callable[[str], str],
) -> dict[str, Any]:
    """Return each parameter's value as `Ref` gives it (lists for list types).

    Raises StackError with AWS's wording for unknown, missing and refused values.
    """
    slots: dict[str, Any] = template.get("Parameters") or {}
    strangers = sorted(set(supplied) - set(slots))
    if strangers:
        raise StackError(f"Parameters: [{', '.join(strangers)}] do not exist in the template")
    missing = [n for n, slot in slots.items() if n not in supplied and "Default" not in slot]
    if missing:
        raise StackError(f"Parameters: [{', '.join(missing)}] must have values")
    values: dict[str, Any] = {}
    for name, slot in slots.items():
        text = supplied[name] if name in supplied else as_text(slot["Default"])
        kind = str(slot.get("Type", "String"))
        _check_value(name, slot, kind, text)
        if kind.startswith("AWS::SSM::Parameter::Value<"):
            text = ssm_value(text)
            kind = kind.removeprefix("AWS::SSM::Parameter::Value<")[:-1]
        if kind == "CommaDelimitedList" or kind.startswith("List<"):
            values[name] = [part.strip() for part in text.split(",")] if text else []
        else:
            values[name] = text
    return values


def as_text(value: Any) -> str:
    """Return a scalar as CloudFormation writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ",".join(as_text(item) for item in value)
    return str(value)


def _check_value(name: str, slot: dict[str, Any], kind: str, text: str) -> None:
    explain = slot.get("ConstraintDescription")
    allowed = [as_text(value) for value in slot.get("AllowedValues", [])]
    parts = text.split(",") if "List" in kind and allowed else [text]
    if allowed and any(part.strip() not in allowed for part in parts):
        raise StackError(
            f"Parameter '{name}' must be one of AllowedValues"
            if not explain
            else f"Parameter {name} failed to satisfy constraint: {explain}"
        )
    if "AllowedPattern" in slot and not re.fullmatch(str(slot["AllowedPattern"]), text):
        raise StackError(
            f"Parameter {name} failed to satisfy constraint: "
            f"{explain or 'must match pattern ' + str(slot['AllowedPattern'])}"
        )
    if kind == "Number":
        try:
            number = float(text)
        except ValueError:
            raise StackError(f"Parameter '{name}' must be a number.") from None
        if number < float(slot.get("MinValue", number)):
            raise StackError(
                f"Parameter '{name}' must be a number not less than {slot['MinValue']}"
            )
        if number > float(slot.get("MaxValue", number)):
            raise StackError(
                f"Parameter '{name}' must be a number not greater than {slot['MaxValue']}"
            )
    elif not int(slot.get("MinLength", 0)) <= len(text) <= int(slot.get("MaxLength", len(text))):
        raise StackError(
            f"Parameter '{name}' must contain at least {slot.get('MinLength', 0)} "
            f"and at most {slot.get('MaxLength', 'any number of')} characters"
        )
