"""What a miniature tells the programs that use it: an environment and an Ansible inventory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.request import getproxies

from local_aws import agent
from local_aws.paths import REGION, REPOSITORY, State, write_atomically

PLUGIN = REPOSITORY / "local_aws" / "bin" / "session-manager-plugin"
ENDPOINT = "AWS_ENDPOINT_URL"
# Checked by nobody, as the miniature listens on loopback alone; clients only need to have some.
_ACCESS_KEY = "AKIAIOSFODNN7EXAMPLE"  # AWS's own example
_SECRET_KEY = "miniature"  # noqa: S105


def environment(state: State, ports: Mapping[str, int]) -> dict[str, str]:
    """Return the variables that point an AWS client at a miniature."""
    proxy = f"http://127.0.0.1:{ports['proxy']}"
    # What the user's own proxy is not asked for, this one is not asked for either.
    direct = ",".join(filter(None, ("127.0.0.1,localhost", getproxies().get("no"))))
    return {
        ENDPOINT: f"http://127.0.0.1:{ports['control']}",
        "AWS_ACCESS_KEY_ID": _ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": _SECRET_KEY,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_CA_BUNDLE": str(state.ca_bundle),
        # In both spellings: programs differ in which one wins.
        **dict.fromkeys(("HTTPS_PROXY", "https_proxy"), proxy),
        **dict.fromkeys(("NO_PROXY", "no_proxy"), direct),
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def inventory(state: State) -> dict[str, object]:
    """Return an Ansible inventory with nothing but what a local run needs besides."""
    package = agent.build(state.directory / "agent")
    variables = {
        "ansible_aws_ssm_plugin": str(PLUGIN),
        "ansible_aws_ssm_bucket_endpoint_url": f"https://s3.{REGION}.amazonaws.com",
        "private_apt_agent_deb": str(package.deb),
        "private_apt_agent_signature": str(package.signature),
        "private_apt_agent_key": str(package.public_key),
        "private_apt_agent_fingerprint": package.fingerprint,
    }
    return {"all": {"vars": variables}}


def publish(state: State, ports: Mapping[str, int]) -> None:
    """Write `env` and `inventory.yml` into the state directory."""
    lines = [f"{name}={value}\n" for name, value in environment(state, ports).items()]
    # JSON is YAML, and needs no quoting rules of its own.
    write_atomically(state.inventory_file, json.dumps(inventory(state), indent=2) + "\n")
    write_atomically(state.env_file, "".join(lines), mode=0o600)
