"""The Runtime API: what AWS's runtime client polls for events.

Source: AWS Lambda Developer Guide, "Using the Lambda runtime API". The client keeps one HTTP/1.1
connection and dies of a missing trace id or content type, so both are always sent.
"""

from __future__ import annotations

import json
import logging
import queue
import socket
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from local_aws.lambda_runtime.model import Invocation, Reply

log = logging.getLogger(__name__)

PREFIX = "/2018-06-01/runtime/"
MAX_REPLY = 6 * 1024 * 1024 + 100


class RuntimeApi:
    """One environment's Runtime API on a listening socket made elsewhere."""

    def __init__(self, listening: socket.socket) -> None:
        self.ready = threading.Event()
        self.init_error: Reply | None = None
        self._events: queue.Queue[Invocation | None] = queue.Queue()
        self._current: Invocation | None = None
        self._server = _Server(listening, self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, daemon=True
        )
        self._thread.start()

    def submit(self, invocation: Invocation) -> None:
        """Hand an event to the client's next poll."""
        self._events.put(invocation)

    def close(self) -> None:
        """Stop answering; a waiting poll ends."""
        self._events.put(None)
        self._server.shutdown()
        self._server.server_close()

    def next(self) -> Invocation | None:
        """Wait for the next event; None when the environment is ending."""
        self.ready.set()
        invocation = self._events.get()
        self._current = invocation
        if invocation is not None:
            invocation.take()
        return invocation

    def finish(self, request_id: str, reply: Reply) -> bool:
        """Take a reply; False when it is for an event that is not being worked on."""
        current = self._current
        if current is None or current.id != request_id:
            return False
        if len(reply.payload) > MAX_REPLY:
            message = (
                f"Response payload size exceeded maximum allowed payload size ({MAX_REPLY} bytes)."
            )
            body = {"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}
            reply = Reply(json.dumps(body).encode(), "Unhandled")
        current.finish(reply)
        return True

    def failed_to_start(self, reply: Reply) -> None:
        """Remember why the client could not load the handler."""
        self.init_error = reply
        self.ready.set()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listening: socket.socket, api: RuntimeApi) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.server_address = listening.getsockname()
        self.server_name, self.server_port = "127.0.0.1", int(self.server_address[1])
        self.api = api


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one packet for head and body: two would wait for each other's acknowledgement
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        log.debug(format, *args)

    def do_GET(self) -> None:
        if self.path != PREFIX + "invocation/next":
            self._answer(404, b'{"errorType":"NotFound"}')
            return
        invocation = self.server.api.next()
        if invocation is None:
            self.close_connection = True
            return
        deadline = int((time.time() + invocation.timeout) * 1000)
        trace = (
            f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Parent={uuid.uuid4().hex[:16]}"
        )
        self._answer(
            200,
            invocation.payload,
            {
                "Lambda-Runtime-Aws-Request-Id": invocation.id,
                "Lambda-Runtime-Deadline-Ms": str(deadline),
                "Lambda-Runtime-Invoked-Function-Arn": invocation.arn,
                "Lambda-Runtime-Trace-Id": f"{trace};Sampled=0",
            },
        )

    def do_POST(self) -> None:
        body = self._body()
        rest = self.path.removeprefix(PREFIX)
        api = self.server.api
        if rest == "init/error":
            api.failed_to_start(Reply(body, "Unhandled"))
            self._answer(202, b'{"status":"OK"}')
            return
        parts = rest.split("/")
        if len(parts) != 3 or parts[0] != "invocation" or parts[2] not in ("response", "error"):
            self._answer(404, b'{"errorType":"NotFound"}')
            return
        reply = Reply(body, "Unhandled" if parts[2] == "error" else "")
        if api.finish(parts[1], reply):
            self._answer(202, b'{"status":"OK"}')
        else:
            self._answer(
                400, b'{"errorType":"InvalidRequestID","errorMessage":"unknown request id"}'
            )

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(parts)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
