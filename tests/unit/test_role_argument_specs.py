"""Each role's argument specs say what its defaults are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"
NAMES = sorted(path.parent.parent.name for path in ROLES.glob("*/meta/argument_specs.yml"))
TYPES: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "path": (str,),
    "int": (int,),
    "bool": (bool,),
    "list": (list,),
    "dict": (dict,),
}


def load(role: str, path: str) -> dict[str, Any]:
    """Return a YAML file of a role; an absent or empty one gives nothing."""
    file = ROLES / role / path
    return (yaml.safe_load(file.read_text()) if file.exists() else None) or {}


def options(role: str) -> dict[str, dict[str, Any]]:
    """Return the options of all entry points of a role together."""
    specs = load(role, "meta/argument_specs.yml")["argument_specs"]
    return {name: option for entry in specs.values() for name, option in entry["options"].items()}


def is_computed(value: object) -> bool:
    """Tell whether a default is an expression, which a specification cannot state."""
    return "{{" in str(value)


def test_every_role_has_specs() -> None:
    expected = {"clickstream_dw", "postgresql", "private_apt", "sbw_dashboard", "shiny_server"}
    assert expected <= set(NAMES)


@pytest.mark.parametrize("role", NAMES)
def test_optional_arguments_are_the_defaults(role: str) -> None:
    optional = {name for name, option in options(role).items() if not option.get("required")}
    assert optional == set(load(role, "defaults/main.yml"))


@pytest.mark.parametrize("role", NAMES)
def test_specified_defaults_are_those_of_the_role(role: str) -> None:
    defaults = {
        name: value
        for name, value in load(role, "defaults/main.yml").items()
        if not is_computed(value)
    }
    specified = {
        name: option["default"] for name, option in options(role).items() if "default" in option
    }
    assert specified == defaults


@pytest.mark.parametrize("role", NAMES)
def test_defaults_have_the_specified_type(role: str) -> None:
    specs = options(role)
    wrong = [
        name
        for name, value in load(role, "defaults/main.yml").items()
        if not (isinstance(value, str) and is_computed(value))
        and not isinstance(value, TYPES[specs[name]["type"]])
    ]
    assert wrong == []


@pytest.mark.parametrize("role", NAMES)
def test_entry_points_agree_on_what_they_share(role: str) -> None:
    specs = load(role, "meta/argument_specs.yml")["argument_specs"]
    seen: dict[str, Any] = {}
    for entry in specs.values():
        for name, option in entry["options"].items():
            assert seen.setdefault(name, option) == option


@pytest.mark.parametrize("role", NAMES)
def test_every_argument_is_described_and_has_the_role_s_prefix(role: str) -> None:
    for name, option in options(role).items():
        assert name.startswith(f"{role}_")
        assert option["description"]


@pytest.mark.parametrize("role", NAMES)
def test_every_default_follows_a_comment(role: str) -> None:
    file = ROLES / role / "defaults/main.yml"
    if not file.exists():
        return
    commented = False
    for line in file.read_text().splitlines():
        if line.startswith("#"):
            commented = True
        elif not line:
            commented = False
        elif line.startswith(f"{role}_"):
            assert commented, line
