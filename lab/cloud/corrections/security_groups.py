"""Security groups: any protocol number, ports only where the protocol has them, and rules with their ids in answers."""

from __future__ import annotations

import copy
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.security_groups import SecurityGroupBackend, SecurityGroupRule
from moto.ec2.responses.security_groups import SecurityGroups

from lab.cloud.corrections.refusals import dependency_violation, invalid_value, refusal

# IANA protocol numbers of the names EC2 takes (API reference, IpPermission: "The IP protocol name or number").
NUMBERS = {"tcp": "6", "udp": "17", "icmp": "1", "icmpv6": "58", "-1": "-1", "all": "-1"}
NAMES = {number: name for name, number in NUMBERS.items() if name != "all"}
ICMP = ("icmp", "icmpv6")


def protocol_name(protocol: str | int | None) -> str:
    """EC2's way to write a protocol: tcp, udp, icmp, icmpv6, -1, else its number. Raises EC2's refusal for others."""
    text = str(protocol).lower()
    if text in NUMBERS:
        text = NUMBERS[text]
    if text != "-1" and not (text.isdecimal() and int(text) <= 255):
        raise invalid_value(f"Invalid value '{protocol}' for IP protocol. Unknown protocol.")
    number = text if text == "-1" else str(int(text))
    return NAMES.get(number, number)


class LabRule(SecurityGroupRule):  # type: ignore[misc]
    """A rule. "Specifying -1 or a protocol number other than tcp, udp, icmp, or icmpv6 allows traffic on all ports,
    regardless of any port range you specify" (API reference): then it has no ports.
    """  # noqa: D205 - the sentence is quoted whole

    def __init__(
        self, ec2_backend: Any, ip_protocol: str, group_id: str, from_port: Any, to_port: Any, *rest: Any, **named: Any
    ) -> None:
        name = protocol_name(ip_protocol)
        if name in ("tcp", "udp") and (from_port is None or to_port is None):
            raise invalid_value("Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.")
        super().__init__(ec2_backend, name, group_id, _number(from_port), _number(to_port), *rest, **named)
        if name not in ("tcp", "udp", *ICMP):
            self.from_port = self.to_port = None


def _number(port: Any) -> int:
    return -1 if port is None else int(port)


class SecurityGroupCorrections(SecurityGroupBackend):  # type: ignore[misc]
    """EC2's rules for security groups."""

    def create_security_group(self, *args: Any, **options: Any) -> Any:
        """A VPC's default group lets its own members in (VPC user guide, "Default security groups")."""
        group = super().create_security_group(*args, **options)
        if group.is_default:
            itself = {"GroupId": group.id, "UserId": self.account_id, "OwnerId": self.account_id}
            group.add_ingress_rule(LabRule(self, "-1", group.id, None, None, None, itself, is_egress=False))
        return group

    def _add_source_group(self, source_groups: list[dict[str, Any]] | None, vpc_id: str | None) -> list[dict[str, Any]]:
        """A group that a rule names must exist."""
        for named in source_groups or []:
            wanted = named.get("GroupId") or named.get("GroupName")
            if wanted and self.get_security_group_by_name_or_id(wanted, vpc_id) is None:
                raise refusal("InvalidGroup.NotFound", f"The security group '{wanted}' does not exist")
        referenced: list[dict[str, Any]] = super()._add_source_group(source_groups, vpc_id)
        return referenced

    def delete_security_group(self, name: str | None = None, group_id: str | None = None) -> None:
        """Refused while an interface has it or another group's rule names it."""
        group = self.get_security_group_by_name_or_id(group_id or name)
        if group is not None:
            others = [other for groups in self.groups.values() for other in groups.values() if other is not group]
            named = any(
                rule.source_group.get("GroupId") == group.id
                for other in others
                for rule in (*other.ingress_rules, *other.egress_rules)
            )
            attached = any(group in interface.group_set for interface in self.enis.values())
            if named or attached:
                raise dependency_violation(f"resource {group.id} has a dependent object")
        super().delete_security_group(name, group_id)


class SecurityGroupAnswers(SecurityGroups):  # type: ignore[misc]
    """Answers that name every rule a call made; moto's names those of the last permission."""

    def authorize_security_group_ingress(self) -> ActionResult:
        """AuthorizeSecurityGroupIngress."""
        self.error_on_dryrun()
        return self._made(self.ec2_backend.authorize_security_group_ingress)

    def authorize_security_group_egress(self) -> ActionResult:
        """AuthorizeSecurityGroupEgress."""
        self.error_on_dryrun()
        return self._made(self.ec2_backend.authorize_security_group_egress)

    def _made(self, authorize: Any) -> ActionResult:
        made = [rule for permission in self._process_rules_from_querystring() for rule in authorize(**permission)[0]]
        return ActionResult({"Return": True, "SecurityGroupRules": [_shown(rule) for rule in made]})


def _shown(rule: Any) -> Any:
    """The rule as the API shows it: -1 where it has no ports."""
    shown = copy.copy(rule)
    shown.from_port = _number(rule.from_port)
    shown.to_port = _number(rule.to_port)
    return shown
