"""Security groups as nftables rules, for every packet between two addresses of the VPC.

A packet passes when the sender's groups let it out and the receiver's let it in; replies pass
by connection tracking. What no rule admits is dropped without an answer, as AWS does. Two
things AWS's groups do not decide either: DNS to the subnet's resolver is open to all, and the
door of the S3 gateway endpoint is open only to subnets whose route table leads there.
Source: Amazon VPC user guide, "Security groups" and "Gateway endpoints".
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network

from local_aws.namespace import Namespace
from local_aws.network import Answer, Plan, resolver, s3_door

LOG = logging.getLogger("firewall")
TABLE = "local_aws"
_ANYWHERE = "0.0.0.0/0"
_PROTOCOLS = {"tcp": "tcp", "udp": "udp", "icmp": "icmp", "6": "tcp", "17": "udp", "1": "icmp"}


def rule_set(plan: Plan, groups: Sequence[Answer], prefix_lists: Mapping[str, str]) -> str:
    """Return the whole table as text for `nft -f`.

    `groups` are describe_security_groups' rows, `prefix_lists` maps a list's id to its name.
    """
    members = _members(plan)
    lines = [f"table inet {TABLE} {{"]
    doors = sorted((s3_door(subnet.cidr) for subnet in plan.subnets), key=_order)
    resolvers = sorted((resolver(subnet.cidr) for subnet in plan.subnets), key=_order)
    lines += _set("s3_doors", doors)
    lines += _set("resolvers", resolvers)
    known = sorted((row["GroupId"] for row in groups), key=str)
    for group in known:
        lines += _set(_name(group), members.get(group, []))
    for row in sorted(groups, key=lambda row: str(row["GroupId"])):
        name = _name(row["GroupId"])
        outward = _rules(row.get("IpPermissionsEgress", []), "daddr", known, prefix_lists)
        inward = _rules(row.get("IpPermissions", []), "saddr", known, prefix_lists)
        lines += _chain(f"out_{name}", sorted(set(outward)))
        lines += _chain(f"in_{name}", sorted(set(inward)))
    addresses = _addresses(plan)
    for address, ids in addresses.items():
        names = [_name(group) for group in ids if group in known]
        for way in ("out", "in"):
            lines += _chain(f"{way}_{_name(address)}", [f"jump {way}_{name}" for name in names])
    lines += _hooks(plan, list(addresses), [e.address for e in plan.endpoints])
    return "\n".join([*lines, "}", ""])


def _hooks(plan: Plan, addresses: Sequence[str], endpoints: Sequence[str]) -> list[str]:
    without_s3 = [subnet.cidr for subnet in plan.subnets if not subnet.s3]
    leaving = _map("saddr", "out", addresses)
    # A chain that admits a packet sets its mark, because a verdict of accept would skip the
    # other side's groups.
    allowed = ["meta mark set 0", *leaving, "meta mark != 1 drop", "meta mark set 0"]
    arriving = [*_map("daddr", "in", addresses), "meta mark != 1 drop", "accept"]
    established = ["ct state established,related accept", "ct state invalid drop"]
    hosts = [*established, *allowed, *arriving]
    doors = [*established, 'iifname "lo" accept']
    doors += [f"ip daddr @resolvers {protocol} dport 53 accept" for protocol in ("udp", "tcp")]
    doors += [f"ip saddr {cidr} ip daddr @s3_doors drop" for cidr in without_s3]
    doors += allowed
    doors.append("ip daddr @s3_doors tcp dport 443 accept")
    doors += [f"ip daddr != {{ {', '.join(endpoints)} }} drop"] if endpoints else ["drop"]
    if endpoints:
        doors += ["tcp dport != 443 drop", *arriving]
    return [
        *_chain("forward", ["type filter hook forward priority 0; policy drop;", *hosts]),
        *_chain("input", ["type filter hook input priority 0; policy drop;", *doors]),
    ]


def _map(field: str, way: str, addresses: Sequence[str]) -> list[str]:
    if not addresses:
        return []
    pairs = ", ".join(f"{address} : jump {way}_{_name(address)}" for address in addresses)
    return [f"ip {field} vmap {{ {pairs} }}"]


def _rules(
    permissions: Sequence[Answer],
    field: str,
    known: Sequence[str],
    prefix_lists: Mapping[str, str],
) -> Iterator[str]:
    for permission in permissions:
        ports = _ports(permission)
        if ports is None:
            LOG.error("event=unsupported protocol=%s", permission.get("IpProtocol"))
            continue
        for peer in _peers(permission, field, known, prefix_lists):
            yield " ".join(part for part in (peer, ports, "meta mark set 1 return") if part)


def _peers(
    permission: Answer, field: str, known: Sequence[str], prefix_lists: Mapping[str, str]
) -> Iterator[str]:
    for block in permission.get("IpRanges", []):
        cidr = str(IPv4Network(block["CidrIp"], strict=False))
        if cidr == _ANYWHERE:
            yield ""
        elif field == "daddr":
            # S3's door has an address of the subnet here, at AWS it has not.
            yield f"ip daddr {cidr} ip daddr != @s3_doors"
        else:
            yield f"ip {field} {cidr}"
    for pair in permission.get("UserIdGroupPairs", []):
        if pair.get("GroupId") in known:
            yield f"ip {field} @{_name(pair['GroupId'])}"
    for row in permission.get("PrefixListIds", []):
        if prefix_lists.get(row["PrefixListId"], "").endswith(".s3"):
            yield f"ip {field} @s3_doors"
        else:
            LOG.error("event=unsupported prefix_list=%s", row["PrefixListId"])


def _ports(permission: Answer) -> str | None:
    """Return a permission's protocol and ports as a match, None for a protocol unknown here."""
    protocol = str(permission.get("IpProtocol", "-1")).lower()
    if protocol == "-1":
        return ""
    name = _PROTOCOLS.get(protocol)
    if name is None:
        return None
    first, last = permission.get("FromPort", -1), permission.get("ToPort", -1)
    if name == "icmp":
        return "ip protocol icmp" if first in (-1, None) else f"icmp type {first}"
    if first in (-1, None):
        return f"meta l4proto {name}"
    return f"{name} dport {first}" if first == last else f"{name} dport {first}-{last}"


def _addresses(plan: Plan) -> dict[str, tuple[str, ...]]:
    found = {**plan.interfaces, **{e.address: e.groups for e in plan.endpoints}}
    return dict(sorted(found.items(), key=lambda pair: _order(pair[0])))


def _members(plan: Plan) -> dict[str, list[str]]:
    members: dict[str, list[str]] = {}
    for address, groups in _addresses(plan).items():
        for group in groups:
            members.setdefault(group, []).append(address)
    return members


def _order(address: str) -> tuple[int, ...]:
    return tuple(int(part) for part in address.split("."))


def _name(identifier: str) -> str:
    """Return an id or address as a name that nft takes: `sg-0a1b` -> `sg_0a1b`."""
    return identifier.replace("-", "_").replace(".", "_")


def _set(name: str, addresses: Sequence[str]) -> list[str]:
    lines = [f"  set {name} {{", "    type ipv4_addr"]
    if addresses:
        lines.append(f"    elements = {{ {', '.join(addresses)} }}")
    return [*lines, "  }"]


def _chain(name: str, rules: Sequence[str]) -> list[str]:
    return [f"  chain {name} {{", *(f"    {rule}" for rule in rules), "  }"]


def apply(namespace: Namespace, rules: str) -> None:
    """Replace the table in one transaction: no packet ever meets half of the rules."""
    text = f"table inet {TABLE} {{}}\ndelete table inet {TABLE}\n{rules}"
    namespace.run(["nft", "-f", "-"], input=text)
