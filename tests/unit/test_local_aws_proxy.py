"""The CONNECT proxy: AWS's names stay here, other names go on as they would without it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from local_aws import proxy

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def listen(handler: Handler) -> int:
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    return int(server.sockets[0].getsockname()[1])


def answering(name: bytes) -> Handler:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(name + b":" + await reader.readline())
        await writer.drain()
        writer.close()

    return handle


async def asked(target: str) -> bytes:
    """Ask the proxy for a target and say a line to what is behind it; return all that comes."""
    tls = await listen(answering(b"miniature"))
    port = await listen(lambda reader, writer: proxy.serve(tls, reader, writer))
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(b"hello\n")
    rest = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    return head.split(b"\r\n")[0] + b" | " + rest.strip()


@pytest.fixture
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("no_proxies")
def test_a_name_of_s3_ends_in_the_miniature() -> None:
    found = asyncio.run(asked("s3.ap-southeast-1.amazonaws.com:443"))
    assert found == b"HTTP/1.1 200 Connection established | miniature:hello"


@pytest.mark.usefixtures("no_proxies")
@pytest.mark.parametrize(
    "target", ["s3.ap-southeast-1.amazonaws.com:80", "nothing.amazonaws.com.cn:443"]
)
def test_no_other_name_of_aws_leaves_the_machine(target: str) -> None:
    assert asyncio.run(asked(target)).startswith(b"HTTP/1.1 403 ")


@pytest.mark.usefixtures("no_proxies")
def test_another_name_is_reached_as_without_the_proxy() -> None:
    async def scene() -> bytes:
        outside = await listen(answering(b"outside"))
        return await asked(f"127.0.0.1:{outside}")

    assert asyncio.run(scene()) == b"HTTP/1.1 200 Connection established | outside:hello"


@pytest.mark.usefixtures("no_proxies")
def test_another_name_goes_through_the_users_own_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[bytes] = []

    async def parent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await answering(b"beyond")(reader, writer)

    async def scene() -> bytes:
        port = await listen(parent)
        monkeypatch.setenv("https_proxy", f"http://shop:a%20word@127.0.0.1:{port}")
        return await asked("packages.invalid:8443")

    assert asyncio.run(scene()) == b"HTTP/1.1 200 Connection established | beyond:hello"
    assert requests == [
        b"CONNECT packages.invalid:8443 HTTP/1.1\r\nHost: packages.invalid:8443\r\n"
        b"Proxy-Authorization: Basic c2hvcDphIHdvcmQ=\r\n\r\n"
    ]
