"""Every reason why the loader rejects something is explained by the dashboard, and no other."""

from __future__ import annotations

import ast
import re

from tests.toolbox import REPOSITORY

# Which argument of a call is the code.
CODED = {"Reject": 1, "Bad": 0, "UnpackError": 0}
# Where a code is kept before it is one: `reason = …`, `problem = …`.
KEPT = {"reason", "problem"}
# The object is not there any more: counted as gone, never put into quarantine.
NO_REJECT = {"vanished"}


def _codes(tree: ast.AST) -> set[str]:
    found = set()
    for node in ast.walk(tree):
        value: ast.expr | None = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            place = CODED.get(node.func.id)
            value = node.args[place] if place is not None else None
        elif isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in KEPT:
            value = node.value
        if value is not None:
            found |= {text for text in map(_text, ast.walk(value)) if text}
    return found


def _text(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_the_dashboard_explains_the_loaders_reasons_and_no_others() -> None:
    written: set[str] = set()
    for module in sorted((REPOSITORY / "etl_lambda").glob("*.py")):
        written |= _codes(ast.parse(module.read_text()))
    page = (REPOSITORY / "shiny_app" / "R" / "fct_reasons.R").read_text()
    explained = re.findall(r"^  ([a-z_0-9]+) = c\($", page, re.MULTILINE)
    assert sorted(explained) == sorted(written - NO_REJECT)


def test_a_code_is_found_wherever_it_is_written() -> None:
    source = """
yield Reject(None, "truncated" if cut else "empty", b"")
raise UnpackError("corrupt")
reason = value.reason if isinstance(value, Bad) else "no_object"
return Bad("deep")
"""
    tree = ast.parse("\n".join(f"def f():\n    {line}" for line in source.split("\n") if line))
    assert _codes(tree) == {"truncated", "empty", "corrupt", "no_object", "deep"}
