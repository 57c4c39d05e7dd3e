"""A small VPC for the tests: two directors, two web servers, a neighbour subnet; and frames of its machines."""

from __future__ import annotations

import struct
from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

from lab.fabric.model import Address, Interface, Route, Rule, SecurityGroup, Subnet, VpcState
from lab.fabric.packets import ICMP, TCP, UDP, build_packet, build_udp
from lab.fabric.pipeline import Delivery, Drop, Pipeline
from lab.fabric.topology import ROUTER_MAC, compile_state

EVERYWHERE = "0.0.0.0/0"
VIRTUAL_IP = "10.0.0.100"
SERVICE_PUBLIC = "203.0.113.20"
CLIENT = "198.51.100.77"
METADATA = "169.254.169.254"
RESOLVER = "10.0.0.2"
S, A, F, R = 0x02, 0x10, 0x01, 0x04
ALL_OUT = (Rule(protocol="-1", cidr=EVERYWHERE),)


def tcp_rule(port: int | None, **source: Any) -> Rule:
    return Rule(protocol="6", from_port=port, to_port=port, **source)


def interface(name: str, address: str, group: str, *, public: str | None = None, **options: Any) -> Interface:
    values: dict[str, Any] = {
        "id": f"eni-{name}",
        "instance_id": f"i-{name}",
        "subnet_id": "subnet-a",
        "mac": "02:00:" + IPv4Address(address).packed.hex(":"),
        "addresses": (Address(private=address, public=public),),
        "groups": (group,),
    }
    return Interface(**{**values, **options})


D1 = interface(
    "d1",
    "10.0.0.36",
    "sg-directors",
    source_dest_check=False,
    addresses=(
        Address(private="10.0.0.36", public="203.0.113.10"),
        Address(private=VIRTUAL_IP, public=SERVICE_PUBLIC),
    ),
)
D2 = interface("d2", "10.0.0.56", "sg-directors", public="203.0.113.11", source_dest_check=False)
W1 = interface("w1", "10.0.0.80", "sg-web")
W2 = interface("w2", "10.0.0.194", "sg-web")
B1 = interface("b1", "10.0.1.50", "sg-open", subnet_id="subnet-b")

STATE = VpcState(
    subnets=(
        Subnet(
            id="subnet-a",
            vpc_id="vpc-1",
            cidr="10.0.0.0/24",
            routes=(
                Route(cidr=EVERYWHERE, target="igw-1"),
                Route(cidr="10.0.0.0/16", target="local"),
                Route(cidr="172.16.0.0/12", target="eni-gone"),
            ),
        ),
        Subnet(
            id="subnet-b",
            vpc_id="vpc-1",
            cidr="10.0.1.0/24",
            routes=(Route(cidr="10.0.0.0/16", target="local"), Route(cidr="198.51.100.0/24", target="eni-d2")),
        ),
    ),
    interfaces=(D1, D2, W1, W2, B1),
    groups=(
        SecurityGroup(
            id="sg-directors",
            ingress=(
                tcp_rule(80, cidr=EVERYWHERE),
                Rule(protocol="112", group="sg-directors"),
                Rule(protocol="17", from_port=4789, to_port=4789, group="sg-directors"),
                tcp_rule(None, group="sg-web"),
            ),
            egress=ALL_OUT,
        ),
        SecurityGroup(id="sg-web", ingress=(tcp_rule(80, cidr=EVERYWHERE),), egress=ALL_OUT),
        SecurityGroup(id="sg-open", ingress=(Rule(protocol="-1", cidr=EVERYWHERE),), egress=ALL_OUT),
    ),
)


def with_interface(name: str, **changes: Any) -> VpcState:
    """The world with one interface changed."""
    interfaces = tuple(replace(entry, **changes) if entry.id == name else entry for entry in STATE.interfaces)
    return replace(STATE, interfaces=interfaces)


def with_group(name: str, **changes: Any) -> VpcState:
    """The world with one security group changed."""
    return replace(STATE, groups=tuple(replace(g, **changes) if g.id == name else g for g in STATE.groups))


def web(*ingress: Rule, egress: tuple[Rule, ...] = ALL_OUT) -> VpcState:
    """The world with other rules for the web servers."""
    return with_group("sg-web", ingress=ingress, egress=egress)


def pipeline(state: VpcState = STATE) -> Pipeline:
    made = Pipeline(domain="ec2.internal")
    made.apply(compile_state(state))
    return made


def number(address: str) -> int:
    return int(IPv4Address(address))


def mac(entry: Interface) -> bytes:
    return bytes.fromhex(entry.mac.replace(":", ""))


def ip(source: str, destination: str, protocol: int, payload: bytes, **options: Any) -> bytes:
    return build_packet(
        source=number(source), destination=number(destination), protocol=protocol, payload=payload, **options
    )


def tcp(source: str, destination: str, *, flags: int = S, data: bytes = b"", **options: Any) -> bytes:
    """`source` and `destination` are ADDRESS:PORT."""
    (src, sport), (dst, dport) = (end.split(":") for end in (source, destination))
    head = struct.pack("!HHIIBBHHH", int(sport), int(dport), 1, 1, 0x50, flags, 1024, 0, 0)
    value = plain_checksum(pseudo_header(number(src), number(dst), TCP, len(head + data)) + head + data)
    return ip(src, dst, TCP, head[:16] + value.to_bytes(2) + head[18:] + data, **options)


def udp(source: str, destination: str, data: bytes = b"payload", **options: Any) -> bytes:
    (src, sport), (dst, dport) = (end.split(":") for end in (source, destination))
    datagram = build_udp(
        source=number(src),
        destination=number(dst),
        source_port=int(sport),
        destination_port=int(dport),
        payload=data,
    )
    return ip(src, dst, UDP, datagram, **options)


def icmp(source: str, destination: str, kind: int, code: int = 0, rest: bytes = b"\0\7\0\1ping", **o: Any) -> bytes:
    head = bytes((kind, code))
    return ip(source, destination, ICMP, head + plain_checksum(head + b"\0\0" + rest).to_bytes(2) + rest, **o)


def frame(sender: Interface, packet: bytes, to: Interface | bytes = ROUTER_MAC) -> bytes:
    return (to if isinstance(to, bytes) else mac(to)) + mac(sender) + b"\x08\x00" + packet


def delivered(verdict: list[Delivery] | Drop, port: str) -> bytes:
    """The one frame that was delivered, which went to `port`."""
    assert isinstance(verdict, list), verdict
    assert [delivery.port for delivery in verdict] == [port]
    return verdict[0].data


def dropped(verdict: list[Delivery] | Drop) -> tuple[str, str]:
    """Rule and interface."""
    assert isinstance(verdict, Drop), verdict
    return verdict.rule.value, verdict.interface


def ends(packet: bytes) -> tuple[str, str]:
    return str(IPv4Address(packet[12:16])), str(IPv4Address(packet[16:20]))


def pseudo_header(source: int, destination: int, protocol: int, length: int) -> bytes:
    return struct.pack("!IIHH", source, destination, protocol, length)


def plain_checksum(data: bytes) -> int:
    """RFC 1071 word by word: on purpose not the fabric's own arithmetic."""
    total = 0
    for at in range(0, len(data), 2):
        total += data[at] << 8 | (data[at + 1] if at + 1 < len(data) else 0)
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def faults_in(packet: bytes) -> list[str]:
    """Which checksums of an unfragmented packet are wrong, recomputed from scratch; a quoted header's too."""
    faults = []
    header = (packet[0] & 15) * 4
    if plain_checksum(packet[:header]) != 0:
        faults.append("ip")
    body = packet[header:]
    source, destination = struct.unpack("!II", packet[12:20])
    has_checksum = not (packet[9] == UDP and body[6:8] == b"\0\0")
    whole = pseudo_header(source, destination, packet[9], len(body)) + body
    if packet[9] in (TCP, UDP) and has_checksum and plain_checksum(whole) != 0:
        faults.append("transport")
    if packet[9] == ICMP:
        if plain_checksum(body) != 0:
            faults.append("icmp")
        if body[0] in (3, 11):
            quoted = body[8:]
            if plain_checksum(quoted[: (quoted[0] & 15) * 4]) != 0:
                faults.append("quoted ip")
    return faults
