"""Security groups and their rules."""

from __future__ import annotations

from lab.protocol.contract import Failure, Properties
from lab.provider.normal import as_network, as_protocol
from lab.provider.registry import Property, Schema, Timeouts
from lab.provider.rules import at_most, between, exactly_one_of, network
from lab.provider.schema.common import REGIONAL, named

SOURCES = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")


def _group_name(value: str) -> str:
    return "must not begin with sg-" if value.startswith("sg-") else at_most(255)(value)


def _group_prefix(value: str) -> str:
    return "must not begin with sg-" if value.startswith("sg-") else at_most(229)(value)


def _source_replaces(deployed: Properties, wanted: Properties) -> bool:
    # ModifyPlan: "When you modify a rule, you cannot change the rule's source type."
    def kinds(rule: Properties) -> list[str]:
        return [name for name in SOURCES if rule.get(name)]

    return kinds(deployed) != kinds(wanted)


def _no_ports_for_all(inputs: Properties) -> tuple[Failure, ...]:
    # "if ip_protocol is set to -1 ... from_port and to_port values should not be defined" (the type's documentation).
    given = [name for name in ("fromPort", "toPort") if name in inputs]
    if inputs["ipProtocol"] != "-1" or not given:
        return ()
    return (Failure(property=given[0], reason="must not be given for the protocol -1 (all)"),)


SECURITY_GROUP = Schema(
    file="internal/service/ec2/vpc_security_group.go",
    inputs={
        **REGIONAL,
        **named(_group_name, _group_prefix),
        "description": Property(
            source="description: ForceNew, Default Managed by Terraform, which pulumi-aws makes Managed by Pulumi",
            replace=True,
            default="Managed by Pulumi",
            wrong=at_most(255),
        ),
        "revokeRulesOnDelete": Property(source="revoke_rules_on_delete: Default false", kind=bool, default=False),
        "vpcId": Property(source="vpc_id: Computed, ForceNew", computed=True, replace=True),
    },
    # Rules are resources of their own here; inline ones fight with them (the type's documentation).
    unmodelled=frozenset({"egress", "ingress"}),
    timeouts=Timeouts(create=600.0, update=300.0, delete=900.0),
)

RULE = Schema(
    file="internal/service/ec2/vpc_security_group_ingress_rule.go",
    inputs={
        **REGIONAL,
        "cidrIpv4": Property(
            source="cidr_ipv4: ForceNew by ModifyPlan where the kind of source changes",
            replace=_source_replaces,
            normal=as_network,
            wrong=network(),
        ),
        "cidrIpv6": Property(
            source="cidr_ipv6: ForceNew by ModifyPlan where the kind of source changes",
            replace=_source_replaces,
            normal=as_network,
        ),
        "description": Property(source="description"),
        "fromPort": Property(source="from_port", kind=int, wrong=between(-1, 65535)),
        "ipProtocol": Property(source="ip_protocol: Required; NormalizeIPProtocol", required=True, normal=as_protocol),
        "prefixListId": Property(
            source="prefix_list_id: ForceNew by ModifyPlan where the kind of source changes", replace=_source_replaces
        ),
        "referencedSecurityGroupId": Property(
            source="referenced_security_group_id: ForceNew by ModifyPlan where the kind of source changes",
            replace=_source_replaces,
        ),
        "securityGroupId": Property(
            source="security_group_id: Required (pulumi_aws), ForceNew (RequiresReplace)", required=True, replace=True
        ),
        "toPort": Property(source="to_port", kind=int, wrong=between(-1, 65535)),
    },
    rules=(exactly_one_of(*SOURCES), _no_ports_for_all),
)
