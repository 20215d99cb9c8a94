"""The promises of the warehouse's EC2, its volume, its first boot and the analysts' way in."""

from __future__ import annotations

import subprocess
from typing import Any

from tests.template.deployment import deployed
from tests.template.templates import resources, statement, template, text

SUBSTITUTES = {
    "${PackageKey}": "-----BEGIN PGP PUBLIC KEY BLOCK-----\nabc\n-----END PGP PUBLIC KEY BLOCK-----",
    "${DataDirectory}": "/var/lib/postgresql",
    "${ArtifactBucket}": "artifacts",
    "${AWS::Region}": "ap-southeast-1",
    "${AWS::URLSuffix}": "amazonaws.com",
    "${AgentKey}": "agent/amazon-ssm-agent.deb",
    "${AgentSha256}": "0" * 64,
}


def instance() -> dict[str, Any]:
    return dict(resources("warehouse")["Instance"]["Properties"])


def user_data() -> str:
    body = instance()["UserData"]["Fn::Base64"]["Fn::Sub"][0]
    assert isinstance(body, str)
    for name, value in SUBSTITUTES.items():
        body = body.replace(name, value)
    return body


def test_metadata_needs_a_token() -> None:
    assert instance()["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
    }
    webdb = resources("network")["WebDBInstance"]["Properties"]
    assert webdb["MetadataOptions"]["HttpTokens"] == "required"


def test_address_and_data_live_longer_than_the_instance() -> None:
    assert instance()["NetworkInterfaces"] == [
        {"DeviceIndex": "0", "NetworkInterfaceId": {"Ref": "NetworkInterface"}}
    ]
    own = resources("warehouse")
    present = [key for key, value in own.items() if value.get("Condition") == "HasInstance"]
    assert present == ["Instance", "DataVolumeAttachment"]
    interface = own["NetworkInterface"]["Properties"]
    assert interface["PrivateIpAddress"] == {"Ref": "PrivateIpAddress"}
    assert interface["GroupSet"] == [
        {"Fn::ImportValue": {"Fn::Sub": "${NetworkStackName}-WarehouseSecurityGroup"}}
    ]


def test_the_data_volume_is_encrypted_and_leaves_a_snapshot() -> None:
    volume = resources("warehouse")["DataVolume"]
    assert (volume["DeletionPolicy"], volume["UpdateReplacePolicy"]) == ("Snapshot", "Snapshot")
    assert volume["Properties"]["Encrypted"] is True
    assert volume["Properties"]["VolumeType"] == "gp3"
    for one in (instance(), resources("network")["WebDBInstance"]["Properties"]):
        (root,) = one["BlockDeviceMappings"]
        assert root["Ebs"]["Encrypted"] is True


def test_the_data_volume_gets_a_snapshot_a_day_and_keeps_as_many_as_wanted() -> None:
    stack = deployed("warehouse", SnapshotsKept=3, SnapshotTime="02:15")
    policy = stack["SnapshotPolicy"]
    assert (policy["State"], policy["ExecutionRoleArn"]) == ("ENABLED", "SnapshotRole.Arn")
    details = policy["PolicyDetails"]
    assert details["ResourceTypes"] == ["VOLUME"]
    (schedule,) = details["Schedules"]
    assert schedule["CreateRule"] == {"Interval": 24, "IntervalUnit": "HOURS", "Times": ["02:15"]}
    assert schedule["RetainRule"] == {"Count": 3}


def test_snapshots_are_of_this_deployments_volume_alone() -> None:
    stack = deployed("warehouse")
    (target,) = stack["SnapshotPolicy"]["PolicyDetails"]["TargetTags"]
    assert target == {"Key": "SnapshotsBy", "Value": "sbw-warehouse"}
    tagged = [key for key, value in stack.items() if target in value.get("Tags", [])]
    assert tagged == ["DataVolume"]
    # By which the role may delete them again.
    (schedule,) = stack["SnapshotPolicy"]["PolicyDetails"]["Schedules"]
    assert target in schedule["TagsToAdd"]


def test_no_snapshots_need_no_role_and_no_policy() -> None:
    stack = deployed("warehouse", SnapshotsKept=0)
    assert not {"SnapshotPolicy", "SnapshotRole"} & set(stack)


def test_the_instance_may_join_session_manager_and_read_packages_and_no_more() -> None:
    role = resources("warehouse")["InstanceRole"]["Properties"]
    assert role["ManagedPolicyArns"] == [
        {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"}
    ]
    (policy,) = role["Policies"]
    (only,) = policy["PolicyDocument"]["Statement"]
    assert (only["Effect"], only["Action"]) == ("Allow", "s3:GetObject")
    assert [item["Fn::Sub"][0] for item in only["Resource"]] == [
        "arn:${AWS::Partition}:s3:::${Bucket}/${PackagePrefix}/*",
        "arn:${AWS::Partition}:s3:::${Bucket}/${AgentKey}",
    ]


def test_the_loaders_password_is_made_by_aws() -> None:
    secret = resources("warehouse")["LoaderSecret"]["Properties"]
    assert secret["GenerateSecretString"] == {
        "SecretStringTemplate": {"Fn::Sub": '{"username": "${LoaderLogin}"}'},
        "GenerateStringKey": "password",
        "PasswordLength": 40,
        "ExcludePunctuation": True,
    }
    assert "SecretString" not in secret


def test_the_first_boot_is_a_valid_script() -> None:
    done = subprocess.run(
        ["bash", "-n"], input=user_data(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "${" not in user_data()
    assert len(user_data().encode()) < 16_384


def test_the_first_boot_forgets_the_internet_before_it_fetches_anything() -> None:
    script = user_data()
    order = [
        "rm -f /etc/apt/sources.list /etc/apt/sources.list.d/*",
        "mkfs.ext4",
        "curl --fail",
        "sha256sum --check",
        "dpkg --install",
        "systemctl enable --now amazon-ssm-agent.service",
    ]
    places = [script.index(words) for words in order]
    assert places == sorted(places)


def test_the_first_boot_fetches_from_the_artifact_bucket_alone() -> None:
    addresses = [word for word in user_data().replace('"', " ").split() if "://" in word]
    assert addresses == [
        "https://artifacts.s3.ap-southeast-1.amazonaws.com/agent/amazon-ssm-agent.deb"
    ]
    assert "apt-get" not in user_data()


def test_the_first_boot_formats_a_blank_volume_only() -> None:
    lines = [line.strip() for line in user_data().splitlines()]
    assert [line for line in lines if "mkfs" in line] == [
        '2) mkfs.ext4 -q -m 1 -L sbw-data "$device" ;;'
    ]


def test_analysts_reach_one_port_of_one_host_by_one_document() -> None:
    content = resources("warehouse")["SessionDocument"]["Properties"]["Content"]
    assert content["sessionType"] == "Port"
    assert content["properties"] == {
        "portNumber": "3838",
        "type": "LocalPortForwarding",
        "localPortNumber": "{{ localPortNumber }}",
    }
    assert list(content["parameters"]) == ["localPortNumber"]


def test_every_right_to_start_a_session_asks_for_the_document() -> None:
    policy = resources("warehouse")["AnalystPolicy"]["Properties"]["PolicyDocument"]
    starting = [item for item in policy["Statement"] if "ssm:StartSession" in item["Action"]]
    assert [item["Sid"] for item in starting] == ["OpenTheWarehouse", "ByThisDocument"]
    for item in starting:
        assert item["Condition"]["BoolIfExists"] == {"ssm:SessionDocumentAccessCheck": "true"}
    assert statement(policy, "ByThisDocument")["Resource"] == {
        "Fn::Sub": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:document/"
        "${SessionDocument}"
    }
    assert statement(policy, "OpenTheWarehouse")["Condition"]["StringEquals"] == {
        "ssm:resourceTag/Role": "warehouse",
        "ssm:resourceTag/Environment": {"Ref": "Environment"},
    }
    assert "RemoteHost" not in text(policy)


def test_the_inventory_finds_the_instance_by_its_tags() -> None:
    tags = {tag["Key"]: tag["Value"] for tag in instance()["Tags"]}
    assert tags == {
        "Name": {"Ref": "InstanceName"},
        "Role": "warehouse",
        "Environment": {"Ref": "Environment"},
    }
    assert template("warehouse")["Parameters"]["Environment"]["Default"] == "sbw"
