"""The data channel and the API, as a client that is driven by hand sees them."""

from __future__ import annotations

import contextlib
import json
import re
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.session_manager_rig import (
    INSTANCE,
    RawClient,
    Rig,
    alive,
    running,
    wait_until,
)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with running(tmp_path_factory.mktemp("home"), resume_window=1.0) as started:
        yield started


def _shell(rig: Rig) -> RawClient:
    client = RawClient(rig.start())
    client.handshake()
    return client


def test_start_gives_id_token_and_address(rig: Rig) -> None:
    answer = rig.start()
    assert sorted(answer) == ["SessionId", "StreamUrl", "TokenValue"]
    assert len(answer["SessionId"]) <= 96
    assert len(answer["TokenValue"]) <= 300
    assert answer["StreamUrl"] == (
        f"ws://127.0.0.1:{rig.port}/v1/data-channel/{answer['SessionId']}"
    )


def test_unknown_target_is_not_connected(rig: Rig) -> None:
    status, answer = rig.call("StartSession", {"Target": "i-0fedcba9876543210"})
    assert (status, answer["__type"]) == (400, "TargetNotConnected")
    assert answer["message"] == "i-0fedcba9876543210 is not connected."


def test_action_outside_session_manager_fails_by_name(rig: Rig) -> None:
    status, answer = rig.call("SendCommand", {})
    assert (status, answer["message"]) == (400, "SendCommand is not supported here")


def test_dead_session_can_be_terminated_again(rig: Rig) -> None:
    session = rig.start()
    assert [rig.terminate(session), rig.terminate(session)] == [200, 200]
    assert rig.terminate({"SessionId": "never-was"}) == 200


def test_dead_session_cannot_be_resumed(rig: Rig) -> None:
    status, answer = rig.call("ResumeSession", {"SessionId": "never-was"})
    assert (status, answer["__type"]) == (400, "DoesNotExistException")


def test_registered_agent_is_an_instance_online(rig: Rig) -> None:
    listed = rig.call("DescribeInstanceInformation", {})[1]["InstanceInformationList"]
    assert [(entry["InstanceId"], entry["PingStatus"]) for entry in listed] == [
        (INSTANCE, "Online")
    ]
    assert listed[0]["IPAddress"] == "127.0.0.1"


def test_instances_can_be_asked_for_by_id(rig: Rig) -> None:
    chosen = [{"Key": "InstanceIds", "Values": ["i-0fedcba9876543210"]}]
    answer = rig.call("DescribeInstanceInformation", {"Filters": chosen})[1]
    assert answer["InstanceInformationList"] == []


def test_handshake_asks_for_a_shell(rig: Rig) -> None:
    assert RawClient(rig.start()).handshake() == {
        "AgentVersion": "3.3.0.0",
        "RequestedClientActions": [
            {
                "ActionType": "SessionType",
                "ActionParameters": {"SessionType": "Standard_Stream", "Properties": {}},
            }
        ],
    }


def test_handshake_tells_its_time_as_a_whole_number(rig: Rig) -> None:
    client = RawClient(rig.start())
    client.next("output_stream_data")
    done = [{"ActionType": "SessionType", "ActionStatus": 1, "ActionResult": None, "Error": ""}]
    client.send(
        0, 6, json.dumps({"ClientVersion": "1.2.0.0", "ProcessedClientActions": done}).encode()
    )
    complete = json.loads(client.next("output_stream_data").payload)
    assert sorted(complete) == ["CustomerMessage", "HandshakeTimeToComplete"]
    assert type(complete["HandshakeTimeToComplete"]) is int


def test_port_handshake_has_properties_as_text(rig: Rig) -> None:
    session = rig.start("AWS-StartPortForwardingSession", portNumber="3838")
    request = RawClient(session).handshake()
    assert request["RequestedClientActions"][0]["ActionParameters"] == {
        "SessionType": "Port",
        "Properties": {"portNumber": "3838", "type": "LocalPortForwarding", "localPortNumber": "0"},
    }


def test_client_that_refuses_the_session_type_is_sent_away(rig: Rig) -> None:
    client = RawClient(rig.start())
    client.next("output_stream_data")
    refused = {"ActionType": "SessionType", "ActionStatus": 2, "Error": "Unknown session type"}
    client.send(0, 6, json.dumps({"ProcessedClientActions": [refused]}).encode())
    assert client.closed()["Output"] == "Unknown session type"


def test_wrong_token_is_turned_away(rig: Rig) -> None:
    assert RawClient(rig.start(), token="wrong").lost()


def test_every_input_frame_is_acknowledged_by_number(rig: Rig) -> None:
    client = _shell(rig)
    client.send(1, 1, b"true\n")
    client.send(2, 1, b"true\n")
    assert [client.acknowledged(), client.acknowledged()] == [1, 2]


def test_repeated_input_is_acknowledged_again_and_done_once(rig: Rig) -> None:
    client = _shell(rig)
    client.send(1, 1, b"PS1=; stty -echo; count=0\n")
    for _ in range(2):
        client.send(2, 1, b"count=$((count + 1))\n")
    client.send(3, 1, b"echo counted=$count.\n")
    assert b"counted=1." in client.output_until(b"counted=1.")


def test_input_out_of_order_is_done_in_order(rig: Rig) -> None:
    client = _shell(rig)
    client.send(3, 1, b"echo $((word))-end\n")
    client.send(2, 1, b"word=40+2\n")
    client.send(1, 1, b"PS1=; stty -echo; word=0\n")
    assert b"42-end" in client.output_until(rb"\d-end")


def test_input_with_a_wrong_digest_or_date_is_dropped_without_acknowledgement(rig: Rig) -> None:
    client = _shell(rig)
    client.send(1, 1, b"echo bad\n", digest_of=b"other")
    client.send(1, 1, b"echo bad\n", date=0)
    client.send(2, 1, b"echo 1$((1))-good\n")
    assert client.acknowledged() == 2
    client.send(1, 1, b"true\n")
    assert b"bad" not in client.output_until(b"11-good")


def test_unacknowledged_output_is_sent_again(rig: Rig) -> None:
    client = RawClient(rig.start())
    first = client.next("output_stream_data", acknowledge=False)
    again = client.next("output_stream_data", acknowledge=False)
    assert (first.sequence, again.sequence) == (0, 0)
    assert first.message_id == again.message_id


def test_resumed_client_goes_on_where_it_was(rig: Rig) -> None:
    first = _shell(rig)
    first.send(1, 1, b"PS1=; stty -echo; kept=yes; echo 1$((1))-ready\n")
    first.output_until(b"11-ready\r\n")
    first.vanish()
    status, resumed = rig.call("ResumeSession", {"SessionId": first.session["SessionId"]})
    assert status == 200
    assert resumed["TokenValue"] != first.session["TokenValue"]
    second = RawClient(resumed)
    second.send(2, 1, b"echo kept=$kept.\n")
    frame = second.next("output_stream_data")
    assert frame.kind == 1  # no second handshake
    assert frame.sequence > 1
    assert b"kept=yes." in frame.payload or b"kept=yes." in second.output_until(b"kept=yes.")


def test_output_missed_by_a_lost_socket_comes_on_the_next_one(rig: Rig) -> None:
    first = _shell(rig)
    first.send(1, 1, b"PS1=; stty -echo; echo 1$((1))-ready\n")
    first.output_until(b"11-ready\r\n")
    first.send(2, 1, b"sleep 0.1; echo 2$((2))-missed\n")
    assert first.acknowledged() == 2
    first.vanish()
    time.sleep(0.2)
    second = RawClient(rig.call("ResumeSession", {"SessionId": first.session["SessionId"]})[1])
    assert b"22-missed" in second.output_until(b"22-missed")


def test_former_token_is_void_after_a_resume(rig: Rig) -> None:
    session = rig.start()
    rig.call("ResumeSession", {"SessionId": session["SessionId"]})
    assert RawClient(session).lost()


def _shell_pid(client: RawClient) -> int:
    client.send(1, 1, b"PS1=; stty -echo; echo pid=$$.\n")
    found = re.search(rb"pid=(\d+)\.", client.output_until(rb"pid=\d+\."))
    assert found is not None
    return int(found[1])


def test_shell_ends_when_its_client_vanishes_for_good(rig: Rig) -> None:
    client = _shell(rig)
    pid = _shell_pid(client)
    client.vanish()
    time.sleep(0.3)
    assert alive(pid)  # it may still come back
    wait_until(lambda: not alive(pid))
    assert client.session["SessionId"] not in rig.active()


def test_command_in_the_foreground_ends_with_its_shell(rig: Rig, tmp_path: Path) -> None:
    client = _shell(rig)
    client.send(1, 1, f"sh -c 'echo $$ >{tmp_path}/pid; trap \"\" HUP; sleep 600'\n".encode())
    wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    pid = int((tmp_path / "pid").read_text())
    assert alive(pid)
    assert rig.terminate(client.session) == 200
    wait_until(lambda: not alive(pid))


def test_good_bye_ends_the_session_at_once(rig: Rig) -> None:
    client = _shell(rig)
    client.socket.close()
    wait_until(lambda: client.session["SessionId"] not in rig.active(), patience=0.8)


def test_terminated_session_closes_the_channel(rig: Rig) -> None:
    client = _shell(rig)
    rig.terminate(client.session)
    closed = client.closed()
    assert (closed["SessionId"], closed["Output"]) == (client.session["SessionId"], "")


def test_exit_of_the_shell_closes_the_channel_after_its_output(rig: Rig) -> None:
    client = _shell(rig)
    client.send(1, 1, b"PS1=; stty -echo; echo 3$((3))-last; exit\n")
    client.output_until(b"33-last")
    assert client.closed()["Output"] == ""


def test_terminal_has_the_size_that_the_client_says(rig: Rig) -> None:
    client = _shell(rig)
    client.send(1, 3, b'{"cols":101,"rows":33}')
    client.send(2, 1, b"PS1=; stty -echo; echo size=$(stty size).\n")
    assert b"size=33 101." in client.output_until(b"33 101.")


def test_command_without_terminal_gives_its_output_and_ends(rig: Rig) -> None:
    client = RawClient(rig.start("AWS-StartNonInteractiveCommand", command="printf 'a b'"))
    client.handshake()
    assert client.output_until(b"a b") == b"a b"
    assert client.closed()["Output"] == ""


def test_interactive_command_runs_in_a_shell_on_a_terminal(rig: Rig) -> None:
    client = RawClient(rig.start("AWS-StartInteractiveCommand", command="tty && echo 4$((4))"))
    client.handshake()
    assert b"/dev/pts/" in client.output_until(b"44\r\n")


def test_command_that_does_not_exist_is_told(rig: Rig) -> None:
    client = RawClient(rig.start("AWS-StartNonInteractiveCommand", command="no-such-command"))
    client.handshake()
    assert "no-such-command" in client.closed()["Output"]


def test_port_session_is_silent_before_the_first_connection(rig: Rig) -> None:
    client = RawClient(rig.start("AWS-StartPortForwardingSession", portNumber="9"))
    client.handshake()
    with pytest.raises(TimeoutError):
        client.frame(patience=0.3)


def test_refused_connection_is_flagged_and_finished(rig: Rig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    client = RawClient(rig.start("AWS-StartPortForwardingSession", portNumber=str(port)))
    client.handshake()
    client.send(1, 1, bytes.fromhex("0100000003000000"))
    flag = client.next("output_stream_data")
    assert (flag.kind, flag.payload) == (10, struct.pack(">I", 3))
    fin = client.next("output_stream_data")
    assert (fin.kind, fin.payload.hex()) == (1, "0101000003000000")


def test_keepalive_of_an_older_client_is_answered(rig: Rig) -> None:
    client = RawClient(rig.start("AWS-StartPortForwardingSession", portNumber="9"))
    client.handshake()
    client.send(1, 1, bytes.fromhex("0103000000000000"))
    assert client.next("output_stream_data").payload.hex() == "0103000000000000"


def test_client_before_smux_gets_the_bare_bytes(rig: Rig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = RawClient(rig.start("AWS-StartPortForwardingSession", portNumber=str(port)))
        client.handshake(client_version="1.1.61.0")
        accepted, _ = server.accept()
        with accepted:
            client.send(1, 1, b"ping\n")
            assert accepted.recv(100) == b"ping\n"
            accepted.sendall(b"pong\n")
            assert client.output_until(b"pong\n") == b"pong\n"
            client.send(2, 10, struct.pack(">I", 1))
            assert accepted.recv(100) == b""


def test_forwarded_sockets_end_when_the_client_vanishes_for_good(rig: Rig) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        client = RawClient(rig.start("AWS-StartPortForwardingSession", portNumber=str(port)))
        client.handshake()
        client.send(1, 1, bytes.fromhex("0100000003000000"))
        accepted, _ = server.accept()
        accepted.settimeout(5)
        client.vanish()
        with accepted, contextlib.suppress(ConnectionResetError):
            assert accepted.recv(1) == b""
    wait_until(lambda: client.session["SessionId"] not in rig.active())


def test_forwarding_to_another_host_is_refused_by_name(rig: Rig) -> None:
    request = {
        "Target": INSTANCE,
        "DocumentName": "AWS-StartPortForwardingSessionToRemoteHost",
        "Parameters": {"host": ["10.0.0.9"], "portNumber": ["80"]},
    }
    status, answer = rig.call("StartSession", request)
    assert (status, answer["__type"]) == (400, "InvalidDocument")
    assert "AWS-StartPortForwardingSessionToRemoteHost" in answer["message"]
