"""The analyst's way in: a Session Manager port forwarding session, opened again whenever it ends."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from demo.console import DemoError

REPOSITORY = Path(__file__).resolve().parent.parent


def client(service: str, aws: Mapping[str, str], config: Config | None = None) -> Any:
    """Return a boto3 client that reaches AWS the way the environment of a controller says."""
    return boto3.client(
        service,  # type: ignore[call-overload]
        region_name=aws["AWS_REGION"],
        endpoint_url=aws.get("AWS_ENDPOINT_URL"),
        aws_access_key_id=aws["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=aws["AWS_SECRET_ACCESS_KEY"],
        config=config,
    )


def session_command(plugin: str, instance: str, document: str, port: int, region: str) -> list[str]:
    """Return the command that an analyst's machine runs: a session, handed to AWS's plugin."""
    return [
        sys.executable,
        str(REPOSITORY / "playbooks/files/open_dashboard.py"),
        f"--instance={instance}",
        f"--document={document}",
        f"--port={port}",
        f"--plugin={plugin}",
        f"--region={region}",
    ]


def keep_open(
    plugin: str, instance: Callable[[], str], document: str, port: int, aws: Mapping[str, str]
) -> None:
    """Hold the tunnel until told to end (SIGTERM); a session that ends is started anew.

    `instance` is asked before each session: `make replace` puts another in the place of the first.
    """
    signal.signal(signal.SIGTERM, lambda _signal, _frame: sys.exit(0))
    # A shell's background job ignores the interrupt, and so would the plugin that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    while True:
        child: subprocess.Popen[bytes] | None = None
        try:
            command = session_command(plugin, instance(), document, port, aws["AWS_REGION"])
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, env={**os.environ, **aws})
            child.wait()
        except Exception as error:
            print(f"tunnel: {error}", flush=True)
        finally:
            if child is not None and child.poll() is None:
                _end(child)
        time.sleep(2)


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the plugin as its user would: interrupted, it ends its session as well."""
    child.send_signal(signal.SIGINT)
    try:
        child.wait(3)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def wait_for_page(port: int, path: str, patience: float, log: Path) -> float:
    """Ask for a page through the tunnel until it answers 200, and return the seconds of that answer.

    Raises DemoError naming the log when it does not within `patience` seconds.
    """
    deadline, last = time.monotonic() + patience, "no answer"
    while time.monotonic() < deadline:
        began = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 200 and body:
                return time.monotonic() - began
            last = f"HTTP {answer.status}"
        except OSError as error:
            last = str(error)
        except http.client.HTTPException as error:
            last = repr(error)
        finally:
            connection.close()
        time.sleep(0.3)
    raise DemoError(f"the dashboard does not answer on port {port}: {last} (log: {log})")
