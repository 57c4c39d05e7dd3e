"""Who may send what to whom: `inbound_rules` says it as a table, the component makes security groups of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import pulumi
import pulumi_aws as aws

from components.component import Component, Naming
from userdata.values import Service

GroupName = Literal["director", "web-server"]

ANYWHERE = "0.0.0.0/0"
VXLAN_PORT = 4789


@dataclass(frozen=True, kw_only=True)
class Inbound:
    """One inbound rule of a group: from a network or from the members of a group, exactly one of the two.

    Ports are None for protocols without; for ICMP they are type and code.
    """

    name: str
    group: GroupName
    protocol: str
    from_port: int | None = None
    to_port: int | None = None
    from_cidr: str | None = None
    from_group: GroupName | None = None
    description: str


def inbound_rules(services: Sequence[Service], client_cidrs: Sequence[str]) -> Iterator[Inbound]:
    """Every inbound rule for `services` with clients in `client_cidrs`.

    Replies to what a machine began itself need no rule (groups are stateful), except where another director began it.
    """
    groups: tuple[GroupName, ...] = ("director", "web-server")
    for group in groups:
        for service in services:
            for cidr in client_cidrs:
                # Web servers too: NAT keeps the client's address, and a reference to the directors' group matches
                # the directors' own addresses only (VPC user guide, middleboxes).
                yield Inbound(
                    name=f"{group}-{service.protocol}-{service.port}-from-{cidr.replace('.', '-').replace('/', '-')}",
                    group=group,
                    protocol=service.protocol,
                    from_port=service.port,
                    to_port=service.port,
                    from_cidr=cidr,
                    description="clients",
                )
        # A router on the way that cannot pass a large packet says so by ICMP 3/4; without it the connection hangs.
        yield Inbound(
            name=f"{group}-fragmentation-needed",
            group=group,
            protocol="icmp",
            from_port=3,
            to_port=4,
            from_cidr=ANYWHERE,
            description="path MTU discovery",
        )
    yield Inbound(
        name="director-vrrp",
        group="director",
        protocol="112",
        from_group="director",
        description="VRRP adverts",
    )
    yield Inbound(
        name="director-vxlan",
        group="director",
        protocol="udp",
        from_port=VXLAN_PORT,
        to_port=VXLAN_PORT,
        from_group="director",
        description="connection sync over VXLAN",
    )
    # All ports: replies of connections another director began are untracked here after a failover, and what web
    # servers send to the outside (apt) comes in through a director's interface with their own source.
    yield Inbound(
        name="director-tcp-from-web-servers",
        group="director",
        protocol="tcp",
        from_port=0,
        to_port=65535,
        from_group="web-server",
        description="replies and outward connections of web servers",
    )
    # The same of UDP, around the port that only directors may reach.
    if any(service.protocol == "udp" for service in services):
        for low, high in ((0, VXLAN_PORT - 1), (VXLAN_PORT + 1, 65535)):
            yield Inbound(
                name=f"director-udp-{low}-from-web-servers",
                group="director",
                protocol="udp",
                from_port=low,
                to_port=high,
                from_group="web-server",
                description="replies of web servers",
            )
    # For images whose clock follows a public pool. DNS needs nothing: it never goes through a director.
    yield Inbound(
        name="director-ntp-from-web-servers",
        group="director",
        protocol="udp",
        from_port=123,
        to_port=123,
        from_group="web-server",
        description="outward time queries of web servers",
    )
    yield Inbound(
        name="web-server-announcements",
        group="web-server",
        protocol="udp",
        from_port=5151,
        to_port=5153,
        from_group="director",
        description="which director owns the virtual IP",
    )
    for protocol, port in dict.fromkeys(service.checked for service in services):
        yield Inbound(
            name=f"web-server-{protocol}-{port}-from-directors",
            group="web-server",
            protocol=protocol,
            from_port=port,
            to_port=port,
            from_group="director",
            description="health checks",
        )


@dataclass(frozen=True, kw_only=True)
class FirewallArgs:
    """The services and the networks clients come from."""

    naming: Naming
    vpc_id: pulumi.Input[str]
    services: tuple[Service, ...]
    client_cidrs: tuple[str, ...]


class Firewall(Component):
    """Makes a security group for directors and one for web servers, and every rule as a resource of its own."""

    director_group_id: pulumi.Output[str]
    web_server_group_id: pulumi.Output[str]

    def __init__(self, name: str, *, args: FirewallArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts=opts)
        self._args = args
        groups = {group: self._group(group) for group in ("director", "web-server")}
        for rule in inbound_rules(args.services, args.client_cidrs):
            aws.vpc.SecurityGroupIngressRule(
                rule.name,
                security_group_id=groups[rule.group].id,
                ip_protocol=rule.protocol,
                from_port=rule.from_port,
                to_port=rule.to_port,
                cidr_ipv4=rule.from_cidr,
                referenced_security_group_id=groups[rule.from_group].id if rule.from_group else None,
                description=rule.description,
                tags=args.naming.tags(rule.name),
                opts=self.child_opts(),
            )
        self.director_group_id = groups["director"].id
        self.web_server_group_id = groups["web-server"].id
        self.register_outputs({"directorGroupId": self.director_group_id, "webServerGroupId": self.web_server_group_id})

    def _group(self, group: str) -> aws.ec2.SecurityGroup:
        # No name of our own: a changed description replaces the group, and the new one must not collide with the old.
        made = aws.ec2.SecurityGroup(
            group,
            vpc_id=self._args.vpc_id,
            description=f"{group}s of the load balancer",
            tags=self._args.naming.tags(group),
            opts=self.child_opts(),
        )
        aws.vpc.SecurityGroupEgressRule(
            f"{group}-egress",
            security_group_id=made.id,
            ip_protocol="-1",
            cidr_ipv4=ANYWHERE,
            description="everything outward",
            tags=self._args.naming.tags(f"{group}-egress"),
            opts=self.child_opts(),
        )
        return made
