"""The tree of instance metadata: pure. Facts of an instance in, nested directories and leaves out.

Source of the tree: EC2 user guide, "Instance metadata categories"; its least is what cloud-init's Ec2 datasource
crawls. That crawl asks for every leaf that is listed, and one that answers 404 costs it all metadata: nothing is
listed in vain.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from lab.fabric.model import Address
from lab.names import internal_name, public_name

# Oldest first: those in which a category came, and those cloud-init asks for. What came later is not in an older one.
VERSIONS = (
    *("1.0", "2007-01-19", "2007-08-29", "2007-12-15", "2008-02-01", "2008-09-01", "2009-04-04", "2011-01-01"),
    *("2012-01-12", "2014-02-25", "2015-10-20", "2016-06-30", "2016-09-02", "2018-08-17", "2018-09-24", "2019-10-01"),
    *("2020-08-24", "2021-03-23", "latest"),
)

Leaf: TypeAlias = str | bytes | Callable[[], str]
Tree: TypeAlias = Mapping[str, "Tree | Leaf"]


@dataclass(frozen=True, kw_only=True)
class NetworkCard:
    """An interface as its instance's metadata shows it; `addresses` are what the network knows of, primary first.

    `public_names` is whether its VPC gives names to public addresses (the attribute enableDnsHostnames).
    """

    interface_id: str
    mac: str
    device_number: int
    addresses: tuple[Address, ...]
    security_groups: tuple[tuple[str, str], ...]
    subnet_id: str
    subnet_cidr: str
    vpc_id: str
    vpc_cidrs: tuple[str, ...]
    public_names: bool


@dataclass(frozen=True, kw_only=True)
class InstanceFacts:
    """Everything an instance can learn of itself. `tags` is None where metadata must not show them.

    `role` is the name of the role of its instance profile; `credentials` makes the document of its credentials, called
    when it is asked for. `key` is the name and the public half of its key pair; `disks` are the devices of its volumes,
    the root's first.
    """

    instance_id: str
    account_id: str
    region: str
    availability_zone: str
    availability_zone_id: str
    image_id: str
    instance_type: str
    reservation_id: str
    launch_index: int
    launched: datetime
    architecture: str
    cards: tuple[NetworkCard, ...]
    disks: tuple[str, ...]
    monitored: bool
    key: tuple[str, str] | None
    user_data: bytes | None
    tags: Mapping[str, str] | None
    profile_arn: str | None
    profile_id: str | None
    role: str | None
    credentials: Callable[[], str]
    tokens_required: bool
    enabled: bool


@dataclass(frozen=True, kw_only=True)
class Category:
    """A leaf of the metadata: where it is, and the version it came with (EC2 user guide, "Version when ...")."""

    path: str
    since: str = "1.0"
    content: Leaf


def resolve(facts: InstanceFacts, path: str) -> bytes | None:
    """What an instance reads at a path: a leaf's bytes, a directory's listing, None for nothing.

    In a listing directories end in "/", but for versions and what is in them. A directory of a name that says more,
    such as `0=key`, is found by what is before the "=".
    """
    parts = [part for part in path.split("/") if part]
    if not parts:
        return "\n".join(VERSIONS).encode()
    version, *rest = parts
    if version not in VERSIONS:
        return None
    here: Tree | Leaf = _tree(each for each in _categories(facts) if version == "latest" or each.since <= version)
    for part in rest:
        if not isinstance(here, Mapping):
            return None
        known = {name.partition("=")[0] if isinstance(node, Mapping) else name: node for name, node in here.items()}
        if part not in known:
            return None
        here = known[part]
    if isinstance(here, Mapping):
        return "\n".join(_listed(name, node, top=not rest) for name, node in sorted(here.items())).encode()
    content = here() if callable(here) else here
    return content if isinstance(content, bytes) else content.encode()


def _listed(name: str, node: Tree | Leaf, *, top: bool) -> str:
    return f"{name}/" if isinstance(node, Mapping) and not top and "=" not in name else name


def _tree(categories: Iterable[Category]) -> Tree:
    root: dict[str, Any] = {}
    for category in categories:
        *directories, name = category.path.split("/")
        here = root
        for directory in directories:
            here = here.setdefault(directory, {})
        here[name] = category.content
    return root


def _categories(facts: InstanceFacts) -> Iterator[Category]:
    for path, since, content in (*_meta_data(facts), *_of_the_cards(facts)):
        yield Category(path=f"meta-data/{path}", since=since, content=content)
    yield Category(path="dynamic/instance-identity/document", since="2009-04-04", content=_identity(facts))
    monitoring = "enabled" if facts.monitored else "disabled"
    yield Category(path="dynamic/fws/instance-monitoring", since="2009-04-04", content=monitoring)
    if facts.user_data is not None:
        yield Category(path="user-data", content=facts.user_data)


def _meta_data(facts: InstanceFacts) -> Iterator[tuple[str, str, Leaf]]:
    """Paths under meta-data, with the version each came with."""
    primary = facts.cards[0]
    address = primary.addresses[0]
    name = internal_name(address.private, facts.region)
    yield "ami-id", "1.0", facts.image_id
    yield "ami-launch-index", "1.0", str(facts.launch_index)
    yield "ami-manifest-path", "1.0", "(unknown)"
    yield "block-device-mapping/ami", "2007-12-15", facts.disks[0].removeprefix("/dev/")
    yield "block-device-mapping/root", "2007-12-15", facts.disks[0]
    for number, device in enumerate(facts.disks[1:], start=1):
        yield f"block-device-mapping/ebs{number}", "2007-12-15", device.removeprefix("/dev/")
    yield "events/maintenance/history", "2018-08-17", "[]"
    yield "events/maintenance/scheduled", "2018-08-17", "[]"
    yield "hostname", "1.0", name
    yield "instance-action", "2008-09-01", "none"
    yield "instance-id", "1.0", facts.instance_id
    yield "instance-life-cycle", "2019-10-01", "on-demand"
    yield "instance-type", "2007-08-29", facts.instance_type
    yield "local-hostname", "2007-01-19", name
    yield "local-ipv4", "1.0", address.private
    yield "mac", "2011-01-01", primary.mac
    yield "placement/availability-zone", "2008-02-01", facts.availability_zone
    yield "placement/availability-zone-id", "2019-10-01", facts.availability_zone_id
    yield "placement/region", "2020-08-24", facts.region
    yield "profile", "1.0", "default-hvm"
    yield "reservation-id", "1.0", facts.reservation_id
    yield "security-groups", "1.0", "\n".join(group for _, group in primary.security_groups)
    yield "services/domain", "2014-02-25", "amazonaws.com"
    yield "services/partition", "2015-10-20", "aws"
    if address.public:
        yield "public-ipv4", "2007-01-19", address.public
    if address.public and primary.public_names:
        yield "public-hostname", "2007-01-19", public_name(address.public, facts.region)
    if facts.key:
        yield f"public-keys/0={facts.key[0]}/openssh-key", "1.0", facts.key[1]
    if facts.role:
        yield "iam/info", "2012-01-12", _iam_info(facts)
        yield f"iam/security-credentials/{facts.role}", "2012-01-12", facts.credentials
    for key, value in (facts.tags or {}).items():
        yield f"tags/instance/{key}", "2021-03-23", value


def _of_the_cards(facts: InstanceFacts) -> Iterator[tuple[str, str, Leaf]]:
    for card in facts.cards:
        for name, content in _card(card, facts):
            since = "2016-06-30" if name == "vpc-ipv4-cidr-blocks" else "2011-01-01"
            yield f"network/interfaces/macs/{card.mac}/{name}", since, content


def _card(card: NetworkCard, facts: InstanceFacts) -> Iterator[tuple[str, Leaf]]:
    primary = card.addresses[0]
    yield "device-number", str(card.device_number)
    yield "interface-id", card.interface_id
    yield "local-hostname", internal_name(primary.private, facts.region)
    yield "local-ipv4s", "\n".join(address.private for address in card.addresses)
    yield "mac", card.mac
    yield "owner-id", facts.account_id
    yield "security-group-ids", "\n".join(group for group, _ in card.security_groups)
    yield "security-groups", "\n".join(name for _, name in card.security_groups)
    yield "subnet-id", card.subnet_id
    yield "subnet-ipv4-cidr-block", card.subnet_cidr
    yield "vpc-id", card.vpc_id
    yield "vpc-ipv4-cidr-block", card.vpc_cidrs[0]
    yield "vpc-ipv4-cidr-blocks", "\n".join(card.vpc_cidrs)
    public = {address.public: address.private for address in card.addresses if address.public}
    for elastic_ip, private in public.items():
        yield f"ipv4-associations/{elastic_ip}", private
    if public:
        yield "public-ipv4s", "\n".join(public)
    if primary.public and card.public_names:
        yield "public-hostname", public_name(primary.public, facts.region)


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
