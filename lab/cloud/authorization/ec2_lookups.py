"""What an EC2 call names without saying its id: found in its other parameters and in moto's state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lab.cloud.authorization.ec2_resources import RESOURCE_TYPES, Scope, Value

Parameters = Mapping[str, Any]
"""A call's parameters, by the names of the EC2 API's model in botocore."""
Lookup = Callable[[Scope, Parameters], Iterable[str]]


def at(parameters: Any, path: str) -> list[Any]:
    """Every value at a path such as NetworkInterfaces.SubnetId; lists on the way and at its end are spread."""
    found = [parameters]
    for name in path.split("."):
        found = [each[name] for each in found if isinstance(each, Mapping) and each.get(name) not in (None, "")]
        found = [item for each in found for item in (each if isinstance(each, list) else [each])]
    return found


def parameter(*paths: str) -> Lookup:
    """The ids that the call gives in these parameters."""
    return lambda _, parameters: [str(value) for path in paths for value in at(parameters, path)]


def elastic_ip(scope: Scope, parameters: Parameters) -> list[str]:
    """The Elastic IP of AllocationId, PublicIp or AssociationId."""
    wanted = {
        name: set(at(parameters, path))
        for name, path in (("public_ip", "PublicIp"), ("association_id", "AssociationId"))
    }
    found = [
        str(each.allocation_id)
        for each in scope.ec2.addresses
        if any(getattr(each, name) in values for name, values in wanted.items())
    ]
    return [*map(str, at(parameters, "AllocationId")), *found]


def associated_interface(scope: Scope, parameters: Parameters) -> list[str]:
    """The interface that the Elastic IP of the call is associated with."""
    held = (RESOURCE_TYPES["elastic-ip"].find(scope, id_) for id_ in elastic_ip(scope, parameters))
    return [str(each.eni.id) for each in held if each is not None and each.eni is not None]


def attached_interface(scope: Scope, parameters: Parameters) -> list[str]:
    """The interface of an attachment."""
    wanted = at(parameters, "AttachmentId") + at(parameters, "Attachment.AttachmentId")
    return [str(each.id) for each in scope.ec2.enis.values() if each.attachment_id and each.attachment_id in wanted]


def attached_instance(scope: Scope, parameters: Parameters) -> list[str]:
    """The instance of an attachment."""
    held = (scope.ec2.enis[id_].instance for id_ in attached_interface(scope, parameters))
    return [str(instance.id) for instance in held if instance is not None]


def profiled_instance(scope: Scope, parameters: Parameters) -> list[str]:
    """The instance of an instance profile's association."""
    wanted = at(parameters, "AssociationId")
    associations = scope.ec2.iam_instance_profile_associations
    return [str(id_) for id_, each in associations.items() if each.association_id in wanted]


def associated_table(scope: Scope, parameters: Parameters) -> list[str]:
    """The route table of an association."""
    wanted = set(at(parameters, "AssociationId"))
    return [str(each.id) for each in scope.ec2.route_tables.values() if wanted & set(each.all_associations_ids)]


def associated_subnet(scope: Scope, parameters: Parameters) -> list[str]:
    """The subnet of a route table's association."""
    wanted = at(parameters, "AssociationId")
    tables = scope.ec2.route_tables.values()
    held = [table._associations[id_] for table in tables for id_ in wanted if id_ in table._associations]
    return [str(each) for each in held if str(each).startswith("subnet-")]


def acl_subnet(scope: Scope, parameters: Parameters) -> list[str]:
    """The subnet of a network ACL's association."""
    wanted = at(parameters, "AssociationId")
    tables = scope.ec2.network_acls.values()
    return [str(each._associations[id_].subnet_id) for each in tables for id_ in wanted if id_ in each._associations]


def group(scope: Scope, parameters: Parameters) -> list[str]:
    """The group of GroupId, or of GroupName in the default VPC."""
    return [*map(str, at(parameters, "GroupId")), *_groups_by_name(scope, at(parameters, "GroupName"))]


def vpc_or_default(scope: Scope, parameters: Parameters) -> list[str]:
    """The VPC of the call, the default one if it names none."""
    return [str(id_) for id_ in at(parameters, "VpcId")] or _default_vpcs(scope)


def launch_subnets(scope: Scope, parameters: Parameters) -> list[str]:
    """The subnets of a launch: given, or the zone's default."""
    given = [*at(parameters, "SubnetId"), *at(parameters, "NetworkInterfaces.SubnetId")]
    held = [_subnet_of(scope, id_) for id_ in at(parameters, "NetworkInterfaces.NetworkInterfaceId")]
    if given or held:
        return list(dict.fromkeys(str(id_) for id_ in [*given, *held] if id_))
    zone = (at(parameters, "Placement.AvailabilityZone") or [f"{scope.region}a"])[0]
    return [str(each.id) for each in scope.ec2.subnets.get(zone, {}).values() if each.default_for_az]


def launch_groups(scope: Scope, parameters: Parameters) -> list[str]:
    """The security groups of a launch or a new interface: given, or the default one of the subnet's VPC."""
    ids = [id_ for path in ("SecurityGroupIds", "Groups", "NetworkInterfaces.Groups") for id_ in at(parameters, path)]
    ids += _groups_by_name(scope, at(parameters, "SecurityGroups"))
    if ids or at(parameters, "NetworkInterfaces.NetworkInterfaceId"):
        return [str(id_) for id_ in ids]
    found = (RESOURCE_TYPES["subnet"].find(scope, id_) for id_ in launch_subnets(scope, parameters))
    defaults = (scope.ec2.get_default_security_group(each.vpc_id) for each in found if each is not None)
    return [str(each.id) for each in defaults if each is not None]


def launch_subnet_arn(scope: Scope, parameters: Parameters) -> Value:
    """For ec2:Subnet of an interface that a launch makes."""
    return [scope.arn("subnet", id_) for id_ in launch_subnets(scope, parameters)[:1]]


def launch_vpc_arn(scope: Scope, parameters: Parameters) -> Value:
    """For ec2:Vpc of an interface that a launch makes."""
    found = (RESOURCE_TYPES["subnet"].find(scope, id_) for id_ in launch_subnets(scope, parameters)[:1])
    return [scope.arn("vpc", each.vpc_id) for each in found if each is not None]


def launch_zone(scope: Scope, parameters: Parameters) -> Value:
    """For ec2:AvailabilityZone of what a launch makes."""
    found = (RESOURCE_TYPES["subnet"].find(scope, id_) for id_ in launch_subnets(scope, parameters)[:1])
    return at(parameters, "Placement.AvailabilityZone") or [each.availability_zone for each in found if each]


def launch_profile_arn(scope: Scope, parameters: Parameters) -> Value:
    """For ec2:InstanceProfile and ec2:NewInstanceProfile."""
    names = at(parameters, "IamInstanceProfile.Name")
    return at(parameters, "IamInstanceProfile.Arn") or [scope.iam_arn(f"instance-profile/{name}") for name in names]


def market(_scope: Scope, parameters: Parameters) -> Value:
    """For ec2:InstanceMarketType."""
    return at(parameters, "InstanceMarketOptions.MarketType") or ["on-demand"]


def given(path: str, default: str | None = None) -> Callable[[Scope, Parameters], Value]:
    """A key whose value is a parameter's, the first where there are several."""

    def key(_scope: Scope, parameters: Parameters) -> Value:
        value: Value = (at(parameters, path) or [default])[0]
        return value

    return key


def _subnet_of(scope: Scope, interface_id: str) -> str | None:
    interface = scope.ec2.enis.get(interface_id)
    return None if interface is None else str(interface.subnet.id)


def _groups_by_name(scope: Scope, names: list[Any]) -> list[str]:
    groups = (each for vpc in _default_vpcs(scope) for each in scope.ec2.groups.get(vpc, {}).values())
    return [str(each.id) for each in groups if each.name in names]


def _default_vpcs(scope: Scope) -> list[str]:
    return [str(each.id) for each in scope.ec2.vpcs.values() if str(each.is_default).lower() == "true"]
