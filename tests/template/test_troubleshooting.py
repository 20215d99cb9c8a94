"""The table of symptoms: every alarm and every code of the loader's errors has a row."""

from __future__ import annotations

import ast
import re

from tests.template.templates import REPOSITORY, resources

FAMILIES = {"LoaderError", "PermanentError", "TransientError", "family"}


def first_column() -> str:
    text = (REPOSITORY / "docs/operations.md").read_text()
    section = text.split("## Troubleshooting by symptom")[1].split("\n## ")[0]
    return "\n".join(re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE))


def literal(node: ast.AST) -> set[str]:
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def codes() -> set[str]:
    """Return the codes that the loader's source gives its errors, in calls and in tables of rules."""
    found: set[str] = set()
    for path in (REPOSITORY / "etl_lambda").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args:
                name = ast.unparse(node.func).rsplit(".", 1)[-1]
                own = ast.unparse(node.func) == "super().__init__" and len(node.args) == 2
                if name in FAMILIES or (own and path.name == "errors.py"):
                    found |= literal(node.args[0])
            elif (
                isinstance(node, ast.Tuple)
                and len(node.elts) == 4
                and ast.unparse(node.elts[1]) in FAMILIES
            ):
                found |= literal(node.elts[2])
    return found


def test_every_alarm_has_its_row() -> None:
    told = set(re.findall(r"alarm `(\w+)`", first_column()))
    made = {
        key
        for name in ("storage", "network", "warehouse", "etl")
        for key in resources(name, "AWS::CloudWatch::Alarm")
    }
    assert told == made


def test_every_code_of_the_loaders_errors_has_its_row() -> None:
    told = set(re.findall(r"`([a-z_0-9]+)`", first_column()))
    assert told == codes()
