"""The service's addresses: the Elastic IP clients know, and the virtual IP it belongs to inside the VPC."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.component import Component, Naming
from components.rollout import Fixed


@dataclass(frozen=True, kw_only=True)
class ServiceAddressArgs:
    """The virtual IP (an IPv4 address of the subnet); `protect` guards the Elastic IP, which cannot be had again."""

    naming: Naming
    subnet_id: pulumi.Input[str]
    virtual_ip: str
    protect: bool


class ServiceAddress(Component):
    """Makes the service's Elastic IP and a reservation that keeps the virtual IP out of automatic assignment.

    Which interface holds the virtual IP, and with it the Elastic IP, is the directors' business at run time. No
    association and no holder is declared: a declared one would be drift after a failover, and the next `up` would
    take the address from the director that owns it.
    """

    elastic_ip: pulumi.Output[str]
    allocation_id: pulumi.Output[str]
    fixed: pulumi.Output[tuple[Fixed, ...]]

    def __init__(self, name: str, *, args: ServiceAddressArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts=opts)
        elastic_ip = aws.ec2.Eip(
            "elastic-ip",
            domain="vpc",
            tags=args.naming.tags("elastic-ip"),
            opts=self.child_opts(protect=args.protect),
        )
        reservation = aws.ec2.SubnetCidrReservation(
            "virtual-ip",
            subnet_id=args.subnet_id,
            cidr_block=f"{args.virtual_ip}/32",
            # explicit: EC2 hands out the address only to who names it (CreateSubnetCidrReservation).
            reservation_type="explicit",
            description="virtual IP of the directors",
            # A virtual IP that moves to another address leaves two directors with two truths: refused, not done.
            opts=self.child_opts(ignore_changes=("cidrBlock",)),
        )
        self.elastic_ip = elastic_ip.public_ip
        self.allocation_id = elastic_ip.allocation_id
        self.fixed = reservation.cidr_block.apply(
            lambda found: (Fixed(key="virtualIp", wanted=args.virtual_ip, found=found.removesuffix("/32")),)
        )
        self.register_outputs({"elasticIp": self.elastic_ip, "allocationId": self.allocation_id})
