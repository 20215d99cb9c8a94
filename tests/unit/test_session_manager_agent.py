"""The agent's identity, its frames, and its package."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from local_aws import agent
from local_aws.agent.program import identity, wire


def test_wire_frame_has_kind_stream_and_length() -> None:
    assert wire.encode(wire.DATA, 3, b"hi").hex() == "0500000003000000026869"


def test_wire_frames_may_be_cut_anywhere() -> None:
    decoder = wire.Decoder()
    whole = bytes.fromhex("050000000300000002686908000000030000000009")
    assert decoder.feed(whole[:10]) == []
    assert decoder.feed(whole[10:]) == [(5, 3, b"hi"), (8, 3, b"")]


def test_wire_refuses_a_length_beyond_reason() -> None:
    with pytest.raises(wire.WireError):
        wire.Decoder().feed(bytes.fromhex("0500000003ffffffff"))


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(identity, "INSTANCE_ID", tmp_path / "instance-id")
    monkeypatch.setattr(identity, "SETTINGS", tmp_path / "agent.json")
    monkeypatch.setattr(identity, "INSTANCE_DATA", (tmp_path / "data.json",))
    monkeypatch.setattr(identity, "RESOLVER", tmp_path / "resolv.conf")
    return tmp_path


def test_instance_id_is_cloud_inits(files: Path) -> None:
    (files / "instance-id").write_text("i-0123\n")
    assert identity.instance_id() == "i-0123"


@pytest.mark.usefixtures("files")
def test_instance_without_an_id_says_where_it_looked() -> None:
    with pytest.raises(identity.IdentityError, match="instance-id"):
        identity.instance_id()


def test_region_is_the_one_that_the_resolver_searches(files: Path) -> None:
    (files / "resolv.conf").write_text(
        "nameserver 10.0.128.2\nsearch ap-southeast-1.compute.internal\n"
    )
    assert identity.region() == "ap-southeast-1"


def test_agents_settings_come_before_cloud_inits_data(files: Path) -> None:
    (files / "agent.json").write_text('{"Agent": {"Region": "eu-west-1"}}')
    (files / "data.json").write_text('{"v1": {"region": "ap-southeast-1"}}')
    assert identity.region() == "eu-west-1"


@pytest.mark.usefixtures("files")
def test_no_region_anywhere_names_the_files() -> None:
    with pytest.raises(identity.IdentityError, match=r"agent\.json, .*data\.json, .*resolv\.conf"):
        identity.region()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> agent.AgentPackage:
    for tool in ("dpkg-deb", "gpg"):
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed")
    return agent.build(tmp_path_factory.mktemp("agent"))


def test_package_is_named_as_debian_names_it(package: agent.AgentPackage) -> None:
    assert package.deb.name == "amazon-ssm-agent_3.3.0.0_all.deb"
    shown = subprocess.run(
        [
            "dpkg-deb",
            "--showformat",
            "${Package} ${Version} ${Architecture}",
            "--show",
            str(package.deb),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "amazon-ssm-agent 3.3.0.0 all"


def test_signature_is_by_the_key_with_the_fingerprint(
    package: agent.AgentPackage, tmp_path: Path
) -> None:
    ring = tmp_path / "ring.gpg"
    subprocess.run(["gpg", "--dearmor", "--output", ring, package.public_key], check=True)
    gpg = ["gpg", "--homedir", str(tmp_path), "--no-default-keyring", "--keyring", str(ring)]
    checked = subprocess.run(
        [*gpg, "--status-fd", "1", "--verify", package.signature, package.deb],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"VALIDSIG {package.fingerprint}" in checked.stdout
    subprocess.run(["gpgconf", "--homedir", tmp_path, "--kill", "all"], check=False)


def test_second_build_keeps_package_and_key(package: agent.AgentPackage) -> None:
    assert agent.build(package.deb.parent) == package


def test_packaged_program_starts_by_itself(package: agent.AgentPackage, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "--extract", package.deb, tmp_path], check=True)
    library = str(tmp_path / "usr/lib/amazon-ssm-agent")
    code = f"import sys; sys.path.append({library!r}); from ssm_agent.__main__ import main; main()"
    shown = subprocess.run(
        ["/usr/bin/python3", "-I", "-c", code, "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout == "3.3.0.0\n"
