"""Session Manager in this process, an agent beside it, and clients: for unit tests."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from local_aws.session_manager.service import Service

REPOSITORY = Path(__file__).resolve().parents[2]
PLUGIN = REPOSITORY / "local_aws/bin/session-manager-plugin"
INSTANCE = "i-0123456789abcdef0"
HEADER = struct.Struct(">I32sIQqQ16s32sII")  # SESSION_MANAGER.md, section 3
PATIENCE = 10.0


async def _end_tasks() -> None:
    """End what a session still does for a client that is gone."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


class Rig:
    """A running service with an agent for INSTANCE."""

    def __init__(self, resume_window: float) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._service = Service(resume_window)
        self.port = self._on_loop(self._service.start(0))
        self.url = f"http://127.0.0.1:{self.port}"
        self.agent: subprocess.Popen[bytes] | None = None

    def _on_loop(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    def start_agent(self, home: Path) -> None:
        self.agent = subprocess.Popen(
            [
                *(sys.executable, "-m", "local_aws.agent.program"),
                *("--test-endpoint", f"127.0.0.1:{self.port}", "--test-instance-id", INSTANCE),
            ],
            cwd=REPOSITORY,
            env={**os.environ, "HOME": str(home)},
            stderr=subprocess.DEVNULL,
        )
        self.wait_for_agent("connected")

    def wait_for_agent(self, status: str) -> None:
        wait_until(
            lambda: self.call("GetConnectionStatus", {"Target": INSTANCE})[1]["Status"] == status
        )

    def stop_agent(self) -> None:
        if self.agent is not None:
            self.agent.kill()
            self.agent.wait()

    def close(self) -> None:
        self.stop_agent()
        self._on_loop(self._service.stop())
        self._on_loop(_end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)
        self._loop.close()

    def call(self, action: str, request: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        message = urllib.request.Request(  # noqa: S310
            self.url, json.dumps(request).encode(), {"X-Amz-Target": f"AmazonSSM.{action}"}
        )
        try:
            with urllib.request.urlopen(message, timeout=PATIENCE) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def start(self, document: str | None = None, **parameters: str) -> dict[str, Any]:
        request: dict[str, Any] = {"Target": INSTANCE}
        if document:
            request["DocumentName"] = document
            request["Parameters"] = {key: [value] for key, value in parameters.items()}
        status, answer = self.call("StartSession", request)
        assert status == 200, answer
        return answer

    def terminate(self, session: dict[str, Any]) -> int:
        return self.call("TerminateSession", {"SessionId": session["SessionId"]})[0]

    def active(self) -> list[str]:
        listed = self.call("DescribeSessions", {"State": "Active"})[1]["Sessions"]
        return [entry["SessionId"] for entry in listed]


@contextmanager
def running(home: Path, resume_window: float = 10.0) -> Iterator[Rig]:
    rig = Rig(resume_window)
    try:
        rig.start_agent(home)
        yield rig
    finally:
        rig.close()


def wait_until(condition: Any, patience: float = PATIENCE) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def alive(pid: int) -> bool:
    """Say whether a process runs; one that waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Got:
    """A frame from the service, cut by the table of SESSION_MANAGER.md."""

    def __init__(self, data: bytes) -> None:
        length, name, _, _, self.sequence, self.flags, swapped, digest, self.kind, size = (
            HEADER.unpack(data[:120])
        )
        self.payload = data[120:]
        assert (length, size) == (116, len(self.payload))
        assert digest == hashlib.sha256(self.payload).digest()
        self.type = name.rstrip(b" ").decode()
        self.message_id = uuid.UUID(bytes=swapped[8:] + swapped[:8])


class RawClient:
    """A client that does nothing by itself: each test says what it sends and acknowledges."""

    def __init__(self, session: dict[str, Any], token: str | None = None) -> None:
        self.session = session
        self._stack = ExitStack()
        opened = connect(session["StreamUrl"], compression=None, proxy=None)
        self.socket: ClientConnection = self._stack.enter_context(opened)
        opening = {
            "MessageSchemaVersion": "1.0",
            "RequestId": str(uuid.uuid4()),
            "TokenValue": token or session["TokenValue"],
            "ClientId": str(uuid.uuid4()),
            "ClientVersion": "1.2.0.0",
        }
        self.socket.send(json.dumps(opening))

    def send(self, sequence: int, kind: int, payload: bytes, **odd: Any) -> None:
        digest = hashlib.sha256(odd.get("digest_of", payload)).digest()
        head = (116, b"input_stream_data".ljust(32), 1, odd.get("date", 1700000000000), sequence)
        tail = (0, uuid.uuid4().bytes, digest, kind, len(payload))
        self.socket.send(HEADER.pack(*head, *tail) + payload)

    def acknowledge(self, frame: Got) -> None:
        content = {
            "AcknowledgedMessageType": frame.type,
            "AcknowledgedMessageId": str(frame.message_id),
            "AcknowledgedMessageSequenceNumber": frame.sequence,
            "IsSequentialMessage": True,
        }
        payload = json.dumps(content).encode()
        digest = hashlib.sha256(payload).digest()
        fixed = (116, b"acknowledge".ljust(32), 1, 1700000000000, 0, 3, uuid.uuid4().bytes)
        self.socket.send(HEADER.pack(*fixed, digest, 0, len(payload)) + payload)

    def frame(self, patience: float = PATIENCE) -> Got:
        data = self.socket.recv(patience)
        assert isinstance(data, bytes)
        return Got(data)

    def next(self, wanted: str, acknowledge: bool = True) -> Got:
        """Wait for a frame of a type; acknowledge data frames on the way, unless told not to."""
        while True:
            frame = self.frame()
            if acknowledge and frame.type == "output_stream_data":
                self.acknowledge(frame)
            if frame.type == wanted:
                return frame

    def acknowledged(self) -> int:
        """Wait for an acknowledgement; give the number that it is for."""
        content = json.loads(self.next("acknowledge").payload)
        return int(content["AcknowledgedMessageSequenceNumber"])

    def handshake(self, client_version: str = "1.2.0.0") -> dict[str, Any]:
        """Go through the handshake; give the service's request."""
        request = self.next("output_stream_data")
        assert (request.kind, request.sequence, request.flags) == (5, 0, 1)
        answer = {
            "ClientVersion": client_version,
            "ProcessedClientActions": [
                {
                    "ActionType": "SessionType",
                    "ActionStatus": 1,
                    "ActionResult": None,
                    "Error": "",
                }
            ],
            "Errors": None,
        }
        self.send(0, 6, json.dumps(answer).encode())
        while (frame := self.next("output_stream_data")).kind != 7:
            pass
        assert frame.sequence == 1
        return dict(json.loads(request.payload))

    def output_until(self, pattern: bytes) -> bytes:
        """Collect output, acknowledging it, until it matches a regular expression."""
        seen: dict[int, bytes] = {}
        while not re.search(pattern, text := b"".join(seen[number] for number in sorted(seen))):
            frame = self.next("output_stream_data")
            seen[frame.sequence] = frame.payload if frame.kind in (1, 11, 12) else b""
        return text

    def closed(self) -> dict[str, Any]:
        return dict(json.loads(self.next("channel_closed").payload))

    def vanish(self) -> None:
        """Drop the connection as a killed client does: without a close frame."""
        self.socket.socket.shutdown(socket.SHUT_RDWR)
        self.socket.socket.close()

    def lost(self) -> bool:
        """Say whether the service drops the connection."""
        try:
            while True:
                self.socket.recv(PATIENCE)
        except ConnectionClosed:
            return True
        except TimeoutError:
            return False


class Plugin:
    """The plugin's substitute as a process on pipes."""

    def __init__(self, rig: Rig, session: dict[str, Any], document: str | None = None) -> None:
        self.session_id = session["SessionId"]
        request = {"Target": INSTANCE, **({"DocumentName": document} if document else {})}
        self.process = subprocess.Popen(
            [
                *(str(PLUGIN), json.dumps(session), "ap-southeast-1", "StartSession", ""),
                *(json.dumps(request), rig.url),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"},
        )
        self.seen = b""

    def type(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def until(self, end: bytes) -> bytes:
        """Read until the output holds these bytes; give all up to and with them."""
        assert self.process.stdout is not None
        descriptor = self.process.stdout.fileno()
        while end not in self.seen:
            ready, _, _ = select.select([descriptor], [], [], PATIENCE)
            assert ready, self.seen[-2000:]
            data = os.read(descriptor, 1 << 16)
            assert data, self.seen[-2000:]
            self.seen += data
        text, end, self.seen = self.seen.partition(end)
        return text + end

    def close(self) -> int:
        """Let it see the end of its input, and wait for it."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        code = self.process.wait(PATIENCE)
        self._close_pipes()
        return code

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()
        self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()
