"""The whole corpus of awkward files through the real loader into a real warehouse, in one run."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from etl_lambda.mapping import Facts, map_object
from tests.corpus.cases import BUCKET, CASES, FOLDER, LIMITS
from tests.loader.conftest import World

PRICES = ("context_product_price", "context_product_discount_price")
IDS = [number for case in CASES for number in case.ids]
REJECTS = sum(len(case.rejects) for case in CASES)


def test_every_file_is_booked_its_rejects_are_kept_and_its_neighbours_load(world: World) -> None:
    for case in CASES:
        world.put(case.key, body=case.data)
    world.put(FOLDER, body=b"")
    world.put(f"{FOLDER}deeper/event-1.json", body=b'{"eventName":"foreign"}')
    env = {f"ETL_{name.upper()}": str(value) for name, value in dataclasses.asdict(LIMITS).items()}
    reply = world.load({"prefix": "events/"}, **env)
    assert reply["result"] == "loaded", reply
    whole = sum(1 for case in CASES if not case.rejects)
    assert (reply["objects"]["loaded"], reply["objects"]["quarantined"]) == (
        whole,
        len(CASES) - whole,
    )
    assert (reply["objects"]["markers"], reply["objects"]["foreign"]) == (1, 1)
    assert reply["events"] == {
        **dict.fromkeys(reply["events"], 0),
        "read": len(IDS) + REJECTS,
        "stored": len(set(IDS)),
        "duplicate": len(IDS) - len(set(IDS)),
        "conflict": 1,
        "quarantined": REJECTS,
    }
    assert reply["coerced"] == sum((Counter(case.coerced) for case in CASES), Counter())
    assert reply["cleaned"] == sum((Counter(case.cleaned) for case in CASES), Counter())
    books_are_kept(world)
    quarantine_says_why(world)
    rows_are_stored(world)
    assert world.load({"prefix": "events/"}, **env)["events"] == {}


def books_are_kept(world: World) -> None:
    """Each object has one line in the ledger."""
    found = world.query("SELECT object_key, status, records_read FROM etl.object_versions")
    assert sorted(found) == sorted(
        (case.key, "quarantined" if case.rejects else "loaded", len(case.ids) + len(case.rejects))
        for case in CASES
    )


def quarantine_says_why(world: World) -> None:
    """Each reject has its object, position, reason and sample."""
    found = world.query(
        "SELECT o.object_key, q.position, q.reason_code, q.sample"
        " FROM etl.quarantine AS q INNER JOIN etl.object_versions AS o USING (object_id)"
    )
    reasons = [(key, position, reason) for key, position, reason, _ in found]
    expected = [(case.key, *reject) for case in CASES for reject in case.rejects]
    assert Counter(reasons) == Counter(expected)
    samples = {(key, position): bytes(sample) for key, position, _, sample in found}
    at = datetime.now(UTC)
    for case in CASES:
        for reject in map_object(case.data, Facts(BUCKET, case.key, at), LIMITS).rejects:
            assert samples[case.key, reject.position] == reject.sample


def rows_are_stored(world: World) -> None:
    """Each event id is one row, with the values that its case states."""
    names = sorted({name for case in CASES for name in case.columns})
    stored: dict[str, dict[str, Any]] = {
        found[0]: dict(zip(names, found[1:], strict=True))
        for found in world.query(
            f"SELECT event_id::text, {', '.join(names)} FROM public.clickstream_events"
        )
    }
    assert sorted(stored) == sorted(set(IDS))
    for case in CASES:
        for name, value in case.columns.items():
            exact = Decimal(value) if name in PRICES and value is not None else value
            assert stored[case.ids[0]][name] == exact, case.name
