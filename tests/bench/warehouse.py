"""The warehouse's part: its answers against plain SQL and DuckDB, its growth, and what a load costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import geometric_mean, median
from typing import Any

import duckdb
from psycopg2 import extensions

from tests.bench.base import Base
from tests.bench.batches import load_ratio
from tests.bench.measuring import Entry, milliseconds, ratios, say, shown, significant
from tests.bench.questions import QUESTIONS, Question

RUNS = 7  # of ours
SLOW = 20_000  # ms after which a reference is not run a second time
QUICK = 3_000  # ms below which it is run three times more


@dataclass(frozen=True)
class Times:
    """Milliseconds of one question's runs."""

    ours: Sequence[float]
    plain: Sequence[float]
    duckdb: Sequence[float]


def run(size: int) -> list[Entry]:
    """Measure over a base of `size` events and one of a tenth of it; return the table's rows in order.

    Raises BenchError when answers differ or a batch was not stored.
    """
    small, large = Base(size // 10), Base(size)
    small.ready()
    large.ready()
    small_times = _answers(small)
    large_times = _answers(large)
    with large.serving() as server:
        load = load_ratio(server, large.directory, size // 20)
    return [
        *(_against_plain(question, large_times[question.name]) for question in QUESTIONS),
        *(
            _against_duckdb(question, large_times[question.name])
            for question in QUESTIONS
            if question.duckdb_bar is not None
        ),
        _growth(small, large, small_times, large_times),
        load,
    ]


def _answers(base: Base) -> dict[str, Times]:
    """Ask every question; the first answers are compared, and warm what the measured ones read."""
    say(f"Ask a base of {base.size:,} events")
    found = {}
    with (
        base.serving() as server,
        server.connection("clickstream_dw", "dashboard_reader") as warehouse,
        server.connection("plain") as plain,
        duckdb.connect(str(base.duckdb), read_only=True, config={"threads": 2}) as duck,
    ):
        for question in QUESTIONS:
            found[question.name] = times = _times(question, warehouse, plain, duck)
            say(
                f"  {question.title:<48}{median(times.ours):10.2f} ms{median(times.plain):12.1f} ms"
            )
    return found


def _times(
    question: Question,
    warehouse: extensions.connection,
    plain: extensions.connection,
    duck: duckdb.DuckDBPyConnection,
) -> Times:
    ours_sql = f"SELECT * FROM {question.call}"
    ours = _asked(warehouse, ours_sql, question)
    theirs: list[Any] = []
    first = milliseconds(lambda: theirs.extend(_asked(plain, question.plain_sql, question)))
    question.compare(ours, theirs, "plain")
    ours_times = _repeated(lambda: _ask(warehouse, ours_sql, question), RUNS)
    plain_times = [first]
    if first < SLOW:
        plain_times = _repeated(
            lambda: _ask(plain, question.plain_sql, question), 3 if first < QUICK else 1
        )
    duckdb_times: list[float] = []
    if question.duckdb_bar is not None:
        reply = duck.execute(question.duckdb_sql, question.duckdb_values)
        names = [column[0] for column in reply.description or ()]
        question.compare(ours, question.answer(names, reply.fetchall()), "DuckDB")
        duckdb_times = _repeated(
            lambda: duck.execute(question.duckdb_sql, question.duckdb_values).fetchall(), 5
        )
    return Times(ours_times, plain_times, duckdb_times)


def _repeated(work: Callable[[], object], times: int) -> list[float]:
    return [milliseconds(work) for _ in range(times)]


def _ask(
    connection: extensions.connection, statement: str, question: Question
) -> tuple[list[str], list[tuple[Any, ...]]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, question.values)
        return [column.name for column in cursor.description or ()], cursor.fetchall()


def _asked(
    connection: extensions.connection, statement: str, question: Question
) -> list[tuple[Any, ...]]:
    return question.answer(*_ask(connection, statement, question))


def _against_plain(question: Question, times: Times) -> Entry:
    value, runs = ratios(times.plain, times.ours)
    return Entry(
        name=f"warehouse.{question.name}_vs_plain",
        value=value,
        bar=question.bar,
        better="higher",
        runs=runs,
        title=question.title,
        ours=f"{shown(median(times.ours))} ms",
        other=f"{shown(median(times.plain))} ms",
        more={
            "ours_ms": significant(median(times.ours)),
            "plain_ms": significant(median(times.plain)),
            "orientation_ms": question.bar_ms,
        },
    )


def _against_duckdb(question: Question, times: Times) -> Entry:
    value, runs = ratios(times.duckdb, times.ours)
    return Entry(
        name=f"warehouse.{question.name}_vs_duckdb",
        value=value,
        bar=question.duckdb_bar,
        better="higher",
        runs=runs,
        title=f"DuckDB ÷ ours: {question.title}",
        ours=f"{shown(median(times.ours))} ms",
        other=f"{shown(median(times.duckdb))} ms",
        more={
            "ours_ms": significant(median(times.ours)),
            "duckdb_ms": significant(median(times.duckdb)),
        },
    )


def _growth(small: Base, large: Base, before: dict[str, Times], after: dict[str, Times]) -> Entry:
    """Return the geometric mean over the questions of time on the large base ÷ on the small one."""
    ours = {name: median(after[name].ours) / median(before[name].ours) for name in before}
    plain = {name: median(after[name].plain) / median(before[name].plain) for name in before}
    return Entry(
        name="warehouse.growth",
        value=geometric_mean(ours.values()),
        bar=4,
        better="lower",
        runs=list(ours.values()),
        title=f"growth from {small.size:,} to {large.size:,} events (geometric mean)",
        ours=f"{shown(geometric_mean(ours.values()))} times",
        other=f"{shown(geometric_mean(plain.values()))} times",
        more={
            "plain": significant(geometric_mean(plain.values())),
            "rows": {name: significant(value) for name, value in ours.items()},
        },
    )
