"""Build the agent's Debian package and sign it with a key made for this once.

AWS publishes its agent the same way: a package, a detached signature, a public key whose
fingerprint is in the documentation.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from local_aws.agent.program.identity import VERSION

_PROGRAM = Path(__file__).parent / "program"
_KEY_OWNER = "Throwaway key of the miniature's SSM agent"
_EPOCH = "1735689600"  # all times in the package, so that its bytes depend on its content alone

_CONTROL = f"""Package: amazon-ssm-agent
Version: {VERSION}
Section: admin
Priority: optional
Architecture: all
Depends: python3 (>= 3.11)
Maintainer: Miniature <root@localhost>
Description: stand-in for the SSM agent in a miniature of AWS
 It serves Session Manager's shells and forwarded ports, and nothing else.
"""

_POSTINST = """#!/bin/sh
set -e
if [ "$1" = configure ] && command -v systemctl >/dev/null; then
    systemctl --quiet enable amazon-ssm-agent.service
    if [ -d /run/systemd/system ]; then
        systemctl daemon-reload
        systemctl restart amazon-ssm-agent.service
    fi
fi
"""

_PRERM = """#!/bin/sh
set -e
if [ "$1" = remove ] && command -v systemctl >/dev/null; then
    if [ -d /run/systemd/system ]; then systemctl stop amazon-ssm-agent.service; fi
    systemctl --quiet disable amazon-ssm-agent.service
fi
"""

# Like the real one: ending the agent ends its sessions, not the services started in them.
_UNIT = """[Unit]
Description=amazon-ssm-agent
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=/usr/bin/amazon-ssm-agent
KillMode=process
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""

_LAUNCHER = """#!/usr/bin/python3 -I
import sys

sys.path.append("/usr/lib/amazon-ssm-agent")
from ssm_agent.__main__ import main

sys.exit(main())
"""


@dataclass(frozen=True)
class AgentPackage:
    """Files of a signed agent, and the fingerprint of the key (40 hex digits)."""

    deb: Path
    signature: Path
    public_key: Path
    fingerprint: str


def build(dest_dir: Path) -> AgentPackage:
    """Build and sign the package in `dest_dir`; keep what an earlier call built from the same.

    Raises subprocess.CalledProcessError if dpkg-deb or gpg fails.
    """
    dest_dir.mkdir(parents=True, exist_ok=True)
    package = AgentPackage(
        dest_dir / f"amazon-ssm-agent_{VERSION}_all.deb",
        dest_dir / f"amazon-ssm-agent_{VERSION}_all.deb.sig",
        dest_dir / "amazon-ssm-agent.gpg",
        "",
    )
    record = dest_dir / "amazon-ssm-agent.json"
    recipe = _recipe()
    if record.exists():
        known = json.loads(record.read_text(encoding="utf-8"))
        paths = (package.deb, package.signature, package.public_key)
        if known.get("recipe") == recipe and all(path.exists() for path in paths):
            return AgentPackage(*paths, known["fingerprint"])
    record.unlink(missing_ok=True)
    _pack(package.deb)
    package = AgentPackage(**{**asdict(package), "fingerprint": _sign(package)})
    record.write_text(
        json.dumps({"recipe": recipe, "fingerprint": package.fingerprint}) + "\n", encoding="utf-8"
    )
    return package


def _recipe() -> str:
    """Hash everything that goes into the package."""
    digest = hashlib.sha256()
    for source in (Path(__file__), *sorted(_PROGRAM.glob("*.py"))):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()


def _pack(deb: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="ssm-agent-") as name:
        root = Path(name) / "root"
        library = root / "usr/lib/amazon-ssm-agent/ssm_agent"
        library.mkdir(parents=True)
        for source in sorted(_PROGRAM.glob("*.py")):
            shutil.copyfile(source, library / source.name)
        files = {
            "DEBIAN/control": (_CONTROL, 0o644),
            "DEBIAN/postinst": (_POSTINST, 0o755),
            "DEBIAN/prerm": (_PRERM, 0o755),
            "usr/bin/amazon-ssm-agent": (_LAUNCHER, 0o755),
            "usr/lib/systemd/system/amazon-ssm-agent.service": (_UNIT, 0o644),
        }
        for path, (text, mode) in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, encoding="utf-8")
            (root / path).chmod(mode)
        for path_in_root in (root, *root.rglob("*")):
            if path_in_root.is_dir():
                path_in_root.chmod(0o755)
            elif path_in_root.parent == library:
                path_in_root.chmod(0o644)
        subprocess.run(
            ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(root), str(deb)],
            check=True,
            capture_output=True,
            env={**os.environ, "SOURCE_DATE_EPOCH": _EPOCH},
        )


def _sign(package: AgentPackage) -> str:
    """Sign with a new key, export its public half, and give its fingerprint."""
    with tempfile.TemporaryDirectory(prefix="ssm-key-") as home:

        def gpg(*arguments: str) -> str:
            return subprocess.run(
                ["gpg", "--homedir", home, "--batch", "--no-tty", "--quiet", "--yes", *arguments],
                check=True,
                capture_output=True,
                text=True,
            ).stdout

        try:
            gpg("--passphrase", "", "--quick-generate-key", _KEY_OWNER, "ed25519", "sign", "never")
            listing = gpg("--with-colons", "--list-keys").splitlines()
            fingerprint = next(line.split(":")[9] for line in listing if line.startswith("fpr:"))
            gpg("--output", str(package.signature), "--detach-sign", str(package.deb))
            gpg("--output", str(package.public_key), "--armor", "--export", fingerprint)
        finally:
            stop = ["gpgconf", "--homedir", home, "--kill", "gpg-agent"]
            subprocess.run(stop, check=False, capture_output=True)
    return fingerprint
