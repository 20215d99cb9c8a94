"""The promises of the network: nothing from the internet, nothing to it, S3 and SSM by endpoints."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.template.deployment import ACCOUNT, REGION, deployed
from tests.template.templates import everywhere, keys, resources, statement, template, text

WORLD = ("0.0.0.0/0", "::/0")
FROM_CLIENTS = {f"WebDBFromClient{number}" for number in range(1, 5)}


def rules(kind: str) -> list[tuple[str, dict[str, Any]]]:
    """Return all rules of one direction, inline ones too, with the group or rule they belong to."""
    found = []
    for _, key, value in everywhere():
        props = value.get("Properties", {})
        if value["Type"] == f"AWS::EC2::{kind}":
            found.append((key, props))
        found += [(key, rule) for rule in props.get(kind, [])]
    return found


def reference(group: str) -> dict[str, Any]:
    return {"Fn::GetAtt": [group, "GroupId"]}


def test_there_is_no_nat_and_no_other_way_out() -> None:
    types = {value["Type"] for _, _, value in everywhere()}
    assert (
        types
        & {
            "AWS::EC2::NatGateway",
            "AWS::EC2::EgressOnlyInternetGateway",
            "AWS::EC2::TransitGatewayAttachment",
            "AWS::EC2::VPCPeeringConnection",
            "AWS::EC2::VPNGateway",
        }
        == set()
    )


def test_no_address_is_public() -> None:
    assert list(everywhere("AWS::EC2::EIP")) == []
    for name, key, value in everywhere():
        assert "AssociatePublicIpAddress" not in set(keys(value)), f"{name}: {key}"
    subnets = resources("network", "AWS::EC2::Subnet")
    assert {key: value["Properties"]["MapPublicIpOnLaunch"] for key, value in subnets.items()} == {
        "PublicSubnet": False,
        "PrivateSubnet": False,
    }


def test_the_only_route_is_the_public_sides_to_its_gateway() -> None:
    assert [(key, value["Properties"]) for _, key, value in everywhere("AWS::EC2::Route")] == [
        (
            "PublicInternetRoute",
            {
                "RouteTableId": {"Ref": "PublicRouteTable"},
                "DestinationCidrBlock": "0.0.0.0/0",
                "GatewayId": {"Ref": "InternetGateway"},
            },
        )
    ]
    joined = resources("network", "AWS::EC2::SubnetRouteTableAssociation")
    assert [value["Properties"] for value in joined.values()] == [
        {"SubnetId": {"Ref": "PublicSubnet"}, "RouteTableId": {"Ref": "PublicRouteTable"}},
        {"SubnetId": {"Ref": "PrivateSubnet"}, "RouteTableId": {"Ref": "PrivateRouteTable"}},
    ]


def test_every_inbound_rule_of_ours_names_a_group_and_no_address() -> None:
    inbound = [
        (key, rule["GroupId"], rule["SourceSecurityGroupId"], rule["FromPort"], rule["ToPort"])
        for key, rule in rules("SecurityGroupIngress")
        if key not in FROM_CLIENTS
    ]
    warehouse, endpoints = reference("WarehouseSecurityGroup"), reference("EndpointSecurityGroup")
    assert inbound == [
        ("WarehouseFromLambda", warehouse, reference("LambdaSecurityGroup"), 5432, 5432),
        ("WarehouseDashboard", warehouse, warehouse, 3838, 3838),
        ("EndpointsFromWarehouse", endpoints, warehouse, 443, 443),
        ("EndpointsFromWebDB", endpoints, reference("WebDBSecurityGroup"), 443, 443),
    ]
    for key, rule in rules("SecurityGroupIngress"):
        if key not in FROM_CLIENTS:
            assert not {"CidrIp", "CidrIpv6", "SourcePrefixListId"} & set(rule), key


def test_ranges_reach_the_shops_own_ec2_alone() -> None:
    named = {key: rule for key, rule in rules("SecurityGroupIngress") if key in FROM_CLIENTS}
    assert set(named) == FROM_CLIENTS
    for key, rule in named.items():
        assert rule["GroupId"] == reference("WebDBSecurityGroup"), key
        assert (rule["FromPort"], rule["ToPort"]) == (5432, 5432), key


@pytest.mark.parametrize(
    "ranges",
    [
        "0.0.0.0/0",
        "10.0.0.0/7",
        "10.0.0.0",
        "10.0.0.0/8, 10.1.0.0/16",
        "::/0",
        ",".join(["10.0.0.0/8"] * 5),
    ],
)
def test_neither_the_world_nor_what_is_no_list_of_ranges_is_taken(ranges: str) -> None:
    pattern = template("network")["Parameters"]["WebDBClientCidrs"]["AllowedPattern"]
    assert re.fullmatch(pattern, ranges) is None
    assert re.fullmatch(pattern, "10.0.0.0/8,192.168.1.0/24")
    assert re.fullmatch(pattern, "")


def test_connections_are_logged_by_option_to_a_log_of_their_own() -> None:
    assert [key for key in deployed("network") if key.startswith("FlowLog")] == []
    made = deployed("network", FlowLogs="true")
    assert (made["FlowLog"]["ResourceId"], made["FlowLog"]["TrafficType"]) == ("Vpc", "ALL")
    (policy,) = made["FlowLogRole"]["Policies"]
    (rule,) = policy["PolicyDocument"]["Statement"]
    name = made["FlowLogGroup"]["LogGroupName"]
    assert rule["Resource"] == f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*"


def test_every_outbound_rule_of_the_private_side_is_known() -> None:
    outbound = [
        (
            key,
            rule["FromPort"],
            rule["ToPort"],
            rule.get("DestinationPrefixListId")
            or rule.get("DestinationSecurityGroupId")
            or rule.get("CidrIp"),
        )
        for key, rule in rules("SecurityGroupEgress")
        if key != "WebDBSecurityGroup"
    ]
    prefixes = {"Ref": "S3PrefixListId"}
    assert outbound == [
        ("LambdaSecurityGroup", 443, 443, prefixes),
        ("WarehouseSecurityGroup", 443, 443, prefixes),
        ("EndpointSecurityGroup", 252, 86, "255.255.255.255/32"),
        ("LambdaToWarehouse", 5432, 5432, reference("WarehouseSecurityGroup")),
        ("WarehouseToEndpoints", 443, 443, reference("EndpointSecurityGroup")),
    ]


def test_no_group_keeps_aws_default_of_everything_out() -> None:
    groups = resources("network", "AWS::EC2::SecurityGroup")
    assert [
        key for key, value in groups.items() if not value["Properties"].get("SecurityGroupEgress")
    ] == []
    assert len(groups) == 4


def test_only_the_shops_own_ec2_may_reach_the_world() -> None:
    reaching = [key for key, rule in rules("SecurityGroupEgress") if rule.get("CidrIp") in WORLD]
    assert reaching == ["WebDBSecurityGroup"]
    webdb = resources("network")["WebDBInstance"]
    assert webdb["Condition"] == "HasWebDB"
    assert webdb["Properties"]["SubnetId"] == {"Ref": "PublicSubnet"}


def test_interface_endpoints_have_private_names_and_the_endpoints_group() -> None:
    made = {
        value["Properties"]["ServiceName"]["Fn::Sub"]: value
        for value in resources("network", "AWS::EC2::VPCEndpoint").values()
        if value["Properties"]["VpcEndpointType"] == "Interface"
    }
    assert sorted(made) == [
        "com.amazonaws.${AWS::Region}.ec2messages",
        "com.amazonaws.${AWS::Region}.ssm",
        "com.amazonaws.${AWS::Region}.ssmmessages",
    ]
    for name, value in made.items():
        assert value["Properties"]["PrivateDnsEnabled"] is True
        assert value["Properties"]["SecurityGroupIds"] == [reference("EndpointSecurityGroup")]
        assert value["Properties"]["SubnetIds"] == [{"Ref": "PrivateSubnet"}]
        optional = "HasEc2Messages" if name.endswith("ec2messages") else None
        assert value.get("Condition") == optional


def test_s3_is_reached_from_the_private_route_table_alone() -> None:
    endpoint = resources("network")["S3Endpoint"]["Properties"]
    assert endpoint["VpcEndpointType"] == "Gateway"
    assert endpoint["RouteTableIds"] == [{"Ref": "PrivateRouteTable"}]


def test_the_s3_endpoint_lets_pass_packages_transfers_and_raw_events_only() -> None:
    policy = resources("network")["S3Endpoint"]["Properties"]["PolicyDocument"]
    assert [(item["Sid"], item["Action"]) for item in policy["Statement"]] == [
        ("UnsignedPackages", "s3:GetObject"),
        ("AnsibleTransfers", ["s3:GetObject", "s3:PutObject"]),
        ("RawEvents", ["s3:GetObject", "s3:ListBucket"]),
    ]
    assert "Condition" not in statement(policy, "UnsignedPackages")
    for sid in ("AnsibleTransfers", "RawEvents"):
        assert statement(policy, sid)["Condition"] == {
            "StringEquals": {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}}
        }


def test_packages_are_read_through_this_endpoint_and_by_tls_alone() -> None:
    policy = resources("network")["ArtifactBucketPolicy"]["Properties"]["PolicyDocument"]
    assert [item["Sid"] for item in policy["Statement"]] == [
        "PackagesThroughTheEndpoint",
        "TlsOnly",
    ]
    reading = statement(policy, "PackagesThroughTheEndpoint")
    assert reading["Action"] == "s3:GetObject"
    assert reading["Condition"] == {"StringEquals": {"aws:SourceVpce": {"Ref": "S3Endpoint"}}}
    paths = [resource["Fn::Sub"][0] for resource in reading["Resource"]]
    assert paths == [
        "arn:${AWS::Partition}:s3:::${Bucket}/${PackagePrefix}/*",
        "arn:${AWS::Partition}:s3:::${Bucket}/${AgentPrefix}/*",
    ]
    refusing = statement(policy, "TlsOnly")
    assert (refusing["Effect"], refusing["Principal"], refusing["Action"]) == ("Deny", "*", "s3:*")
    assert refusing["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_function_and_the_code_prefix_are_not_for_the_endpoint() -> None:
    assert "lambda" not in text(resources("network")["ArtifactBucketPolicy"])


def test_the_prefix_list_of_s3_is_given_not_guessed() -> None:
    assert "Default" not in template("network")["Parameters"]["S3PrefixListId"]
