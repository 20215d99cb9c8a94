#!/usr/bin/env python3
"""Say what deploying a template would change in a stack, by a change set that is thrown away.

    plan_stack.py --stack NAME --template FILE --parameters JSON [--region REGION] [--may-replace ID …]

Prints a line for each resource that would change; for a stack that is not there how many it would have;
nothing when nothing would change. Exits with 3, and says what, when the change would replace or delete
something that holds data, unless --may-replace names it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

# What is lost, or left behind with what it holds, when another one takes its place.
HOLDS_DATA = (
    "AWS::EC2::Volume",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
    "AWS::SQS::Queue",
)
UNCHANGED = ("didn't contain changes", "No updates are to be performed")
HOW = {"True": "replaced", "Conditional": "perhaps replaced", "False": "in place"}
WAIT_SECONDS = 300


def changes(stacks: Any, stack: str, template: str, parameters: dict[str, Any]) -> Any:
    """Return a change set's resource changes, or None where there is no such stack.

    Raises SystemExit with AWS's reason when it cannot be made.
    """
    try:
        (found,) = stacks.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    if found["StackStatus"] == "REVIEW_IN_PROGRESS":
        return None
    name = f"plan-{uuid.uuid4().hex}"
    made = stacks.create_change_set(
        StackName=stack,
        ChangeSetName=name,
        TemplateBody=template,
        Parameters=[
            {"ParameterKey": key, "ParameterValue": str(value)} for key, value in parameters.items()
        ],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
    )["Id"]
    try:
        return _described(stacks, made)
    finally:
        stacks.delete_change_set(ChangeSetName=made)


def _described(stacks: Any, change_set: str) -> list[dict[str, Any]]:
    until = time.monotonic() + WAIT_SECONDS
    while True:
        answer = stacks.describe_change_set(ChangeSetName=change_set)
        if answer["Status"] == "FAILED":
            reason = answer.get("StatusReason", "")
            if any(text in reason for text in UNCHANGED):
                return []
            sys.exit(f"plan_stack: {reason}")
        if answer["Status"] == "CREATE_COMPLETE":
            break
        if time.monotonic() > until:
            sys.exit(f"plan_stack: CloudFormation made no change set within {WAIT_SECONDS} s")
        time.sleep(2)
    found = answer["Changes"]
    while "NextToken" in answer:
        answer = stacks.describe_change_set(ChangeSetName=change_set, NextToken=answer["NextToken"])
        found += answer["Changes"]
    return [one["ResourceChange"] for one in found]


def line(change: dict[str, Any]) -> str:
    """Return what is printed of one change."""
    what = f"{change['LogicalResourceId']} ({change['ResourceType']})"
    if change["Action"] != "Modify":
        return f"{change['Action'].lower()} {what}"
    names = sorted(
        {
            detail["Target"].get("Name") or detail["Target"]["Attribute"]
            for detail in change.get("Details", [])
        }
    )
    of = f": {', '.join(names)}" if names else ""
    return f"modify {what}, {HOW.get(str(change.get('Replacement')), 'in place')}{of}"


def loses_data(change: dict[str, Any]) -> bool:
    """Whether a change takes something away, or puts another in its place, that holds data."""
    gone = change["Action"] == "Remove" or change.get("Replacement") == "True"
    return gone and change["ResourceType"] in HOLDS_DATA


def main() -> None:
    """Plan one stack."""
    parser = argparse.ArgumentParser(description="Say what a deployment would change.")
    parser.add_argument("--stack", required=True, help="name of the stack")
    parser.add_argument("--template", type=Path, required=True, help="the template's file")
    parser.add_argument("--parameters", required=True, help="its parameters, JSON")
    parser.add_argument("--region", default=None, help="AWS region")
    parser.add_argument("--may-replace", nargs="*", default=[], help="ids that may go")
    arguments = parser.parse_args()
    stacks = boto3.client("cloudformation", region_name=arguments.region)
    template = arguments.template.read_text()
    try:
        found = changes(stacks, arguments.stack, template, json.loads(arguments.parameters))
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"plan_stack: {error}")
    if found is None:
        print(f"{arguments.stack} is new")
        return
    for change in found:
        print(line(change))
    lost = [one["LogicalResourceId"] for one in found if loses_data(one)]
    if refused := sorted(set(lost) - set(arguments.may_replace)):
        print(
            f"plan_stack: this would take away or replace {', '.join(refused)} of"
            f" {arguments.stack}, which hold data. Nothing was changed.",
            file=sys.stderr,
        )
        sys.exit(3)


if __name__ == "__main__":
    main()
