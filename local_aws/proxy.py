"""The CONNECT proxy on loopback: AWS's names end in the miniature, other names go on outside.

Programs that are pointed at the miniature (HTTPS_PROXY) may need the internet all the same, as
pip does when it packs a function: they reach it as they would without the miniature, through
the user's own proxy where there is one. Names of AWS never leave this machine.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import urllib.parse
import urllib.request

from local_aws import dns

LOG = logging.getLogger("proxy")
_AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".aws.amazon.com")
_BUFFER = 256 * 1024
_ENDED = (OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError)


def is_aws(host: str) -> bool:
    """Tell whether a name is one of AWS's, which must not be asked for outside."""
    return f".{host.lower().rstrip('.')}".endswith(_AWS)


async def serve(tls_port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one client: names that the miniature plays on port 443, others as they come."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 30)
        method, target, *_ = head.decode("latin-1").split()
        host, _, port = target.rpartition(":")
        played = dns.service_of(host) is not None and port == "443"
        if method != "CONNECT" or (is_aws(host) and not played):
            LOG.warning("event=refused reason=proxy method=%s target=%s", method, target)
            writer.write(b"HTTP/1.1 403 Not played by the miniature\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return
        if played:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", tls_port)
        else:
            far_reader, far_writer = await _outside(host, int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
    except _ENDED as error:
        LOG.debug("event=proxy_ended error=%s", error)
    finally:
        writer.close()


async def _outside(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to a name of the internet, through the proxy of this process's environment if any."""
    proxy = urllib.request.getproxies().get("https")
    if proxy is None or urllib.request.proxy_bypass(host):
        return await asyncio.open_connection(host.strip("[]"), port)
    parts = urllib.parse.urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    secure = parts.scheme == "https"
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or (443 if secure else 80), ssl=secure or None
    )
    request = f"CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n"
    if parts.username is not None:
        name = urllib.parse.unquote(parts.username)
        login = f"{name}:{urllib.parse.unquote(parts.password or '')}"
        token = base64.b64encode(login.encode()).decode()
        request += f"Proxy-Authorization: Basic {token}\r\n"
    writer.write(f"{request}\r\n".encode())
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
    if answer.split(b" ", 2)[1:2] != [b"200"]:
        writer.close()
        raise OSError(f"the proxy {parts.hostname} refused {host}")
    return reader, writer


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(_BUFFER):
            target.write(data)
            await target.drain()
    finally:
        target.close()
