"""Each awkward file of the corpus becomes the rows and rejects that it states, and breaks no rule."""

from __future__ import annotations

import pytest

from etl_lambda.mapping import Facts
from tests.corpus.cases import BUCKET, CASES, LIMITS, Case
from tests.corpus.checking import FACTS, check


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_awkward_file(case: Case) -> None:
    mapped = check(case.data, Facts(BUCKET, case.key, FACTS.last_modified), LIMITS)
    assert [row.event_id for row in mapped.rows] == case.ids
    assert [(reject.position, reject.reason) for reject in mapped.rejects] == [*case.rejects]
    assert (mapped.coerced, mapped.cleaned) == (case.coerced, case.cleaned)
    assert {name: getattr(mapped.rows[0], name) for name in case.columns} == case.columns
