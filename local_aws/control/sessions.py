"""Pass Session Manager's calls on to the process that knows sessions."""

from __future__ import annotations

import http.client
from urllib.parse import urlsplit

from local_aws.control.identity import Principal
from local_aws.control.server import Request, Response

# Tells the sessions process whose session this is: its id begins with that name.
CALLER = "x-miniature-caller"
SESSION_ACTIONS = {
    "DescribeInstanceInformation",
    "DescribeInstanceProperties",
    "DescribeSessions",
    "GetConnectionStatus",
    "ResumeSession",
    "StartSession",
    "TerminateSession",
}


class Sessions:
    """Forwards requests to the sessions process."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.host = parts.hostname or "127.0.0.1"
        self.port = parts.port or 80

    def __call__(self, request: Request, principal: Principal | None = None) -> Response:
        """Return the sessions process's answer; 503 in AWS's form when it does not answer."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        headers = {
            name: value
            for name, value in request.headers.items()
            if name not in ("connection", "transfer-encoding", "expect", "content-length", CALLER)
        }
        if principal:
            headers[CALLER] = principal.session_prefix
        try:
            connection.request(request.method, request.target, request.body, headers)
            answer = connection.getresponse()
            body = answer.read()
        except OSError as error:
            return Response(
                503,
                [
                    ("Content-Type", "application/x-amz-json-1.1"),
                    ("x-amzn-ErrorType", "ServiceUnavailable"),
                ],
                f'{{"__type":"ServiceUnavailable","message":"sessions: {error}"}}'.encode(),
            )
        finally:
            connection.close()
        return Response(answer.status, answer.getheaders(), body)
