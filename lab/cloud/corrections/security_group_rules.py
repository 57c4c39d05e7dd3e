"""Rules of security groups: any protocol number, ports only where the protocol has them, CIDRs in one form. Pure."""

from __future__ import annotations

import copy
import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from moto.ec2.models.security_groups import SecurityGroupRule

from lab.cloud.corrections.refusals import invalid_value, refusal

# IANA protocol numbers of the names EC2 takes (API reference, IpPermission: "The IP protocol name (tcp, udp, icmp,
# icmpv6) or number"); `all` is none (hashicorp/terraform-provider-aws#1793).
NUMBERS = {"tcp": "6", "udp": "17", "icmp": "1", "icmpv6": "58", "-1": "-1"}
NAMES = {number: name for name, number in NUMBERS.items()}
WITH_PORTS = ("tcp", "udp")
ICMP = ("icmp", "icmpv6")


def protocol_name(protocol: str | int | None) -> str:
    """EC2's way to write a protocol: tcp, udp, icmp, icmpv6, -1, else its number. Raises EC2's refusal for others."""
    if protocol is None:
        # Words: nanovms/ops#735.
        raise invalid_value(
            "Invalid value 'null' for protocol. VPC security group rules must specify protocols explicitly."
        )
    text = str(protocol).lower()
    number = NUMBERS.get(text, text)
    if number != "-1" and not (number.isascii() and number.isdecimal() and int(number) <= 255):
        raise invalid_value(f"Invalid value '{protocol}' for IP protocol. Unknown protocol.")
    return NAMES.get(str(int(number)), str(int(number)))


class LabRule(SecurityGroupRule):  # type: ignore[misc]
    """A rule. "Specifying -1 or a protocol number other than tcp, udp, icmp, or icmpv6 allows traffic on all ports,
    regardless of any port range you specify" (API reference): then it has no ports.
    """  # noqa: D205 - the sentence is quoted whole

    def __init__(
        self,
        ec2_backend: Any,
        ip_protocol: str | None,
        group_id: str,
        from_port: Any,
        to_port: Any,
        *rest: Any,
        **named: Any,
    ) -> None:
        name = protocol_name(ip_protocol)
        if name in WITH_PORTS:
            _check_ports(from_port, to_port)
        super().__init__(ec2_backend, name, group_id, port_number(from_port), port_number(to_port), *rest, **named)
        self.from_port: int | None
        self.to_port: int | None
        if name not in (*WITH_PORTS, *ICMP):
            self.from_port = self.to_port = None

    @property
    def description(self) -> str | None:
        """What was written beside the source."""
        return self._described.get("Description")

    @description.setter
    def description(self, text: str | None) -> None:
        if text is None:
            self._described.pop("Description", None)
        else:
            self._described["Description"] = text

    @property
    def _described(self) -> dict[str, str]:
        source: dict[str, str] = self.source_group or self.ip_range
        return source

    def __eq__(self, other: object) -> bool:
        """The same traffic: "you do not need to specify the description to revoke the rule" (API reference)."""
        return isinstance(other, LabRule) and self._traffic == other._traffic

    def __hash__(self) -> int:
        return hash(self._traffic)

    @property
    def _traffic(self) -> tuple[Any, ...]:
        source = self.cidr_ipv4, self.cidr_ipv6, self.source_group.get("GroupId"), self.prefix_list_id
        return (self.ip_protocol, self.from_port, self.to_port, *source)

    @property
    def shown(self) -> Any:
        """The rule as the API shows it: -1 where it has no ports."""
        shown = copy.copy(self)
        shown.from_port, shown.to_port = port_number(self.from_port), port_number(self.to_port)
        return shown

    @property
    def spoken(self) -> str:
        """The rule in the words of EC2's refusal of a second one."""
        source = self.cidr_ipv4 or self.cidr_ipv6 or self.source_group.get("GroupId") or self.prefix_list_id
        protocol = "ALL" if self.ip_protocol == "-1" else str(self.ip_protocol).upper()
        ports = (
            f"from port: {self.from_port}, to port: {self.to_port}, "
            if self.ip_protocol in (*WITH_PORTS, *ICMP)
            else ""
        )
        return f"peer: {source}, {protocol}, {ports}ALLOW"


def port_number(port: Any) -> int:
    """-1 for no port."""
    return -1 if port is None else int(port)


def _check_ports(first: Any, last: Any) -> None:
    if first is None or last is None:
        raise invalid_value("Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.")
    if not 0 <= int(first) <= int(last) <= 65535:
        raise invalid_value(f"Invalid TCP/UDP port range ({first}, {last})")


def canonical_cidr(cidr: str) -> str:
    """A CIDR as EC2 keeps it: "100.68.0.18/18" is "100.68.0.0/18" (API reference, IpRange). Raises its refusal."""
    try:
        if "/" not in cidr:
            raise ValueError("no length")
        return str(ipaddress.ip_network(cidr, strict=False))
    except ValueError:
        raise invalid_value(f"CIDR block {cidr} is malformed") from None


def sources(permission: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any] | None]]:
    """The sources an IpPermission names, each as moto's rule takes it: an IP range, a group, a prefix list."""
    for each in (*permission.get("IpRanges", []), *permission.get("Ipv6Ranges", [])):
        yield (
            {**each, **{name: canonical_cidr(each[name]) for name in ("CidrIp", "CidrIpv6") if name in each}},
            {},
            None,
        )
    for each in permission.get("UserIdGroupPairs", []):
        yield {}, dict(each), None
    for each in permission.get("PrefixListIds", []):
        yield {}, {}, dict(each)


def check_new(rules: Sequence[LabRule], existing: Sequence[LabRule], most: int) -> None:
    """Raise EC2's refusal of rules that are there already, twice in the request, or too many."""
    if not rules:
        raise refusal("MissingParameter", "A source or destination must be specified for each rule.")
    for index, rule in enumerate(rules):
        if rule in rules[:index]:
            # Words: hashicorp/terraform-provider-aws#29492.
            raise invalid_value("The same permission must not appear multiple times")
        if rule in existing:
            raise refusal("InvalidPermission.Duplicate", f'the specified rule "{rule.spoken}" already exists')
    if len(rules) + len(existing) > most:
        raise refusal(
            "RulesPerSecurityGroupLimitExceeded", "The maximum number of rules per security group has been reached."
        )
