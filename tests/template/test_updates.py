"""What changing a parameter does: never to the data, and for the rest what the documents say."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.template import deployment
from tests.template.deployment import GIVEN
from tests.template.templates import NAMES, REPOSITORY, resources, template
from tests.template.updates import Update, update

# Another value where one more letter means none.
OTHER: dict[str, Any] = {
    "AlarmEmail": "op@shop.invalid",
    "AlarmTopicArn": "arn:aws:sns:ap-southeast-1:123456789012:alarms",
    "DataVolumeSnapshotId": "snap-0a",
    "PrivateIpAddress": "10.0.128.11",
    "WebDBClientCidrs": "10.9.0.0/16",
}
KEPT = {"warehouse": {"DataVolume", "LoaderSecret"}, "network": set(), "etl": {"DeadLetterQueue"}}
ROW = re.compile(r"^\| (\w+) \| ([^|]+) \| ([^|]*) \|", re.MULTILINE)


def changes() -> Iterator[tuple[str, str, Update]]:
    """Yield template, parameter and what another value of it does, for all but names of stacks."""
    for name in NAMES:
        for parameter, declared in template(name)["Parameters"].items():
            value = GIVEN[name].get(parameter, declared.get("Default"))
            if parameter.endswith("StackName"):
                continue  # another stack's exports: a deployment of its own
            if "AllowedValues" in declared:
                other = next(one for one in declared["AllowedValues"] if one != value)
            elif declared["Type"] == "Number":
                other = value + 1
            else:
                other = OTHER.get(parameter, f"{value}x")
            yield name, parameter, update(name, {}, {parameter: other})


@pytest.fixture(scope="module")
def all_changes() -> list[tuple[str, str, Update]]:
    found = list(changes())
    assert len(found) > 50
    return found


def test_no_parameter_replaces_or_removes_what_holds_data(
    all_changes: list[tuple[str, str, Update]],
) -> None:
    for name, parameter, done in all_changes:
        touched = done.replaced | done.perhaps_replaced | done.removed
        assert not touched & KEPT.get(name, set()), parameter


def test_a_bucket_is_replaced_by_its_name_alone(
    all_changes: list[tuple[str, str, Update]],
) -> None:
    buckets = set(resources("storage", "AWS::S3::Bucket"))
    replaced = {
        (parameter, bucket)
        for name, parameter, done in all_changes
        if name == "storage"
        for bucket in done.replaced & buckets
    }
    # The raw bucket is not made by default.
    assert update(
        "storage", {"RawBucketCreate": "true"}, {"RawBucketCreate": "true", "RawBucketName": "x"}
    ).replaced == {"RawBucket", "RawBucketPolicy"}
    assert replaced == {(f"{bucket}Name", bucket) for bucket in buckets - {"RawBucket"}}


def test_an_instance_goes_and_comes_without_its_address_and_data() -> None:
    gone = update("warehouse", {}, {"InstancePresent": "false"})
    assert gone == Update(frozenset(), frozenset(), frozenset({"Instance", "DataVolumeAttachment"}))
    back = update("warehouse", {"InstancePresent": "false"}, {"ImageId": "ami-1"})
    assert back == Update(frozenset(), frozenset(), frozenset())


def test_the_documents_say_what_a_parameter_replaces(
    all_changes: list[tuple[str, str, Update]],
) -> None:
    text = (REPOSITORY / "docs/operations.md").read_text()
    section = text.split("## What a parameter replaces")[1].split("\n## ")[0]
    said = {
        (stack, parameter): set(re.findall(r"`(\w+)`", told))
        for stack, parameters, told in ROW.findall(section)
        for parameter in re.findall(r"`(\w+)`", parameters)
    }
    done = {
        (name, parameter): {
            key
            for key in one.replaced | one.perhaps_replaced | one.removed
            if not resources(name)[key]["Type"].endswith(("Ingress", "Egress", "Association"))
        }
        for name, parameter, one in all_changes
    }
    assert said == {key: value for key, value in done.items() if value and key[1] != "VpcCidr"}


@pytest.mark.parametrize(
    ("name", "key", "properties", "parameter"),
    [
        ("warehouse", "LoaderSecret", {"Name": {"Ref": "LoaderLogin"}}, "LoaderLogin"),
        ("etl", "DeadLetterQueue", {"QueueName": {"Ref": "RuleName"}}, "RuleName"),
    ],
)
def test_a_template_that_ties_data_to_a_parameter_is_seen(
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    key: str,
    properties: dict[str, Any],
    parameter: str,
) -> None:
    broken = copy.deepcopy(template(name))
    broken["Resources"][key]["Properties"].update(properties)
    monkeypatch.setattr(
        deployment, "template", lambda one: broken if one == name else template(one)
    )
    assert key in update(name, {}, {parameter: "another"}).replaced
