"""What holds of every template: sections, sentences, names, policies, the linter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.template.templates import FOLDER, NAMES, SECTIONS, everywhere, keys, template, text

STATEFUL = (
    "AWS::S3::Bucket", "AWS::EC2::Volume", "AWS::EC2::Instance", "AWS::EC2::NetworkInterface",
    "AWS::SecretsManager::Secret", "AWS::SQS::Queue", "AWS::Logs::LogGroup",
)  # fmt: skip


def test_there_are_four_templates() -> None:
    assert sorted(path.name for path in FOLDER.iterdir()) == [
        "etl.yaml",
        "network.yaml",
        "storage.yaml",
        "warehouse.yaml",
    ]


def test_cfn_lint_has_nothing_to_say() -> None:
    program = Path(sys.executable).parent / "cfn-lint"
    files = [str(FOLDER / f"{name}.yaml") for name in NAMES]
    done = subprocess.run([program, *files], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("name", NAMES)
def test_sections_come_in_their_fixed_order(name: str) -> None:
    found = list(template(name))
    assert found == [section for section in SECTIONS if section in found]


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_and_output_has_a_sentence(name: str) -> None:
    for section in ("Parameters", "Outputs"):
        for key, value in template(name)[section].items():
            assert value.get("Description", "").endswith("."), f"{name}: {key}"


@pytest.mark.parametrize("name", NAMES)
def test_a_template_fits_into_one_call(name: str) -> None:
    assert (FOLDER / f"{name}.yaml").stat().st_size < 51_200


def test_exports_are_named_after_stack_and_logical_id() -> None:
    exported = 0
    for name in NAMES:
        for key, value in template(name)["Outputs"].items():
            if "Export" in value:
                assert value["Export"]["Name"] == {"Fn::Sub": "${AWS::StackName}-" + key}
                exported += 1
    assert exported == 16


def test_what_may_be_replaced_is_not_exported() -> None:
    outputs = template("warehouse")["Outputs"]
    assert {"InstanceId", "DwhHost", "LoaderSecret", "SessionDocument"} <= set(outputs)
    assert [key for key, value in outputs.items() if "Export" in value] == []


def test_stateful_resources_say_what_becomes_of_them() -> None:
    stated = 0
    for name, key, value in everywhere():
        if value["Type"] in STATEFUL:
            assert {"DeletionPolicy", "UpdateReplacePolicy"} <= set(value), f"{name}: {key}"
            stated += 1
    assert stated == 12


def test_no_template_carries_a_password_or_a_key_pair() -> None:
    for name in NAMES:
        assert "KeyName" not in set(keys(template(name)))
        assert "NoEcho" not in set(keys(template(name)["Parameters"]))
        passwords = [
            line
            for line in text(template(name)["Resources"]).splitlines()
            if "password" in line.lower() and "{{resolve:secretsmanager:" not in line
        ]
        assert passwords in (
            [],
            ["Login and password by which the function loads the warehouse", "password"],
        )


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        ("storage", "RawBucketName", "clickstream-s3-ingest"),
        ("network", "AvailabilityZone", "ap-southeast-1a"),
        ("network", "VpcCidr", "10.0.0.0/16"),
        ("network", "PublicSubnetCidr", "10.0.0.0/20"),
        ("network", "PublicSubnetName", "SBW_Project-subnet-public1-ap-southeast-1a"),
        ("network", "PrivateSubnetCidr", "10.0.128.0/20"),
        ("network", "PrivateSubnetName", "SBW_Project-subnet-private1-ap-southeast-1a"),
        ("network", "LambdaSecurityGroupName", "sg_Lambda_ETL"),
        ("network", "WarehouseSecurityGroupName", "sg_analytics_ShinyDWH"),
        ("network", "WebDBName", "SBW_EC2_WebDB"),
        ("network", "WebDBPresent", "true"),
        ("network", "Ec2MessagesEndpoint", "true"),
        ("warehouse", "InstanceName", "SBW_EC2_ShinyDWH"),
        ("warehouse", "DataDirectory", "/var/lib/postgresql"),
        ("etl", "FunctionName", "SBW_Lamda_ETL"),
        ("etl", "RuleName", "SBW_ETL_HOURLY_RULE"),
        ("etl", "RuleSchedule", "rate(1 hour)"),
        ("etl", "RuleEnabled", "false"),
        ("etl", "DwhDatabase", "clickstream_dw"),
        ("etl", "DwhPort", 5432),
    ],
)
def test_the_owners_names_are_the_defaults(name: str, parameter: str, value: object) -> None:
    assert template(name)["Parameters"][parameter]["Default"] == value
