"""What the demo says, in one line with a remedy, when it cannot go on; and what it leaves alone."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from demo import __main__ as command
from demo import bucket, playbooks, stages
from demo.console import Console, DemoError
from demo.state import State
from local_aws import cli
from tests.toolbox import free_port

OPTIONS = stages.Options(port=0, clock_period=0, events=None, wanted=10, seed=1, live=False)


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "demo")


@pytest.fixture
def has_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "NEEDED", ())


def test_without_root_it_says_so(
    state: State, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert command.main(["up", "--state", str(state.folder)]) == 1
    assert capsys.readouterr().err == "demo: root rights are needed: run `sudo make demo`\n"
    assert not state.folder.exists()


def test_a_missing_tool_is_named(state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "NEEDED", ("sh", "no-such-tool"))
    with pytest.raises(DemoError, match=r"^no-such-tool missing: run `make setup`$"):
        stages.preflight(state, OPTIONS, standing=False)


@pytest.mark.usefixtures("has_all")
def test_a_full_disk_is_said_but_not_to_a_demo_that_stands(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=2**30)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    options = dataclasses.replace(OPTIONS, port=free_port())
    with pytest.raises(DemoError, match=r"^1\.0 GiB are free under .*, 8 are needed$"):
        stages.preflight(state, options, standing=False)
    stages.preflight(state, options, standing=True)


@pytest.mark.usefixtures("has_all")
def test_a_taken_port_is_said_with_another_to_choose(state: State) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(DemoError, match=rf"^port {port} is in use .*PORT={port + 1}`$"):
            stages.preflight(state, dataclasses.replace(OPTIONS, port=port), standing=False)


def test_events_must_be_a_directory_with_files(tmp_path: Path) -> None:
    now = dt.datetime.now(dt.UTC)
    with pytest.raises(DemoError, match=r"nowhere is not a directory: give one"):
        next(bucket.files_of(tmp_path / "nowhere", now))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DemoError, match=r"empty holds no file: there is nothing to load"):
        next(bucket.files_of(tmp_path / "empty", now))


def test_a_file_in_a_folder_gets_a_key_that_the_loader_takes(tmp_path: Path) -> None:
    now = dt.datetime(2026, 11, 26, 9, 5, tzinfo=dt.UTC)
    for name in ("a.json", "sub/b.json", "2026/11/20/c.json", "events/2026/11/20/04/d.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert {one.key for one in bucket.files_of(tmp_path, now)} == {
        "events/2026/11/26/09/a.json",
        "events/2026/11/26/09/sub__b.json",
        "events/2026/11/20/c.json",
        "events/2026/11/20/04/d.json",
    }
    (tmp_path / "sub__b.json").write_text("{}")
    with pytest.raises(DemoError, match=r"two files for the key .*sub__b.json: rename"):
        list(bucket.files_of(tmp_path, now))


def test_another_clock_than_the_standing_demos_is_refused_and_none_takes_its(state: State) -> None:
    state.note(clock_period=20, port=4000)
    assert OPTIONS.beside(state.facts()) == dataclasses.replace(OPTIONS, port=4000, clock_period=20)
    other = dataclasses.replace(OPTIONS, clock_period=5, port=4000)
    with pytest.raises(DemoError, match=r"CLOCK=20: `make demo-down` before another$"):
        stages.preflight(state, other, standing=True)


def test_two_commands_at_once_are_refused(state: State) -> None:
    with (
        stages.alone(state),
        pytest.raises(DemoError, match="another demo command is under way"),
        stages.alone(state),
    ):
        pass


@pytest.mark.usefixtures("has_all")
@pytest.mark.parametrize("standing", [False, True])
def test_a_failure_takes_down_what_it_began_and_no_more(
    state: State, monkeypatch: pytest.MonkeyPatch, standing: bool
) -> None:
    called = []
    state.note(written={"objects": 1, "events": 1}, clock_period=60)
    monkeypatch.setattr(stages, "stands", lambda _state: standing)
    monkeypatch.setattr(stages, "preflight", lambda *_: None)
    monkeypatch.setattr(stages, "local_aws", lambda name, *_: called.append(name))

    def fail(_demo: stages.Demo) -> None:
        # What an earlier demo wrote is a fact only while that demo stands.
        called.append(f"written: {'written' in state.facts()}")
        raise RuntimeError("no")

    monkeypatch.setattr(stages, "_up", fail)
    with pytest.raises(RuntimeError):
        stages.up(Console(), state, OPTIONS)
    assert called == (["written: True"] if standing else ["written: False", "down"])


def test_an_unforeseen_error_is_one_line_and_a_log(
    state: State, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("odd")

    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(stages, "up", fail)
    assert command.main(["up", "--state", str(state.folder)]) == 1
    log = state.logs / "demo.log"
    assert capsys.readouterr().err == f"demo: ValueError: odd (log: {log})\n"
    assert "Traceback" in log.read_text()


def test_a_failing_play_names_its_task_its_message_and_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        "PLAY [Make the buckets] ****",
        "TASK [Deploy the stack storage] ****",
        "[ERROR]: Task failed: the bucket is another account's",
        "fatal: [localhost]: FAILED! => {}",
    ]
    fake = tmp_path / "ansible-playbook"
    fake.write_text(
        "#!/bin/sh\n" + "".join(f"echo {json.dumps(line)}\n" for line in lines) + "exit 2\n"
    )
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    heard: list[str] = []
    log = tmp_path / "logs" / "site.log"
    with pytest.raises(DemoError) as caught:
        playbooks.play("site.yml", aws={}, inventory=[], log=log, on_task=heard.append)
    assert str(caught.value) == (
        "playbook site.yml failed at “Deploy the stack storage”: "
        f"Task failed: the bucket is another account's (log: {log})"
    )
    assert heard == ["Make the buckets: Deploy the stack storage"]
    assert log.read_text().splitlines() == lines


def test_asking_for_the_status_of_nothing_makes_nothing(tmp_path: Path) -> None:
    assert cli.main(["status", "--state", str(tmp_path / "none")]) == 3
    assert not (tmp_path / "none").exists()
