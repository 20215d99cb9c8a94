"""What the commands of the Makefile refuse before anything is done."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]


def dry(*words: str) -> subprocess.CompletedProcess[str]:
    """Say what make would run."""
    inherited = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}
    return subprocess.run(
        ["make", "--dry-run", "--no-print-directory", *words],
        cwd=REPOSITORY,
        env={name: value for name, value in os.environ.items() if name not in inherited},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("erase", "CLIENT_ID=c", "DRY_RUN=yes"), "DRY_RUN=yes is neither 1 nor 0"),
        (("erase", "USER_ID=u", "WITH_CLIENTS=true"), "WITH_CLIENTS=true is neither 1 nor 0"),
        (("erase", "CLIENT_ID="), "CLIENT_ID= is empty"),
        (("erase", "CLIENTID=c"), "CLIENTID= is no setting"),
        (("backfill", "FROM=a", "TO=b", "DRYRUN=1"), "DRYRUN= is no setting"),
        (("erase", "USER_ID=  "), "USER_ID= is empty"),
        (("backfill", "FROM=a", "TO=b", "DRY_RUN=on"), "DRY_RUN=on is neither 1 nor 0"),
        (("backfill", "FROM=a", "TO=b", "RELOAD=yes"), "RELOAD=yes is neither 1 nor 0"),
    ],
)
def test_what_is_not_clear_is_not_guessed_at(words: tuple[str, ...], said: str) -> None:
    done = dry(*words)
    assert done.returncode != 0
    assert said in done.stderr


@pytest.mark.parametrize(
    ("words", "has", "lacks"),
    [
        (("erase", "USER_ID=u", "WITH_CLIENTS=1"), "with_clients=true", "dry_run"),
        (("erase", "USER_ID=u", "WITH_CLIENTS=0", "DRY_RUN=1"), "dry_run=true", "with_clients"),
        (("erase", "CLIENT_ID=o'b \\ $$x"), "playbooks/erase.yml", "o'b"),
        (("erase", "USER_ID=a name=b C=d"), "playbooks/erase.yml", "name=b"),
        (("erase",), "playbooks/erase.yml", "dry_run"),
        (("backfill", "FROM=a", "TO=b", "DRY_RUN=1", "LOCAL=1"), "--local --from", "--reload"),
        (("backfill", "FROM=a", "TO=b"), '--function "SBW_Lamda_ETL"', "--local"),
        (("backfill", "FROM=a", "TO=b", "BASE_INVENTORY=other", "FUNCTION=F"), '"F"', "SBW_Lamda"),
    ],
)
def test_switches_are_passed_on(words: tuple[str, ...], has: str, lacks: str) -> None:
    done = dry(*words)
    assert done.returncode == 0, done.stderr
    assert has in done.stdout
    assert lacks not in done.stdout


def test_the_first_environments_function_is_not_called_for_a_second() -> None:
    done = dry("backfill", "FROM=a", "TO=b", "BASE_INVENTORY=other")
    assert 'test -n ""' in done.stdout
    assert "SBW_Lamda_ETL" not in done.stdout
