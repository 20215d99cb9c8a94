"""VPCs, subnets, gateways and routes."""

# ruff: noqa: ARG002, D102 - every method is one of ResourceType and documented there
from __future__ import annotations

from typing import Any

from local_aws.control.cfn.errors import ResourceError
from local_aws.control.cfn.provider import Context, Made, Properties, ResourceType, flag


def retag(ctx: Context, resource_id: str, old: Properties, new: Properties) -> None:
    """Bring an EC2 resource's tags from the old properties to the new."""
    if old.get("Tags") == new.get("Tags"):
        return
    dropped = {tag["Key"] for tag in old.get("Tags") or []}
    dropped -= {tag["Key"] for tag in new.get("Tags") or []}
    ec2 = ctx.client("ec2")
    if dropped:
        ec2.delete_tags(Resources=[resource_id], Tags=[{"Key": key} for key in sorted(dropped)])
    if tags := ctx.tags(new):
        ec2.create_tags(Resources=[resource_id], Tags=tags)


class Vpc(ResourceType):
    """A VPC."""

    type = "AWS::EC2::VPC"
    known = "CidrBlock EnableDnsHostnames EnableDnsSupport InstanceTenancy Tags"
    replaced_by = "CidrBlock"

    def create(self, ctx: Context, props: Properties) -> Made:
        vpc = ctx.call(
            "ec2",
            "create_vpc",
            CidrBlock=props["CidrBlock"],
            InstanceTenancy=props.get("InstanceTenancy"),
            TagSpecifications=ctx.tag_specification("vpc", props),
        )["Vpc"]
        self._dns(ctx, vpc["VpcId"], props)
        return self._made(ctx, vpc["VpcId"], props)

    def _dns(self, ctx: Context, vpc_id: str, props: Properties) -> None:
        for name, default in (("EnableDnsSupport", True), ("EnableDnsHostnames", False)):
            ctx.client("ec2").modify_vpc_attribute(
                VpcId=vpc_id, **{name: {"Value": flag(props.get(name, default))}}
            )

    def _made(self, ctx: Context, vpc_id: str, props: Properties) -> Made:
        groups = ctx.client("ec2").describe_security_groups(
            Filters=[
                {"Name": "vpc-id", "Values": [vpc_id]},
                {"Name": "group-name", "Values": ["default"]},
            ]
        )["SecurityGroups"]
        return Made(
            vpc_id,
            {
                "VpcId": vpc_id,
                "CidrBlock": props["CidrBlock"],
                "DefaultSecurityGroup": groups[0]["GroupId"] if groups else "",
            },
        )

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        self._dns(ctx, physical_id, new)
        retag(ctx, physical_id, old, new)
        return self._made(ctx, physical_id, new)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("ec2").delete_vpc(VpcId=physical_id)


class Subnet(ResourceType):
    """A subnet."""

    type = "AWS::EC2::Subnet"
    known = "AvailabilityZone CidrBlock MapPublicIpOnLaunch Tags VpcId"
    replaced_by = "AvailabilityZone CidrBlock VpcId"

    def create(self, ctx: Context, props: Properties) -> Made:
        subnet = ctx.call(
            "ec2",
            "create_subnet",
            VpcId=props["VpcId"],
            CidrBlock=props["CidrBlock"],
            AvailabilityZone=props.get("AvailabilityZone"),
            TagSpecifications=ctx.tag_specification("subnet", props),
        )["Subnet"]
        return self._set(ctx, subnet, props)

    def _set(self, ctx: Context, subnet: dict[str, Any], props: Properties) -> Made:
        public = flag(props.get("MapPublicIpOnLaunch", False))
        ctx.client("ec2").modify_subnet_attribute(
            SubnetId=subnet["SubnetId"], MapPublicIpOnLaunch={"Value": public}
        )
        names = ("SubnetId", "VpcId", "CidrBlock", "AvailabilityZone")
        return Made(subnet["SubnetId"], {name: subnet[name] for name in names})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        retag(ctx, physical_id, old, new)
        found = ctx.client("ec2").describe_subnets(SubnetIds=[physical_id])["Subnets"]
        return self._set(ctx, found[0], new)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        used = ctx.client("ec2").describe_network_interfaces(
            Filters=[{"Name": "subnet-id", "Values": [physical_id]}]
        )["NetworkInterfaces"]
        if used:
            ids = ", ".join(i["NetworkInterfaceId"] for i in used)
            raise ResourceError(
                f"The subnet '{physical_id}' has dependencies and cannot be deleted: {ids}"
            )
        ctx.client("ec2").delete_subnet(SubnetId=physical_id)


class InternetGateway(ResourceType):
    """An internet gateway; in the miniature a name only, nothing reaches the internet."""

    type = "AWS::EC2::InternetGateway"
    known = "Tags"

    def create(self, ctx: Context, props: Properties) -> Made:
        gateway = ctx.call(
            "ec2",
            "create_internet_gateway",
            TagSpecifications=ctx.tag_specification("internet-gateway", props),
        )["InternetGateway"]["InternetGatewayId"]
        return Made(gateway, {"InternetGatewayId": gateway})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        retag(ctx, physical_id, old, new)
        return Made(physical_id, {"InternetGatewayId": physical_id})

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("ec2").delete_internet_gateway(InternetGatewayId=physical_id)


class VpcGatewayAttachment(ResourceType):
    """The joint of a VPC and its internet gateway."""

    type = "AWS::EC2::VPCGatewayAttachment"
    known = "InternetGatewayId VpcId"
    replaced_by = "*"

    def create(self, ctx: Context, props: Properties) -> Made:
        ctx.client("ec2").attach_internet_gateway(
            InternetGatewayId=props["InternetGatewayId"], VpcId=props["VpcId"]
        )
        return Made(f"IGW|{props['VpcId']}", {"AttachmentType": "IGW"})

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("ec2").detach_internet_gateway(
            InternetGatewayId=props["InternetGatewayId"], VpcId=props["VpcId"]
        )


class RouteTable(ResourceType):
    """A route table."""

    type = "AWS::EC2::RouteTable"
    known = "Tags VpcId"
    replaced_by = "VpcId"

    def create(self, ctx: Context, props: Properties) -> Made:
        table = ctx.call(
            "ec2",
            "create_route_table",
            VpcId=props["VpcId"],
            TagSpecifications=ctx.tag_specification("route-table", props),
        )["RouteTable"]["RouteTableId"]
        return Made(table, {"RouteTableId": table})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        retag(ctx, physical_id, old, new)
        return Made(physical_id, {"RouteTableId": physical_id})

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("ec2").delete_route_table(RouteTableId=physical_id)


class Route(ResourceType):
    """A route."""

    type = "AWS::EC2::Route"
    known = "DestinationCidrBlock DestinationPrefixListId GatewayId RouteTableId"
    replaced_by = "*"

    def create(self, ctx: Context, props: Properties) -> Made:
        ctx.call("ec2", "create_route", **props)
        target = props.get("DestinationCidrBlock") or props.get("DestinationPrefixListId")
        return Made(f"{props['RouteTableId']}|{target}", {"CidrBlock": target})

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.call(
            "ec2",
            "delete_route",
            RouteTableId=props["RouteTableId"],
            DestinationCidrBlock=props.get("DestinationCidrBlock"),
            DestinationPrefixListId=props.get("DestinationPrefixListId"),
        )


class SubnetRouteTableAssociation(ResourceType):
    """The joint of a subnet and its route table."""

    type = "AWS::EC2::SubnetRouteTableAssociation"
    known = "RouteTableId SubnetId"
    replaced_by = "*"

    def create(self, ctx: Context, props: Properties) -> Made:
        joint = ctx.client("ec2").associate_route_table(
            RouteTableId=props["RouteTableId"], SubnetId=props["SubnetId"]
        )["AssociationId"]
        return Made(joint, {"Id": joint})

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("ec2").disassociate_route_table(AssociationId=physical_id)


class FlowLog(ResourceType):
    """A log of a VPC's connections; the miniature keeps it and writes nothing to it."""

    type = "AWS::EC2::FlowLog"
    known = "DeliverLogsPermissionArn LogGroupName ResourceId ResourceType Tags TrafficType"
    replaced_by = "DeliverLogsPermissionArn LogGroupName ResourceId ResourceType TrafficType"

    def create(self, ctx: Context, props: Properties) -> Made:
        made = ctx.call(
            "ec2",
            "create_flow_logs",
            ResourceIds=[props["ResourceId"]],
            ResourceType=props["ResourceType"],
            TrafficType=props["TrafficType"],
            LogGroupName=props["LogGroupName"],
            DeliverLogsPermissionArn=props["DeliverLogsPermissionArn"],
            TagSpecifications=ctx.tag_specification("vpc-flow-log", props),
        )
        if made.get("Unsuccessful"):
            raise ResourceError(made["Unsuccessful"][0]["Error"]["Message"])
        (name,) = made["FlowLogIds"]
        return Made(name, {"Id": name})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        retag(ctx, physical_id, old, new)
        return Made(physical_id, {"Id": physical_id})

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("ec2").delete_flow_logs(FlowLogIds=[physical_id])
