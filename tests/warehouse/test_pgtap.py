"""The warehouse's own pgTAP tests, run by pg_prove on a freshly deployed database."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import toolbox

pytestmark = pytest.mark.toolbox
FILES = sorted(
    path.name
    for path in (toolbox.REPOSITORY / "warehouse" / "tests").glob("*.sql")
    if path.name != "roles.sql"
)


@pytest.fixture(scope="module")
def server() -> Iterator[toolbox.PostgresServer]:
    with toolbox.PostgresServer(warehouse=True) as running:
        running.psql("CREATE EXTENSION IF NOT EXISTS pgtap")
        yield running


def test_there_are_pgtap_files() -> None:
    assert FILES


@pytest.mark.parametrize("name", FILES)
def test_pgtap(server: toolbox.PostgresServer, name: str) -> None:
    done = toolbox.run(
        [
            *("pg_prove", "--verbose", "-h", server.socket_dir, "-p", str(server.port)),
            *("-U", "postgres", "-d", "clickstream_dw", str(Path("/src/warehouse/tests") / name)),
        ],
        user="postgres",
        cwd="/src/warehouse/tests",
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    assert re.search(r"Result: PASS", done.stdout), done.stdout[-2000:]


def test_every_change_can_be_reverted_and_deployed_again() -> None:
    with toolbox.PostgresServer(warehouse=True) as fresh:
        for action in (["revert", "-y"], ["deploy", "--verify"], ["verify"]):
            assert "not ok" not in fresh.sqitch(*action).stdout
