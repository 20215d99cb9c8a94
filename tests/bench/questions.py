"""What the dashboard asks, the same of a plain table and of DuckDB, and whether all three agree."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

from tests.bench.making import END, HERE, LOCAL, ZONE
from tests.bench.measuring import BenchError

KPIS = ("events", "visitors", "sessions", "converted_sessions")
PRODUCTS = (
    "product_id",
    "name",
    "category",
    "brand",
    "price_seen",
    "views",
    "adds",
    "removals",
    "wishlisted",
    "view_sessions",
    "add_sessions",
    "bought_sessions",
    "add_to_cart_rate",
)
FUNNEL = ("bucket_at", "step", "closed_sessions")
SERIES = ("bucket_at", *KPIS)
STEPS = ["product_view", "add_to_cart_click", "checkout_start", "checkout_complete"]
CATEGORY = {"category": ["category-05"]}  # about one event in thirty
LOGIN_AND_CATEGORY = {"login_state": ["logged_in"], **CATEGORY}
LAST_MONDAY = dt.datetime(2026, 6, 29, tzinfo=LOCAL)
RANGE = "%(from_at)s, %(to_at)s, %(zone)s, %(filter)s"
Rows = Sequence[tuple[Any, ...]]


@dataclass(frozen=True)
class Question:
    """One row of the bar table: a function of the warehouse and the same in plain SQL.

    `columns` are compared. A question with `sparse` set counts in its last column, and a row that
    counts nothing is as good as none. `bar` is what plain ÷ ours must reach, `bar_ms` what the issue
    gives for orientation; `duckdb_bar` says that DuckDB is asked as well, and what it must reach.
    """

    name: str
    title: str
    days: int
    call: str
    columns: Sequence[str]
    plain: str
    bar_ms: float
    bar: float | None = None
    duckdb_bar: float | None = None
    filter: dict[str, list[str]] | None = None
    sparse: bool = False
    to_at: dt.datetime = field(default=END)

    @cached_property
    def values(self) -> dict[str, Any]:
        """What is bound to the names in `call` and in the plain query."""
        return {
            "from_at": self.to_at - dt.timedelta(days=self.days),
            "to_at": self.to_at,
            "zone": ZONE,
            "filter": json.dumps(self.filter) if self.filter else None,
            "category": self.filter["category"][0] if self.filter else None,
            "steps": STEPS,
        }

    @cached_property
    def duckdb_values(self) -> dict[str, dt.datetime]:
        """The range as DuckDB's file has its instants: UTC without a zone."""
        return {
            name: self.values[name].astimezone(dt.UTC).replace(tzinfo=None)
            for name in ("from_at", "to_at")
        }

    @cached_property
    def plain_sql(self) -> str:
        """The query that an analyst writes over plain.events."""
        return (HERE / "plain" / f"{self.plain}.sql").read_text()

    @cached_property
    def duckdb_sql(self) -> str:
        """The same in DuckDB's words."""
        return (HERE / "duckdb" / f"{self.plain}.sql").read_text()

    def answer(self, names: Sequence[str], rows: Rows) -> list[tuple[Any, ...]]:
        """Return the rows' compared columns in a form and order that do not depend on who answered.

        Raises BenchError when a column is missing.
        """
        missing = set(self.columns) - set(names)
        if missing:
            raise BenchError(
                f"{self.name}: no column {', '.join(sorted(missing))} in {list(names)}"
            )
        places = [list(names).index(column) for column in self.columns]
        found = [tuple(_comparable(row[place]) for place in places) for row in rows]
        return sorted((row for row in found if row[-1] or not self.sparse), key=repr)

    def compare(self, ours: Rows, other: Rows, whose: str) -> None:
        """Raise BenchError unless two answers are the same, or when there is no answer at all."""
        if not ours or not other:
            raise BenchError(f"{self.name}: {len(ours)} rows of ours, {len(other)} of {whose}")
        if ours != other:
            raise BenchError(
                f"{self.name}: ours and {whose} differ\n  ours only: {_first(ours, other)}"
                f"\n  {whose} only: {_first(other, ours)}"
            )


def _comparable(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return (
            (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).astimezone(dt.UTC).isoformat()
        )
    if isinstance(value, float | Decimal):
        return round(float(value), 9)
    return value


def _first(rows: Iterable[tuple[Any, ...]], others: Rows) -> list[tuple[Any, ...]]:
    return [row for row in rows if row not in others][:3]


def _kpis(days: int, bar_ms: float, **more: Any) -> Question:
    call = f"dashboard.kpis({RANGE})"
    return Question(
        f"kpi_{days}d", f"KPI row, {_days(days)}", days, call, KPIS, "kpis", bar_ms, **more
    )


def _filtered(days: int, bar_ms: float, **more: Any) -> Question:
    return Question(
        name=f"kpi_filtered_{days}d",
        title=f"KPI row by login and category, {_days(days)}",
        days=days,
        call=f"dashboard.kpis({RANGE})",
        columns=KPIS,
        plain="kpis_filtered",
        bar_ms=bar_ms,
        filter=LOGIN_AND_CATEGORY,
        **more,
    )


def _funnel(name: str, title: str, bar_ms: float, plain: str, **more: Any) -> Question:
    call = f"dashboard.funnel_series({RANGE}, %(steps)s)"
    return Question(name, title, 30, call, FUNNEL, plain, bar_ms, bar=50, sparse=True, **more)


def _series(days: int, bar_ms: float, **more: Any) -> Question:
    title = f"visitors and sessions by day, {_days(days)}"
    call = f"dashboard.series({RANGE})"
    return Question(f"series_{days}d", title, days, call, SERIES, "series", bar_ms, **more)


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"


QUESTIONS = (
    _kpis(1, 5),
    _kpis(30, 10, bar=50, duckdb_bar=7),
    _kpis(365, 20, duckdb_bar=50),
    _filtered(1, 5),
    _filtered(30, 10, bar=50),
    _filtered(365, 20),
    _funnel("funnel_30d", "closed funnel by day, 30 days", 10, "funnel", duckdb_bar=5),
    _funnel(
        "funnel_filtered_30d",
        "closed funnel by day and category, 30 days",
        60,
        "funnel_filtered",
        filter=CATEGORY,
    ),
    Question(
        name="top_products_30d",
        title="top 50 products with rates, 30 days",
        days=30,
        call=f"dashboard.top_products({RANGE}, 50)",
        columns=PRODUCTS,
        plain="top_products",
        bar_ms=30,
        bar=50,
        duckdb_bar=2,
    ),
    Question(
        name="retention_12w",
        title="retention, 12 weekly cohorts",
        days=84,
        call=f"dashboard.retention({RANGE})",
        columns=("cohort_at", "number", "returned"),
        plain="retention",
        bar_ms=60,
        sparse=True,
        to_at=LAST_MONDAY,
    ),
    Question(
        name="heatmap_90d",
        title="hour-by-weekday heatmap, 90 days",
        days=90,
        call=f"dashboard.heatmap({RANGE})",
        columns=("weekday", "hour", "sessions"),
        plain="heatmap",
        bar_ms=20,
        sparse=True,
    ),
    _series(30, 40, bar=50),
    _series(365, 300),
)
