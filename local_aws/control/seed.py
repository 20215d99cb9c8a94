"""What an AWS account has before its owner makes anything: public images, service prefix lists."""

from __future__ import annotations

from typing import Any

DEBIAN_IMAGE = "ami-0debian13trixie00"
DEBIAN_OWNER = "136693071363"
DEBIAN_PARAMETER = "/aws/service/debian/release/13/"


def seed(region: str, account: str) -> None:
    """Add Debian 13's image and the public parameters that name it."""
    from moto.ec2.models import ec2_backends
    from moto.ec2.models.amis import Ami

    ec2: Any = ec2_backends[account][region]
    if not any(ami.id == DEBIAN_IMAGE for ami in ec2.amis.values()):
        image: Any = Ami(
            ec2,
            DEBIAN_IMAGE,
            name="debian-13-amd64",
            owner_id=DEBIAN_OWNER,
            description="Debian 13 (trixie)",
            virtualization_type="hvm",
            architecture="x86_64",
            public=True,
            root_device_name="/dev/xvda",
            root_device_type="ebs",
        )
        ec2.amis[DEBIAN_IMAGE] = image


def public_parameter(name: str) -> str | None:
    """Return the value of one of AWS's public parameters, any dated build of Debian 13."""
    if name.startswith(DEBIAN_PARAMETER) and name.endswith(("/amd64", "/arm64")):
        return DEBIAN_IMAGE
    return None
