"""A director: the machine, what it may do, and its own way to the EC2 API."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.component import Component, Naming
from components.identity import ClaimRights, ClaimRightsArgs, Identity, IdentityArgs
from components.machines import MadeFrom, compared, metadata_options, root_disk
from components.rollout import HELD_PROPERTIES, Machine
from userdata.render import director_user_data
from userdata.values import Director, LoadBalancer


@dataclass(frozen=True, kw_only=True)
class DirectorMachineArgs:
    """One director of `balancer`. `after` must stand before this machine is made, or replaced, at all.

    One that is `held` keeps what it was made from: see `components.rollout`.
    """

    naming: Naming
    balancer: LoadBalancer
    director: Director
    image_id: pulumi.Input[str]
    instance_type: str
    subnet_id: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    elastic_ip_allocation_id: pulumi.Input[str]
    after: tuple[pulumi.Resource, ...]
    held: bool


class DirectorMachine(Component):
    """Makes one director: role and profile, instance, an Elastic IP of its own with its association, and its rights.

    The virtual IP is declared nowhere: an address of the interface, or an instance-level public address, would be drift
    after a failover, and the provider would replace the instance or take the address away from its owner.

    Its own Elastic IP is the way to the EC2 API while it does not own the service's. It never moves, so it is declared;
    an automatic public address would not come back when a director is stopped while it owns the virtual IP.
    """

    instance_id: pulumi.Output[str]
    interface_id: pulumi.Output[str]
    private_ip: pulumi.Output[str]
    public_ip: pulumi.Output[str]
    machine: pulumi.Output[Machine]

    def __init__(self, name: str, *, args: DirectorMachineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts=opts)
        director = args.director
        identity = Identity(
            f"{director.name}-identity",
            args=IdentityArgs(naming=args.naming, director=director.name),
            opts=self.child_opts(),
        )
        # Literal, so that a preview shows the change. Ids reach the machine by its tags.
        made_from = MadeFrom(
            ami=args.image_id,
            instance_type=args.instance_type,
            subnet_id=args.subnet_id,
            private_ip=director.address,
            user_data=director_user_data(args.balancer, director),
        )
        instance = aws.ec2.Instance(
            director.name,
            ami=made_from.ami,
            instance_type=made_from.instance_type,
            subnet_id=made_from.subnet_id,
            private_ip=made_from.private_ip,
            vpc_security_group_ids=[args.security_group_id],
            iam_instance_profile=identity.profile_name,
            # A director sends with clients' addresses and receives for them; web servers never do.
            source_dest_check=False,
            metadata_options=metadata_options(),
            root_block_device=root_disk(),
            user_data=made_from.user_data,
            # Changed user data would only restart the machine, and cloud-init runs at the first boot only.
            user_data_replace_on_change=True,
            tags=args.naming.tags(
                director.name,
                Role="director",
                # Also makes the director depend on the Elastic IP, so that destroy ends its owner before releasing it.
                ElasticIpAllocationId=args.elastic_ip_allocation_id,
            ),
            # The fixed address is free only once the old machine is gone, hence delete_before_replace. `after` holds
            # the director before this one: the engine replaces it, with all that is its own, before it looks at this
            # one, and under delete_before_replace a resource that is depended on by depends_on alone does not take its
            # dependents with it. That orders the steps; it does not wait until the new director serves.
            opts=self.child_opts(
                depends_on=args.after,
                delete_before_replace=True,
                ignore_changes=HELD_PROPERTIES if args.held else (),
            ),
        )
        elastic_ip = aws.ec2.Eip(
            director.name,
            domain="vpc",
            tags=args.naming.tags(director.name),
            opts=self.child_opts(),
        )
        aws.ec2.EipAssociation(
            director.name,
            allocation_id=elastic_ip.allocation_id,
            network_interface_id=instance.primary_network_interface_id,
            private_ip_address=instance.private_ip,
            opts=self.child_opts(),
        )
        ClaimRights(
            f"{director.name}-rights",
            args=ClaimRightsArgs(
                director=director.name,
                role_name=identity.role_name,
                instance_arn=instance.arn,
                interface_id=instance.primary_network_interface_id,
                allocation_id=args.elastic_ip_allocation_id,
            ),
            opts=self.child_opts(),
        )
        self.instance_id = instance.id
        self.interface_id = instance.primary_network_interface_id
        self.private_ip = instance.private_ip
        self.public_ip = elastic_ip.public_ip
        self.machine = compared("director", instance, made_from)
        self.register_outputs(
            {"instanceId": self.instance_id, "interfaceId": self.interface_id, "publicIp": self.public_ip}
        )
