"""A VPC's plan: which address is what, and podman's network for each subnet.

Of every subnet AWS keeps the first four addresses: the network, the router (.1), the resolver
(.2) and one in reserve (.3), where the miniature puts the door of the S3 gateway endpoint.
Source: Amazon VPC user guide, "Subnet CIDR blocks".
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from local_aws.namespace import Namespace
from local_aws.paths import State
from local_aws.podman import Podman

Answer = Mapping[str, Any]


def router(cidr: str) -> str:
    """Return the address of a subnet's router."""
    return str(IPv4Network(cidr)[1])


def resolver(cidr: str) -> str:
    """Return the address of a subnet's DNS resolver."""
    return str(IPv4Network(cidr)[2])


def s3_door(cidr: str) -> str:
    """Return the address that S3's names have in a subnet."""
    return str(IPv4Network(cidr)[3])


def endpoint_address(cidr: str, number: int) -> str:
    """Return the address of a subnet's interface endpoint number 0, 1, …, from its top."""
    network = IPv4Network(cidr)
    offset = -6 + number if number < 5 else -2 - number
    return str(network[offset])


@dataclass(frozen=True)
class Subnet:
    """A subnet, its VPC's blocks, and whether its route table leads to the S3 gateway."""

    id: str
    cidr: str
    vpc: str
    vpc_cidrs: tuple[str, ...] = ()
    s3: bool = False

    def holds(self, address: str) -> bool:
        """Tell whether an address is of this subnet."""
        return IPv4Address(address) in IPv4Network(self.cidr)


@dataclass(frozen=True)
class Endpoint:
    """One interface endpoint's address in one subnet."""

    id: str
    service: str
    address: str
    vpc: str
    subnet: str
    private_dns: bool = True
    groups: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """All that DNS, the gateway and the firewall need to know of the VPCs."""

    subnets: tuple[Subnet, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    interfaces: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def subnet_of(self, address: str) -> Subnet | None:
        """Return the subnet that an address is of."""
        return next((subnet for subnet in self.subnets if subnet.holds(address)), None)

    def to_json(self) -> str:
        """Return the plan as text, the same for the same plan."""
        return json.dumps(asdict(self), indent=1, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read what to_json wrote."""
        data = json.loads(text)
        subnets = [
            Subnet(**{**row, "vpc_cidrs": tuple(row["vpc_cidrs"])}) for row in data["subnets"]
        ]
        endpoints = [
            Endpoint(**{**row, "groups": tuple(row["groups"])}) for row in data["endpoints"]
        ]
        interfaces = {address: tuple(groups) for address, groups in data["interfaces"].items()}
        return cls(tuple(subnets), tuple(endpoints), interfaces)


def route_table_of(subnet: Answer, tables: Sequence[Answer]) -> Answer | None:
    """Return the route table that holds for a subnet: its own, else its VPC's main one."""
    main = None
    for table in tables:
        for association in table.get("Associations", []):
            if association.get("SubnetId") == subnet["SubnetId"]:
                return table
            if association.get("Main") and table["VpcId"] == subnet["VpcId"]:
                main = table
    return main


def routes_of(subnet: Subnet) -> list[tuple[str, str]]:
    """Return (block, router) for each block of the VPC beyond the subnet itself.

    There is never a default route: in the miniature a route to an internet or NAT gateway
    leads nowhere, as there is no internet.
    """
    own = IPv4Network(subnet.cidr)
    beyond = [block for block in subnet.vpc_cidrs if IPv4Network(block) != own]
    return [(block, router(subnet.cidr)) for block in beyond]


def derive(
    vpcs: Sequence[Answer],
    subnets: Sequence[Answer],
    tables: Sequence[Answer],
    endpoints: Sequence[Answer],
    interfaces: Sequence[Answer],
) -> Plan:
    """Return the plan from what EC2 answers to its describe calls."""
    blocks = {vpc["VpcId"]: _blocks(vpc) for vpc in vpcs}
    gateways = [e for e in endpoints if e.get("VpcEndpointType") == "Gateway"]
    s3_tables = {
        table
        for endpoint in gateways
        if endpoint["ServiceName"].endswith(".s3")
        for table in endpoint.get("RouteTableIds", [])
    }
    planned = []
    for subnet in sorted(subnets, key=lambda row: str(row["SubnetId"])):
        table = route_table_of(subnet, tables)
        planned.append(
            Subnet(
                subnet["SubnetId"],
                subnet["CidrBlock"],
                subnet["VpcId"],
                blocks.get(subnet["VpcId"], ()),
                table is not None and table["RouteTableId"] in s3_tables,
            )
        )
    doors = tuple(_endpoints(planned, endpoints, interfaces))
    return Plan(tuple(planned), doors, _groups(planned, interfaces))


def _blocks(vpc: Answer) -> tuple[str, ...]:
    associated = [row["CidrBlock"] for row in vpc.get("CidrBlockAssociationSet", [])]
    return tuple(dict.fromkeys([vpc["CidrBlock"], *associated]))


def _endpoints(
    subnets: Sequence[Subnet], answers: Sequence[Answer], interfaces: Sequence[Answer]
) -> list[Endpoint]:
    """Return the interface endpoints, at their interfaces' addresses where those make sense.

    moto gives them addresses from anywhere; such an endpoint gets one from its subnet's top.
    """
    by_id = {subnet.id: subnet for subnet in subnets}
    cards = {(row["NetworkInterfaceId"], row["SubnetId"]): row for row in interfaces}
    taken: dict[str, int] = {}
    found = []
    wanted = [e for e in answers if e.get("VpcEndpointType") == "Interface"]
    for answer in sorted(wanted, key=lambda row: str(row["ServiceName"])):
        if str(answer.get("State", "available")).lower() not in ("available", "pending"):
            continue
        for subnet_id in answer.get("SubnetIds", []):
            if subnet_id not in by_id:
                continue
            mine = (cards.get((i, subnet_id)) for i in answer.get("NetworkInterfaceIds", []))
            address = next((str(card["PrivateIpAddress"]) for card in mine if card), "")
            if not address or not by_id[subnet_id].holds(address):
                number = taken.get(subnet_id, 0)
                taken[subnet_id] = number + 1
                address = endpoint_address(by_id[subnet_id].cidr, number)
            found.append(
                Endpoint(
                    answer["VpcEndpointId"],
                    answer["ServiceName"].rpartition(".")[2],
                    address,
                    answer["VpcId"],
                    subnet_id,
                    bool(answer.get("PrivateDnsEnabled", True)),
                    tuple(sorted(group["GroupId"] for group in answer.get("Groups", []))),
                )
            )
    return found


def _groups(subnets: Sequence[Subnet], interfaces: Sequence[Answer]) -> dict[str, tuple[str, ...]]:
    """Return address -> security groups of the interfaces that are in their subnet's block.

    Those from elsewhere (moto's for interface endpoints) are no part of the plan.
    """
    by_id = {subnet.id: subnet for subnet in subnets}
    found = {}
    # One in use last, so that it counts where a left-over one has the same address.
    for interface in sorted(interfaces, key=lambda row: row.get("Status") == "in-use"):
        subnet = by_id.get(interface.get("SubnetId", ""))
        groups = tuple(sorted(group["GroupId"] for group in interface.get("Groups", [])))
        addresses = [row["PrivateIpAddress"] for row in interface.get("PrivateIpAddresses", [])]
        for address in {*addresses, interface.get("PrivateIpAddress")} - {None, ""}:
            if subnet is not None and subnet.holds(address):
                found[address] = groups
    return dict(sorted(found.items()))


def network_name(subnet_id: str) -> str:
    """Return the name of podman's network for a subnet."""
    return f"net-{subnet_id}"


def ensure_subnet_network(state: State, subnet_id: str, cidr: str) -> str:
    """Make podman's network of a subnet unless there is one; return its name.

    Safe to call from several processes. The resolver's and the S3 door's addresses exist when
    this returns.
    """
    podman = Podman(state)
    name = network_name(subnet_id)
    with state.lock("network"):
        if podman.run("network", "exists", name, check=False).returncode != 0:
            plan = ["--internal", "--disable-dns", "--subnet", cidr, "--gateway", router(cidr)]
            podman.run("network", "create", *plan, name)
        ensure_addresses(podman.namespace, [resolver(cidr), s3_door(cidr)])
    return name


def ensure_addresses(namespace: Namespace, addresses: Sequence[str]) -> None:
    """Give the namespace addresses that it then answers for on every bridge in it.

    They are local routes and no interface's, because a bridge comes and goes with its containers
    and because podman refuses a subnet that an interface's address is in.
    """
    if addresses:
        lines = "".join(f"route replace local {a}/32 dev lo table local\n" for a in addresses)
        namespace.run(["ip", "-batch", "-"], input=lines)
