"""The loader as a command, for backfills: looks what there is, then loads it until nothing is left.

Standard output gets the replies, a line of JSON each; standard error gets lines for people. Exit codes:
0 all loaded, 1 failed, 2 the options mean nothing, 130 ended by Ctrl-C (143 by SIGTERM).
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from types import FrameType
from typing import Any, NoReturn

from etl_lambda import backfill, metrics
from etl_lambda.backfill import Call, Payload, Plan, Reply
from etl_lambda.errors import RequestError
from etl_lambda.handler import answer
from etl_lambda.progress import Progress
from etl_lambda.request import Request, parse
from etl_lambda.run import Clock

PROGRAM = "python -m etl_lambda"


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        """Exit with code 2."""
        self.exit(2, f"{message}\n")


def parser() -> argparse.ArgumentParser:
    """Return the command's options."""
    options = _Parser(prog=PROGRAM, description=__doc__)
    where = options.add_mutually_exclusive_group()
    where.add_argument("--function", metavar="NAME", help="invoke this Lambda function")
    where.add_argument(
        "--local",
        action="store_true",
        help="run here, with DWH_*, RAW_BUCKET and AWS_* of the environment (the default)",
    )
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
    options.add_argument("--dry-run", action="store_true", help="say what there is, write nothing")
    options.add_argument(
        "--verbose", action="store_true", help="with --local: the loader's log and metrics as well"
    )
    return options


def request_of(arguments: argparse.Namespace, now: datetime) -> Request:
    """Return the request that the options mean. Raises RequestError."""
    fields = {"from": arguments.from_, "to": arguments.to, "prefix": arguments.prefix}
    payload: Payload = {name: value for name, value in fields.items() if value is not None}
    for name in ("reload", "quarantine", "dry_run"):
        if getattr(arguments, name):
            payload[name] = True
    request = parse(payload, now)
    if request.from_at is not None and request.from_at > now:
        raise RequestError("from", "is in the future")
    return request


class Stop:
    """Ctrl-C and SIGTERM: a run under way here commits its chunk and ends; all else ends at once.

    A second one ends that run as well; its open transaction is then lost, and loaded another time.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._clock: Clock | None = None
        self.number: int | None = None

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Take the signals meanwhile."""
        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._take) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def ends(self, clock: Clock) -> Iterator[None]:
        """Let a signal end the run that looks at this clock."""
        self.check()
        self._clock = clock
        try:
            yield
        finally:
            self._clock = None

    def check(self) -> None:
        """Raise KeyboardInterrupt if there was a signal."""
        if self.number is not None:
            raise KeyboardInterrupt

    def say(self) -> int:
        """Say that it was stopped and return the exit code."""
        self._progress.stopped("stopped")
        return 128 + (self.number or signal.SIGINT)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        again, self.number = self.number is not None, number
        if self._clock is None:
            raise KeyboardInterrupt
        if again:  # the threads of the run cannot be interrupted
            os._exit(self.say())
        self._clock.deadline = time.monotonic()


def here(stop: Stop, verbose: bool) -> Call:
    """Return what runs the loader in this process."""

    def call(payload: Payload) -> Reply:
        clock = Clock()
        with stop.ends(clock):
            reply = answer(payload, clock, _log_metrics if verbose else lambda _: None)
        if payload.get("dry_run"):  # a stopped one says too little
            stop.check()
        return reply

    return call


def _log_metrics(line: dict[str, Any]) -> None:
    print(json.dumps(line), file=sys.stderr, flush=True)


def carry_out(
    request: Request, call: Call, progress: Progress, sleep: Callable[[float], object]
) -> bool:
    """Carry out a request with `call`; whether all of it was loaded, or looked at."""
    dry = request.dry_run
    plan = None
    if dry or not request.default or request.quarantine:
        plan = Plan()
        for payload in backfill.looks(request):

            def looked(reply: Reply) -> None:
                if dry:
                    backfill.print_reply(reply)
                progress.looked("listing", reply)

            reply = backfill.until_loaded(call, payload, sleep, looked)
            if reply["result"] not in ("loaded", "partial"):
                progress.stopped("given up")
                return False
            plan.add(reply)
        if dry:
            progress.table(plan)
            return True
    progress.begin(plan)
    for name, payload in backfill.loads(request, plan or Plan()):

        def told(reply: Reply, name: str = name) -> None:
            backfill.print_reply(reply)
            progress.told(name, reply)

        if backfill.until_loaded(call, payload, sleep, told)["result"] != "loaded":
            progress.stopped("given up")
            return False
    progress.end()
    return True


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; 0 when everything is loaded."""
    options = parser().parse_args(arguments)
    progress = Progress(sys.stderr)
    try:
        request = request_of(options, datetime.now(UTC))
    except RequestError as error:
        progress.say(f"--{error.field} {str(error).partition(': ')[2]}")
        return 2
    metrics.set_up_logging(sys.stderr, logging.INFO if options.verbose else logging.CRITICAL)
    stop = Stop(progress)

    def sleep(seconds: float) -> None:
        stop.check()
        time.sleep(seconds)

    with stop.watching():
        try:
            if options.function is None:
                call = here(stop, options.verbose)
                return 0 if carry_out(request, call, progress, sleep) else 1
            return _remotely(options.function, request, progress, sleep)
        except KeyboardInterrupt:
            return stop.say()


def _remotely(
    name: str, request: Request, progress: Progress, sleep: Callable[[float], object]
) -> int:
    from etl_lambda.invoking import CommandError, Function  # boto3 is not in the function's zip

    try:
        return 0 if carry_out(request, Function(name), progress, sleep) else 1
    except CommandError as error:
        progress.stopped(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
