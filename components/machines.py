"""What every machine of the load balancer has in common: locked-down instance metadata and an encrypted disk."""

from __future__ import annotations

import pulumi_aws as aws


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
