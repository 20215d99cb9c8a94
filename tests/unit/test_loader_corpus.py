"""Each awkward file of the corpus becomes the rows and rejects that it states, and breaks no rule."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from etl_lambda import copying, decoding, streaming, unpacking, usual, values
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


def check_all() -> None:
    for case in CASES:
        check(case.data)


def lose_the_last(original: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *given: list(original(*given))[:-1]


@pytest.mark.parametrize(
    ("place", "name", "instead", "words"),
    [
        (streaming, "_split", lose_the_last(streaming._split), "streaming gives something else"),
        (unpacking, "inflate", lose_the_last(unpacking.inflate), "a gzip gives something else"),
        (decoding, "lines", lose_the_last(decoding.lines), "costs its neighbours"),
        (decoding, "_array", lose_the_last(decoding._array), "1 of 2 records"),
        (usual, "line", lambda *_: "\t".join(["\\N"] * 16) + "\n", "no event id"),
        (values, "clean", lambda text: text, "cannot be stored"),
        (values, "name_id", lambda _: str(uuid.uuid4()), "a second pass gives something else"),
        (values, "text_id", lambda text: text, "no UUID"),
        (values, "NAME_CHARACTERS", 200, "event_name is too long"),
        (values, "NUMBER_BELOW", 10**13, "context_product_price is out of range"),
        (copying, "_ESCAPES", {}, "of COPY is several"),
        (decoding, "SAMPLE_BYTES", 9000, "longer than 4 KiB"),
    ],
)
def test_a_mapping_that_breaks_a_rule_is_seen(
    monkeypatch: pytest.MonkeyPatch, place: ModuleType, name: str, instead: Any, words: str
) -> None:
    monkeypatch.setattr(place, name, instead)
    with pytest.raises(AssertionError, match=words):
        check_all()
