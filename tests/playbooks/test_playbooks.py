"""What the playbooks refuse, leave alone and say, before a host is needed."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.toolbox import free_port
from tests.unit.control_server import running_plane

REPOSITORY = Path(__file__).resolve().parents[2]
HOST_PLAYS = (
    "configure.yml",
    "erase.yml",
    "lambda_package.yml",
    "replay_erasures.yml",
    "verify.yml",
)
NOWHERE = {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"}


def play(
    playbook: str, tmp_path: Path, aws: dict[str, str] = NOWHERE, **settings: Any
) -> subprocess.CompletedProcess[str]:
    """Run a playbook with the project's settings and these; the one host known is i-0other."""
    hosts = tmp_path / "hosts.json"
    hosts.write_text(json.dumps({"warehouse": {"hosts": {"i-0other": {}}}}))
    binaries = Path(sys.executable).parent
    return subprocess.run(
        [
            *(str(binaries / "ansible-playbook"), "-i", "inventory/settings.yml", "-i", str(hosts)),
            *("-e", json.dumps(settings), f"playbooks/{playbook}"),
        ],
        cwd=REPOSITORY,
        env={
            **{name: value for name, value in os.environ.items() if "proxy" not in name.lower()},
            "PATH": f"{binaries}{os.pathsep}{os.environ['PATH']}",
            "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "ANSIBLE_NOCOLOR": "1",
            "LC_ALL": "C.UTF-8",
            **aws,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.mark.parametrize("playbook", HOST_PLAYS)
def test_another_environments_host_is_refused(playbook: str, tmp_path: Path) -> None:
    done = play(playbook, tmp_path, sbw_warehouse={"InstanceId": "i-0ours"})
    assert done.returncode != 0
    assert "finds i-0other, the stack sbw-warehouse has i-0ours" in " ".join(done.stdout.split())
    assert "its own aws_ec2.yml" in " ".join(done.stdout.split())


@pytest.mark.parametrize("playbook", HOST_PLAYS)
def test_without_an_instance_there_is_nothing_to_do(playbook: str, tmp_path: Path) -> None:
    done = play(playbook, tmp_path, sbw_warehouse={}, sbw_instance_present=False)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "sbw_instance_present is false" in done.stdout
    assert "changed=0" in done.stdout


def open_dashboard(tmp_path: Path, port: int) -> subprocess.CompletedProcess[str]:
    return play(
        "dashboard.yml",
        tmp_path,
        sbw_local_port=port,
        sbw_warehouse={"InstanceId": "i-0ours", "SessionDocument": "document"},
        ansible_aws_ssm_plugin="/no/plugin",
    )


def test_the_dashboard_takes_no_port_that_another_program_has(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = open_dashboard(tmp_path, port)
    assert done.returncode != 0
    assert f"Port {port} of this machine is taken: choose another with PORT=." in done.stdout


def test_a_tunnel_that_ended_says_why(tmp_path: Path) -> None:
    done = open_dashboard(tmp_path, free_port())
    assert done.returncode != 0
    assert "open_dashboard: /no/plugin is missing" in done.stdout
    assert "TASK [Forget the tunnel]" in done.stdout


def test_destroy_leaves_the_network_that_the_shops_own_ec2_is_in(tmp_path: Path) -> None:
    with running_plane(tmp_path / "plane") as plane:
        aws = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{plane.port}"}
        for playbook in ("storage.yml", "network.yml"):
            made = play(playbook, tmp_path, aws, sbw_raw_bucket_create=True)
            assert made.returncode == 0, made.stdout[-3000:]
        s3 = plane.client("s3")
        s3.put_object(Bucket="sbw-artifacts-123456789012", Key="apt/lock.txt", Body=b"a")
        s3.put_object(Bucket="clickstream-s3-ingest", Key="events/one.json", Body=b"{}")
        done = play("destroy.yml", tmp_path, aws, sbw_destroy="sbw")
        assert done.returncode == 0, done.stdout[-3000:]
        stacks = plane.client("cloudformation").describe_stacks()["Stacks"]
        assert {one["StackName"]: one["StackStatus"] for one in stacks} == {
            "sbw-storage": "CREATE_COMPLETE",
            "sbw-network": "CREATE_COMPLETE",
        }
        named = [{"Name": "tag:Name", "Values": ["SBW_EC2_WebDB"]}]
        [found] = plane.client("ec2").describe_instances(Filters=named)["Reservations"]
        [shop] = found["Instances"]
        assert shop["State"]["Name"] == "running"
        assert s3.list_objects_v2(Bucket="sbw-artifacts-123456789012")["KeyCount"] == 0
        assert s3.list_objects_v2(Bucket="clickstream-s3-ingest")["KeyCount"] == 1
    assert f"sbw-network and sbw-storage, since {shop['InstanceId']} is in" in done.stdout


def test_receipts_outlive_a_deployment_and_the_next_one_finds_them(tmp_path: Path) -> None:
    with running_plane(tmp_path / "plane") as plane:
        aws = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{plane.port}"}
        s3 = plane.client("s3")
        made = play("storage.yml", tmp_path, aws, sbw_stack_prefix="two")
        assert made.returncode == 0, made.stdout[-3000:]
        s3.put_object(Bucket="two-backup-123456789012", Key="erasures/1.json", Body=b"{}")
        gone = play("destroy.yml", tmp_path, aws, sbw_stack_prefix="two", sbw_destroy="two")
        assert gone.returncode == 0, gone.stdout[-3000:]
        assert "receipts of erasures in two-backup-123456789012" in gone.stdout
        for changed in (1, 0):
            again = play("storage.yml", tmp_path, aws, sbw_stack_prefix="two")
            assert again.returncode == 0, again.stdout[-3000:]
            assert f"changed={changed}" in again.stdout
        assert s3.list_objects_v2(Bucket="two-backup-123456789012")["KeyCount"] == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"sbw_erase_client": "c", "sbw_erase_account": "u"},
        {"sbw_erase_client": "c", "sbw_erase_with_clients": True},
        {"sbw_erase_client": "two\nlines"},
    ],
    ids=["both", "visitor with clients", "two lines"],
)
def test_an_erasure_that_is_not_clear_is_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    done = play("erase.yml", tmp_path, sbw_warehouse={"InstanceId": "i-0other"}, **settings)
    assert done.returncode != 0
    assert "Give either CLIENT_ID= or USER_ID=" in done.stdout + done.stderr
    assert "Nothing was erased" in done.stdout + done.stderr
    assert "two" not in done.stdout
