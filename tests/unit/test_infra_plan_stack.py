"""What a deployment would change is said before it does, and data are not lost by one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.toolbox import REPOSITORY
from tests.unit.control_server import RunningPlane

TEMPLATE = """
Parameters: {Name: {Type: String}, Days: {Type: Number, Default: 1}, Queue: {Type: String, Default: a}}
Conditions: {Keeps: !Equals [!Ref Queue, a]}
Resources:
  Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: !Ref Name}}
  Log: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: !Ref Name, RetentionInDays: !Ref Days}}
  Queue: {Type: AWS::SQS::Queue, Condition: Keeps, Properties: {MessageRetentionPeriod: 60}}
"""


@pytest.fixture(scope="module")
def stack(plane: RunningPlane) -> str:
    stacks = plane.client("cloudformation")
    parameters = [{"ParameterKey": "Name", "ParameterValue": "planned"}]
    stacks.create_stack(StackName="planned", TemplateBody=TEMPLATE, Parameters=parameters)
    return "planned"


def plan(
    plane: RunningPlane, tmp_path: Path, stack: str, *more: str, **parameters: Any
) -> subprocess.CompletedProcess[str]:
    template = tmp_path / "t.yaml"
    template.write_text(TEMPLATE)
    return subprocess.run(
        [
            *(sys.executable, str(REPOSITORY / "playbooks/files/plan_stack.py")),
            *(f"--stack={stack}", f"--template={template}", "--region=ap-southeast-1"),
            *(f"--parameters={json.dumps({'Name': 'planned', **parameters})}", *more),
        ],
        env={
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{plane.port}",
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_stack_that_is_not_there_is_new(plane: RunningPlane, tmp_path: Path) -> None:
    done = plan(plane, tmp_path, "nowhere")
    assert (done.returncode, done.stdout) == (0, "nowhere is new\n")


def test_nothing_to_change_is_nothing_to_say(
    plane: RunningPlane, tmp_path: Path, stack: str
) -> None:
    done = plan(plane, tmp_path, stack)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_a_change_is_said_and_not_made(plane: RunningPlane, tmp_path: Path, stack: str) -> None:
    done = plan(plane, tmp_path, stack, Days=7)
    assert done.stdout == "modify Log (AWS::Logs::LogGroup), in place: RetentionInDays\n"
    assert done.returncode == 0
    (log,) = plane.client("logs").describe_log_groups(logGroupNamePrefix=stack)["logGroups"]
    assert log["retentionInDays"] == 1
    assert plane.client("cloudformation").list_change_sets(StackName=stack)["Summaries"] == []


@pytest.mark.parametrize(
    ("parameters", "lost", "said"),
    [
        ({"Name": "another"}, "Bucket", "modify Bucket (AWS::S3::Bucket), replaced: BucketName"),
        ({"Queue": "b"}, "Queue", "remove Queue (AWS::SQS::Queue)"),
    ],
)
def test_what_holds_data_is_neither_replaced_nor_removed_unless_it_is_named(
    plane: RunningPlane,
    tmp_path: Path,
    stack: str,
    parameters: dict[str, str],
    lost: str,
    said: str,
) -> None:
    done = plan(plane, tmp_path, stack, **parameters)
    assert done.returncode == 3
    assert said in done.stdout
    assert f"this would take away or replace {lost} of planned" in done.stderr
    assert plan(plane, tmp_path, stack, "--may-replace", lost, **parameters).returncode == 0


def test_a_refusal_of_aws_is_one_line(plane: RunningPlane, tmp_path: Path, stack: str) -> None:
    done = plan(plane, tmp_path, stack, Stranger="x")
    assert done.returncode == 1
    assert done.stderr.startswith("plan_stack: ")
    assert done.stderr.count("\n") == 1
    assert "Stranger" in done.stderr
