"""Who this instance is, from the files that cloud-init and the agent's package leave on it."""

from __future__ import annotations

import contextlib
import json
import platform
import socket
from pathlib import Path
from typing import Any

INSTANCE_ID = Path("/var/lib/cloud/data/instance-id")
SETTINGS = Path("/etc/amazon/ssm/amazon-ssm-agent.json")
INSTANCE_DATA = (
    Path("/run/cloud-init/instance-data.json"),
    Path("/var/lib/cloud/data/instance-data.json"),
)
RESOLVER = Path("/etc/resolv.conf")
_INTERNAL = ".compute.internal"
VERSION = "3.3.0.0"


class IdentityError(Exception):
    """The instance does not know its id or its region (yet)."""


def instance_id() -> str:
    """Read the instance's id; raise IdentityError if there is none."""
    try:
        found = INSTANCE_ID.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise IdentityError(f"{INSTANCE_ID}: {error}") from error
    if not found:
        raise IdentityError(f"{INSTANCE_ID} is empty")
    return found


def region() -> str:
    """Read the region; raise IdentityError if nothing tells it.

    Looks at the agent's settings (Agent.Region), cloud-init's data, and the domain that a VPC's
    resolver searches (`<region>.compute.internal`).
    """
    sources = [(SETTINGS, ("Agent", "Region")), *((p, ("v1", "region")) for p in INSTANCE_DATA)]
    for path, (section, key) in sources:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))[section][key]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if isinstance(found, str) and found:
            return found
    with contextlib.suppress(OSError):
        for line in RESOLVER.read_text(encoding="utf-8").splitlines():
            for domain in line.split()[1:] if line.startswith("search") else []:
                if domain.endswith(_INTERNAL):
                    return domain.removesuffix(_INTERNAL)
    names = ", ".join(str(path) for path in (*(path for path, _ in sources), RESOLVER))
    raise IdentityError(f"no region in {names}")


def describe(identity: str, address: str) -> dict[str, Any]:
    """Say what DescribeInstanceInformation shows of this machine."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        release = {}
    return {
        "instance_id": identity,
        "agent_version": VERSION,
        "ip_address": address,
        "platform_name": release.get("NAME", "Linux"),
        "platform_version": release.get("VERSION_ID", ""),
        "computer_name": socket.gethostname(),
    }
