"""The plugin's substitute as a process, at a shell."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.auth
import botocore.awsrequest
import botocore.credentials
import pytest

from local_aws.session_manager.plugin import aws
from tests.unit.session_manager_rig import (
    PLUGIN,
    REPOSITORY,
    Plugin,
    Rig,
    running,
    wait_until,
)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(tmp_path_factory.mktemp("home")) as started:
        yield started


@pytest.fixture
def shell(rig: Rig) -> Iterator[Plugin]:
    """Give a shell whose echo and prompt are off, as Ansible's connection makes it."""
    plugin = Plugin(rig, rig.start())
    plugin.type("stty -echo\n")
    plugin.until(b"stty -echo")
    plugin.type("PS1='' ; bind 'set enable-bracketed-paste off'; printf '\\n%s\\n' 'READY'\n")
    plugin.until(b"\r\nREADY\r\n")
    yield plugin
    plugin.kill()


class Relay:
    """A TCP relay to the service, to be cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._port))
            self._sockets += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._copy, args=(source, target), daemon=True).start()

    @staticmethod
    def _copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                target.sendall(data)
        except OSError:
            return

    def cut(self) -> None:
        self._listener.close()
        for each in self._sockets:
            each.shutdown(socket.SHUT_RDWR)
            each.close()


def _stream_by(relay: Relay, rig: Rig, session: dict[str, Any]) -> dict[str, Any]:
    return {
        **session,
        "StreamUrl": session["StreamUrl"].replace(f":{rig.port}/", f":{relay.port}/"),
    }


def test_version_is_one_that_the_cli_accepts() -> None:
    answer = subprocess.run([str(PLUGIN), "--version"], capture_output=True, check=True)
    assert answer.stdout == b"1.2.764.0\n"


def test_session_is_announced_before_anything_else(rig: Rig) -> None:
    session = rig.start()
    plugin = Plugin(rig, session)
    banner = f"\nStarting session with SessionId: {session['SessionId']}\n"
    assert plugin.until(banner.encode()) == banner.encode()
    plugin.kill()


def test_response_may_be_in_the_environment(rig: Rig) -> None:
    session = rig.start()
    name = "AWS_SSM_START_SESSION_RESPONSE"
    answer = subprocess.run(
        [str(PLUGIN), name, "ap-southeast-1", "StartSession", "", '{"Target":"i"}', rig.url],
        env={**os.environ, name: json.dumps(session)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    assert session["SessionId"].encode() in answer.stdout


def test_session_without_token_timed_out(rig: Rig) -> None:
    answer = subprocess.run(
        [str(PLUGIN), '{"SessionId":"s-1"}', "r", "StartSession", "", '{"Target":"i"}', rig.url],
        capture_output=True,
        check=True,
    )
    assert b"Session: s-1 timed out.\n" in answer.stdout


def test_arguments_that_are_no_session_are_one_clear_line() -> None:
    answer = subprocess.run(
        [str(PLUGIN), "{}", "r", "StartSession", "", '{"Target":"i"}', "http://127.0.0.1:9"],
        capture_output=True,
    )
    assert answer.returncode == 1
    assert answer.stderr.count(b"\n") == 1
    assert b"the arguments are no session" in answer.stderr


def test_service_that_is_not_there_is_one_clear_line() -> None:
    session = '{"SessionId":"s","TokenValue":"t","StreamUrl":"ws://127.0.0.1:9/x"}'
    answer = subprocess.run(
        [str(PLUGIN), session, "r", "StartSession", "", '{"Target":"i"}', "http://127.0.0.1:9"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
    )
    assert answer.returncode == 1
    assert answer.stderr == (
        b"session-manager-plugin: ws://127.0.0.1:9: [Errno 111] Connection refused\n"
    )


def test_shell_is_bash(shell: Plugin) -> None:
    shell.type("echo shell=${BASH_VERSION%%.*}.\n")
    assert shell.until(b".\r\n").startswith(b"shell=5")


def test_environment_does_not_hand_down_an_underscore(shell: Plugin) -> None:
    shell.type("tr '\\0' '\\n' </proc/$$/environ | grep -c '^_='; echo end.\n")
    assert shell.until(b"end.") == b"0\r\nend."


def test_vietnamese_comes_back_as_it_was(shell: Plugin) -> None:
    shell.type("echo 'Đã thêm vào giỏ: phở bò 65.000 ₫'\n")
    expected = "Đã thêm vào giỏ: phở bò 65.000 ₫\r\n".encode()
    assert shell.until(b"\r\n") == expected


def test_megabyte_of_output_is_complete_and_in_order(shell: Plugin) -> None:
    shell.type("seq 1 150000; echo end.\n")
    lines = shell.until(b"end.\r\n").decode().split("\r\n")
    assert lines[:150_000] == [str(number) for number in range(1, 150_001)]
    assert lines[150_000:] == ["end.", ""]


def test_line_longer_than_the_kernel_edits_arrives_whole(shell: Plugin) -> None:
    shell.type("sleep 0.2;\necho " + "x" * 20_000 + " | wc -c\n")
    assert shell.until(b"\r\n") == b"20001\r\n"


def test_newline_alone_is_not_changed(shell: Plugin) -> None:
    shell.type("read -r word; echo got=$word.\n")
    shell.type("a")
    shell.type("\n")
    assert shell.until(b".\r\n") == b"got=a.\r\n"


def test_end_of_input_ends_the_plugin_and_the_session(rig: Rig) -> None:
    session = rig.start()
    plugin = Plugin(rig, session)
    plugin.type("stty -echo\n")
    plugin.until(b"stty -echo")
    plugin.type("\nexit\n")
    assert plugin.close() == 0
    wait_until(lambda: session["SessionId"] not in rig.active())


def test_end_of_input_ends_the_plugin_even_when_nobody_reads_its_output(shell: Plugin) -> None:
    shell.type("yes\n")
    shell.until(b"y\r\n")
    waiting = [-1, 0]
    while waiting[-1] != waiting[-2]:
        time.sleep(0.2)
        waiting.append(_unread(shell))
    assert waiting[-1] > 4096
    assert shell.close() == 0


def _unread(plugin: Plugin) -> int:
    """Count the bytes that wait in the plugin's output pipe."""
    assert plugin.process.stdout is not None
    answer = fcntl.ioctl(plugin.process.stdout, termios.FIONREAD, b"\0\0\0\0")
    return int(struct.unpack("i", answer)[0])


def test_exit_of_the_shell_ends_the_plugin_with_zero(rig: Rig) -> None:
    session = rig.start()
    plugin = Plugin(rig, session)
    plugin.type("exit\n")
    plugin.until(f"\n\nExiting session with sessionId: {session['SessionId']}.\n\n".encode())
    assert plugin.process.wait(5) == 0
    plugin.kill()


def test_terminating_the_session_ends_the_plugin(rig: Rig) -> None:
    session = rig.start()
    plugin = Plugin(rig, session)
    plugin.type("stty -echo\n")
    plugin.until(b"stty -echo")
    assert rig.terminate(session) == 200
    assert plugin.process.wait(5) == 0
    plugin.kill()


def test_lost_socket_is_taken_up_again(rig: Rig) -> None:
    session = rig.start()
    relay = Relay(rig.port)
    plugin = Plugin(rig, _stream_by(relay, rig, session))
    plugin.type("stty -echo; PS1=; kept=yes; echo 1$((1))-ready\n")
    plugin.until(b"11-ready\r\n")
    plugin.type("sleep 0.3; echo kept=$kept.\n")
    relay.cut()
    assert plugin.until(b"kept=yes.")
    plugin.kill()


def test_signature_is_botocores(monkeypatch: pytest.MonkeyPatch) -> None:
    identity = ("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "token")
    names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
    for name, value in zip(names, identity, strict=True):
        monkeypatch.setenv(name, value)
    url, region, body = "https://ssm.ap-southeast-1.amazonaws.com", "ap-southeast-1", b'{"a":"b"}'
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "AmazonSSM.X"}
    theirs = botocore.auth.SigV4Auth(botocore.credentials.Credentials(*identity), "ssm", region)
    while True:  # until both were made in the same second
        ours = aws.signature(url, region, "", headers, body)
        request = botocore.awsrequest.AWSRequest("POST", url + "/", headers=headers, data=body)
        theirs.add_auth(request)
        if request.headers["X-Amz-Date"] == ours["X-Amz-Date"]:
            break
    assert ours["Authorization"] == request.headers["Authorization"]


def test_plugin_imports_nothing_slow() -> None:
    code = "import sys; import local_aws.session_manager.plugin.main; print(*sys.modules)"
    loaded = subprocess.run(
        ["/usr/bin/python3", "-S", "-c", code],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "local_aws.session_manager.plugin.main" in loaded
    slow = {"asyncio", "ssl", "urllib.request", "http.client", "typing", "dataclasses", "inspect"}
    assert sorted(slow & set(loaded)) == []


def test_agent_that_is_lost_ends_the_session_and_comes_back(tmp_path: Path) -> None:
    with running(tmp_path) as own:
        plugin = Plugin(own, own.start())
        plugin.type("stty -echo\n")
        plugin.until(b"stty -echo")
        own.stop_agent()
        assert b"The instance's agent was lost." in plugin.until(b"lost.")
        plugin.kill()
        own.wait_for_agent("notconnected")
        own.start_agent(tmp_path)
        again = Plugin(own, own.start())
        again.type("exit\n")
        again.until(b"Exiting session")
        again.kill()
