"""The limits stand in the documentation with their defaults, once each."""

from __future__ import annotations

import dataclasses
import re

from etl_lambda.settings import Limits
from tests.toolbox import REPOSITORY


def test_each_limit_is_documented_with_its_default() -> None:
    text = (REPOSITORY / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+)` \| ([0-9,]+) \|", text, re.MULTILINE)
    assert [(name, int(number.replace(",", ""))) for name, number in rows] == list(
        dataclasses.asdict(Limits()).items()
    )
