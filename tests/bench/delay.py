"""A proxy on the loopback that passes on what a client sends some milliseconds later."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence


class _Server(asyncio.Protocol):
    """The side of the server: answers go back at once."""

    def __init__(self, client: asyncio.Transport) -> None:
        self._client = client

    def data_received(self, data: bytes) -> None:
        self._client.write(data)

    def connection_lost(self, _: Exception | None) -> None:
        self._client.close()


class _Client(asyncio.Protocol):
    """The side of the client: everything waits equally long, so that it stays in order."""

    def __init__(self, port: int, seconds: float) -> None:
        self._port, self._seconds = port, seconds
        self._server: asyncio.Task[asyncio.Transport] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._loop = asyncio.get_running_loop()
        self._server = self._loop.create_task(self._connect(transport))

    async def _connect(self, client: asyncio.Transport) -> asyncio.Transport:
        made = await self._loop.create_connection(lambda: _Server(client), "127.0.0.1", self._port)
        return made[0]

    def data_received(self, data: bytes) -> None:
        if self._seconds:
            self._loop.call_later(self._seconds, self._send, data)
        else:
            self._send(data)

    def _send(self, data: bytes) -> None:
        assert self._server is not None
        if self._server.done():
            self._server.result().write(data)
        else:
            self._server.add_done_callback(lambda server: server.result().write(data))

    def connection_lost(self, _: Exception | None) -> None:
        if self._server is not None:
            self._server.add_done_callback(lambda server: server.result().close())


async def serve(port: int, target: int, milliseconds: int) -> None:
    """Listen on `port` and pass on to `target` until the process ends."""
    server = await asyncio.get_running_loop().create_server(
        lambda: _Client(target, milliseconds / 1000), "127.0.0.1", port
    )
    await server.serve_forever()


def main(arguments: Sequence[str]) -> None:
    """Take the port, the port behind it, and the delay in milliseconds."""
    port, target, milliseconds = map(int, arguments)
    asyncio.run(serve(port, target, milliseconds))


if __name__ == "__main__":
    main(sys.argv[1:])
