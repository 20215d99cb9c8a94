"""The base image: Debian 13 as AWS's image has it, as far as a container can tell.

Built once by mmdebstrap into build/cache, named by the hash of its recipe, and shared by all
miniatures of this checkout. What AWS gives an instance besides (cloud-init, the instance's
identity) is represented by `guest/`: a runner for user data, and nothing that a role could
lean on.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from local_aws.namespace import require_tools
from local_aws.paths import CACHE, LocalAwsError
from local_aws.podman import Podman
from local_aws.processes import die_with_parent

SUITE = "trixie"
# Of what Debian's image for AWS has, that which user data, Ansible and apt need.
PACKAGES = (
    "ca-certificates", "curl", "dbus", "e2fsprogs", "iproute2", "passwd", "procps", "python3",
    "python3-apt", "sudo", "systemd", "systemd-sysv", "tzdata", "util-linux",
)  # fmt: skip
GUEST = Path(__file__).resolve().parent / "guest"
_BUILD_SECONDS = 600
_CHANGES = ("--change", 'CMD ["/sbin/init"]', "--change", "STOPSIGNAL SIGRTMIN+3")

# Services that have no kernel to load modules into and no console to serve, and that would only
# cost time; apt's timers would wake in a host that can reach nothing but its own repository.
_MASKED = (
    "systemd-modules-load.service", "systemd-udevd.service", "getty.target", "console-getty.service",
    "apt-daily.timer", "apt-daily-upgrade.timer", "systemd-firstboot.service", "fstrim.timer",
    "modprobe@.service", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
    "dev-hugepages.mount", "proc-sys-fs-binfmt_misc.automount",
)  # fmt: skip
_GUEST_FILES = (
    ("user-data", "usr/lib/local-aws/user-data", "0755"),
    (
        "local-aws-user-data.service",
        "etc/systemd/system/local-aws-user-data.service",
        "0644",
    ),
)
_CUSTOMIZE = (
    # Debian's image for AWS names its mirrors in deb822 form; without a way out they stay unread.
    r"""cd "$1/etc/apt" && sed -nE 's/^deb (\[[^]]*\] )?([^ ]+) ([^ ]+) (.*)$/"""
    r"""Types: deb\nURIs: \2\nSuites: \3\nComponents: \4\n/p' sources.list """
    r""">sources.list.d/debian.sources && rm sources.list""",
    'chroot "$1" systemctl mask --quiet ' + " ".join(_MASKED),
    'chroot "$1" useradd --create-home --shell /bin/bash --comment "Debian" admin',
    'printf "admin ALL=(ALL) NOPASSWD:ALL\\n" >"$1/etc/sudoers.d/90-cloud-init-users"',
    'rm -f "$1/etc/machine-id" && printf "uninitialized\\n" >"$1/etc/machine-id"',
    'rm -f "$1/etc/hostname" "$1/etc/resolv.conf"',
    # The kernel is the machine's own: what it says is not this instance's.
    'mkdir -p "$1/etc/systemd/journald.conf.d" && '
    'printf "[Journal]\\nReadKMsg=no\\n" >"$1/etc/systemd/journald.conf.d/container.conf"',
    'chroot "$1" systemctl enable --quiet local-aws-user-data.service',
)


def recipe() -> str:
    """Return everything that decides the image's content, as text."""
    guest = [f"{path.name}\n{path.read_text()}" for path in sorted(GUEST.iterdir())]
    return "\n".join([SUITE, *PACKAGES, *_CUSTOMIZE, *guest])


def name() -> str:
    """Return the image's name, which changes with its recipe."""
    return "localhost/local-aws-base:" + hashlib.sha256(recipe().encode()).hexdigest()[:12]


def ensure(podman: Podman) -> str:
    """Return the base image's name, building or importing it first when need be.

    Needs a network the first time (about 20 s); raises LocalAwsError when it cannot be built.
    """
    image = name()
    if podman.run("image", "exists", image, check=False).returncode == 0:
        return image
    with _only_one(CACHE / "image.lock"):
        # Asked of the store itself: another miniature may have imported it while this one waited.
        held = podman.run("image", "exists", image, check=False, storage="build-storage.conf")
        if held.returncode != 0:
            tar = _build(CACHE / f"base-{image.rpartition(':')[2]}.tar")
            argv = ("import", "--quiet", *_CHANGES, str(tar), image)
            podman.run(*argv, storage="build-storage.conf", timeout=_BUILD_SECONDS)
    if podman.run("image", "exists", image, check=False).returncode != 0:
        # A store that this podman cannot share: keep a copy of its own.
        tar = _build(CACHE / f"base-{image.rpartition(':')[2]}.tar")
        podman.run("import", "--quiet", *_CHANGES, str(tar), image, timeout=_BUILD_SECONDS)
    return image


@contextmanager
def _only_one(lock: Path) -> Iterator[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _build(tar: Path) -> Path:
    if tar.exists():
        return tar
    require_tools({"mmdebstrap": "mmdebstrap"})
    for stale in (*CACHE.glob("base-*.partial"), *CACHE.glob("base-*.tar")):
        stale.unlink()
    partial = tar.with_suffix(".partial")
    argv = ["mmdebstrap", "--quiet", "--variant=apt", "--include=" + ",".join(PACKAGES)]
    argv.append('--aptopt=Acquire::Retries "3"')
    for source, target, mode in _GUEST_FILES:
        install = f'install -D -m {mode} "{GUEST / source}" "$1/{target}"'
        argv.append(f"--customize-hook={install}")
    argv += [f"--customize-hook={hook}" for hook in _CUSTOMIZE]
    argv += ["--format=tar", SUITE, str(partial)]
    done = _alone(argv)
    if done.returncode != 0:
        partial.unlink(missing_ok=True)
        reasons = [line for line in done.stderr.splitlines() if line.startswith("E:")]
        raise LocalAwsError(
            f"the base image could not be built ({reasons[0] if reasons else done.stderr[-200:]!r})",
            "check that apt-get update works on this machine",
        )
    partial.replace(tar)
    return tar


def _alone(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run the build so that killing this process leaves no process and no mount of it."""
    # Not below the cache: apt's own user must be able to reach it.
    owner = hashlib.sha256(str(CACHE).encode()).hexdigest()[:12]
    scratch = Path(tempfile.gettempdir()) / f"local-aws-image-{owner}"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o755)
    enter = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--mount-proc"]
    enter += ["--kill-child=SIGKILL", "env", f"TMPDIR={scratch}"]
    try:
        return subprocess.run(
            [*enter, *argv],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_BUILD_SECONDS,
            preexec_fn=die_with_parent,
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
