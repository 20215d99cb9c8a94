"""Rollups and sessions are a function of the stored events: a rebuild changes nothing."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from tests import toolbox
from tests.warehouse.loading import Event, Loader, ask

pytestmark = pytest.mark.toolbox
# Every row of everything that is derived, in an order of its own. Numbers of sessions and of visitors
# depend on the order of loading: what they stand for is compared.
DERIVED = """
SELECT jsonb_build_object(
    'segments', (
        SELECT jsonb_agg(to_jsonb(s) - 'visitors' || jsonb_build_object('clients', (
            SELECT jsonb_agg(v.client_id ORDER BY v.client_id) FROM etl.visitors AS v
            WHERE v.visitor_no = ANY (public.rb_to_array(s.visitors))
        )) ORDER BY s.category_no, s.login_no, s.level, s.at)
        FROM etl.segments AS s WHERE s.events > 0 OR s.sessions > 0 OR s.robots > 0
    ),
    'names', (
        SELECT jsonb_agg(n ORDER BY n.level, n.at, n.login_no, n.name_no) FROM etl.name_counts AS n
    ),
    'items', (
        SELECT jsonb_agg(i ORDER BY i.kind, i.level, i.at, i.item_no)
        FROM etl.item_days AS i
        WHERE i.events + i.view_sessions + i.add_sessions + i.unviewed_sessions + i.bought_sessions > 0
    ),
    'first_seen', (
        SELECT jsonb_agg(to_jsonb(f) - 'visitors' || jsonb_build_object('clients', (
            SELECT jsonb_agg(v.client_id ORDER BY v.client_id) FROM etl.visitors AS v
            WHERE v.visitor_no = ANY (public.rb_to_array(f.visitors))
        )) ORDER BY f.level, f.at)
        FROM etl.first_seen AS f WHERE public.rb_cardinality(f.visitors) > 0
    ),
    'sessions', (
        SELECT jsonb_agg(to_jsonb(s) - '{session_no,visitor_no}'::text[]
            || jsonb_build_object('client', v.client_id) ORDER BY s.session_id, v.client_id, s.started_at)
        FROM etl.session_facts AS s LEFT JOIN etl.visitors AS v ON v.visitor_no = s.visitor_no
    ),
    'visitors', (
        SELECT jsonb_agg(to_jsonb(v) - 'visitor_no' ORDER BY v.client_id) FROM etl.visitors AS v
    ),
    'labels', (
        SELECT jsonb_agg(l ORDER BY l.product_no) FROM etl.product_labels AS l
    ),
    'terms', (SELECT jsonb_agg(t ORDER BY t.field, t.term_no) FROM etl.terms AS t)
)
"""


def awkward(seed: int, count: int, year: int = 2021) -> list[Event]:
    """Events of a few days: sessions by id and by gaps, clients that come late, spellings, carts."""
    chance = random.Random(seed)
    names = ["product_view"] * 5 + ["add_to_cart_click", "remove_from_cart_click", "Page_View"]
    names += [
        "checkout_start",
        "checkout_complete",
        "home_view",
        "category_view",
        "wishlist_toggle",
    ]
    events = []
    for number in range(count):
        client = chance.choice([None, *(f"c{n}" for n in range(150))])
        session = chance.choice([None, None, *(f"s{n}" for n in range(60))])
        minutes = chance.randrange(5 * 24 * 60)
        if session is not None and chance.random() < 0.9:  # near the session's own time
            minutes = int(session[1:]) * 110 + chance.randrange(50)
        product = chance.randrange(12)
        events.append(
            {
                "event_id": f"{seed:08x}-0000-4000-8000-{number:012x}",
                "event_timestamp": f"{year}-03-{1 + minutes // 1440:02d}T{minutes // 60 % 24:02d}:"
                f"{minutes % 60:02d}:{chance.randrange(4) * 15:02d}Z",
                "event_name": chance.choice(names),
                "client_id": client,
                "session_id": session,
                "user_login_state": chance.choice([None, "anonymous", "Logged_In", "guest", "vip"]),
                "context_product_id": f"p{product}" if product else None,
                "context_product_name": chance.choice([None, f"Product {product}"]),
                "context_product_category": chance.choice(["Mouse", " mouse", "Bàn", "BÀN", None]),
                "context_product_brand": chance.choice(["AULA", "Aula ", None]),
                "context_product_price": chance.choice([None, 100_000 * product]),
                "context_product_discount_price": chance.choice([None, 0, 10, 90_000]),
            }
        )
    return events


def load_in_pieces(server: toolbox.PostgresServer, events: list[Event], seed: int) -> None:
    """Load events out of order, in chunks of some objects each."""
    chance = random.Random(seed)
    events = chance.sample(events, len(events))
    loader = Loader(server)
    run = loader.start()
    while events:
        size = chance.choice([1, 5, 40, 200])
        piece, events = events[:size], events[size:]
        loader.chunk(run, [piece[: len(piece) // 2], piece[len(piece) // 2 :]])
    loader.finish(run)


def derived(server: toolbox.PostgresServer) -> dict[str, Any]:
    with psycopg2.connect(server.dsn()) as connection, connection.cursor() as cursor:
        cursor.execute(DERIVED)
        row = cursor.fetchone()
    assert row is not None
    assert all(row[0].values())
    return dict(row[0])


def same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    for name, rows in expected.items():
        assert [row for row in found[name] if row not in rows] == [], f"{name}: these are new"
        assert [row for row in rows if row not in found[name]] == [], f"{name}: these are missing"


@pytest.fixture(scope="module")
def server() -> Iterator[toolbox.PostgresServer]:
    with toolbox.PostgresServer(warehouse=True) as running:
        load_in_pieces(running, awkward(1, 900), 1)
        yield running


@pytest.mark.parametrize(
    ("from_at", "to_at"),
    [
        ("-infinity", "infinity"),
        ("2021-03-02T05:00Z", "2021-03-03T11:00Z"),
        ("2021-03-04T00:00Z", "infinity"),
    ],
)
def test_a_rebuild_changes_nothing(
    server: toolbox.PostgresServer, from_at: str, to_at: str
) -> None:
    before = derived(server)
    assert int(server.psql(f"SELECT etl.rebuild('{from_at}', '{to_at}')")) > 100
    same(derived(server), before)


def test_a_rebuild_mends_what_is_wrong(server: toolbox.PostgresServer) -> None:
    before = derived(server)
    server.psql(
        "UPDATE etl.segments SET events = 0, sessions = 7;"
        " UPDATE etl.item_days SET views = views + 1; DELETE FROM etl.name_counts WHERE level = 2;"
        " DELETE FROM etl.event_facts WHERE visitor_no % 3 = 0; UPDATE etl.session_facts SET views = 0;"
        " DELETE FROM etl.first_seen WHERE level = 3"
    )
    server.psql("SELECT etl.rebuild('-infinity', 'infinity')")
    same(derived(server), before)


def test_the_order_of_loading_changes_nothing(server: toolbox.PostgresServer) -> None:
    before = derived(server)
    with toolbox.PostgresServer(warehouse=True) as other:
        load_in_pieces(other, awkward(1, 900), 2)
        found = derived(other)
    # Categories, brands and products are numbered as they come.
    for name in ("first_seen", "visitors"):
        same({name: found[name]}, {name: before[name]})
    keys = (
        "session_id",
        "client",
        "started_at",
        "events",
        "is_abandoned",
        "cart_value",
        "login_no",
    )
    chosen = [
        [{key: row[key] for key in keys} for row in one["sessions"]] for one in (found, before)
    ]
    same({"sessions": chosen[0]}, {"sessions": chosen[1]})


def test_another_zone_of_the_shop_gives_the_same_answers(server: toolbox.PostgresServer) -> None:
    days = "'2021-03-01T00:00Z', '2021-03-06T00:00Z', 'UTC'"
    question = f"SELECT * FROM dashboard.series({days}, NULL, 'hour')"
    before = ask(server, question)
    for zone in ("Asia/Kathmandu", "America/New_York"):
        server.psql(f"SELECT etl.set_zone('{zone}')")
        assert ask(server, question) == before
    server.psql("SELECT etl.set_zone('Asia/Ho_Chi_Minh')")
    with pytest.raises(AssertionError, match="there is no time zone Mars/Olympus"):
        server.psql("SELECT etl.set_zone('Mars/Olympus')")


def test_loading_without_rollups_leaves_them_to_a_rebuild(server: toolbox.PostgresServer) -> None:
    with toolbox.PostgresServer(warehouse=True) as other:
        other.psql("UPDATE etl.settings SET rollups_enabled = false")
        load_in_pieces(other, awkward(1, 900), 1)
        assert other.psql("SELECT count(*) FROM etl.segments") == "0"
        other.psql("UPDATE etl.settings SET rollups_enabled = true")
        other.psql("SELECT etl.rebuild('-infinity', 'infinity')")
        found = derived(other)
    same({"visitors": found["visitors"]}, {"visitors": derived(server)["visitors"]})
    assert len(found["segments"]) == len(derived(server)["segments"])


def test_values_beyond_the_limit_are_other() -> None:
    with toolbox.PostgresServer(warehouse=True) as other:
        other.psql("UPDATE etl.settings SET max_brands = 1")
        brands = ["a", "b", "c"]
        loader = Loader(other)
        counts = loader.load(
            [
                [
                    {
                        "event_id": f"00000000-0000-4000-8000-{number:012x}",
                        "event_timestamp": "2021-03-01T00:00Z",
                        "event_name": "product_view",
                        "session_id": "s",
                        "context_product_brand": brand,
                    }
                    for number, brand in enumerate(brands)
                ]
            ]
        )
        assert counts["values_beyond_limit"] == 2
        rows = ask(
            other, "SELECT * FROM dashboard.top_brands('2021-03-01', '2021-03-02', 'UTC', NULL)"
        )
        assert {row["value"]: row["views"] for row in rows} == {"a": 1, "(other)": 2}
        values = ask(other, "SELECT value FROM dashboard.filter_values('brand')")
        assert [row["value"] for row in values] == ["(other)", "a"]


class Steady(threading.Thread):
    """A loader that takes its lock, loads a chunk and lets go, again and again, until told to end."""

    def __init__(self, server: toolbox.PostgresServer, events: list[Event]) -> None:
        super().__init__(daemon=True)
        self._server, self._events = server, events
        self.ended, self.failed = threading.Event(), ""

    def run(self) -> None:
        loader = Loader(self._server)
        try:
            while self._events and not self.ended.is_set():
                if not loader.value("SELECT pg_try_advisory_lock(hashtext('etl_loader'))"):
                    self.ended.wait(0.05)
                    continue
                piece, self._events = self._events[:10], self._events[10:]
                run = loader.start()
                loader.chunk(run, [piece])
                loader.finish(run)
                loader.value("SELECT pg_advisory_unlock(hashtext('etl_loader'))")
        except psycopg2.Error as error:
            self.failed = str(error)


# Keys of an hour each with versions: when each was put (the older is listed last in one), what it is.
VERSIONS = {
    "2029-12-31T01": [("2029-12-31T01:10Z", "loaded"), ("2029-12-31T01:20Z", "pending")],
    "2029-12-31T02": [("2029-12-31T02:20Z", "quarantined"), ("2029-12-31T02:10Z", "loaded")],
    "2029-12-31T03": [("2029-12-31T03:10Z", "loaded"), ("2029-12-31T03:10Z", "gone")],
    "2029-12-31T04": [("2029-12-31T04:10Z", "loaded")],
}
COMPLETENESS = "SELECT * FROM dashboard.completeness('2029-12-31T00:00Z', '2029-12-31T06:00Z')"


def put_versions(server: toolbox.PostgresServer) -> None:
    """Book VERSIONS in the ledger, in their order."""
    for hour, versions in VERSIONS.items():
        for number, (at, status) in enumerate(versions):
            server.psql(
                "INSERT INTO etl.objects (object_key, etag, last_modified, size_bytes, key_hour, status,"
                f" run_id) VALUES ('{hour}', '{number}', '{at}', 1, '{hour}:00Z', '{status}', 1)"
            )


def test_a_warehouse_in_use_is_brought_up_to_date() -> None:
    events = awkward(1, 900)
    with toolbox.PostgresServer(warehouse=True, to="@v0.1.0") as old:
        load_in_pieces(old, events[:600], 3)
        put_versions(old)
        complete = ask(old, COMPLETENESS)
        before = ask(old, "SELECT * FROM dashboard.kpis('2021-03-01', '2021-03-06', 'UTC')")
        steady = Steady(old, list(events[600:]))
        steady.start()
        old.sqitch("deploy", "--verify")
        steady.ended.set()
        steady.join(30)
        assert steady.failed == ""
        load_in_pieces(old, events, 4)
        found = derived(old)
        after = ask(old, "SELECT * FROM dashboard.kpis('2021-03-01', '2021-03-06', 'UTC')")
        assert ask(old, COMPLETENESS) == complete
    of_keys = ("pending", "quarantined", "gone", "loaded")
    assert [[row[name] for name in of_keys] for row in complete[1:5]] == [
        [1, 0, 0, 0],
        [0, 1, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 1],
    ]
    assert 0 < before[0]["events"] < after[0]["events"] == 900
    with toolbox.PostgresServer(warehouse=True) as fresh:
        load_in_pieces(fresh, events, 4)
        same({"visitors": found["visitors"]}, {"visitors": derived(fresh)["visitors"]})
        assert after == ask(
            fresh, "SELECT * FROM dashboard.kpis('2021-03-01', '2021-03-06', 'UTC')"
        )
