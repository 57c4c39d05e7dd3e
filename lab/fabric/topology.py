"""A `VpcState` checked once and indexed for packets. Addresses are integers, MACs are 6 bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network

from lab.fabric.blocks import Wall, compile_blocks
from lab.fabric.groups import Permission, compile_rule
from lab.fabric.model import Interface, Rule, Subnet, VpcState

# The VPC router's MAC; a locally administered address outside what the cloud gives to interfaces (02:...).
ROUTER_MAC = bytes.fromhex("0e5e00000001")
METADATA = int(IPv4Address("169.254.169.254"))
LOCAL = "local"
_MAC = re.compile(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", re.IGNORECASE)
_INTERFACE_ID = re.compile(r"[A-Za-z0-9_-]+")


class StateError(ValueError):
    """A state the fabric cannot have; the text names every fault."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("state refused: " + "; ".join(faults))
        self.faults = faults


@dataclass(frozen=True, kw_only=True, slots=True)
class SubnetView:
    """A subnet: its range, the router at +1, the resolver at +2, and its routes, longest prefix first."""

    id: str
    vpc: str
    network: IPv4Network
    router: int
    resolver: int
    broadcast: int
    routes: tuple[tuple[int, int, str], ...]

    def contains(self, address: int) -> bool:
        """Whether an address is of this subnet."""
        return address & int(self.network.netmask) == int(self.network.network_address)

    def route(self, destination: int) -> str | None:
        """The target of the most specific route."""
        return next((target for network, mask, target in self.routes if destination & mask == network), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class InterfaceView:
    """An interface: private address -> public one or None, the first being the primary; what its groups permit."""

    id: str
    mac: bytes
    subnet: SubnetView
    addresses: Mapping[int, int | None]
    primary: int
    source_dest_check: bool
    metadata_hop_limit: int
    ingress: tuple[Permission, ...]
    egress: tuple[Permission, ...]

    @property
    def public_addresses(self) -> dict[int, int]:
        """Private -> public, where there is one."""
        return {private: public for private, public in self.addresses.items() if public is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class Topology:
    """All interfaces and subnets by what a packet asks for."""

    subnets: Mapping[str, SubnetView] = field(default_factory=dict)
    interfaces: Mapping[str, InterfaceView] = field(default_factory=dict)
    neighbours: Mapping[tuple[str, bytes], InterfaceView] = field(default_factory=dict)  # (subnet, MAC)
    owners: Mapping[int, InterfaceView] = field(default_factory=dict)  # private address
    public: Mapping[int, int] = field(default_factory=dict)  # public address -> private
    resolvers: frozenset[tuple[str, int]] = frozenset()  # (VPC, address)
    walls: Mapping[str, tuple[Wall, ...]] = field(default_factory=dict)  # faults, by the end packets come from

    def owner(self, vpc: str, address: int) -> InterfaceView | None:
        """The interface of a VPC that has a private address."""
        interface = self.owners.get(address)
        return interface if interface is not None and interface.subnet.vpc == vpc else None


def compile_state(state: VpcState) -> Topology:
    """The state made ready for packets. Raises StateError with every fault of it.

    A private address may be on one interface only, in whatever VPC: the link services know a caller by it.
    """
    faults: list[str] = []
    subnets = {entry.id: subnet for entry in state.subnets if (subnet := _subnet(entry, faults))}
    members = {
        group.id: frozenset(
            address
            for interface in state.interfaces
            if group.id in interface.groups
            for address in _parse_addresses((entry.private for entry in interface.addresses), interface.id, [])
        )
        for group in state.groups
    }
    permissions = {
        group.id: tuple(
            _permissions(rules, members, f"{group.id} {direction}", faults)
            for direction, rules in (("ingress", group.ingress), ("egress", group.egress))
        )
        for group in state.groups
    }
    interfaces = [
        view for interface in state.interfaces if (view := _interface(interface, subnets, permissions, faults))
    ]
    _refuse_duplicates(interfaces, faults)
    if len({interface.id for interface in state.interfaces}) < len(state.interfaces):
        faults.append("an interface id is there twice")
    walls = compile_blocks(state.blocks, {interface.id for interface in interfaces}, faults)
    if faults:
        raise StateError(faults)
    return Topology(
        subnets=subnets,
        interfaces={interface.id: interface for interface in interfaces},
        neighbours={(interface.subnet.id, interface.mac): interface for interface in interfaces},
        owners={address: interface for interface in interfaces for address in interface.addresses},
        public={public: private for interface in interfaces for private, public in interface.public_addresses.items()},
        resolvers=frozenset((subnet.vpc, subnet.resolver) for subnet in subnets.values()),
        walls=walls,
    )


def _subnet(subnet: Subnet, faults: list[str]) -> SubnetView | None:
    try:
        network = IPv4Network(subnet.cidr)
        routes = [(IPv4Network(route.cidr), route.target) for route in subnet.routes]
    except ValueError as error:
        faults.append(f"{subnet.id}: {error}")
        return None
    if network.prefixlen > 28:
        faults.append(f"{subnet.id}: {network} is smaller than a subnet may be (/28)")
        return None
    # Where two routes are equally specific, the local one wins (VPC user guide, route priority).
    routes.sort(key=lambda entry: (-entry[0].prefixlen, entry[1] != LOCAL))
    base = int(network.network_address)
    return SubnetView(
        id=subnet.id,
        vpc=subnet.vpc_id,
        network=network,
        router=base + 1,
        resolver=base + 2,
        broadcast=int(network.broadcast_address),
        routes=tuple((int(cidr.network_address), int(cidr.netmask), target) for cidr, target in routes),
    )


def _permissions(
    rules: Iterable[Rule], members: Mapping[str, frozenset[int]], where: str, faults: list[str]
) -> tuple[Permission, ...]:
    compiled = (compile_rule(rule, members, f"{where}[{index}]", faults) for index, rule in enumerate(rules))
    return tuple(permission for permission in compiled if permission is not None)


def _interface(
    interface: Interface,
    subnets: Mapping[str, SubnetView],
    permissions: Mapping[str, tuple[tuple[Permission, ...], ...]],
    faults: list[str],
) -> InterfaceView | None:
    before = len(faults)
    name = interface.id
    subnet = subnets.get(interface.subnet_id)
    if subnet is None:
        faults.append(f"{name}: there is no subnet {interface.subnet_id}")
    if not _INTERFACE_ID.fullmatch(name):
        faults.append(f"interface id {name!r} cannot name a socket: letters, digits, - and _ only")
    if not _MAC.fullmatch(interface.mac) or int(interface.mac[:2], 16) & 1:
        faults.append(f"{name}: {interface.mac!r} is no unicast MAC")
    if not 1 <= interface.metadata_hop_limit <= 64:
        faults.append(f"{name}: metadata hop limit {interface.metadata_hop_limit} is not within 1 to 64")
    faults.extend(f"{name}: there is no group {group}" for group in interface.groups if group not in permissions)
    privates = _parse_addresses((entry.private for entry in interface.addresses), name, faults)
    publics = _parse_addresses((entry.public for entry in interface.addresses if entry.public), name, faults)
    if not privates:
        faults.append(f"{name}: it has no address")
    if subnet is not None:
        faults.extend(
            f"{name}: {IPv4Address(address)} is not an address for an interface of {subnet.network}"
            for address in privates
            if not subnet.contains(address) or not subnet.resolver + 1 < address < subnet.broadcast
        )
    if len(faults) > before or subnet is None:
        return None
    public = iter(publics)
    return InterfaceView(
        id=name,
        mac=bytes.fromhex(interface.mac.replace(":", "")),
        subnet=subnet,
        addresses={
            private: next(public) if entry.public else None
            for private, entry in zip(privates, interface.addresses, strict=True)
        },
        primary=privates[0],
        source_dest_check=interface.source_dest_check,
        metadata_hop_limit=interface.metadata_hop_limit,
        ingress=tuple(permission for group in interface.groups for permission in permissions[group][0]),
        egress=tuple(permission for group in interface.groups for permission in permissions[group][1]),
    )


def _parse_addresses(texts: Iterable[str], where: str, faults: list[str]) -> list[int]:
    found = []
    for text in texts:
        try:
            found.append(int(IPv4Address(text)))
        except ValueError as error:
            faults.append(f"{where}: {error}")
    return found


def _refuse_duplicates(interfaces: list[InterfaceView], faults: list[str]) -> None:
    holders: dict[str, str] = {}
    for interface in interfaces:
        publics = interface.public_addresses.values()
        keys = [f"address {IPv4Address(address)}" for address in (*interface.addresses, *publics)]
        for key in [*keys, f"MAC {interface.mac.hex(':')}"]:
            other = holders.setdefault(key, interface.id)
            if other != interface.id:
                faults.append(f"{key} is on {other} and on {interface.id}")
        if interface.mac == ROUTER_MAC:
            faults.append(f"{interface.id}: MAC {interface.mac.hex(':')} is the router's")
