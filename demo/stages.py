"""The demo from nothing to an open page, and back to nothing."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import datetime as dt
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from demo import bucket, live, objects, playbooks, tunnel
from demo.console import Console, DemoError
from demo.state import State

PAGE = "/sbw_dashboard/"
NEEDED = ("podman", "crun", "mmdebstrap", "unshare", "nsenter", "ip", "nft", "gpg", "dpkg-deb")
DISK_BYTES = 8 * 2**30  # images, packages and one host, measured 4.5 GiB
PORT, CLOCK_PERIOD = 3838, 60  # what is taken where nothing is said
FRESHNESS = "SELECT row_to_json(f) FROM dashboard.freshness() AS f"


@dataclasses.dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    port: int  # 0: not said
    clock_period: int  # seconds; 0: not said
    events: Path | None
    wanted: int
    seed: int
    live: bool

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> Options:
        """Take the options from parsed arguments."""
        values = {field.name: getattr(arguments, field.name) for field in dataclasses.fields(cls)}
        return cls(**values | {"live": bool(arguments.live)})

    def beside(self, facts: Mapping[str, Any]) -> Options:
        """Fill in what was not said: as the standing demo has it, else the usual."""
        return dataclasses.replace(
            self,
            port=self.port or facts.get("port", PORT),
            clock_period=self.clock_period or facts.get("clock_period", CLOCK_PERIOD),
        )


def stands(state: State) -> bool:
    """Tell whether the miniature of an earlier `up` runs, all of it."""
    argv = [sys.executable, "-m", "local_aws", "status", "--state", str(state.folder)]
    done = subprocess.run(argv, cwd=playbooks.REPOSITORY, capture_output=True, check=False)
    return done.returncode == 0


@contextlib.contextmanager
def alone(state: State) -> Iterator[None]:
    """Hold the demo's lock; raise DemoError when another command has it."""
    state.logs.mkdir(parents=True, exist_ok=True)
    with (state.logs / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DemoError(
                f"another demo command is under way in {state.folder}: wait for it, or interrupt it"
            ) from None
        yield


def preflight(state: State, options: Options, standing: bool) -> None:
    """Raise DemoError, naming the remedy, when something is missing or taken; change nothing."""
    facts = state.facts() if standing else {}
    if facts and options.clock_period != facts.get("clock_period", options.clock_period):
        raise DemoError(
            f"the demo runs with CLOCK={facts['clock_period']}: `make demo-down` before another"
        )
    missing = [tool for tool in NEEDED if shutil.which(tool) is None]
    if missing:
        raise DemoError(f"{', '.join(missing)} missing: run `make setup`")
    if state.running("keep") is None or state.facts().get("port") != options.port:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", options.port))
            except OSError:
                raise DemoError(
                    f"port {options.port} is in use by another program: stop that, "
                    f"or choose another with `make demo PORT={options.port + 1}`"
                ) from None
    folder = state.folder
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if not standing and free < DISK_BYTES:
        raise DemoError(
            f"{free / 2**30:.1f} GiB are free under {folder}, {DISK_BYTES // 2**30} are needed"
        )
    if options.events is not None:
        next(bucket.files_of(options.events, dt.datetime.now(dt.UTC)))


def local_aws(command: str, state: State, *arguments: str) -> None:
    """Run a command of the miniature; raise DemoError with its last line when it fails."""
    log = state.logs / "local_aws.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        done = subprocess.run(
            [sys.executable, "-m", "local_aws", command, "--state", str(state.folder), *arguments],
            cwd=playbooks.REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            check=False,
        )
        out.write(done.stderr)
    if done.returncode != 0:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no message"]
        raise DemoError(f"{lines[-1].removeprefix('local_aws: ')} (log: {log})")


class Demo:
    """One demo while it is set up: its state, how it reaches AWS, and what it has written."""

    def __init__(self, console: Console, state: State, options: Options) -> None:
        self.console, self.state, self.options = console, state, options
        self.aws: dict[str, str] = {}
        self.inventory = [
            state.folder / "inventory.yml",
            playbooks.REPOSITORY / "demo/inventory.yml",
        ]
        self.began = time.monotonic()

    def site(self) -> None:
        """Deploy everything by site.yml, telling each play's duration."""
        playbooks.play(
            "site.yml",
            aws=self.aws,
            inventory=self.inventory,
            log=self.state.logs / "site.log",
            on_task=self.console.progress,
            on_play=self.console.done,
        )

    def outputs(self) -> Mapping[str, Any]:
        """Return the outputs of all stacks, keyed `<stack>.<output>`."""
        stacks = tunnel.client("cloudformation", self.aws).describe_stacks()["Stacks"]
        return {
            f"{stack['StackName']}.{item['OutputKey']}": item["OutputValue"]
            for stack in stacks
            for item in stack.get("Outputs", [])
        }

    def freshness(self) -> dict[str, Any]:
        """Ask the warehouse, as the dashboard's own user, what is loaded and until when."""
        psql = ["runuser", "-u", "shiny", "--", "psql", "-XAt", "-d", "clickstream_dw"]
        argv = [*psql, "-U", "dashboard_reader", "-c", FRESHNESS]
        return dict(json.loads(playbooks.on_host(argv, aws=self.aws, inventory=self.inventory)))


class ShopWriter(threading.Thread):
    """Writes the shop's last day into the raw bucket while the host is being set up."""

    def __init__(
        self, aws: Mapping[str, str], raw_bucket: str, delivery: list[objects.RawObject]
    ) -> None:
        super().__init__(name="shop-writer", daemon=True)
        self.aws, self.raw_bucket, self.delivery = aws, raw_bucket, delivery
        self.written, self.seconds = 0, 0.0
        self.error: Exception | None = None

    def run(self) -> None:
        """Wait for the bucket, then put everything."""
        try:
            s3, deadline = tunnel.client("s3", self.aws), time.monotonic() + 900
            while True:
                with contextlib.suppress(s3.exceptions.ClientError):
                    s3.head_bucket(Bucket=self.raw_bucket)
                    break
                if time.monotonic() > deadline:
                    raise DemoError(f"the bucket {self.raw_bucket} did not appear in 15 minutes")
                time.sleep(0.5)
            began = time.monotonic()
            target = bucket.store(self.raw_bucket, self.aws)

            def told(count: int) -> None:
                self.written = count

            self.written = bucket.put_all(target, self.delivery, told)
            self.seconds = time.monotonic() - began
        except Exception as error:
            self.error = error

    def wait(self, console: Console) -> None:
        """Wait until all is written, telling how far it is; raise what went wrong."""
        while self.is_alive():
            self.join(0.5)
            console.progress(f"{self.written:,} of {len(self.delivery):,} objects written")
        if self.error is not None:
            raise DemoError(f"the shop's objects could not be written: {self.error}")


def up(console: Console, state: State, options: Options) -> None:
    """Set the demo up, or bring a standing one up to date.

    On failure nothing is left running that was not there before. Raises DemoError.
    """
    standing = stands(state)
    options = options.beside(state.facts() if standing else {})
    preflight(state, options, standing)
    with alone(state):
        if not standing:
            state.stop("keep")
            state.forget()  # of a demo that a crash or a reboot ended
        try:
            _up(Demo(console, state, options))
        except BaseException:
            if not standing:
                with contextlib.suppress(Exception):
                    _down(Console(open(os.devnull, "w")), state)  # noqa: SIM115 - closed by the exit
            raise


def _up(demo: Demo) -> None:
    console, state, options = demo.console, demo.state, demo.options
    with console.step("Start AWS in miniature"):
        local_aws("up", state, "--clock-period", str(options.clock_period))
    state.note(clock_period=options.clock_period)
    demo.aws = state.environment()
    writer = None
    now = dt.datetime.now(dt.UTC)
    delivery = objects.Delivery([], [])
    if options.events is None and "written" not in state.facts():
        delivery = objects.deliver(options.seed, now - dt.timedelta(hours=24), now, options.wanted)
        writer = ShopWriter(demo.aws, live.RAW_BUCKET, delivery.first)
        writer.start()
    demo.site()
    outputs = demo.outputs()
    if options.events is not None:
        _load_files(demo, options.events, now)
    if writer is not None:
        with console.step("Write the shop's last 24 hours (began with the deployment)"):
            writer.wait(console)
        count, records = objects.count(delivery.first)
        state.note(written={"objects": count, "events": records})
        with console.step("Load it: the rule fires the function"):
            _wait_loaded(demo, count)
        with console.step("Write and load what arrives late"):
            late, late_records = objects.count(delivery.late)
            bucket.put_all(bucket.store(live.RAW_BUCKET, demo.aws), delivery.late)
            # The rule finds them in its daily listing of the last weeks; nobody waits for that here.
            window = {"from": (now - dt.timedelta(hours=25)).isoformat(), "to": now.isoformat()}
            live.load(demo.aws, window, demo.console.progress)
            _wait_loaded(demo, count + late)
            state.note(written={"objects": count + late, "events": records + late_records})
    with console.step("Open the dashboard through Session Manager"):
        _open(demo, outputs)
    _closing(demo)


def _load_files(demo: Demo, folder: Path, now: dt.datetime) -> None:
    with demo.console.step(f"Write the files of {folder}"):
        target = bucket.store(live.RAW_BUCKET, demo.aws)
        count = bucket.put_all(
            target,
            bucket.files_of(folder, now),
            lambda n: demo.console.progress(f"{n:,} files written"),
        )
    demo.state.note(written={"objects": count, "events": None})
    with demo.console.step("Load them, whatever their date"):
        live.load(demo.aws, {"prefix": objects.PREFIX}, demo.console.progress)


def _wait_loaded(demo: Demo, wanted: int, patience: float = 900) -> None:
    """Wait until the warehouse says that `wanted` objects are loaded or quarantined."""
    deadline = time.monotonic() + patience
    while True:
        fresh = demo.freshness()
        seen = int(fresh["objects_loaded"] or 0) + int(fresh["objects_quarantined"] or 0)
        if seen >= wanted and not fresh["running"] and not fresh["objects_pending"]:
            return
        if time.monotonic() > deadline:
            raise DemoError(
                f"{seen:,} of {wanted:,} objects are loaded after {patience / 60:.0f} minutes, the last "
                f"run said {fresh['last_run_result']} (logs: {demo.state.logs})"
            )
        demo.console.progress(f"{seen:,} of {wanted:,} objects in the warehouse")
        time.sleep(1)


def _open(demo: Demo, outputs: Mapping[str, Any]) -> None:
    state, options = demo.state, demo.options
    state.note(
        port=options.port,
        live=options.live,
        document=live.session_document(outputs),
        plugin=live.plugin_path(state),
        seed=options.seed,
    )
    state.stop("keep")
    log = state.logs / "tunnel.log"
    with log.open("ab") as out:
        child = subprocess.Popen(
            [sys.executable, "-m", "demo", "keep", "--state", str(state.folder)],
            cwd=playbooks.REPOSITORY,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    state.keep_pid("keep", child.pid)
    tunnel.wait_for_page(options.port, PAGE, 60, log)


def _closing(demo: Demo) -> None:
    say, fresh = demo.console.say, demo.freshness()
    written = demo.state.facts().get("written", {})
    say()
    say(f"Dashboard    http://localhost:{demo.options.port}{PAGE}")
    if written.get("events") is not None:
        say(f"Written      {written['objects']:,} objects with {written['events']:,} events")
        if demo.options.live:
            say("             and new ones since then: the shop goes on (LIVE=0: it does not)")
    else:
        say(f"Written      {written.get('objects', 0):,} files")
    say(
        f"Loaded       {fresh['objects_loaded']:,} objects, {fresh['events_stored']:,} distinct events"
    )
    say(f"Quarantined  {fresh['objects_quarantined']:,} objects; the page “Pipeline” says why")
    say(
        f"Took         {time.monotonic() - demo.began:.0f} s, then every {demo.options.clock_period} s"
    )
    say("Stop it      make demo-down")


def down(console: Console, state: State) -> None:
    """Stop everything of the demo; the caches under build/cache and the logs stay."""
    if state.folder.is_dir():
        with alone(state):
            _down(console, state)
    else:
        console.say("no demo runs here")


def _down(console: Console, state: State) -> None:
    with console.step("Stop the dashboard's tunnel and the shop"):
        state.stop("keep")
    with console.step("Stop AWS in miniature"):
        local_aws("down", state)
    state.forget()


def keep(state: State) -> None:
    """Hold the tunnel open and let the shop go on; runs in the background until `down`."""
    facts, aws = state.facts(), state.environment()
    if facts.get("live"):
        threading.Thread(target=live.go_on, args=(aws, facts["seed"]), daemon=True).start()
    tunnel.keep_open(
        facts["plugin"], lambda: live.instance_id(aws), facts["document"], facts["port"], aws
    )
