"""The whole demo, once, in a set-up of its own: its own state, port and network."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo import playbooks, tunnel
from demo.state import State
from tests import toolbox
from tests.system import leftovers

STATE = toolbox.REPOSITORY / "build" / f"system-{os.getpid()}"


@dataclasses.dataclass(frozen=True)
class Running:
    """A demo that is up: what it printed, and ways to ask it."""

    state: State
    port: int
    output: str
    aws: dict[str, str]
    inventory: list[Path]

    def client(self, service: str) -> Any:
        return tunnel.client(service, self.aws)

    def outputs(self, stack: str) -> dict[str, str]:
        """Return what a stack says of itself."""
        (found,) = self.client("cloudformation").describe_stacks(StackName=f"sbw-{stack}")["Stacks"]
        return {one["OutputKey"]: one["OutputValue"] for one in found["Outputs"]}

    def on_host(self, *argv: str) -> str:
        """Run a command as root on the host, past Session Manager: that is what playbooks test."""
        podman = str(self.state.folder / "bin" / "podman")
        instance = self.outputs("warehouse")["InstanceId"]
        done = subprocess.run(
            [podman, "exec", instance, *argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, f"{argv}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout.strip()

    def sql(self, statement: str) -> Any:
        """Return the one JSON value that a statement on the warehouse gives."""
        psql = ("runuser", "-u", "postgres", "--", "psql", "-XAt", "-d", "clickstream_dw", "-c")
        return json.loads(self.on_host(*psql, statement))

    def ask(self, statement: str) -> Any:
        """Return the one JSON value of a statement, asked as the dashboard's own role."""
        psql = ("runuser", "-u", "shiny", "--", "psql", "-XAt", "-d", "clickstream_dw")
        return json.loads(self.on_host(*psql, "-U", "dashboard_reader", "-c", statement))

    def play(self, playbook: str, *arguments: str) -> dict[str, playbooks.Recap]:
        return playbooks.play(
            playbook,
            aws=self.aws,
            inventory=self.inventory,
            log=self.state.logs / f"again-{Path(playbook).stem}.log",
            arguments=arguments,
        )


def run_demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "demo", *arguments],
        cwd=toolbox.REPOSITORY,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=2400,
    )


# Which stack's output names the policy of whom.
POLICIES = {
    "analyst": ("warehouse", "AnalystPolicy"),
    "operator": ("etl", "OperatorPolicy"),
    "auditor": ("etl", "AuditorPolicy"),
}


People = dict[str, dict[str, str]]


@pytest.fixture(scope="session")
def people(demo: Running) -> People:
    """Return the environment of a user for each policy that the stacks make, and nothing else."""
    iam = demo.client("iam")
    found = {}
    for name, (stack, output) in POLICIES.items():
        arn = demo.outputs(stack)[output]
        iam.create_user(UserName=name)
        iam.attach_user_policy(UserName=name, PolicyArn=arn)
        key = iam.create_access_key(UserName=name)["AccessKey"]
        found[name] = {
            **demo.aws,
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
        }
    return found


@pytest.fixture(scope="session")
def demo() -> Iterator[Running]:
    port = toolbox.free_port()
    state = State(STATE)
    try:
        done = run_demo(
            "up", "--state", str(STATE), "--port", str(port), "--clock-period", "20", "--live", "0"
        )
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        inventory = [STATE / "inventory.yml", toolbox.REPOSITORY / "demo/inventory.yml"]
        yield Running(state, port, done.stdout, state.environment(), inventory)
    finally:
        gone = run_demo("down", "--state", str(STATE))
        # Here, since it is the one moment when it can be seen.
        assert gone.returncode == 0, gone.stdout + gone.stderr
        assert leftovers.found(STATE) == []
        again = run_demo("down", "--state", str(STATE))
        assert again.returncode == 0, again.stdout + again.stderr
