"""Run the agent. The options are for tests; an instance's agent has none."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time

from . import identity
from .link import Endpoint, run

_IDENTITY_RETRY = 1.0


def main() -> int:
    """Find out who and where this instance is, and serve its sessions."""
    parser = argparse.ArgumentParser(prog="amazon-ssm-agent")
    parser.add_argument("--version", action="version", version=identity.VERSION)
    parser.add_argument("--test-endpoint", metavar="HOST:PORT", help="plain TCP instead of TLS")
    parser.add_argument("--test-instance-id", metavar="ID")
    options = parser.parse_args()
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(levelname)s %(message)s")
    while True:
        try:
            instance_id = options.test_instance_id or identity.instance_id()
            if options.test_endpoint:
                host, _, port = options.test_endpoint.rpartition(":")
                endpoint = Endpoint(host, int(port), tls=False)
            else:
                endpoint = Endpoint(f"ssmmessages.{identity.region()}.amazonaws.com", 443)
            break
        except identity.IdentityError as error:
            logging.warning("%s", error)
            time.sleep(_IDENTITY_RETRY)
    try:
        asyncio.run(run(endpoint, instance_id))
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
