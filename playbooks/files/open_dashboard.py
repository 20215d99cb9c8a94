#!/usr/bin/env python3
"""Open the dashboard on this machine's loopback, through Session Manager, until interrupted.

    open_dashboard.py --instance i-… --document NAME [--port 3838] [--plugin PATH]
        [--pid-file FILE] [--log FILE]

Starts a session with the stack's own document and hands it to AWS's session-manager-plugin, with
the arguments that the AWS CLI gives it; the AWS CLI itself is not needed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

import boto3


def main() -> None:
    """Start the session and become the plugin."""
    parser = argparse.ArgumentParser(description="Open the dashboard through Session Manager.")
    parser.add_argument("--instance", required=True, help="id of the warehouse's instance")
    parser.add_argument("--document", required=True, help="session document of the warehouse stack")
    parser.add_argument("--port", type=int, default=3838, help="port of this machine")
    parser.add_argument("--plugin", default="session-manager-plugin", help="AWS's plugin")
    parser.add_argument("--region", default=None, help="AWS region")
    parser.add_argument("--pid-file", type=Path, help="gets the process id, to end it by")
    parser.add_argument("--log", type=Path, help="gets what this and the plugin print")
    arguments = parser.parse_args()
    if arguments.log:
        log = os.open(arguments.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
    plugin = shutil.which(arguments.plugin)
    if plugin is None:
        sys.exit(
            f"open_dashboard: {arguments.plugin} is missing: install AWS's Session Manager plugin"
        )
    client = boto3.client("ssm", region_name=arguments.region)
    parameters = {"localPortNumber": [str(arguments.port)]}
    answer = client.start_session(
        Target=arguments.instance, DocumentName=arguments.document, Parameters=parameters
    )
    reply = {key: answer[key] for key in ("SessionId", "TokenValue", "StreamUrl")}
    request = {
        "Target": arguments.instance,
        "DocumentName": arguments.document,
        "Parameters": parameters,
    }
    region, endpoint = client.meta.region_name, client.meta.endpoint_url
    profile = os.environ.get("AWS_PROFILE", "")
    words = [
        plugin,
        json.dumps(reply),
        region,
        "StartSession",
        profile,
        json.dumps(request),
        endpoint,
    ]
    if arguments.pid_file:
        arguments.pid_file.write_text(str(os.getpid()))
    os.execv(plugin, words)  # noqa: S606 - a program with its own arguments, no shell


if __name__ == "__main__":
    main()
