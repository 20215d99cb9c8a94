"""Podman inside a miniature's namespace, apart from the user's own podman."""

from __future__ import annotations

import json
import resource
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from local_aws.namespace import CommandError, Namespace, require_tools
from local_aws.paths import CACHE, LocalAwsError, State, write_atomically

TOOLS = {"podman": "podman", "crun": "crun", "conmon": "conmon", "nft": "nftables"}
_NETAVARK = ("/usr/lib/podman/netavark", "/usr/libexec/podman/netavark", "/usr/bin/netavark")

# What a booted systemd needs: its own control groups, and the rights to mount.
BOOTED = ("--privileged", "--systemd=always", "--cgroups=enabled", "--cgroupns=private")

_WRAPPER = """#!/bin/sh
# Podman of the miniature in {directory}.
read -r pid started <"{record}" 2>/dev/null || pid=
if [ -z "$pid" ] || [ ! -d "/proc/$pid" ]; then
  echo "podman: no miniature runs in {directory}: run 'python -m local_aws up' first" >&2
  exit 125
fi
# Where a container's files are, as the container itself sees them: Ansible's connection copies to
# there. The answer of podman's own mount has meaning inside alone.
if [ "$1" = mount ] && [ $# = 2 ]; then
  first=$({enter} inspect --format '{{{{.State.Pid}}}}' "$2") || exit
  echo "/proc/$pid/root/proc/$first/root"
  exit
fi
exec {enter} "$@"
"""


def driver_for(filesystem: str) -> str:
    """Return podman's storage driver for a directory on that file system type."""
    return "vfs" if filesystem in ("overlayfs", "overlay", "fuseblk", "nfs") else "overlay"


def _filesystem(directory: Path) -> str:
    argv = ["stat", "--file-system", "--format=%T", str(directory)]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def _limits() -> list[str]:
    """Return ulimits that this machine allows: raising one above the hard limit would fail."""
    lines = []
    for name, kind, soft, most in (
        ("nofile", resource.RLIMIT_NOFILE, 10_000, 524_288),
        ("nproc", resource.RLIMIT_NPROC, 8_192, 8_192),
    ):
        hard = resource.getrlimit(kind)[1]
        top = most if hard == resource.RLIM_INFINITY else min(hard, most)
        lines.append(f"{name}={min(soft, top)}:{top}")
    return lines


class Podman:
    """Run podman for one miniature; containers end when its namespace does."""

    def __init__(self, state: State | Path | str) -> None:
        self.state = state if isinstance(state, State) else State.at(state)
        self.namespace = Namespace(self.state)

    @property
    def image_store(self) -> Path:
        """Where base images are, shared by all miniatures of this checkout, read only."""
        return CACHE / "images" / driver_for(_filesystem(self.state.podman))

    def configure(self) -> None:
        """Write podman's settings and the wrapper program; raise LocalAwsError without podman."""
        require_tools(TOOLS)
        if not any(Path(place).exists() for place in _NETAVARK):
            raise LocalAwsError("netavark is missing", "apt-get install netavark")
        self.state.prepare()
        self.image_store.mkdir(parents=True, exist_ok=True)
        quoted = json.dumps  # a TOML basic string for every path there is
        self._storage(
            self.state.podman / "storage.conf", self.state.podman / "storage", [self.image_store]
        )
        self._storage(self.state.podman / "build-storage.conf", self.image_store, [])
        containers = (
            f"[containers]\ndefault_ulimits = {quoted(_limits())}\npids_limit = 0\n"
            'http_proxy = false\nlog_driver = "k8s-file"\ntz = ""\nseccomp_profile = "unconfined"\n'
            '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "none"\nruntime = "crun"\n'
            '[network]\nnetwork_backend = "netavark"\n'
            f"network_config_dir = {quoted(str(self.state.podman / 'networks'))}\n"
        )
        write_atomically(self.state.podman / "containers.conf", containers)
        wrapper = _WRAPPER.format(
            directory=self.state.directory,
            record=self.namespace.record_file,
            enter='nsenter --target "$pid" --mount --net --pid --ipc --wdns="$PWD" '
            + " ".join(f'"{part}"' for part in [*self._environment("storage.conf"), "podman"]),
        )
        write_atomically(self.state.podman_wrapper, wrapper, mode=0o755)

    def _storage(self, path: Path, root: Path, shared: list[Path]) -> None:
        driver = driver_for(_filesystem(self.state.podman))
        write_atomically(
            path,
            f'[storage]\ndriver = "{driver}"\ngraphroot = {json.dumps(str(root))}\n'
            'runroot = "/run/containers/storage"\n[storage.options]\n'
            f"additionalimagestores = {json.dumps([str(store) for store in shared])}\n",
        )

    def _environment(self, storage: str) -> list[str]:
        settings = self.state.podman
        return [
            "env",
            f"CONTAINERS_CONF={settings / 'containers.conf'}",
            f"CONTAINERS_STORAGE_CONF={settings / storage}",
        ]

    def command(self, *args: str) -> list[str]:
        """Return the command line of one podman call, for a process of the caller's own."""
        return self.namespace.command([*self._environment("storage.conf"), "podman", *args])

    def run(
        self,
        *args: str,
        check: bool = True,
        input: str | None = None,  # noqa: A002 - subprocess.run's own name
        timeout: float = 120.0,
        storage: str = "storage.conf",
    ) -> subprocess.CompletedProcess[str]:
        """Run `podman ARGS`; raise CommandError for a status other than 0 when `check`."""
        argv = [*self._environment(storage), "podman", *args]
        try:
            return self.namespace.run(argv, check=check, input=input, timeout=timeout)
        except CommandError as error:
            raise CommandError(["podman", *args], error.status, error.output) from None

    def exists(self, container: str) -> bool:
        """Tell whether a container of that name or id exists, running or not."""
        return self.run("container", "exists", container, check=False).returncode == 0

    def running(self, container: str) -> bool:
        """Tell whether a container of that name or id runs."""
        template = "{{.State.Running}}"
        return self.run("inspect", "--format", template, container, check=False).stdout == "true\n"

    def containers(self, label: str) -> list[dict[str, Any]]:
        """Return `podman ps` rows (running or not) of the containers with that label."""
        found = self.run("ps", "--all", "--filter", f"label={label}", "--format", "json")
        rows: list[dict[str, Any]] = json.loads(found.stdout or "[]")
        return rows

    def pid(self, container: str) -> int:
        """Return the first process of a container, as numbered inside the namespace."""
        return int(self.run("inspect", "--format", "{{.State.Pid}}", container).stdout)

    def network_file(self, container: str) -> str:
        """Return the host's path of a container's network namespace, for listen_in and setns."""
        return f"/proc/{self.namespace.pid}/root/proc/{self.pid(container)}/ns/net"

    def in_container(
        self, container: str, argv: Sequence[str], namespaces: Sequence[str] = ("--net",)
    ) -> subprocess.CompletedProcess[str]:
        """Run one of this machine's programs in some of a container's namespaces."""
        enter = ["nsenter", "--target", str(self.pid(container)), *namespaces]
        return self.namespace.run([*enter, *argv])

    def remove(self, container: str) -> None:
        """Remove a container, ended by force if it runs; no error when there is none."""
        self.run("rm", "--force", "--time", "0", "--ignore", container)
