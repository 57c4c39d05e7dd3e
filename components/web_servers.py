"""A web server: a machine without a public address, reached through the directors and reaching out through them."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from components.component import Component, Naming
from components.machines import MadeFrom, compared, metadata_options, root_disk
from components.rollout import HELD_PROPERTIES, Machine
from userdata.render import web_server_user_data
from userdata.values import LoadBalancer, WebServer


@dataclass(frozen=True, kw_only=True)
class WebServerMachineArgs:
    """One web server of `balancer`. `after` must stand before this machine is made.

    One that is `held` keeps what it was made from: see `components.rollout`.
    """

    naming: Naming
    balancer: LoadBalancer
    web_server: WebServer
    image_id: pulumi.Input[str]
    instance_type: str
    subnet_id: pulumi.Input[str]
    security_group_id: pulumi.Input[str]
    after: tuple[pulumi.Resource, ...]
    held: bool


class WebServerMachine(Component):
    """Makes one instance. It has no role: a web server asks nothing of AWS."""

    instance_id: pulumi.Output[str]
    private_ip: pulumi.Output[str]
    machine: pulumi.Output[Machine]

    def __init__(self, name: str, *, args: WebServerMachineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts=opts)
        web_server = args.web_server
        made_from = MadeFrom(
            ami=args.image_id,
            instance_type=args.instance_type,
            subnet_id=args.subnet_id,
            private_ip=web_server.address,
            user_data=web_server_user_data(args.balancer, web_server),
        )
        instance = aws.ec2.Instance(
            web_server.name,
            ami=made_from.ami,
            instance_type=made_from.instance_type,
            subnet_id=made_from.subnet_id,
            private_ip=made_from.private_ip,
            vpc_security_group_ids=[args.security_group_id],
            # It is source or destination of every packet it sees, so AWS may check.
            source_dest_check=True,
            metadata_options=metadata_options(),
            root_block_device=root_disk(),
            user_data=made_from.user_data,
            user_data_replace_on_change=True,
            tags=args.naming.tags(web_server.name, Role="web-server"),
            # The fixed address is free only once the old machine is gone.
            opts=self.child_opts(
                depends_on=args.after,
                delete_before_replace=True,
                ignore_changes=HELD_PROPERTIES if args.held else (),
            ),
        )
        self.instance_id = instance.id
        self.private_ip = instance.private_ip
        self.machine = compared("web-server", instance, made_from)
        self.register_outputs({"instanceId": self.instance_id})
