"""Who reaches whom, tried by packets: from hosts that nothing but their group tells apart."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from local_aws import image
from local_aws.network import ensure_subnet_network, s3_door
from local_aws.paths import State
from local_aws.podman import Podman
from tests.system.conftest import STATE, Running

# Prints for each address and port: open, refused (somebody answers: the packet came through) or dropped.
KNOCK = """
import json, socket, sys
said = []
for host, port in json.loads(sys.argv[1]):
    with socket.socket() as knocking:
        knocking.settimeout(2)
        try:
            knocking.connect((host, port))
            said.append("open")
        except ConnectionRefusedError:
            said.append("refused")
        except OSError:
            said.append("dropped")
print(json.dumps(said))
"""
WORLD = "198.51.100.1"  # an address of documentation: nobody's


class Prober:
    """Sends packets from an address of the private subnet that has a group, as a host there does."""

    def __init__(self, demo: Running) -> None:
        self.demo = demo
        self.ec2 = demo.client("ec2")
        (self.subnet,) = self.ec2.describe_subnets(
            Filters=[{"Name": "tag:Name", "Values": ["*private1*"]}]
        )["Subnets"]
        self.state = State.at(STATE)
        self.podman = Podman(self.state)

    def group(self, name: str) -> str:
        (found,) = self.ec2.describe_security_groups(
            Filters=[
                {"Name": "group-name", "Values": [name]},
                {"Name": "vpc-id", "Values": [self.subnet["VpcId"]]},
            ]
        )["SecurityGroups"]
        return str(found["GroupId"])

    @contextmanager
    def host(self, address: str, group: str) -> Iterator[str]:
        """Have a host of a group at an address; yield its container's name."""
        interface = self.ec2.create_network_interface(
            SubnetId=self.subnet["SubnetId"], PrivateIpAddress=address, Groups=[self.group(group)]
        )["NetworkInterface"]["NetworkInterfaceId"]
        network = ensure_subnet_network(
            self.state, self.subnet["SubnetId"], self.subnet["CidrBlock"]
        )
        name = f"probe-{address.rpartition('.')[2]}"
        try:
            self.podman.run(
                *("run", "--detach", f"--name={name}", f"--network={network}:ip={address}"),
                *("--dns-search=.", "--cgroups=disabled", "--entrypoint=sleep"),
                *(image.ensure(self.podman), "600"),
            )
            yield name
        finally:
            self.podman.remove(name)
            self.ec2.delete_network_interface(NetworkInterfaceId=interface)

    def knock(self, name: str, *targets: tuple[str, int]) -> list[str]:
        wanted = json.dumps(targets)
        done = self.podman.run("exec", name, "python3", "-c", KNOCK, wanted)
        return list(json.loads(done.stdout))

    def knock_until(self, name: str, target: tuple[str, int], said: str) -> None:
        """Wait until the rules for a new address are in force."""
        until = time.monotonic() + 30
        while self.knock(name, target) != [said]:
            assert time.monotonic() < until, f"{target} from {name} is not {said}"


@pytest.fixture(scope="module")
def prober(demo: Running) -> Prober:
    return Prober(demo)


@pytest.fixture(scope="module")
def warehouse(demo: Running) -> Iterator[str]:
    """The warehouse's address, where something listens on the dashboard's port as well."""
    address = demo.outputs("warehouse")["DwhHost"]
    serve = f"exec python3 -m http.server --bind {address} --directory /var/empty 3838"
    demo.on_host("install", "-d", "/var/empty")
    demo.on_host("systemd-run", "--unit=probed", "--collect", "sh", "-c", serve)
    try:
        yield str(address)
    finally:
        demo.on_host("systemctl", "stop", "probed")


def test_the_function_reaches_the_database_and_s3_and_nothing_else(
    prober: Prober, warehouse: str
) -> None:
    with prober.host("10.0.140.10", "sg_Lambda_ETL") as function:
        prober.knock_until(function, (warehouse, 5432), "open")
        assert prober.knock(
            function, (warehouse, 3838), (warehouse, 22), (_s3(prober), 443), (WORLD, 443)
        ) == ["dropped", "dropped", "open", "dropped"]


def test_another_host_of_the_subnet_reaches_neither_database_nor_dashboard(
    prober: Prober, warehouse: str
) -> None:
    with prober.host("10.0.140.11", "default") as other:
        # Packets do travel: its group lets everything out.
        prober.knock_until(other, (_s3(prober), 443), "open")
        assert (
            prober.knock(other, (warehouse, 5432), (warehouse, 3838), (WORLD, 443))
            == ["dropped"] * 3
        )


def test_the_dashboards_rule_admits_nobody_from_outside_the_host(
    prober: Prober, warehouse: str, demo: Running
) -> None:
    # Something listens there: the host itself gets through.
    assert demo.on_host("bash", "-c", f"exec 3<>/dev/tcp/{warehouse}/3838 && echo open") == "open"
    with prober.host("10.0.140.13", "sg_analytics_ShinyDWH") as twin:
        # The group may not send there, though it would be let in.
        prober.knock_until(twin, (_endpoint(prober), 443), "open")
        assert prober.knock(twin, (warehouse, 3838), (warehouse, 5432)) == ["dropped", "dropped"]


def _s3(prober: Prober) -> str:
    return s3_door(prober.subnet["CidrBlock"])


def _endpoint(prober: Prober) -> str:
    found: Any = prober.ec2.describe_vpc_endpoints(
        Filters=[{"Name": "vpc-endpoint-type", "Values": ["Interface"]}]
    )["VpcEndpoints"][0]
    (interface,) = prober.ec2.describe_network_interfaces(
        NetworkInterfaceIds=found["NetworkInterfaceIds"][:1]
    )["NetworkInterfaces"]
    return str(interface["PrivateIpAddress"])
