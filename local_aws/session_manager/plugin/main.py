"""The plugin's command line, as the AWS CLI and Ansible use it."""

from __future__ import annotations

import json
import os
import signal
import sys

from local_aws.session_manager.plugin import channel as channels
from local_aws.session_manager.plugin.reactor import Reactor
from local_aws.session_manager.plugin.websocket import ConnectionLostError

TYPE_CHECKING = False  # what `typing` has, without its import
if TYPE_CHECKING:
    from typing import Any

_FROM_ENVIRONMENT = "AWS_SSM_START_SESSION_RESPONSE"
_SHELLS = ("Standard_Stream", "InteractiveCommands", "NonInteractiveCommands")
_USAGE = (
    "session-manager-plugin RESPONSE REGION StartSession PROFILE REQUEST ENDPOINT\n"
    "It is started by `aws ssm start-session` or by Ansible.\n"
)


class _Stopped(BaseException):
    """A signal asked for the end."""


def main(argv: list[str]) -> int:
    """Run one session; give the exit code."""
    if argv[1:] in (["--version"], ["-v"]):
        os.write(1, f"{channels.VERSION}\n".encode())
        return 0
    if len(argv) != 7 or argv[3] != "StartSession":
        os.write(2, _USAGE.encode())
        return 0 if len(argv) == 1 else 1
    try:
        text = os.environ.get(argv[1], "") if argv[1] == _FROM_ENVIRONMENT else argv[1]
        session = json.loads(text)
        request = json.loads(argv[5])
        session_id, token = session["SessionId"], session.get("TokenValue")
    except (ValueError, KeyError, TypeError) as error:
        os.write(2, f"session-manager-plugin: the arguments are no session: {error}\n".encode())
        return 1
    if not request.get("Target"):
        os.write(2, b"session-manager-plugin: the request names no Target\n")
        return 1
    os.write(1, f"\nStarting session with SessionId: {session_id}\n".encode())
    if not token:
        os.write(1, f"Session: {session_id} timed out.\n".encode())
        return 0
    return _Session(session, argv[2], argv[4], argv[6], request).run()


class _Session:
    def __init__(
        self,
        session: dict[str, str],
        region: str,
        profile: str,
        endpoint: str,
        request: dict[str, Any],
    ) -> None:
        self._session = session
        self._api = (endpoint, region, profile)
        self._request = request
        self._loop = Reactor()
        self._channel = channels.Channel(self._loop, session, self._make_handler, self._resume)
        self._handler: Any = None

    def run(self) -> int:
        signal.signal(signal.SIGTERM, _stop)
        signal.signal(signal.SIGHUP, _stop)
        try:
            if "DocumentName" not in self._request:
                # A shell: the end of its input must be seen even while the connection is made.
                self._make_handler("Standard_Stream", {})
            self._channel.connect()
            code = self._loop.run()
        except ConnectionLostError as error:
            os.write(2, f"session-manager-plugin: {error}\n".encode())
            code = 1
        except (KeyboardInterrupt, _Stopped):
            if hasattr(self._handler, "stop"):
                self._handler.stop(0)
            code = 0
        finally:
            if hasattr(self._handler, "restore"):
                self._handler.restore()
        return code

    def _make_handler(self, session_type: str, properties: dict[str, Any]) -> Any:
        if session_type in _SHELLS and self._handler is None:
            from local_aws.session_manager.plugin.shell import Shell

            self._handler = Shell(self._loop, self._channel)
            self._handler.watch_input()
        elif session_type == "Port":
            from local_aws.session_manager.plugin.port import Pipe, Port

            self._loop.forget(0)
            forwarding = properties.get("type") == "LocalPortForwarding"
            self._handler = (Port if forwarding else Pipe)(self._loop, self._channel)
        elif session_type not in _SHELLS:
            return None
        return self._handler

    def _resume(self) -> dict[str, str]:
        from local_aws.session_manager.plugin import aws

        session_id = self._session["SessionId"]
        answer = aws.call(*self._api, "ResumeSession", {"SessionId": session_id})
        if not answer.get("TokenValue"):
            raise ValueError("the session timed out")
        return {key: str(answer[key]) for key in ("TokenValue", "StreamUrl") if answer.get(key)}


def _stop(_number: int, _frame: object) -> None:
    raise _Stopped


if __name__ == "__main__":
    sys.exit(main(sys.argv))
