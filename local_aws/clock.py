"""EventBridge's clock: fires the targets of enabled scheduled rules."""

from __future__ import annotations

import datetime
import json
import logging
import re
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

log = logging.getLogger(__name__)

_RATE = re.compile(r"^rate\((\d+) (minute|minutes|hour|hours|day|days)\)$")
_UNITS = {"minute": 60, "hour": 3600, "day": 86400}
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]


def rate_seconds(expression: str) -> int:
    """Return a rate's seconds; raises ValueError for what EventBridge refuses."""
    match = _RATE.match(expression)
    if match is None:
        raise ValueError(f"{expression} is no rate expression")
    count, unit = int(match[1]), match[2]
    if count < 1 or (count == 1) == unit.endswith("s"):
        raise ValueError(f"{expression} is no rate expression")
    return count * _UNITS[unit.rstrip("s")]


@dataclass(frozen=True)
class Cron:
    """EventBridge's six fields, each as the set of what it admits."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None
    years: frozenset[int]

    @classmethod
    def parse(cls, expression: str) -> Cron:
        """Read `cron(…)`; raises ValueError for what is not supported (L, W, #)."""
        match = re.match(r"^cron\((.*)\)$", expression)
        fields = match[1].split() if match else []
        if len(fields) != 6 or (fields[2] == "?") == (fields[4] == "?"):
            raise ValueError(f"{expression} is no cron expression")
        return cls(
            _field(fields[0], 0, 59),
            _field(fields[1], 0, 23),
            None if fields[2] == "?" else _field(fields[2], 1, 31),
            _field(fields[3], 1, 12, _MONTHS, 1),
            None if fields[4] == "?" else _field(fields[4], 1, 7, _DAYS, 1),
            _field(fields[5], 1970, 2199),
        )

    def admits(self, at: datetime.datetime) -> bool:
        """Tell whether the rule fires in that minute (UTC)."""
        weekday = at.isoweekday() % 7 + 1
        return (
            at.minute in self.minutes
            and at.hour in self.hours
            and at.month in self.months
            and at.year in self.years
            and (self.days is None or at.day in self.days)
            and (self.weekdays is None or weekday in self.weekdays)
        )

    def after(self, at: datetime.datetime) -> datetime.datetime | None:
        """Return the first minute after an instant, or None within two years."""
        moment = at.replace(second=0, microsecond=0) + datetime.timedelta(minutes=1)
        end = moment + datetime.timedelta(days=732)
        while moment < end:
            if moment.month not in self.months or moment.year not in self.years:
                moment = (moment.replace(day=1) + datetime.timedelta(days=32)).replace(
                    day=1, hour=0, minute=0
                )
            elif self.admits(moment):
                return moment
            else:
                moment += datetime.timedelta(minutes=1)
        return None


def _field(
    text: str, low: int, high: int, names: list[str] | None = None, base: int = 0
) -> frozenset[int]:
    found: set[int] = set()
    for part in text.upper().split(","):
        span, _, step = part.partition("/")
        if span == "*":
            first, last = low, high
        elif "-" in span:
            first, last = (_number(side, names, base) for side in span.split("-", 1))
        else:
            first = _number(span, names, base)
            last = high if step else first
        if not low <= first <= last <= high:
            raise ValueError(f"cron field {text} is not within {low} to {high}")
        found.update(range(first, last + 1, int(step or 1)))
    return frozenset(found)


def _number(text: str, names: list[str] | None, base: int) -> int:
    if names and text in names:
        return names.index(text) + base
    return int(text)


def scheduled_event(
    rule_arn: str, account: str, region: str, at: datetime.datetime
) -> dict[str, Any]:
    """Return EventBridge's standard scheduled event."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": region,
        "resources": [rule_arn],
        "detail": {},
    }


def may_invoke(policy: str | None, rule_arn: str) -> bool:
    """Tell whether a function's policy lets EventBridge invoke it for a rule."""
    for statement in json.loads(policy).get("Statement", []) if policy else []:
        service = (statement.get("Principal") or {}).get("Service")
        source = next(
            (
                value
                for keys in (statement.get("Condition") or {}).values()
                for key, value in keys.items()
                if key.lower() == "aws:sourcearn"
            ),
            rule_arn,
        )
        pattern = re.escape(source).replace(r"\*", ".*")
        if (
            statement.get("Effect") == "Allow"
            and service == "events.amazonaws.com"
            and statement.get("Action") in ("lambda:InvokeFunction", "lambda:*")
            and re.fullmatch(pattern, rule_arn)
        ):
            return True
    return False


class Clock:
    """Looks at the rules once a second and fires those that are due.

    `period` replaces every rule's own schedule: such a rule fires as soon as it is enabled, and
    then each period. `aws(service)` gives a boto3 client; `fire(arn, event)` runs a target.
    """

    def __init__(
        self,
        aws: Callable[[str], Any],
        fire: Callable[[str, str], None],
        region: str,
        account: str,
        period: float | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.aws = aws
        self.fire = fire
        self.region = region
        self.account = account
        self.period = period
        self.now = now
        self._due: dict[tuple[str, str], float] = {}
        self._stop = threading.Event()

    def run(self) -> None:
        """Tick until stopped."""
        while not self._stop.wait(1.0):
            try:
                self.tick()
            except Exception:
                log.exception("the clock missed a tick")

    def stop(self) -> None:
        """End `run`."""
        self._stop.set()

    def tick(self) -> list[str]:
        """Fire what is due; return the names of the rules fired."""
        fired = []
        rules = self.aws("events").list_rules()["Rules"]
        enabled = [r for r in rules if r.get("State") == "ENABLED" and r.get("ScheduleExpression")]
        keys = {(r["Arn"], r["ScheduleExpression"]) for r in enabled}
        self._due = {key: due for key, due in self._due.items() if key in keys}
        for rule in enabled:
            key = (rule["Arn"], rule["ScheduleExpression"])
            now = self.now()
            if key not in self._due:
                self._due[key] = now if self.period else self._next(rule, now)
            if now >= self._due[key]:
                self._due[key] = self._next(rule, now)
                self._fire(rule)
                fired.append(rule["Name"])
        return fired

    def _next(self, rule: dict[str, Any], now: float) -> float:
        if self.period:
            return now + self.period
        expression = rule["ScheduleExpression"]
        try:
            if expression.startswith("rate"):
                return now + rate_seconds(expression)
            at = Cron.parse(expression).after(datetime.datetime.fromtimestamp(now, datetime.UTC))
        except ValueError as error:
            log.error("rule %s never fires: %s", rule["Name"], error)
            return float("inf")
        return at.timestamp() if at else float("inf")

    def _fire(self, rule: dict[str, Any]) -> None:
        at = datetime.datetime.fromtimestamp(self.now(), datetime.UTC)
        event = json.dumps(scheduled_event(rule["Arn"], self.account, self.region, at))
        for target in self.aws("events").list_targets_by_rule(Rule=rule["Name"])["Targets"]:
            arn = target["Arn"]
            odd = set(target) - {"Id", "Arn", "Input", "RoleArn", "RetryPolicy", "DeadLetterConfig"}
            if odd:
                log.error("rule %s: target setting %s is not supported", rule["Name"], sorted(odd))
                continue
            if ":lambda:" in arn and not may_invoke(self._policy(arn), rule["Arn"]):
                log.error("rule %s may not invoke %s: no permission", rule["Name"], arn)
                continue
            try:
                self.fire(arn, target.get("Input") or event)
                log.info("rule %s fired %s", rule["Name"], arn)
            except Exception:
                log.exception("rule %s could not fire %s", rule["Name"], arn)

    def _policy(self, arn: str) -> str | None:
        client = self.aws("lambda")
        try:
            return str(client.get_policy(FunctionName=arn)["Policy"])
        except client.exceptions.ResourceNotFoundException:
            return None
