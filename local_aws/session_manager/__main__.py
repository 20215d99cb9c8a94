"""Run Session Manager: `python -m local_aws.session_manager --port P --state DIR`."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from local_aws.session_manager.service import Service


async def _run(port: int, resume_window: float) -> None:
    service = Service(resume_window)
    bound = await service.start(port)
    logging.info("listening on 127.0.0.1:%d", bound)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await stop.wait()
    await service.stop()


def main() -> int:
    """Serve until a signal ends it."""
    parser = argparse.ArgumentParser(prog="python -m local_aws.session_manager")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, help="the miniature's directory")
    parser.add_argument(
        "--resume-window", type=float, default=10.0, help="seconds that a lost client may be away"
    )
    parser.add_argument("--log-level", default="INFO")
    options = parser.parse_args()
    logging.basicConfig(
        stream=sys.stderr,
        level=options.log_level.upper(),
        format="%(asctime)s %(levelname)s %(name)s %(message)s",
    )
    logging.getLogger("websockets").setLevel(logging.WARNING)
    if not options.state.is_dir():
        parser.error(f"no directory {options.state}")
    try:
        asyncio.run(_run(options.port, options.resume_window))
    except OSError as error:
        print(f"sessions: port {options.port}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
