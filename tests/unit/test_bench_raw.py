"""The bench's raw files hold the base's rows as the ingest function would have written them."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

from etl_lambda.mapping import Facts, Row, map_object
from tests.bench import raw

LINE = (
    "0b0e0f3e-6d1b-4c57-9a3e-0f2a1b3c4d5e\t2026-06-30 23:59:59.25+00\tproduct_view\t\\N\tanonymous"
    "\t\\N\tc1\ts1\tt\tprod_7\tSản phẩm 7\tcategory-07\tbrand-01\t120000\t0\t/product/prod_7\n"
).encode()
ROW = Row(
    position=0,
    event_id="0b0e0f3e-6d1b-4c57-9a3e-0f2a1b3c4d5e",
    event_timestamp=datetime(2026, 6, 30, 23, 59, 59, 250000, tzinfo=UTC),
    event_name="product_view",
    user_id=None,
    user_login_state="anonymous",
    identity_source=None,
    client_id="c1",
    session_id="s1",
    is_first_visit=True,
    context_product_id="prod_7",
    context_product_name="Sản phẩm 7",
    context_product_category="category-07",
    context_product_brand="brand-01",
    context_product_price="120000",
    context_product_discount_price="0",
    context_product_url_path="/product/prod_7",
)


def test_a_row_comes_back_as_it_was() -> None:
    (record,) = raw.records([LINE])
    mapped = map_object(record, Facts("bucket", "events/2026/10/01/00/event-1.json", raw.DAY))
    assert (mapped.rows, mapped.rejects, mapped.coerced) == ([ROW], [], {})


def test_exports_share_the_rows_in_their_order(tmp_path: Path) -> None:
    rows = [LINE.replace(b"\tc1\t", b"\tc%d\t" % number) for number in range(6)]
    raw.write_exports(rows, tmp_path / "bucket", files=3, each=2)
    files = sorted((tmp_path / "bucket/events/2026/10/01/00").iterdir())
    assert [path.name for path in files] == [f"export-00{number}.json.gz" for number in range(3)]
    clients = [
        row.client_id
        for path in files
        for row in map_object(path.read_bytes(), Facts("b", path.name, raw.DAY)).rows
    ]
    assert clients == ["c0", "c1", "c2", "c3", "c4", "c5"]
    assert gzip.decompress(files[0].read_bytes()).count(b"\n") == 2


def test_single_events_lie_under_the_hours_of_a_day(tmp_path: Path) -> None:
    raw.write_singles([LINE] * 48, tmp_path / "bucket", 48)
    hours = sorted((tmp_path / "bucket/events/2026/10/01").iterdir())
    assert [len(list(hour.iterdir())) for hour in hours] == [2] * 24
