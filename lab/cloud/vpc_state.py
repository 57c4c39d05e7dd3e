"""What moto's EC2 says, as the fabric's VpcState: pure, whole, the same for the same account."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.cloud.corrections.security_group_rules import NUMBERS
from lab.fabric.model import Address, Block, Interface, Route, Rule, SecurityGroup, Subnet, VpcState

# States in which an instance has, or is about to have, a machine that sends and receives.
POWERED = ("pending", "running", "stopping", "shutting-down")


def interface_addresses(backend: Any) -> dict[str, tuple[Address, ...]]:
    """By interface id, what the API says of private addresses (primary first) and their public ones, right now."""
    return {
        interface.id: tuple(
            Address(private=address, public=interface.public_ip_of(address)) for address in interface.addresses
        )
        for interface in backend.enis.values()
    }


def vpc_state(backend: Any, addresses: Mapping[str, tuple[Address, ...]], blocks: tuple[Block, ...] = ()) -> VpcState:
    """The interfaces of powered instances, the subnets and groups of their VPCs, and the `blocks` of faults.

    `addresses` is what the network knows of each interface, which may lag behind what the API says.
    """
    interfaces = [
        nic
        for reservation in backend.reservations.values()
        for instance in reservation.instances
        if instance.state in POWERED
        for nic in instance.nics.values()
    ]
    vpcs = {interface.vpc_id for interface in interfaces}
    subnets = [subnet for zone in backend.subnets.values() for subnet in zone.values() if subnet.vpc_id in vpcs]
    groups = [group for vpc in vpcs for group in backend.groups[vpc].values()]
    return VpcState(
        subnets=tuple(_subnet(backend, subnet) for subnet in sorted(subnets, key=_id)),
        interfaces=tuple(_interface(interface, addresses) for interface in sorted(interfaces, key=_id)),
        groups=tuple(_group(group) for group in sorted(groups, key=_id)),
        blocks=blocks,
    )


def _id(resource: Any) -> str:
    return str(resource.id)


def _interface(interface: Any, addresses: Mapping[str, tuple[Address, ...]]) -> Interface:
    return Interface(
        id=interface.id,
        instance_id=interface.instance.id,
        subnet_id=interface.subnet.id,
        mac=interface.mac_address,
        addresses=addresses[interface.id],
        groups=tuple(group.id for group in interface.group_set),
        source_dest_check=bool(interface.source_dest_check),
        metadata_hop_limit=int(interface.instance.metadata_options.http_put_response_hop_limit),
    )


def _subnet(backend: Any, subnet: Any) -> Subnet:
    return Subnet(
        id=subnet.id,
        vpc_id=subnet.vpc_id,
        cidr=str(subnet.cidr),
        routes=tuple(
            Route(cidr=route.destination_cidr_block, target=target)
            for route in _table_of(backend, subnet).routes
            if route.destination_cidr_block and (target := _target(route))
        ),
    )


def _table_of(backend: Any, subnet: Any) -> Any:
    """The route table a subnet is associated with, else the VPC's main one (VPC user guide, route tables)."""
    tables = [table for table in backend.route_tables.values() if table.vpc_id == subnet.vpc_id]
    for table in tables:
        if subnet.id in table._associations.values():
            return table
    return next(table for table in tables if table.main_association_id is not None)


def _target(route: Any) -> str | None:
    """Where a route leads; None for one that leads nowhere now (EC2 shows it as a blackhole)."""
    if route.local:
        return "local"
    if route.gateway is not None:
        return str(route.gateway.id) if getattr(route.gateway, "vpc", None) else None
    interface = route.interface or (route.instance.nics.get(0) if route.instance else None)
    return str(interface.id) if interface is not None and interface.instance else None


def _group(group: Any) -> SecurityGroup:
    return SecurityGroup(id=group.id, ingress=_rules(group.ingress_rules), egress=_rules(group.egress_rules))


def _rules(rules: list[Any]) -> tuple[Rule, ...]:
    """The IPv4 rules: the lab's machines have no IPv6 addresses."""
    return tuple(
        Rule(
            protocol=NUMBERS.get(rule.ip_protocol, rule.ip_protocol),
            from_port=rule.from_port,
            to_port=rule.to_port,
            cidr=rule.cidr_ipv4,
            group=rule.source_group.get("GroupId"),
        )
        for rule in rules
        if rule.cidr_ipv4 or rule.source_group.get("GroupId")
    )
