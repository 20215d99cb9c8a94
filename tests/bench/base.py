"""The base of the measurements: a shop's year of events, kept under build/bench/ between runs."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests import toolbox
from tests.bench import making
from tests.bench.measuring import say
from tests.bench.server import MAKING, PRODUCT, KeptServer

HOME = toolbox.REPOSITORY / "build" / "bench"
RECIPE = [making.HERE / "making.py", making.HERE / "making.sql"]


@dataclass(frozen=True)
class Base:
    """One size of the base, about `size` events in the year: where it lies, and how it is made."""

    size: int

    @property
    def directory(self) -> Path:
        """Where all of it lies."""
        return HOME / f"base-{self.size}"

    @property
    def duckdb(self) -> Path:
        """DuckDB's file of the same events."""
        return self.directory / "events.duckdb"

    def ready(self) -> None:
        """Make what is missing or was made by another recipe: the events, then the warehouse."""
        events = _digest(*RECIPE)
        warehouse = _digest(
            *RECIPE, *sorted((toolbox.REPOSITORY / "warehouse" / "deploy").glob("*.sql"))
        )
        if not self._is_stamped("events", events):
            say(f"Make {self.size:,} events in {self.directory}")
            shutil.rmtree(self.directory, ignore_errors=True)
            self.directory.mkdir(parents=True)
            with self._serving(MAKING) as server:
                making.make_events(server, self.size)
                making.write_batches(server, self.directory, self.size // 20)
                making.make_duckdb(server, self.duckdb)
            self._stamp("events", events)
        if not self._is_stamped("warehouse", warehouse):
            say(f"Make the warehouse of {self.size:,} events")
            self._stamp("warehouse", "")
            with self._serving(MAKING) as server:
                making.make_warehouse(server)
            os.sync()  # it was made without fsync
            self._stamp("warehouse", warehouse)

    @contextlib.contextmanager
    def serving(self) -> Iterator[KeptServer]:
        """Yield a server with the product's settings over the base, stopped afterwards."""
        with self._serving(PRODUCT) as server:
            yield server

    def _serving(self, settings: dict[str, str]) -> KeptServer:
        return KeptServer(self.directory / "data", settings)

    def _is_stamped(self, what: str, digest: str) -> bool:
        stamp = self.directory / f"{what}.stamp"
        return stamp.exists() and stamp.read_text() == digest

    def _stamp(self, what: str, digest: str) -> None:
        (self.directory / f"{what}.stamp").write_text(digest)


def _digest(*paths: Path) -> str:
    found = hashlib.sha256()
    for path in paths:
        found.update(f"{path.name}\0".encode() + path.read_bytes())
    return found.hexdigest()
