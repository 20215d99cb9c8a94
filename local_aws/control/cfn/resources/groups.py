"""Security groups and their rules."""

# ruff: noqa: ARG002, D102 - every method is one of ResourceType and documented there
from __future__ import annotations

from typing import Any

from local_aws.control.cfn.errors import ResourceError
from local_aws.control.cfn.provider import Context, Made, Properties, ResourceType
from local_aws.control.cfn.resources.network import retag

_RULE = "CidrIp Description FromPort IpProtocol ToPort"
_INGRESS = f"{_RULE} SourcePrefixListId SourceSecurityGroupId"
_EGRESS = f"{_RULE} DestinationPrefixListId DestinationSecurityGroupId"
ALLOW_ALL = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


def permission(rule: Properties, known: str) -> dict[str, Any]:
    """Return a template's rule as EC2's API takes it; raises ResourceError for a stranger in it."""
    strangers = sorted(set(rule) - set(known.split()))
    if strangers:
        raise ResourceError(f"Encountered unsupported property {strangers[0]} in a rule")
    result: dict[str, Any] = {"IpProtocol": str(rule["IpProtocol"])}
    for name in ("FromPort", "ToPort"):
        if name in rule:
            result[name] = int(rule[name])
    note = {"Description": rule["Description"]} if rule.get("Description") else {}
    group = rule.get("SourceSecurityGroupId") or rule.get("DestinationSecurityGroupId")
    prefixes = rule.get("SourcePrefixListId") or rule.get("DestinationPrefixListId")
    if rule.get("CidrIp"):
        result["IpRanges"] = [{"CidrIp": rule["CidrIp"], **note}]
    elif group:
        result["UserIdGroupPairs"] = [{"GroupId": group, **note}]
    elif prefixes:
        result["PrefixListIds"] = [{"PrefixListId": prefixes, **note}]
    else:
        raise ResourceError("a rule needs a CidrIp, a security group or a prefix list")
    return result


def authorize(ctx: Context, group: str, rules: list[dict[str, Any]], egress: bool) -> str:
    """Add rules to a group; return the id of the last rule."""
    ec2 = ctx.client("ec2")
    action = ec2.authorize_security_group_egress if egress else ec2.authorize_security_group_ingress
    rule_id = ""
    for rule in rules:
        made = action(GroupId=group, IpPermissions=[rule]).get("SecurityGroupRules") or []
        rule_id = made[-1]["SecurityGroupRuleId"] if made else rule_id
    return rule_id


def revoke(ctx: Context, group: str, rules: list[dict[str, Any]], egress: bool) -> None:
    """Take rules from a group."""
    ec2 = ctx.client("ec2")
    action = ec2.revoke_security_group_egress if egress else ec2.revoke_security_group_ingress
    for rule in rules:
        action(GroupId=group, IpPermissions=[rule])


class SecurityGroup(ResourceType):
    """A security group; without egress rules of its own it lets everything out, as AWS does."""

    type = "AWS::EC2::SecurityGroup"
    known = "GroupDescription GroupName SecurityGroupEgress SecurityGroupIngress Tags VpcId"
    replaced_by = "GroupDescription GroupName VpcId"

    def create(self, ctx: Context, props: Properties) -> Made:
        ingress, egress = self._rules(props)
        group = ctx.call(
            "ec2",
            "create_security_group",
            GroupName=props.get("GroupName") or ctx.name(255),
            Description=props["GroupDescription"],
            VpcId=props["VpcId"],
            TagSpecifications=ctx.tag_specification("security-group", props),
        )["GroupId"]
        authorize(ctx, group, ingress, egress=False)
        if egress:
            revoke(ctx, group, [ALLOW_ALL], egress=True)
            authorize(ctx, group, egress, egress=True)
        return self._made(group, props)

    def _rules(self, props: Properties) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        return (
            [permission(rule, _INGRESS) for rule in props.get("SecurityGroupIngress") or []],
            [permission(rule, _EGRESS) for rule in props.get("SecurityGroupEgress") or []],
        )

    def _made(self, group: str, props: Properties) -> Made:
        return Made(group, {"GroupId": group, "Id": group, "VpcId": props["VpcId"]})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        for egress in (False, True):
            before, after = self._rules(old)[egress], self._rules(new)[egress]
            if egress:
                before, after = before or [ALLOW_ALL], after or [ALLOW_ALL]
            revoke(ctx, physical_id, [rule for rule in before if rule not in after], egress)
            authorize(ctx, physical_id, [rule for rule in after if rule not in before], egress)
        retag(ctx, physical_id, old, new)
        return self._made(physical_id, new)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        used = ctx.client("ec2").describe_network_interfaces(
            Filters=[{"Name": "group-id", "Values": [physical_id]}]
        )["NetworkInterfaces"]
        if used:
            ids = ", ".join(i["NetworkInterfaceId"] for i in used)
            raise ResourceError(f"resource {physical_id} has a dependent object: {ids}")
        ctx.client("ec2").delete_security_group(GroupId=physical_id)


class _Rule(ResourceType):
    """A rule that lives outside its group."""

    egress = False

    def _permission(self, props: Properties) -> dict[str, Any]:
        rule = {key: value for key, value in props.items() if key != "GroupId"}
        return permission(rule, _EGRESS if self.egress else _INGRESS)

    def create(self, ctx: Context, props: Properties) -> Made:
        rule = authorize(ctx, props["GroupId"], [self._permission(props)], self.egress)
        return Made(rule, {"Id": rule})

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        revoke(ctx, props["GroupId"], [self._permission(props)], self.egress)


class SecurityGroupIngress(_Rule):
    """An inbound rule."""

    type = "AWS::EC2::SecurityGroupIngress"
    known = f"GroupId {_INGRESS}"
    replaced_by = "*"


class SecurityGroupEgress(_Rule):
    """An outbound rule."""

    type = "AWS::EC2::SecurityGroupEgress"
    known = f"GroupId {_EGRESS}"
    replaced_by = "*"
    egress = True
