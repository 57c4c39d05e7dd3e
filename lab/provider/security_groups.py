"""Security groups, and their rules as resources of their own."""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from lab.protocol.contract import Properties
from lab.provider.account import Account, absent, given, only, tag_specifications, tags_of
from lab.provider.normal import as_protocol
from lab.provider.registry import ResourceType, Work
from lab.provider.schema import security_groups as schema
from lab.provider.schema.security_groups import SOURCES

Direction = Literal["Ingress", "Egress"]
RULE_GONE = ("InvalidSecurityGroupRuleId.NotFound", "InvalidGroup.NotFound", "InvalidPermission.NotFound")


def _create_group(work: Work) -> str:
    inputs = work.inputs
    made = work.account.ec2.create_security_group(
        GroupName=inputs["name"],
        Description=inputs["description"],
        **given(VpcId=inputs.get("vpcId")),
        **tag_specifications(work.tags, "security-group"),
    )
    return made["GroupId"]


def _ready_group(work: Work, id_: str) -> None:
    """EC2 gives a new group a rule that lets everything out; the Terraform provider, and so Pulumi's, takes it away."""
    if work.outputs:
        return  # an update: what is there now has been declared
    work.wait(id_, "there", lambda: "gone" if _group(work.account, id_) is None else "there")
    group = _group(work.account, id_)
    if group is not None and group["IpPermissionsEgress"]:
        work.account.ec2.revoke_security_group_egress(GroupId=id_, IpPermissions=group["IpPermissionsEgress"])


def _group(account: Account, id_: str) -> dict[str, Any] | None:
    with absent("InvalidGroup.NotFound"):
        return only(account.ec2.describe_security_groups(GroupIds=[id_])["SecurityGroups"])
    return None


def _read_group(account: Account, id_: str, inputs: Properties) -> Properties | None:
    group = _group(account, id_)
    if group is None:
        return None
    return {
        "arn": account.arn(f"security-group/{id_}"),
        "description": group["Description"],
        "egress": [_inline(rule) for rule in group["IpPermissionsEgress"]],
        "ingress": [_inline(rule) for rule in group["IpPermissions"]],
        "name": group["GroupName"],
        "namePrefix": "",
        "ownerId": account.id,
        "revokeRulesOnDelete": inputs.get("revokeRulesOnDelete", False),
        "tagsAll": tags_of(group),
        "vpcId": group.get("VpcId", ""),
    }


def _inline(rule: Any) -> Properties:
    """A rule as the group itself shows it."""
    return {
        "protocol": rule["IpProtocol"],
        "fromPort": rule.get("FromPort", 0),
        "toPort": rule.get("ToPort", 0),
        "cidrBlocks": [item["CidrIp"] for item in rule.get("IpRanges", [])],
        "ipv6CidrBlocks": [item["CidrIpv6"] for item in rule.get("Ipv6Ranges", [])],
        "prefixListIds": [item["PrefixListId"] for item in rule.get("PrefixListIds", [])],
        "securityGroups": [item["GroupId"] for item in rule.get("UserIdGroupPairs", [])],
        "description": "",
        "self": False,
    }


def _delete_group(work: Work, id_: str) -> None:
    ec2: Any = work.account.ec2
    if work.inputs.get("revokeRulesOnDelete"):
        # Its own rules, and those of other groups that point at it: they would hold it (forceRevokeSecurityGroupRules).
        for rule in ec2.describe_security_group_rules()["SecurityGroupRules"]:
            if id_ in (rule["GroupId"], (rule.get("ReferencedGroupInfo") or {}).get("GroupId")):
                revoke = ec2.revoke_security_group_egress if rule["IsEgress"] else ec2.revoke_security_group_ingress
                with absent(*RULE_GONE):
                    revoke(GroupId=rule["GroupId"], SecurityGroupRuleIds=[rule["SecurityGroupRuleId"]])
    work.release(id_, partial(ec2.delete_security_group, GroupId=id_), "InvalidGroup.NotFound")


def _permission(inputs: Properties) -> dict[str, Any]:
    """A rule as the API takes it. Protocols other than TCP, UDP and ICMP have no ports, and none are sent."""
    description = given(Description=inputs.get("description"))
    ranges = {
        "cidrIpv4": ("IpRanges", "CidrIp"),
        "cidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
        "prefixListId": ("PrefixListIds", "PrefixListId"),
        "referencedSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    }
    sources = {many: [{one: inputs[name], **description}] for name, (many, one) in ranges.items() if inputs.get(name)}
    ports = given(FromPort=inputs.get("fromPort"), ToPort=inputs.get("toPort"))
    return {"IpProtocol": inputs["ipProtocol"], **ports, **sources}


def _rule_type(direction: Direction) -> ResourceType:
    outward = direction == "Egress"

    def create(work: Work) -> str:
        ec2: Any = work.account.ec2
        authorize = ec2.authorize_security_group_egress if outward else ec2.authorize_security_group_ingress
        made = authorize(
            GroupId=work.inputs["securityGroupId"],
            IpPermissions=[_permission(work.inputs)],
            **tag_specifications(work.tags, "security-group-rule"),
        )
        return str(made["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    def read(account: Account, id_: str, _inputs: Properties) -> Properties | None:
        rule = None
        with absent(*RULE_GONE):
            found = account.ec2.describe_security_group_rules(SecurityGroupRuleIds=[id_])
            rule = only(found["SecurityGroupRules"])
        if rule is None:
            return None
        ports = as_protocol(rule["IpProtocol"]) in ("tcp", "udp", "icmp", "icmpv6")
        return {
            "arn": account.arn(f"security-group-rule/{id_}"),
            "cidrIpv4": rule.get("CidrIpv4"),
            "cidrIpv6": rule.get("CidrIpv6"),
            "description": rule.get("Description"),
            "fromPort": rule.get("FromPort") if ports else None,
            "ipProtocol": rule["IpProtocol"],
            "prefixListId": rule.get("PrefixListId"),
            "referencedSecurityGroupId": (rule.get("ReferencedGroupInfo") or {}).get("GroupId"),
            "securityGroupId": rule["GroupId"],
            "securityGroupRuleId": id_,
            "tagsAll": tags_of(rule),
            "toPort": rule.get("ToPort") if ports else None,
        }

    def update(work: Work, id_: str, _changed: frozenset[str]) -> None:
        inputs = work.inputs
        rule = given(
            IpProtocol=inputs["ipProtocol"],
            FromPort=inputs.get("fromPort"),
            ToPort=inputs.get("toPort"),
            CidrIpv4=inputs.get("cidrIpv4"),
            CidrIpv6=inputs.get("cidrIpv6"),
            PrefixListId=inputs.get("prefixListId"),
            ReferencedGroupId=inputs.get("referencedSecurityGroupId"),
            Description=inputs.get("description"),
        )
        work.account.ec2.modify_security_group_rules(
            GroupId=inputs["securityGroupId"],
            SecurityGroupRules=[{"SecurityGroupRuleId": id_, "SecurityGroupRule": rule}],  # type: ignore[typeddict-item]
        )

    def delete(work: Work, id_: str) -> None:
        ec2: Any = work.account.ec2
        revoke = ec2.revoke_security_group_egress if outward else ec2.revoke_security_group_ingress
        with absent(*RULE_GONE):
            revoke(GroupId=work.inputs["securityGroupId"], SecurityGroupRuleIds=[id_])

    changeable = ("ipProtocol", "fromPort", "toPort", "description", *SOURCES)
    return ResourceType(
        token=f"aws:vpc/securityGroup{direction}Rule:SecurityGroup{direction}Rule",
        schema=schema.RULE,
        create=create,
        read=read,
        update=update,
        updates=frozenset(changeable),
        delete=delete,
        retag=Account.retag_ec2,
    )


TYPES = (
    ResourceType(
        token="aws:ec2/securityGroup:SecurityGroup",  # noqa: S106 - a type's name
        schema=schema.SECURITY_GROUP,
        create=_create_group,
        ready=_ready_group,
        read=_read_group,
        updates=frozenset({"revokeRulesOnDelete"}),
        delete=_delete_group,
        retag=Account.retag_ec2,
    ),
    _rule_type("Ingress"),
    _rule_type("Egress"),
)
