"""What a month costs, by the documents' own prices."""

from __future__ import annotations

import re
from types import ModuleType

import pytest

from tests.toolbox import REPOSITORY
from tests.unit import scripts


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return scripts.load(REPOSITORY / "playbooks/files/estimate_cost.py")


def documented() -> dict[str, float]:
    """Return the documents' table of the defaults."""
    text = (REPOSITORY / "docs/costs.md").read_text()
    section = text.split("With the defaults")[1].split("| sum |")[0]
    return {
        what: float(usd) for what, usd in re.findall(r"^\| ([^|]+) \| ([\d.]+) \|$", section, re.M)
    }


def test_the_documents_have_the_estimate_of_the_defaults(script: ModuleType) -> None:
    lines, unknown = script.estimate({"network": {"WebDBPresent": "false"}})
    assert dict(lines) == documented()
    assert unknown == []
    text = (REPOSITORY / "docs/costs.md").read_text()
    assert f"| sum | {sum(usd for _, usd in lines):.2f} |" in text


def test_a_size_that_is_told_counts(script: ModuleType) -> None:
    told = {
        "network": {"WebDBPresent": "false", "Ec2MessagesEndpoint": "false"},
        "warehouse": {"InstancePresent": "false", "DataVolumeSize": 100, "SnapshotsKept": 0},
    }
    lines = dict(script.estimate(told)[0])
    assert lines["its data volume"] == 9.6
    assert lines["2 interface endpoints"] == 18.98
    assert lines["7 alarms"] == 0.7
    assert not any("root" in what or "t3" in what or "snapshots" in what for what in lines)


def test_what_has_no_price_is_named_and_left_out(script: ModuleType) -> None:
    lines, unknown = script.estimate({"warehouse": {"InstanceType": "x9.huge"}})
    assert unknown == ["warehouse, x9.huge (no price of x9.huge in docs/costs.md)"]
    assert not any("x9" in what for what, _ in lines)


def test_the_loaders_metrics_are_as_many_as_it_writes(script: ModuleType) -> None:
    from etl_lambda.metrics import emf
    from etl_lambda.stages import STAGES

    reply = {
        "result": "loaded",
        "lag_seconds": 0.0,
        "error_budget": {"over": False},
        "stages": dict.fromkeys(STAGES, 0.0),
        "disks": {"/": 1.0},
    }
    (directive,) = emf(reply, "f", 0.0)["_aws"]["CloudWatchMetrics"]
    assert len(directive["Metrics"]) == script.METRICS
