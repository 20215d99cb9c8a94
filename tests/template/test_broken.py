"""Each promise of the templates is seen to fail on a template that breaks it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.template import (
    deployment,
    templates,
    test_access,
    test_etl,
    test_form,
    test_network,
    test_reach,
    test_storage,
    test_updates,
    test_warehouse,
)

GONE = object()
WORLD = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "CidrIp": "0.0.0.0/0"}
NAT = {"Type": "AWS::EC2::NatGateway", "Properties": {"SubnetId": {"Ref": "PublicSubnet"}}}
DEFAULT_ROUTE = {
    "Type": "AWS::EC2::Route",
    "Properties": {
        "RouteTableId": {"Ref": "PrivateRouteTable"},
        "DestinationCidrBlock": "0.0.0.0/0",
        "GatewayId": {"Ref": "InternetGateway"},
    },
}
PUBLIC_ADDRESS = {"Type": "AWS::EC2::EIP", "Properties": {"Domain": "vpc"}}
# Template, where, what is put there, and the promise that has to fail.
BROKEN: list[tuple[str, str, Any, Callable[[], None]]] = [
    ("network", "Resources.Nat", NAT, test_network.test_there_is_no_nat_and_no_other_way_out),
    (
        "network",
        "Resources.Default",
        DEFAULT_ROUTE,
        test_network.test_the_only_route_is_the_public_sides_to_its_gateway,
    ),
    ("network", "Resources.Address", PUBLIC_ADDRESS, test_network.test_no_address_is_public),
    (
        "network",
        "Resources.PrivateSubnet.Properties.MapPublicIpOnLaunch",
        True,
        test_network.test_no_address_is_public,
    ),
    (
        "network",
        "Resources.WarehouseSecurityGroup.Properties.SecurityGroupIngress",
        [WORLD],
        test_reach.test_the_table_is_what_the_templates_leave_open,
    ),
    (
        "network",
        "Resources.LambdaSecurityGroup.Properties.SecurityGroupEgress",
        GONE,
        test_network.test_no_group_keeps_aws_default_of_everything_out,
    ),
    (
        "network",
        "Resources.LambdaToWarehouse.Properties.ToPort",
        65535,
        test_network.test_every_outbound_rule_of_the_private_side_is_known,
    ),
    (
        "network",
        "Resources.WebDBFromClient1.Properties.ToPort",
        5433,
        test_network.test_ranges_reach_the_shops_own_ec2_alone,
    ),
    (
        "network",
        "Resources.S3Endpoint.Properties.PolicyDocument.Statement.2.Action",
        "s3:*",
        test_network.test_the_s3_endpoint_lets_pass_packages_transfers_and_raw_events_only,
    ),
    (
        "network",
        "Resources.ArtifactBucketPolicy.Properties.PolicyDocument.Statement.0.Condition",
        GONE,
        test_network.test_packages_are_read_through_this_endpoint_and_by_tls_alone,
    ),
    (
        "network",
        "Resources.WebDBInstance.Properties.MetadataOptions.HttpTokens",
        "optional",
        test_warehouse.test_metadata_needs_a_token,
    ),
    (
        "network",
        "Resources.WebDBInstance.Properties.BlockDeviceMappings.0.Ebs.Encrypted",
        False,
        test_warehouse.test_the_data_volume_is_encrypted_and_leaves_a_snapshot,
    ),
    (
        "storage",
        "Resources.BackupBucket.Properties.PublicAccessBlockConfiguration.BlockPublicPolicy",
        False,
        test_storage.test_every_bucket_is_private_and_encrypted,
    ),
    (
        "storage",
        "Resources.RawBucket.Properties.BucketEncryption",
        {"ServerSideEncryptionConfiguration": []},
        test_storage.test_every_bucket_is_private_and_encrypted,
    ),
    (
        "storage",
        "Resources.TransferBucketPolicy.Properties.PolicyDocument.Statement.0.Effect",
        "Allow",
        test_storage.test_bucket_policies_refuse_what_comes_without_tls,
    ),
    (
        "storage",
        "Resources.TransferBucket.Properties.VersioningConfiguration",
        {"Status": "Enabled"},
        test_storage.test_transfers_are_gone_after_a_day_and_never_versioned,
    ),
    (
        "storage",
        "Resources.RawBucket.DeletionPolicy",
        "Delete",
        test_storage.test_raw_events_outlive_the_stack_that_made_their_bucket,
    ),
    (
        "storage",
        "Resources.BackupBucket.Properties.VersioningConfiguration",
        {"Status": "Suspended"},
        test_storage.test_receipts_outlive_the_stack_and_what_overwrites_them,
    ),
    (
        "warehouse",
        "Resources.DataVolume.Properties.Encrypted",
        False,
        test_warehouse.test_the_data_volume_is_encrypted_and_leaves_a_snapshot,
    ),
    (
        "warehouse",
        "Resources.DataVolume.Condition",
        "HasInstance",
        test_warehouse.test_address_and_data_live_longer_than_the_instance,
    ),
    (
        "warehouse",
        "Resources.DataVolume.UpdateReplacePolicy",
        GONE,
        test_form.test_stateful_resources_say_what_becomes_of_them,
    ),
    (
        "warehouse",
        "Resources.Instance.Properties.KeyName",
        "mine",
        test_form.test_no_template_carries_a_password_or_a_key_pair,
    ),
    (
        "warehouse",
        "Resources.LoaderSecret.Properties.SecretString",
        "hunter2",
        test_warehouse.test_the_loaders_password_is_made_by_aws,
    ),
    (
        "warehouse",
        "Resources.AnalystPolicy.Properties.PolicyDocument.Statement.0.Condition",
        GONE,
        test_warehouse.test_every_right_to_start_a_session_asks_for_the_document,
    ),
    (
        "warehouse",
        "Resources.SessionDocument.Properties.Content.properties.portNumber",
        "22",
        test_warehouse.test_analysts_reach_one_port_of_one_host_by_one_document,
    ),
    (
        "warehouse",
        "Resources.InstanceRole.Properties.Policies.0.PolicyDocument.Statement.0.Action",
        "s3:*",
        test_warehouse.test_the_instance_may_join_session_manager_and_read_packages_and_no_more,
    ),
    (
        "etl",
        "Parameters.RuleEnabled.Default",
        "true",
        lambda: test_form.test_the_owners_names_are_the_defaults("etl", "RuleEnabled", "false"),
    ),
    (
        "etl",
        "Resources.OperatorPolicy.Properties.PolicyDocument.Statement.4.Resource",
        "*",
        lambda: test_access.test_a_principal_may_do_what_its_table_says_and_nothing_else("operator"),
    ),
    (
        "etl",
        "Resources.FunctionRole.Properties.Policies.0.PolicyDocument.Statement.0.Action",
        "s3:*",
        lambda: test_access.test_no_policy_has_a_wildcard_or_more_resources_than_it_must("function"),
    ),
    (
        "etl",
        "Resources.NotLoadedAlarm.Properties.TreatMissingData",
        "notBreaching",
        test_etl.test_alarms_tell_of_errors_silence_backlog_bad_records_and_what_failed_for_good,
    ),
    (
        "etl",
        "Resources.WarehouseDiskAlarm.Properties.TreatMissingData",
        "notBreaching",
        test_etl.test_one_run_that_finds_a_disk_full_alarms_and_so_does_none_that_looks,
    ),
    (
        "etl",
        "Resources.BackupAgeAlarm.Properties.Metrics.1.Expression",
        "snapshots",
        test_etl.test_as_many_hours_without_a_snapshot_as_the_parameter_says_alarm,
    ),
    (
        "warehouse",
        "Resources.DataVolume.Properties.Tags.1",
        GONE,
        test_warehouse.test_snapshots_are_of_this_deployments_volume_alone,
    ),
    (
        "warehouse",
        "Resources.SnapshotRole.Properties.Policies.0.PolicyDocument.Statement.3.Condition",
        GONE,
        lambda: test_access.test_a_principal_may_do_what_its_table_says_and_nothing_else("snapshots"),
    ),
    (
        "etl",
        "Resources.Function.Properties.VpcConfig",
        {},
        test_etl.test_the_function_runs_in_the_private_subnet,
    ),
    (
        "etl",
        "Resources.HourlyRulePermission.Properties.SourceArn",
        GONE,
        test_etl.test_only_this_rule_may_start_the_function,
    ),
]  # fmt: skip


def put(template: dict[str, Any], path: str, value: Any) -> None:
    """Put a value at a path of keys and numbers with dots between, or take away what is there."""
    steps: list[Any] = [int(step) if step.isdigit() else step for step in path.split(".")]
    place: Any = template
    for step in steps[:-1]:
        place = place[step]
    if value is GONE:
        del place[steps[-1]]
    else:
        place[steps[-1]] = value


@pytest.mark.parametrize(
    ("name", "path", "value", "promise"),
    BROKEN,
    ids=[f"{name}: {path.partition('.')[2]}" for name, path, _, _ in BROKEN],
)
def test_a_broken_template_breaks_its_promise(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    path: str,
    value: Any,
    promise: Callable[[], None],
) -> None:
    whole = templates.template
    broken = copy.deepcopy(whole(name))
    put(broken, path, value)
    promise()
    for module in (
        templates,
        deployment,
        test_form,
        test_etl,
        test_network,
        test_updates,
        test_warehouse,
    ):
        monkeypatch.setattr(module, "template", lambda one: broken if one == name else whole(one))
    with pytest.raises((AssertionError, KeyError)):
        promise()
