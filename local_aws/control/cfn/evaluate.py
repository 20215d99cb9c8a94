"""Evaluate a template's functions, conditions and rules."""

from __future__ import annotations

import base64
import ipaddress
import json
import re
from collections.abc import Callable
from typing import Any

from local_aws.control.cfn.errors import StackError
from local_aws.control.cfn.template import Template, as_text

NO_VALUE = object()
_SUB = re.compile(r"\$\{(!?)\s*([A-Za-z0-9_:.]+)\s*\}")


class Evaluator:
    """Turns template values into plain ones.

    `reference(name)` gives a resource's physical id and `attribute(name, attribute)` one of its
    attributes; both raise KeyError when the resource is not there.
    """

    def __init__(
        self,
        template: Template,
        parameters: dict[str, Any],
        pseudo: dict[str, Any],
        reference: Callable[[str], str],
        attribute: Callable[[str, str], Any],
        export: Callable[[str], str],
    ) -> None:
        self.template = template
        self.parameters = parameters
        self.pseudo = pseudo
        self.reference = reference
        self.attribute = attribute
        self.export = export
        self._conditions: dict[str, bool] = {}

    def value(self, node: Any) -> Any:
        """Return a node with every function applied; AWS::NoValue drops the key that holds it."""
        if isinstance(node, list):
            return [v for v in (self.value(item) for item in node) if v is not NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            name, argument = next(iter(node.items()))
            if name == "Ref":
                return self.ref(argument)
            if isinstance(name, str) and name.startswith("Fn::"):
                return self.function(name, argument)
        pairs = ((key, self.value(item)) for key, item in node.items())
        return {key: item for key, item in pairs if item is not NO_VALUE}

    def ref(self, name: str) -> Any:
        """Return what `Ref` gives."""
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self.pseudo:
            return self.pseudo[name]
        if name in self.parameters:
            return self.parameters[name]
        try:
            return self.reference(name)
        except KeyError:
            raise StackError(
                f"Template error: Unresolved resource dependencies [{name}] in the template"
            ) from None

    def get_att(self, name: str, attribute: str) -> Any:
        """Return what `Fn::GetAtt` gives."""
        try:
            return self.attribute(name, attribute)
        except KeyError:
            raise StackError(
                f"Template error: resource {name} does not support attribute type "
                f"{attribute} in Fn::GetAtt"
            ) from None

    def function(self, name: str, argument: Any) -> Any:
        """Apply one intrinsic function."""
        method = _FUNCTIONS.get(name)
        if method is None:
            raise StackError(f"Template error: unsupported function {name}")
        return method(self, argument)

    def condition(self, name: str) -> bool:
        """Return a named condition's value."""
        if name not in self._conditions:
            conditions = self.template.get("Conditions") or {}
            if name not in conditions:
                raise StackError(f"Template format error: Unresolved condition dependency {name}")
            self._conditions[name] = self.test(conditions[name])
        return self._conditions[name]

    def test(self, node: Any) -> bool:
        """Evaluate a condition's expression."""
        if not isinstance(node, dict) or len(node) != 1:
            raise StackError(f"Template error: {node!r} is no condition")
        name, argument = next(iter(node.items()))
        if name == "Condition":
            return self.condition(argument)
        if name == "Fn::Not":
            return not self.test(argument[0])
        if name == "Fn::And":
            return all(self.test(item) for item in argument)
        if name == "Fn::Or":
            return any(self.test(item) for item in argument)
        if name == "Fn::Equals":
            left, right = (self.value(item) for item in argument)
            return as_text(left) == as_text(right)
        if name == "Fn::Contains":
            items, item = (self.value(part) for part in argument)
            return as_text(item) in [as_text(each) for each in items]
        raise StackError(f"Template error: unsupported condition function {name}")

    def check_rules(self) -> None:
        """Raise StackError with the assertion's own sentence when a rule of the template fails."""
        for rule in (self.template.get("Rules") or {}).values():
            if "RuleCondition" in rule and not self.test(rule["RuleCondition"]):
                continue
            for assertion in rule["Assertions"]:
                if not self.test(assertion["Assert"]):
                    text = assertion.get("AssertDescription", "a rule's assertion failed")
                    raise StackError(f"Template validation error: Rule failed: {text}")

    def _sub(self, argument: Any) -> str:
        text, names = argument if isinstance(argument, list) else (argument, {})
        values = {name: self.value(node) for name, node in names.items()}

        def replace(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return "${" + name + "}"
            if name in values:
                return as_text(values[name])
            if "." in name:
                return as_text(self.get_att(*name.split(".", 1)))
            return as_text(self.ref(name))

        return _SUB.sub(replace, text)

    def _join(self, argument: Any) -> str:
        items = self.value(argument[1])
        return str(argument[0]).join(as_text(item) for item in items)

    def _select(self, argument: Any) -> Any:
        items = self.value(argument[1])
        index = int(self.value(argument[0]))
        if not 0 <= index < len(items):
            raise StackError(f"Template error: Fn::Select cannot select nonexistent index {index}")
        return items[index]

    def _find_in_map(self, argument: Any) -> Any:
        name, first, second = (as_text(self.value(part)) for part in argument[:3])
        try:
            return self.value(self.template["Mappings"][name][first][second])
        except KeyError:
            raise StackError(
                f"Template error: Unable to get mapping for {name}::{first}::{second}"
            ) from None

    def _get_att(self, argument: Any) -> Any:
        return self.get_att(str(argument[0]), as_text(self.value(argument[1])))

    def _import(self, argument: Any) -> str:
        return self.export(as_text(self.value(argument)))

    def _if(self, argument: Any) -> Any:
        return self.value(argument[1] if self.condition(argument[0]) else argument[2])

    def _zones(self, argument: Any) -> list[str]:
        region = self.value(argument) or self.pseudo["AWS::Region"]
        return [f"{region}{letter}" for letter in "abc"]

    def _cidr(self, argument: Any) -> list[str]:
        block, count, bits = [*(self.value(part) for part in argument), 8][:3]
        network = ipaddress.ip_network(block)
        subnets = network.subnets(new_prefix=network.max_prefixlen - int(bits))
        return [str(subnet) for subnet, _ in zip(subnets, range(int(count)), strict=False)]


_FUNCTIONS: dict[str, Callable[[Evaluator, Any], Any]] = {
    "Fn::Sub": Evaluator._sub,
    "Fn::Join": Evaluator._join,
    "Fn::Select": Evaluator._select,
    "Fn::FindInMap": Evaluator._find_in_map,
    "Fn::GetAtt": Evaluator._get_att,
    "Fn::ImportValue": Evaluator._import,
    "Fn::If": Evaluator._if,
    "Fn::GetAZs": Evaluator._zones,
    "Fn::Cidr": Evaluator._cidr,
    "Fn::Split": lambda self, arg: as_text(self.value(arg[1])).split(arg[0]),
    "Fn::Base64": lambda self, arg: base64.b64encode(as_text(self.value(arg)).encode()).decode(),
    "Fn::ToJsonString": lambda self, arg: json.dumps(self.value(arg)),
}


def dependencies(resource: dict[str, Any], names: set[str]) -> set[str]:
    """Return the logical ids that a resource's definition refers to."""
    found: set[str] = set()
    depends = resource.get("DependsOn", [])
    found.update([depends] if isinstance(depends, str) else depends)
    _collect(resource.get("Properties", {}), found)
    return found & names


def _collect(node: Any, found: set[str]) -> None:
    if isinstance(node, list):
        for item in node:
            _collect(item, found)
    elif isinstance(node, dict):
        for key, item in node.items():
            if key == "Ref":
                found.add(str(item))
            elif key == "Fn::GetAtt":
                found.add(str(item[0] if isinstance(item, list) else item.split(".")[0]))
            elif key == "Fn::Sub":
                text = item[0] if isinstance(item, list) else item
                found.update(m[1].split(".")[0] for m in _SUB.findall(text) if not m[0])
                if isinstance(item, list):
                    _collect(item[1], found)
            else:
                _collect(item, found)


def in_order(resources: dict[str, dict[str, Any]]) -> list[str]:
    """Return logical ids so that each follows what it refers to; raises StackError on a circle."""
    names = set(resources)
    waiting = {name: dependencies(resource, names) for name, resource in resources.items()}
    ordered: list[str] = []
    while waiting:
        ready = [name for name, needs in waiting.items() if needs <= set(ordered)]
        if not ready:
            raise StackError(
                f"Circular dependency between resources: [{', '.join(sorted(waiting))}]"
            )
        for name in ready:
            ordered.append(name)
            del waiting[name]
    return ordered
