"""Each role's scenario: a fresh Debian 13 host without internet, converge twice, use the service."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_aws import lifecycle
from local_aws.namespace import Namespace
from local_aws.paths import State
from tests import toolbox
from tests.molecule import journal

pytestmark = pytest.mark.molecule
ROLES = toolbox.REPOSITORY / "roles"
SCENARIOS = sorted(path.parts[-4] for path in ROLES.glob("*/molecule/default/molecule.yml"))
PATIENCE = 1200.0  # seconds; the longest takes about two minutes


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a role's scenario, in directories that no other run has."""

    role: str
    state: State

    @property
    def ephemeral(self) -> Path:
        """Molecule's own state: inventory, the fetched CA, throwaway passwords."""
        return self.state.directory / "molecule"

    @property
    def log(self) -> Path:
        """What molecule printed."""
        return self.state.logs / "molecule.log"

    def environment(self) -> dict[str, str]:
        """Return what molecule needs to know of this run, its output plain."""
        binaries = str(Path(sys.executable).parent)
        return {
            **os.environ,
            "PATH": binaries + os.pathsep + os.environ.get("PATH", ""),
            "SBW_MOLECULE_STATE": str(self.state.directory),
            "MOLECULE_EPHEMERAL_DIRECTORY": str(self.ephemeral),
            "MOLECULE_COMMAND_BORDERS": "0",
            "NO_COLOR": "1",
            "LC_ALL": "C.UTF-8",
        }

    def test(self) -> int:
        """Run `molecule test`, from nothing to nothing; return its status."""
        config = toolbox.REPOSITORY / ".config" / "molecule" / "config.yml"
        self.state.prepare()
        with self.log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "molecule", "--base-config", str(config), "test"],
                cwd=ROLES / self.role,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                return process.wait(PATIENCE)
            finally:
                # Molecule starts Ansible, which starts workers: only the whole group ends them all.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def report(self) -> str:
        """Return the end of molecule's output, and what the host said before it was removed."""
        said = journal.path(self.state, self.role.replace("_", "-"))
        host = said.read_text() if said.exists() else "nothing: there was none"
        return f"{self.log.read_text()[-8000:]}\n=== what the host said ({self.log.parent})\n{host}"


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Leave nothing behind, however it ended, but the logs of a run that failed."""
    role = request.param
    directory = toolbox.REPOSITORY / "build" / f"molecule-{os.getpid()}-{role}"
    started = Run(role, State.at(directory))
    try:
        yield started
    finally:
        lifecycle.down(started.state)
        shutil.rmtree(started.ephemeral, ignore_errors=True)


def test_every_role_has_a_scenario() -> None:
    assert sorted(path.parent.parent.name for path in ROLES.glob("*/tasks/main.yml")) == SCENARIOS


@pytest.mark.parametrize("run", SCENARIOS, indirect=True)
def test_role(run: Run) -> None:
    if run.test() != 0:
        pytest.fail(run.report(), pytrace=False)
    assert not Namespace(run.state).alive(), "destroy.yml left the host's namespace behind"
    assert str(run.state.directory) not in Path("/proc/mounts").read_text()
    shutil.rmtree(run.state.directory)
