"""From EC2's answers to containers, disks and files."""

import os
from pathlib import Path

import pytest

from local_aws.hosts import parse_mount
from local_aws.instances import Instance, difference, instances, user_data
from local_aws.network import Plan, Subnet
from local_aws.paths import LocalAwsError, State
from local_aws.podman import driver_for
from local_aws.processes import ProcessRecord, start_time
from local_aws.volumes import Attachment, attachments

PLAN = Plan((Subnet("subnet-b", "10.0.128.0/20", "vpc-1"),))


def test_an_instance_has_the_address_of_its_first_interface() -> None:
    card = {
        "Attachment": {"DeviceIndex": 0},
        "PrivateIpAddress": "10.0.128.10",
        "SubnetId": "subnet-b",
        "MacAddress": "02:00:00:00:00:01",
    }
    row = {
        "InstanceId": "i-1",
        "State": {"Name": "running"},
        "NetworkInterfaces": [card],
        "PrivateIpAddress": "10.9.9.9",
    }
    assert instances([{"Instances": [row]}]) == [
        Instance("i-1", "running", "subnet-b", "10.0.128.10", "02:00:00:00:00:01")
    ]


def one(state: str, identifier: str = "i-1", subnet: str = "subnet-b") -> Instance:
    return Instance(identifier, state, subnet, "10.0.128.10")


@pytest.mark.parametrize(
    ("state", "present", "steps"),
    [
        ("running", {}, ["create", "start"]),
        ("pending", {}, ["create", "start"]),
        ("running", {"i-1": 42}, []),
        ("running", {"i-1": 0}, ["start"]),
        ("stopped", {"i-1": 42}, ["stop"]),
        ("stopped", {"i-1": 0}, []),
        ("stopped", {}, []),
        ("terminated", {"i-1": 42}, ["remove"]),
        ("terminated", {}, []),
    ],
)
def test_steps_from_what_is_to_what_should_be(
    state: str, present: dict[str, int], steps: list[str]
) -> None:
    assert [step for step, _ in difference([one(state)], present, PLAN)] == steps


def test_a_container_of_an_unknown_instance_is_removed() -> None:
    assert [(s, i.id) for s, i in difference([], {"i-9": 7}, PLAN)] == [("remove", "i-9")]


def test_an_instance_waits_for_its_subnet() -> None:
    assert difference([one("running", subnet="subnet-x")], {}, PLAN) == []


def test_user_data_is_decoded() -> None:
    assert user_data({"UserData": {"Value": "IyEvYmluL3NoCg=="}}) == b"#!/bin/sh\n"
    assert user_data({"UserData": {}}) == b""


def volume(identifier: str, device: str, state: str = "attached") -> dict[str, object]:
    row = {"Device": device, "InstanceId": "i-1", "State": state}
    return {"VolumeId": identifier, "Size": 2, "Attachments": [row]}


def test_root_volumes_and_detached_ones_are_no_data_volumes() -> None:
    rows = [
        volume("vol-1", "/dev/sdf"),
        volume("vol-2", "/dev/sda1"),
        volume("vol-3", "/dev/xvda"),
        volume("vol-4", "/dev/sdg", "detached"),
        {"VolumeId": "vol-5", "Size": 1, "Attachments": []},
    ]
    assert attachments(rows) == [Attachment("vol-1", "i-1", "/dev/sdf", 2)]


def test_a_device_name_that_leads_elsewhere_is_refused() -> None:
    assert attachments([volume("vol-1", "/dev/../etc/passwd")]) == []


def test_a_mount_gets_an_absolute_source(tmp_path: Path) -> None:
    assert parse_mount(f"{tmp_path}:/srv/apt:ro") == f"{tmp_path}:/srv/apt:ro"
    assert parse_mount(f"{tmp_path}:/srv/apt") == f"{tmp_path}:/srv/apt:rw"


@pytest.mark.parametrize("text", ["/tmp", "/tmp:srv", "/tmp:/srv:rx", "/does/not/exist:/srv"])
def test_a_mount_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(LocalAwsError, match="--mount"):
        parse_mount(text)


def test_two_directories_never_share_a_name(tmp_path: Path) -> None:
    assert State.at(tmp_path / "a").name != State.at(tmp_path / "b").name
    assert State.at(tmp_path / "a" / ".." / "b").name == State.at(tmp_path / "b").name


def test_a_state_in_run_is_refused() -> None:
    with pytest.raises(LocalAwsError, match="outside /run"):
        State.at("/run/miniature")


def test_erasing_leaves_logs_and_foreign_files(tmp_path: Path) -> None:
    state = State.at(tmp_path)
    state.prepare()
    (state.logs / "control.log").write_text("kept\n")
    (tmp_path / "notes.txt").write_text("the user's\n")
    state.env_file.write_text("A=b\n")
    state.erase()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["logs", "notes.txt"]


def test_the_environment_of_a_state_that_is_not_up_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LocalAwsError, match="run `python -m local_aws up` first"):
        State.at(tmp_path).environment()


def test_a_reused_process_id_is_another_process(tmp_path: Path) -> None:
    own = start_time(os.getpid())
    assert own is not None
    record = ProcessRecord(os.getpid(), own)
    record.write(tmp_path / "pid")
    assert ProcessRecord.read(tmp_path / "pid") == record
    assert record.alive()
    assert not ProcessRecord(os.getpid(), own + 1).alive()


def test_overlay_is_not_put_upon_overlay() -> None:
    assert (driver_for("overlayfs"), driver_for("ext2/ext3")) == ("vfs", "overlay")
