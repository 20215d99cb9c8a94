"""VPC endpoints of both kinds."""

# ruff: noqa: ARG002, D102 - every method is one of ResourceType and documented there
from __future__ import annotations

from local_aws.control.cfn.provider import Context, Made, Properties, ResourceType, document, flag
from local_aws.control.cfn.resources.network import retag


class VpcEndpoint(ResourceType):
    """A gateway endpoint (in route tables) or an interface endpoint (in subnets)."""

    type = "AWS::EC2::VPCEndpoint"
    known = (
        "PolicyDocument PrivateDnsEnabled RouteTableIds SecurityGroupIds ServiceName SubnetIds "
        "Tags VpcEndpointType VpcId"
    )
    replaced_by = "ServiceName VpcEndpointType VpcId"

    def create(self, ctx: Context, props: Properties) -> Made:
        policy = props.get("PolicyDocument")
        made = ctx.call(
            "ec2",
            "create_vpc_endpoint",
            VpcId=props["VpcId"],
            ServiceName=props["ServiceName"],
            VpcEndpointType=props.get("VpcEndpointType", "Gateway"),
            PolicyDocument=document(policy) if policy else None,
            RouteTableIds=props.get("RouteTableIds"),
            SubnetIds=props.get("SubnetIds"),
            SecurityGroupIds=props.get("SecurityGroupIds"),
            PrivateDnsEnabled=flag(props.get("PrivateDnsEnabled", False)),
            TagSpecifications=ctx.tag_specification("vpc-endpoint", props),
        )["VpcEndpoint"]
        return self._made(ctx, made["VpcEndpointId"])

    def _made(self, ctx: Context, endpoint: str) -> Made:
        found = ctx.client("ec2").describe_vpc_endpoints(VpcEndpointIds=[endpoint])
        details = found["VpcEndpoints"][0]
        entries = details.get("DnsEntries") or []
        return Made(
            endpoint,
            {
                "Id": endpoint,
                "NetworkInterfaceIds": details.get("NetworkInterfaceIds") or [],
                "DnsEntries": [f"{e.get('HostedZoneId')}:{e.get('DnsName')}" for e in entries],
                "CreationTimestamp": str(details.get("CreationTimestamp", "")),
            },
        )

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        changes = {}
        for name, singular in (
            ("RouteTableIds", "RouteTableIds"),
            ("SubnetIds", "SubnetIds"),
            ("SecurityGroupIds", "SecurityGroupIds"),
        ):
            before, after = set(old.get(name) or []), set(new.get(name) or [])
            changes[f"Add{singular}"] = sorted(after - before) or None
            changes[f"Remove{singular}"] = sorted(before - after) or None
        policy = new.get("PolicyDocument")
        ctx.call(
            "ec2",
            "modify_vpc_endpoint",
            VpcEndpointId=physical_id,
            PolicyDocument=document(policy) if policy else None,
            **changes,
        )
        retag(ctx, physical_id, old, new)
        return self._made(ctx, physical_id)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("ec2").delete_vpc_endpoints(VpcEndpointIds=[physical_id])
