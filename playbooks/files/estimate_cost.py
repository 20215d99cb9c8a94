#!/usr/bin/env python3
"""Say what a deployment costs a month, from the price table of docs/costs.md and the templates.

    estimate_cost.py [--parameters JSON]

JSON has the parameters that differ from the templates' defaults, by stack: {"warehouse": {"InstanceType":
"t3.medium"}}. Prints a line for each thing and the sum, in USD. What has no price there is named and left
out; traffic, the raw bucket and logs depend on the shop and are left out too.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
PRICES = REPOSITORY / "docs/costs.md"
HOURS = 730  # of a month, as AWS's calculator has it
ROW = re.compile(r"^\| `([^`]+)` \| ([0-9.]+) \| ([a-zA-Z-]+) \|", re.MULTILINE)
# The loader's metrics of one run, and seconds that one is assumed to take.
METRICS = 30
RUN_SECONDS = 30
Line = tuple[str, str, float]


class _Loader(yaml.SafeLoader):
    """Reads a template for its defaults; functions are of no interest."""


_Loader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


def prices() -> dict[str, float]:
    """Return the price of each thing of the table, by the hour, month, GiB-month or GB-second."""
    found = {name: float(price) for name, price, _ in ROW.findall(PRICES.read_text())}
    if not found:
        raise SystemExit(f"estimate_cost: {PRICES} has no table of prices")
    return found


def template(name: str) -> dict[str, Any]:
    """Return a template without its functions."""
    text = (REPOSITORY / f"cloudformation/{name}.yaml").read_text()
    loaded = yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader)
    return dict(loaded)


def quantities(parameters: dict[str, dict[str, Any]]) -> Iterator[Line]:
    """Yield what is paid for: what it is, its row of the table, and how many of its unit a month."""
    network, warehouse, etl = (
        {
            **{key: value.get("Default") for key, value in template(name)["Parameters"].items()},
            **parameters.get(name, {}),
        }
        for name in ("network", "warehouse", "etl")
    )
    if str(warehouse["InstancePresent"]).lower() == "true":
        yield f"warehouse, {warehouse['InstanceType']}", warehouse["InstanceType"], HOURS
        yield "its root volume", "gp3 volume", float(warehouse["RootVolumeSize"])
    yield "its data volume", "gp3 volume", float(warehouse["DataVolumeSize"])
    snapshots = int(warehouse["SnapshotsKept"])
    if snapshots:
        # The first has all that is on the volume, the others what changed since.
        yield (
            "its snapshots, the volume's size once",
            "snapshot",
            float(warehouse["DataVolumeSize"]),
        )
    endpoints = 3 if str(network["Ec2MessagesEndpoint"]).lower() == "true" else 2
    yield f"{endpoints} interface endpoints", "interface endpoint", HOURS * endpoints
    yield "secrets of the loader and of the packages' key", "secret", 2
    kinds = [value["Type"] for value in template("etl")["Resources"].values()]
    # That of the backup's age needs snapshots.
    alarms = kinds.count("AWS::CloudWatch::Alarm") - (not snapshots)
    yield f"{alarms} alarms", "alarm", alarms
    yield f"{METRICS} metrics of the loader", "custom metric", METRICS
    gigabytes = float(etl["MemorySize"]) / 1024
    yield f"function, hourly runs of {RUN_SECONDS} s", "function", HOURS * RUN_SECONDS * gigabytes
    if str(network["WebDBPresent"]).lower() == "true":
        yield (
            f"the shop's own EC2, {network['WebDBInstanceType']}",
            network["WebDBInstanceType"],
            HOURS,
        )


def estimate(parameters: dict[str, dict[str, Any]]) -> tuple[list[tuple[str, float]], list[str]]:
    """Return USD a month for each thing, and what has no price."""
    known = prices()
    lines, unknown = [], []
    for what, row, quantity in quantities(parameters):
        if row in known:
            lines.append((what, round(known[row] * quantity, 2)))
        else:
            unknown.append(f"{what} (no price of {row} in docs/costs.md)")
    return lines, unknown


def main() -> None:
    """Print the estimate."""
    parser = argparse.ArgumentParser(description="Say what a deployment costs a month.")
    parser.add_argument("--parameters", default="{}", help="parameters by stack, JSON")
    lines, unknown = estimate(json.loads(parser.parse_args().parameters))
    for what, usd in lines:
        print(f"{usd:8.2f}  {what}")
    print(
        f"{sum(usd for _, usd in lines):8.2f}  USD a month, without traffic, logs and the raw bucket"
    )
    for what in unknown:
        print(f"       ?  {what}")


if __name__ == "__main__":
    main()
