"""What every machine of the load balancer has in common: how it is locked down, and what it was made from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

from components.rollout import HELD_PROPERTIES, Machine


def metadata_options() -> aws.ec2.InstanceMetadataOptionsArgs:
    """Instance metadata by token only (IMDSv2), for the machine itself only, with the tags it learns its name by.

    A hop limit of 1 is said, not left to the image: images made for IMDSv2 come with 2 (EC2 user guide).
    """
    return aws.ec2.InstanceMetadataOptionsArgs(
        http_endpoint="enabled",
        http_tokens="required",
        http_put_response_hop_limit=1,
        instance_metadata_tags="enabled",
    )


def root_disk() -> aws.ec2.InstanceRootBlockDeviceArgs:
    """An encrypted disk of the image's size."""
    return aws.ec2.InstanceRootBlockDeviceArgs(encrypted=True, volume_type="gp3")


@dataclass(frozen=True, kw_only=True)
class MadeFrom:
    """The inputs of an instance that `components.rollout` holds: said once, given to it and compared with it."""

    ami: pulumi.Input[str]
    instance_type: str
    subnet_id: pulumi.Input[str]
    private_ip: str
    user_data: str


def compared(
    role: Literal["director", "web-server"], instance: aws.ec2.Instance, wanted: MadeFrom
) -> pulumi.Output[Machine]:
    """What the machine was made from beside what is `wanted` of it, for `components.rollout`.

    User data is compared as text: since Terraform's AWS provider 6.0, which pulumi-aws 7 is made from, it is in the
    state as it was given and not as a hash (its changelog, #42078).
    """
    both = pulumi.Output.all(_by_property(wanted), _by_property(instance))
    return both.apply(lambda pair: Machine(name=instance._name, role=role, wanted=pair[0], found=pair[1]))


def _by_property(source: MadeFrom | aws.ec2.Instance) -> dict[str, pulumi.Input[str]]:
    """The held inputs under their names on the wire (`HELD_PROPERTIES`)."""
    values = (source.ami, source.instance_type, source.subnet_id, source.private_ip, source.user_data)
    return dict(zip(HELD_PROPERTIES, values, strict=True))
