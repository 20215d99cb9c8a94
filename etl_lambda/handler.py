"""Lambda's entry point: it only wires."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Protocol

from etl_lambda import metrics, settings
from etl_lambda.bucket import RawBucket
from etl_lambda.errors import LoaderError
from etl_lambda.request import parse
from etl_lambda.run import Clock, Run


class Context(Protocol):
    """What is used of Lambda's context."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the time until the function is ended."""


class FailedRunError(RuntimeError):
    """A scheduled run failed: nobody reads its reply, so Lambda's own error count has to see it."""


def answer(
    payload: Any, clock: Clock, write: Callable[[dict[str, Any]], object] = metrics.write_emf
) -> dict[str, Any]:
    """Carry out a payload and return the reply; errors become a reply as well.

    `write` takes the lines of metrics.
    """
    started = time.monotonic()
    try:
        request = parse(payload, clock.now())
        config = settings.from_environment(os.environ)
        reply = Run(config, RawBucket(config), clock)(request)
    except LoaderError as error:
        reply = {"result": "failed", "error": metrics.error_facts(error)}
    seconds = time.monotonic() - started
    metrics.log("run ended", seconds=round(seconds, 3), **reply)
    name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "command")
    for line in (metrics.emf(reply, name, seconds), *metrics.emf_by_column(reply, name)):
        write(line)
    return reply


def handler(event: Any, context: Context) -> dict[str, Any]:
    """Load what the payload asks for and return what became of it.

    Raises FailedRunError instead of a reply `failed` when EventBridge's schedule was the caller.
    """
    metrics.set_up_logging()
    deadline = time.monotonic() + context.get_remaining_time_in_millis() / 1000
    reply = answer(event, Clock(deadline, lambda: datetime.now(UTC)))
    scheduled = isinstance(event, dict) and "detail-type" in event
    if reply["result"] == "failed" and scheduled:
        raise FailedRunError(f"{reply['error']['code']}: {reply['error']['message']}")
    return reply
