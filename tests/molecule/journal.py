"""Keeps what a host said, before it is removed: `python -m tests.molecule.journal --state DIR HOST`.

Writes DIR/logs/HOST.journal: the failed units with their journals, the end of the host's journal,
and the ends of the log files that services write beside it. Does nothing when there is no host.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from local_aws.paths import State
from local_aws.podman import Podman

# Runs on the host. The failed units come first: theirs is the reason, most often. What Ansible notes
# of its own modules would only hide the rest.
REPORT = """
echo "== state: $(systemctl is-system-running)"
systemctl list-units --failed --plain --no-legend | while read -r unit _; do
  echo "== $unit"
  systemctl show --property=Result,ExecMainStatus "$unit"
  journalctl --no-pager --output=short --lines=60 --unit="$unit"
done
echo "== journal"
journalctl --no-pager --output=short | grep -v " ansible-" | tail -n 80
for log in /var/log/postgresql/*.log /var/log/shiny-server/*.log; do
  [ -f "$log" ] && echo "== $log" && tail -n 40 "$log"
done
exit 0
"""


def report(state: State, host: str) -> str:
    """Return what a running host has to say; empty when it does not run."""
    podman = Podman(state)
    if not podman.namespace.alive() or not podman.running(host):
        return ""
    done = podman.run("exec", host, "sh", "-c", REPORT, check=False)
    return done.stdout + done.stderr


def path(state: State, host: str) -> Path:
    """Return the file that keeps a host's report."""
    return state.logs / f"{host}.journal"


def main() -> int:
    """Write the report; return 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.molecule.journal")
    parser.add_argument("--state", required=True)
    parser.add_argument("host")
    options = parser.parse_args()
    state = State.at(options.state)
    if said := report(state, options.host):
        path(state, options.host).write_text(said)
    return 0


if __name__ == "__main__":
    sys.exit(main())
