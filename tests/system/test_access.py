"""Analyst, operator and auditor, each by a user of its own with the policy that the stacks make."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from demo import tunnel
from local_aws.control.identity import role_key
from tests.system.conftest import People, Running

RAW = "clickstream-s3-ingest"


def refused(call: Any, **arguments: Any) -> bool:
    """Whether a call is refused for want of a right; any other failure is the test's."""
    try:
        call(**arguments)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        assert code in ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"), code
        return True
    return False


@pytest.fixture
def a_key(demo: Running) -> str:
    listed = demo.client("s3").list_objects_v2(Bucket=RAW, Prefix="events/", MaxKeys=1)
    return str(listed["Contents"][0]["Key"])


def test_an_analyst_gets_the_dashboards_port_and_no_shell(demo: Running, people: People) -> None:
    ssm = tunnel.client("ssm", people["analyst"])
    instance = demo.outputs("warehouse")["InstanceId"]
    stacks = tunnel.client("cloudformation", people["analyst"])
    (stack,) = stacks.describe_stacks(StackName="sbw-warehouse")["Stacks"]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    for arguments in (
        {},
        {"DocumentName": "AWS-StartInteractiveCommand", "Parameters": {"command": ["id"]}},
        {"DocumentName": "AWS-StartPortForwardingSession", "Parameters": {"portNumber": ["5432"]}},
    ):
        assert refused(ssm.start_session, Target=instance, **arguments)
    opened = ssm.start_session(Target=instance, DocumentName=outputs["SessionDocument"])
    assert opened["SessionId"].startswith("analyst-")
    others = tunnel.client("ssm", people["operator"])
    assert refused(others.terminate_session, SessionId=opened["SessionId"])
    assert not refused(ssm.terminate_session, SessionId=opened["SessionId"])


def test_an_analyst_reads_neither_events_nor_passwords(
    demo: Running, people: People, a_key: str
) -> None:
    analyst = people["analyst"]
    assert refused(tunnel.client("s3", analyst).get_object, Bucket=RAW, Key=a_key)
    assert refused(tunnel.client("secretsmanager", analyst).list_secrets)
    assert refused(
        tunnel.client("lambda", analyst).get_function_configuration, FunctionName="SBW_Lamda_ETL"
    )
    assert not refused(demo.client("secretsmanager").list_secrets)


def test_an_operator_changes_neither_stacks_nor_code_nor_rights(people: People) -> None:
    operator = people["operator"]
    stacks = tunnel.client("cloudformation", operator)
    assert not refused(stacks.describe_stacks, StackName="sbw-network")
    assert refused(stacks.delete_stack, StackName="sbw-network")
    functions = tunnel.client("lambda", operator)
    assert refused(functions.update_function_code, FunctionName="SBW_Lamda_ETL", ZipFile=b"x")
    assert refused(functions.get_function_configuration, FunctionName="SBW_Lamda_ETL")
    assert refused(tunnel.client("iam", operator).list_roles)


def test_an_auditor_reads_settings_and_no_data(demo: Running, people: People, a_key: str) -> None:
    auditor = people["auditor"]
    assert tunnel.client("ec2", auditor).describe_security_groups()["SecurityGroups"]
    s3 = tunnel.client("s3", auditor)
    assert not refused(s3.get_bucket_versioning, Bucket=RAW)
    assert refused(s3.get_object, Bucket=RAW, Key=a_key)
    assert refused(s3.list_objects_v2, Bucket=RAW)
    instance = demo.outputs("warehouse")["InstanceId"]
    assert refused(tunnel.client("ssm", auditor).start_session, Target=instance)


def test_the_function_reads_the_raw_bucket_and_no_other(demo: Running) -> None:
    function = demo.client("lambda").get_function_configuration(FunctionName="SBW_Lamda_ETL")
    key = {**demo.aws, "AWS_ACCESS_KEY_ID": role_key(function["Role"])}
    s3 = tunnel.client("s3", key)
    assert not refused(s3.list_objects_v2, Bucket=RAW, MaxKeys=1)
    assert refused(s3.put_object, Bucket=RAW, Key="events/x.json", Body=b"")
    for bucket in demo.client("s3").list_buckets()["Buckets"]:
        if bucket["Name"] != RAW:
            assert refused(s3.list_objects_v2, Bucket=bucket["Name"])
