"""Put right, from outside, what moto does otherwise than AWS.

Each correction wraps one method of moto's; none of moto's files is changed.
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable
from typing import Any

from local_aws.control import seed

_applied: set[str] = set()


def apply() -> None:
    """Apply all corrections; a second call changes nothing."""
    if _applied:
        return
    from moto.awslambda.models import LambdaFunction
    from moto.ec2.models.elastic_block_store import EBSBackend
    from moto.ec2.models.instances import Instance, InstanceBackend
    from moto.ec2.models.vpcs import VPCBackend
    from moto.s3.models import FakeBucket
    from moto.ssm.models import SimpleSystemManagerBackend

    _wrap(SimpleSystemManagerBackend, "get_parameter", _public_parameter)
    _wrap(SimpleSystemManagerBackend, "get_parameters", _public_parameters)
    _wrap(VPCBackend, "create_vpc_endpoint", _create_endpoint)
    _wrap(VPCBackend, "delete_vpc_endpoints", _delete_endpoints)
    _wrap(InstanceBackend, "run_instances", _run_instances)
    _wrap(EBSBackend, "attach_volume", _attach_volume)
    _wrap(Instance, "terminate", _terminate)
    _wrap(FakeBucket, "get_permission", _permission)
    _wrap_property(Instance, "network_interfaces", _interfaces)
    _wrap_property(Instance, "private_ip_address", _address)
    _wrap_property(LambdaFunction, "vpc_config", _vpc_config)


def _wrap(owner: Any, name: str, replacement: Callable[..., Any]) -> None:
    """Replace a method by one that gets the original as its first argument."""
    original = getattr(owner, name)

    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return replacement(functools.partial(original, self), self, *args, **kwargs)

    setattr(owner, name, method)
    _applied.add(f"{owner.__name__}.{name}")


def _wrap_property(owner: Any, name: str, replacement: Callable[..., Any]) -> None:
    """Replace a property by one that gets the original's getter as its first argument."""
    getter = getattr(owner, name).fget
    setattr(owner, name, property(lambda self: replacement(functools.partial(getter, self), self)))
    _applied.add(f"{owner.__name__}.{name}")


# -- s3: policies are judged before moto is asked, with their conditions, which moto leaves out


def _permission(_original: Callable[..., Any], _bucket: Any, _action: str, _resource: str) -> Any:
    from moto.iam.access_control import PermissionResult

    return PermissionResult.NEUTRAL


# -- ssm: AWS's public parameters for Debian's images


def _debian(backend: Any, name: str) -> Any:
    import datetime

    import moto.ssm.models as models

    parameter: Any = models.Parameter  # abstract for mypy alone
    value = seed.public_parameter(name)
    if value is None:
        return None
    at = datetime.datetime.now(datetime.UTC)
    return parameter(
        backend.account_id, name, value, "String", None, None, None, at, 1, "aws:ec2:image"
    )


def _public_parameter(original: Callable[..., Any], self: Any, name: str) -> Any:
    return _debian(self, name) or original(name)


def _public_parameters(original: Callable[..., Any], self: Any, names: list[str]) -> Any:
    found = {name: _debian(self, name) for name in names if _debian(self, name)}
    return {**original([name for name in names if name not in found]), **found}


# -- ec2: an interface endpoint's network interfaces have the subnet's top addresses and its groups


def top_address(cidr: str, taken: set[str]) -> str:
    """Return a free address near a subnet's top (…250 of a /20 first); the last is AWS's own."""
    network = ipaddress.ip_network(cidr)
    offsets = [*range(6, 1, -1), *range(7, network.num_addresses - 4)]
    for offset in offsets:
        address = str(network[-offset])
        if address not in taken:
            return address
    raise ValueError(f"{cidr} has no free address")


def _create_endpoint(original: Callable[..., Any], self: Any, *args: Any, **kwargs: Any) -> Any:
    import inspect

    bound = inspect.signature(original).bind(*args, **kwargs).arguments
    bound["endpoint_type"] = bound.get("endpoint_type") or "Gateway"
    if bound["endpoint_type"] != "Interface":
        return original(**bound)
    subnets = bound.pop("subnet_ids", None) or []
    endpoint = original(**bound, subnet_ids=[])
    endpoint.subnet_ids = []
    endpoint.network_interface_ids = []
    for subnet_id in subnets:
        _add_interface(self, endpoint, subnet_id)
    return endpoint


def _add_interface(self: Any, endpoint: Any, subnet_id: str) -> None:
    subnet = self.get_subnet(subnet_id)
    taken = {eni.private_ip_address for eni in self.enis.values() if eni.subnet.id == subnet_id}
    eni = self.create_network_interface(
        subnet,
        top_address(subnet.cidr_block, taken),
        group_ids=list(endpoint.security_group_ids),
        description=f"VPC Endpoint Interface {endpoint.id}",
    )
    eni.interface_type = "vpc_endpoint"
    eni.requester_managed = True
    eni.status = "in-use"
    endpoint.subnet_ids.append(subnet_id)
    endpoint.network_interface_ids.append(eni.id)


def _delete_endpoints(original: Callable[..., Any], self: Any, vpce_ids: Any = None) -> Any:
    result = original(vpce_ids)
    for endpoint_id in vpce_ids or []:
        self.vpc_end_points.pop(endpoint_id, None)
    return result


# -- ec2: an interface or a volume of its own serves one instance at a time and outlives it


def _run_instances(original: Callable[..., Any], self: Any, *args: Any, **kwargs: Any) -> Any:
    from moto.ec2.exceptions import EC2ClientError

    for nic in kwargs.get("nics") or []:
        interface_id = nic.get("NetworkInterfaceId")
        if interface_id and self.get_network_interface(interface_id).instance is not None:
            raise EC2ClientError(
                "InvalidNetworkInterface.InUse",
                f"Interface: [{interface_id}] in use.",
            )
    return original(*args, **kwargs)


def _attach_volume(
    original: Callable[..., Any], self: Any, volume_id: str, *args: Any, **kwargs: Any
) -> Any:
    from moto.ec2.exceptions import EC2ClientError

    if self.get_volume(volume_id).attachment is not None:
        raise EC2ClientError("VolumeInUse", f"{volume_id} is already attached to an instance")
    return original(volume_id, *args, **kwargs)


def _terminate(original: Callable[..., Any], self: Any) -> Any:
    result = original()
    for eni in self.nics.values():
        if not eni.delete_on_termination:
            eni.instance = None
            eni.attachment_id = None
            eni.attach_time = None
            eni.device_index = None
            eni.status = "available"
    return result


def _interfaces(original: Callable[..., Any], self: Any) -> Any:
    return [] if self.state == "terminated" else original()


def _address(original: Callable[..., Any], self: Any) -> Any:
    return None if self.state == "terminated" else original()


# -- lambda: a function's VPC is its subnets'


def _vpc_config(original: Callable[..., Any], self: Any) -> Any:
    from moto.ec2.models import ec2_backends

    config = original()
    if not config:
        return config
    ec2 = ec2_backends[self.account_id][self.region]
    vpcs = [ec2.get_subnet(subnet).vpc_id for subnet in config.get("SubnetIds") or []]
    return {**config, "VpcId": vpcs[0] if vpcs else ""}
