"""Autovacuum of the tables that only grow, on a server whose launcher wakes every second."""

import time
from collections.abc import Iterator

import pytest

from tests import toolbox

pytestmark = pytest.mark.toolbox
INSERT = """
INSERT INTO etl.event_ids (event_id, event_timestamp, object_id, position)
SELECT lpad(to_hex(n), 32, '0')::uuid, '2026-01-01', 1, n FROM generate_series({}, {}) AS n
"""
VACUUMED = """
SELECT s.autovacuum_count FROM pg_stat_user_tables AS s WHERE s.relid = 'etl.event_ids'::regclass
"""
# Pages whose rows nobody has to freeze again, of all pages.
FROZEN = """
SELECT s.all_frozen >= 0.99 * c.relpages AND c.relpages > 4000
FROM pg_class AS c CROSS JOIN LATERAL pg_visibility_map_summary(c.oid) AS s
WHERE c.oid = 'etl.event_ids'::regclass
"""


@pytest.fixture
def server() -> Iterator[toolbox.PostgresServer]:
    with toolbox.PostgresServer(warehouse=True, settings={"autovacuum_naptime": "1s"}) as running:
        yield running


def wait_for_vacuums(server: toolbox.PostgresServer, more_than: int) -> int:
    """Return how often the table was vacuumed, once that is more often than given."""
    deadline = time.monotonic() + 60
    while (done := int(server.psql(VACUUMED))) <= more_than:
        assert time.monotonic() < deadline, f"vacuumed {done} times"
        time.sleep(0.5)
    return done


def test_another_100k_events_are_vacuumed_however_many_are_there(
    server: toolbox.PostgresServer,
) -> None:
    server.psql("CREATE EXTENSION pg_visibility")
    server.psql(INSERT.format(1, 700_000))
    before = wait_for_vacuums(server, 0)
    # A seventh of the table: by the server's defaults it would be left alone.
    server.psql(INSERT.format(700_001, 801_000))
    wait_for_vacuums(server, before)
    assert server.psql(FROZEN) == "t"
