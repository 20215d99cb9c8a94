"""Who reaches whom, computed from the templates alone, is the table of the documents and nothing else."""

from __future__ import annotations

import copy
import re

import pytest

from tests.template.deployment import deployed
from tests.template.reach import FUNCTION, WAREHOUSE, Edge, edges
from tests.template.templates import REPOSITORY

ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| (\d+) \|", re.MULTILINE)


def table() -> set[Edge]:
    """Return the table of docs/architecture.md."""
    text = (REPOSITORY / "docs/architecture.md").read_text()
    section = text.split("## Who reaches whom")[1].split("\n## ")[0]
    return {Edge(a.strip(), b.strip(), int(port)) for a, b, port in ROW.findall(section)}


def test_the_table_is_what_the_templates_leave_open() -> None:
    ranges = "203.0.113.0/24"
    found = edges(deployed("network", WebDBClientCidrs=ranges))
    named = {
        Edge("ranges of `WebDBClientCidrs`" if edge.source == ranges else edge.source, *rest)
        for edge in found
        for rest in [(edge.target, edge.port)]
    }
    assert named == table()
    assert len(named) == 8


def test_by_default_no_range_comes_in() -> None:
    assert not [edge for edge in edges(deployed("network")) if "/" in edge.source]


@pytest.mark.parametrize("ranges", [[], ["10.9.0.0/16"], [f"10.{n}.0.0/16" for n in range(4)]])
def test_each_range_that_the_shop_names_is_a_rule(ranges: list[str]) -> None:
    network = deployed("network", WebDBClientCidrs=",".join(ranges))
    assert {edge for edge in edges(network) if "/" in edge.source} == {
        Edge(one, "shop's EC2", 5432) for one in ranges
    }


def test_without_the_shops_ec2_nothing_has_a_way_to_the_internet() -> None:
    found = edges(deployed("network", WebDBPresent="false", WebDBClientCidrs="10.9.0.0/16"))
    assert {edge.target for edge in found} == {"warehouse", "endpoints", "S3"}


def test_the_nodes_are_where_the_other_templates_put_them() -> None:
    interface = deployed("warehouse")["NetworkInterface"]
    assert interface["SubnetId"] == WAREHOUSE.subnet
    assert interface["GroupSet"] == [f"{WAREHOUSE.group}.GroupId"]
    placed = deployed("etl")["Function"]["VpcConfig"]
    assert placed == {
        "SubnetIds": [FUNCTION.subnet],
        "SecurityGroupIds": [f"{FUNCTION.group}.GroupId"],
    }


@pytest.mark.parametrize(
    ("change", "opened"),
    [
        (
            {"EndpointsFromWarehouse": {"SourceSecurityGroupId": "LambdaSecurityGroup.GroupId"}},
            set(),  # the function's group sends nothing there
        ),
        (
            {"WarehouseDashboard": {"CidrIp": "0.0.0.0/0", "SourceSecurityGroupId": None}},
            {
                Edge("another host of PrivateSubnet", "warehouse", 3838),
                Edge("another host of PublicSubnet", "warehouse", 3838),
            },
        ),
        (
            {"PrivateSubnetRoutes": {"RouteTableId": "PublicRouteTable"}},
            set(),  # no group lets the world in or out
        ),
        (
            {"LambdaToWarehouse": {"ToPort": 5433}, "WarehouseFromLambda": {"ToPort": 5433}},
            {Edge("function", "warehouse", 5433)},
        ),
    ],
    ids=["another source", "everybody", "a public subnet", "another port"],
)
def test_a_change_of_the_network_is_seen(
    change: dict[str, dict[str, object]], opened: set[Edge]
) -> None:
    network = copy.deepcopy(deployed("network"))
    before = edges(network)
    for name, properties in change.items():
        network[name].update(properties)
        network[name] = {key: value for key, value in network[name].items() if value is not None}
    after = edges(network)
    assert after != before
    assert after - before == opened
