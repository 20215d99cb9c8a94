"""A VPC's plan from what EC2 answers."""

from local_aws.network import Endpoint, Plan, Subnet, derive, endpoint_address, routes_of

VPC = {
    "VpcId": "vpc-1",
    "CidrBlock": "10.0.0.0/16",
    "CidrBlockAssociationSet": [{"CidrBlock": "10.0.0.0/16"}],
}
PRIVATE = {"SubnetId": "subnet-b", "VpcId": "vpc-1", "CidrBlock": "10.0.128.0/20"}
PUBLIC = {"SubnetId": "subnet-a", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/20"}
MAIN = {"RouteTableId": "rtb-main", "VpcId": "vpc-1", "Associations": [{"Main": True}]}
OWN = {
    "RouteTableId": "rtb-own",
    "VpcId": "vpc-1",
    "Associations": [{"Main": False, "SubnetId": "subnet-b"}],
}


def gateway(*tables: str) -> dict[str, object]:
    return {
        "VpcEndpointId": "vpce-s3",
        "VpcEndpointType": "Gateway",
        "VpcId": "vpc-1",
        "ServiceName": "com.amazonaws.ap-southeast-1.s3",
        "State": "available",
        "RouteTableIds": list(tables),
    }


def interface_endpoint(service: str, *cards: str) -> dict[str, object]:
    return {
        "VpcEndpointId": f"vpce-{service}",
        "VpcEndpointType": "Interface",
        "VpcId": "vpc-1",
        "ServiceName": f"com.amazonaws.ap-southeast-1.{service}",
        "State": "available",
        "SubnetIds": ["subnet-b"],
        "Groups": [{"GroupId": "sg-endpoints"}],
        "PrivateDnsEnabled": True,
        "NetworkInterfaceIds": list(cards),
    }


def card(identifier: str, address: str, group: str, status: str = "in-use") -> dict[str, object]:
    return {
        "NetworkInterfaceId": identifier,
        "SubnetId": "subnet-b",
        "PrivateIpAddress": address,
        "PrivateIpAddresses": [{"PrivateIpAddress": address}],
        "Groups": [{"GroupId": group}],
        "Status": status,
    }


def s3_by_subnet(endpoint: dict[str, object]) -> dict[str, bool]:
    plan = derive([VPC], [PRIVATE, PUBLIC], [MAIN, OWN], [endpoint], [])
    return {subnet.id: subnet.s3 for subnet in plan.subnets}


def test_s3_is_open_to_a_subnet_whose_own_route_table_has_the_gateway() -> None:
    assert s3_by_subnet(gateway("rtb-own")) == {"subnet-a": False, "subnet-b": True}


def test_a_subnet_without_a_route_table_of_its_own_uses_the_main_one() -> None:
    assert s3_by_subnet(gateway("rtb-main")) == {"subnet-a": True, "subnet-b": False}


def test_a_gateway_without_route_tables_opens_s3_to_nobody() -> None:
    assert s3_by_subnet(gateway()) == {"subnet-a": False, "subnet-b": False}


def test_an_endpoint_is_at_its_interface_address() -> None:
    cards = [card("eni-1", "10.0.143.254", "sg-endpoints")]
    plan = derive([VPC], [PRIVATE], [MAIN], [interface_endpoint("ssm", "eni-1")], cards)
    assert [(e.service, e.address, e.groups) for e in plan.endpoints] == [
        ("ssm", "10.0.143.254", ("sg-endpoints",))
    ]


def test_an_endpoint_with_an_address_from_elsewhere_gets_one_from_the_subnets_top() -> None:
    cards = [card("eni-1", "10.16.1.2", "sg-e"), card("eni-2", "10.99.1.2", "sg-e")]
    endpoints = [interface_endpoint("ssm", "eni-1"), interface_endpoint("ssmmessages", "eni-2")]
    plan = derive([VPC], [PRIVATE], [MAIN], endpoints, cards)
    assert [e.address for e in plan.endpoints] == ["10.0.143.250", "10.0.143.251"]
    assert plan.interfaces == {}


def test_more_than_five_endpoints_go_on_below() -> None:
    found = [endpoint_address("10.0.128.0/20", number) for number in range(7)]
    assert found[4:] == ["10.0.143.254", "10.0.143.249", "10.0.143.248"]


def test_an_interface_in_use_counts_where_a_left_over_has_its_address() -> None:
    cards = [
        card("eni-1", "10.0.128.9", "sg-new"),
        card("eni-0", "10.0.128.9", "sg-old", "available"),
    ]
    plan = derive([VPC], [PRIVATE], [MAIN], [], cards)
    assert plan.interfaces == {"10.0.128.9": ("sg-new",)}


def test_routes_are_the_vpcs_blocks_by_the_router_and_never_a_default_route() -> None:
    subnet = Subnet("subnet-b", "10.0.128.0/20", "vpc-1", ("10.0.0.0/16", "10.1.0.0/16"))
    assert routes_of(subnet) == [("10.0.0.0/16", "10.0.128.1"), ("10.1.0.0/16", "10.0.128.1")]


def test_a_subnet_that_is_the_whole_vpc_needs_no_route() -> None:
    assert routes_of(Subnet("subnet-b", "10.0.0.0/16", "vpc-1", ("10.0.0.0/16",))) == []


def test_a_plan_survives_its_file() -> None:
    plan = Plan(
        (Subnet("subnet-b", "10.0.128.0/20", "vpc-1", ("10.0.0.0/16",), True),),
        (Endpoint("vpce-1", "ssm", "10.0.143.250", "vpc-1", "subnet-b", True, ("sg-1",)),),
        {"10.0.128.10": ("sg-2",)},
    )
    assert Plan.from_json(plan.to_json()) == plan
