"""The templates with every option on, made and taken down by the miniature's CloudFormation."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from moto.moto_api._internal.models import moto_api_backend

from tests.template.deployment import GIVEN, REGION
from tests.template.templates import FOLDER
from tests.unit.control_server import RunningPlane, running_plane

OPTIONS = {
    "storage": {"RawBucketCreate": "true"},
    "network": {"FlowLogs": "true", "WebDBClientCidrs": "10.9.0.0/16,192.168.4.0/24"},
    "warehouse": {},
    "etl": {"AlarmEmail": "op@shop.invalid"},
}


def make(plane: RunningPlane, name: str, environment: str = "sbw", **found: str) -> dict[str, Any]:
    """Make a stack of a template and return its outputs."""
    stacks = plane.client("cloudformation")
    values = {**GIVEN[name], **OPTIONS[name], **found}
    named = f"{environment}-{name}"
    stacks.create_stack(
        StackName=named,
        TemplateBody=(FOLDER / f"{name}.yaml").read_text(),
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()],
        Capabilities=["CAPABILITY_IAM"],
    )
    (stack,) = stacks.describe_stacks(StackName=named)["Stacks"]
    events = stacks.describe_stack_events(StackName=named)["StackEvents"]
    failed = [
        one.get("ResourceStatusReason") for one in events if "FAILED" in one["ResourceStatus"]
    ]
    assert stack["StackStatus"] == "CREATE_COMPLETE", failed
    return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}


def make_all(
    plane: RunningPlane, environment: str = "sbw", told: dict[str, dict[str, str]] | None = None
) -> None:
    """Make the stacks of an environment, of parameters `told` by template."""
    own = told or {}
    artifacts = make(plane, "storage", environment, **own.get("storage", {}))["ArtifactBucket"]
    ec2 = plane.client("ec2")
    (prefixes,) = [
        one["PrefixListId"]
        for one in ec2.describe_managed_prefix_lists()["PrefixLists"]
        if one["PrefixListName"] == f"com.amazonaws.{REGION}.s3"
    ]
    image = plane.client("ssm").get_parameter(Name="/aws/service/debian/release/13/latest/amd64")[
        "Parameter"
    ]["Value"]
    make(
        plane,
        "network",
        environment,
        S3PrefixListId=prefixes,
        WebDBImageId=image,
        **own.get("network", {}),
    )
    warehouse = make(plane, "warehouse", environment, ImageId=image, **own.get("warehouse", {}))
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        archive.writestr("etl_lambda/handler.py", "handler = print")
    key = GIVEN["etl"]["CodeKey"]
    plane.client("s3").put_object(Bucket=artifacts, Key=key, Body=code.getvalue())
    secret = plane.client("secretsmanager").get_secret_value(SecretId=warehouse["LoaderSecret"])
    make(
        plane,
        "etl",
        environment,
        LoaderSecretArn=warehouse["LoaderSecret"],
        LoaderSecretVersionId=secret["VersionId"],
        SnapshotPolicyId=warehouse["SnapshotPolicy"],
        **own.get("etl", {}),
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlane]:
    with running_plane(tmp_path_factory.mktemp("control")) as plane:
        make_all(plane)
        yield plane
        # What the templates retain would be in the way of other tests: moto has one state for all.
        moto_api_backend.reset()


def test_only_the_ranges_that_the_shop_names_come_in(made: RunningPlane) -> None:
    groups = made.client("ec2").describe_security_groups()["SecurityGroups"]
    ranges = {
        (group["GroupName"], rule["FromPort"], one["CidrIp"])
        for group in groups
        if group["GroupName"].startswith("sg_")
        for rule in group["IpPermissions"]
        for one in rule["IpRanges"]
    }
    assert ranges == {("sg_oltp_webDB", 5432, one) for one in ("10.9.0.0/16", "192.168.4.0/24")}


def test_connections_are_logged(made: RunningPlane) -> None:
    (log,) = made.client("ec2").describe_flow_logs()["FlowLogs"]
    assert (log["LogGroupName"], log["TrafficType"]) == ("/aws/vpc/sbw-network", "ALL")


def test_alarms_are_mailed_and_the_dashboard_names_them(made: RunningPlane) -> None:
    cloudwatch = made.client("cloudwatch")
    (topic,) = made.client("sns").list_topics()["Topics"]
    alarms = cloudwatch.describe_alarms()["MetricAlarms"]
    assert {action for one in alarms for action in one["AlarmActions"]} == {topic["TopicArn"]}
    body = cloudwatch.get_dashboard(DashboardName="sbw-etl-loader")["DashboardBody"]
    shown = json.loads(body)["widgets"][0]["properties"]["alarms"]
    assert sorted(shown) == sorted(one["AlarmArn"] for one in alarms)


def test_the_volume_has_a_policy_of_snapshots_that_the_alarm_watches(made: RunningPlane) -> None:
    dlm = made.client("dlm")
    (one,) = dlm.get_lifecycle_policies()["Policies"]
    policy = dlm.get_lifecycle_policy(PolicyId=one["PolicyId"])["Policy"]
    (volume,) = made.client("ec2").describe_volumes(
        Filters=[{"Name": "tag:SnapshotsBy", "Values": ["sbw-warehouse"]}]
    )["Volumes"]
    assert policy["PolicyDetails"]["TargetTags"] == [
        tag for tag in volume["Tags"] if tag["Key"] == "SnapshotsBy"
    ]
    (schedule,) = policy["PolicyDetails"]["Schedules"]
    assert (schedule["CreateRule"]["Interval"], schedule["RetainRule"]["Count"]) == (24, 7)
    (alarm,) = [
        found
        for found in made.client("cloudwatch").describe_alarms()["MetricAlarms"]
        if "BackupAge" in found["AlarmName"]
    ]
    watched = [query["MetricStat"]["Metric"] for query in alarm["Metrics"] if "MetricStat" in query]
    assert [metric["Dimensions"] for metric in watched] == [
        [{"Name": "DLMPolicyId", "Value": one["PolicyId"]}]
    ]


def named(subnet: dict[str, Any]) -> bool:
    """Whether a subnet is the private one of our templates; other tests have theirs."""
    return any("private1" in tag["Value"] for tag in subnet.get("Tags", []))


def test_all_of_it_can_be_taken_down_once_the_shops_ec2_is_gone(made: RunningPlane) -> None:
    stacks = made.client("cloudformation")
    s3 = made.client("s3")
    s3.delete_object(Bucket="artifacts", Key=GIVEN["etl"]["CodeKey"])
    # The shop's own EC2 is the shop's to take away; until then it holds the network.
    (subnet,) = [one for one in made.client("ec2").describe_subnets()["Subnets"] if named(one)]
    here = [{"Name": "vpc-id", "Values": [subnet["VpcId"]]}]
    shop = made.client("ec2").describe_instances(
        Filters=[*here, {"Name": "tag:Role", "Values": ["oltp"]}]
    )["Reservations"][0]["Instances"][0]["InstanceId"]
    for name in ("etl", "warehouse", "network"):
        stacks.delete_stack(StackName=f"sbw-{name}")
    (network,) = stacks.describe_stacks(StackName="sbw-network")["Stacks"]
    assert network["StackStatus"] == "DELETE_FAILED"
    ec2 = made.client("ec2")
    ec2.terminate_instances(InstanceIds=[shop])
    for one in ec2.describe_network_interfaces(Filters=here)["NetworkInterfaces"]:
        ec2.delete_network_interface(NetworkInterfaceId=one["NetworkInterfaceId"])  # as AWS does
    for name in ("network", "storage"):
        stacks.delete_stack(StackName=f"sbw-{name}")
        left = stacks.describe_stacks()["Stacks"]
        assert f"sbw-{name}" not in {one["StackName"] for one in left}, left
    assert ec2.describe_flow_logs()["FlowLogs"] == []
    assert made.client("dlm").get_lifecycle_policies()["Policies"] == []
    assert made.client("cloudwatch").list_dashboards()["DashboardEntries"] == []
    buckets = {one["Name"] for one in s3.list_buckets()["Buckets"]}
    assert {"backup", "clickstream-s3-ingest"} <= buckets
    assert not {"artifacts", "transfer"} & buckets
