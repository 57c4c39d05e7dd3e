"""The whole: network, firewall, service address, directors and web servers, tied together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from components.address import ServiceAddress, ServiceAddressArgs
from components.component import Component, Naming
from components.directors import DirectorMachine, DirectorMachineArgs
from components.firewall import Firewall, FirewallArgs
from components.network import ExistingNetwork, Network, NetworkArgs
from components.outputs import OUTPUTS_VERSION, service_url, services_at
from components.rollout import Machine, behind, is_named, notice, refusal
from components.settings import Settings
from components.web_servers import WebServerMachine, WebServerMachineArgs
from userdata.values import Director, WebServer

DEBIAN_ACCOUNT = "136693071363"
"""The account that publishes Debian's images (wiki.debian.org/Cloud/AmazonEC2Image)."""


@dataclass(frozen=True, kw_only=True)
class LoadBalancerArgs:
    """Everything an operator decided, and how things are named.

    Without `network` the load balancer makes a VPC and a subnet of its own. With one, `settings.vpc_cidr` and
    `settings.subnet_cidr` say what its networks are (machines are told at preview already, so they are not looked up),
    and `settings.availability_zone` has no effect.
    """

    naming: Naming
    settings: Settings
    network: ExistingNetwork | None = None


class LoadBalancer(Component):
    """Makes one load balancer. `outputs` is what the stack shows, by name (docs/outputs.md).

    A stack has room for one: what it is made of is called the same in every stack.
    """

    outputs: dict[str, object]

    def __init__(self, name: str, *, args: LoadBalancerArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts=opts)
        settings = args.settings
        self._args = args
        self._image_id = self._image()
        self._network = args.network or self._own_network()
        self._firewall = Firewall(
            "firewall",
            args=FirewallArgs(
                naming=args.naming,
                vpc_id=self._network.vpc_id,
                services=settings.services,
                client_cidrs=settings.client_cidrs,
            ),
            opts=self.child_opts(),
        )
        self._address = ServiceAddress(
            "service-address",
            args=ServiceAddressArgs(
                naming=args.naming,
                subnet_id=self._network.subnet_id,
                virtual_ip=settings.virtual_ip,
                protect=settings.protect,
            ),
            opts=self.child_opts(),
        )
        directors, web_servers = self._directors(), self._web_servers()
        self.outputs = {
            "outputsVersion": OUTPUTS_VERSION,
            "url": self._address.elastic_ip.apply(lambda address: service_url(address, settings.services[0])),
            "services": self._address.elastic_ip.apply(lambda address: services_at(address, settings.services)),
            "region": settings.account.region,
            "elasticIp": self._address.elastic_ip,
            "elasticIpAllocationId": self._address.allocation_id,
            "virtualIp": settings.virtual_ip,
            "directors": [self._shown_director(*one) for one in directors],
            "webServers": [self._shown_web_server(*one) for one in web_servers],
            "pendingMachines": self._refuse_or_tell(
                [*(one.machine for _, one in directors), *(one.machine for _, one in web_servers)]
            ),
            "imageId": self._image_id,
            "vpcId": self._network.vpc_id,
            "subnetId": self._network.subnet_id,
        }
        self.register_outputs(self.outputs)

    def _own_network(self) -> ExistingNetwork:
        settings = self._args.settings
        network = Network(
            "network",
            args=NetworkArgs(
                naming=self._args.naming,
                vpc_cidr=settings.vpc_cidr,
                subnet_cidr=settings.subnet_cidr,
                availability_zone=settings.availability_zone,
                protect=settings.protect,
            ),
            opts=self.child_opts(),
        )
        return ExistingNetwork(
            vpc_id=network.vpc_id, subnet_id=network.subnet_id, after=(network,), fixed=network.fixed
        )

    def _image(self) -> pulumi.Output[str]:
        """The pinned image, or the newest of Debian's that has the name: that one can change under a later `up`."""
        settings = self._args.settings
        if settings.image_id:
            return pulumi.Output.from_input(settings.image_id)
        found = aws.ec2.get_ami_output(
            owners=[DEBIAN_ACCOUNT],
            most_recent=True,
            filters=[
                aws.ec2.GetAmiFilterArgs(name="name", values=[settings.image_name]),
                aws.ec2.GetAmiFilterArgs(name="state", values=["available"]),
            ],
            opts=pulumi.InvokeOutputOptions(parent=self),
        )
        image_id: pulumi.Output[str] = found.apply(lambda image: image.id)
        return image_id

    def _directors(self) -> list[tuple[Director, DirectorMachine]]:
        settings = self._args.settings
        made: list[tuple[Director, DirectorMachine]] = []
        # A first boot installs packages, so routes and rules come before machines; then one director after the other.
        before_all = (*self._network.after, self._firewall)
        after: tuple[pulumi.Resource, ...] = before_all
        for director in settings.directors:
            if director.name in settings.planned:
                continue
            machine = DirectorMachine(
                director.name,
                args=DirectorMachineArgs(
                    naming=self._args.naming,
                    balancer=settings.load_balancer,
                    director=director,
                    image_id=self._image_id,
                    instance_type=settings.director_instance_type,
                    subnet_id=self._network.subnet_id,
                    security_group_id=self._firewall.director_group_id,
                    elastic_ip_allocation_id=self._address.allocation_id,
                    after=after,
                    held=not is_named(director.name, settings.rollout),
                ),
                opts=self.child_opts(),
            )
            after = (*before_all, machine)
            made.append((director, machine))
        return made

    def _web_servers(self) -> list[tuple[WebServer, WebServerMachine]]:
        settings = self._args.settings
        return [
            (
                web_server,
                WebServerMachine(
                    web_server.name,
                    args=WebServerMachineArgs(
                        naming=self._args.naming,
                        balancer=settings.load_balancer,
                        web_server=web_server,
                        image_id=self._image_id,
                        instance_type=settings.web_server_instance_type,
                        subnet_id=self._network.subnet_id,
                        security_group_id=self._firewall.web_server_group_id,
                        after=(*self._network.after, self._firewall),
                        held=not is_named(web_server.name, settings.rollout),
                    ),
                    opts=self.child_opts(),
                ),
            )
            for web_server in settings.web_servers
        ]

    def _refuse_or_tell(self, machines: list[pulumi.Output[Machine]]) -> pulumi.Output[list[str]]:
        """The names of machines that keep an old configuration; a run that must not go on ends here, at preview."""
        rollout = self._args.settings.rollout
        fixed = [self._address.fixed, *([self._network.fixed] if self._network.fixed is not None else [])]

        def judge(known: list[list[Any]]) -> list[str]:
            found = known[0]
            why = refusal(found, rollout, [one for group in known[1] for one in group])
            if why is not None:
                raise pulumi.RunError(why)
            left = notice(found)
            if left is not None:
                pulumi.log.warn(left, self)
            return behind(found)

        return pulumi.Output.all(pulumi.Output.all(*machines), pulumi.Output.all(*fixed)).apply(judge)

    @staticmethod
    def _shown_director(director: Director, machine: DirectorMachine) -> dict[str, object]:
        return {
            "name": director.name,
            "instanceId": machine.instance_id,
            "privateIp": machine.private_ip,
            "publicIp": machine.public_ip,
            "interfaceId": machine.interface_id,
        }

    @staticmethod
    def _shown_web_server(web_server: WebServer, machine: WebServerMachine) -> dict[str, object]:
        return {"name": web_server.name, "instanceId": machine.instance_id, "privateIp": machine.private_ip}
