"""Functions under AWS's own runtime client, in processes instead of containers."""

from __future__ import annotations

import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local_aws.lambda_runtime.api import RuntimeApi
from local_aws.lambda_runtime.environment import Environment, LogFile
from local_aws.lambda_runtime.manager import AsyncSettings, Manager, ThrottledError
from local_aws.lambda_runtime.model import Function

CODE = """
import json, os, sys, time
STARTED = time.time()

def echo(event, context):
    print("got", json.dumps(event))
    return {"event": event, "name": context.function_name, "password": os.environ["PASSWORD"],
            "left": context.get_remaining_time_in_millis() > 0, "started": STARTED}

def fail(event, context):
    raise ValueError("no such thing")

def sleep(event, context):
    time.sleep(event["seconds"])
    return "slept"

def leave(event, context):
    os._exit(7)

def hungry(event, context):
    data = bytearray(400_000_000)
    time.sleep(5)
    return len(data)
"""


class ProcessBox:
    """The real client as a process of this machine."""

    def __init__(self, function: Function, root: Path, port: int, log: LogFile) -> None:
        self.function = function
        self.root = root
        self.port = port
        self.log = log
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        variables = {
            **os.environ,
            **self.function.variables,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.port}",
            "AWS_LAMBDA_FUNCTION_NAME": self.function.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.function.memory),
            "AWS_LAMBDA_LOG_GROUP_NAME": "g",
            "AWS_LAMBDA_LOG_STREAM_NAME": "s",
            "LAMBDA_TASK_ROOT": str(self.root),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", self.function.handler],
            cwd=self.root,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self.copy, args=(self.process,), daemon=True).start()

    def copy(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.log.write(line)

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(5)

    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def exit_status(self) -> str:
        assert self.process is not None
        return f"with error: exit status {self.process.poll()}"

    def memory(self) -> int:
        assert self.process is not None
        try:
            text = Path(f"/proc/{self.process.pid}/statm").read_text()
        except OSError:
            return 0
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Bench:
    """A manager over process boxes, with one function that a test may change."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.functions: dict[str, Function] = {}
        self.made: list[Environment] = []
        self.settings = AsyncSettings()
        self.delivered: queue.Queue[tuple[str, str]] = queue.Queue()
        (directory / "app.py").write_text(CODE)
        self.manager = Manager(
            self.functions.__getitem__,
            self.make,
            directory / "logs",
            lambda _: self.settings,
            lambda arn, record: self.delivered.put((arn, record)),
            retry_seconds=0.05,
        )

    def function(
        self,
        handler: str,
        timeout: int = 20,
        memory: int = 512,
        revision: str = "1",
        reserved: int | None = None,
    ) -> None:
        self.functions["f"] = Function(
            "f", "arn:aws:lambda:r:1:function:f", f"app.{handler}", "python3.13", "role", timeout,
            memory, {"PASSWORD": "p"}, (), (), revision, reserved,
        )  # fmt: skip

    def make(self, function: Function, log: LogFile) -> Environment:
        listening = socket.create_server(("127.0.0.1", 0))
        box = ProcessBox(function, self.directory, listening.getsockname()[1], log)
        environment = Environment(function, box, RuntimeApi(listening), log)
        self.made.append(environment)
        return environment

    def log(self) -> str:
        return (self.directory / "logs" / "lambda-f.log").read_text()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.manager.close()


def wait_for(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def test_handler_gets_event_environment_and_time(bench: Bench) -> None:
    bench.function("echo")
    reply = bench.manager.invoke("f", b'{"a": 1}').reply
    answer = json.loads(reply.payload)
    answer.pop("started")
    assert reply.error == ""
    assert answer == {"event": {"a": 1}, "name": "f", "password": "p", "left": True}


def test_log_has_the_lines_of_function_and_service(bench: Bench) -> None:
    bench.function("echo")
    outcome = bench.manager.invoke("f", b'{"a": 1}')
    assert wait_for(lambda: 'got {"a": 1}' in bench.log())
    lines = bench.log().splitlines()
    assert lines[0] == f"START RequestId: {outcome.request_id} Version: $LATEST"
    assert f"END RequestId: {outcome.request_id}" in lines
    [report] = [line for line in lines if line.startswith("REPORT")]
    assert "\tMemory Size: 512 MB\t" in report


def test_environment_is_used_again(bench: Bench) -> None:
    bench.function("echo")
    first, second = (json.loads(bench.manager.invoke("f", b"{}").reply.payload) for _ in "12")
    assert first["started"] == second["started"]


def test_changed_function_gets_a_fresh_environment(bench: Bench) -> None:
    bench.function("echo")
    bench.manager.invoke("f", b"{}")
    bench.function("sleep", revision="2")
    assert bench.manager.invoke("f", b'{"seconds": 0}').reply.payload == b'"slept"'
    assert [environment.box.alive() for environment in bench.made] == [False, True]


def test_exception_is_an_unhandled_function_error(bench: Bench) -> None:
    bench.function("fail")
    reply = bench.manager.invoke("f", b"{}").reply
    assert reply.error == "Unhandled"
    found = json.loads(reply.payload)
    assert (found["errorType"], found["errorMessage"]) == ("ValueError", "no such thing")


def test_handler_that_is_not_there_is_an_error_of_start(bench: Bench) -> None:
    bench.function("absent")
    reply = bench.manager.invoke("f", b"{}").reply
    assert reply.error == "Unhandled"
    assert json.loads(reply.payload)["errorType"] == "Runtime.HandlerNotFound"


def test_function_that_takes_too_long_is_ended(bench: Bench) -> None:
    bench.function("sleep", timeout=1)
    reply = bench.manager.invoke("f", b'{"seconds": 30}').reply
    found = json.loads(reply.payload)
    assert found["errorType"] == "Sandbox.Timedout"
    assert found["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    assert not bench.made[0].box.alive()


def test_function_that_exits_is_an_exit_error(bench: Bench) -> None:
    bench.function("leave")
    found = json.loads(bench.manager.invoke("f", b"{}").reply.payload)
    assert found["errorType"] == "Runtime.ExitError"
    assert found["errorMessage"].endswith("Runtime exited with error: exit status 7")


def test_function_that_takes_too_much_memory_is_killed(bench: Bench) -> None:
    bench.function("hungry", memory=128)
    found = json.loads(bench.manager.invoke("f", b"{}").reply.payload)
    assert found["errorType"] == "Runtime.OutOfMemory"


def test_reserved_concurrency_holds(bench: Bench) -> None:
    bench.function("sleep", reserved=1)
    first = threading.Thread(target=bench.manager.invoke, args=("f", b'{"seconds": 2}'))
    first.start()
    assert wait_for(lambda: len(bench.made) == 1)
    with pytest.raises(ThrottledError):
        bench.manager.invoke("f", b'{"seconds": 0}')
    first.join()
    assert bench.manager.invoke("f", b'{"seconds": 0}').reply.payload == b'"slept"'


def test_event_is_tried_again_and_then_delivered(bench: Bench) -> None:
    bench.settings = AsyncSettings(retries=2, on_failure="arn:aws:sqs:r:1:dead")
    bench.function("fail")
    bench.manager.submit("f", b'{"a": 1}')
    arn, text = bench.delivered.get(timeout=20)
    record = json.loads(text)
    assert arn == "arn:aws:sqs:r:1:dead"
    assert record["requestContext"]["condition"] == "RetriesExhausted"
    assert record["requestContext"]["approximateInvokeCount"] == 3
    assert record["requestPayload"] == {"a": 1}
    assert record["responsePayload"]["errorType"] == "ValueError"


def test_event_that_succeeds_is_run_once(bench: Bench) -> None:
    bench.settings = AsyncSettings(on_success="arn:aws:sqs:r:1:done")
    bench.function("echo")
    bench.manager.submit("f", b"{}")
    _, text = bench.delivered.get(timeout=20)
    assert json.loads(text)["requestContext"]["approximateInvokeCount"] == 1


def test_removed_function_leaves_no_process(bench: Bench) -> None:
    bench.function("echo")
    bench.manager.invoke("f", b"{}")
    bench.manager.remove("f")
    assert [environment.box.alive() for environment in bench.made] == [False]
