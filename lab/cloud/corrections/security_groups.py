"""Security groups: their rules all or none, by what they say and by their ids; and what is in use stays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.ec2.responses.security_groups import SecurityGroups

from lab.cloud.corrections.refusals import dependency_violation, invalid_value, refusal
from lab.cloud.corrections.security_group_rules import LabRule, check_new, sources

# "Inbound or outbound rules per security group: 60" (VPC user guide, quotas).
MOST_RULES = 60
# The kinds of source: by their names in a SecurityGroupRuleRequest, where an IpPermission has them.
SOURCES = {
    "CidrIpv4": ("IpRanges", "CidrIp"),
    "CidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
    "PrefixListId": ("PrefixListIds", "PrefixListId"),
    "ReferencedGroupId": ("UserIdGroupPairs", "GroupId"),
}


class SecurityGroupCorrections(SecurityGroupBackend):  # type: ignore[misc]
    """EC2's rules for security groups."""

    def create_security_group(self, name: str, *args: Any, **options: Any) -> Any:
        """A VPC's default group lets its own members in (VPC user guide, "Default security groups")."""
        if name.lower() == "default" and not options.get("is_default"):
            raise refusal("InvalidGroup.Reserved", f"Cannot use reserved security group name: {name}")
        group = super().create_security_group(name, *args, **options)
        if group.is_default:
            itself = {"GroupId": group.id, "UserId": self.account_id, "OwnerId": self.account_id}
            group.add_ingress_rule(LabRule(self, "-1", group.id, None, None, None, itself, is_egress=False))
        return group

    def group_named(self, group_id: str | None, name: str | None) -> Any:
        """A group by its id, or in the default VPC by its name. Raises EC2's refusals."""
        if group_id:
            group = self.get_security_group_from_id(group_id)
            if group is None:
                raise refusal("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
        elif name:
            group = self.get_security_group_from_name(name, self.default_vpc.id)
            if group is None:
                raise refusal(
                    "InvalidGroup.NotFound",
                    f"The security group '{name}' does not exist in default VPC '{self.default_vpc.id}'",
                )
        else:
            raise refusal("MissingParameter", "The request must contain the parameter groupName or groupId")
        return group

    def rules_for(self, group: Any, permissions: Sequence[Mapping[str, Any]], *, egress: bool) -> list[LabRule]:
        """The rules of that group that IpPermissions speak of, not yet in it."""
        return [
            LabRule(
                self,
                permission.get("IpProtocol"),
                group.id,
                permission.get("FromPort"),
                permission.get("ToPort"),
                ip_range,
                self._referenced(pair, group.vpc_id) if pair else {},
                prefix_list,
                is_egress=egress,
            )
            for permission in permissions
            for ip_range, pair, prefix_list in sources(permission)
        ]

    def delete_security_group(self, name: str | None = None, group_id: str | None = None) -> None:
        """Refused while an interface has it, or another group's rule names it."""
        group = self.group_named(group_id, name)
        others = [other for groups in self.groups.values() for other in groups.values() if other is not group]
        named = any(
            rule.source_group.get("GroupId") == group.id
            for other in others
            for rule in (*other.ingress_rules, *other.egress_rules)
        )
        if named or any(group in interface.group_set for interface in self.enis.values()):
            raise dependency_violation(f"resource {group.id} has a dependent object")
        super().delete_security_group(group_id=group.id)

    def _referenced(self, pair: dict[str, Any], vpc_id: str) -> dict[str, Any]:
        """A group that a rule names; it must exist in the same VPC."""
        group = self.group_named(pair.get("GroupId"), pair.get("GroupName"))
        if group.vpc_id != vpc_id:
            raise refusal(
                "InvalidGroup.NotFound", "You have specified two resources that belong to different networks."
            )
        account = {"UserId": self.account_id, "OwnerId": self.account_id}
        return account | {name: pair[name] for name in pair if name != "GroupName"} | {"GroupId": group.id}


class SecurityGroupAnswers(SecurityGroups):  # type: ignore[misc]
    """The calls about rules. Each is carried out whole or not at all."""

    def authorize_security_group_ingress(self) -> ActionResult:
        """AuthorizeSecurityGroupIngress."""
        return self._add(egress=False)

    def authorize_security_group_egress(self) -> ActionResult:
        """AuthorizeSecurityGroupEgress."""
        return self._add(egress=True)

    def revoke_security_group_ingress(self) -> ActionResult:
        """RevokeSecurityGroupIngress."""
        return self._take(egress=False)

    def revoke_security_group_egress(self) -> ActionResult:
        """RevokeSecurityGroupEgress."""
        return self._take(egress=True)

    def update_security_group_rule_descriptions_ingress(self) -> ActionResult:
        """UpdateSecurityGroupRuleDescriptionsIngress."""
        return self._redescribe(egress=False)

    def update_security_group_rule_descriptions_egress(self) -> ActionResult:
        """UpdateSecurityGroupRuleDescriptionsEgress."""
        return self._redescribe(egress=True)

    def delete_security_group(self) -> ActionResult:
        """DeleteSecurityGroup, which says what it deleted; a VPC's own goes with the VPC only."""
        group = self._group()
        if group.is_default:
            raise refusal(
                "CannotDelete", f'the specified group: "{group.id}" name: "{group.name}" cannot be deleted by a user'
            )
        self.ec2_backend.delete_security_group(group_id=group.id)
        return ActionResult({"Return": True, "GroupId": group.id})

    def modify_security_group_rules(self) -> ActionResult:
        """ModifySecurityGroupRules: a rule keeps its id, and the kind of its source."""
        group = self._group()
        changes = {}
        wanted = self._get_param("SecurityGroupRules", [])
        if not wanted:  # numbered from 2
            raise refusal("MissingParameter", "The request must contain the parameter SecurityGroupRule")
        for given in wanted:
            rule = _by_id(given["SecurityGroupRuleId"], [*group.ingress_rules, *group.egress_rules])
            changes[rule.id] = self._modified(group, rule, given.get("SecurityGroupRule", {}))
        for egress, rules in ((False, group.ingress_rules), (True, group.egress_rules)):
            changed = [rule for rule in changes.values() if rule.is_egress is egress]
            if changed:
                check_new(changed, [rule for rule in rules if rule.id not in changes], MOST_RULES)
        group.ingress_rules = [changes.get(rule.id, rule) for rule in group.ingress_rules]
        group.egress_rules = [changes.get(rule.id, rule) for rule in group.egress_rules]
        return ActionResult({"Return": True})

    def _add(self, *, egress: bool) -> ActionResult:
        group = self._group()
        rules = self.ec2_backend.rules_for(group, self._permissions(), egress=egress)
        existing = group.egress_rules if egress else group.ingress_rules
        check_new(rules, existing, MOST_RULES)
        tags = self._parse_tag_specification().get("security-group-rule", {})
        for rule in rules:
            rule.add_tags(tags)
        existing.extend(rules)
        return ActionResult({"Return": True, "SecurityGroupRules": [rule.shown for rule in rules]})

    def _take(self, *, egress: bool) -> ActionResult:
        group = self._group()
        existing = group.egress_rules if egress else group.ingress_rules
        ids, unknown = self._get_param("SecurityGroupRuleIds", []), []
        if ids:
            found = [_by_id(each, existing) for each in ids]
        else:
            wanted = self.ec2_backend.rules_for(group, self._permissions(), egress=egress)
            found = [existing[existing.index(rule)] for rule in wanted if rule in existing]
            unknown = [rule for rule in wanted if rule not in existing]
        # "For a default VPC [...] no error is returned, and the output describes the security group rules that were
        # not revoked. For a non-default VPC [...] no rules are revoked" (API reference).
        if unknown and not self.ec2_backend.vpcs[group.vpc_id].is_default:
            raise _not_there()
        revoked = {rule.id for rule in found}
        existing[:] = [rule for rule in existing if rule.id not in revoked]
        answer: dict[str, Any] = {"Return": True, "RevokedSecurityGroupRules": [_revoked(rule.shown) for rule in found]}
        if unknown:
            answer["UnknownIpPermissions"] = [_permission(rule) for rule in unknown]
        return ActionResult(answer)

    def _redescribe(self, *, egress: bool) -> ActionResult:
        """Set or take away descriptions of rules, by their ids or by what they say."""
        group = self._group()
        existing = group.egress_rules if egress else group.ingress_rules
        by_id = self._get_param("SecurityGroupRuleDescriptions", [])
        changes = [(_by_id(each.get("SecurityGroupRuleId"), existing), each.get("Description")) for each in by_id]
        if not by_id:
            for rule in self.ec2_backend.rules_for(group, self._permissions(), egress=egress):
                if rule not in existing:
                    raise _not_there()
                changes.append((existing[existing.index(rule)], rule.description))
        for rule, description in changes:
            rule.description = description
        return ActionResult({"Return": True})

    def _group(self) -> Any:
        return self.ec2_backend.group_named(self._get_param("GroupId"), self._get_param("GroupName"))

    def _permissions(self) -> list[Mapping[str, Any]]:
        """IpPermissions, also where a call names its one rule without them."""
        given = self._get_param("IpPermissions")
        if given:
            return list(given)
        one = {name: self.params[name] for name in ("IpProtocol", "FromPort", "ToPort") if name in self.params}
        if "CidrIp" in self.params:
            one["IpRanges"] = [{"CidrIp": self.params["CidrIp"]}]
        if "SourceSecurityGroupName" in self.params:
            one["UserIdGroupPairs"] = [{"GroupName": self.params["SourceSecurityGroupName"]}]
        return [one] if one else []

    def _modified(self, group: Any, rule: LabRule, given: Mapping[str, Any]) -> LabRule:
        """A rule with that id and another content."""
        named = {name: given[name] for name in SOURCES if given.get(name)}
        if len(named) != 1:
            raise refusal(
                "MissingParameter" if not named else "InvalidParameterCombination",
                "The request must contain exactly one of: cidrIp, cidrIpv6, prefixListId, or referencedGroupId",
            )
        permission: dict[str, Any] = {name: given.get(name) for name in ("IpProtocol", "FromPort", "ToPort")}
        ((kind, source),) = named.items()
        had = {"CidrIpv4": rule.cidr_ipv4, "CidrIpv6": rule.cidr_ipv6, "PrefixListId": rule.prefix_list_id}
        if not had.get(kind, rule.source_group.get("GroupId")):
            raise invalid_value(
                f"Invalid rule type for security group rule '{rule.id}'. You may not change the type of its source."
            )
        listed, member = SOURCES[kind]
        permission[listed] = [{member: source}]
        modified: LabRule
        (modified,) = self.ec2_backend.rules_for(group, [permission], egress=rule.is_egress)
        modified.id = rule.id
        modified.description = given.get("Description")
        return modified


def _by_id(rule_id: str, rules: Sequence[LabRule]) -> LabRule:
    for rule in rules:
        if rule.id == rule_id:
            return rule
    raise refusal("InvalidSecurityGroupRuleId.NotFound", f"The security group rule ID '{rule_id}' does not exist")


def _not_there() -> Exception:
    return refusal("InvalidPermission.NotFound", "The specified rule does not exist in this security group.")


def _revoked(rule: Any) -> dict[str, Any]:
    return {
        "SecurityGroupRuleId": rule.id,
        "GroupId": rule.group_id,
        "IsEgress": rule.is_egress,
        "IpProtocol": rule.ip_protocol,
        "FromPort": rule.from_port,
        "ToPort": rule.to_port,
        "CidrIpv4": rule.cidr_ipv4,
        "CidrIpv6": rule.cidr_ipv6,
        "ReferencedGroupId": rule.source_group.get("GroupId"),
        "Description": rule.description,
    }


def _permission(rule: LabRule) -> dict[str, Any]:
    ranges = [{"CidrIp": rule.cidr_ipv4}] if rule.cidr_ipv4 else []
    groups = [{"GroupId": rule.source_group["GroupId"]}] if rule.source_group else []
    return {
        "IpProtocol": rule.ip_protocol,
        "FromPort": rule.from_port,
        "ToPort": rule.to_port,
        "IpRanges": ranges,
        "UserIdGroupPairs": groups,
    }
