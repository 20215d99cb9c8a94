"""The mount, network and process namespace that one miniature's containers live in."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from local_aws.paths import REPOSITORY, LocalAwsError, State
from local_aws.processes import ProcessRecord

_CLONE_NEWNET = 0x40000000
_IP_FREEBIND = 15  # linux/in.h; not in the socket module
TOOLS = {"unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2", "mount": "mount"}
# In a mount namespace of its own, where the groups are at the same place on every host. What
# the miniatures share (podman's parent group) goes when the last one is gone.
_REMOVE_CGROUPS = """
umount -R /sys/fs/cgroup 2>/dev/null
mount -t cgroup2 none /sys/fs/cgroup && cd /sys/fs/cgroup || exit 1
for id; do
  for try in 1 2 3 4 5 6 7 8 9 10; do
    find . -depth -type d -path "*/libpod*$id*" -exec rmdir {} + 2>/dev/null
    [ -n "$(find . -maxdepth 3 -type d -name "libpod-$id*")" ] || break
    sleep 0.1
  done
done
rmdir libpod_parent/conmon libpod_parent
"""
Result = TypeVar("Result")


def require_tools(tools: dict[str, str]) -> None:
    """Raise LocalAwsError that names the Debian packages of the programs that are missing."""
    missing = sorted({package for tool, package in tools.items() if shutil.which(tool) is None})
    if missing:
        raise LocalAwsError(
            "programs are missing", f"apt-get install --no-install-recommends {' '.join(missing)}"
        )


def require_root() -> None:
    """Raise LocalAwsError unless this process may make namespaces and mounts."""
    if os.geteuid() != 0:
        raise LocalAwsError("root rights are needed for network namespaces", "run it with sudo -E")


class Namespace:
    """One miniature's namespaces, kept by a process of its own (`holder.py`)."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.record_file = state.run / "namespace.pid"

    @property
    def pid(self) -> int:
        """The host's id of the first process inside; raises LocalAwsError when there is none."""
        record = ProcessRecord.read(self.record_file)
        if record is None or not record.alive():
            raise LocalAwsError(
                f"no miniature runs in {self.state.directory}", "run `python -m local_aws up` first"
            )
        return record.pid

    def alive(self) -> bool:
        """Tell whether the namespaces exist."""
        record = ProcessRecord.read(self.record_file)
        return record is not None and record.alive()

    def ensure(self) -> None:
        """Make the namespaces unless they exist; raise LocalAwsError when the kernel refuses."""
        if self.alive():
            return
        require_root()
        require_tools(TOOLS)
        if not Path("/proc/sys/net/bridge").exists() and shutil.which("modprobe"):
            subprocess.run(["modprobe", "br_netfilter"], capture_output=True, check=False)
        self.state.prepare()
        argv = [sys.executable, "-m", "local_aws.holder", str(self.record_file)]
        done = subprocess.run(
            argv,
            cwd=REPOSITORY,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            start_new_session=True,
        )
        if done.returncode != 0:
            reason = (done.stdout + done.stderr).strip().splitlines()
            raise LocalAwsError(
                f"no namespace could be made ({reason[-1] if reason else 'no reason given'})",
                "use a machine, or a container with all rights, that may mount and unshare",
            )
        if not self.has_bridge_filter():
            self.destroy()
            raise LocalAwsError(
                "this kernel does not show bridged packets to nftables", "modprobe br_netfilter"
            )

    def has_bridge_filter(self) -> bool:
        """Tell whether security groups can be enforced between neighbours of one subnet."""
        return Path(
            f"/proc/{self.pid}/root/proc/sys/net/bridge/bridge-nf-call-iptables"
        ).exists() or (Path("/proc/sys/net/bridge/bridge-nf-call-iptables").exists())

    def command(self, argv: Sequence[str], cwd: str | None = None) -> list[str]:
        """Return the command line that runs `argv` inside."""
        entered = ["nsenter", "--target", str(self.pid)]
        entered += ["--mount", "--net", "--pid", "--ipc", f"--wdns={cwd or '/'}"]
        return [*entered, *argv]

    def run(
        self,
        argv: Sequence[str],
        *,
        check: bool = True,
        input: str | None = None,  # noqa: A002 - subprocess.run's own name
        timeout: float = 120.0,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command inside; raise CommandError for a status other than 0 when `check`."""
        process = subprocess.Popen(
            self.command(argv),
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # nsenter forks: only its whole group can be ended when time is out.
            process_group=0,
        )
        try:
            output, errors = process.communicate(input, timeout)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise CommandError(argv, -1, f"no end after {timeout:.0f} s") from error
            raise
        if check and process.returncode != 0:
            raise CommandError(argv, process.returncode, errors or output)
        return subprocess.CompletedProcess(list(argv), process.returncode, output, errors)

    def in_network(self, function: Callable[[], Result]) -> Result:
        """Call `function` in a thread that is in the network namespace; return its result."""
        return in_network_of(f"/proc/{self.pid}/ns/net", function)

    def destroy(self) -> None:
        """End everything inside, then the control groups it left; safe when there is nothing."""
        record = ProcessRecord.read(self.record_file)
        if record is not None:
            # The kernel ignores SIGTERM for a first process without a handler, and kills all
            # processes of the namespace when the first one is killed.
            record.end(grace=0.0)
        self.record_file.unlink(missing_ok=True)
        self._remove_cgroups()

    def _remove_cgroups(self) -> None:
        """Remove the control groups of this state's containers, which are known by their ids."""
        stores = ("overlay-containers", "vfs-containers")
        found = [self.state.podman.glob(f"storage/{store}/*/") for store in stores]
        ids = [path.name for paths in found for path in paths]
        if ids and os.geteuid() == 0:
            argv = ["unshare", "--mount", "--propagation", "slave", "sh", "-c", _REMOVE_CGROUPS]
            subprocess.run([*argv, "sh", *ids], capture_output=True, check=False)


class CommandError(LocalAwsError):
    """A program inside the namespace ended with a status other than 0."""

    def __init__(self, argv: Sequence[str], status: int, output: str) -> None:
        lines = [line for line in output.strip().splitlines() if line.strip()]
        shown = " ".join(argv[:6])
        super().__init__(f"`{shown}` failed ({status})", lines[-1] if lines else "it said nothing")
        self.status = status
        self.output = output


def in_network_of(namespace_file: str, function: Callable[[], Result]) -> Result:
    """Call `function` in a thread moved to the network namespace of that file.

    A socket stays in the namespace that it was made in, so it may be used by any thread after.
    """
    results: list[Result] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            descriptor = os.open(namespace_file, os.O_RDONLY | os.O_CLOEXEC)
            try:
                if libc.setns(descriptor, _CLONE_NEWNET) != 0:
                    code = ctypes.get_errno()
                    raise OSError(code, os.strerror(code))
            finally:
                os.close(descriptor)
            results.append(function())
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work, name="setns")
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
    return results[0]


def listen_in(
    namespace: Namespace | str,
    address: str,
    port: int,
    kind: socket.SocketKind = socket.SOCK_STREAM,
) -> socket.socket:
    """Return a bound socket (a stream one listens) inside a network namespace.

    `namespace` is a miniature's, or the path of any namespace file, as Podman.network_file
    gives for one container. The address need not exist yet.
    """

    def make() -> socket.socket:
        made = socket.socket(socket.AF_INET, kind)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
            made.bind((address, port))
            if kind == socket.SOCK_STREAM:
                made.listen(512)
        except OSError:
            made.close()
            raise
        return made

    if isinstance(namespace, Namespace):
        return namespace.in_network(make)
    return in_network_of(namespace, make)
