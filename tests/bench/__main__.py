"""Run the parts of `make bench`: print a table and write build/bench.json."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence

import psycopg2

from tests import toolbox
from tests.bench import dashboard, loader, warehouse
from tests.bench.measuring import BenchError, Entry, print_table, say, write

# A part's name begins the names of its entries.
PARTS: dict[str, Callable[[int], list[Entry]]] = {
    "loader": loader.run,
    "warehouse": warehouse.run,
    "dashboard": dashboard.run,
}
RESULT = toolbox.REPOSITORY / "build" / "bench.json"


def main(arguments: Sequence[str]) -> int:
    """Run the parts asked for; return 0 when all was measured, whatever the bars say."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", choices=sorted(PARTS), help="run one part")
    parser.add_argument(
        "--size", type=int, default=20_000_000, help="events of the warehouse's base"
    )
    asked = parser.parse_args(arguments)
    entries: list[Entry] = []
    for name in [asked.only] if asked.only else list(PARTS):
        try:
            found = PARTS[name](asked.size)
        except (BenchError, toolbox.ToolboxError, psycopg2.Error) as error:
            print(f"bench: {name} could not be measured: {error}", file=sys.stderr)
            return 1
        write(RESULT, name, found)
        entries += found
    print_table(entries)
    say(f"written to {RESULT.relative_to(toolbox.REPOSITORY)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
