"""The edges: settings, errors told apart, the handler's reply, log lines, and the command."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from etl_lambda import handler as entry
from etl_lambda import metrics, settings
from etl_lambda.__main__ import main
from etl_lambda.backfill import until_loaded
from etl_lambda.bucket import RawBucket
from etl_lambda.copying import cell, line
from etl_lambda.errors import LoaderError, from_db
from etl_lambda.settings import Limits

ENV = {
    "RAW_BUCKET": "clickstream-s3-ingest",
    "DWH_HOST": "10.0.128.10",
    "DWH_USER": "etl_loader_a",
    "DWH_PASSWORD": "hunter2",
}


def test_the_functions_environment() -> None:
    found = settings.from_environment({**ENV, "AWS_REGION": "ap-southeast-1"})
    assert (found.host, found.port, found.database) == ("10.0.128.10", 5432, "clickstream_dw")
    assert (found.endpoint, found.ca_bundle, found.sslmode) == (None, None, "verify-full")
    assert found.limits == Limits()


def test_the_environment_of_another_s3() -> None:
    more = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:2",
        "SSL_CERT_FILE": "/a.pem",
        "AWS_CA_BUNDLE": "/b.pem",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "DWH_PORT": "6543",
        "ETL_NESTING": "9",
    }
    found = settings.from_environment({**ENV, **more})
    assert found.endpoint == "http://127.0.0.1:2"
    assert (found.ca_bundle, found.region, found.port) == ("/b.pem", "eu-west-1", 6543)
    assert found.limits == Limits(nesting=9)


@pytest.mark.parametrize("name", sorted(ENV))
def test_a_missing_variable_is_named(name: str) -> None:
    with pytest.raises(LoaderError, match=f"^{name} is not set$"):
        settings.from_environment({key: value for key, value in ENV.items() if key != name})


def test_the_password_is_in_no_text_form() -> None:
    assert "hunter2" not in repr(settings.from_environment(ENV))


class FakeDriverError(psycopg2.OperationalError):
    """The driver's own class does not let its state be set."""

    pgcode: str | None = None


def driver_error(state: str | None, words: str = "secret words") -> psycopg2.Error:
    error = FakeDriverError(words)
    error.pgcode = state
    return error


@pytest.mark.parametrize(
    ("error", "code", "transient"),
    [
        (driver_error("57014"), "db_timeout", True),
        (driver_error("40P01"), "db_unavailable", True),
        (driver_error("40001"), "db_unavailable", True),
        (driver_error("53300"), "db_unavailable", True),
        (driver_error("55P03"), "db_unavailable", True),
        (driver_error("57P01"), "db_unavailable", True),
        (driver_error("57P03"), "db_unavailable", True),
        (driver_error("08006"), "db_unavailable", True),
        (driver_error("25P03"), "db_idle", True),
        (driver_error("28P01"), "wrong_password", False),
        (driver_error("42501"), "db_privilege", False),
        (driver_error("42883"), "db_error", False),
        (driver_error("22P02"), "db_error", False),
        (driver_error(None, "server closed the connection unexpectedly"), "db_lost", True),
        (driver_error(None, "password authentication failed for user"), "wrong_password", False),
        (driver_error(None, "timeout expired"), "db_unreachable", True),
        (driver_error(None, "could not translate host name"), "db_unreachable", True),
        (driver_error(None, "SSL error: certificate verify failed"), "db_certificate", False),
    ],
)
def test_database_errors_are_told_apart(error: psycopg2.Error, code: str, transient: bool) -> None:
    decided = from_db(error)
    assert (decided.code, decided.transient) == (code, transient)
    assert "secret" not in str(decided)


class Context:
    """Lambda's context with a quarter of an hour left."""

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


SCHEDULED = {"detail-type": "Scheduled Event", "source": "aws.events"}


def test_a_failure_is_a_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAW_BUCKET", raising=False)
    reply = entry.handler({}, Context())
    assert reply["result"] == "failed"
    assert reply["error"]["code"] == "bad_settings"


def test_a_scheduled_failure_is_an_error_of_the_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAW_BUCKET", raising=False)
    with pytest.raises(entry.FailedRunError, match=r"^bad_settings: RAW_BUCKET is not set$"):
        entry.handler(SCHEDULED, Context())


def test_a_bad_payload_is_told_before_anything_is_looked_at() -> None:
    reply = entry.handler({"hours": 3}, Context())
    assert reply == {
        "result": "failed",
        "error": {
            "code": "bad_request",
            "message": "hours: is not a known field",
            "transient": False,
            "field": "hours",
        },
    }


def test_the_metric_line_counts_busy_as_not_loaded() -> None:
    lines = [
        metrics.emf({"result": result, "objects": {"loaded": 3}}, "SBW_Lamda_ETL", 1.5)
        for result in ("loaded", "busy", "partial", "failed")
    ]
    assert [made["NotLoaded"] for made in lines] == [0, 1, 1, 1]
    assert [made["Failed"] for made in lines] == [0, 0, 0, 1]
    assert lines[0]["ObjectsLoaded"] == 3
    (directive,) = lines[0]["_aws"]["CloudWatchMetrics"]
    assert directive["Dimensions"] == [["Function"]]
    assert all(metric["Name"] in lines[0] for metric in directive["Metrics"])


def test_log_lines_are_json_with_their_facts() -> None:
    stream = io.StringIO()
    metrics.set_up_logging(stream)
    metrics.log("listed", objects=3, at=datetime(2026, 11, 1, tzinfo=UTC))
    written = json.loads(stream.getvalue())
    assert (written["message"], written["objects"], written["level"]) == ("listed", 3, "INFO")


def replies(*made: dict[str, Any]) -> Any:
    rest = list(made)
    return lambda _payload: rest.pop(0)


BUSY = {"result": "busy", "error": {"code": "busy", "transient": True}}
LOADED = {"result": "loaded"}


def partial(remaining: int) -> dict[str, Any]:
    return {"result": "partial", "objects": {"remaining": remaining}}


def failed(transient: bool) -> dict[str, Any]:
    return {"result": "failed", "error": {"code": "x", "message": "m", "transient": transient}}


@pytest.mark.parametrize(
    ("made", "waits"),
    [
        ([LOADED], []),
        ([BUSY, BUSY, LOADED], [15.0, 15.0]),
        ([partial(9), partial(5), LOADED], []),
        ([failed(True), failed(True), LOADED], [2.0, 4.0]),
        ([partial(9), partial(9), LOADED], [2.0]),
    ],
)
def test_a_backfill_tries_again_until_loaded(
    made: list[dict[str, Any]], waits: list[float]
) -> None:
    waited: list[float] = []
    assert until_loaded(replies(*made), {}, waited.append) == LOADED
    assert waited == waits


def test_a_backfill_gives_up_what_cannot_succeed() -> None:
    assert until_loaded(replies(failed(False)), {}, lambda _: None) == failed(False)
    assert until_loaded(replies(*[failed(True)] * 5), {}, lambda _: None) == failed(True)


def test_a_dry_run_is_called_once() -> None:
    assert until_loaded(replies(partial(5)), {"dry_run": True}, lambda _: None) == partial(5)


def test_the_commands_options_make_its_payload(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    looked = {"pending": {}, "window": {"listed_whole": True}}

    def fake(payload: dict[str, Any], *_: Any) -> dict[str, Any]:
        seen.append(payload)
        return LOADED | looked

    monkeypatch.setattr("etl_lambda.__main__.answer", fake)
    assert main(["--from", "2026-11-01", "--to", "2026-11-02", "--reload", "--quarantine"]) == 0
    assert main(["--prefix", "events/2026/", "--dry-run"]) == 0
    assert main(["--local", "--reload"]) == 0
    quarantined = {
        "from": "2026-11-01T00:00:00+00:00",
        "to": "2026-11-02T00:00:00+00:00",
        "reload": True,
        "quarantine": True,
    }
    assert seen == [
        {**quarantined, "dry_run": True},
        quarantined,
        {"prefix": "events/2026/", "dry_run": True},
        {"reload": True},
    ]


def test_the_command_fails_when_the_run_did(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = replies(failed(False))
    monkeypatch.setattr("etl_lambda.__main__.answer", lambda payload, *_: answers(payload))
    assert main(["--prefix", "events/"]) == 1


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\\N"),
        ("", ""),
        ("\\N", "\\\\N"),
        ("a\tb\nc\rd\\", "a\\tb\\nc\\rd\\\\"),
        ("Bàn phím", "Bàn phím"),
        ("\u2028\u200b", "\u2028\u200b"),
        (True, "t"),
        (False, "f"),
        (5, "5"),
        (b"\x00\xff", "\\\\x00ff"),
        (datetime(2026, 11, 1, 5, tzinfo=UTC), "2026-11-01 05:00:00+00:00"),
    ],
)
def test_cells_of_copy(value: Any, text: str) -> None:
    assert cell(value) == text


def test_a_line_of_copy() -> None:
    assert line((1, None, "a")) == "1\t\\N\ta\n"


def test_a_ca_file_that_is_missing_is_a_setting_to_mend(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "A" * 20)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "s")
    config = settings.from_environment({**ENV, "AWS_CA_BUNDLE": str(tmp_path / "none.pem")})
    for open_it in (RawBucket(config).lister, RawBucket(config).reader):
        with pytest.raises(LoaderError) as caught:
            open_it()
        assert caught.value.code == "ca_bundle"
