"""The types of EC2 resources: how their ARNs look, where moto keeps them, and the condition keys each one has.

Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2", table of resource
types. Keys the lab has no value for (placement groups, Nitro Enclaves and the like) are left out: they are missing from
a request, as they are on AWS for a resource without such a property.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.cloud.authorization.matching import Context

Value = str | bool | int | Iterable[str] | None


@dataclass(frozen=True, kw_only=True)
class Scope:
    """Where a call is made: moto's EC2 of the region."""

    ec2: Any
    partition: str
    region: str
    account: str

    def arn(self, kind: str, id_: str) -> str:
        """The ARN of a resource; images and snapshots belong to no account in it."""
        owner = "" if kind in OWNERLESS else self.account
        return f"arn:{self.partition}:ec2:{self.region}:{owner}:{kind}/{id_}"

    def iam_arn(self, resource: str) -> str:
        """The ARN of something of IAM, such as instance-profile/NAME."""
        return f"arn:{self.partition}:iam::{self.account}:{resource}"


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """`find` gives moto's object by id, or None; `keys` a condition key's value, from such an object."""

    prefix: str
    find: Callable[[Scope, str], Any]
    keys: Mapping[str, Callable[[Scope, Any], Value]] = field(default_factory=dict)


OWNERLESS = frozenset({"image", "snapshot"})
Key = Callable[[Scope, Any], Value]


def attribute(name: str) -> Key:
    """A key whose value is an attribute of moto's object."""
    return lambda _, resource: getattr(resource, name, None)


def arn_of(kind: str, name: str) -> Key:
    """A key whose value is the ARN of the resource whose id is an attribute of moto's object."""

    def key(scope: Scope, resource: Any) -> Value:
        id_ = getattr(resource, name, None)
        return scope.arn(kind, id_) if id_ else None

    return key


def _find_in(collection: str) -> Callable[[Scope, str], Any]:
    return lambda scope, id_: getattr(scope.ec2, collection).get(id_)


def _find_subnet(scope: Scope, id_: str) -> Any:
    return next((zone[id_] for zone in scope.ec2.subnets.values() if id_ in zone), None)


def _find_instance(scope: Scope, id_: str) -> Any:
    return scope.ec2.get_instance_by_id(id_)


def _find_elastic_ip(scope: Scope, id_: str) -> Any:
    return next((each for each in scope.ec2.addresses if each.allocation_id == id_), None)


def _find_group(scope: Scope, id_: str) -> Any:
    return next((groups[id_] for groups in scope.ec2.groups.values() if id_ in groups), None)


def _find_nothing(_scope: Scope, _id: str) -> Any:
    return None


def _instance_profile(scope: Scope, instance: Any) -> Value:
    association = scope.ec2.iam_instance_profile_associations.get(instance.id)
    return association.iam_instance_profile.arn if association else None


def _metadata(name: str) -> Key:
    return lambda _, instance: getattr(instance.metadata_options, name, None)


def _interface_subnet(scope: Scope, interface: Any) -> Value:
    return scope.arn("subnet", interface.subnet.id)


def _interface_zone(_scope: Scope, interface: Any) -> Value:
    return str(interface.subnet.availability_zone)


def _volume_zone(_scope: Scope, volume: Any) -> Value:
    return str(getattr(volume.zone, "name", volume.zone))


def constant(value: str) -> Key:
    """A key that has one value in the lab."""
    return lambda _, __: value


RESOURCE_TYPES: dict[str, ResourceType] = {
    "elastic-ip": ResourceType(
        prefix="eipalloc",
        find=_find_elastic_ip,
        keys={
            "ec2:AllocationId": attribute("allocation_id"),
            "ec2:PublicIpAddress": attribute("public_ip"),
            "ec2:Domain": attribute("domain"),
        },
    ),
    "image": ResourceType(
        prefix="ami",
        find=_find_in("amis"),
        keys={
            "ec2:ImageID": attribute("id"),
            "ec2:ImageType": constant("machine"),
            "ec2:Owner": attribute("owner_id"),
            "ec2:Public": attribute("is_public"),
            "ec2:RootDeviceType": attribute("root_device_type"),
        },
    ),
    "instance": ResourceType(
        prefix="i",
        find=_find_instance,
        keys={
            "ec2:AvailabilityZone": attribute("availability_zone"),
            "ec2:InstanceID": attribute("id"),
            "ec2:InstanceMarketType": constant("on-demand"),
            "ec2:InstanceProfile": _instance_profile,
            "ec2:InstanceType": attribute("instance_type"),
            "ec2:MetadataHttpEndpoint": _metadata("http_endpoint"),
            "ec2:MetadataHttpPutResponseHopLimit": _metadata("http_put_response_hop_limit"),
            "ec2:MetadataHttpTokens": _metadata("http_tokens"),
            "ec2:RootDeviceType": attribute("root_device_type"),
            "ec2:Tenancy": constant("default"),
        },
    ),
    "internet-gateway": ResourceType(
        prefix="igw", find=_find_in("internet_gateways"), keys={"ec2:InternetGatewayID": attribute("id")}
    ),
    "key-pair": ResourceType(prefix="key", find=_find_nothing),
    "launch-template": ResourceType(prefix="lt", find=_find_nothing),
    "network-acl": ResourceType(
        prefix="acl",
        find=_find_in("network_acls"),
        keys={"ec2:NetworkAclID": attribute("id"), "ec2:Vpc": arn_of("vpc", "vpc_id")},
    ),
    "network-interface": ResourceType(
        prefix="eni",
        find=_find_in("enis"),
        keys={
            "ec2:AvailabilityZone": _interface_zone,
            "ec2:NetworkInterfaceID": attribute("id"),
            "ec2:Subnet": _interface_subnet,
            "ec2:Vpc": arn_of("vpc", "vpc_id"),
        },
    ),
    "route-table": ResourceType(
        prefix="rtb",
        find=_find_in("route_tables"),
        keys={"ec2:RouteTableID": attribute("id"), "ec2:Vpc": arn_of("vpc", "vpc_id")},
    ),
    "security-group": ResourceType(
        prefix="sg",
        find=_find_group,
        keys={"ec2:SecurityGroupID": attribute("id"), "ec2:Vpc": arn_of("vpc", "vpc_id")},
    ),
    "security-group-rule": ResourceType(prefix="sgr", find=_find_nothing),
    "snapshot": ResourceType(
        prefix="snap",
        find=_find_in("snapshots"),
        keys={"ec2:Owner": attribute("owner_id"), "ec2:SnapshotID": attribute("id")},
    ),
    "subnet": ResourceType(
        prefix="subnet",
        find=_find_subnet,
        keys={
            "ec2:AvailabilityZone": attribute("availability_zone"),
            "ec2:SubnetID": attribute("id"),
            "ec2:Vpc": arn_of("vpc", "vpc_id"),
        },
    ),
    "subnet-cidr-reservation": ResourceType(prefix="scr", find=_find_nothing),
    "volume": ResourceType(
        prefix="vol",
        find=_find_in("volumes"),
        keys={
            "ec2:AvailabilityZone": _volume_zone,
            "ec2:Encrypted": attribute("encrypted"),
            "ec2:ParentSnapshot": arn_of("snapshot", "snapshot_id"),
            "ec2:VolumeID": attribute("id"),
            "ec2:VolumeSize": attribute("size"),
            "ec2:VolumeType": attribute("volume_type"),
        },
    ),
    "vpc": ResourceType(
        prefix="vpc",
        find=_find_in("vpcs"),
        keys={"ec2:VpcID": attribute("id"), "ec2:Tenancy": attribute("instance_tenancy")},
    ),
}
BY_PREFIX = {each.prefix: kind for kind, each in RESOURCE_TYPES.items()}


def kind_of(id_: str) -> str | None:
    """The type of the resource with an id such as eni-0123; None for an id of no known form."""
    return BY_PREFIX.get(id_.rpartition("-")[0])


def resource_keys(scope: Scope, kind: str, id_: str) -> Context:
    """The condition keys of an existing resource, its tags among them; of one that is not there only its tags."""
    tags = scope.ec2.tags.get(id_, {})
    resource = RESOURCE_TYPES[kind].find(scope, id_)
    own = {} if resource is None else values_of(RESOURCE_TYPES[kind].keys, scope, resource)
    return own | {
        f"{prefix}:resourcetag/{key.lower()}": (value,) for key, value in tags.items() for prefix in ("aws", "ec2")
    }


def values_of(keys: Mapping[str, Key], scope: Scope, source: Any) -> dict[str, tuple[str, ...]]:
    """Condition keys in lower case with their values as texts; keys without a value are left out."""
    found = {}
    for key, value in keys.items():
        texts = as_texts(value(scope, source))
        if texts:
            found[key.lower()] = texts
    return found


def as_texts(value: Value) -> tuple[str, ...]:
    """A key's value as texts, as policies write them."""
    if value is None or value == "":
        return ()
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, str | int):
        return (str(value),)
    return tuple(value)
