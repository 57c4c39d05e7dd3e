"""The tree of instance metadata: pure. Facts of an instance in, nested directories and leaves out.

Source of the tree: EC2 user guide, "Instance metadata categories"; its least is what cloud-init's Ec2 datasource
crawls. That crawl asks for every leaf that is listed, and one that answers 404 costs it all metadata: nothing is
listed in vain.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from lab.fabric.model import Address
from lab.names import internal_name, public_name

# Oldest first. Tags came with 2021-03-23.
VERSIONS = ("2009-04-04", "2016-09-02", "2018-09-24", "2021-03-23", "latest")
VERSIONS_WITH_TAGS = ("2021-03-23", "latest")

Leaf: TypeAlias = str | bytes | Callable[[], str]
Tree: TypeAlias = Mapping[str, "Tree | Leaf"]


@dataclass(frozen=True, kw_only=True)
class NetworkCard:
    """An interface as its instance's metadata shows it; `addresses` are what the network knows of, primary first."""

    interface_id: str
    mac: str
    device_number: int
    addresses: tuple[Address, ...]
    security_groups: tuple[tuple[str, str], ...]
    subnet_id: str
    subnet_cidr: str
    vpc_id: str
    vpc_cidr: str


@dataclass(frozen=True, kw_only=True)
class InstanceFacts:
    """Everything an instance can learn of itself. `tags` is None where metadata must not show them.

    `role` is the name of the role of its instance profile; `credentials` makes the document of its credentials, called
    when it is asked for.
    """

    instance_id: str
    account_id: str
    region: str
    availability_zone: str
    image_id: str
    instance_type: str
    reservation_id: str
    launch_index: int
    launched: datetime
    architecture: str
    cards: tuple[NetworkCard, ...]
    user_data: bytes | None
    tags: Mapping[str, str] | None
    profile_arn: str | None
    profile_id: str | None
    role: str | None
    credentials: Callable[[], str]
    tokens_required: bool
    enabled: bool


def root_of(facts: InstanceFacts) -> Tree:
    """The whole of what an instance may ask for, a directory a version."""
    return {version: _version(facts, with_tags=version in VERSIONS_WITH_TAGS) for version in VERSIONS}


def resolve(tree: Tree, path: str) -> bytes | None:
    """The answer for a path: a leaf's bytes, a directory's listing (subdirectories end in "/"), None for nothing."""
    here: Tree | Leaf = tree
    for part in [part for part in path.split("/") if part]:
        if not isinstance(here, Mapping) or part not in here:
            return None
        here = here[part]
    if isinstance(here, Mapping):
        return "\n".join(
            f"{name}/" if isinstance(node, Mapping) else name for name, node in sorted(here.items())
        ).encode()
    content = here() if callable(here) else here
    return content if isinstance(content, bytes) else content.encode()


def _version(facts: InstanceFacts, *, with_tags: bool) -> Tree:
    version: dict[str, Tree | Leaf] = {
        "meta-data": _meta_data(facts, with_tags=with_tags),
        "dynamic": {"instance-identity": {"document": _identity(facts)}},
    }
    if facts.user_data is not None:
        version["user-data"] = facts.user_data
    return version


def _meta_data(facts: InstanceFacts, *, with_tags: bool) -> Tree:
    primary = facts.cards[0]
    address = primary.addresses[0]
    name = internal_name(address.private, facts.region)
    groups = "\n".join(group for _, group in primary.security_groups)
    tree: dict[str, Tree | Leaf] = {
        "ami-id": facts.image_id,
        "ami-launch-index": str(facts.launch_index),
        "ami-manifest-path": "(unknown)",
        "hostname": name,
        "instance-action": "none",
        "instance-id": facts.instance_id,
        "instance-life-cycle": "on-demand",
        "instance-type": facts.instance_type,
        "local-hostname": name,
        "local-ipv4": address.private,
        "mac": primary.mac,
        "network": {"interfaces": {"macs": {card.mac: _card(card, facts) for card in facts.cards}}},
        "placement": {"availability-zone": facts.availability_zone, "region": facts.region},
        "profile": "default-hvm",
        "reservation-id": facts.reservation_id,
        "security-groups": groups,
        "services": {"domain": "amazonaws.com", "partition": "aws"},
    }
    if address.public:
        tree["public-ipv4"] = address.public
        tree["public-hostname"] = public_name(address.public, facts.region)
    if facts.role:
        tree["iam"] = {"info": _iam_info(facts), "security-credentials": {facts.role: facts.credentials}}
    if with_tags and facts.tags:
        tree["tags"] = {"instance": dict(facts.tags)}
    return tree


def _card(card: NetworkCard, facts: InstanceFacts) -> Tree:
    primary = card.addresses[0]
    tree: dict[str, Tree | Leaf] = {
        "device-number": str(card.device_number),
        "interface-id": card.interface_id,
        "local-hostname": internal_name(primary.private, facts.region),
        "local-ipv4s": "\n".join(address.private for address in card.addresses),
        "mac": card.mac,
        "owner-id": facts.account_id,
        "security-group-ids": "\n".join(group for group, _ in card.security_groups),
        "security-groups": "\n".join(name for _, name in card.security_groups),
        "subnet-id": card.subnet_id,
        "subnet-ipv4-cidr-block": card.subnet_cidr,
        "vpc-id": card.vpc_id,
        "vpc-ipv4-cidr-block": card.vpc_cidr,
        "vpc-ipv4-cidr-blocks": card.vpc_cidr,
    }
    public = {address.public: address.private for address in card.addresses if address.public}
    if public:
        tree["ipv4-associations"] = public
        tree["public-ipv4s"] = "\n".join(public)
    if primary.public:
        tree["public-hostname"] = public_name(primary.public, facts.region)
    return tree


def _iam_info(facts: InstanceFacts) -> str:
    document = {
        "Code": "Success",
        "LastUpdated": f"{facts.launched:%Y-%m-%dT%H:%M:%SZ}",
        "InstanceProfileArn": facts.profile_arn,
        "InstanceProfileId": facts.profile_id,
    }
    return json.dumps(document, indent=2)


def _identity(facts: InstanceFacts) -> str:
    document: dict[str, Any] = {
        "accountId": facts.account_id,
        "architecture": facts.architecture,
        "availabilityZone": facts.availability_zone,
        "billingProducts": None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": None,
        "imageId": facts.image_id,
        "instanceId": facts.instance_id,
        "instanceType": facts.instance_type,
        "kernelId": None,
        "pendingTime": f"{facts.launched:%Y-%m-%dT%H:%M:%SZ}",
        "privateIp": facts.cards[0].addresses[0].private,
        "ramdiskId": None,
        "region": facts.region,
        "version": "2017-09-30",
    }
    return json.dumps(document, indent=2)
