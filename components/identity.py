"""What a director may ask of AWS: to move the virtual IP to itself, and nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.component import Component, Naming

TRUST_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}},
        ],
    }
)


def claim_policy(instance_arn: str, interface_id: str, allocation_id: str) -> str:
    """The policy of one director: it can pull the virtual IP and its Elastic IP to its own interface only.

    Partition, region and account are taken from the instance's ARN, so that no look-up is needed.
    """
    scope = instance_arn.rsplit(":", 1)[0]
    interface = f"{scope}:network-interface/{interface_id}"
    return json.dumps(
        {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "ClaimVirtualIp",
                    "Effect": "Allow",
                    "Action": "ec2:AssignPrivateIpAddresses",
                    "Resource": interface,
                },
                {
                    "Sid": "RepairElasticIp",
                    "Effect": "Allow",
                    "Action": "ec2:AssociateAddress",
                    "Resource": [f"{scope}:elastic-ip/{allocation_id}", interface],
                },
            ],
        }
    )


@dataclass(frozen=True, kw_only=True)
class IdentityArgs:
    """The director's name, such as "director-1"."""

    naming: Naming
    director: str


class Identity(Component):
    """Makes a role EC2 may take and the instance profile that carries it. It may do nothing yet: see ClaimRights."""

    role_name: pulumi.Output[str]
    profile_name: pulumi.Output[str]

    def __init__(self, name: str, *, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts=opts)
        role = aws.iam.Role(
            args.director,
            assume_role_policy=TRUST_POLICY,
            description=f"{args.naming.project} {args.naming.stack} {args.director}",
            tags=args.naming.tags(args.director),
            opts=self.child_opts(),
        )
        profile = aws.iam.InstanceProfile(
            args.director,
            role=role.name,
            tags=args.naming.tags(args.director),
            opts=self.child_opts(),
        )
        self.role_name = role.name
        self.profile_name = profile.name
        self.register_outputs({"roleName": self.role_name, "profileName": self.profile_name})


@dataclass(frozen=True, kw_only=True)
class ClaimRightsArgs:
    """The director's role, its instance's ARN, its interface, and the service's Elastic IP."""

    director: str
    role_name: pulumi.Input[str]
    instance_arn: pulumi.Input[str]
    interface_id: pulumi.Input[str]
    allocation_id: pulumi.Input[str]


class ClaimRights(Component):
    """Makes the inline policy of a director's role. It names the interface, so it lands after the machine runs."""

    def __init__(self, name: str, *, args: ClaimRightsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts=opts)
        policy = pulumi.Output.all(args.instance_arn, args.interface_id, args.allocation_id).apply(
            lambda ids: claim_policy(*ids)
        )
        aws.iam.RolePolicy(args.director, role=args.role_name, policy=policy, opts=self.child_opts())
        self.register_outputs({})
