"""Times, medians, and what becomes of them: a table for people and entries for build/bench.json."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Literal


class BenchError(RuntimeError):
    """Something could not be measured; the message says what."""


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


@contextlib.contextmanager
def step(what: str) -> Iterator[None]:
    """Say how long a step took."""
    began = time.monotonic()
    yield
    say(f"  {what:<40}{time.monotonic() - began:8.1f} s")


def milliseconds(work: Callable[[], object]) -> float:
    """Return how long `work` takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


@dataclass(frozen=True)
class Entry:
    """One row of a bar table: `value` is a ratio, `runs` the single measurements of it.

    `bar` is None where the table asks for no ratio; nothing is held then. `title`, `ours` and `other`
    are for the printed table; `more` goes beside the rest into build/bench.json.
    """

    name: str
    value: float
    bar: float | None
    better: Literal["higher", "lower"]
    runs: Sequence[float]
    title: str
    ours: str
    other: str
    unit: str = "ratio"
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool | None:
        """Whether the bar is met."""
        if self.bar is None:
            return None
        return self.value >= self.bar if self.better == "higher" else self.value <= self.bar

    def record(self) -> dict[str, Any]:
        """Return the entry as build/bench.json holds it."""
        return {
            "name": self.name,
            "value": significant(self.value),
            "unit": self.unit,
            "bar": self.bar,
            "better": self.better,
            "holds": self.holds,
            "runs": [significant(run) for run in self.runs],
            **self.more,
        }

    def cells(self) -> tuple[str, ...]:
        """Return the entry as a row of the printed table."""
        sign = "≥" if self.better == "higher" else "≤"
        bar = "" if self.bar is None else f"{sign} {self.bar:g}"
        verdict = {True: "yes", False: "NO", None: ""}[self.holds]
        return self.title, self.ours, self.other, shown(self.value), bar, verdict


def ratios(above: Sequence[float], below: Sequence[float]) -> tuple[float, list[float]]:
    """Return median ÷ median, and the first's median ÷ each run of the second."""
    return median(above) / median(below), [median(above) / run for run in below]


def significant(value: float) -> float:
    """Return a number with four significant digits."""
    return float(f"{value:.4g}")


def shown(value: float) -> str:
    """Return a number for people: three digits or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def print_table(entries: Sequence[Entry]) -> None:
    """Print the entries, and which bars are missed."""
    head = ("question", "ours", "other", "ratio", "bar", "holds")
    rows = [entry.cells() for entry in entries]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, tuple("-" * width for width in widths), *rows):
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        say("  ".join([row[0].ljust(widths[0]), *cells[1:]]).rstrip())
    missed = [entry.name for entry in entries if entry.holds is False]
    say(f"missed: {', '.join(missed)}" if missed else "every bar is met")


def write(path: Path, part: str, entries: Sequence[Entry]) -> None:
    """Replace a part's entries in build/bench.json and leave those of the others."""
    held = json.loads(path.read_text()) if path.exists() else []
    kept = [one for one in held if not one["name"].startswith(f"{part}.")]
    lines = [json.dumps(one) for one in [*kept, *(entry.record() for entry in entries)]]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[\n" + ",\n".join(lines) + "\n]\n")
