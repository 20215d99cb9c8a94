"""Rollups answer what the release before them answered from the events alone."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

from tests import toolbox
from tests.warehouse.loading import ask
from tests.warehouse.shops import ZONES
from tests.warehouse.test_rollups import awkward, load_in_pieces

pytestmark = pytest.mark.toolbox
FUNNELS = [
    None,
    ["page_view", "product_view", "product_view"],
    ["home_view", "checkout_complete"],
    ["wishlist_toggle", "never_sent"],
]
FILTERS: list[dict[str, list[str]] | None] = [
    None,
    {"login_state": ["logged_in"]},
    {"login_state": ["guest", "other"]},
    {"category": ["mouse"]},
    {"category": ["mouse", "bàn"]},
    {"category": ["not set"], "login_state": ["anonymous", "not set"]},
    {"brand": ["aula"]},
    {"category": ["bàn"], "brand": ["aula"]},
    {"event_name": ["product_view", "page_view"]},
    {"category": ["mouse"], "brand": ["not set"], "event_name": ["add_to_cart_click"]},
    {"category": ["nobody has it"]},
    {"category": [], "brand": []},
]
QUESTIONS = {
    "kpis": "",
    "series_hour": ", 'hour'",
    "series_day": ", 'day'",
    "series_week": ", 'week'",
    "event_mix": "",
    "login_states": "",
    "funnel": "",
    "top_products": ", 1000",
    "top_categories": ", 1000",
    "top_brands": ", 1000",
}
# Labels and prices are now those of the newest of all events, then those of the newest in the range.
LABELS = {"label", "name", "category", "brand", "price_seen"}


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[toolbox.PostgresServer, toolbox.PostgresServer]]:
    with (
        toolbox.PostgresServer(warehouse=True, to="@v0.1.0") as released,
        toolbox.PostgresServer(warehouse=True) as rolled,
    ):
        for number, server in enumerate((released, rolled)):
            load_in_pieces(server, awkward(7, 900), number)
            # After *data until*: every session is open, every bucket provisional.
            load_in_pieces(server, awkward(8, 300, 2031), number)
        yield released, rolled


def ranges(chance: random.Random) -> tuple[str, str]:
    """A range of whole half hours, of days of some offset, or of odd instants."""
    seconds = sorted(chance.sample(range(6 * 86_400), 2))
    step = chance.choice([1, 1800, 3600, 86_400])
    first, last = (value // step * step for value in seconds)
    year = chance.choice([2021, 2021, 2031])
    ends = (f"{year}-03-{1 + s // 86_400:02d}T{s // 3600 % 24:02d}:{s // 60 % 60:02d}:{s % 60:02d}Z"
            for s in (first, last + step))  # fmt: skip
    return next(ends), next(ends)


def answer(server: toolbox.PostgresServer, call: str, values: tuple[Any, ...]) -> list[str]:
    """The rows without their labels, as text in a fixed order of columns."""
    rows = ask(server, f"SELECT * FROM dashboard.{call}", *values)
    return [
        repr({name: _rounded(value) for name, value in row.items() if name not in LABELS})
        for row in rows
    ]


def _rounded(value: Any) -> Any:
    return round(value, 9) if isinstance(value, float) else value


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_answers_are_those_of_the_release_before(
    servers: tuple[toolbox.PostgresServer, toolbox.PostgresServer], question: str
) -> None:
    chance = random.Random(question)
    name, more = question.removesuffix("_hour").removesuffix("_day").removesuffix("_week"), ""
    rows = 0
    for chosen in FILTERS * 4:
        more, extra = QUESTIONS[question], []
        if question == "funnel" and (steps := chance.choice(FUNNELS)):
            more, extra = ", %s", [steps]
        zone = chance.choice(ZONES)
        values = (*ranges(chance), zone, chosen and json.dumps(chosen), *extra)
        released, rolled = (answer(one, f"{name}(%s, %s, %s, %s{more})", values) for one in servers)
        assert rolled == released, values
        rows += len(rolled)
    assert rows >= 48


# The same by plain SQL over the events and the sessions of the release before.
PLAIN = {
    "heatmap": """
        SELECT
            extract(ISODOW FROM s.started_at AT TIME ZONE %(zone)s)::integer AS weekday,
            extract(HOUR FROM s.started_at AT TIME ZONE %(zone)s)::integer AS hour, count(*) AS sessions
        FROM etl.sessions AS s
        WHERE
            s.started_at >= %(from)s::timestamp AT TIME ZONE %(zone)s
            AND s.started_at < %(to)s::timestamp AT TIME ZONE %(zone)s
        GROUP BY 1, 2 ORDER BY 1, 2
    """,
    "retention": """
        WITH active AS (
            SELECT DISTINCT e.client_id, (e.event_timestamp AT TIME ZONE %(zone)s)::date AS day
            FROM public.clickstream_events AS e
            WHERE
                e.client_id IS NOT NULL AND e.event_timestamp >= %(from)s::timestamp AT TIME ZONE %(zone)s
                AND e.event_timestamp < %(to)s::timestamp AT TIME ZONE %(zone)s
        ), first AS (
            SELECT e.client_id, (min(e.event_timestamp) AT TIME ZONE %(zone)s)::date AS day
            FROM public.clickstream_events AS e GROUP BY 1
        )
        SELECT f.day AS cohort, a.day - f.day AS number, count(*) AS returned
        FROM first AS f INNER JOIN active AS a ON a.client_id = f.client_id AND a.day >= f.day
        WHERE f.day >= %(from)s::date
        GROUP BY 1, 2 ORDER BY 1, 2
    """,
    "new_returning": """
        WITH visitor AS (
            SELECT DISTINCT (e.event_timestamp AT TIME ZONE %(zone)s)::date AS day, e.client_id,
                (f.first_at AT TIME ZONE %(zone)s)::date AS first_day
            FROM public.clickstream_events AS e
            INNER JOIN (
                SELECT c.client_id, min(c.event_timestamp) AS first_at
                FROM public.clickstream_events AS c GROUP BY 1
            ) AS f ON f.client_id = e.client_id
            WHERE
                e.event_timestamp >= %(from)s::timestamp AT TIME ZONE %(zone)s
                AND e.event_timestamp < %(to)s::timestamp AT TIME ZONE %(zone)s
        ), first AS (
            SELECT DISTINCT ON (e.client_id) e.client_id, e.session_id, e.event_timestamp
            FROM public.clickstream_events AS e WHERE e.client_id IS NOT NULL
            ORDER BY e.client_id, e.event_timestamp, e.event_id
        ), session AS (
            SELECT
                (s.started_at AT TIME ZONE %(zone)s)::date AS day, s.client_id,
                EXISTS (
                    SELECT FROM first AS f WHERE f.client_id = s.client_id AND (
                        f.session_id = s.session_id OR f.session_id IS NULL AND s.session_id IS NULL
                        AND f.event_timestamp BETWEEN s.started_at AND s.ended_at
                    )
                ) AS is_new
            FROM etl.sessions AS s
        )
        SELECT
            d.day::date AS day,
            (SELECT count(*) FROM visitor AS v WHERE v.day = d.day AND v.first_day = d.day),
            (SELECT count(*) FROM visitor AS v WHERE v.day = d.day AND v.first_day < d.day),
            s.fresh, s.known, s.unset
        FROM generate_series(%(from)s::date, %(to)s::date - 1, interval '1 day') AS d (day)
        CROSS JOIN LATERAL (
            SELECT
                count(*) FILTER (WHERE s.is_new) AS fresh,
                count(*) FILTER (WHERE s.client_id IS NULL) AS unset,
                count(*) FILTER (WHERE NOT s.is_new AND s.client_id IS NOT NULL) AS known
            FROM session AS s WHERE s.day = d.day
        ) AS s
        ORDER BY 1
    """,
    "visitor_facts": """
        SELECT
            count(*) AS sessions, count(DISTINCT s.client_id) AS session_visitors,
            percentile_cont(0.5) WITHIN GROUP (
                ORDER BY extract(EPOCH FROM s.ended_at - s.started_at)::float8
            ) FILTER (WHERE s.events > 1) AS median_seconds,
            sum(s.views) AS views
        FROM etl.sessions AS s
        WHERE
            s.started_at >= %(from)s::timestamp AT TIME ZONE %(zone)s
            AND s.started_at < %(to)s::timestamp AT TIME ZONE %(zone)s
    """,
}
OURS = {
    "heatmap": "SELECT weekday, hour, sessions FROM dashboard.heatmap({range}) WHERE sessions > 0",
    "retention": """
        SELECT (cohort_at AT TIME ZONE %(zone)s)::date AS cohort, number, returned
        FROM dashboard.retention({range}, NULL, 'day') WHERE returned > 0
    """,
    "new_returning": """
        SELECT
            (bucket_at AT TIME ZONE %(zone)s)::date, new_visitors, returning_visitors, new_sessions,
            returning_sessions, unset_sessions
        FROM dashboard.new_returning({range})
    """,
    "visitor_facts": """
        SELECT sessions, session_visitors, median_seconds, views FROM dashboard.visitor_facts({range})
    """,
}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("question", PLAIN)
def test_what_is_new_is_what_plain_sql_says(
    servers: tuple[toolbox.PostgresServer, toolbox.PostgresServer], question: str, zone: str
) -> None:
    released, rolled = servers
    ends = [f"%({end})s::timestamp AT TIME ZONE %(zone)s" for end in ("from", "to")]
    ours = OURS[question].format(range=f"{', '.join(ends)}, %(zone)s")
    rows = 0
    for days in (("2021-03-01", "2021-03-07"), ("2021-03-02", "2021-03-04")):
        values = {"zone": zone, "from": days[0], "to": days[1]}
        found = [
            _fetched(server.dsn(user), statement, values)
            for server, user, statement in (
                (released, "postgres", PLAIN[question]),
                (rolled, "dashboard_reader", ours),
            )
        ]
        assert found[1] == found[0], values
        rows += len(found[1])
    assert rows > 0


def _fetched(dsn: str, statement: str, values: dict[str, str]) -> list[tuple[Any, ...]]:
    with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def test_a_funnel_by_day_adds_up_to_the_funnel(
    servers: tuple[toolbox.PostgresServer, toolbox.PostgresServer],
) -> None:
    days = "'2021-03-01T17:00Z', '2021-03-05T05:00Z', 'Asia/Kathmandu'"
    default = "ARRAY['product_view', 'add_to_cart_click', 'checkout_start', 'checkout_complete']"
    for chosen in ("NULL", '\'{"category": ["mouse"]}\''):
        for steps in (default, "ARRAY['home_view', 'page_view']"):
            values = f"{days}, {chosen}, {steps}"
            whole = ask(servers[1], f"SELECT * FROM dashboard.funnel({values})")
            parts = ask(servers[1], f"SELECT * FROM dashboard.funnel_series({values})")
            assert len(parts) == len(whole) * 5
            for row in whole:
                for name in ("closed_sessions", "open_sessions"):
                    found = sum(part[name] for part in parts if part["step"] == row["step"])
                    assert found == row[name], (chosen, steps, row)
            assert whole[0]["open_sessions"] > whole[-1]["closed_sessions"] > 0
