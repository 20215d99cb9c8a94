"""The demo as a new user sees it, its numbers against an independent count of the raw files."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import re
import socket
import time
import uuid

import pytest

from demo import playbooks
from demo.stages import PAGE
from tests.system import raw, transfers
from tests.system.conftest import Running

BUCKET = "clickstream-s3-ingest"


@pytest.fixture(scope="module")
def counted(demo: Running) -> raw.Count:
    return raw.count(demo.client("s3"), BUCKET)


def test_the_output_ends_with_the_address_the_counts_and_how_to_stop(demo: Running) -> None:
    assert f"http://localhost:{demo.port}{PAGE}" in demo.output
    assert re.search(r"^Written +[\d,]+ objects with [\d,]+ events$", demo.output, re.MULTILINE)
    assert re.search(r"^Loaded +[\d,]+ objects, [\d,]+ distinct events$", demo.output, re.MULTILINE)
    assert re.search(r"^Quarantined +[\d,]+ objects", demo.output, re.MULTILINE)
    assert "make demo-down" in demo.output


def test_at_least_20_000_events_are_loaded_each_once(demo: Running, counted: raw.Count) -> None:
    rows, ids = demo.sql(
        "SELECT json_build_array(count(*), count(DISTINCT event_id)) FROM clickstream_events"
    )
    assert rows == ids == len(counted.names)
    assert rows >= 20_000


def test_each_event_name_has_the_count_of_the_raw_files(demo: Running, counted: raw.Count) -> None:
    loaded = demo.sql(
        "SELECT json_object_agg(event_name, n) FROM"
        " (SELECT event_name, count(*) AS n FROM clickstream_events GROUP BY 1) AS counts"
    )
    assert loaded == counted.by_name()


def test_the_headline_numbers_equal_the_raw_files(demo: Running, counted: raw.Count) -> None:
    kpis = demo.sql(
        "SELECT row_to_json(k) FROM dashboard.kpis("
        "now() - interval '3 days', now() + interval '1 day', 'Asia/Ho_Chi_Minh') AS k"
    )
    assert kpis["events"] == len(counted.names)
    assert kpis["visitors"] == len(counted.clients)
    assert kpis["sessions"] == len(counted.sessions)
    assert kpis["converted_sessions"] == len(counted.completed)


def test_every_object_is_loaded_or_quarantined(demo: Running, counted: raw.Count) -> None:
    fresh = demo.sql("SELECT row_to_json(f) FROM dashboard.freshness() AS f")
    assert fresh["objects_loaded"] + fresh["objects_quarantined"] == counted.objects
    assert fresh["objects_pending"] == 0
    assert fresh["objects_quarantined"] == len(set(counted.unreadable)) == 12


def test_an_event_that_lands_later_shows_up_by_itself(demo: Running) -> None:
    now = dt.datetime.now(dt.UTC)
    identity = str(uuid.uuid4())
    event = {
        "eventName": "share_click",
        "eventId": identity,
        "clientId": "c-late",
        "sessionId": "s1",
    }
    demo.client("s3").put_object(
        Bucket=BUCKET,
        Key=f"events/{now:%Y/%m/%d/%H}/event-{uuid.uuid4()}.json",
        Body=json.dumps(event).encode(),
    )
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if demo.sql(f"SELECT count(*) FROM clickstream_events WHERE event_id = '{identity}'"):
            return
        time.sleep(2)
    raise AssertionError("the event did not show up within two minutes")


def test_the_host_has_its_address_and_no_way_out(demo: Running) -> None:
    addresses = demo.on_host("ip", "-4", "-o", "address", "show", "scope", "global")
    assert re.search(r"inet 10\.0\.1(2[89]|3\d|4[0-3])\.\d+/20", addresses)
    routes = demo.on_host("ip", "route")
    assert "default" not in routes
    assert "0.0.0.0/0" not in routes


def test_the_host_takes_packages_from_the_private_repository_alone(demo: Running) -> None:
    uris = demo.on_host("apt-get", "indextargets", "--format", "$(SITE)")
    assert {line.split("//")[1].split(".")[1] for line in uris.splitlines()} == {"s3"}


def test_nothing_but_the_database_listens_beyond_the_loopback(demo: Running) -> None:
    lines = demo.on_host("ss", "-Hltn").splitlines()
    ports = {line.split()[3].rpartition(":") for line in lines}
    outside = {port for host, _, port in ports if host not in {"127.0.0.1", "[::1]"}}
    assert outside == {"5432"}
    assert ("127.0.0.1", ":", "3838") in ports


def test_tcp_is_for_the_loaders_logins_over_tls_alone(demo: Running) -> None:
    rules = demo.sql(
        "SELECT json_agg(json_build_array(type, user_name, auth_method)) FROM pg_hba_file_rules"
        " WHERE type LIKE 'host%' AND auth_method <> 'reject'"
    )
    assert sorted(rules) == [
        ["hostssl", ["etl_loader_a"], "scram-sha-256"],
        ["hostssl", ["etl_loader_b"], "scram-sha-256"],
    ]
    assert demo.sql("SELECT count(*) FROM pg_hba_file_rules WHERE error IS NOT NULL") == 0


@dataclasses.dataclass(frozen=True)
class SecondRun:
    """A run of site.yml over what stands, and what went through the transfer bucket meanwhile."""

    recaps: dict[str, playbooks.Recap]
    transferred: list[bytes]


@pytest.fixture(scope="module")
def second(demo: Running) -> SecondRun:
    buckets = demo.client("s3").list_buckets()["Buckets"]
    (transfer,) = [bucket["Name"] for bucket in buckets if "transfer" in bucket["Name"]]
    with transfers.Recorder(demo.client("s3"), transfer) as recorder:
        recaps = demo.play("site.yml")
    return SecondRun(recaps, recorder.bodies)


def test_a_second_run_of_the_playbooks_changes_nothing(second: SecondRun) -> None:
    assert len(second.recaps) == 2
    assert {(recap.changed, recap.failed) for recap in second.recaps.values()} == {(0, 0)}


def test_no_password_is_in_the_transfer_bucket_or_the_logs(
    demo: Running, second: SecondRun
) -> None:
    # The verifier has to pass there: if it was seen, so would the password have been.
    assert [body for body in second.transferred if b"SCRAM-SHA-256$4096:" in body]
    secrets = demo.client("secretsmanager")
    passwords = []
    for listed in secrets.list_secrets()["SecretList"]:
        text = secrets.get_secret_value(SecretId=listed["ARN"]).get("SecretString") or ""
        if text.startswith("{"):
            passwords += [v for k, v in json.loads(text).items() if k == "password"]
    assert passwords
    logs = [path.read_bytes() for path in demo.state.logs.rglob("*") if path.is_file()]
    for password in passwords:
        assert not [hay for hay in (*second.transferred, *logs) if password.encode() in hay]


def test_a_taken_port_is_said_in_one_line_and_changes_nothing(demo: Running) -> None:
    from tests.system.conftest import run_demo

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = demo.state.folder.with_name(demo.state.folder.name + "-other")
        done = run_demo("up", "--state", str(other), "--port", str(port))
    assert done.returncode == 1
    assert done.stderr.strip().splitlines() == [
        f"demo: port {port} is in use by another program: stop that, "
        f"or choose another with `make demo PORT={port + 1}`"
    ]
    assert not other.exists()
