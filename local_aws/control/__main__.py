"""Run the control plane: `python -m local_aws.control --port P --state DIR …`."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import threading
from pathlib import Path

from local_aws.control.app import ControlPlane
from local_aws.control.server import HttpServer
from local_aws.control.settings import Settings


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m local_aws.control")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--inside-port", type=int, default=0, help="where the S3 door leads to")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--sessions-url", default="")
    parser.add_argument("--clock-period", type=float, default=None)
    parser.add_argument("--log-level", default="INFO")
    args = parser.parse_args()
    logging.basicConfig(
        level=args.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    for noisy in ("botocore", "boto3", "urllib3", "werkzeug"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    settings = Settings(
        state=args.state.resolve(),
        port=args.port,
        inside_port=args.inside_port,
        sessions_url=args.sessions_url,
        clock_period=args.clock_period,
    )
    plane = ControlPlane(settings)
    server = HttpServer(plane.fast, plane.slow)
    server.bind("127.0.0.1", settings.port)
    if settings.inside_port:
        server.bind("127.0.0.1", settings.inside_port, inside=True)

    def end() -> None:
        plane.close()  # it calls the server, which must still answer
        server.stop()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: threading.Thread(target=end).start())
    plane.start()
    server.run()
    logging.shutdown()
    os._exit(0)  # threads that wait for a function's reply would hold the process


if __name__ == "__main__":
    main()
