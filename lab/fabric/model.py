"""What the fabric must know of a VPC: the document the cloud hands it after every change, whole and level-triggered."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One security-group rule. `protocol` is "-1" (all) or a number as text ("6", "17", "1", "112").

    `from_port`/`to_port` are None where all ports (or a protocol without ports) are meant; for ICMP they are type and
    code, -1 for all. Exactly one of `cidr` and `group` is set; a group means the private addresses of its members.
    """

    protocol: str
    from_port: int | None = None
    to_port: int | None = None
    cidr: str | None = None
    group: str | None = None


@dataclass(frozen=True, kw_only=True)
class SecurityGroup:
    """A stateful packet filter attached to interfaces: what its members may receive and send."""

    id: str
    ingress: tuple[Rule, ...] = ()
    egress: tuple[Rule, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Address:
    """A private IPv4 address of an interface and the public one mapped to it, if any. The first is the primary."""

    private: str
    public: str | None = None


@dataclass(frozen=True, kw_only=True)
class Interface:
    """An elastic network interface that is attached to an instance."""

    id: str
    instance_id: str
    subnet_id: str
    mac: str
    addresses: tuple[Address, ...]
    groups: tuple[str, ...]
    source_dest_check: bool = True
    metadata_hop_limit: int = 1


@dataclass(frozen=True, kw_only=True)
class Route:
    """A route of a subnet's table. `target` is "local", an internet gateway's id, or an interface's id."""

    cidr: str
    target: str


@dataclass(frozen=True, kw_only=True)
class Subnet:
    """A subnet with the routes that apply in it."""

    id: str
    vpc_id: str
    cidr: str
    routes: tuple[Route, ...]


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fault: packets between two ends are lost.

    An end is an interface's id, "api", "metadata", "internet" (what is beyond the gateway, less the API), or "*".
    `protocol` is "-1" (all) or a number as text, `port` the source or destination port. `both_ways` False means only
    from first to second.
    """

    first: str
    second: str
    protocol: str = "-1"
    port: int | None = None
    both_ways: bool = True


@dataclass(frozen=True, kw_only=True)
class VpcState:
    """Every VPC of the lab's account as packets see it."""

    subnets: tuple[Subnet, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    groups: tuple[SecurityGroup, ...] = ()
    blocks: tuple[Block, ...] = ()
