"""What analysts, operators, auditors and the function may do, and what not, by the templates' policies.

Each table is asked both ways: every row that is allowed is, and everything else that any table names is
refused.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from local_aws.control import policy
from tests.template.deployment import ACCOUNT, REGION, deployed

ALLOW, DENY = policy.ALLOW, policy.DENY


def arn(service: str, rest: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{rest}"


def s3(rest: str) -> str:
    return f"arn:aws:s3:::{rest}"


# Resources by a word; an instance with the tags that it carries.
THINGS: dict[str, str] = {
    "everything": "*",
    "warehouse": arn("ec2", "instance/i-warehouse"),
    "another warehouse": arn("ec2", "instance/i-staging"),
    "shop's EC2": arn("ec2", "instance/i-shop"),
    "dashboard's document": arn("ssm", "document/SessionDocument"),
    "shell's document": arn("ssm", "document/SSM-SessionManagerRunShell"),
    "any port's document": arn("ssm", "document/AWS-StartPortForwardingSession"),
    "remote host's document": arn("ssm", "document/AWS-StartPortForwardingSessionToRemoteHost"),
    "own session": arn("ssm", "session/ann-0123"),
    "another's session": arn("ssm", "session/bob-0123"),
    "raw bucket": s3("clickstream-s3-ingest"),
    "raw events": s3("clickstream-s3-ingest/events/2026/01/01/00/e.json"),
    "transfers": s3("TransferBucket/i-0/module"),
    "receipts": s3("backup/erasures/1.json"),
    "the rest of the backups": s3("backup/pg/base.tar"),
    "note of what was published": s3("ArtifactBucket/published.json"),
    "packages": s3("ArtifactBucket/apt/dists/InRelease"),
    "code": s3(f"ArtifactBucket/lambda/{'0' * 64}.zip"),
    "loader's secret": arn("secretsmanager", "secret:loader"),
    "another secret": arn("secretsmanager", "secret:signing-key"),
    "function": arn("lambda", "function:SBW_Lamda_ETL"),
    "rule": arn("events", "rule/SBW_ETL_HOURLY_RULE"),
    "function's log": arn("logs", "log-group:/aws/lambda/SBW_Lamda_ETL:*"),
    "queue": arn("sqs", "queue"),
    "warehouse's stack": arn("cloudformation", "stack/sbw-warehouse/1"),
    "our other stacks": arn("cloudformation", "stack/sbw-network/1"),
    "another stack": arn("cloudformation", "stack/payroll/1"),
    "our volume": arn("ec2", "volume/vol-ours"),
    "another volume": arn("ec2", "volume/vol-other"),
    "a new snapshot": f"arn:aws:ec2:{REGION}::snapshot/*",
    "our snapshot": f"arn:aws:ec2:{REGION}::snapshot/snap-ours",
    "another snapshot": f"arn:aws:ec2:{REGION}::snapshot/snap-other",
    "our roles": f"arn:aws:iam::{ACCOUNT}:role/sbw-warehouse-InstanceRole-1",
    "another role": f"arn:aws:iam::{ACCOUNT}:role/admin",
}
TAGS = {
    "warehouse": {"Role": "warehouse", "Environment": "sbw"},
    "another warehouse": {"Role": "warehouse", "Environment": "staging"},
    "shop's EC2": {"Role": "oltp"},
    "our volume": {"SnapshotsBy": "sbw-warehouse"},
    "another volume": {"SnapshotsBy": "staging-warehouse"},
    "our snapshot": {"SnapshotsBy": "sbw-warehouse"},
    "another snapshot": {"SnapshotsBy": "staging-warehouse"},
}
# What a reference to a resource of a template stands for above.
IDS = {
    "SessionDocument": "SessionDocument",
    "Function.Arn": THINGS["function"],
    "HourlyRule.Arn": THINGS["rule"],
    "LogGroup.Arn": THINGS["function's log"],
    "DeadLetterQueue.Arn": THINGS["queue"],
    "arn:aws:secretsmanager:ap-southeast-1:123456789012:secret:loader": THINGS["loader's secret"],
}
START = "ssm:StartSession"
OWN = {(action, "own session") for action in ("ssm:ResumeSession", "ssm:TerminateSession")}
ANALYST = OWN | {
    (START, "warehouse"),
    (START, "dashboard's document"),
    ("ec2:DescribeInstances", "everything"),
    ("ssm:DescribeInstanceInformation", "everything"),
    ("cloudformation:DescribeStacks", "warehouse's stack"),
}
OPERATOR = ANALYST | {
    (START, "shell's document"),
    ("s3:ListBucket", "raw bucket"),
    ("s3:GetBucketVersioning", "raw bucket"),
    *((f"s3:{verb}Object", "raw events") for verb in ("Get", "Put", "Delete")),
    *((f"s3:{verb}Object", "transfers") for verb in ("Get", "Put", "Delete")),
    *((f"s3:{verb}Object", "receipts") for verb in ("Get", "Put")),
    ("s3:GetObjectVersion", "raw events"),
    ("s3:DeleteObjectVersion", "raw events"),
    ("s3:GetObject", "note of what was published"),
    ("secretsmanager:GetSecretValue", "loader's secret"),
    ("lambda:InvokeFunction", "function"),
    ("events:EnableRule", "rule"),
    ("events:DescribeRule", "rule"),
    ("logs:FilterLogEvents", "function's log"),
    ("sqs:ReceiveMessage", "queue"),
    ("cloudformation:DescribeStacks", "our other stacks"),
    ("cloudwatch:DescribeAlarms", "everything"),
}
AUDITOR = {
    ("ec2:DescribeInstances", "everything"),
    ("ec2:DescribeSecurityGroups", "everything"),
    ("ec2:DescribeSnapshots", "everything"),
    ("ec2:DescribeVolumes", "everything"),
    ("cloudwatch:DescribeAlarms", "everything"),
    ("ssm:DescribeSessions", "everything"),
    ("s3:GetBucketVersioning", "raw bucket"),
    ("s3:GetBucketPolicy", "raw bucket"),
    ("s3:GetObject", "receipts"),
    ("events:DescribeRule", "rule"),
    ("logs:FilterLogEvents", "function's log"),
    ("cloudformation:DescribeStacks", "warehouse's stack"),
    ("cloudformation:DescribeStacks", "our other stacks"),
    ("iam:GetRole", "our roles"),
}
FUNCTION = {
    ("s3:ListBucket", "raw bucket"),
    ("s3:GetObject", "raw events"),
    ("logs:PutLogEvents", "function's log"),
    ("sqs:SendMessage", "queue"),
}
# The service that takes the data volume's snapshots.
SNAPSHOTS = {
    ("ec2:DescribeVolumes", "everything"),
    ("ec2:DescribeSnapshots", "everything"),
    ("ec2:DescribeInstances", "everything"),
    ("ec2:CreateSnapshot", "our volume"),
    ("ec2:CreateSnapshot", "a new snapshot"),
    ("ec2:CreateTags", "a new snapshot"),
    ("ec2:DeleteSnapshot", "our snapshot"),
}
# Beyond what somebody may: what nobody here may.
NOBODY = {
    ("iam:PutRolePolicy", "our roles"),
    ("iam:GetRole", "another role"),
    ("cloudformation:UpdateStack", "warehouse's stack"),
    ("cloudformation:DescribeStacks", "another stack"),
    ("lambda:GetFunctionConfiguration", "function"),
    ("lambda:UpdateFunctionCode", "function"),
    ("s3:DeleteBucket", "raw bucket"),
    ("s3:PutBucketPolicy", "raw bucket"),
    ("s3:GetObject", "packages"),
    ("s3:PutObject", "packages"),
    ("s3:PutObject", "code"),
    ("s3:DeleteObject", "receipts"),
    ("s3:GetObject", "the rest of the backups"),
    ("secretsmanager:GetSecretValue", "another secret"),
    ("secretsmanager:PutSecretValue", "loader's secret"),
    (START, "another warehouse"),
    (START, "shop's EC2"),
    (START, "any port's document"),
    (START, "remote host's document"),
    ("ssm:TerminateSession", "another's session"),
    ("ssm:SendCommand", "warehouse"),
    ("ec2:TerminateInstances", "warehouse"),
    ("ec2:CreateSnapshot", "another volume"),
    ("ec2:DeleteSnapshot", "another snapshot"),
    ("ec2:CreateTags", "our volume"),
    ("ec2:DeleteVolume", "our volume"),
    ("ec2:ModifySnapshotAttribute", "our snapshot"),
}  # fmt: skip
TABLES = {
    "analyst": ANALYST, "operator": OPERATOR, "auditor": AUDITOR, "function": FUNCTION,
    "snapshots": SNAPSHOTS,
}  # fmt: skip
QUESTIONS = set[tuple[str, str]]().union(*TABLES.values(), NOBODY)


def document(who: str) -> str:
    """Return a principal's policy as JSON, references to resources as their ARNs."""
    etl = deployed("etl")
    found = {
        "analyst": lambda: deployed("warehouse")["AnalystPolicy"]["PolicyDocument"],
        "operator": lambda: etl["OperatorPolicy"]["PolicyDocument"],
        "auditor": lambda: etl["AuditorPolicy"]["PolicyDocument"],
        "function": lambda: etl["FunctionRole"]["Policies"][0]["PolicyDocument"],
        "snapshots": lambda: deployed("warehouse")["SnapshotRole"]["Policies"][0]["PolicyDocument"],
    }[who]()
    text = json.dumps(found)
    for reference, stands_for in IDS.items():
        text = text.replace(f'"{reference}"', json.dumps(stands_for))
    # The stack names the document: its own name first.
    return text.replace("document/sbw-warehouse-*", "document/SessionDocument")


def decision(text: str, action: str, thing: str) -> str:
    context = {
        "aws:username": "ann",
        "aws:userid": "AIDAEXAMPLE",
        "ssm:SessionDocumentAccessCheck": "true",
        **{
            f"{prefix}/{key}": value
            for prefix in ("ssm:resourceTag", "aws:ResourceTag")
            for key, value in TAGS.get(thing, {}).items()
        },
    }
    return policy.decide(text, policy.Access(action, THINGS[thing], context=context))


@pytest.mark.parametrize("who", TABLES)
def test_a_principal_may_do_what_its_table_says_and_nothing_else(who: str) -> None:
    text = document(who)
    allowed = {question for question in QUESTIONS if decision(text, *question) == ALLOW}
    assert allowed == TABLES[who]


def test_an_auditor_is_refused_data_whatever_else_is_allowed() -> None:
    text = document("auditor")
    for action, thing in (
        ("s3:GetObject", "raw events"),
        ("s3:GetObject", "transfers"),
        ("secretsmanager:GetSecretValue", "loader's secret"),
        ("lambda:GetFunctionConfiguration", "function"),
        (START, "warehouse"),
    ):
        assert decision(text, action, thing) == DENY


def test_an_auditor_lists_receipts_alone() -> None:
    text = document("auditor")
    for prefix, verdict in (("erasures/", ALLOW), ("pg/", policy.SILENT), ("", policy.SILENT)):
        access = policy.Access("s3:ListBucket", s3("backup"), context={"s3:prefix": prefix})
        assert policy.decide(text, access) == verdict


@pytest.mark.parametrize("who", TABLES)
def test_no_policy_has_a_wildcard_or_more_resources_than_it_must(who: str) -> None:
    for statement in policy.parse(document(who)):
        actions = statement["Action"]
        assert "*" not in "".join([actions] if isinstance(actions, str) else actions)
        if statement["Resource"] == "*" and statement["Effect"] == "Allow":
            # Calls that AWS gives no resource to restrict by.
            listed = [actions] if isinstance(actions, str) else actions
            assert all(
                one.split(":")[1].startswith(("Describe", "Lookup", "GetMetricData"))
                or one.endswith(("NetworkInterface", "PrivateIpAddresses"))
                for one in listed
            ), listed


@pytest.mark.parametrize("who", ["analyst", "operator", "auditor"])
def test_a_managed_policy_is_no_longer_than_aws_takes(who: str) -> None:
    statements: Any = json.loads(document(who))
    assert len(json.dumps(statements, separators=(",", ":"))) <= 6144
