"""moto's own server application, called in this process, with what it lacks put right around it."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from local_aws.control.server import Request, Response
from local_aws.control.settings import ACCOUNT

os.environ.setdefault("MOTO_ACCOUNT_ID", ACCOUNT)
os.environ.setdefault("MOTO_IAM_LOAD_MANAGED_POLICIES", "true")

from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    create_backend_app,
)

log = logging.getLogger(__name__)

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class MotoApp:
    """Calls moto's WSGI application with one of our requests."""

    def __init__(self) -> None:
        self.app: Wsgi = DomainDispatcherApplication(create_backend_app)

    def __call__(self, request: Request) -> Response:
        """Return moto's answer."""
        environ = self._environ(request)
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            started[:] = [int(status.split(" ", 1)[0]), headers]

        chunks = self.app(environ, start_response)
        try:
            body = b"".join(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        status, headers = started
        kept = [(n, v) for n, v in headers if n.lower() not in ("server", "date")]
        if request.method != "HEAD":
            kept = [(n, v) for n, v in kept if n.lower() != "content-length"]
        return Response(status, kept, body)

    @staticmethod
    def _environ(request: Request) -> dict[str, Any]:
        path = unquote(request.raw_path, "latin-1")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": request.query_string,
            "RAW_URI": request.target,
            "REQUEST_URI": request.target,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(request.body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.input_terminated": True,
        }
        for name, value in request.headers.items():
            key = name.upper().replace("-", "_")
            if key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                environ[key] = value
            elif key not in ("TRANSFER_ENCODING", "EXPECT"):
                environ[f"HTTP_{key}"] = value
        environ["CONTENT_LENGTH"] = str(len(request.body))
        return environ
