"""Follow EC2's state at the control plane, and make the containers, disks and rules be like it.

Run as `python -m local_aws.reconciler --state DIR --endpoint URL --image NAME`. It knows EC2's
public API only, and may be ended and started again at any time: each pass looks at what is.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from local_aws import firewall, network, volumes
from local_aws.instances import Instance, Instances, difference, instances, user_data
from local_aws.network import Plan, resolver, s3_door
from local_aws.paths import REGION, LocalAwsError, State, write_atomically

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

LOG = logging.getLogger("reconciler")
_PERIOD = 1.0  # seconds between two looks
_LOOK_PERIOD = 5.0  # seconds between two looks at the containers when EC2 says nothing new
_RETRY = 10.0  # seconds before a step that failed is tried again


def rows(client: EC2Client, call: str, key: str) -> list[dict[str, Any]]:
    """Return all rows of one describe call, over all its pages."""
    found: list[dict[str, Any]] = []
    for page in client.get_paginator(call).paginate():  # type: ignore[call-overload]
        found += page[key]
    return found


class Reconciler:
    """One miniature's EC2, kept like the control plane says."""

    def __init__(self, state: State, client: EC2Client, image: str) -> None:
        self.state = state
        self.client = client
        self.containers = Instances(state, image)
        self.namespace = self.containers.podman.namespace
        self._plan_text = ""
        self._rules = ""
        self._shown: dict[volumes.Attachment, int] = {}
        self._failed: dict[str, float] = {}
        self._addresses: set[str] = set()
        self._said: object = None
        self._look_again = 0.0
        self.clock = time.monotonic

    def once(self) -> None:
        """Look once and do what is to be done; a step's failure leaves the others alone."""
        plan = network.derive(
            rows(self.client, "describe_vpcs", "Vpcs"),
            rows(self.client, "describe_subnets", "Subnets"),
            rows(self.client, "describe_route_tables", "RouteTables"),
            rows(self.client, "describe_vpc_endpoints", "VpcEndpoints"),
            rows(self.client, "describe_network_interfaces", "NetworkInterfaces"),
        )
        groups = rows(self.client, "describe_security_groups", "SecurityGroups")
        wanted = instances(rows(self.client, "describe_instances", "Reservations"))
        disks = rows(self.client, "describe_volumes", "Volumes")
        attached = volumes.attachments(disks)
        self.network(plan, groups)
        existing = sorted(row["VolumeId"] for row in disks)
        said = (wanted, attached, existing)
        if said == self._said and self.clock() < self._look_again:
            return
        self._said, self._look_again = said, self.clock() + _LOOK_PERIOD
        self.converge(plan, wanted, attached)
        volumes.forget(self.state, existing, attached)

    def converge(
        self, plan: Plan, wanted: list[Instance], attached: list[volumes.Attachment]
    ) -> None:
        """Make containers and disks be like the control plane says."""
        # Asked only when there is something: podman takes more time than all calls together.
        present = (
            self.containers.present() if any(one.kept for one in wanted) or self._shown else {}
        )
        steps = difference(wanted, present, plan)
        failed = set()
        for step, instance in steps:
            if instance.id in failed:
                continue
            name = f"{step} {instance.id}"
            if not self.attempt(name, lambda s=step, i=instance: self.step(s, i, plan)):
                failed.add(instance.id)
        if steps:
            present = self.containers.present()
        self.disks(attached, present)
        # A status that is still open is worth another look at the next pass.
        recorded = [self.containers.record_user_data(one) for one, pid in present.items() if pid]
        if None in recorded or self._failed:
            self._look_again = 0.0

    def network(self, plan: Plan, groups: list[dict[str, Any]]) -> None:
        """Publish the plan to the gateway, open its doors, replace the rules when they changed."""
        text = plan.to_json()
        used = [s for s in plan.subnets if any(s.holds(a) for a in plan.interfaces)]
        doors = {address for s in used for address in (resolver(s.cidr), s3_door(s.cidr))}
        doors |= {endpoint.address for endpoint in plan.endpoints}
        if doors - self._addresses:
            network.ensure_addresses(self.namespace, sorted(doors - self._addresses))
            self._addresses = doors
        lists = rows(self.client, "describe_managed_prefix_lists", "PrefixLists")
        names = {row["PrefixListId"]: row["PrefixListName"] for row in lists}
        rules = firewall.rule_set(plan, groups, names)
        if rules != self._rules:
            firewall.apply(self.namespace, rules)
            self._rules = rules
            write_atomically(self.state.run / "rules.nft", rules)
            LOG.info("event=rules addresses=%d groups=%d", len(plan.interfaces), len(groups))
        if text != self._plan_text:
            write_atomically(self.state.network_map, text)
            self._plan_text = text

    def step(self, step: str, instance: Instance, plan: Plan) -> None:
        """Take one step with one instance."""
        if step == "remove":
            self.containers.remove(instance.id)
            return
        if step == "stop":
            self.containers.stop(instance.id)
            return
        subnet = next(subnet for subnet in plan.subnets if subnet.id == instance.subnet)
        if step == "create":
            asked = self.client.describe_instance_attribute(
                InstanceId=instance.id, Attribute="userData"
            )
            self.containers.create(instance, subnet, user_data(asked))
        else:
            self.containers.start(instance, subnet)

    def disks(self, attached: list[volumes.Attachment], present: dict[str, int]) -> None:
        """Show each attached volume in its instance, and take away those no longer attached."""
        podman = self.containers.podman
        for gone in [one for one in self._shown if one not in attached]:
            pid = self._shown.pop(gone)
            self.attempt(
                f"detach {gone.volume}",
                lambda one=gone, pid=pid: volumes.hide(podman, self.state, one, pid),
            )
        for one in attached:
            # A restarted container has a new first process and a fresh /dev.
            pid = present.get(one.instance, 0)
            if pid == 0 or self._shown.get(one) == pid:
                continue
            if self.attempt(
                f"attach {one.volume}",
                lambda one=one, pid=pid: volumes.show(podman, self.state, one, pid),
            ):
                self._shown[one] = pid

    def attempt(self, name: str, action: Any) -> bool:
        """Do one thing, or log why not and leave it for some seconds; tell whether it was done."""
        if self.clock() < self._failed.get(name, 0.0):
            return False
        try:
            action()
        except (LocalAwsError, OSError, ClientError, BotoCoreError) as error:
            LOG.error("event=failed step=%r error=%s", name, error)
            self._failed[name] = self.clock() + _RETRY
            return False
        self._failed.pop(name, None)
        return True


def main() -> int:
    """Reconcile until terminated, or until the namespace is gone."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", required=True)
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--image", required=True)
    parser.add_argument("--log-level", default="INFO")
    options = parser.parse_args()
    logging.basicConfig(
        level=options.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    logging.getLogger("botocore").setLevel("WARNING")
    state = State.at(options.state)
    client: EC2Client = boto3.client(
        "ec2",
        region_name=REGION,
        endpoint_url=options.endpoint,
        aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "local"),
        aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "local"),
        config=Config(retries={"total_max_attempts": 3}, connect_timeout=5, read_timeout=30),
    )
    reconciler = Reconciler(state, client, options.image)
    level = logging.DEBUG  # the control plane may still be starting
    while reconciler.namespace.alive():
        try:
            reconciler.once()
            level = logging.ERROR
        except (LocalAwsError, OSError, ClientError, BotoCoreError) as error:
            LOG.log(level, "event=failed error=%s", error)
        time.sleep(_PERIOD if level == logging.ERROR else 0.2)
    return 1


if __name__ == "__main__":
    sys.exit(main())
