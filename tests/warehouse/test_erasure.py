"""What is left after an erasure is what would be there if the erased had never come."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest

from tests import toolbox
from tests.warehouse.loading import Event, Loader, ask
from tests.warehouse.test_rollups import awkward, derived, load_in_pieces, same

pytestmark = pytest.mark.toolbox
WHEN = "'2021-03-01', '2021-03-06', 'Asia/Kathmandu'"
QUESTIONS = (
    f"SELECT * FROM dashboard.kpis({WHEN}, NULL)",
    f"""SELECT * FROM dashboard.kpis({WHEN}, '{{"category": ["mouse"]}}')""",
    f"SELECT * FROM dashboard.series({WHEN}, NULL, 'hour')",
    f"SELECT * FROM dashboard.event_mix({WHEN}, NULL)",
    f"SELECT * FROM dashboard.top_products({WHEN}, NULL) ORDER BY product_id",
    f"SELECT * FROM dashboard.top_categories({WHEN}, NULL) ORDER BY value",
    f"SELECT * FROM dashboard.new_returning({WHEN}, NULL, 'day')",
    f"SELECT * FROM dashboard.heatmap({WHEN}, NULL)",
    *(
        f"SELECT * FROM dashboard.filter_values('{field}') ORDER BY value"
        for field in ("event_name", "login_state", "category", "brand")
    ),
)
# Some people have accounts; an account has more than one browser, and a browser more than one account.
ACCOUNTS = {f"c{number}": f"u{number // 12}" for number in range(0, 150, 2)}


def with_accounts(events: list[Event]) -> list[Event]:
    chance = random.Random(5)
    return [
        {
            **event,
            "user_id": ACCOUNTS.get(event["client_id"] or "") if chance.random() < 0.5 else None,
        }
        for event in events
    ]


def call(server: toolbox.PostgresServer, statement: str, *values: Any) -> Any:
    """Return the one value of a statement, as the superuser of the socket."""
    with psycopg2.connect(server.dsn()) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        row = cursor.fetchone()
    return row and row[0]


def answers(server: toolbox.PostgresServer) -> list[Any]:
    return [ask(server, question) for question in QUESTIONS]


def of_account(events: list[Event], account: str) -> set[str]:
    return {one["client_id"] for one in events if one["user_id"] == account and one["client_id"]}


CASES: dict[str, tuple[dict[str, Any], Callable[[Event, set[str]], bool]]] = {
    "visitor": ({"client_id": "c4"}, lambda event, _: event["client_id"] == "c4"),
    "account": ({"user_id": "u2"}, lambda event, _: event["user_id"] == "u2"),
    "account with its visitors": (
        {"user_id": "u2", "with_clients": True},
        lambda event, clients: event["user_id"] == "u2" or event["client_id"] in clients,
    ),
}


@pytest.fixture(scope="module")
def events() -> list[Event]:
    return with_accounts(awkward(7, 900))


@pytest.fixture(scope="module")
def whole(events: list[Event]) -> Iterator[toolbox.PostgresServer]:
    """A warehouse with everybody in it, which each test copies."""
    with toolbox.PostgresServer(warehouse=True) as running:
        load_in_pieces(running, events, 1)
        yield running


class Copy:
    """A copy of a warehouse under another name; asked like a server."""

    def __init__(self, server: toolbox.PostgresServer, name: str) -> None:
        server.psql(f"CREATE DATABASE {name} TEMPLATE clickstream_dw", database="postgres")
        self._server, self._name = server, name

    def dsn(self, user: str = "postgres", database: str | None = None) -> str:
        return self._server.dsn(user, database or self._name)


@pytest.mark.parametrize("case", CASES)
def test_nothing_else_changes(
    whole: toolbox.PostgresServer, events: list[Event], case: str
) -> None:
    whom, goes = CASES[case]
    clients = of_account(events, whom["user_id"]) if "with_clients" in whom else set()
    left = [event for event in events if not goes(event, clients)]
    copy: Any = Copy(whole, f"erased_{list(CASES).index(case)}")
    names = ", ".join(f"{name} => %s" for name in whom)
    receipt = call(copy, f"SELECT etl.erase({names})", *whom.values())
    assert receipt["counts"]["events"] == len(events) - len(left) > 3
    with toolbox.PostgresServer(warehouse=True) as other:
        load_in_pieces(other, left, 2)
        assert answers(copy) == answers(other)
        found, expected = derived(copy), derived(other)
    for name in ("visitors", "first_seen"):
        same({name: found[name]}, {name: expected[name]})
    before = derived(copy)
    assert call(copy, "SELECT etl.rebuild('-infinity', 'infinity')") == len(left)
    same(derived(copy), before)


def test_a_warehouse_restored_from_before_is_as_erased_again(
    whole: toolbox.PostgresServer, events: list[Event]
) -> None:
    erased: Any = Copy(whole, "erased")
    receipts = [
        call(erased, "SELECT etl.erase(%s)", "c4"),
        call(erased, "SELECT etl.erase(user_id => %s, with_clients => true)", "u5"),
    ]
    # A dump, as a backup is taken, not a copy: the key has to be in it.
    where = f"-h {whole.socket_dir} -p {whole.port} -U postgres"
    whole.psql("CREATE DATABASE restored", database="postgres")
    toolbox.run(
        [
            "sh",
            "-ec",
            f"pg_dump {where} clickstream_dw | psql -Xq -v ON_ERROR_STOP=1 {where} restored",
        ],
        user="postgres",
        cwd="/",
    )
    restored: Any = Copy.__new__(Copy)
    restored._server, restored._name = whole, "restored"
    assert answers(restored) == answers(whole) != answers(erased)
    done = call(
        restored, "SELECT etl.replay_erasures(%s::jsonb[])", [json.dumps(one) for one in receipts]
    )
    assert done["counts"]["events"] == sum(one["counts"]["events"] for one in receipts)
    assert answers(restored) == answers(erased)
    for name in ("visitors", "first_seen", "sessions"):
        same({name: derived(restored)[name]}, {name: derived(erased)[name]})
    # What is loaded again from the raw bucket stays out, in both.
    for one in (restored, erased):
        counts = Loader(one).load([events])
        assert (counts["events_stored"], counts["events_erased"]) == (
            0,
            sum(receipt["counts"]["events"] for receipt in receipts),
        )


def test_first_seen_that_retention_left_is_not_raised() -> None:
    def event(number: int, at: str, client: str, account: str | None) -> Event:
        identity = f"00000000-0000-4000-8000-{number:012d}"
        return {
            "event_id": identity,
            "event_timestamp": at,
            "event_name": "click",
            "client_id": client,
            "session_id": f"s{number}",
            "user_id": account,
        }

    with toolbox.PostgresServer(warehouse=True) as server:
        now = server.psql("SELECT date_trunc('day', now())::date")
        old = server.psql("SELECT (date_trunc('month', now()) - interval '3 months')::date")
        Loader(server).load([[event(1, old, "c1", None), event(2, now, "c1", "u1")]])
        server.psql("UPDATE etl.settings SET retention_months = 1; SELECT etl.drop_expired()")
        assert call(server, "SELECT etl.erase(user_id => 'u1')")["counts"]["visitors"] == 0
        seen = server.psql("SELECT first_seen_at::date FROM etl.visitors WHERE client_id = 'c1'")
        assert seen == old
        assert call(server, "SELECT etl.erase('c1')")["counts"] == {
            "events": 0,
            "copies": 0,
            "quarantine_samples": 0,
            "sessions_removed": 1,
            "sessions_recounted": 0,
            "visitors": 1,
        }
        assert server.psql("SELECT count(*) FROM etl.session_facts") == "0"
