"""The control plane as a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import boto3
from botocore.config import Config

from tests.toolbox import free_port

ROOT = Path(__file__).resolve().parents[2]


def test_process_answers_and_ends_when_told(tmp_path: Path) -> None:
    port = free_port()
    argv = [
        sys.executable,
        "-m",
        "local_aws.control",
        "--port",
        str(port),
        "--state",
        str(tmp_path),
    ]
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(argv, cwd=ROOT, stdout=out, stderr=out)
    try:
        sts = boto3.client(
            "sts",
            endpoint_url=f"http://127.0.0.1:{port}",
            region_name="ap-southeast-1",
            aws_access_key_id="a",
            aws_secret_access_key="b",
            config=Config(retries={"total_max_attempts": 1}, proxies={}),
        )
        deadline = time.monotonic() + 60
        while True:
            try:
                account = sts.get_caller_identity()["Account"]
                break
            except Exception:
                assert process.poll() is None, (tmp_path / "out").read_text()
                assert time.monotonic() < deadline, (tmp_path / "out").read_text()
                time.sleep(0.2)
        assert account == "123456789012"
        process.terminate()
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
