"""The VPC, its one subnet, and the way to the internet."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.component import Component, Naming
from components.rollout import Fixed


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """Networks such as "10.0.0.0/16"; an empty zone leaves the choice to AWS; `protect` guards VPC and subnet."""

    naming: Naming
    vpc_cidr: str
    subnet_cidr: str
    availability_zone: str
    protect: bool


@dataclass(frozen=True, kw_only=True)
class ExistingNetwork:
    """A VPC and one of its subnets that stand already, or are made elsewhere in the same program.

    The subnet's default route leads to an internet gateway, and it gives no public address to what starts in it.
    `after` must stand before any machine starts, because a first boot installs packages: the route, if it is made by
    the same program. `fixed` is what of it a stack keeps for life, where the stack made it.
    """

    vpc_id: pulumi.Input[str]
    subnet_id: pulumi.Input[str]
    after: tuple[pulumi.Resource, ...] = ()
    fixed: pulumi.Output[tuple[Fixed, ...]] | None = None


class Network(Component):
    """Makes a VPC, an internet gateway, a subnet, and a route table with its default route and association.

    Web servers have no public address and reach the outside through a director: the machines route that, not the VPC.
    """

    vpc_id: pulumi.Output[str]
    subnet_id: pulumi.Output[str]
    fixed: pulumi.Output[tuple[Fixed, ...]]

    def __init__(self, name: str, *, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts=opts)
        vpc = aws.ec2.Vpc(
            "vpc",
            cidr_block=args.vpc_cidr,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=args.naming.tags("vpc"),
            # A stack keeps its network for life: a change would replace everything at once. See components.rollout.
            opts=self.child_opts(protect=args.protect, ignore_changes=("cidrBlock",)),
        )
        gateway = aws.ec2.InternetGateway(
            "internet-gateway",
            vpc_id=vpc.id,
            tags=args.naming.tags("internet-gateway"),
            opts=self.child_opts(),
        )
        subnet = aws.ec2.Subnet(
            "subnet",
            vpc_id=vpc.id,
            cidr_block=args.subnet_cidr,
            availability_zone=args.availability_zone or None,
            # Directors bring their own Elastic IPs: an automatic public address does not survive a stop of the owner.
            map_public_ip_on_launch=False,
            tags=args.naming.tags("subnet"),
            opts=self.child_opts(protect=args.protect, ignore_changes=("cidrBlock", "availabilityZone")),
        )
        table = aws.ec2.RouteTable(
            "route-table",
            vpc_id=vpc.id,
            tags=args.naming.tags("route-table"),
            opts=self.child_opts(),
        )
        aws.ec2.Route(
            "default-route",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway.id,
            opts=self.child_opts(),
        )
        aws.ec2.RouteTableAssociation(
            "route-table-association",
            subnet_id=subnet.id,
            route_table_id=table.id,
            opts=self.child_opts(),
        )
        self.vpc_id = vpc.id
        self.subnet_id = subnet.id
        self.fixed = pulumi.Output.all(vpc.cidr_block, subnet.cidr_block, subnet.availability_zone).apply(
            lambda found: (
                Fixed(key="vpcCidr", wanted=args.vpc_cidr, found=found[0]),
                Fixed(key="subnetCidr", wanted=args.subnet_cidr, found=found[1]),
                # Where the choice is AWS's, whatever it chose is what was wanted.
                Fixed(key="availabilityZone", wanted=args.availability_zone or found[2], found=found[2]),
            )
        )
        self.register_outputs({"vpcId": self.vpc_id, "subnetId": self.subnet_id})
