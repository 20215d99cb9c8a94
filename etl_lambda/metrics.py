"""What a run counts, its log lines, and its metrics.

Log lines are JSON with counts and keys, never payloads. Metrics are lines in CloudWatch's embedded
format, which needs no API call and therefore no route.
Source: CloudWatch's user guide, "Specification: Embedded metric format". A directive names 100 metrics
at most, a set 30 dimensions; every name in it must be a member of the line.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from etl_lambda.errors import LoaderError, RequestError
from etl_lambda.stages import Stages

NAMESPACE = "SBW/Loader"
WORST_REASONS = 5
_LOGGER = logging.getLogger("etl_lambda")


@dataclass
class Counts:
    """Everything that one run counts; `as_json` is what the reply and the run's row keep.

    `bytes_read` are those of the objects as they came from S3, read again after a lost connection too;
    what events became is counted with the commit. `reasons` are the rejects by reason code.
    """

    objects: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    coerced: Counter[str] = field(default_factory=Counter)
    cleaned: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    chunks: int = 0
    bytes_read: int = 0
    stages: Stages = field(default_factory=Stages)

    def as_json(self) -> dict[str, Any]:
        """Return plain dictionaries with the names in order."""
        groups = ("objects", "events", "coerced", "cleaned", "reasons")
        return {
            **{name: dict(sorted(getattr(self, name).items())) for name in groups},
            "chunks": self.chunks,
            "bytes_read": self.bytes_read,
            "stages": self.stages.as_json(),
        }

    def error_budget(self, budget: float) -> dict[str, Any]:
        """Return the share of the records read that went to quarantine, and whether it is over `budget`.

        An object that went there whole is one record. The share is None when nothing was read.
        """
        read, bad = self.events["read"], self.events["quarantined"]
        share = bad / read if read else None
        over = share is not None and share > budget
        return {"budget": budget, "share": share and round(share, 6), "over": over}

    def worst_reasons(self) -> dict[str, int]:
        """Return the reasons with the most rejects, the worst first."""
        return dict(self.reasons.most_common(WORST_REASONS))


class JsonFormatter(logging.Formatter):
    """One line of JSON for each record; `extra={"facts": {…}}` becomes its fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "level": record.levelname, "message": record.getMessage()}
        line |= getattr(record, "facts", {})
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = record.exc_info[0].__name__
        return json.dumps(line, default=str, ensure_ascii=False)


def set_up_logging(stream: Any = None, level: int = logging.INFO) -> None:
    """Send the package's log lines from `level` on to `stream` (standard output), once."""
    _LOGGER.handlers.clear()
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter())
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(level)
    _LOGGER.propagate = False


def log(message: str, *, level: int = logging.INFO, **facts: Any) -> None:
    """Write one structured line. Give counts, keys and codes only."""
    _LOGGER.log(level, message, extra={"facts": facts})


def error_facts(error: LoaderError) -> dict[str, Any]:
    """Return what a reply and a log line say of an error."""
    facts: dict[str, Any] = {
        "code": error.code,
        "message": str(error),
        "transient": error.transient,
    }
    if isinstance(error, RequestError):
        facts["field"] = error.field
    return facts


# Metric, and where a reply has its value.
_COUNTS = (
    ("ObjectsListed", "objects", "listed"),
    ("ObjectsLoaded", "objects", "loaded"),
    ("ObjectsSkipped", "objects", "skipped"),
    ("ObjectsQuarantined", "objects", "quarantined"),
    ("ObjectsForeign", "objects", "foreign"),
    ("ObjectsGone", "objects", "gone"),
    ("ObjectsRemaining", "objects", "remaining"),
    ("EventsRead", "events", "read"),
    ("EventsStored", "events", "stored"),
    ("EventsDuplicate", "events", "duplicate"),
    ("EventsConflict", "events", "conflict"),
    ("EventsExpired", "events", "expired"),
    ("EventsErased", "events", "erased"),
    ("RecordsQuarantined", "events", "quarantined"),
)


def emf(reply: dict[str, Any], function: str, seconds: float) -> dict[str, Any]:
    """Return the line of CloudWatch's embedded metric format for a run's reply.

    `NotLoaded` is 1 for every result but `loaded`: an alarm on it sees busy and partial as well. What is
    not known is not there: the lag, the budget and the stages of a run that did not come so far, the
    disks of a warehouse that it did not reach. One metric tells of the fullest file system: any that is
    full stops the warehouse, and the reply says which.
    """
    values: dict[str, float] = {
        "Runs": 1,
        "NotLoaded": int(reply["result"] != "loaded"),
        "Failed": int(reply["result"] == "failed"),
        **{name: reply.get(group, {}).get(key, 0) for name, group, key in _COUNTS},
        "ValuesCoerced": sum(reply.get("coerced", {}).values()),
        "BytesRead": reply.get("bytes_read", 0),
        "Seconds": round(seconds, 3),
    }
    values |= {f"{stage.title()}Seconds": took for stage, took in reply.get("stages", {}).items()}
    if "lag_seconds" in reply:
        values["LagSeconds"] = reply["lag_seconds"]
    if "error_budget" in reply:
        values["OverErrorBudget"] = int(reply["error_budget"]["over"])
    if reply.get("disks"):
        values["WarehouseDiskUsedPercent"] = max(reply["disks"].values())
    return {**_line({"Function": function}, values), "result": reply["result"]}


def emf_by_column(reply: dict[str, Any], function: str) -> list[dict[str, Any]]:
    """Return a line for each column that values were coerced in: a line has one value a dimension."""
    return [
        _line({"Function": function, "Column": column}, {"ValuesCoerced": values})
        for column, values in reply.get("coerced", {}).items()
    ]


def _line(dimensions: dict[str, str], values: dict[str, float]) -> dict[str, Any]:
    metrics = [{"Name": name, "Unit": _unit(name)} for name in values]
    directive = {"Namespace": NAMESPACE, "Dimensions": [list(dimensions)], "Metrics": metrics}
    aws = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    return {"_aws": aws, **dimensions, **values}


def _unit(name: str) -> str:
    if name.endswith("Seconds"):
        return "Seconds"
    if name.endswith("Percent"):
        return "Percent"
    return "Bytes" if name.startswith("Bytes") else "Count"


def write_emf(line: dict[str, Any]) -> None:
    """Print a metric line; the function's log carries it to CloudWatch."""
    print(json.dumps(line), flush=True)
