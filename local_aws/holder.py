"""The process that a miniature's namespaces belong to: when it ends, all inside ends with it.

Run as `python -m local_aws.holder RECORD`. It makes mount, network, process and IPC
namespaces of its own, keeps its process record in RECORD, prints `ready` and stays as the
first process in there. Nothing of this touches the machine's own mounts: the new mount
namespace only receives from it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

from local_aws.processes import ProcessRecord

_NEWNS, _NEWIPC, _NEWPID, _NEWNET = 0x20000, 0x8000000, 0x20000000, 0x40000000

# /run and /dev/shm hold podman's locks and sockets: private ones cannot meet the user's podman.
# A fresh sysfs shows this network namespace; a plain cgroup2 mount suits crun on every host.
_SET_UP = """set -e
mount --make-rslave /
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
umount -R /sys/fs/cgroup 2>/dev/null || true
mount -t sysfs none /sys
mount -t cgroup2 none /sys/fs/cgroup
ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward
for call in /proc/sys/net/bridge/bridge-nf-call-ip*tables; do
  if [ -e "$call" ]; then echo 1 >"$call"; fi
done
"""


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"unshare: {os.strerror(code)}")


def _set_up() -> None:
    done = subprocess.run(["sh", "-c", _SET_UP], capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(done.stderr.strip() or f"status {done.returncode}")


def _reap_for_ever() -> None:
    """Take over orphans, as the first process of a process namespace must."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass
        signal.sigwaitinfo({signal.SIGCHLD})


def main(record: Path) -> int:
    """Make the namespaces and leave their first process behind; return 0 when it is ready."""
    _unshare(_NEWNS | _NEWIPC | _NEWPID | _NEWNET)
    may_go, recorded = os.pipe()
    hears, says = os.pipe()
    child = os.fork()
    if child:
        os.close(may_go)
        os.close(says)
        found = ProcessRecord.of(child)
        if found is None:
            return 1
        found.write(record)
        os.write(recorded, b"go")
        with os.fdopen(hears) as answer:
            verdict = answer.read()
        print(verdict or "the first process died")
        return 0 if verdict == "ready" else 1
    os.close(recorded)
    os.close(hears)
    # A parent that was killed before it wrote the record must not leave a nameless namespace.
    if os.read(may_go, 2) != b"go":
        return 1
    os.setsid()
    try:
        _set_up()
    except OSError as error:
        os.write(says, str(error).encode())
        return 1
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    os.write(says, b"ready")
    os.close(says)
    _reap_for_ever()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
