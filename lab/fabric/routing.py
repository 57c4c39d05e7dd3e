"""Where a packet goes: next hop, route table, internet gateway, source/destination check. Pure; groups come later."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Network

from lab.fabric.blocks import API_END, INTERNET_END, METADATA_END, RESOLVER_END
from lab.fabric.packets import BROADCAST, ethernet_header
from lab.fabric.rules import DropRule
from lab.fabric.topology import LOCAL, METADATA, ROUTER_MAC, InterfaceView, Topology
from lab.fabric.translation import Translation
from lab.names import API_ADDRESS, MAIL_ADDRESS, PACKAGES_ADDRESS

INTERNET = "inet0"
SERVICES = "svc0"
VPC_MTU = 9001
INTERNET_MTU = 1500  # VPC user guide: what passes an internet gateway

CLIENTS = IPv4Network("198.51.100.0/24")
API = IPv4Network(API_ADDRESS)
SERVERS = (API, IPv4Network(PACKAGES_ADDRESS), IPv4Network(MAIL_ADDRESS))  # the lab's own
PUBLIC_POOL = IPv4Network("203.0.113.0/24")


def _range(network: IPv4Network) -> tuple[int, int]:
    return int(network.network_address), int(network.netmask)


_API = int(API.network_address)
_INTERNET_RANGES = tuple(map(_range, (CLIENTS, *SERVERS)))
_LINK_LOCAL = _range(IPv4Network("169.254.0.0/16"))
_MULTICAST = _range(IPv4Network("224.0.0.0/4"))


def _in(address: int, network: tuple[int, int]) -> bool:
    return address & network[1] == network[0]


@dataclass(frozen=True, kw_only=True, slots=True)
class Path:
    """A way through the fabric: to `port` (an interface's id, INTERNET or SERVICES).

    `header` is the Ethernet header it is delivered with, empty to a TUN. `receiver` is set where an interface's groups
    must allow it in, `leaves_by_groups` where the sender's must allow it out. `mtu` is in bytes of IP packet.
    """

    port: str
    header: bytes = b""
    receiver: InterfaceView | None = None
    leaves_by_groups: bool = True
    translation: Translation | None = None
    mtu: int = VPC_MTU
    ttl: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """No way: by which rule, and the interface it counts for."""

    rule: DropRule
    interface: str


def end_of(port: str, address: int) -> str:
    """What a block calls the end at `port` that has `address` (outside) or whatever address (an interface)."""
    if port == INTERNET:
        return API_END if address == _API else INTERNET_END
    if port == SERVICES:
        return METADATA_END if address == METADATA else RESOLVER_END
    return port


def path_from_interface(
    topology: Topology, sender: InterfaceView, *, next_hop: bytes, source: int, destination: int
) -> Path | Refusal:
    """The way of a packet that `sender` gave to the MAC `next_hop`."""
    if sender.source_dest_check and source not in sender.addresses:
        return Refusal(rule=DropRule.SOURCE_CHECK, interface=sender.id)
    if next_hop[0] & 1 or destination in (BROADCAST, sender.subnet.broadcast) or _in(destination, _MULTICAST):
        return Refusal(rule=DropRule.MULTICAST, interface=sender.id)
    if next_hop == ROUTER_MAC:
        return _path_by_router(topology, sender, source=source, destination=destination)
    neighbour = topology.neighbours.get((sender.subnet.id, next_hop))
    if neighbour is None or neighbour is sender:
        return Refusal(rule=DropRule.UNKNOWN_MAC, interface=sender.id)
    # Layer 2 within the subnet: route tables do not apply (VPC user guide, gateway route tables).
    return _path_to(neighbour, source_mac=sender.mac, destination=destination)


def path_from_internet(topology: Topology, *, destination: int) -> Path | Refusal:
    """The way of a packet from the internet (or hairpinned at the gateway) to a public address."""
    private = topology.public.get(destination)
    if private is None:
        return Refusal(rule=DropRule.GATEWAY_NO_PUBLIC_DESTINATION, interface=INTERNET)
    receiver = topology.owners[private]
    return Path(
        port=receiver.id,
        header=ethernet_header(destination=receiver.mac, source=ROUTER_MAC),
        receiver=receiver,
        translation=Translation(destination=private, quoted_source=topology.public),
        mtu=INTERNET_MTU,
    )


def path_from_services(topology: Topology, *, source: int, destination: int) -> Path | Refusal:
    """The way of a link service's answer; the metadata service's dies after as many hops as its interface allows."""
    if source != METADATA and not any(source == resolver for _, resolver in topology.resolvers):
        return Refusal(rule=DropRule.SERVICE_FOREIGN_SOURCE, interface=SERVICES)
    receiver = topology.owners.get(destination)
    if receiver is None:
        return Refusal(rule=DropRule.NO_SUCH_PRIVATE_IP, interface=SERVICES)
    return Path(
        port=receiver.id,
        header=ethernet_header(destination=receiver.mac, source=ROUTER_MAC),
        ttl=receiver.metadata_hop_limit if source == METADATA else None,
    )


def _path_by_router(topology: Topology, sender: InterfaceView, *, source: int, destination: int) -> Path | Refusal:
    subnet = sender.subnet
    if _in(destination, _LINK_LOCAL) or (subnet.vpc, destination) in topology.resolvers:
        if _in(destination, _LINK_LOCAL) and destination != METADATA:
            return Refusal(rule=DropRule.LINK_LOCAL, interface=sender.id)
        if source not in sender.addresses:
            return Refusal(rule=DropRule.LINK_SERVICE_SOURCE, interface=sender.id)
        return Path(port=SERVICES, leaves_by_groups=False)
    if destination == subnet.router:
        return Refusal(rule=DropRule.ROUTER, interface=sender.id)
    target = subnet.route(destination)
    if target is None:
        return Refusal(rule=DropRule.NO_ROUTE, interface=sender.id)
    if target.startswith("igw-"):
        return _path_by_gateway(topology, sender, source=source, destination=destination)
    receiver = topology.owner(subnet.vpc, destination) if target == LOCAL else topology.interfaces.get(target)
    if receiver is None:
        rule = DropRule.NO_SUCH_PRIVATE_IP if target == LOCAL else DropRule.BLACKHOLE
        return Refusal(rule=rule, interface=sender.id)
    return _path_to(receiver, source_mac=ROUTER_MAC, destination=destination)


def _path_to(receiver: InterfaceView, *, source_mac: bytes, destination: int) -> Path | Refusal:
    if receiver.source_dest_check and destination not in receiver.addresses:
        return Refusal(rule=DropRule.DESTINATION_CHECK, interface=receiver.id)
    header = ethernet_header(destination=receiver.mac, source=source_mac)
    return Path(port=receiver.id, header=header, receiver=receiver)


def _path_by_gateway(topology: Topology, sender: InterfaceView, *, source: int, destination: int) -> Path | Refusal:
    """1:1 translation: what has no public address of its own does not pass."""
    if source not in sender.addresses:
        return Refusal(rule=DropRule.GATEWAY_FOREIGN_SOURCE, interface=sender.id)
    public = sender.addresses[source]
    if public is None:
        return Refusal(rule=DropRule.GATEWAY_NO_PUBLIC_SOURCE, interface=sender.id)
    outward = sender.public_addresses
    if _in(destination, _range(PUBLIC_POOL)):
        path = path_from_internet(topology, destination=destination)
        if isinstance(path, Refusal):
            return Refusal(rule=path.rule, interface=sender.id)
        assert path.receiver is not None
        return Path(
            port=path.port,
            header=path.header,
            receiver=path.receiver,
            translation=Translation(
                source=public,
                destination=topology.public[destination],
                quoted_source=topology.public,
                quoted_destination=outward,
            ),
            mtu=INTERNET_MTU,
        )
    if not any(_in(destination, network) for network in _INTERNET_RANGES):
        return Refusal(rule=DropRule.NO_SUCH_HOST, interface=sender.id)
    return Path(port=INTERNET, translation=Translation(source=public, quoted_destination=outward), mtu=INTERNET_MTU)
