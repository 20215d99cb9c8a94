"""What a run counts, its log lines, and its metrics.

Log lines are JSON with counts and keys, never payloads. Metrics are one line in CloudWatch's embedded
format, which needs no API call and therefore no route.
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

NAMESPACE = "SBW/Loader"
_LOGGER = logging.getLogger("etl_lambda")


@dataclass
class Counts:
    """Everything that one run counts; `as_json` is what the reply and the run's row keep."""

    objects: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    coerced: Counter[str] = field(default_factory=Counter)
    cleaned: Counter[str] = field(default_factory=Counter)
    chunks: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return plain dictionaries with the names in order."""
        groups = ("objects", "events", "coerced", "cleaned")
        return {
            **{name: dict(sorted(getattr(self, name).items())) for name in groups},
            "chunks": self.chunks,
        }


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


def set_up_logging(stream: Any = None) -> None:
    """Send the package's log lines to `stream` (standard output), once."""
    _LOGGER.handlers.clear()
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter())
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.INFO)
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


def emf(reply: dict[str, Any], function: str, seconds: float) -> dict[str, Any]:
    """Return the line of CloudWatch's embedded metric format for a run's reply.

    `NotLoaded` is 1 for every result but `loaded`: an alarm on it sees busy and partial as well.
    """
    objects, events = reply.get("objects", {}), reply.get("events", {})
    values = {
        "Runs": 1,
        "NotLoaded": int(reply["result"] != "loaded"),
        "Failed": int(reply["result"] == "failed"),
        "Seconds": round(seconds, 3),
        "ObjectsLoaded": objects.get("loaded", 0),
        "ObjectsQuarantined": objects.get("quarantined", 0),
        "ObjectsRemaining": objects.get("remaining", 0),
        "EventsStored": events.get("stored", 0),
        "EventsDuplicate": events.get("duplicate", 0),
        "RecordsQuarantined": events.get("quarantined", 0),
    }
    units = {"Seconds": "Seconds"}
    metrics = [{"Name": name, "Unit": units.get(name, "Count")} for name in values]
    directive = {"Namespace": NAMESPACE, "Dimensions": [["Function"]], "Metrics": metrics}
    aws = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}
    return {"_aws": aws, "Function": function, "result": reply["result"], **values}


def write_emf(line: dict[str, Any]) -> None:
    """Print the metric line; the function's log carries it to CloudWatch."""
    print(json.dumps(line), flush=True)
