"""The doors of the VPC: DNS and TLS inside the namespace, and a CONNECT proxy on loopback.

Run as `python -m local_aws.gateway --state DIR --control PORT --inside PORT --sessions PORT
--proxy PORT`. TLS ends here, with certificates of the throwaway authority for AWS's own names;
what is inside goes on as bytes to the control plane or to Session Manager, by the name asked
for. What comes through a door of the VPC goes to a port of its own at the control plane, which
so knows that the caller came through the VPC endpoint.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import socket
import ssl
import sys

from local_aws import dns, proxy
from local_aws.ca import Issuer
from local_aws.namespace import Namespace, listen_in
from local_aws.network import Plan, s3_door
from local_aws.paths import State

LOG = logging.getLogger("gateway")
SESSION_SERVICES = ("ssmmessages", "ec2messages")
_BUFFER = 256 * 1024


def upstream_of(name: str) -> str | None:
    """Return which part serves a host name: `sessions`, `control`, or None for neither."""
    service = dns.service_of(name)
    if service is None:
        return None
    return "sessions" if service in SESSION_SERVICES else "control"


def door_serves(plan: Plan, address: str, name: str) -> bool:
    """Tell whether the door at an address is that of the service which a name belongs to."""
    service = dns.service_of(name)
    if any(s3_door(subnet.cidr) == address for subnet in plan.subnets):
        return service == "s3"
    return any(e.address == address and e.service == service for e in plan.endpoints)


class PlanFile:
    """The reconciler's plan, read again when it has changed."""

    def __init__(self, state: State) -> None:
        self._path = state.network_map
        self._stamp: tuple[int, int] | None = None
        self._plan = Plan()

    def __call__(self) -> Plan:
        """Return the newest plan."""
        with contextlib.suppress(FileNotFoundError):
            found = self._path.stat()
            if (found.st_ino, found.st_mtime_ns) != self._stamp:
                self._plan = Plan.from_json(self._path.read_text())
                self._stamp = (found.st_ino, found.st_mtime_ns)
        return self._plan


class _Side(asyncio.Protocol):
    """One side of a relayed connection; each passes on what it gets to the other."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = None
        self.other: _Side | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self.transport = transport
        transport.set_write_buffer_limits(_BUFFER)

    def data_received(self, data: bytes) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.write(data)

    def pause_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.other is not None and self.other.transport is not None:
            self.other.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self.other is not None and self.other.transport is not None:
            self.other.transport.close()


class Gateway:
    """Serve all doors of one miniature."""

    def __init__(self, state: State, control: int, inside: int, sessions: int) -> None:
        self._issuer = Issuer(state)
        self._control, self._inside, self._sessions = control, inside, sessions
        self.plan = PlanFile(state)
        self._names: dict[ssl.SSLContext, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def context(self) -> ssl.SSLContext:
        """Return a TLS context that takes the certificate of the name asked for."""

        def choose(
            connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext
        ) -> int | None:
            if name is None or upstream_of(name) is None:
                LOG.warning("event=refused reason=name sni=%s", name)
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            chosen = self._issuer.context(name)
            self._names[chosen] = name
            connection.context = chosen
            return None

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.sni_callback = choose
        return context

    def client(self, inside: bool) -> _Client:
        """Return the protocol for one TLS connection, from inside the VPC or from loopback."""
        return _Client(self, inside)

    def route(self, side: _Side, inside: bool) -> int | None:
        """Return the port that a connection goes on to, None when its door is another's."""
        assert side.transport is not None  # noqa: S101 - for the type checker
        tls: ssl.SSLObject = side.transport.get_extra_info("ssl_object")
        name = self._names.get(tls.context, "")
        address = side.transport.get_extra_info("sockname")[0]
        if inside and not door_serves(self.plan(), address, name):
            LOG.warning("event=refused reason=door sni=%s address=%s", name, address)
            return None
        if upstream_of(name) == "sessions":
            return self._sessions
        return self._inside if inside else self._control

    async def join(self, client: _Side, port: int) -> None:
        """Connect a client's side to a part of the miniature."""
        assert client.transport is not None  # noqa: S101 - for the type checker
        try:
            _, server = await asyncio.get_running_loop().create_connection(_Side, "127.0.0.1", port)
        except OSError as error:
            LOG.error("event=upstream_failed port=%d error=%s", port, error)
            client.transport.close()
            return
        if client.transport.is_closing():
            if server.transport is not None:
                server.transport.close()
            return
        client.other, server.other = server, client
        client.transport.resume_reading()

    def spawn(self, client: _Side, port: int) -> None:
        """Join in the background, keeping the task alive until it is done."""
        task = asyncio.get_running_loop().create_task(self.join(client, port))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Client(_Side):
    def __init__(self, gateway: Gateway, inside: bool) -> None:
        super().__init__()
        self._gateway = gateway
        self._inside = inside

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert self.transport is not None  # noqa: S101 - for the type checker
        port = self._gateway.route(self, self._inside)
        if port is None:
            self.transport.abort()
            return
        self.transport.pause_reading()
        self._gateway.spawn(self, port)


async def serve(state: State, gateway: Gateway, proxy_port: int) -> None:
    """Open every door and serve until cancelled."""
    namespace = Namespace(state)
    loop = asyncio.get_running_loop()
    context = gateway.context()
    # Bound to every address of the namespace: subnets and endpoints may come at any time, and
    # the firewall decides which of their ports is open.
    inside = listen_in(namespace, "0.0.0.0", 443)  # noqa: S104 - inside the namespace
    await loop.create_server(lambda: gateway.client(True), sock=inside, ssl=context)
    dns.UdpServer(listen_in(namespace, "0.0.0.0", 53, socket.SOCK_DGRAM), gateway.plan)  # noqa: S104
    await asyncio.start_server(
        lambda reader, writer: dns.serve_tcp(gateway.plan, reader, writer),
        sock=listen_in(namespace, "0.0.0.0", 53),  # noqa: S104 - inside the namespace
    )
    outside = await loop.create_server(
        lambda: gateway.client(False), "127.0.0.1", 0, ssl=context, backlog=512
    )
    tls_port: int = outside.sockets[0].getsockname()[1]
    server = await asyncio.start_server(
        lambda reader, writer: proxy.serve(tls_port, reader, writer), "127.0.0.1", proxy_port
    )
    LOG.info("event=serving proxy=%d", proxy_port)
    await server.serve_forever()


def main() -> int:
    """Serve the doors until terminated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", required=True)
    for port in ("control", "inside", "sessions", "proxy"):
        parser.add_argument(f"--{port}", type=int, required=True, metavar="PORT")
    parser.add_argument("--log-level", default="INFO")
    options = parser.parse_args()
    logging.basicConfig(
        level=options.log_level, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    state = State.at(options.state)
    gateway = Gateway(state, options.control, options.inside, options.sessions)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(state, gateway, options.proxy))
    return 0


if __name__ == "__main__":
    sys.exit(main())
