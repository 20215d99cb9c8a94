"""A backfill: its pieces, its lines for people, how it is stopped, and what AWS may answer."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from etl_lambda import __main__ as command
from etl_lambda.backfill import Payload, Plan, Reply, loads, looks
from etl_lambda.invoking import CommandError, Function
from etl_lambda.progress import Progress, span
from etl_lambda.request import Request, parse
from etl_lambda.run import Clock
from tests.toolbox import REPOSITORY

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def request(**payload: Any) -> Request:
    """The request of a payload; a `from_` is its `from`."""
    return parse({name.rstrip("_"): value for name, value in payload.items()}, NOW)


def plan(*days: str, whole: bool = True) -> Plan:
    return Plan({day: {"objects": 10, "bytes": 1000} for day in days}, whole)


def ranges(made: Any) -> list[tuple[str, str]]:
    return [(payload["from"][:16], payload["to"][:16]) for payload in made]


def test_a_range_is_looked_at_a_month_at_a_time() -> None:
    found = list(looks(request(from_="2026-01-05T12:00", to="2026-03-01", reload=True)))
    assert ranges(found) == [
        ("2026-01-05T12:00", "2026-02-05T00:00"),
        ("2026-02-05T00:00", "2026-03-01T00:00"),
    ]
    assert [(payload["dry_run"], payload["reload"]) for payload in found] == [(True, True)] * 2


@pytest.mark.parametrize(
    "payload",
    [
        {"prefix": "events/2026/"},
        {"from": "2026-01-01", "to": "2026-03-01", "reload": True, "quarantine": True},
    ],
)
def test_what_is_no_range_of_keys_is_one_piece(payload: Payload) -> None:
    asked = parse(payload, NOW)
    (look,) = looks(asked)
    assert {name: value for name, value in look.items() if name != "dry_run"} == asked.as_json()
    ((_, load),) = loads(asked, plan("2026-01-05"))
    assert load == asked.as_json()


def test_a_day_with_objects_is_a_run_of_its_own_and_the_days_between_are_one() -> None:
    asked = request(from_="2026-01-01T06:00", to="2026-01-08T12:00")
    made = list(loads(asked, plan("2026-01-03", "2026-01-04", "2026-01-08")))
    assert [name for name, _ in made] == [
        "2026-01-01 to 2026-01-02",
        "2026-01-03",
        "2026-01-04",
        "2026-01-05 to 2026-01-07",
        "2026-01-08",
    ]
    assert ranges(payload for _, payload in made) == [
        ("2026-01-01T06:00", "2026-01-03T00:00"),
        ("2026-01-03T00:00", "2026-01-04T00:00"),
        ("2026-01-04T00:00", "2026-01-05T00:00"),
        ("2026-01-05T00:00", "2026-01-08T00:00"),
        ("2026-01-08T00:00", "2026-01-08T12:00"),
    ]


def test_no_run_lists_more_than_a_month_of_empty_days() -> None:
    made = loads(request(from_="2026-01-01", to="2026-03-01"), plan())
    assert ranges(payload for _, payload in made) == [
        ("2026-01-01T00:00", "2026-02-01T00:00"),
        ("2026-02-01T00:00", "2026-03-01T00:00"),
    ]


def test_after_an_unfinished_look_every_day_may_hold_something() -> None:
    made = loads(request(from_="2026-01-01", to="2026-01-03"), plan(whole=False))
    assert [name for name, _ in made] == ["2026-01-01", "2026-01-02"]


def test_the_hours_of_another_zone_are_those_of_utc() -> None:
    made = loads(request(from_="2026-01-02T05:00+07:00", to="2026-01-02T08:00+07:00"), plan())
    assert ranges(payload for _, payload in made) == [("2026-01-01T22:00", "2026-01-02T01:00")]


def looked(days: dict[str, tuple[int, int]], *, whole: bool = True) -> Reply:
    """A dry run's reply."""
    pending = {day: {"objects": count, "bytes": size} for day, (count, size) in days.items()}
    result = "partial" if days else "loaded"
    return {"result": result, "pending": pending, "window": {"listed_whole": whole}}


def loaded(objects: int, **events: int) -> Reply:
    return {"result": "loaded", "objects": {"loaded": objects, "remaining": 0}, "events": events}


FAILED = {
    "result": "failed",
    "error": {"code": "access_denied", "message": "S3 denies access", "transient": False},
}


class Ticking:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Loader:
    """Answers with the replies given, a reply taking ten seconds, and keeps the payloads."""

    def __init__(self, *replies: Reply) -> None:
        self.replies = list(replies)
        self.payloads: list[Payload] = []
        self.clock = Ticking()
        self.words = io.StringIO()
        self.waits: list[float] = []

    def __call__(self, payload: Payload) -> Reply:
        self.payloads.append(payload)
        self.clock.now += 10
        return self.replies.pop(0)

    def carry_out(self, **payload: Any) -> bool:
        progress = Progress(self.words, self.clock)
        return command.carry_out(request(**payload), self, progress, self.waits.append)

    def lines(self) -> list[str]:
        return self.words.getvalue().splitlines()


def test_a_backfill_says_how_far_it_is_day_by_day() -> None:
    loader = Loader(
        looked({"2026-01-01": (300, 9000), "2026-01-03": (900, 50_000)}),
        loaded(300, read=310, stored=305, duplicate=5),
        loaded(0),
        loaded(900, read=2000, stored=1998, quarantined=2),
    )
    assert loader.carry_out(from_="2026-01-01", to="2026-01-04") is True
    assert loader.lines() == [
        "to load: 1,200 objects, 59,000 bytes",
        "2026-01-01: 300 of 1,200 objects, 305 events stored, 30 objects/s, about 30 s left",
        "2026-01-02: nothing to load",
        "2026-01-03: 1,200 of 1,200 objects, 2,303 events stored, 40 objects/s",
        "loaded: 1,200 objects, 2,310 events read (2,303 stored, 5 duplicate, 2 quarantined) in 30 s",
    ]


def test_standard_output_has_the_replies_of_the_runs_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    loader = Loader(looked({"2026-01-01": (3, 9)}), loaded(3, read=3, stored=3))
    loader.carry_out(from_="2026-01-01", to="2026-01-02")
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == loaded(3, read=3, stored=3)


def test_a_dry_run_says_what_there_is_by_day_and_loads_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = looked({"2026-01-01": (3, 1234), "2026-01-31": (1, 5)})
    second = looked({"2026-02-02": (4000, 5_000_000)})
    loader = Loader(first, second)
    assert loader.carry_out(from_="2026-01-01", to="2026-02-03", dry_run=True) is True
    assert [payload["dry_run"] for payload in loader.payloads] == [True, True]
    assert loader.lines() == [
        "2026-01-01            3 objects              1,234 bytes",
        "2026-01-31            1 objects                  5 bytes",
        "2026-02-02        4,000 objects          5,000,000 bytes",
        "all               4,004 objects          5,001,239 bytes",
    ]
    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == [first, second]


def test_a_look_that_ran_out_of_time_is_said_to_be_no_whole_one() -> None:
    loader = Loader(looked({"2026-01-01": (3, 9)}, whole=False))
    assert loader.carry_out(prefix="events/", dry_run=True) is True
    assert loader.lines()[-1] == "and more: the time was over before all was listed"
    loader = Loader(looked({"2026-01-01": (3, 9)}, whole=False), loaded(5, read=5, stored=5))
    loader.carry_out(prefix="events/")
    assert loader.lines()[:2] == [
        "to load: at least 3 objects, 9 bytes",
        "events/: 5 of at least 5 objects, 5 events stored, 0 objects/s",
    ]


def test_what_came_meanwhile_is_part_of_all() -> None:
    objects = {"loaded": 1, "quarantined": 2, "gone": 1, "skipped": 9, "remaining": 16}
    partial = {"result": "partial", "objects": objects, "events": {}}
    loader = Loader(looked({"2026-01-01": (10, 90)}), partial, loaded(16, read=16, stored=16))
    assert loader.carry_out(prefix="events/") is True
    assert loader.lines()[1:3] == [
        "events/: 4 of 20 objects, 0 events stored, 0 objects/s, about 40 s left",
        "events/: 20 of 20 objects, 16 events stored, 1 objects/s",
    ]


def test_the_default_window_is_not_looked_at_first() -> None:
    loader = Loader(loaded(2, read=2, stored=2))
    assert loader.carry_out() is True
    assert loader.payloads == [{}]


def test_a_failed_day_ends_a_backfill_and_says_what_is_loaded() -> None:
    loader = Loader(
        looked({"2026-01-01": (3, 9), "2026-01-02": (7, 9)}), loaded(3, stored=3, read=3), FAILED
    )
    assert loader.carry_out(from_="2026-01-01", to="2026-01-04") is False
    assert loader.lines()[2:] == [
        "2026-01-02: failed, access_denied: S3 denies access",
        "given up; 3 of 10 objects are loaded, the same command goes on from there",
    ]


def test_a_look_that_fails_loads_nothing() -> None:
    loader = Loader(FAILED)
    assert loader.carry_out(from_="2026-01-01", to="2026-01-04") is False
    assert loader.lines() == [
        "listing: failed, access_denied: S3 denies access",
        "given up; nothing was loaded",
    ]


def test_a_passing_failure_of_a_look_is_tried_again() -> None:
    passing = {"result": "failed", "error": {"code": "x", "message": "y", "transient": True}}
    loader = Loader(passing, {"result": "busy"}, looked({}))
    assert loader.carry_out(prefix="events/", dry_run=True) is True
    assert loader.waits == [2.0, 15.0]


def test_waiting_for_another_run_is_said_once() -> None:
    busy = {"result": "busy", "error": {"code": "busy", "message": "m", "transient": True}}
    loader = Loader(looked({"2026-01-01": (1, 9)}), busy, busy, busy, loaded(1, read=1, stored=1))
    assert loader.carry_out(from_="2026-01-01", to="2026-01-02") is True
    waiting = "2026-01-01: another run is under way, waiting for its end"
    assert [line for line in loader.lines() if "another run" in line] == [waiting]
    assert loader.waits == [15.0, 15.0, 15.0]


def test_a_run_over_its_error_budget_says_so_and_the_backfill_goes_on() -> None:
    bad = loaded(8, read=8, stored=6, quarantined=2) | {
        "error_budget": {"budget": 0.01, "share": 0.25, "over": True},
        "reasons": {"too_deep": 1, "not_json": 1200},
    }
    loader = Loader(looked({"2026-01-01": (8, 9)}), bad)
    assert loader.carry_out(from_="2026-01-01", to="2026-01-02") is True
    assert loader.lines()[2] == (
        "2026-01-01: 25.0% of its records went to quarantine, more than 1.0%"
        " (not_json 1,200, too_deep 1)"
    )


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (89.0, "89 s"), (90.0, "2 min"), (5399.0, "90 min"), (9000.0, "2.5 h")],
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--from", "2026-01-02", "--to", "2026-01-01"], "--to is not after from"),
        (["--from", "2026-01-02", "--to", "2026-01-02"], "--to is not after from"),
        (
            ["--from", "yesterday", "--to", "2026-01-02"],
            "--from is not ISO 8601 text, as 2026-01-31 or 2026-01-31T05",
        ),
        (
            ["--from", "2026-01-02", "--to", "2026-02-30"],
            "--to is not ISO 8601 text, as 2026-01-31 or 2026-01-31T05",
        ),
        (["--from", "2999-01-02", "--to", "2999-01-03"], "--from is in the future"),
        (["--from", "2026-01-02"], "--to is missing"),
        (["--to", "2026-01-02"], "--from is missing"),
        (["--prefix", "events/", "--to", "2026-01-02"], "--prefix cannot be combined with to"),
        (["--quarantine"], "--quarantine goes only with reload"),
        (["--local", "--function", "f"], "argument --function: not allowed with argument --local"),
        (["--speed"], "unrecognized arguments: --speed"),
    ],
)
def test_options_that_mean_nothing_are_one_line_and_exit_code_2(
    options: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = command.main(options)
    except SystemExit as error:
        code = error.code  # type: ignore[assignment]
    assert code == 2
    assert capsys.readouterr().err == line + "\n"


def answering(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[Payload, Clock], Reply]
) -> list[Payload]:
    """Put `answer` in the loader's place, and return the payloads that it will get."""
    payloads: list[Payload] = []

    def fake(payload: Payload, clock: Clock, _write: Any) -> Reply:
        payloads.append(payload)
        return answer(payload, clock)

    monkeypatch.setattr(command, "answer", fake)
    return payloads


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_the_run_end_and_starts_no_other(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
    code: int,
) -> None:
    def answer(payload: Payload, clock: Clock) -> Reply:
        if "dry_run" in payload:
            return looked({"2026-01-01": (5, 9), "2026-01-02": (5, 9)})
        assert clock.left() == float("inf")
        os.kill(os.getpid(), number)
        assert clock.left() <= 0
        return {"result": "partial", "objects": {"loaded": 2, "remaining": 3}, "events": {}}

    payloads = answering(monkeypatch, answer)
    before = signal.getsignal(number)
    assert command.main(["--from", "2026-01-01", "--to", "2026-01-03"]) == code
    assert len(payloads) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["result"] == "partial"
    last = "stopped; 2 of 10 objects are loaded, the same command goes on from there"
    assert err.splitlines()[-1] == last
    assert signal.getsignal(number) is before


def test_a_dry_run_that_is_stopped_does_not_pass_for_a_whole_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(_payload: Payload, _clock: Clock) -> Reply:
        os.kill(os.getpid(), signal.SIGINT)
        return looked({"2026-01-01": (5, 9)}, whole=False)

    answering(monkeypatch, answer)
    assert command.main(["--prefix", "events/", "--dry-run"]) == 130
    assert capsys.readouterr() == ("", "stopped; nothing was loaded\n")


def test_a_signal_while_nothing_runs_ends_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        "etl_lambda.__main__.time.sleep", lambda _: os.kill(os.getpid(), signal.SIGINT)
    )
    answering(monkeypatch, lambda _payload, _clock: {"result": "busy"})
    assert command.main([]) == 130
    assert capsys.readouterr().err.splitlines()[-1].startswith("stopped; 0 of at least 0 objects")


def test_a_second_signal_does_not_wait_for_the_run() -> None:
    program = (
        "import os, signal, sys, time\n"
        "from etl_lambda import __main__ as command\n"
        "def answer(payload, clock, write):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    time.sleep(60)\n"
        "command.answer = answer\n"
        "sys.exit(command.main([]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 130
    assert done.stderr.splitlines() == [
        "stopped; 0 of at least 0 objects are loaded, the same command goes on from there"
    ]


class AWS(ThreadingHTTPServer):
    """Answers an invocation with `status`, the words of an error, and a body."""

    status = 200
    error = ""
    function_error = ""
    body = b"{}"
    payloads: list[Payload]


class Invocation(BaseHTTPRequestHandler):
    server: AWS

    def do_POST(self) -> None:
        length = int(self.headers["content-length"])
        self.server.payloads.append(json.loads(self.rfile.read(length)))
        self.send_response(self.server.status)
        if self.server.error:
            self.send_header("x-amzn-ErrorType", self.server.error)
        if self.server.function_error:
            self.send_header("X-Amz-Function-Error", self.server.function_error)
        self.send_header("content-length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, *_: Any) -> None:
        """Stay quiet."""


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[AWS]:
    """Lambda's API on this machine, and credentials for it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    server = AWS(("127.0.0.1", 0), Invocation)
    server.payloads = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "ap-southeast-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_the_function_gets_the_payload_and_its_reply_comes_back(aws: AWS) -> None:
    aws.body = b'{"result": "loaded", "run": 7}'
    assert Function("SBW_Lamda_ETL")({"prefix": "events/"}) == {"result": "loaded", "run": 7}
    assert aws.payloads == [{"prefix": "events/"}]


@pytest.mark.parametrize(
    ("status", "error", "line"),
    [
        (
            404,
            "ResourceNotFoundException",
            "there is no function nobody in ap-southeast-1:"
            " look at its name (FUNCTION=, --function) and at AWS_REGION",
        ),
        (
            403,
            "AccessDeniedException",
            "AWS does not let these credentials invoke nobody: they need lambda:InvokeFunction",
        ),
        (403, "ExpiredTokenException", "the AWS credentials have expired: get new ones"),
        (
            403,
            "UnrecognizedClientException",
            "AWS does not accept the credentials (UnrecognizedClientException):"
            " set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
        (
            403,
            "InvalidSignatureException",
            "AWS does not accept the credentials (InvalidSignatureException):"
            " set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
        (
            400,
            "ValidationException",
            "nobody cannot be a function's name (FUNCTION=, --function)",
        ),
        (400, "SomethingNewException", "AWS refuses to invoke nobody: SomethingNewException"),
    ],
)
def test_what_aws_refuses_is_one_line_with_the_remedy(
    aws: AWS, capsys: pytest.CaptureFixture[str], status: int, error: str, line: str
) -> None:
    aws.status, aws.error = status, error
    assert command.main(["--function", "nobody", "--from", "2026-01-01", "--to", "2026-01-02"]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"{line}; nothing was loaded\n")


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (429, "TooManyRequestsException", None),
        (409, "ResourceConflictException", "aws_unavailable"),
        (500, "ServiceException", "aws_unavailable"),
        (503, "ServiceUnavailableException", "aws_unavailable"),
    ],
)
def test_what_passes_by_itself_is_tried_again(
    aws: AWS, status: int, error: str, code: str | None
) -> None:
    aws.status, aws.error = status, error
    reply = Function("f")({})
    if code is None:
        assert reply == {"result": "busy"}
    else:
        assert (reply["result"], reply["error"]["code"]) == ("failed", code)
        assert reply["error"]["transient"] is True


def test_a_function_that_broke_is_tried_again(aws: AWS) -> None:
    aws.function_error = "Unhandled"
    aws.body = b'{"errorMessage": "Task timed out after 900.00 seconds"}'
    error = Function("f")({})["error"]
    assert error == {
        "code": "function_error",
        "message": "Task timed out after 900.00 seconds",
        "transient": True,
    }


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b'{"statusCode": 200}', "f is not the loader: its reply has no result"),
        (b"null", "f is not the loader: its reply has no result"),
        (b'{"result": "loaded"}', "f is older than this command: make deploy"),
    ],
)
def test_another_function_of_that_name_is_told_from_the_loader(
    aws: AWS, body: bytes, line: str
) -> None:
    aws.body = body
    with pytest.raises(CommandError) as caught:
        Function("f")({"dry_run": True})
    assert str(caught.value) == line


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
            "there are no AWS credentials:"
            " set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        ),
        (
            {"AWS_REGION": None},
            "there is no AWS region: set AWS_REGION, as AWS_REGION=ap-southeast-1",
        ),
        ({"AWS_PROFILE": "gone"}, "there is no AWS profile gone: look at AWS_PROFILE"),
        (
            {"AWS_ENDPOINT_URL_LAMBDA": "http://127.0.0.1:9"},
            "http://127.0.0.1:9/2015-03-31/functions/f/invocations cannot be reached:"
            " look at AWS_REGION, AWS_ENDPOINT_URL and the network",
        ),
        (
            {"AWS_SECRET_ACCESS_KEY": None},
            "AWS's client says PartialCredentialsError: Partial credentials found in env,"
            " missing: AWS_SECRET_ACCESS_KEY",
        ),
    ],
)
@pytest.mark.usefixtures("aws")
def test_what_the_environment_lacks_is_one_line_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, str | None],
    line: str,
) -> None:
    for name, value in change.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    assert command.main(["--function", "f", "--from", "2026-01-01", "--to", "2026-01-02"]) == 1
    assert capsys.readouterr().err == f"{line}; nothing was loaded\n"


def test_aws_that_cannot_be_reached_any_more_is_tried_again(aws: AWS) -> None:
    aws.body = b'{"result": "loaded"}'
    function = Function("f")
    function({})
    aws.shutdown()
    aws.server_close()
    error = function({})["error"]
    assert (error["code"], error["transient"]) == ("unreachable", True)


def test_credentials_that_expire_meanwhile_end_the_backfill_where_it_is(
    aws: AWS, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    aws.body = json.dumps(looked({"2026-01-01": (5, 9)})).encode()
    told = Progress.begin

    def begin(self: Progress, found: Plan | None) -> None:
        aws.status, aws.error = 403, "ExpiredTokenException"
        told(self, found)

    monkeypatch.setattr(Progress, "begin", begin)
    assert command.main(["--function", "f", "--from", "2026-01-01", "--to", "2026-01-02"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == (
        "the AWS credentials have expired: get new ones; 0 of 5 objects are loaded,"
        " the same command goes on from there"
    )


def test_ctrl_c_does_not_wait_for_the_function(
    aws: AWS, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def never(_handler: Invocation) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        over.wait(60)

    monkeypatch.setattr(Invocation, "do_POST", never)
    code = command.main(["--function", "f", "--from", "2026-01-01", "--to", "2026-01-02"])
    assert not over.is_set()
    over.set()
    assert code == 130
    assert capsys.readouterr().err == "stopped; nothing was loaded\n"
    assert aws.payloads == []


# These tests may themselves run inside make, whose options the inner one would take up.
OUTSIDE_MAKE = {
    name: value
    for name, value in os.environ.items()
    if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")
}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "--function SBW_Lamda_ETL --from 2026-01-01 --to 2026-02-01"),
        (["FUNCTION=other"], "--function other --from 2026-01-01 --to 2026-02-01"),
        (["LOCAL=1"], "--local --from 2026-01-01 --to 2026-02-01"),
        (
            ["DRY_RUN=1", "RELOAD=1"],
            "--function SBW_Lamda_ETL --from 2026-01-01 --to 2026-02-01 --dry-run --reload",
        ),
        (
            ["DRY_RUN=0", "RELOAD=0", "LOCAL=0"],
            "--function SBW_Lamda_ETL --from 2026-01-01 --to 2026-02-01",
        ),
    ],
)
def test_make_backfill_passes_its_options_on(options: list[str], words: str) -> None:
    done = subprocess.run(
        ["make", "-n", "backfill", "FROM=2026-01-01", "TO=2026-02-01", *options],
        cwd=REPOSITORY,
        env=OUTSIDE_MAKE,
        capture_output=True,
        text=True,
        check=True,
    )
    *_, last = done.stdout.splitlines()
    assert shlex.split(last)[3:] == words.split()


def test_make_backfill_wants_a_range() -> None:
    done = subprocess.run(
        ["make", "backfill", "FROM=2026-01-01", "PYTHON=false", "-o", "setup"],
        cwd=REPOSITORY,
        env=OUTSIDE_MAKE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    first, *_ = done.stderr.splitlines()
    assert first == ("FROM and TO are missing: make backfill FROM=2026-01-01 TO=2026-02-01")
