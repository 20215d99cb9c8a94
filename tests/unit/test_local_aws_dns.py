"""What the VPC's resolver answers."""

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from local_aws.dns import answer, service_of
from local_aws.network import Endpoint, Plan, Subnet

PLAN = Plan(
    (
        Subnet("subnet-a", "10.0.0.0/20", "vpc-1", ("10.0.0.0/16",)),
        Subnet("subnet-b", "10.0.128.0/20", "vpc-1", ("10.0.0.0/16",), True),
        Subnet("subnet-z", "172.31.0.0/20", "vpc-2", ("172.31.0.0/16",)),
    ),
    (
        Endpoint("vpce-1", "ssm", "10.0.143.250", "vpc-1", "subnet-b"),
        Endpoint("vpce-1", "ssm", "10.0.15.250", "vpc-1", "subnet-a"),
        Endpoint("vpce-2", "ssmmessages", "10.0.143.251", "vpc-1", "subnet-b"),
        Endpoint("vpce-3", "logs", "10.0.143.252", "vpc-1", "subnet-b", False),
    ),
    {"10.0.128.10": ("sg-1",)},
)


def ask(name: str, client: str = "10.0.128.10", kind: str = "A") -> tuple[str, list[str]]:
    query = DNSRecord.question(name, kind).pack()  # type: ignore[no-untyped-call]
    reply = DNSRecord.parse(answer(PLAN, client, query))  # type: ignore[no-untyped-call]
    assert reply.q.qtype == getattr(QTYPE, kind)
    return RCODE[reply.header.rcode], [str(record.rdata) for record in reply.rr]


@pytest.mark.parametrize(
    ("client", "name", "address"),
    [
        ("10.0.128.10", "s3.ap-southeast-1.amazonaws.com", "10.0.128.3"),
        ("10.0.0.7", "some-bucket.s3.ap-southeast-1.amazonaws.com", "10.0.0.3"),
        ("10.0.128.10", "S3.amazonaws.com", "10.0.128.3"),
        ("10.0.128.10", "ssm.ap-southeast-1.amazonaws.com", "10.0.143.250"),
        ("10.0.0.7", "ssm.ap-southeast-1.amazonaws.com", "10.0.15.250"),
        ("10.0.0.7", "ssmmessages.ap-southeast-1.amazonaws.com", "10.0.143.251"),
        ("10.0.0.7", "ip-10-0-128-10.ap-southeast-1.compute.internal", "10.0.128.10"),
    ],
)
def test_a_name_with_a_door_has_its_address(client: str, name: str, address: str) -> None:
    assert ask(name, client) == ("NOERROR", [address])


@pytest.mark.parametrize(
    "name",
    [
        "example.com",
        "packages.example.org",
        "ec2.ap-southeast-1.amazonaws.com",
        "ssm.eu-west-1.amazonaws.com",
        "x.ssm.ap-southeast-1.amazonaws.com",
        "logs.ap-southeast-1.amazonaws.com",
        "ip-10-0-128-99.ap-southeast-1.compute.internal",
    ],
)
def test_anything_else_does_not_exist(name: str) -> None:
    assert ask(name) == ("NXDOMAIN", [])


def test_an_endpoint_is_not_known_in_another_vpc() -> None:
    assert ask("ssm.ap-southeast-1.amazonaws.com", "172.31.0.9") == ("NXDOMAIN", [])


def test_a_known_name_has_no_ipv6_address_but_exists() -> None:
    assert ask("s3.ap-southeast-1.amazonaws.com", kind="AAAA") == ("NOERROR", [])


def test_a_private_address_has_its_private_name() -> None:
    name = "ip-10-0-128-10.ap-southeast-1.compute.internal."
    assert ask("10.128.0.10.in-addr.arpa", kind="PTR") == ("NOERROR", [name])
    assert ask("99.128.0.10.in-addr.arpa", kind="PTR") == ("NXDOMAIN", [])


def test_a_stranger_is_refused() -> None:
    assert ask("s3.ap-southeast-1.amazonaws.com", "192.0.2.1") == ("REFUSED", [])


@pytest.mark.parametrize(
    ("name", "service"),
    [
        ("ssmmessages.ap-southeast-1.amazonaws.com", "ssmmessages"),
        ("b.s3.dualstack.ap-southeast-1.amazonaws.com", "s3"),
        ("amazonaws.com", None),
        ("ap-southeast-1.amazonaws.com", None),
        ("s3.ap-southeast-1.amazonaws.com.example.com", None),
        ("evilamazonaws.com", None),
    ],
)
def test_the_service_of_a_name(name: str, service: str | None) -> None:
    assert service_of(name) == service
