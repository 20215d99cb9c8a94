"""EBS volumes: a sparse file each, a loop device each, and its name in the instance."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import stat
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local_aws.namespace import require_tools
from local_aws.network import Answer
from local_aws.paths import LocalAwsError, State
from local_aws.podman import Podman

LOG = logging.getLogger("volumes")
_GIB = 1024**3
_ROOT_DEVICES = ("/dev/sda1", "/dev/xvda")
_DEVICE = re.compile(r"/dev/(sd[b-z][0-9]*|xvd[b-z][0-9]*)")


@dataclass(frozen=True)
class Attachment:
    """One data volume at one instance."""

    volume: str
    instance: str
    device: str
    size_gib: int


def attachments(volumes: Sequence[Answer]) -> list[Attachment]:
    """Return the data volumes' attachments from describe_volumes' rows, without root volumes."""
    found = []
    for volume in volumes:
        for row in volume.get("Attachments", []):
            if row.get("State", "attached") not in ("attached", "attaching"):
                continue
            if row["Device"] in _ROOT_DEVICES:
                continue
            if not _DEVICE.fullmatch(row["Device"]):
                LOG.error(
                    "event=unsupported device=%s volume=%s", row["Device"], volume["VolumeId"]
                )
                continue
            found.append(
                Attachment(
                    volume["VolumeId"], row["InstanceId"], row["Device"], int(volume["Size"])
                )
            )
    return sorted(found, key=lambda one: (one.instance, one.device))


def image_file(state: State, volume: str) -> Path:
    """Return the file that holds a volume's content."""
    return state.volumes / f"{volume}.img"


def loops_below(directory: Path) -> dict[Path, Path]:
    """Return file -> loop device for every loop device backed by a file below a directory."""
    found = {}
    for entry in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            # The kernel marks a file that was removed while it was in use.
            backing = Path(entry.read_text().strip().removesuffix(" (deleted)"))
        except OSError:
            continue
        if backing.is_relative_to(directory):
            found[backing] = Path("/dev") / entry.parent.parent.name
    return found


def ensure_loop(state: State, attachment: Attachment) -> Path:
    """Return the loop device of a volume; make its file and device when there is none."""
    state.volumes.mkdir(parents=True, exist_ok=True)
    backing = image_file(state, attachment.volume)
    size = attachment.size_gib * _GIB
    if not backing.exists() or backing.stat().st_size < size:
        with backing.open("ab") as handle:
            handle.truncate(size)
    existing = loops_below(state.volumes).get(backing)
    if existing is not None:
        return existing
    require_tools({"losetup": "mount"})
    argv = ["losetup", "--find", "--show", str(backing)]
    made = subprocess.run(argv, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise LocalAwsError(f"no loop device ({made.stderr.strip()})", "modprobe loop")
    return Path(made.stdout.strip())


def show(podman: Podman, state: State, attachment: Attachment, pid: int) -> None:
    """Make a volume appear in its running instance under the name that it was attached as.

    `pid` is the instance's first process, as numbered inside the namespace.
    """
    loop = ensure_loop(state, attachment)
    number = loop.stat().st_rdev
    node = _node(podman, pid, attachment.device)
    try:
        found = os.lstat(node)
        if stat.S_ISBLK(found.st_mode) and found.st_rdev == number:
            return
        os.unlink(node)
    except FileNotFoundError:
        pass
    os.mknod(node, stat.S_IFBLK | 0o660, number)
    LOG.info("event=attached volume=%s instance=%s", attachment.volume, attachment.instance)


def _node(podman: Podman, pid: int, device: str) -> Path:
    """Return the host's path of a device name in a running container."""
    return Path(f"/proc/{podman.namespace.pid}/root/proc/{pid}/root{device}")


def hide(podman: Podman, state: State, attachment: Attachment, pid: int) -> None:
    """Take a detached volume away from its instance, and its loop device with it."""
    with contextlib.suppress(OSError):  # the instance may be gone already
        _node(podman, pid, attachment.device).unlink(missing_ok=True)
    loop = loops_below(state.volumes).get(image_file(state, attachment.volume))
    if loop is not None:
        # Still mounted in the instance: the kernel detaches it when that ends.
        subprocess.run(["losetup", "--detach", str(loop)], capture_output=True, check=False)
    LOG.info("event=detached volume=%s instance=%s", attachment.volume, attachment.instance)


def forget(state: State, existing: Sequence[str], attached: Sequence[Attachment]) -> None:
    """Detach what no instance has any more, and remove the files of volumes that are deleted."""
    if not state.volumes.is_dir():
        return
    used = {image_file(state, one.volume) for one in attached}
    for backing, loop in loops_below(state.volumes).items():
        if backing not in used:
            subprocess.run(["losetup", "--detach", str(loop)], capture_output=True, check=False)
    kept = {image_file(state, volume) for volume in existing}
    for backing in state.volumes.glob("*.img"):
        if backing not in kept:
            backing.unlink()


def release_all(state: State, seconds: float = 5.0) -> None:
    """Detach every loop device of a miniature; raise LocalAwsError when one stays busy."""
    deadline = time.monotonic() + seconds
    while loops := loops_below(state.volumes):
        for loop in loops.values():
            subprocess.run(["losetup", "--detach", str(loop)], capture_output=True, check=False)
        if time.monotonic() > deadline:
            names = " ".join(str(loop) for loop in loops.values())
            raise LocalAwsError(f"{names} is still in use", "unmount it, then run down again")
        time.sleep(0.05)
