"""A Debian 13 root with the host's tools, for tests of SQL, R and the loader.

The test machine may be an older Debian: PostgreSQL 17, sqitch, pgTAP and R 4.5 then exist only in
here. It is a plain directory made by mmdebstrap, entered by chroot in a mount namespace of its own;
nothing of it is a service, and nothing of it is used by the product.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType

REPOSITORY = Path(__file__).resolve().parent.parent
HOME = REPOSITORY / "build" / "toolbox"
ROOT = HOME / "root"
PG_BIN = "/usr/lib/postgresql/17/bin"
BASE_PACKAGES = (
    "python3 sudo iproute2 procps ca-certificates locales-all "
    "postgresql-17 postgresql-17-pgtap postgresql-17-roaringbitmap sqitch libdbd-pg-perl "
    "libtap-parser-sourcehandler-pgtap-perl "
    "r-base-core r-cran-testthat r-cran-lintr r-cran-covr shiny-server"
)

# $0 is the script's name; $1 the root, $2 the repository, the rest the command.
ENTER = """
set -e
R=$1; SRC=$2; shift 2
mount --rbind /dev "$R/dev"
mount -t proc proc "$R/proc"
mkdir -p "$R/src"
mount --bind "$SRC" "$R/src"
mount -o remount,bind,ro "$R/src"
exec chroot "$R" "$@"
"""


class ToolboxError(RuntimeError):
    """The toolbox cannot be made or entered; the message names the remedy."""


def packages() -> list[str]:
    """Return the Debian packages of the toolbox: its own, and what the dashboard depends on."""
    depends = REPOSITORY / "shiny_app" / "DEPENDS"
    own = BASE_PACKAGES.split()
    if depends.exists():
        lines = (line.split("#")[0].strip() for line in depends.read_text().splitlines())
        own += [line for line in lines if line]
    return sorted(set(own))


def ensure() -> Path:
    """Make the toolbox unless one of the same recipe stands, and return its root directory.

    Raises ToolboxError without root rights, without mmdebstrap, or when the mirror does not answer.
    """
    if os.geteuid() != 0:
        raise ToolboxError("the toolbox needs root: run the tests as root or with sudo")
    if shutil.which("mmdebstrap") is None:
        raise ToolboxError("mmdebstrap is missing: run `make setup`")
    HOME.mkdir(parents=True, exist_ok=True)
    recipe = hashlib.sha256("\n".join(packages()).encode()).hexdigest()
    stamp = HOME / "recipe"
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if stamp.exists() and stamp.read_text() == recipe and ROOT.exists():
            return ROOT
        if stamp.exists() and ROOT.exists() and _extend():
            stamp.write_text(recipe)
            return ROOT
        stamp.unlink(missing_ok=True)
        shutil.rmtree(ROOT, ignore_errors=True)
        command = ["mmdebstrap", "--quiet", "--variant=apt", f"--include={','.join(packages())}"]
        done = subprocess.run(
            [*command, "trixie", str(ROOT)], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise ToolboxError(f"mmdebstrap failed:\n{done.stderr[-2000:]}")
        stamp.write_text(recipe)
    return ROOT


def _extend() -> bool:
    """Install what a newer recipe adds into the standing root; False when it has to be made anew."""
    shutil.copy("/etc/resolv.conf", ROOT / "etc/resolv.conf")
    for apt in (["update"], ["install", "--no-install-recommends", "-y", *packages()]):
        done = subprocess.run(
            [
                "unshare",
                "--mount",
                "--propagation",
                "private",
                "sh",
                "-c",
                ENTER,
                "toolbox",
                str(ROOT),
                str(REPOSITORY),
                "apt-get",
                "-q",
                *apt,
            ],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            return False
    return True


def command(argv: Sequence[str], user: str | None = None) -> list[str]:
    """Return the command line that runs `argv` inside the toolbox, the repository read-only at /src."""
    enter = ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "toolbox"]
    inner = list(argv)
    if user is not None:
        inner = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups", *inner]
    return [*enter, str(ensure()), str(REPOSITORY), *inner]


def run(
    argv: Sequence[str],
    *,
    user: str | None = None,
    env: Mapping[str, str] | None = None,
    cwd: str = "/src",
    check: bool = True,
    timeout: float = 600,
) -> subprocess.CompletedProcess[str]:
    """Run a command inside the toolbox and return what it printed.

    `cwd` is a path inside. Raises AssertionError with the command's output when `check` and it fails.
    """
    inside = ["env", f"--chdir={cwd}", *argv]
    done = subprocess.run(
        command(inside, user),
        env={
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "HOME": "/tmp",
            "TZ": "UTC",
            **(env or {}),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    if check and done.returncode != 0:
        raise AssertionError(
            f"{' '.join(argv)} exited {done.returncode}\n{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        )
    return done


def free_port() -> int:
    """Return a TCP port of the loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def scratch(prefix: str, owner: str | None = None) -> Iterator[Path]:
    """Yield a new directory inside the toolbox's /var/tmp (a path of this side), removed afterwards."""
    root = ensure()
    path = Path(tempfile.mkdtemp(prefix=prefix, dir=root / "var/tmp"))
    try:
        if owner is not None:
            run(["chown", owner, inside_path(path)], cwd="/")
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def inside_path(path: Path) -> str:
    """Return how a path below the toolbox's root is called inside."""
    return "/" + str(path.relative_to(ROOT))


class PostgresServer:
    """A PostgreSQL 17 of its own on a free port, trusting the loopback; a context manager.

    `warehouse=True` makes the roles of warehouse/tests/roles.sql, the database clickstream_dw, and
    deploys the sqitch project into it, up to the tag `to` if given. Attributes: `port`, `host`
    (127.0.0.1), `socket_dir` (inside).
    """

    def __init__(
        self,
        *,
        warehouse: bool = False,
        to: str | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.host = "127.0.0.1"
        self.port = free_port()
        self._warehouse, self._to = warehouse, to
        self._settings = {"fsync": "off", "shared_buffers": "256MB", **(settings or {})}
        self._stack = contextlib.ExitStack()
        self._process: subprocess.Popen[bytes] | None = None
        self._home = Path()

    @property
    def socket_dir(self) -> str:
        """Where the Unix socket lies, as called inside the toolbox."""
        return inside_path(self._home)

    @property
    def log(self) -> str:
        """What the server has logged so far."""
        return (self._home / "log").read_text(errors="replace")

    def dsn(self, user: str = "postgres", database: str | None = None) -> str:
        """Return a libpq connection string for the loopback."""
        name = database or ("clickstream_dw" if self._warehouse else "postgres")
        return f"host={self.host} port={self.port} user={user} dbname={name}"

    def __enter__(self) -> PostgresServer:
        try:
            self._home = self._stack.enter_context(scratch("pg-", "postgres"))
            data = f"{self.socket_dir}/data"
            init = [
                "initdb",
                "-D",
                data,
                "-A",
                "trust",
                "-U",
                "postgres",
                "--no-sync",
                "-E",
                "UTF8",
            ]
            run([f"{PG_BIN}/{init[0]}", *init[1:], "--locale=C.UTF-8"], user="postgres", cwd="/")
            self.start()
            if self._warehouse:
                self.deploy()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop(signal.SIGQUIT)
        self._stack.close()

    def _command(self, argv: Sequence[str]) -> list[str]:
        """Return the command line that runs `argv` where the data directory is."""
        return command(argv, "postgres")

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = {
            "listen_addresses": self.host,
            "port": str(self.port),
            "unix_socket_directories": self.socket_dir,
            **self._settings,
        }
        argv = [f"{PG_BIN}/postgres", "-D", f"{self.socket_dir}/data"]
        for name, value in options.items():
            argv += ["-c", f"{name}={value}"]
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command(argv),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"},
            )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ToolboxError(f"postgres ended at its start:\n{self.log[-2000:]}")
            if "ready to accept connections" in self.log.rpartition("starting PostgreSQL")[2]:
                return
            time.sleep(0.05)
        raise ToolboxError(f"postgres is not ready after 60 s:\n{self.log[-2000:]}")

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT is a fast stop, SIGQUIT an immediate one (as a crash)."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def psql(self, sql: str, database: str | None = None, user: str = "postgres") -> str:
        """Run SQL with psql inside the toolbox and return its unaligned output; fail on an error."""
        name = database or ("clickstream_dw" if self._warehouse else "postgres")
        argv = ["psql", "-X", "-qAt", "-v", "ON_ERROR_STOP=1", "-h", self.socket_dir]
        done = run(
            [*argv, "-p", str(self.port), "-U", user, "-d", name, "-c", sql],
            user="postgres",
            cwd="/",
        )
        return done.stdout.strip()

    def sqitch(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run sqitch with the warehouse's project on clickstream_dw; fail on an error."""
        target = f"db:pg://postgres@127.0.0.1:{self.port}/clickstream_dw"
        who = {"SQITCH_FULLNAME": "test", "SQITCH_EMAIL": "test@localhost.invalid"}
        argv = ["sqitch", *arguments, target]
        return run(argv, user="postgres", cwd="/src/warehouse", env=who)

    def deploy(self) -> None:
        """Make the roles and the database, and deploy the warehouse's sqitch project."""
        self.psql("CREATE DATABASE clickstream_dw", database="postgres")
        base = [
            "psql",
            "-X",
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-h",
            self.socket_dir,
            "-p",
            str(self.port),
        ]
        run(
            [
                *base,
                "-U",
                "postgres",
                "-d",
                "clickstream_dw",
                "-f",
                "/src/warehouse/tests/roles.sql",
            ],
            user="postgres",
        )
        self.sqitch("deploy", "--verify", *(["--to", self._to] if self._to else []))


# lintr takes the settings of shiny_app/.lintr by itself.
LINT = """
found <- lintr::lint_dir(".")
for (one in found) cat(one$filename, ":", one$line_number, ": ", one$message, "\\n", sep = "")
quit(status = if (length(found)) 1L else 0L)
"""


def lint_r() -> tuple[int, str]:
    """Run lintr over the dashboard; return 0 when it is clean, and what was found, a line each."""
    with scratch("r-", "postgres") as home:
        inside = inside_path(home)
        done = run(
            ["Rscript", "--vanilla", "-e", LINT],
            user="postgres",
            env={"TMPDIR": inside, "HOME": inside},
            cwd="/src/shiny_app",
            check=False,
        )
    return done.returncode, (done.stdout + done.stderr).strip()


def main(arguments: Sequence[str]) -> int:
    """Run the one command there is, `lintr`; return the exit code."""
    if list(arguments) != ["lintr"]:
        print("usage: python -m tests.toolbox lintr", file=sys.stderr)
        return 2
    try:
        code, found = lint_r()
    except ToolboxError as error:
        print(f"toolbox: {error}", file=sys.stderr)
        return 1
    if code:
        print(found)
    return code and 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
