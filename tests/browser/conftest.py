"""The dashboard behind the real Shiny Server and PostgreSQL of the toolbox, opened in Chromium."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import toolbox
from tests.browser import shop

APP = toolbox.REPOSITORY / "shiny_app"
CONFIG = """run_as shiny;
disable_protocols xdr-streaming xhr-streaming iframe-eventsource iframe-htmlfile;
server {{
  listen {port} 127.0.0.1;
  location / {{
    site_dir {home}/site;
    log_dir {home}/log;
    bookmark_state_dir {home}/bookmarks;
    directory_index off;
    app_init_timeout 60;
    app_idle_timeout 3600;
    simple_scheduler 1000;
  }}
}}
"""


@dataclasses.dataclass(frozen=True)
class Dashboard:
    """A running dashboard, its warehouse, and the way to ask that."""

    url: str
    server: toolbox.PostgresServer
    bucket: shop.MemoryBucket
    home: Path

    def ask(self, statement: str) -> Any:
        """Return the one JSON value of a statement, asked as the dashboard's own role."""
        return json.loads(self.server.psql(statement, user="dashboard_reader"))

    def kill_r(self) -> None:
        """End the app's R process as the kernel would when memory runs out."""
        app = (self.home / "site" / "sbw_dashboard").resolve()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                runs_r = (process / "comm").read_text().strip() == "R"
                if runs_r and (process / "cwd").readlink() == app:
                    found.append(int(process.name))
        assert len(found) == 1, found
        os.kill(found[0], signal.SIGKILL)


@contextlib.contextmanager
def serving(server: toolbox.PostgresServer) -> Iterator[tuple[str, Path]]:
    """Serve the app with Shiny Server inside the toolbox; yield its address and its directory."""
    with toolbox.scratch("shiny-", "shiny") as home:
        port = toolbox.free_port()
        app = home / "site" / "sbw_dashboard"
        for name in ("R", "www"):
            shutil.copytree(APP / name, app / name)
        shutil.copy(APP / "app.R", app)
        (app / ".Renviron").write_text(f"SBW_PGHOST=127.0.0.1\nSBW_PGPORT={server.port}\nTZ=UTC\n")
        inside = toolbox.inside_path(home)
        (home / "server.conf").write_text(CONFIG.format(port=port, home=inside))
        for name in ("log", "bookmarks"):
            (home / name).mkdir()
        toolbox.run(["chown", "-R", "shiny:", inside], cwd="/")
        argv = toolbox.command(["shiny-server", f"{inside}/server.conf"], "shiny")
        with (home / "server.log").open("ab") as log:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={
                    "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "LANG": "C.UTF-8",
                    "HOME": inside,
                    "SHINY_LOG_STDERR": "1",
                },
            )
        url = f"http://localhost:{port}/sbw_dashboard/"
        try:
            _wait(url, process, home / "server.log")
            yield url, home
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        assert process.poll() is None, f"Shiny Server ended:\n{log.read_text()[-3000:]}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310
                assert answer.status == 200
                return
        except OSError:
            assert time.monotonic() < deadline, f"no page:\n{log.read_text()[-3000:]}"
            time.sleep(0.2)


@pytest.fixture(scope="session")
def dashboard() -> Iterator[Dashboard]:
    """Three days of a shop's traffic, so that there is a period before to compare with."""
    with toolbox.PostgresServer(warehouse=True) as server:
        bucket = shop.fill(server, dt.datetime.now(dt.UTC), 6000, hours=72)
        with serving(server) as (url, home):
            yield Dashboard(url, server, bucket, home)
