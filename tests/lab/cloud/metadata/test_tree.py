"""The tree of instance metadata: what is in it, and that it is live."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from lab.cloud.corrections.images import LAB_IMAGE_ID
from lab.cloud.metadata import VERSIONS
from tests.lab.cloud.conftest import World, interface_of
from tests.lab.cloud.metadata.conftest import USER_DATA, Machine

pytestmark = pytest.mark.cloud


def crawl(machine: Machine, path: str) -> Iterator[tuple[str, Response]]:
    """Every leaf, as cloud-init asks for them: an entry that ends in a slash is a directory."""
    listing = machine.get(path)
    assert listing.status_code == 200, path
    for entry in listing.text.split("\n"):
        if entry.endswith("/"):
            yield from crawl(machine, path + entry)
        else:
            yield path + entry, machine.get(path + entry)


@pytest.mark.parametrize("version", ["2009-04-04", "2016-09-02", "2018-09-24", "2021-03-23", "latest"])
def test_no_leaf_is_listed_in_vain(director: Machine, web: Machine, version: str) -> None:
    for machine in (director, web):
        for directory in ("meta-data/", "dynamic/instance-identity/"):
            leaves = dict(crawl(machine, f"/{version}/{directory}"))
            assert leaves
            assert {path: answer.status_code for path, answer in leaves.items() if answer.status_code != 200} == {}
            assert all(answer.data for answer in leaves.values())


def test_what_an_instance_learns_of_itself(director: Machine, world: World) -> None:
    instance = world.ec2.describe_instances()["Reservations"][0]["Instances"][0]
    expected = {
        "instance-id": instance["InstanceId"],
        "ami-id": instance["ImageId"],
        "instance-type": "t3.micro",
        "local-ipv4": "10.0.0.36",
        "local-hostname": "ip-10-0-0-36.ec2.internal",
        "hostname": "ip-10-0-0-36.ec2.internal",
        "placement/availability-zone": "us-east-1a",
        "placement/region": "us-east-1",
        "security-groups": "directors",
        "services/domain": "amazonaws.com",
        "tags/instance/ElasticIpAllocationId": "eipalloc-1",
        "tags/instance/Name": "lvs-local-director-1",
    }
    assert {path: director.text(f"/latest/meta-data/{path}") for path in expected} == expected
    document = json.loads(director.text("/latest/dynamic/instance-identity/document"))
    assert document["instanceId"] == instance["InstanceId"]
    assert (document["region"], document["privateIp"]) == ("us-east-1", "10.0.0.36")


def test_the_interface_is_live(director: Machine, world: World) -> None:
    interface = interface_of(world.ec2.describe_instances()["Reservations"][0]["Instances"][0])
    mac = world.interface(interface)["MacAddress"]
    here = f"/latest/meta-data/network/interfaces/macs/{mac}"
    assert director.text("/latest/meta-data/mac") == mac
    assert director.text("/latest/meta-data/network/interfaces/macs/") == f"{mac}/"
    assert director.text(f"{here}/interface-id") == interface
    assert director.text(f"{here}/subnet-ipv4-cidr-block") == "10.0.0.0/24"
    assert director.text(f"{here}/local-ipv4s") == "10.0.0.36"
    assert director.get(f"{here}/ipv4-associations/").status_code == 404
    world.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.0.100"])
    service = world.ec2.allocate_address(Domain="vpc")
    world.ec2.associate_address(
        AllocationId=service["AllocationId"], NetworkInterfaceId=interface, PrivateIpAddress="10.0.0.100"
    )
    assert director.text(f"{here}/local-ipv4s") == "10.0.0.36\n10.0.0.100"
    assert director.text(f"{here}/ipv4-associations/") == service["PublicIp"]
    assert director.text(f"{here}/ipv4-associations/{service['PublicIp']}") == "10.0.0.100"
    assert director.get("/latest/meta-data/public-ipv4").status_code == 404  # that would be the primary's


def test_user_data_is_the_very_bytes(director: Machine, web: Machine) -> None:
    assert director.get("/latest/user-data").data == USER_DATA
    assert director.get("/2009-04-04/user-data").data == USER_DATA
    assert web.get("/latest/user-data").status_code == 404


def test_tags_only_when_shown(director: Machine, web: Machine, world: World) -> None:
    assert web.get("/latest/meta-data/tags/").status_code == 404
    assert "tags/" not in web.text("/latest/meta-data/")
    assert director.get("/2018-09-24/meta-data/tags/").status_code == 404  # they came in 2021
    instance = director.text("/latest/meta-data/instance-id")
    world.ec2.create_tags(Resources=[instance], Tags=[{"Key": "Later", "Value": "too"}])
    assert director.text("/latest/meta-data/tags/instance/Later") == "too"


def test_listings(director: Machine) -> None:
    """Versions and what is in them without a slash, directories below with one (EC2 user guide)."""
    assert director.text("/").split("\n") == list(VERSIONS)
    assert director.text("/latest").split("\n") == director.text("/latest/").split("\n")
    assert director.text("/latest/").split("\n") == ["dynamic", "meta-data", "user-data"]
    listed = director.text("/latest/meta-data/").split("\n")
    assert {"iam/", "network/", "placement/", "block-device-mapping/", "instance-id"} <= set(listed)
    assert not [entry for entry in listed if entry.startswith(("public-keys", "ipv6", "spot", "product-codes"))]


@pytest.mark.parametrize(
    ("path", "before", "since"),
    [
        ("meta-data/placement/region", "2019-10-01", "2020-08-24"),
        ("meta-data/tags/instance/Name", "2020-08-24", "2021-03-23"),
        ("meta-data/iam/info", "2011-01-01", "2012-01-12"),
        ("meta-data/network/interfaces/", "2009-04-04", "2011-01-01"),
        ("meta-data/instance-life-cycle", "2018-09-24", "2019-10-01"),
        ("dynamic/instance-identity/document", "2008-09-01", "2009-04-04"),
    ],
)
def test_a_category_is_there_from_its_version_on(director: Machine, path: str, before: str, since: str) -> None:
    assert director.get(f"/{before}/{path}").status_code == 404
    assert director.get(f"/{since}/{path}").status_code == 200


def test_every_category_of_an_interface(director: Machine, world: World) -> None:
    instance = world.ec2.describe_instances()["Reservations"][0]["Instances"][0]
    interface = world.interface(interface_of(instance))
    expected = {
        "device-number": "0",
        "interface-id": interface["NetworkInterfaceId"],
        "local-hostname": "ip-10-0-0-36.ec2.internal",
        "local-ipv4s": "10.0.0.36",
        "mac": interface["MacAddress"],
        "owner-id": "123456789012",
        "security-group-ids": world.group,
        "security-groups": "directors",
        "subnet-id": world.subnet,
        "subnet-ipv4-cidr-block": "10.0.0.0/24",
        "vpc-id": world.vpc,
        "vpc-ipv4-cidr-block": "10.0.0.0/16",
        "vpc-ipv4-cidr-blocks": "10.0.0.0/16",
    }
    here = f"/latest/meta-data/network/interfaces/macs/{interface['MacAddress']}/"
    assert director.text(here).split("\n") == sorted(expected)
    assert {name: director.text(here + name) for name in expected} == expected


def test_the_rest_of_the_tree(director: Machine, world: World) -> None:
    instance = world.ec2.describe_instances()["Reservations"][0]
    expected = {
        "meta-data/ami-launch-index": "0",
        "meta-data/ami-manifest-path": "(unknown)",
        "meta-data/block-device-mapping/": "ami\nroot",
        "meta-data/block-device-mapping/ami": "xvda",
        "meta-data/block-device-mapping/root": "/dev/xvda",
        "meta-data/events/maintenance/scheduled": "[]",
        "meta-data/instance-action": "none",
        "meta-data/instance-life-cycle": "on-demand",
        "meta-data/placement/availability-zone-id": "use1-az6",
        "meta-data/profile": "default-hvm",
        "meta-data/reservation-id": instance["ReservationId"],
        "meta-data/services/partition": "aws",
        "dynamic/fws/instance-monitoring": "disabled",
    }
    assert {path: director.text(f"/latest/{path}") for path in expected} == expected
    document = json.loads(director.text("/latest/dynamic/instance-identity/document"))
    assert document == {
        "accountId": "123456789012",
        "architecture": "x86_64",
        "availabilityZone": "us-east-1a",
        "billingProducts": None,
        "devpayProductCodes": None,
        "marketplaceProductCodes": None,
        "imageId": LAB_IMAGE_ID,
        "instanceId": instance["Instances"][0]["InstanceId"],
        "instanceType": "t3.micro",
        "kernelId": None,
        "pendingTime": f"{instance['Instances'][0]['LaunchTime']:%Y-%m-%dT%H:%M:%SZ}",
        "privateIp": "10.0.0.36",
        "ramdiskId": None,
        "region": "us-east-1",
        "version": "2017-09-30",
    }


def test_the_key_of_the_launch(world: World, http: Client) -> None:
    world.ec2.create_key_pair(KeyName="me")
    world.launch("10.0.0.36", KeyName="me")
    machine = Machine(http=http, address="10.0.0.36")
    assert machine.text("/latest/meta-data/public-keys/") == "0=me"
    assert machine.text("/latest/meta-data/public-keys/0/") == "openssh-key"
    assert machine.text("/latest/meta-data/public-keys/0/openssh-key").startswith("ssh-rsa ")


def test_a_public_address_has_a_name_where_the_vpc_gives_names(director: Machine, world: World) -> None:
    interface = interface_of(world.ec2.describe_instances()["Reservations"][0]["Instances"][0])
    allocation = world.ec2.allocate_address(Domain="vpc")
    world.ec2.associate_address(AllocationId=allocation["AllocationId"], NetworkInterfaceId=interface)
    assert director.text("/latest/meta-data/public-ipv4") == allocation["PublicIp"]
    assert director.get("/latest/meta-data/public-hostname").status_code == 404
    world.ec2.modify_vpc_attribute(VpcId=world.vpc, EnableDnsHostnames={"Value": True})
    name = f"ec2-{allocation['PublicIp'].replace('.', '-')}.compute-1.amazonaws.com"
    assert director.text("/latest/meta-data/public-hostname") == name


def test_each_interface_has_its_own_directory(director: Machine, world: World) -> None:
    instance = world.ec2.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    spare = world.ec2.create_network_interface(SubnetId=world.subnet, PrivateIpAddress="10.0.0.200")
    interface = spare["NetworkInterface"]
    attached = {"NetworkInterfaceId": interface["NetworkInterfaceId"], "InstanceId": instance}
    attachment = world.ec2.attach_network_interface(**attached, DeviceIndex=1)["AttachmentId"]
    macs = "/latest/meta-data/network/interfaces/macs/"
    assert len(director.text(macs).split("\n")) == 2
    assert director.text(f"{macs}{interface['MacAddress']}/device-number") == "1"
    assert director.text(f"{macs}{interface['MacAddress']}/local-ipv4s") == "10.0.0.200"
    world.ec2.detach_network_interface(AttachmentId=attachment)
    assert director.get(f"{macs}{interface['MacAddress']}/device-number").status_code == 404


def test_changes_of_groups_and_tags_are_seen(director: Machine, world: World) -> None:
    instance = world.ec2.describe_instances()["Reservations"][0]["Instances"][0]["InstanceId"]
    other = world.ec2.create_security_group(GroupName="other", Description="other", VpcId=world.vpc)["GroupId"]
    world.ec2.modify_instance_attribute(InstanceId=instance, Groups=[other])
    assert director.text("/latest/meta-data/security-groups") == "other"
    world.ec2.delete_tags(Resources=[instance], Tags=[{"Key": "Name"}])
    assert director.get("/latest/meta-data/tags/instance/Name").status_code == 404
    world.ec2.create_tags(Resources=[instance], Tags=[{"Key": "a=b", "Value": "c"}])
    assert director.text("/latest/meta-data/tags/instance/a=b") == "c"
    world.ec2.modify_instance_metadata_options(InstanceId=instance, InstanceMetadataTags="disabled")
    assert director.get("/latest/meta-data/tags/").status_code == 404
