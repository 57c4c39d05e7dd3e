"""Ids in requests: whether they have the form of what they name, and whether there is such a thing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lab.cloud.corrections.refusals import refusal

# Eight hexadecimal digits, or since 2016 seventeen (EC2 user guide, "Resource IDs").
DIGITS = "[0-9a-f]{8}(?:[0-9a-f]{9})?"


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of resource. `malformed` is EC2's code for a wrong form (API reference, "Error codes"); None: it has none.

    `parameters` are the names in requests; `find` raises EC2's refusal where an id names nothing.
    """

    prefix: str
    malformed: str | None
    parameters: tuple[str, ...]
    find: Callable[[Any, str], Any] | None = None


def _group(backend: Any, group_id: str) -> None:
    if backend.get_security_group_from_id(group_id) is None:
        raise refusal("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")


KINDS = (
    Kind(
        prefix="i",
        malformed="InvalidInstanceID.Malformed",
        parameters=("InstanceId", "InstanceIds"),
        find=lambda backend, id_: backend.get_instance(id_),
    ),
    Kind(
        prefix="eni",
        malformed="InvalidNetworkInterfaceId.Malformed",
        parameters=("NetworkInterfaceId", "NetworkInterfaceIds"),
        find=lambda backend, id_: backend.get_network_interface(id_),
    ),
    Kind(
        prefix="eni-attach",
        malformed="InvalidNetworkInterfaceAttachmentId.Malformed",
        parameters=("AttachmentId",),
    ),
    Kind(
        prefix="subnet",
        malformed="InvalidSubnetID.Malformed",
        parameters=("SubnetId", "SubnetIds"),
        find=lambda backend, id_: backend.get_subnet(id_),
    ),
    Kind(
        prefix="vpc",
        malformed="InvalidVpcID.Malformed",
        parameters=("VpcId", "VpcIds"),
        find=lambda backend, id_: backend.get_vpc(id_),
    ),
    Kind(
        prefix="sg",
        malformed="InvalidGroupId.Malformed",
        parameters=("GroupId", "GroupIds", "SecurityGroupIds", "Groups"),
        find=_group,
    ),
    Kind(
        prefix="sgr",
        malformed="InvalidSecurityGroupRuleId.Malformed",
        parameters=("SecurityGroupRuleIds",),
    ),
    Kind(
        prefix="rtb",
        malformed="InvalidRouteTableId.Malformed",
        parameters=("RouteTableId", "RouteTableIds"),
        find=lambda backend, id_: backend.get_route_table(id_),
    ),
    Kind(
        prefix="igw",
        malformed="InvalidInternetGatewayId.Malformed",
        parameters=("InternetGatewayId", "InternetGatewayIds"),
        find=lambda backend, id_: backend.get_internet_gateway(id_),
    ),
    Kind(
        prefix="ami",
        malformed="InvalidAMIID.Malformed",
        parameters=("ImageId", "ImageIds"),
        find=lambda backend, id_: backend.check_image(id_),
    ),
    Kind(
        prefix="eipalloc",
        malformed=None,
        parameters=("AllocationId", "AllocationIds"),
        find=lambda backend, id_: backend.address_by_allocation([id_]),
    ),
)


def check_identifiers(backend: Any, parameters: Mapping[str, Any]) -> None:
    """Raise EC2's refusal of the first id in `parameters` (the model's names) that is wrong or names nothing."""
    for kind, given in _identifiers(parameters):
        for id_ in given:
            if kind.malformed and not re.fullmatch(f"{kind.prefix}-{DIGITS}", id_):
                # Words as reported: without a hint for instances (ClusterLabs/cluster-glue#29), with one for images.
                hint = "" if kind.prefix == "i" else f' (expecting "{kind.prefix}-...")'
                raise refusal(kind.malformed, f'Invalid id: "{id_}"{hint}')
    for kind, given in _identifiers(parameters):
        for id_ in given if kind.find else ():
            kind.find(backend, id_)  # type: ignore[misc]


def _identifiers(parameters: Mapping[str, Any]) -> Iterator[tuple[Kind, Iterable[str]]]:
    for kind in KINDS:
        for name in kind.parameters:
            given = parameters.get(name, ())
            yield kind, [given] if isinstance(given, str) else [each for each in given if isinstance(each, str)]
