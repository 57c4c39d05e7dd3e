"""What every machine of the load balancer has in common: how it is locked down, and what it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import pulumi
import pulumi_aws as aws

from components.rollout import Machine


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


def compared(
    role: Literal["director", "web-server"], instance: aws.ec2.Instance, wanted: Mapping[str, pulumi.Input[str]]
) -> pulumi.Output[Machine]:
    """What the machine was made from beside what is `wanted` of it, for `components.rollout`.

    User data is compared as text: since Terraform's AWS provider 6.0, which pulumi-aws 7 is made from, it is in the
    state as it was given and not as a hash (its changelog, #42078).
    """
    found = {
        "ami": instance.ami,
        "instanceType": instance.instance_type,
        "subnetId": instance.subnet_id,
        "privateIp": instance.private_ip,
        "userData": instance.user_data,
    }
    both = pulumi.Output.all(pulumi.Output.from_input(wanted), pulumi.Output.from_input(found))
    return both.apply(lambda pair: Machine(name=instance._name, role=role, wanted=pair[0], found=pair[1]))
