"""`python -m private_apt_repository build|publish`: one JSON object in, one JSON object out."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from private_apt_repository import store
from private_apt_repository.errors import RepositoryError
from private_apt_repository.index import write_directory
from private_apt_repository.keys import SigningKey, verify
from private_apt_repository.resolve import Recipe, Resolved, only_one, resolve


def packages_of(files: list[str]) -> list[str]:
    """Return the names in text files: one a line, `#` starts a comment."""
    found = []
    for file in files:
        for line in Path(file).read_text().splitlines():
            if name := line.partition("#")[0].strip():
                found.append(name)
    return found


def resolved_for(wanted: dict[str, Any]) -> Resolved:
    """Resolve what the role's settings ask for."""
    names = [*wanted["packages"], *packages_of(wanted["package_files"])]
    recipe = Recipe(wanted["suite"], wanted["architecture"], tuple(sorted(set(names))))
    return resolve(recipe, Path(wanted["cache_dir"]).resolve(), float(wanted["max_age_hours"]))


def build(wanted: dict[str, Any]) -> dict[str, Any]:
    """Write the repository into a directory, signed by a throwaway key of this machine."""
    resolved = resolved_for(wanted)
    cache = Path(wanted["cache_dir"]).resolve()
    kept = cache / "local-key.asc"
    with only_one(cache / "local-key.flock"):
        if not kept.exists():
            handle = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "w") as out:
                out.write(SigningKey.generate().private)
        key = SigningKey.parse(kept.read_text())
    directory = Path(wanted["directory"]).resolve()
    changed = write_directory(resolved, key, directory)
    return {"changed": changed, "published": {"directory": str(directory), **_facts(resolved, key)}}


def publish(wanted: dict[str, Any]) -> dict[str, Any]:
    """Publish the repository and the SSM agent's package in the artifact bucket."""
    import boto3  # Here: the other command needs no AWS.

    check = bool(wanted["check"])
    session = boto3.session.Session(region_name=wanted["region"])
    s3 = session.client("s3")
    with tempfile.TemporaryDirectory(prefix="ssm-agent-") as scratch:
        deb = store.fetch(s3, wanted["agent_deb"], Path(scratch, "agent.deb"))
        signature = store.fetch(s3, wanted["agent_signature"], Path(scratch, "agent.deb.sig"))
        verify(deb, signature, Path(wanted["agent_key"]), wanted["agent_fingerprint"])
        resolved = resolved_for(wanted)
        secrets = session.client("secretsmanager")
        key = store.signing_key(secrets, wanted["secret_name"], check=check)
        if key is None:
            return {"changed": True, "differences": []}
        bucket = wanted["bucket"]
        done = store.publish(s3, bucket, wanted["prefix"], resolved, key, check=check)
        agent, digest = store.put_file(s3, bucket, wanted["agent_object"], deb, check=check)
    domain = session.get_partition_for_region(wanted["region"])
    suffix = "amazonaws.com.cn" if domain == "aws-cn" else "amazonaws.com"
    return {
        "changed": done.changed or agent,
        "differences": done.differences,
        "published": {
            "url": f"https://{bucket}.s3.{wanted['region']}.{suffix}/{wanted['prefix']}",
            "agent_key": wanted["agent_object"],
            "agent_sha256": digest,
            **_facts(resolved, key),
        },
    }


def _facts(resolved: Resolved, key: SigningKey) -> dict[str, Any]:
    return {
        "public_key": key.public,
        "key_fingerprint": key.fingerprint,
        "lock_sha256": resolved.lock_sha256,
        "packages": len(resolved.lock.splitlines()),
    }


def main() -> int:
    """Read the settings from standard input; print the answer, or one line of what to do."""
    try:
        command = {"build": build, "publish": publish}[sys.argv[1]]
    except (IndexError, KeyError):
        print(
            "usage: python -m private_apt_repository build|publish <settings.json", file=sys.stderr
        )
        return 2
    try:
        print(json.dumps(command(json.load(sys.stdin))))
    except RepositoryError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
