"""The loader as a command, for backfills: tries again until everything is loaded."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from etl_lambda import metrics
from etl_lambda.handler import answer
from etl_lambda.run import Clock

WAIT_BUSY_SECONDS = 15.0
MOST_FAILURES = 5


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    options = argparse.ArgumentParser(prog="python -m etl_lambda", description=__doc__)
    options.add_argument(
        "--from", dest="from_", metavar="TIME", help="first key hour (ISO 8601, UTC)"
    )
    options.add_argument("--to", metavar="TIME", help="end of the key hours, not included")
    options.add_argument("--prefix", help="beginning of the keys instead of a range")
    options.add_argument(
        "--reload", action="store_true", help="load again, inserting what is missing"
    )
    options.add_argument(
        "--quarantine", action="store_true", help="with --reload: only quarantined objects"
    )
    options.add_argument("--dry-run", action="store_true", help="list and count, write nothing")
    options.add_argument("--function", metavar="NAME", help="invoke this Lambda function instead")
    return options


def payload_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the payload that the options mean."""
    fields = {"from": arguments.from_, "to": arguments.to, "prefix": arguments.prefix}
    payload: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    for name in ("reload", "quarantine", "dry_run"):
        if getattr(arguments, name):
            payload[name] = True
    return payload


def until_loaded(
    call: Callable[[dict[str, Any]], dict[str, Any]],
    payload: dict[str, Any],
    sleep: Callable[[float], object] = time.sleep,
) -> dict[str, Any]:
    """Call again while the reply is busy or partial, or failed for a passing reason.

    A partial reply that left as much as the one before it is given up like a failure.
    """
    failures, left = 0, None
    while True:
        reply = call(payload)
        print(json.dumps(reply, default=str), flush=True)
        result = reply["result"]
        if result == "loaded" or payload.get("dry_run"):
            return reply
        if result == "busy":
            sleep(WAIT_BUSY_SECONDS)
            continue
        remaining = reply.get("objects", {}).get("remaining")
        if result == "partial" and (left is None or remaining < left):
            failures, left = 0, remaining
            continue
        failures += 1
        if failures >= MOST_FAILURES or not reply.get("error", {}).get("transient", True):
            return reply
        sleep(2.0**failures)


def function_caller(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what invokes the function `name` and waits for its reply."""
    import boto3
    from botocore.config import Config

    config = Config(read_timeout=910, retries={"max_attempts": 0})
    client = boto3.client("lambda", config=config)

    def call(payload: dict[str, Any]) -> dict[str, Any]:
        try:
            answered = client.invoke(FunctionName=name, Payload=json.dumps(payload).encode())
        except client.exceptions.TooManyRequestsException:  # as at an account's limit
            return {"result": "busy"}
        reply = json.loads(answered["Payload"].read())
        if "FunctionError" in answered:
            message = str(reply.get("errorMessage", ""))
            error = {"code": "function_error", "message": message, "transient": True}
            return {"result": "failed", "error": error}
        return dict(reply)

    return call


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when everything is loaded."""
    options = parser().parse_args(arguments)
    metrics.set_up_logging(sys.stderr)
    call = function_caller(options.function) if options.function else _here
    reply = until_loaded(call, payload_of(options))
    return 0 if reply["result"] == "loaded" or (options.dry_run and "error" not in reply) else 1


def _here(payload: dict[str, Any]) -> dict[str, Any]:
    return answer(payload, Clock())


if __name__ == "__main__":
    sys.exit(main())
