"""Where one miniature keeps its files, and the one kind of error that its user sees."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

REGION = "ap-southeast-1"
REPOSITORY = Path(__file__).resolve().parent.parent
CACHE = REPOSITORY / "build" / "cache"

# What `up` makes in a state directory and `down` takes away again; logs stay for whoever looks.
_OWN_DIRECTORIES = ("run", "ca", "bin", "podman", "instances", "volumes", "hosts", "agent", "tmp")
_OWN_FILES = ("env", "inventory.yml")


class LocalAwsError(Exception):
    """Say in one line what is wrong and what to do about it."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(f"{message}: {remedy}" if remedy else message)


@dataclass(frozen=True)
class State:
    """One miniature's directory; every path that the parts share is named here."""

    directory: Path

    @classmethod
    def at(cls, directory: str | os.PathLike[str]) -> State:
        """Return the state kept in `directory`, as an absolute path without links."""
        state = cls(Path(directory).expanduser().resolve())
        for hidden in ("/run", "/dev", "/proc", "/sys"):
            if state.directory.is_relative_to(hidden):
                raise LocalAwsError(
                    f"{state.directory} cannot hold a miniature",
                    "choose a --state outside " + hidden,
                )
        return state

    @property
    def name(self) -> str:
        """A short name of this state that no other directory has."""
        return "local-aws-" + hashlib.sha256(str(self.directory).encode()).hexdigest()[:12]

    @property
    def run(self) -> Path:
        """Process records, locks and what the processes tell each other."""
        return self.directory / "run"

    @property
    def logs(self) -> Path:
        """One file for each process, instance and function; left in place by `down`."""
        return self.directory / "logs"

    @property
    def ca_certificate(self) -> Path:
        """The throwaway authority's certificate."""
        return self.directory / "ca" / "ca.crt"

    @property
    def ca_key(self) -> Path:
        """The throwaway authority's private key."""
        return self.directory / "ca" / "ca.key"

    @property
    def ca_bundle(self) -> Path:
        """This machine's authorities and the throwaway one, for AWS_CA_BUNDLE."""
        return self.directory / "ca" / "bundle.crt"

    @property
    def podman_wrapper(self) -> Path:
        """A program that is podman inside this state's namespace."""
        return self.directory / "bin" / "podman"

    @property
    def podman(self) -> Path:
        """Podman's images, containers, networks and settings."""
        return self.directory / "podman"

    @property
    def instances(self) -> Path:
        """One directory for each instance: what cloud-init's stand-in reads and writes."""
        return self.directory / "instances"

    @property
    def volumes(self) -> Path:
        """One sparse file for each data volume."""
        return self.directory / "volumes"

    @property
    def network_map(self) -> Path:
        """What the reconciler tells the gateway: subnets, doors, endpoints, instances."""
        return self.run / "network.json"

    @property
    def env_file(self) -> Path:
        """KEY=VALUE lines for every program that is to talk to this miniature."""
        return self.directory / "env"

    @property
    def inventory_file(self) -> Path:
        """The Ansible variables that point a playbook at this miniature."""
        return self.directory / "inventory.yml"

    def prepare(self) -> None:
        """Make the directories; raise LocalAwsError when that cannot be done here."""
        try:
            for directory in (self.run, self.logs, self.podman_wrapper.parent, self.podman):
                directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LocalAwsError(
                f"{self.directory} cannot be used ({error.strerror})", "choose another --state"
            ) from error

    @contextmanager
    def lock(self, name: str = "") -> Iterator[None]:
        """Hold the state's lock (or one of a name of its own), waiting for whoever has it."""
        self.prepare()
        target = self.run / f"{name}.lock" if name else self.directory
        flags = os.O_RDWR | os.O_CREAT if name else os.O_RDONLY
        descriptor = os.open(target, flags | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def environment(self) -> dict[str, str]:
        """Read the env file; raise LocalAwsError when the miniature is not up."""
        try:
            lines = self.env_file.read_text().splitlines()
        except FileNotFoundError:
            raise LocalAwsError(
                f"no miniature runs in {self.directory}", "run `python -m local_aws up` first"
            ) from None
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def erase(self) -> None:
        """Remove everything that `up` made here except the logs and what is not ours."""
        for name in _OWN_DIRECTORIES:
            shutil.rmtree(self.directory / name, ignore_errors=True)
        for name in _OWN_FILES:
            (self.directory / name).unlink(missing_ok=True)
        for directory in (self.logs, self.directory):
            if directory.is_dir() and not any(directory.iterdir()):
                directory.rmdir()


def write_atomically(path: Path, content: str, mode: int = 0o644) -> None:
    """Replace a file's content so that a reader sees the old or the new one, whole."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as handle:
        handle.write(content)
    partial.replace(path)
