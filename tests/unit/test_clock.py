"""The rule's clock."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

from local_aws.clock import Clock, Cron, may_invoke, rate_seconds, scheduled_event

RULE = "arn:aws:events:ap-southeast-1:123456789012:rule/hourly"
FUNCTION = "arn:aws:lambda:ap-southeast-1:123456789012:function:load"


def policy(source: str = RULE, service: str = "events.amazonaws.com") -> str:
    return json.dumps(
        {
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": service},
                    "Action": "lambda:InvokeFunction",
                    "Condition": {"ArnLike": {"AWS:SourceArn": source}},
                }
            ]
        }
    )


class RefusedError(Exception):
    pass


class FakeAws:
    """Answers for events and lambda from literal data."""

    class exceptions:  # noqa: N801 (boto3's name)
        ResourceNotFoundException = RefusedError

    def __init__(self) -> None:
        self.rule = {
            "Name": "hourly",
            "Arn": RULE,
            "State": "ENABLED",
            "ScheduleExpression": "rate(1 hour)",
        }
        self.targets: list[dict[str, Any]] = [{"Id": "t", "Arn": FUNCTION}]
        self.policy: str | None = policy()

    def __call__(self, service: str) -> FakeAws:
        assert service in ("events", "lambda")
        return self

    def list_rules(self) -> dict[str, Any]:
        return {"Rules": [self.rule]}

    def list_targets_by_rule(self, Rule: str) -> dict[str, Any]:  # noqa: N803
        assert Rule == "hourly"
        return {"Targets": self.targets}

    def get_policy(self, FunctionName: str) -> dict[str, Any]:  # noqa: N803
        assert FunctionName == FUNCTION
        if self.policy is None:
            raise RefusedError
        return {"Policy": self.policy}


class Bench:
    """A clock whose time is set by hand, and what it fired."""

    def __init__(self, aws: FakeAws, period: float | None = None) -> None:
        self.at = 1_780_000_000.0
        self.fired: list[tuple[str, str]] = []
        self.clock = Clock(
            aws,
            lambda arn, event: self.fired.append((arn, event)),
            "ap-southeast-1",
            "123456789012",
            period,
            lambda: self.at,
        )

    def after(self, seconds: float) -> int:
        """Move on, tick once, and return how many targets were fired since the beginning."""
        self.at += seconds
        self.clock.tick()
        return len(self.fired)


def test_rate_fires_once_each_period() -> None:
    bench = Bench(FakeAws())
    assert [bench.after(s) for s in (0, 3599, 1, 1, 3598, 1)] == [0, 0, 1, 1, 1, 2]


def test_period_of_ones_own_fires_at_once_and_then_each_period() -> None:
    bench = Bench(FakeAws(), period=10)
    assert [bench.after(s) for s in (0, 9, 1, 5, 5)] == [1, 1, 2, 2, 3]


def test_disabled_rule_is_silent_and_begins_anew() -> None:
    aws = FakeAws()
    aws.rule["State"] = "DISABLED"
    bench = Bench(aws, period=10)
    assert [bench.after(s) for s in (0, 10, 10)] == [0, 0, 0]
    aws.rule["State"] = "ENABLED"
    assert bench.after(1) == 1


def test_event_is_the_standard_scheduled_one() -> None:
    bench = Bench(FakeAws(), period=10)
    bench.after(0)
    [(arn, text)] = bench.fired
    event = json.loads(text)
    assert arn == FUNCTION
    assert event.pop("id")
    assert event == {
        "version": "0",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "123456789012",
        "time": "2026-05-28T20:26:40Z",
        "region": "ap-southeast-1",
        "resources": [RULE],
        "detail": {},
    }


def test_constant_input_replaces_the_event() -> None:
    aws = FakeAws()
    aws.targets[0]["Input"] = "{}"
    bench = Bench(aws, period=10)
    bench.after(0)
    assert bench.fired == [(FUNCTION, "{}")]


def test_function_without_permission_is_not_fired() -> None:
    aws = FakeAws()
    aws.policy = None
    assert Bench(aws, period=10).after(0) == 0


def test_unsupported_target_setting_is_not_fired() -> None:
    aws = FakeAws()
    aws.targets[0]["InputTransformer"] = {"InputTemplate": "x"}
    assert Bench(aws, period=10).after(0) == 0


def test_permission_of_another_rule_does_not_count() -> None:
    assert not may_invoke(policy(source=f"{RULE}-other"), RULE)


def test_permission_of_another_service_does_not_count() -> None:
    assert not may_invoke(policy(service="s3.amazonaws.com"), RULE)


def test_permission_by_pattern_counts() -> None:
    assert may_invoke(policy(source="arn:aws:events:ap-southeast-1:123456789012:rule/*"), RULE)


@pytest.mark.parametrize(
    ("text", "seconds"), [("rate(1 minute)", 60), ("rate(2 hours)", 7200), ("rate(1 day)", 86400)]
)
def test_rate_is_read(text: str, seconds: int) -> None:
    assert rate_seconds(text) == seconds


@pytest.mark.parametrize("text", ["rate(1 hours)", "rate(2 hour)", "rate(0 hours)", "rate(5)"])
def test_malformed_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no rate expression"):
        rate_seconds(text)


@pytest.mark.parametrize(
    ("text", "after", "expected"),
    [
        ("cron(5 * * * ? *)", "2026-01-01T10:05:00", "2026-01-01T11:05:00"),
        ("cron(0/15 8-9 * * ? *)", "2026-01-01T09:45:00", "2026-01-02T08:00:00"),
        ("cron(0 0 1 1 ? *)", "2026-01-01T00:00:00", "2027-01-01T00:00:00"),
        ("cron(0 12 ? * MON-FRI *)", "2026-01-02T12:00:00", "2026-01-05T12:00:00"),
    ],
)
def test_cron_fires_next(text: str, after: str, expected: str) -> None:
    found = Cron.parse(text).after(datetime.datetime.fromisoformat(after))
    assert found == datetime.datetime.fromisoformat(expected)


@pytest.mark.parametrize("text", ["cron(0 12 * * * *)", "cron(0 12 * *)", "cron(61 * * * ? *)"])
def test_malformed_cron_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cron"):
        Cron.parse(text)


def test_event_names_the_second_in_utc() -> None:
    at = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    assert scheduled_event(RULE, "1", "r", at)["time"] == "2026-01-02T03:04:05Z"
