"""Who reaches whom on which port, computed from the network's resources: groups, routes, endpoints.

Sources: AWS, "VPC user guide" (security groups: both sides have to allow; routes: the local one is always
there, a gateway endpoint is one for its prefix list) and "AWS PrivateLink" (an interface endpoint is an
address in a subnet with groups of its own).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

WORLD = ipaddress.ip_network("0.0.0.0/0")


@dataclass(frozen=True)
class Node:
    """Something that sends or receives; `subnet` is none outside the VPC."""

    name: str
    subnet: str | None
    group: str | None


# By the templates of the warehouse and the function (test_reach checks it).
FUNCTION = Node("function", "PrivateSubnet", "LambdaSecurityGroup")
WAREHOUSE = Node("warehouse", "PrivateSubnet", "WarehouseSecurityGroup")


@dataclass(frozen=True)
class Edge:
    """One way: from, to and port."""

    source: str
    target: str
    port: int


def edges(network: dict[str, Any]) -> set[Edge]:
    """Return every way that the network's resources leave open."""
    nodes = list(_nodes(network))
    inside = {
        Edge(a.name, b.name, port)
        for a in nodes
        for b in nodes
        for port in _ports(_rules(network, a, "Egress"), b)
        if any(port in _span(rule) and _admits(rule, a) for rule in _rules(network, b, "Ingress"))
    }
    return inside | set(_to_s3(network, nodes)) | set(_outside(network, nodes))


def _nodes(network: dict[str, Any]) -> Iterator[Node]:
    yield FUNCTION
    yield WAREHOUSE
    for value in network.values():
        if value["Type"] == "AWS::EC2::VPCEndpoint" and value["VpcEndpointType"] == "Interface":
            (subnet,), (group,) = value["SubnetIds"], value["SecurityGroupIds"]
            yield Node("endpoints", subnet, _logical(group))
    if "WebDBInstance" in network:
        shop = network["WebDBInstance"]
        yield Node("shop's EC2", shop["SubnetId"], _logical(shop["SecurityGroupIds"][0]))
    # In no group of ours: the VPC's default one lets everything out, and nothing in but itself.
    for subnet in ("PrivateSubnet", "PublicSubnet"):
        yield Node(f"another host of {subnet}", subnet, None)


def _logical(reference: str) -> str:
    return reference.removesuffix(".GroupId")


def _rules(network: dict[str, Any], node: Node, direction: str) -> list[dict[str, Any]]:
    if node.group is None:
        return [{"IpProtocol": "-1", "CidrIp": str(WORLD)}] if direction == "Egress" else []
    rules = list(network[node.group].get(f"SecurityGroup{direction}", []))
    if direction == "Egress" and not rules:
        rules = [{"IpProtocol": "-1", "CidrIp": str(WORLD)}]
    kind = f"AWS::EC2::SecurityGroup{direction}"
    for value in network.values():
        if value["Type"] == kind and _logical(value["GroupId"]) == node.group:
            rules.append(value)
    return rules


def _span(rule: dict[str, Any]) -> range:
    if rule["IpProtocol"] == "-1":
        return range(65536)
    if rule["IpProtocol"] != "tcp":
        return range(0)
    return range(int(rule["FromPort"]), int(rule["ToPort"]) + 1)


def _admits(rule: dict[str, Any], node: Node) -> bool:
    """Whether a rule of either direction names the other side: its group, or a range around it."""
    group = rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId")
    if group:
        return node.group is not None and _logical(group) == node.group
    return "CidrIp" in rule and ipaddress.ip_network(rule["CidrIp"]) == WORLD


# Ports worth a question; a rule of all ports is one for each of these.
_PORTS = (22, 443, 3838, 5432)


def _ports(rules: list[dict[str, Any]], target: Node) -> set[int]:
    """Return the ports of rules towards a target; a wide rule counts with the ports of _PORTS."""
    found: set[int] = set()
    for rule in rules:
        if _admits(rule, target):
            span = _span(rule)
            found |= set(_PORTS) & set(span) if len(span) > len(_PORTS) else set(span)
    return found


def _to_s3(network: dict[str, Any], nodes: list[Node]) -> Iterator[Edge]:
    tables = {
        table
        for value in network.values()
        if value["Type"] == "AWS::EC2::VPCEndpoint" and value["VpcEndpointType"] == "Gateway"
        for table in value["RouteTableIds"]
    }
    for node in nodes:
        if _table(network, node) not in tables:
            continue
        for rule in _rules(network, node, "Egress"):
            everywhere = "CidrIp" in rule and ipaddress.ip_network(rule["CidrIp"]) == WORLD
            if everywhere or "DestinationPrefixListId" in rule:
                # S3 answers here alone (and on 80, where nothing of ours is).
                yield from (Edge(node.name, "S3", port) for port in {443} & set(_span(rule)))


def _outside(network: dict[str, Any], nodes: list[Node]) -> Iterator[Edge]:
    """Yield ways from and to addresses outside the VPC, for nodes with a route there."""
    open_tables = {
        value["RouteTableId"]
        for value in network.values()
        if value["Type"] == "AWS::EC2::Route" and value["DestinationCidrBlock"] == str(WORLD)
    }
    for node in nodes:
        if node.group is None or _table(network, node) not in open_tables:
            continue
        for rule in _rules(network, node, "Egress"):
            if "CidrIp" in rule and ipaddress.ip_network(rule["CidrIp"]) == WORLD:
                yield from (Edge(node.name, "internet", port) for port in _span(rule))
        for rule in _rules(network, node, "Ingress"):
            if "CidrIp" in rule:
                yield from (Edge(rule["CidrIp"], node.name, port) for port in _span(rule))


def _table(network: dict[str, Any], node: Node) -> str | None:
    for value in network.values():
        if (
            value["Type"] == "AWS::EC2::SubnetRouteTableAssociation"
            and value["SubnetId"] == node.subnet
        ):
            return str(value["RouteTableId"])
    return None
