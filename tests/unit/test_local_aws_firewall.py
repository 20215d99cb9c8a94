"""Security groups as nftables text."""

import re
import shutil
import subprocess

import pytest

from local_aws.firewall import rule_set
from local_aws.network import Endpoint, Plan, Subnet

PLAN = Plan(
    (
        Subnet("subnet-a", "10.0.0.0/20", "vpc-1", ("10.0.0.0/16",), False),
        Subnet("subnet-b", "10.0.128.0/20", "vpc-1", ("10.0.0.0/16",), True),
    ),
    (Endpoint("vpce-1", "ssm", "10.0.143.250", "vpc-1", "subnet-b", True, ("sg-e",)),),
    {"10.0.128.10": ("sg-dwh",), "10.0.128.20": ("sg-etl",), "10.0.143.250": ("sg-e",)},
)
LISTS = {
    "pl-1": "com.amazonaws.ap-southeast-1.s3",
    "pl-2": "com.amazonaws.ap-southeast-1.dynamodb",
}


def permission(protocol: str, first: int, last: int, **peers: object) -> dict[str, object]:
    return {"IpProtocol": protocol, "FromPort": first, "ToPort": last, **peers}


def group(identifier: str, *, out: list[object] = [], into: list[object] = []) -> dict[str, object]:  # noqa: B006
    return {"GroupId": identifier, "IpPermissionsEgress": out, "IpPermissions": into}


GROUPS = [
    group("sg-dwh", into=[permission("tcp", 5432, 5432, UserIdGroupPairs=[{"GroupId": "sg-etl"}])]),
    group(
        "sg-etl",
        out=[
            permission("tcp", 443, 443, PrefixListIds=[{"PrefixListId": "pl-1"}]),
            permission("tcp", 5432, 5432, UserIdGroupPairs=[{"GroupId": "sg-dwh"}]),
        ],
    ),
    group("sg-e", into=[permission("tcp", 443, 443, UserIdGroupPairs=[{"GroupId": "sg-dwh"}])]),
]


def body(text: str, kind: str, name: str) -> list[str]:
    found = re.search(rf"^  {kind} {name} {{\n(.*?)^  }}$", text, re.MULTILINE | re.DOTALL)
    assert found is not None, text
    return [line.strip() for line in found.group(1).splitlines()]


def chain_of(name: str, *groups: dict[str, object]) -> list[str]:
    return body(rule_set(PLAN, groups, LISTS), "chain", name)


def test_a_group_as_peer_is_the_set_of_its_addresses() -> None:
    text = rule_set(PLAN, GROUPS, LISTS)
    assert body(text, "set", "sg_etl") == ["type ipv4_addr", "elements = { 10.0.128.20 }"]
    assert body(text, "chain", "in_sg_dwh") == [
        "ip saddr @sg_etl tcp dport 5432 meta mark set 1 return"
    ]


def test_the_prefix_list_of_s3_is_the_doors() -> None:
    text = rule_set(PLAN, GROUPS, LISTS)
    assert body(text, "chain", "out_sg_etl") == [
        "ip daddr @s3_doors tcp dport 443 meta mark set 1 return",
        "ip daddr @sg_dwh tcp dport 5432 meta mark set 1 return",
    ]
    assert body(text, "set", "s3_doors") == [
        "type ipv4_addr",
        "elements = { 10.0.0.3, 10.0.128.3 }",
    ]


def test_a_group_without_rules_lets_nothing_pass() -> None:
    text = rule_set(PLAN, GROUPS, LISTS)
    assert body(text, "chain", "out_sg_dwh") == []
    assert body(text, "chain", "out_10_0_128_10") == ["jump out_sg_dwh"]


def test_everything_to_everywhere_has_no_condition() -> None:
    anywhere = permission("-1", -1, -1, IpRanges=[{"CidrIp": "0.0.0.0/0"}])
    assert chain_of("out_sg_dwh", group("sg-dwh", out=[anywhere])) == ["meta mark set 1 return"]


def test_a_block_of_the_vpc_does_not_include_s3() -> None:
    inside = permission("tcp", 443, 443, IpRanges=[{"CidrIp": "10.0.0.0/16"}])
    assert chain_of("out_sg_dwh", group("sg-dwh", out=[inside])) == [
        "ip daddr 10.0.0.0/16 ip daddr != @s3_doors tcp dport 443 meta mark set 1 return"
    ]


@pytest.mark.parametrize(
    ("protocol", "first", "last", "match"),
    [
        ("tcp", 8000, 8010, "tcp dport 8000-8010 "),
        ("17", 53, 53, "udp dport 53 "),
        ("tcp", -1, -1, "meta l4proto tcp "),
        ("icmp", -1, -1, "ip protocol icmp "),
        ("icmp", 8, -1, "icmp type 8 "),
    ],
)
def test_a_protocol_and_its_ports(protocol: str, first: int, last: int, match: str) -> None:
    rule = permission(protocol, first, last, IpRanges=[{"CidrIp": "10.0.0.7/32"}])
    assert chain_of("in_sg_dwh", group("sg-dwh", into=[rule])) == [
        f"ip saddr 10.0.0.7/32 {match}meta mark set 1 return"
    ]


def test_what_is_not_understood_admits_nothing() -> None:
    rules: list[object] = [
        permission("tcp", 443, 443, PrefixListIds=[{"PrefixListId": "pl-2"}]),
        permission("esp", -1, -1, IpRanges=[{"CidrIp": "0.0.0.0/0"}]),
        permission("tcp", 443, 443, UserIdGroupPairs=[{"GroupId": "sg-gone"}]),
    ]
    assert chain_of("out_sg_dwh", group("sg-dwh", out=rules)) == []


def test_a_subnet_without_the_gateway_is_kept_from_s3() -> None:
    chain = chain_of("input", *GROUPS)
    assert "ip saddr 10.0.0.0/20 ip daddr @s3_doors drop" in chain
    assert not any(line.startswith("ip saddr 10.0.128.0/20 ip daddr @s3_doors") for line in chain)


def test_both_hooks_drop_what_no_rule_admits() -> None:
    for hook in ("forward", "input"):
        chain = chain_of(hook, *GROUPS)
        assert chain[0] == f"type filter hook {hook} priority 0; policy drop;"
        assert chain[-2:] == ["meta mark != 1 drop", "accept"]


def test_without_any_interface_nothing_is_admitted() -> None:
    text = rule_set(Plan(), [], {})
    assert body(text, "chain", "forward")[3:] == [
        "meta mark set 0",
        "meta mark != 1 drop",
        "meta mark set 0",
        "meta mark != 1 drop",
        "accept",
    ]
    assert body(text, "chain", "input")[-1] == "drop"


def test_nft_takes_the_text() -> None:
    nft = shutil.which("nft")
    if nft is None:
        pytest.skip("nft is not installed")
    checked = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", nft, "--check", "-f", "-"],
        input=rule_set(PLAN, GROUPS, LISTS),
        capture_output=True,
        text=True,
    )
    if "unshare failed" in checked.stderr:
        pytest.skip("this machine allows no user namespace")
    assert (checked.returncode, checked.stderr) == (0, "")
