"""The limits stand in the documentation with their defaults, once each; so do the metrics."""

from __future__ import annotations

import dataclasses
import re

from etl_lambda.metrics import emf
from etl_lambda.settings import Limits
from tests.toolbox import REPOSITORY
from tests.unit.test_loader_metrics import REPLY


def test_each_limit_is_documented_with_its_default() -> None:
    text = (REPOSITORY / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| `([a-z_]+)` \| ([0-9,]+) \|", text, re.MULTILINE)
    assert [(name, int(number.replace(",", ""))) for name, number in rows] == list(
        dataclasses.asdict(Limits()).items()
    )


def test_each_metric_is_documented() -> None:
    text = (REPOSITORY / "docs" / "operations.md").read_text()
    (directive,) = emf(REPLY, "SBW_Lamda_ETL", 1.0)["_aws"]["CloudWatchMetrics"]
    written = [metric["Name"] for metric in directive["Metrics"]]
    assert re.findall(r"^\| `([A-Z][A-Za-z]+)` \| [a-z0-9]", text, re.MULTILINE) == written
