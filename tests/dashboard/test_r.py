"""The dashboard's own tests and its linter, run by R inside the toolbox."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from tests import toolbox

pytestmark = pytest.mark.toolbox

# One JSON line: [[file, test, expectations, failed, skipped, error], ...]
RUN = """
options(warn = 1)
results <- as.data.frame(testthat::test_dir(
  "tests/testthat", reporter = "summary", stop_on_failure = FALSE, load_package = "none"))
cat("\\nRESULTS ", jsonlite::toJSON(results[c("file", "test", "nb", "failed", "skipped", "error")],
  dataframe = "values"), "\\n", sep = "")
"""
FILES = {
    "settings",
    "view",
    "words",
    "charts",
    "query",
    "modules",
    "filters",
    "products",
    "steps",
    "visitors",
    "sessions",
    "explore",
    "rejects",
    "languages",
}


def _run(code: str) -> str:
    with toolbox.scratch("r-", "postgres") as home:
        inside = toolbox.inside_path(home)
        done = toolbox.run(
            ["Rscript", "--vanilla", "-e", code],
            user="postgres",
            cwd="/src/shiny_app",
            env={"TMPDIR": inside, "HOME": inside},
        )
    return done.stdout + done.stderr


def _results(output: str) -> list[Sequence[Any]]:
    line = re.search(r"^RESULTS (.*)$", output, re.MULTILINE)
    assert line, output[-3000:]
    rows: list[Sequence[Any]] = json.loads(line[1])
    return rows


def test_every_r_test_passes_and_none_went_missing() -> None:
    output = _run(RUN)
    rows = _results(output)
    assert not [row for row in rows if row[3] or row[4] or row[5]], output[-6000:]
    assert {row[0].removeprefix("test-").removesuffix(".R") for row in rows} == FILES
    assert sum(row[2] for row in rows) >= 430


def test_the_r_code_is_lint_free() -> None:
    assert toolbox.lint_r() == (0, "")
