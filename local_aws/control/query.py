"""AWS's query protocol: form fields in, XML out."""

from __future__ import annotations

import datetime
import uuid
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from local_aws.control.server import Response

_XML = "text/xml"


def parse_form(body: bytes, query: str = "") -> dict[str, str]:
    """Return the fields of a query request, from its body or its query string."""
    return dict(parse_qsl(body.decode() or query, keep_blank_values=True))


def members(fields: dict[str, str], name: str) -> list[Any]:
    """Return a list field: plain values, or dicts of its members' fields, in their order."""
    prefix = f"{name}.member."
    found: dict[int, Any] = {}
    for key, value in fields.items():
        if not key.startswith(prefix):
            continue
        index, _, rest = key.removeprefix(prefix).partition(".")
        if rest:
            found.setdefault(int(index), {})[rest] = value
        else:
            found[int(index)] = value
    return [found[index] for index in sorted(found)]


def to_xml(value: Any) -> str:
    """Return XML for dicts, lists (as `member`), instants, booleans and text; None is nothing."""
    if isinstance(value, dict):
        return "".join(
            f"<{key}>{to_xml(item)}</{key}>" for key, item in value.items() if item is not None
        )
    if isinstance(value, (list, tuple)):
        return "".join(f"<member>{to_xml(item)}</member>" for item in value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime.datetime):
        return value.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return escape(str(value))


def reply(action: str, namespace: str, result: Any) -> Response:
    """Return a successful answer."""
    request_id = str(uuid.uuid4())
    text = (
        f'<{action}Response xmlns="{namespace}"><{action}Result>{to_xml(result)}</{action}Result>'
        f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>"
        f"</{action}Response>"
    )
    return Response(200, [("Content-Type", _XML), ("x-amzn-RequestId", request_id)], text.encode())


def error(status: int, code: str, message: str, namespace: str) -> Response:
    """Return an error of the query protocol."""
    request_id = str(uuid.uuid4())
    side = "Sender" if status < 500 else "Receiver"
    text = (
        f'<ErrorResponse xmlns="{namespace}"><Error><Type>{side}</Type><Code>{escape(code)}</Code>'
        f"<Message>{escape(message)}</Message></Error><RequestId>{request_id}</RequestId>"
        "</ErrorResponse>"
    )
    return Response(
        status, [("Content-Type", _XML), ("x-amzn-RequestId", request_id)], text.encode()
    )
