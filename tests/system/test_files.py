"""A shop's own files in the place of the generated traffic, on a demo that already stands."""

from __future__ import annotations

import gzip
import json
import re
import uuid
from pathlib import Path

from tests.system.conftest import STATE, Running, run_demo


def _event(name: str) -> tuple[str, str]:
    identity = str(uuid.uuid4())
    event = {"eventName": name, "eventId": identity, "clientId": "c-own", "sessionId": "s-own"}
    return identity, json.dumps(event)


def test_files_of_a_directory_are_loaded_whatever_their_date(demo: Running, tmp_path: Path) -> None:
    old, old_text = _event("home_view")
    flat, flat_text = _event("product_view")
    packed, packed_text = _event("checkout_start")
    # Its key says 2019, and it has no time of its own: it was received now.
    dated = tmp_path / "events/2019/03/04/05/event-1.json"
    dated.parent.mkdir(parents=True)
    dated.write_text(old_text)
    (tmp_path / "export.json").write_text(f"[{flat_text}]")
    (tmp_path / "more.ndjson.gz").write_bytes(gzip.compress(packed_text.encode()))
    (tmp_path / "broken.json").write_text("{")

    done = run_demo(
        *("up", "--state", str(STATE), "--port", str(demo.port), "--clock-period", "20"),
        *("--live", "0", "--events", str(tmp_path)),
    )

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert re.search(r"^Written +4 files$", done.stdout, re.MULTILINE)
    ids = ", ".join(f"'{one}'" for one in (old, flat, packed))
    names = demo.sql(
        "SELECT json_agg(event_name ORDER BY event_name) FROM clickstream_events"
        f" WHERE event_id IN ({ids})"
    )
    assert names == ["checkout_start", "home_view", "product_view"]
    hour = "2019-03-04T05:00Z"
    found = demo.ask(
        f"SELECT json_agg(c.state) FROM dashboard.completeness('{hour}', '2019-03-04T06:00Z') AS c"
    )
    assert found == ["complete"]
