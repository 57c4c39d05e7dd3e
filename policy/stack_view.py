"""The stack as its rules ask about it. Ids are unknown at preview; which resource an input comes from is not."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import pulumi
from pulumi_aws import ec2
from pulumi_policy import PolicyResource

from policy.reading import UnreadableError, declares, role_of
from policy.rendered import Election, election


class Stack:
    """All resources of a stack."""

    def __init__(self, resources: Sequence[PolicyResource]) -> None:
        self.resources = resources

    def of(self, kind: type[pulumi.Resource]) -> list[PolicyResource]:
        """The resources of a class, by name."""
        token = pulumi.get_type_token(kind)
        return sorted((one for one in self.resources if one.resource_type == token), key=lambda one: one.urn)

    def behind(self, resource: PolicyResource, key: str, kind: type[pulumi.Resource]) -> list[PolicyResource]:
        """The resources of a class that an input of `resource` is made of."""
        token = pulumi.get_type_token(kind)
        return [one for one in resource.property_dependencies.get(key, []) if one.resource_type == token]

    @cached_property
    def directors(self) -> list[PolicyResource]:
        """The instances that are directors; UnreadableError where there are none, as nothing would be checked."""
        found = [one for one in self.of(ec2.Instance) if role_of(one.props) == "director"]
        if not found:
            raise UnreadableError("no instance has the tag Role=director, so there is nothing to check")
        return found

    @cached_property
    def web_servers(self) -> list[PolicyResource]:
        """The instances that are web servers; UnreadableError where there are none."""
        found = [one for one in self.of(ec2.Instance) if role_of(one.props) == "web-server"]
        if not found:
            raise UnreadableError("no instance has the tag Role=web-server, so there is nothing to check")
        return found

    @cached_property
    def elections(self) -> dict[str, Election]:
        """Each director's part in the election, by URN."""
        found = {}
        for director in self.directors:
            if not declares(director.props, "userData"):
                raise UnreadableError("a director has no user data", director.urn)
            try:
                found[director.urn] = election(str(director.props["userData"]))
            except UnreadableError as error:
                raise UnreadableError(str(error), director.urn) from None
        return found

    @property
    def virtual_ips(self) -> list[str]:
        """The addresses that move, as the directors were told: one, where they agree."""
        return sorted({one.virtual_ip for one in self.elections.values()})

    @property
    def services(self) -> set[tuple[str, int]]:
        """The services' protocols and ports, as the directors were told."""
        return {service for one in self.elections.values() for service in one.services}

    @cached_property
    def service_address(self) -> PolicyResource:
        """The Elastic IP clients know: the one every director is told to pull to itself, by its tags."""
        found = {one.urn: one for director in self.directors for one in self.behind(director, "tags", ec2.Eip)}
        for director in self.directors:
            if len(self.behind(director, "tags", ec2.Eip)) != 1:
                raise UnreadableError("its tags name no Elastic IP of this stack, or several", director.urn)
        if len(found) != 1:
            raise UnreadableError(f"directors are told to share {len(found)} Elastic IPs, not one")
        return next(iter(found.values()))

    def group_of(self, machines: Sequence[PolicyResource]) -> str:
        """The URN of the one security group machines are in; UnreadableError where it is not one of this stack's."""
        groups = set()
        for machine in machines:
            made = self.behind(machine, "vpcSecurityGroupIds", ec2.SecurityGroup)
            count = len(machine.props["vpcSecurityGroupIds"]) if declares(machine.props, "vpcSecurityGroupIds") else 0
            if len(made) != 1 or count != 1:
                raise UnreadableError("it is not in exactly one security group, made by this stack", machine.urn)
            groups.add(made[0].urn)
        if len(groups) != 1:
            raise UnreadableError(f"machines of one role are in {len(groups)} security groups, not one")
        return str(groups.pop())
