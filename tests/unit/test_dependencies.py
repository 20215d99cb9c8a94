"""What an operator's machine installs is what the commands there import."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
OWN = {"demo", "etl_lambda", "local_aws"}


def imported(path: Path) -> Iterator[str]:
    """Yield the names of the modules that a file imports when it runs."""
    tree = ast.parse(path.read_text())
    tree.body = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    ]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (one.name.partition(".")[0] for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("folder", ["playbooks/files", "etl_lambda", "demo", "local_aws"])
def test_every_import_is_locked_for_the_operators_machine(folder: str) -> None:
    locked = {
        canonical(line.partition("==")[0])
        for line in (REPOSITORY / "requirements/demo.lock").read_text().splitlines()
        if "==" in line
    }
    distributions = importlib.metadata.packages_distributions()
    beside = {path.stem for path in (REPOSITORY / folder).glob("*.py")}
    for path in sorted((REPOSITORY / folder).rglob("*.py")):
        for name in sorted(set(imported(path)) - OWN - beside - set(sys.stdlib_module_names)):
            of = {canonical(one) for one in distributions.get(name, [])}
            assert of & locked, f"{path.relative_to(REPOSITORY)} imports {name}: not in demo.lock"
