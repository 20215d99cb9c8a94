"""Users and roles may do what their policies say, in the miniature as on AWS."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from local_aws.control.identity import role_key
from tests.unit.control_server import RunningPlane, running_plane

REGION, ACCOUNT = "ap-southeast-1", "123456789012"


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


class Caller:
    """A user with one policy, by its own access key."""

    def __init__(self, plane: RunningPlane, name: str, statements: list[dict[str, Any]]) -> None:
        self.plane, self.name = plane, name
        iam = plane.client("iam")
        self.arn = iam.create_user(UserName=name)["User"]["Arn"]
        if statements:
            iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=document(*statements))
        self.key = iam.create_access_key(UserName=name)["AccessKey"]["AccessKeyId"]

    def client(self, service: str) -> Any:
        return signed(self.plane, self.key, service)


def signed(plane: RunningPlane, key: str, service: str) -> Any:
    return boto3.client(  # type: ignore[call-overload]
        service,
        endpoint_url=f"http://127.0.0.1:{plane.port}",
        region_name=REGION,
        aws_access_key_id=key,
        aws_secret_access_key="secret",
        config=Config(
            retries={"total_max_attempts": 1}, proxies={}, s3={"addressing_style": "path"}
        ),
    )


def allow(action: str | list[str], resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def code(call: Any, **arguments: Any) -> str:
    """Return "" where a call is allowed, or the code of its refusal.

    That what it is on is not there is no refusal, nor that nobody serves sessions here (503); a failure
    of the miniature is the test's.
    """
    try:
        call(**arguments)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 500:
            raise
        found = str(error.response["Error"]["Code"])
        return found if found.startswith(("AccessDenied", "Unauthorized")) else ""
    return ""


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlane]:
    with running_plane(tmp_path_factory.mktemp("control"), "http://127.0.0.1:9") as running:
        yield running


@pytest.fixture
def nobody(plane: RunningPlane, request: pytest.FixtureRequest) -> Caller:
    return Caller(plane, re.sub(r"\W+", "-", f"nobody {request.node.name}"[-60:]), [])


@pytest.mark.parametrize(
    ("service", "call", "arguments", "refusal"),
    [
        ("ec2", "describe_instances", {}, "UnauthorizedOperation"),
        ("cloudformation", "describe_stacks", {}, "AccessDenied"),
        ("iam", "list_users", {}, "AccessDenied"),
        ("secretsmanager", "get_secret_value", {"SecretId": "s"}, "AccessDeniedException"),
        ("ssm", "get_parameter", {"Name": "/p"}, "AccessDeniedException"),
        ("logs", "describe_log_groups", {}, "AccessDeniedException"),
        ("lambda", "invoke", {"FunctionName": "f"}, "AccessDeniedException"),
        ("s3", "list_buckets", {}, "AccessDenied"),
        ("s3", "list_objects_v2", {"Bucket": "b"}, "AccessDenied"),
        ("s3", "get_object", {"Bucket": "b", "Key": "k"}, "AccessDenied"),
    ],
)
def test_without_a_policy_each_protocol_refuses_in_its_own_words(
    nobody: Caller, service: str, call: str, arguments: dict[str, Any], refusal: str
) -> None:
    assert code(getattr(nobody.client(service), call), **arguments) == refusal


def test_a_refusal_says_who_may_not_do_what_on_what(nobody: Caller) -> None:
    with pytest.raises(ClientError) as refused:
        nobody.client("lambda").invoke(FunctionName="loader")
    assert refused.value.response["Error"]["Message"] == (
        f"User: {nobody.arn} is not authorized to perform: lambda:InvokeFunction on resource:"
        f" arn:aws:lambda:{REGION}:{ACCOUNT}:function:loader"
        " because no identity-based policy allows it"
    )


def test_who_one_is_can_always_be_asked(nobody: Caller) -> None:
    assert code(nobody.client("sts").get_caller_identity) == ""


def test_the_account_itself_may_do_everything(plane: RunningPlane) -> None:
    assert code(plane.client("iam").list_users) == ""
    assert code(signed(plane, "AKIAUNKNOWNUNKNOWN00", "iam").list_users) == ""


def test_a_statement_allows_its_action_on_its_resource_alone(plane: RunningPlane) -> None:
    function = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:loader"
    caller = Caller(plane, "invoker", [allow("lambda:InvokeFunction", function)])
    invoke = caller.client("lambda").invoke
    assert code(invoke, FunctionName="loader") == ""
    assert code(invoke, FunctionName="other") == "AccessDeniedException"
    assert code(caller.client("lambda").get_function, FunctionName="loader") != ""


def test_a_denial_wins(plane: RunningPlane) -> None:
    denied = {**allow("iam:ListUsers"), "Effect": "Deny"}
    caller = Caller(plane, "denied", [allow("iam:*"), denied])
    assert code(caller.client("iam").list_roles) == ""
    assert code(caller.client("iam").list_users) == "AccessDenied"


def test_policies_of_groups_and_managed_ones_count(plane: RunningPlane) -> None:
    caller = Caller(plane, "member", [])
    iam = plane.client("iam")
    iam.create_group(GroupName="readers")
    managed = iam.create_policy(PolicyName="list", PolicyDocument=document(allow("iam:ListUsers")))[
        "Policy"
    ]["Arn"]
    iam.attach_group_policy(GroupName="readers", PolicyArn=managed)
    assert code(caller.client("iam").list_users) == "AccessDenied"
    iam.add_user_to_group(GroupName="readers", UserName="member")
    assert code(caller.client("iam").list_users) == ""


def test_objects_are_read_where_the_policy_says(plane: RunningPlane, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="open/a", Body=b"x")
    s3.put_object(Bucket=bucket, Key="shut/a", Body=b"x")
    caller = Caller(plane, "reader", [allow("s3:GetObject", f"arn:aws:s3:::{bucket}/open/*")])
    mine = caller.client("s3")
    assert code(mine.get_object, Bucket=bucket, Key="open/a") == ""
    assert code(mine.get_object, Bucket=bucket, Key="shut/a") != ""
    assert code(mine.put_object, Bucket=bucket, Key="open/b", Body=b"") != ""
    assert code(mine.list_objects_v2, Bucket=bucket) != ""
    assert code(mine.get_bucket_versioning, Bucket=bucket) != ""


def test_a_buckets_policy_can_allow_and_deny_a_user(
    plane: RunningPlane, s3: Any, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    all_of_it = f"arn:aws:s3:::{bucket}/*"
    guest = Caller(plane, "guest", [])
    owner = Caller(plane, "owner", [allow("s3:*")])
    policy = document(
        allow("s3:GetObject", all_of_it, Principal={"AWS": guest.arn}),
        {**allow("s3:PutObject", all_of_it, Principal="*"), "Effect": "Deny"},
    )
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert code(guest.client("s3").get_object, Bucket=bucket, Key="k") == ""
    assert code(guest.client("s3").delete_object, Bucket=bucket, Key="k") != ""
    assert code(owner.client("s3").get_object, Bucket=bucket, Key="k") == ""
    assert code(owner.client("s3").put_object, Bucket=bucket, Key="k", Body=b"") != ""


@pytest.mark.parametrize(("name", "status"), [("signer", 200), ("stranger", 403)])
def test_a_presigned_address_is_its_signers(
    plane: RunningPlane, s3: Any, bucket: str, name: str, status: int
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    rights = {"signer": [allow("s3:GetObject", f"arn:aws:s3:::{bucket}/k")], "stranger": []}
    caller = Caller(plane, name, rights[name])
    url = caller.client("s3").generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "k"}
    )
    connection = http.client.HTTPConnection("127.0.0.1", plane.port, timeout=10)
    connection.request("GET", url.partition(f":{plane.port}")[2])
    assert connection.getresponse().status == status
    connection.close()


def test_a_role_calls_by_its_own_key(plane: RunningPlane, bucket: str) -> None:
    iam = plane.client("iam")
    role = iam.create_role(RoleName="loader", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    mine = signed(plane, role_key(role), "s3")
    assert code(mine.list_objects_v2, Bucket=bucket) != ""
    iam.put_role_policy(
        RoleName="loader",
        PolicyName="p",
        PolicyDocument=document(allow("s3:ListBucket", f"arn:aws:s3:::{bucket}")),
    )
    assert code(mine.list_objects_v2, Bucket=bucket) == ""


@pytest.fixture(scope="module")
def instances(plane: RunningPlane) -> dict[str, str]:
    """Instances by their tag Role."""
    ec2 = plane.client("ec2")
    image = ec2.describe_images()["Images"][0]["ImageId"]
    return {
        role: ec2.run_instances(
            ImageId=image,
            MinCount=1,
            MaxCount=1,
            TagSpecifications=[
                {"ResourceType": "instance", "Tags": [{"Key": "Role", "Value": role}]}
            ],
        )["Instances"][0]["InstanceId"]
        for role in ("warehouse", "oltp")
    }


def test_a_session_needs_instance_and_document(
    plane: RunningPlane, instances: dict[str, str]
) -> None:
    checked = {"BoolIfExists": {"ssm:SessionDocumentAccessCheck": "true"}}
    caller = Caller(
        plane,
        "analyst",
        [
            allow(
                "ssm:StartSession",
                f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/*",
                Condition={**checked, "StringEquals": {"ssm:resourceTag/Role": "warehouse"}},
            ),
            allow(
                "ssm:StartSession",
                f"arn:aws:ssm:{REGION}:{ACCOUNT}:document/Dashboard",
                Condition=checked,
            ),
        ],
    )
    start = caller.client("ssm").start_session
    assert code(start, Target=instances["warehouse"], DocumentName="Dashboard") == ""
    assert code(start, Target=instances["oltp"], DocumentName="Dashboard") != ""
    assert code(start, Target=instances["warehouse"], DocumentName="AWS-StartSSHSession") != ""
    assert code(start, Target=instances["warehouse"]) != ""


def test_only_ones_own_session_can_be_ended(plane: RunningPlane) -> None:
    sessions = f"arn:aws:ssm:{REGION}:{ACCOUNT}:session/"
    caller = Caller(plane, "ann", [allow("ssm:TerminateSession", sessions + "${aws:username}-*")])
    terminate = caller.client("ssm").terminate_session
    assert code(terminate, SessionId="ann-0123456789") == ""
    assert code(terminate, SessionId="bob-0123456789") == "AccessDeniedException"


def test_what_a_principal_was_allowed_is_written_down_once(plane: RunningPlane) -> None:
    caller = Caller(plane, "writer", [allow(["iam:ListUsers", "s3:ListAllMyBuckets"])])
    for _ in range(2):
        caller.client("iam").list_users()
    assert code(caller.client("iam").list_roles) == "AccessDenied"
    lines = (plane.plane.settings.state / "logs/rights-used.log").read_text().splitlines()
    mine = [one["action"] for one in map(json.loads, lines) if one["principal"] == caller.arn]
    assert mine == ["iam:ListUsers"]
