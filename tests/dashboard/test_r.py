"""The dashboard's own tests and its linter, run by R inside the toolbox."""

import json
import re

import pytest

from tests import toolbox

pytestmark = pytest.mark.toolbox

# One JSON line: [[file, test, passed, failed, skipped, error], …]
RUN = """
options(warn = 1)
results <- as.data.frame(testthat::test_dir(
  "tests/testthat", reporter = "check", stop_on_failure = FALSE, load_package = "none"))
cat("\\nRESULTS ", jsonlite::toJSON(results[c("file", "test", "nb", "failed", "skipped", "error")],
  dataframe = "values"), "\\n", sep = "")
"""
LINT = """
found <- lintr::lint_dir(".", exclusions = list("tests/testthat/_snaps"))
print(found)
cat("\\nLINTS ", length(found), "\\n", sep = "")
"""


def _r(code: str) -> str:
    with toolbox.scratch("r-", "postgres") as home:
        done = toolbox.run(
            ["Rscript", "--vanilla", "-e", code],
            user="postgres",
            cwd="/src/shiny_app",
            env={"TMPDIR": toolbox.inside_path(home), "HOME": toolbox.inside_path(home)},
        )
    return done.stdout + done.stderr


def test_every_r_test_passes() -> None:
    output = _r(RUN)
    line = re.search(r"^RESULTS (.*)$", output, re.MULTILINE)
    assert line, output[-3000:]
    rows = json.loads(line[1])
    failed = [row for row in rows if row[3] or row[5]]
    assert not failed, f"{failed}\n{output[-6000:]}"
    assert len([row for row in rows if row[2] and not row[4]]) >= 10, "R tests went missing"


def test_the_r_code_is_lint_free() -> None:
    output = _r(LINT)
    assert re.search(r"^LINTS 0$", output, re.MULTILINE), output[-6000:]
