"""What the installed pulumi_aws says of types and functions: inputs, outputs, tokens."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

import pulumi_aws
from pulumi_aws import ec2, iam, vpc

CLASSES: tuple[Any, ...] = (
    *(ec2.Vpc, ec2.Subnet, ec2.InternetGateway, ec2.RouteTable, ec2.Route, ec2.RouteTableAssociation),
    *(ec2.SubnetCidrReservation, ec2.SecurityGroup, ec2.Eip, ec2.EipAssociation, ec2.Instance),
    *(vpc.SecurityGroupIngressRule, vpc.SecurityGroupEgressRule, iam.Role, iam.RolePolicy, iam.InstanceProfile),
)
FUNCTIONS: dict[str, Any] = {
    "aws:ec2/getAmi:getAmi": ec2.get_ami,
    "aws:index/getAvailabilityZones:getAvailabilityZones": pulumi_aws.get_availability_zones,
    "aws:index/getCallerIdentity:getCallerIdentity": pulumi_aws.get_caller_identity,
    "aws:index/getPartition:getPartition": pulumi_aws.get_partition,
    "aws:index/getRegion:getRegion": pulumi_aws.get_region,
}
OURS = {"id", "urn", "pulumi_resource_name", "pulumi_resource_type"}


def wire_names(cls: Any) -> dict[str, Any]:
    """The properties of a class as the wire calls them, with their getters."""
    found = inspect.getmembers(cls, lambda member: isinstance(member, property))
    return {getattr(member.fget, "_pulumi_name", name): member.fget for name, member in found if name not in OURS}


def token_of(cls: Any) -> str:
    return re.search(r"'(aws:[^']+)',\s*resource_name", inspect.getsource(cls._internal_init)).group(1)  # type: ignore


def inputs_of(cls: Any) -> dict[str, Any]:
    """A type's inputs, and those in its objects as paths with a dot."""
    module = inspect.getmodule(cls)
    return _inputs(getattr(module, f"{cls.__name__}Args"), "", module)


def arguments_of(function: Any) -> set[str]:
    names = set(inspect.signature(function).parameters) - {"opts"}
    return {re.sub(r"_(\w)", lambda match: match.group(1).upper(), name) for name in names}


def is_required(getter: Any) -> bool:
    return "NoneType" not in str(getter.__annotations__["return"])


def _inputs(args: Any, path: str, module: Any) -> dict[str, Any]:
    found = {}
    for name, getter in wire_names(args).items():
        found[path + name] = getter
        inner = re.search(r"ForwardRef\('(\w+Args)'\)", str(getter.__annotations__["return"]))
        if inner and not path:
            objects = _package(module)._inputs
            found |= _inputs(getattr(objects, inner.group(1)), f"{path}{name}.", module)
    return found


def _package(module: Any) -> Any:
    return importlib.import_module(module.__name__.rpartition(".")[0])
