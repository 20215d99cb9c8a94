"""A booted Debian 13 host without AWS around it and without any network: to test roles on."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path

from local_aws import image
from local_aws.paths import LocalAwsError
from local_aws.podman import BOOTED, Podman

LABEL = "local-aws.host"
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_BOOT_SECONDS = 60.0
_NETWORK = "hosts"
_SUBNET = "192.168.64.0/20"
_GATEWAY = "192.168.64.1"


def parse_mount(text: str) -> str:
    """Check `SRC:DST[:ro]` and return it with SRC absolute; raise LocalAwsError otherwise."""
    source, _, rest = text.partition(":")
    target, _, options = rest.partition(":")
    if not target.startswith("/") or options not in ("", "ro", "rw"):
        raise LocalAwsError(f"--mount {text} is not understood", "write SRC:/ABSOLUTE/DST[:ro]")
    if not Path(source).exists():
        raise LocalAwsError(f"--mount: {source} does not exist", "make it first")
    return f"{Path(source).resolve()}:{target}:{options or 'rw'}"


def create(podman: Podman, host: str, mounts: Sequence[str] = ()) -> None:
    """Boot a host of that name unless it runs already; return when its systemd is up.

    It has a private address and no default route or resolver, so a role that reaches for the
    internet fails at once.
    """
    if not _NAME.fullmatch(host):
        raise LocalAwsError(f"{host!r} is not a host name", "use a to z, 0 to 9 and -")
    if podman.running(host):
        return
    podman.remove(host)
    base = image.ensure(podman)
    options = ["--name", host, "--hostname", host, "--label", f"{LABEL}={host}", *BOOTED]
    options += ["--network", _network(podman), "--dns", "127.0.0.1"]
    for mount in mounts:
        options += ["--volume", parse_mount(mount)]
    podman.run("run", "--detach", *options, base)
    wait_for_boot(podman, host)


def _network(podman: Podman) -> str:
    if podman.run("network", "exists", _NETWORK, check=False).returncode != 0:
        options = ["--internal", "--disable-dns", "--subnet", _SUBNET, "--gateway", _GATEWAY]
        podman.run("network", "create", *options, _NETWORK)
    return _NETWORK


def wait_for_boot(podman: Podman, container: str, seconds: float = _BOOT_SECONDS) -> str:
    """Wait until systemd has started what it starts; return its verdict (`running`, `degraded`).

    Raises LocalAwsError with the end of the journal when it does not get there in time.
    """
    deadline = time.monotonic() + seconds
    verdict = "not started"
    while time.monotonic() < deadline:
        asked = podman.run("exec", container, "systemctl", "is-system-running", check=False)
        verdict = asked.stdout.strip() or asked.stderr.strip()
        if verdict in ("running", "degraded"):
            return verdict
        time.sleep(0.1)
    journal = podman.run("exec", container, "journalctl", "--no-pager", "-n", "20", check=False)
    shown = (journal.stdout or podman.run("logs", container, check=False).stdout).strip()
    raise LocalAwsError(f"{container} did not boot ({verdict})", shown[-500:])


def remove(podman: Podman, host: str) -> None:
    """Remove a host of that name; no error when there is none."""
    if podman.namespace.alive():
        podman.remove(host)
