"""EC2 instances as booted containers, each with its private address and no way out."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local_aws.ca import subject_hash
from local_aws.dns import private_name
from local_aws.network import (
    Answer,
    Plan,
    Subnet,
    ensure_subnet_network,
    resolver,
    routes_of,
)
from local_aws.paths import REGION, State, write_atomically
from local_aws.podman import BOOTED, Podman

LOG = logging.getLogger("instances")
LABEL = "local-aws.instance"
_BUNDLE = "etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Instance:
    """What decides one instance's container."""

    id: str
    state: str
    subnet: str
    address: str
    mac: str = ""

    @property
    def wanted(self) -> bool:
        """Tell whether it should run."""
        return self.state in ("pending", "running")

    @property
    def kept(self) -> bool:
        """Tell whether its disk should be kept: it runs or may be started again."""
        return self.state not in ("shutting-down", "terminated")


def instances(reservations: Sequence[Answer]) -> list[Instance]:
    """Return the instances in describe_instances' reservations, terminated ones too."""
    found = []
    for reservation in reservations:
        for row in reservation["Instances"]:
            cards = row.get("NetworkInterfaces", [])
            first: Answer = next((c for c in cards if c["Attachment"]["DeviceIndex"] == 0), {})
            # An interface with a life of its own brings its address with it.
            address = first.get("PrivateIpAddress") or row.get("PrivateIpAddress", "")
            subnet = first.get("SubnetId") or row.get("SubnetId", "")
            mac = first.get("MacAddress", "")
            found.append(Instance(row["InstanceId"], row["State"]["Name"], subnet, address, mac))
    return sorted(found, key=lambda one: one.id)


def user_data(answer: Answer) -> bytes:
    """Return the user data in describe_instance_attribute's answer; empty for none."""
    value = answer.get("UserData", {}).get("Value", "")
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error:
        return str(value).encode()


class Instances:
    """Make, boot, stop and remove the containers of one miniature's instances."""

    def __init__(self, state: State, image: str) -> None:
        self.state = state
        self.podman = Podman(state)
        self.image = image
        self._hash = subject_hash(state.ca_certificate)

    def present(self) -> dict[str, int]:
        """Return instance id -> its first process as numbered inside, 0 when it is stopped."""
        rows = self.podman.containers(LABEL)
        return {
            row["Labels"][LABEL]: int(row["Pid"]) if row["State"] == "running" else 0
            for row in rows
        }

    def create(self, instance: Instance, subnet: Subnet, data: bytes) -> None:
        """Make an instance's container, with everything in place that its first boot needs."""
        network = ensure_subnet_network(self.state, subnet.id, subnet.cidr)
        cloud = self._cloud(instance, data)
        options = ["--name", instance.id, "--hostname", private_name(instance.address)]
        options += ["--label", f"{LABEL}={instance.id}", *BOOTED]
        options += ["--network", network, "--ip", instance.address]
        if instance.mac:
            options += ["--mac-address", instance.mac]
        options += ["--dns", resolver(subnet.cidr), "--dns-search", f"{REGION}.compute.internal"]
        options += ["--volume", f"{cloud}:/var/lib/cloud"]
        self.podman.run("create", *options, self.image)
        self._trust(instance)
        LOG.info("event=created instance=%s address=%s", instance.id, instance.address)

    def _cloud(self, instance: Instance, data: bytes) -> Path:
        """Write what cloud-init would keep, and return the directory's path."""
        cloud = self.state.instances / instance.id
        (cloud / "data").mkdir(parents=True, exist_ok=True)
        write_atomically(cloud / "data" / "instance-id", f"{instance.id}\n")
        (cloud / "instances" / instance.id).mkdir(parents=True, exist_ok=True)
        link = cloud / "instance"
        if not link.is_symlink():
            link.symlink_to(f"/var/lib/cloud/instances/{instance.id}")
        if data:
            script = cloud / "data" / "user-data"
            script.write_bytes(data)
            script.chmod(0o600)
        return cloud

    def _trust(self, instance: Instance) -> None:
        """Add the throwaway authority to the trust store, as update-ca-certificates would."""
        inside = self.podman.run("mount", instance.id).stdout.strip()
        root = Path(f"/proc/{self.podman.namespace.pid}/root{inside}")
        certificate = self.state.ca_certificate.read_text()
        source = root / "usr/local/share/ca-certificates/local-aws.crt"
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(certificate)
        store = root / "etc/ssl/certs"
        (store / "local-aws.pem").symlink_to("/usr/local/share/ca-certificates/local-aws.crt")
        (store / f"{self._hash}.0").symlink_to("local-aws.pem")
        with (root / _BUNDLE).open("a") as handle:
            handle.write(certificate)
        self.podman.run("unmount", instance.id)

    def start(self, instance: Instance, subnet: Subnet) -> None:
        """Boot an instance's container and give it the routes of its route table."""
        self.podman.run("start", instance.id)
        for block, gateway in routes_of(subnet):
            argv = ["ip", "route", "replace", block, "via", gateway]
            self.podman.in_container(instance.id, argv)
        LOG.info("event=started instance=%s", instance.id)

    def stop(self, instance_id: str) -> None:
        """Shut an instance's container down, keeping its disk."""
        self.podman.run("stop", "--time", "20", instance_id, check=False)
        LOG.info("event=stopped instance=%s", instance_id)

    def remove(self, instance_id: str) -> None:
        """Remove an instance's container and its disk; its journal goes to the logs first."""
        if self.podman.running(instance_id):
            self.keep_journal(instance_id)
            self.podman.run("stop", "--time", "10", instance_id, check=False)
        self.podman.remove(instance_id)
        LOG.info("event=removed instance=%s", instance_id)

    def keep_journal(self, instance_id: str) -> None:
        """Write a running instance's journal to the logs."""
        read = ("exec", instance_id, "journalctl", "--no-pager", "--quiet", "--boot")
        journal = self.podman.run(*read, check=False)
        write_atomically(self.state.logs / f"{instance_id}.journal.log", journal.stdout)

    def record_user_data(self, instance_id: str) -> int | None:
        """Return the status that an instance's user data ended with, None while it runs.

        The first time it is seen, its output and status are written to the logs.
        """
        status_file = self.state.instances / instance_id / "data" / "user-data.status"
        try:
            status = int(status_file.read_text())
        except (FileNotFoundError, ValueError):
            return None
        log = self.state.logs / f"{instance_id}.user-data.log"
        if not log.exists():
            read = ("exec", instance_id, "cat", "/var/log/cloud-init-output.log")
            output = self.podman.run(*read, check=False).stdout
            write_atomically(log, f"{output}exit status {status}\n")
            level = logging.INFO if status == 0 else logging.ERROR
            LOG.log(level, "event=user_data instance=%s status=%d", instance_id, status)
            if status != 0:
                self.keep_journal(instance_id)
        return status


def difference(
    wanted: Sequence[Instance], present: Mapping[str, int], plan: Plan
) -> list[tuple[str, Instance]]:
    """Return the steps (`create`, `start`, `stop`, `remove`) from what is to what should be."""
    subnets = {subnet.id for subnet in plan.subnets}
    by_id = {one.id: one for one in wanted}
    steps = []
    for instance_id in present:
        known = by_id.get(instance_id)
        if known is None or not known.kept:
            steps.append(("remove", known or Instance(instance_id, "terminated", "", "")))
        elif present[instance_id] and not known.wanted:
            steps.append(("stop", known))
        elif not present[instance_id] and known.wanted:
            steps.append(("start", known))
    for instance in wanted:
        if instance.wanted and instance.id not in present and instance.subnet in subnets:
            steps += [("create", instance), ("start", instance)]
    return steps
