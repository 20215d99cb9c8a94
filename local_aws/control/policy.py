"""Evaluate policies: of a bucket, of a gateway endpoint, of a user or role."""

from __future__ import annotations

import functools
import ipaddress
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

ALLOW, DENY, SILENT = "allow", "deny", "silent"


@dataclass(frozen=True)
class Access:
    """One request as a policy sees it; `principal` is an ARN, or empty when unsigned."""

    action: str
    resource: str
    principal: str = ""
    account: str = ""
    context: dict[str, str] = field(default_factory=dict)


@functools.lru_cache(maxsize=256)
def parse(text: str) -> tuple[dict[str, Any], ...]:
    """Return a policy's statements."""
    statements = json.loads(text).get("Statement", [])
    return tuple(statements if isinstance(statements, list) else [statements])


def decide(policy: str | None, access: Access) -> str:
    """Return whether a policy allows, denies or says nothing; a denial wins.

    Raises ValueError for a condition operator that is not known here.
    """
    verdict = SILENT
    for statement in parse(policy) if policy else ():
        if not _applies(statement, access):
            continue
        if statement["Effect"] == "Deny":
            return DENY
        verdict = ALLOW
    return verdict


def _applies(statement: dict[str, Any], access: Access) -> bool:
    return (
        _principal(statement, access)
        and _listed(statement, "Action", access.action, lower=True)
        and _listed(_filled(statement, access), "Resource", access.resource)
        and all(
            _condition(operator, key, values, access)
            for operator, keys in (statement.get("Condition") or {}).items()
            for key, values in keys.items()
        )
    )


def _principal(statement: dict[str, Any], access: Access) -> bool:
    if "NotPrincipal" in statement:
        return not _principal({"Principal": statement["NotPrincipal"]}, access)
    if "Principal" not in statement:  # an identity's policy
        return True
    wanted = statement["Principal"]
    names = wanted if wanted == "*" else wanted.get("AWS", [])
    for name in [names] if isinstance(names, str) else names:
        if name == "*":
            return True
        if access.principal and (
            name in (access.principal, access.account)
            or name == f"arn:aws:iam::{access.account}:root"
        ):
            return True
    return False


# A policy variable; one that the request has no value for matches nothing.
_VARIABLE = re.compile(r"\$\{([\w:/-]+)\}")


def _filled(statement: dict[str, Any], access: Access) -> dict[str, Any]:
    """Return a statement's resources with IAM's variables in their places."""
    found: dict[str, Any] = {}
    for name in ("Resource", "NotResource"):
        if name in statement:
            patterns = _as_list(statement[name])
            if any("${" in pattern for pattern in patterns):
                patterns = [
                    _VARIABLE.sub(lambda match: access.context.get(match[1], "\0"), pattern)
                    for pattern in patterns
                ]
            found[name] = patterns
    return found


def _listed(statement: dict[str, Any], name: str, value: str, lower: bool = False) -> bool:
    if name in statement:
        return _any_like(statement[name], value, lower)
    if f"Not{name}" in statement:
        return not _any_like(statement[f"Not{name}"], value, lower)
    return False


def _any_like(patterns: Any, value: str, lower: bool = False) -> bool:
    for pattern in [patterns] if isinstance(patterns, str) else patterns:
        if lower:
            if _like(pattern.lower(), value.lower()):
                return True
        elif _like(pattern, value):
            return True
    return False


@functools.lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    escaped = re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")
    return re.compile(escaped, re.DOTALL)


def _like(pattern: str, value: str) -> bool:
    if pattern in ("*", value):
        return True
    return _pattern(pattern).fullmatch(value) is not None


def _in_network(value: str, wanted: str) -> bool:
    return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)


_TESTS: dict[str, tuple[Callable[[str, str], bool], bool]] = {
    "StringEquals": (lambda value, wanted: value == wanted, False),
    "StringNotEquals": (lambda value, wanted: value == wanted, True),
    "StringEqualsIgnoreCase": (lambda value, wanted: value.lower() == wanted.lower(), False),
    "StringLike": (lambda value, wanted: _like(wanted, value), False),
    "StringNotLike": (lambda value, wanted: _like(wanted, value), True),
    "ArnEquals": (lambda value, wanted: _like(wanted, value), False),
    "ArnLike": (lambda value, wanted: _like(wanted, value), False),
    "ArnNotEquals": (lambda value, wanted: _like(wanted, value), True),
    "ArnNotLike": (lambda value, wanted: _like(wanted, value), True),
    "Bool": (lambda value, wanted: value.lower() == wanted.lower(), False),
    "NumericLessThan": (lambda value, wanted: float(value) < float(wanted), False),
    "NumericGreaterThan": (lambda value, wanted: float(value) > float(wanted), False),
    "IpAddress": (_in_network, False),
    "NotIpAddress": (_in_network, True),
}


def _condition(operator: str, key: str, wanted: Any, access: Access) -> bool:
    values = [str(v) if not isinstance(v, bool) else str(v).lower() for v in _as_list(wanted)]
    context = {name.lower(): value for name, value in access.context.items()}
    present = key.lower() in context
    if operator == "Null":
        return (values[0] == "true") != present
    plain = operator.removesuffix("IfExists")
    if plain not in _TESTS:
        raise ValueError(f"condition operator {operator} is not supported by the miniature")
    test, negated = _TESTS[plain]
    if not present:
        return negated or plain != operator
    found = any(test(context[key.lower()], value) for value in values)
    return found != negated


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
