"""Payloads: the rule's, this loader's, the original's, and errors that name the field."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from etl_lambda.errors import RequestError
from etl_lambda.request import Request, parse

NOW = datetime(2026, 11, 24, 14, 37, 12, tzinfo=UTC)
SCHEDULED = {
    "version": "0",
    "id": "53dc4d37-cffa-4f76-80c9-8b7d4a4d2eaa",
    "detail-type": "Scheduled Event",
    "source": "aws.events",
    "account": "123456789012",
    "time": "2026-11-24T14:00:00Z",
    "region": "ap-southeast-1",
    "resources": ["arn:aws:events:ap-southeast-1:123456789012:rule/SBW_ETL_HOURLY_RULE"],
    "detail": {},
}


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize("payload", [None, {}, SCHEDULED])
def test_the_rules_payloads_mean_the_default_window(payload: Any) -> None:
    assert parse(payload, NOW) == Request()
    assert parse(payload, NOW).default


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            {"from": "2026-11-01", "to": "2026-11-02"},
            Request(at(2026, 11, 1), at(2026, 11, 2)),
        ),
        (
            {"from": "2026-11-01T07:00:00+07:00", "to": "2026-11-01T01:30:00Z"},
            Request(at(2026, 11, 1), at(2026, 11, 1, 1, 30)),
        ),
        ({"prefix": "events/2026/11/"}, Request(prefix="events/2026/11/")),
        ({"dry_run": True}, Request(dry_run=True)),
        ({"reload": True}, Request(reload=True)),
        ({"reload": True, "quarantine": True}, Request(reload=True, quarantine=True)),
        ({"dry_run": False, "reload": False}, Request()),
        (
            {"prefix": "events/2026/", "reload": True, "dry_run": True},
            Request(prefix="events/2026/", reload=True, dry_run=True),
        ),
        ({"overridePrefix": "events/2026/11/24/05/"}, Request(prefix="events/2026/11/24/05/")),
        ({"targetUtcHour": "2026-11-24T05"}, Request(at(2026, 11, 24, 5), at(2026, 11, 24, 6))),
        (
            {"targetUtcHour": "2026-11-24T05:00:00Z"},
            Request(at(2026, 11, 24, 5), at(2026, 11, 24, 6)),
        ),
        ({"targetUtcHour": "2026/11/24/05"}, Request(at(2026, 11, 24, 5), at(2026, 11, 24, 6))),
        ({"targetUtcHour": "2026-11-24 23"}, Request(at(2026, 11, 24, 23), at(2026, 11, 25))),
        ({"targetUtcDate": "2026-11-24"}, Request(at(2026, 11, 24), at(2026, 11, 25))),
        ({"targetUtcDate": "2026/11/24"}, Request(at(2026, 11, 24), at(2026, 11, 25))),
        ({"hoursBack": 1}, Request(at(2026, 11, 24, 13), at(2026, 11, 24, 14))),
        ({"hoursBack": 0}, Request(at(2026, 11, 24, 14), at(2026, 11, 24, 15))),
        ({"hoursBack": "15"}, Request(at(2026, 11, 23, 23), at(2026, 11, 24))),
        ({"hoursBack": 15, "scope": "hour"}, Request(at(2026, 11, 23, 23), at(2026, 11, 24))),
        ({"hoursBack": 15, "scope": "day"}, Request(at(2026, 11, 23), at(2026, 11, 24))),
    ],
)
def test_payloads(payload: dict[str, Any], expected: Request) -> None:
    assert parse(payload, NOW) == expected


def test_the_originals_fields_go_by_precedence() -> None:
    fields = {
        "overridePrefix": "events/2026/01/01/",
        "targetUtcHour": "2026-02-02T02",
        "targetUtcDate": "2026-03-03",
        "hoursBack": 1,
        "scope": "day",
    }
    assert parse(fields, NOW) == Request(prefix="events/2026/01/01/")
    del fields["overridePrefix"]
    assert parse(fields, NOW).from_at == at(2026, 2, 2, 2)
    del fields["targetUtcHour"]
    assert parse(fields, NOW).from_at == at(2026, 3, 3)
    del fields["targetUtcDate"]
    assert parse(fields, NOW).from_at == at(2026, 11, 24)


@pytest.mark.parametrize(
    ("payload", "field"),
    [
        ([], "payload"),
        ("{}", "payload"),
        ({"form": "2026-11-01"}, "form"),
        ({"From": "2026-11-01", "to": "2026-11-02"}, "From"),
        ({"from": "2026-11-01"}, "to"),
        ({"to": "2026-11-01"}, "from"),
        ({"from": "yesterday", "to": "2026-11-02"}, "from"),
        ({"from": "2026-11-01", "to": "2026-13-02"}, "to"),
        ({"from": 1793509200, "to": "2026-11-02"}, "from"),
        ({"from": "2026-11-02", "to": "2026-11-02"}, "to"),
        ({"from": "0001-01-01", "to": "2026-11-02"}, "to"),
        ({"from": "0001-01-01T00:00:00+05:00", "to": "2026-11-02"}, "from"),
        ({"from": None, "to": None}, "from"),
        ({"prefix": ""}, "prefix"),
        ({"prefix": 5}, "prefix"),
        ({"prefix": "events/", "from": "2026-11-01", "to": "2026-11-02"}, "prefix"),
        ({"dry_run": "true"}, "dry_run"),
        ({"dry_run": 1}, "dry_run"),
        ({"reload": None}, "reload"),
        ({"quarantine": True}, "quarantine"),
        ({"overridePrefix": " "}, "overridePrefix"),
        ({"targetUtcHour": "2026-11-24"}, "targetUtcHour"),
        ({"targetUtcHour": "2026-11-24T24"}, "targetUtcHour"),
        ({"targetUtcHour": 5}, "targetUtcHour"),
        ({"targetUtcDate": "2026-11-31"}, "targetUtcDate"),
        ({"targetUtcDate": "24.11.2026"}, "targetUtcDate"),
        ({"hoursBack": -1}, "hoursBack"),
        ({"hoursBack": 1.5}, "hoursBack"),
        ({"hoursBack": True}, "hoursBack"),
        ({"hoursBack": "one"}, "hoursBack"),
        ({"hoursBack": 10**9}, "hoursBack"),
        ({"hoursBack": 1, "scope": "week"}, "scope"),
        ({"scope": "day"}, "scope"),
        ({"overridePrefix": "events/", "targetUtcHour": "never"}, "targetUtcHour"),
        ({"from": "2026-11-01", "to": "2026-11-02", "hoursBack": 1}, "hoursBack"),
        ({"detail-type": "Object Created", "source": "aws.s3"}, "detail-type"),
        (SCHEDULED | {"source": "aws.s3"}, "source"),
        (SCHEDULED | {"hoursBack": 3}, "hoursBack"),
    ],
)
def test_an_error_names_its_field(payload: Any, field: str) -> None:
    with pytest.raises(RequestError, match=rf"^{field}: ") as caught:
        parse(payload, NOW)
    assert caught.value.field == field
    assert not caught.value.transient
