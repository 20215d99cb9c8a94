"""What a run measures: stages, lag, error budget, and CloudWatch's lines of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from etl_lambda import metrics, settings
from etl_lambda.backlog import Backlog
from etl_lambda.errors import LoaderError
from etl_lambda.listing import Found
from etl_lambda.metrics import Counts
from etl_lambda.stages import Stages
from etl_lambda.state import State
from etl_lambda.window import Window

DAY = datetime(2026, 11, 1, tzinfo=UTC)


def clock(*instants: float) -> Callable[[], float]:
    """A clock that is asked exactly so often."""
    rest: Iterator[float] = iter(instants)
    return lambda: next(rest)


def test_a_stage_adds_up_what_its_blocks_took() -> None:
    stages = Stages(clock(10.0, 12.5, 20.0, 20.25))
    for _ in range(2):
        with stages("copy"):
            pass
    assert stages.as_json() == {
        "list": 0.0,
        "ledger": 0.0,
        "fetch": 0.0,
        "map": 0.0,
        "copy": 2.75,
        "apply": 0.0,
        "commit": 0.0,
    }


def test_a_stage_that_fails_took_time_as_well() -> None:
    stages = Stages(clock(1.0, 4.0))
    with pytest.raises(ValueError, match="broken"), stages("apply"):
        raise ValueError("broken")
    assert stages.as_json()["apply"] == 3.0


def test_waiting_for_another_stage_is_not_counted() -> None:
    stages = Stages(clock(0.0, 2.0, 7.0, 8.0))
    with stages("map"), stages.without("map"):
        pass
    assert stages.as_json()["map"] == 3.0


def test_only_getting_an_item_is_counted_not_what_is_done_with_it() -> None:
    stages = Stages(clock(0.0, 1.0, 50.0, 52.0))
    assert list(stages.each("list", iter("a"))) == ["a"]
    assert stages.as_json()["list"] == 3.0


def found(minute: int) -> Found:
    return Found(f"events/2026/11/01/{minute}", "e", DAY.replace(minute=minute), 10, DAY)


def listed(most: int, *minutes: int) -> State:
    """A state after the listing of objects that were written at these minutes, listed at 00:50."""
    state, backlog = State(), Backlog(most)
    state.begin_listing(DAY.replace(minute=50), Window(("events/",)))
    state.take(backlog, [found(minute) for minute in minutes])
    state.end_listing(backlog)
    return state


def test_the_lag_is_the_age_of_the_oldest_object_that_is_left() -> None:
    state = listed(9, 30, 10, 20)
    at = DAY.replace(hour=1)
    assert state.lag_seconds(at) == 3000.0
    state.committed(1)
    assert state.lag_seconds(at) == 2400.0


def test_objects_left_for_the_next_run_count_for_the_lag() -> None:
    state = listed(1, 30, 10, 20)
    state.committed(1)
    assert state.remaining == 2
    assert state.lag_seconds(DAY.replace(hour=1)) == 2400.0


def test_the_lag_with_nothing_left_is_the_time_since_the_listing_began() -> None:
    state = listed(9, 30)
    state.committed(1)
    assert state.lag_seconds(DAY.replace(minute=52)) == 120.0


def test_the_lag_is_unknown_until_a_listing_came_to_its_end() -> None:
    state = State()
    assert state.lag_seconds(DAY) is None
    state.begin_listing(DAY, Window(("events/",)))
    assert state.lag_seconds(DAY) is None
    state.end_listing(Backlog(9))
    state.listed_whole = False
    assert state.lag_seconds(DAY) is None


def test_what_this_run_loaded_before_a_lost_connection_is_not_skipped() -> None:
    state = State()
    state.counts.objects = Counter(loaded=3, quarantined=1)
    state.begin_listing(DAY, Window(("events/",)))
    state.skipped += 9
    state.end_listing(Backlog(9))
    assert state.counts.objects["skipped"] == 5


@pytest.mark.parametrize(
    ("read", "bad", "budget", "share", "over"),
    [
        (100, 1, 0.01, 0.01, False),
        (100, 2, 0.01, 0.02, True),
        (3, 1, 0.5, 0.333333, False),
        (5, 0, 0.0, 0.0, False),
        (1_000_000, 1, 0.0, 0.000001, True),
        (5, 5, 1.0, 1.0, False),
        (0, 0, 0.0, None, False),
    ],
)
def test_more_bad_records_than_the_budget_are_over_it(
    read: int, bad: int, budget: float, share: float | None, over: bool
) -> None:
    counts = Counts(events=Counter(read=read, quarantined=bad))
    assert counts.error_budget(budget) == {"budget": budget, "share": share, "over": over}


def test_the_five_worst_reasons_are_named_the_worst_first() -> None:
    counts = Counts(reasons=Counter(a=1, b=6, c=2, d=5, e=3, f=4))
    assert list(counts.worst_reasons().items()) == [
        ("b", 6),
        ("d", 5),
        ("f", 4),
        ("e", 3),
        ("c", 2),
    ]


ENV = {"RAW_BUCKET": "raw", "DWH_HOST": "h", "DWH_USER": "u", "DWH_PASSWORD": "p"}


@pytest.mark.parametrize(
    ("text", "budget"), [("", 0.01), ("0", 0.0), ("0.05", 0.05), ("1", 1.0), ("1e-3", 0.001)]
)
def test_the_error_budget_is_a_share(text: str, budget: float) -> None:
    assert settings.from_environment({**ENV, "ETL_ERROR_BUDGET": text}).error_budget == budget


@pytest.mark.parametrize("text", ["5%", "1.01", "-0.1", "nan", "inf", "much"])
def test_what_is_no_share_is_no_error_budget(text: str) -> None:
    with pytest.raises(LoaderError, match=r"^ETL_ERROR_BUDGET is not a share from 0 to 1$"):
        settings.from_environment({**ENV, "ETL_ERROR_BUDGET": text})


REPLY: dict[str, Any] = {
    "result": "partial",
    "run": 7,
    "objects": {
        "listed": 9,
        "loaded": 2,
        "skipped": 3,
        "quarantined": 1,
        "foreign": 4,
        "gone": 5,
        "markers": 6,
        "remaining": 8,
    },
    "events": {
        "read": 20,
        "stored": 11,
        "duplicate": 3,
        "conflict": 1,
        "expired": 2,
        "erased": 1,
        "quarantined": 3,
        "beyond_limit": 7,
    },
    "coerced": {"event_timestamp": 2, "user_id": 5},
    "cleaned": {"session_id": 4},
    "bytes_read": 12345,
    "stages": {
        "list": 0.1,
        "ledger": 0.2,
        "fetch": 0.3,
        "map": 0.4,
        "copy": 0.5,
        "apply": 0.6,
        "commit": 0.7,
    },
    "lag_seconds": 3600.5,
    "error_budget": {"budget": 0.01, "share": 0.15, "over": True},
    "disks": {"/": 31.5, "/var/lib/postgresql": 79.25},
}


def members(line: dict[str, Any]) -> dict[str, Any]:
    """Return a line without its metadata."""
    return {name: value for name, value in line.items() if name != "_aws"}


def test_the_metric_line_of_a_run_says_all_that_it_counted() -> None:
    assert members(metrics.emf(REPLY, "SBW_Lamda_ETL", 1.23456)) == {
        "Function": "SBW_Lamda_ETL",
        "result": "partial",
        "Runs": 1,
        "NotLoaded": 1,
        "Failed": 0,
        "ObjectsListed": 9,
        "ObjectsLoaded": 2,
        "ObjectsSkipped": 3,
        "ObjectsQuarantined": 1,
        "ObjectsForeign": 4,
        "ObjectsGone": 5,
        "ObjectsRemaining": 8,
        "EventsRead": 20,
        "EventsStored": 11,
        "EventsDuplicate": 3,
        "EventsConflict": 1,
        "EventsExpired": 2,
        "EventsErased": 1,
        "RecordsQuarantined": 3,
        "ValuesCoerced": 7,
        "BytesRead": 12345,
        "Seconds": 1.235,
        "ListSeconds": 0.1,
        "LedgerSeconds": 0.2,
        "FetchSeconds": 0.3,
        "MapSeconds": 0.4,
        "CopySeconds": 0.5,
        "ApplySeconds": 0.6,
        "CommitSeconds": 0.7,
        "LagSeconds": 3600.5,
        "OverErrorBudget": 1,
        "WarehouseDiskUsedPercent": 79.25,
    }


def test_what_a_run_did_not_come_to_know_is_no_metric_of_it() -> None:
    reply = {"result": "failed", "error": {"code": "bad_settings"}}
    line = metrics.emf(reply, "SBW_Lamda_ETL", 0.0)
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    named = {metric["Name"] for metric in directive["Metrics"]}
    unknown = {
        "LagSeconds", "OverErrorBudget", "ListSeconds", "CommitSeconds", "WarehouseDiskUsedPercent",
    }  # fmt: skip
    assert unknown & named == set()
    assert unknown & set(line) == set()


@pytest.mark.parametrize("full", ["/", "/var/lib/postgresql"])
def test_the_fullest_file_system_is_the_warehouses_disk(full: str) -> None:
    disks = {"/": 10.0, "/var/lib/postgresql": 20.0} | {full: 99.5}
    line = metrics.emf({**REPLY, "disks": disks}, "SBW_Lamda_ETL", 0.0)
    assert line["WarehouseDiskUsedPercent"] == 99.5


def test_coerced_values_have_a_line_for_each_column() -> None:
    lines = metrics.emf_by_column(REPLY, "SBW_Lamda_ETL")
    assert [members(line) for line in lines] == [
        {"Function": "SBW_Lamda_ETL", "Column": "event_timestamp", "ValuesCoerced": 2},
        {"Function": "SBW_Lamda_ETL", "Column": "user_id", "ValuesCoerced": 5},
    ]
    (directive,) = lines[0]["_aws"]["CloudWatchMetrics"]
    assert directive == {
        "Namespace": "SBW/Loader",
        "Dimensions": [["Function", "Column"]],
        "Metrics": [{"Name": "ValuesCoerced", "Unit": "Count"}],
    }


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("Seconds", "Seconds"),
        ("LagSeconds", "Seconds"),
        ("BytesRead", "Bytes"),
        ("Runs", "Count"),
        ("WarehouseDiskUsedPercent", "Percent"),
    ],
)
def test_a_metric_has_its_unit(name: str, unit: str) -> None:
    (directive,) = metrics.emf(REPLY, "f", 1.0)["_aws"]["CloudWatchMetrics"]
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}[name] == unit
