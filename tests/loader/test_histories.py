"""Random histories of puts, deletions, broken connections and runs, against a model of the contract."""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any, Literal

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.loader.conftest import World
from tests.loader.proxies import Decision, WireProxy
from tests.loader.test_runs import HOUR, event

KEYS, EVENTS = 5, 8
# A file: numbers of its events, None for a line that is no JSON.
File = list[int | None]
Put = tuple[Literal["put"], int, File]
Delete = tuple[Literal["delete"], int]
Run = tuple[Literal["run"], int | None]
Step = Put | Delete | Run

_FILES = st.lists(st.none() | st.integers(0, EVENTS - 1), min_size=1, max_size=4)
_STEPS: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("put"), st.integers(0, KEYS - 1), _FILES),
    st.tuples(st.just("put"), st.integers(0, KEYS - 1), _FILES),
    st.tuples(st.just("delete"), st.integers(0, KEYS - 1)),
    # A run whole, or one whose connection ends at that piece.
    st.tuples(st.just("run"), st.none() | st.integers(1, 25)),
)


@dataclass
class Model:
    """What has to hold whatever the timing was, by the contract alone.

    `must` are events that lay in the bucket when a run ended well; `may` all that ever lay there.
    """

    bucket: dict[int, File] = field(default_factory=dict)
    must: set[int] = field(default_factory=set)
    may: set[int] = field(default_factory=set)
    listed: set[int] = field(default_factory=set)

    def put(self, key: int, file: File) -> None:
        self.bucket[key] = file
        self.may |= {number for number in file if number is not None}

    def delete(self, key: int) -> None:
        self.bucket.pop(key, None)

    def loaded(self) -> None:
        """A run ended well: everything that lies there is in the warehouse."""
        self.must |= {n for file in self.bucket.values() for n in file if n is not None}
        self.listed |= set(self.bucket)


class Shop:
    """Does the steps in a part of the bucket of its own, and in the model."""

    def __init__(self, world: World, number: int) -> None:
        self.world = dataclasses.replace(world, database=f"{world.database[:50]}_{number}")
        self.number = number
        self.model = Model()
        self._admin(
            f"CREATE DATABASE {self.world.database} TEMPLATE clickstream_dw OWNER dwh_owner"
        )

    def _admin(self, statement: str) -> None:
        self.world.server.psql(statement, database="postgres")

    def key(self, key: int) -> str:
        return f"{HOUR}/event-{self.number}-{key}.json"

    def do(self, step: Step) -> None:
        if step[0] == "put":
            _, key, file = step
            lines = ['{"broken"' if n is None else _line(n) for n in file]
            # One line alone would be an object that is broken as a whole.
            self.world.put(self.key(key), body="\n".join([*lines, _line(0)]).encode())
            self.model.put(key, [*file, 0])
        elif step[0] == "delete":
            self.world.s3.delete_object(Bucket=self.world.env["RAW_BUCKET"], Key=self.key(step[1]))
            self.model.delete(step[1])
        else:
            self.run(step[1])

    def run(self, cut_at: int | None) -> None:
        def decide(at: int, _data: bytes) -> Decision:
            return "cut" if at == cut_at else None

        target = (self.world.server.host, self.world.server.port)
        until = time.monotonic() + 20
        while True:
            with WireProxy(target, decide) as proxy:
                reply = self.world.load(
                    {},
                    DWH_HOST="127.0.0.1",
                    DWH_PORT=str(proxy.port),
                    DWH_DATABASE=self.world.database,
                    ETL_ATTEMPTS="1",
                )
            if reply["result"] != "busy":
                break
            assert time.monotonic() < until
            time.sleep(0.05)
        if reply["result"] == "loaded":
            self.model.loaded()
        else:
            assert reply["error"]["transient"], reply

    def check(self) -> None:
        """See that the warehouse is what the model allows, after a run that ended well."""
        self.run(None)
        model, query = self.model, self.world.query
        ids = {str(uuid.UUID(int=n + 1)): n for n in range(EVENTS)}
        rows = query("SELECT event_id::text FROM public.clickstream_events")
        stored = [ids[one] for (one,) in rows]
        assert len(stored) == len(set(stored))
        assert model.must <= set(stored) <= model.may
        assert {one for (one,) in query("SELECT event_id::text FROM etl.event_ids")} == {
            one for (one,) in rows
        }
        newest = dict(query("SELECT object_key, status FROM etl.newest_objects"))
        for key, file in model.bucket.items():
            expected = "quarantined" if None in file else "loaded"
            assert newest[self.key(key)] == expected, file
        assert set(newest.values()) <= {"loaded", "quarantined", "gone"}
        (counted,) = query("SELECT sum(objects) FROM etl.object_counts WHERE objects <> 0")
        assert (counted[0] or 0) == len(newest) >= len(model.listed)
        (totals,) = query(
            "SELECT coalesce(sum(events_read), 0), coalesce(sum(events_stored + events_duplicate"
            " + events_erased + events_expired + records_quarantined), 0) FROM etl.runs"
        )
        assert totals[0] == totals[1]
        facts = "SELECT count(*), count(DISTINCT event_id) FROM etl.event_facts"
        assert query(facts) == [(len(stored), len(stored))]

    def forget(self) -> None:
        for key in range(KEYS):
            self.do(("delete", key))
        self._admin(f"DROP DATABASE {self.world.database} WITH (FORCE)")


def _line(number: int) -> str:
    return json.dumps({**event("a", number), "eventId": str(uuid.UUID(int=number + 1))})


_numbers: Any = iter(range(10**6))


def test_any_history_ends_where_the_contract_says(world: World) -> None:
    @settings(
        max_examples=20,
        deadline=None,
        derandomize=True,
        # To shrink one takes minutes; its steps are printed as they are.
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.lists(_STEPS, min_size=4, max_size=14))
    def history(steps: list[Step]) -> None:
        shop = Shop(world, next(_numbers))
        try:
            for step in steps:
                shop.do(step)
            shop.check()
        finally:
            shop.forget()

    history()
