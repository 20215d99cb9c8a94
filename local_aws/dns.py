"""The resolver of a VPC: AWS's own names for what has a door inside, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from ipaddress import IPv4Address

from dnslib import PTR, QTYPE, RCODE, RR, A, DNSError, DNSRecord

from local_aws.network import Plan, Subnet, s3_door
from local_aws.paths import REGION

_TTL = 5  # seconds; the doors of a young stack may still move
_IP_PKTINFO = 8  # linux/in.h; not in the socket module of Python 3.11


def service_of(name: str) -> str | None:
    """Return the AWS service that a host name belongs to, None when it is not one of AWS's.

    `b.s3.ap-southeast-1.amazonaws.com` and `s3.amazonaws.com` are s3's,
    `ssm.ap-southeast-1.amazonaws.com` is ssm's.
    """
    labels = name.rstrip(".").lower().split(".")
    if labels[-2:] != ["amazonaws", "com"]:
        return None
    labels = labels[:-2]
    if labels and labels[-1] == REGION:
        labels = labels[:-1]
        if labels[-1:] == ["dualstack"]:
            labels = labels[:-1]
    elif not labels or labels[-1] != "s3":  # only S3 has a name without a region
        return None
    return labels[-1] if labels else None


def resolve(plan: Plan, subnet: Subnet, name: str) -> str | None:
    """Return the address of a name as seen from a subnet, None for a name without one."""
    name = name.rstrip(".").lower()
    service = service_of(name)
    if service == "s3":
        return s3_door(subnet.cidr)
    if service is not None:
        near = [e for e in plan.endpoints if e.vpc == subnet.vpc and e.private_dns]
        near = [e for e in near if name == f"{e.service}.{REGION}.amazonaws.com"]
        near.sort(key=lambda e: (e.subnet != subnet.id, e.subnet))
        return near[0].address if near else None
    host, _, domain = name.partition(".")
    if domain == f"{REGION}.compute.internal" and host.startswith("ip-"):
        address = host[3:].replace("-", ".")
        known = address in plan.interfaces and plan.subnet_of(address)
        return address if known and known.vpc == subnet.vpc else None
    return None


def reverse(plan: Plan, name: str) -> str | None:
    """Return the private host name of an address asked for in in-addr.arpa."""
    labels = name.rstrip(".").lower().split(".")
    if labels[-2:] != ["in-addr", "arpa"] or len(labels) != 6:
        return None
    address = ".".join(reversed(labels[:4]))
    return private_name(address) if address in plan.interfaces else None


def private_name(address: str) -> str:
    """Return the host name that AWS gives an instance with that private address."""
    return f"ip-{address.replace('.', '-')}.{REGION}.compute.internal"


def answer(plan: Plan, client: str, query: bytes) -> bytes:
    """Return the reply to one DNS message from a client's address."""
    asked = DNSRecord.parse(query)  # type: ignore[no-untyped-call]
    reply = asked.reply()
    subnet = plan.subnet_of(client)
    question = asked.q
    name = str(question.qname)
    if subnet is None:
        reply.header.rcode = RCODE.REFUSED
        return bytes(reply.pack())
    address = resolve(plan, subnet, name)
    host = reverse(plan, name)
    if address and question.qtype in (QTYPE.A, QTYPE.ANY):
        reply.add_answer(_record(question.qname, QTYPE.A, A(address)))  # type: ignore[no-untyped-call]
    elif host and question.qtype in (QTYPE.PTR, QTYPE.ANY):
        reply.add_answer(_record(question.qname, QTYPE.PTR, PTR(host)))  # type: ignore[no-untyped-call]
    elif not address and not host:
        reply.header.rcode = RCODE.NXDOMAIN
    return bytes(reply.pack())


def _record(name: object, kind: int, data: object) -> RR:
    return RR(name, kind, rdata=data, ttl=_TTL)  # type: ignore[no-untyped-call]


class UdpServer:
    """Answer datagrams from the address that they were sent to."""

    def __init__(self, listener: socket.socket, plan: Callable[[], Plan]) -> None:
        self._socket = listener
        self._plan = plan
        listener.setblocking(False)
        listener.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        asyncio.get_running_loop().add_reader(listener, self._serve)

    def _serve(self) -> None:
        with contextlib.suppress(OSError, DNSError, struct.error, IndexError, ValueError):
            query, extra, _, client = self._socket.recvmsg(4096, 256)
            reply = answer(self._plan(), client[0], query)
            asked_at = next(
                (d for level, kind, d in extra if kind == _IP_PKTINFO and level == 0), None
            )
            if asked_at is None:
                return
            # The datagram's own address goes into ipi_spec_dst, the source of the reply.
            source = struct.pack("=I", 0) + asked_at[8:12] + IPv4Address(0).packed
            self._socket.sendmsg([reply], [(socket.IPPROTO_IP, _IP_PKTINFO, source)], 0, client)


async def serve_tcp(
    plan: Callable[[], Plan], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Answer the questions of one TCP connection, each led by its length (RFC 1035, 4.2.2)."""
    with contextlib.suppress(OSError, EOFError, DNSError, TimeoutError):
        while True:
            (length,) = struct.unpack("!H", await asyncio.wait_for(reader.readexactly(2), 30))
            query = await asyncio.wait_for(reader.readexactly(length), 30)
            reply = answer(plan(), writer.get_extra_info("peername")[0], query)
            writer.write(struct.pack("!H", len(reply)) + reply)
            await writer.drain()
    writer.close()
