"""Instances, their volumes and network interfaces."""

# ruff: noqa: ARG002, D102 - every method is one of ResourceType and documented there
from __future__ import annotations

import base64
import time
from typing import Any

from local_aws.control.cfn.errors import ResourceError
from local_aws.control.cfn.provider import Context, Made, Properties, ResourceType, flag, text
from local_aws.control.cfn.resources.network import retag


class Instance(ResourceType):
    """An EC2 instance."""

    type = "AWS::EC2::Instance"
    known = (
        "AvailabilityZone BlockDeviceMappings CreditSpecification DisableApiTermination "
        "EbsOptimized IamInstanceProfile ImageId InstanceInitiatedShutdownBehavior InstanceType "
        "KeyName MetadataOptions Monitoring NetworkInterfaces PrivateIpAddress "
        "PropagateTagsToVolumeOnCreation SecurityGroupIds SubnetId Tags UserData"
    )
    replaced_by = (
        "AvailabilityZone BlockDeviceMappings ImageId KeyName NetworkInterfaces PrivateIpAddress "
        "SubnetId"
    )

    def create(self, ctx: Context, props: Properties) -> Made:
        profile = props.get("IamInstanceProfile")
        monitored = props.get("Monitoring")
        options = props.get("MetadataOptions")
        made = ctx.call(
            "ec2",
            "run_instances",
            ImageId=props["ImageId"],
            InstanceType=props.get("InstanceType", "m1.small"),
            MinCount=1,
            MaxCount=1,
            KeyName=props.get("KeyName"),
            SubnetId=props.get("SubnetId"),
            PrivateIpAddress=props.get("PrivateIpAddress"),
            SecurityGroupIds=props.get("SecurityGroupIds"),
            NetworkInterfaces=[_interface(i) for i in props.get("NetworkInterfaces") or []] or None,
            IamInstanceProfile={"Name": profile} if profile else None,
            UserData=_script(props["UserData"]) if "UserData" in props else None,
            BlockDeviceMappings=props.get("BlockDeviceMappings"),
            MetadataOptions=options,
            Monitoring={"Enabled": flag(monitored)} if monitored is not None else None,
            EbsOptimized=props.get("EbsOptimized"),
            DisableApiTermination=props.get("DisableApiTermination"),
            InstanceInitiatedShutdownBehavior=props.get("InstanceInitiatedShutdownBehavior"),
            TagSpecifications=ctx.tag_specification("instance", props) or None,
        )["Instances"][0]
        return self._made(ctx, made["InstanceId"])

    def _made(self, ctx: Context, instance: str) -> Made:
        found = ctx.client("ec2").describe_instances(InstanceIds=[instance])
        details = found["Reservations"][0]["Instances"][0]
        return Made(
            instance,
            {
                "InstanceId": instance,
                "PrivateIp": details.get("PrivateIpAddress", ""),
                "PrivateDnsName": details.get("PrivateDnsName", ""),
                "PublicIp": details.get("PublicIpAddress", ""),
                "PublicDnsName": details.get("PublicDnsName", ""),
                "AvailabilityZone": details["Placement"]["AvailabilityZone"],
                "VpcId": details.get("VpcId", ""),
            },
        )

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        ec2 = ctx.client("ec2")
        retag(ctx, physical_id, old, new)
        attributes: list[dict[str, Any]] = []
        if old.get("SecurityGroupIds") != new.get("SecurityGroupIds"):
            attributes.append({"Groups": new.get("SecurityGroupIds") or []})
        if old.get("DisableApiTermination") != new.get("DisableApiTermination"):
            value = flag(new.get("DisableApiTermination", False))
            attributes.append({"DisableApiTermination": {"Value": value}})
        for attribute in attributes:
            ec2.modify_instance_attribute(InstanceId=physical_id, **attribute)
        if old.get("MetadataOptions") != new.get("MetadataOptions"):
            ctx.call(
                "ec2",
                "modify_instance_metadata_options",
                InstanceId=physical_id,
                **new.get("MetadataOptions", {}),
            )
        if any(old.get(name) != new.get(name) for name in ("InstanceType", "UserData")):
            self._restart_with(ctx, physical_id, new)
        return self._made(ctx, physical_id)

    def _restart_with(self, ctx: Context, instance: str, new: Properties) -> None:
        """Stop and start around the change, as AWS does; user data does not run again."""
        ec2 = ctx.client("ec2")
        ec2.stop_instances(InstanceIds=[instance])
        ec2.modify_instance_attribute(
            InstanceId=instance, InstanceType={"Value": new.get("InstanceType", "m1.small")}
        )
        if "UserData" in new:
            ec2.modify_instance_attribute(
                InstanceId=instance, UserData={"Value": _script(new["UserData"])}
            )
        ec2.start_instances(InstanceIds=[instance])

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ec2 = ctx.client("ec2")
        of_instance = [{"Name": "attachment.instance-id", "Values": [physical_id]}]
        joined = ec2.describe_network_interfaces(Filters=of_instance)["NetworkInterfaces"]
        ec2.terminate_instances(InstanceIds=[physical_id])
        # AWS lets an interface with a life of its own go free when its instance ends; moto does not.
        for interface in joined:
            if not interface["Attachment"].get("DeleteOnTermination"):
                ec2.detach_network_interface(AttachmentId=interface["Attachment"]["AttachmentId"])


def _script(user_data: str) -> str:
    """Return user data as it was before the template's Base64: boto3 encodes it for the API itself."""
    return base64.b64decode(user_data, validate=True).decode()


def _interface(item: Properties) -> dict[str, Any]:
    """Return a template's NetworkInterfaces entry as the API names it."""
    result = dict(item)
    if "GroupSet" in result:
        result["Groups"] = result.pop("GroupSet")
    return result


class Volume(ResourceType):
    """An EBS volume."""

    type = "AWS::EC2::Volume"
    known = "AvailabilityZone Encrypted Iops KmsKeyId Size SnapshotId Tags Throughput VolumeType"
    replaced_by = "AvailabilityZone Encrypted KmsKeyId SnapshotId"

    def create(self, ctx: Context, props: Properties) -> Made:
        given = {key: value for key, value in props.items() if key != "Tags"}
        volume = ctx.call(
            "ec2",
            "create_volume",
            TagSpecifications=ctx.tag_specification("volume", props),
            **given,
        )["VolumeId"]
        return Made(volume, {"VolumeId": volume})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        names = ("Size", "VolumeType", "Iops", "Throughput")
        changed = {n: new[n] for n in names if n in new and old.get(n) != new[n]}
        if changed:
            ctx.call("ec2", "modify_volume", VolumeId=physical_id, **changed)
        retag(ctx, physical_id, old, new)
        return Made(physical_id, {"VolumeId": physical_id})

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("ec2").delete_volume(VolumeId=physical_id)

    def snapshot(self, ctx: Context, physical_id: str) -> None:
        ctx.client("ec2").create_snapshot(
            VolumeId=physical_id, Description=f"{ctx.stack_name}-{ctx.logical_id}"
        )


class LifecyclePolicy(ResourceType):
    """What makes snapshots of volumes by the clock; here it is kept and makes none."""

    type = "AWS::DLM::LifecyclePolicy"
    known = "Description ExecutionRoleArn PolicyDetails State Tags"

    def create(self, ctx: Context, props: Properties) -> Made:
        policy = ctx.call(
            "dlm",
            "create_lifecycle_policy",
            Tags={tag["Key"]: tag["Value"] for tag in ctx.tags(props)} or None,
            **{key: value for key, value in props.items() if key != "Tags"},
        )["PolicyId"]
        return self._made(ctx, policy)

    def _made(self, ctx: Context, policy: str) -> Made:
        return Made(policy, {"Arn": f"arn:aws:dlm:{ctx.region}:{ctx.account}:policy/{policy}"})

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        given = {key: value for key, value in new.items() if key != "Tags"}
        ctx.call("dlm", "update_lifecycle_policy", PolicyId=physical_id, **given)
        return self._made(ctx, physical_id)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ctx.client("dlm").delete_lifecycle_policy(PolicyId=physical_id)


class VolumeAttachment(ResourceType):
    """The joint of a volume and an instance."""

    type = "AWS::EC2::VolumeAttachment"
    known = "Device InstanceId VolumeId"
    replaced_by = "*"

    def create(self, ctx: Context, props: Properties) -> Made:
        ctx.client("ec2").attach_volume(
            Device=props["Device"], InstanceId=props["InstanceId"], VolumeId=props["VolumeId"]
        )
        return Made(f"{props['VolumeId']}|{props['InstanceId']}", {})

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        volume, _, instance = physical_id.partition("|")
        ctx.client("ec2").detach_volume(VolumeId=volume, InstanceId=instance)


class NetworkInterface(ResourceType):
    """A network interface with a lifecycle of its own."""

    type = "AWS::EC2::NetworkInterface"
    known = "Description GroupSet PrivateIpAddress SourceDestCheck SubnetId Tags"
    replaced_by = "PrivateIpAddress SubnetId"

    def create(self, ctx: Context, props: Properties) -> Made:
        made = ctx.call(
            "ec2",
            "create_network_interface",
            SubnetId=props["SubnetId"],
            Description=props.get("Description"),
            Groups=props.get("GroupSet"),
            PrivateIpAddress=props.get("PrivateIpAddress"),
            TagSpecifications=ctx.tag_specification("network-interface", props) or None,
        )["NetworkInterface"]
        return self._made(ctx, made["NetworkInterfaceId"])

    def _made(self, ctx: Context, interface: str) -> Made:
        details = ctx.client("ec2").describe_network_interfaces(NetworkInterfaceIds=[interface])
        found = details["NetworkInterfaces"][0]
        address = found["PrivateIpAddress"]
        return Made(
            interface,
            {
                "Id": interface,
                "PrimaryPrivateIpAddress": address,
                "PrivateIpAddress": address,
                "VpcId": found.get("VpcId", ""),
            },
        )

    def update(self, ctx: Context, physical_id: str, old: Properties, new: Properties) -> Made:
        if old.get("GroupSet") != new.get("GroupSet"):
            ctx.client("ec2").modify_network_interface_attribute(
                NetworkInterfaceId=physical_id, Groups=new.get("GroupSet") or []
            )
        if old.get("Description") != new.get("Description"):
            ctx.client("ec2").modify_network_interface_attribute(
                NetworkInterfaceId=physical_id, Description={"Value": text(new["Description"])}
            )
        retag(ctx, physical_id, old, new)
        return self._made(ctx, physical_id)

    def delete(self, ctx: Context, physical_id: str, props: Properties) -> None:
        ec2 = ctx.client("ec2")
        deadline = time.monotonic() + 20
        while True:
            found = ec2.describe_network_interfaces(NetworkInterfaceIds=[physical_id])
            if not (found["NetworkInterfaces"][0].get("Attachment") or {}).get("InstanceId"):
                break
            if time.monotonic() > deadline:
                raise ResourceError(f"Network interface '{physical_id}' is currently in use.")
            time.sleep(0.5)
        ec2.delete_network_interface(NetworkInterfaceId=physical_id)
