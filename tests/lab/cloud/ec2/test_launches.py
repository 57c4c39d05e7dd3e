"""Launches: what is refused, what automatic addresses avoid, what an instance looks like."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from lab.cloud.catalogue import STOCK_IMAGE_ID
from lab.cloud.corrections.images import DEBIAN_OWNER, LAB_IMAGE_ID, LAB_IMAGE_NAME
from tests.lab.cloud.conftest import World, interface_of, refused
from tests.lab.cloud.ec2.conftest import LabCloud

pytestmark = pytest.mark.cloud


def launch(world: World, **options: Any) -> Any:
    given = {
        "ImageId": LAB_IMAGE_ID,
        "InstanceType": "t3.micro",
        "SubnetId": world.subnet,
        "MinCount": 1,
        "MaxCount": 1,
    }
    return world.ec2.run_instances(**(given | options))


def instances(world: World) -> list[Any]:
    return [each for one in world.ec2.describe_instances()["Reservations"] for each in one["Instances"]]


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
        ({"ImageId": "debian"}, "InvalidAMIID.Malformed"),
        ({"InstanceType": "t3.enormous"}, "InvalidParameterValue"),
        ({"InstanceType": "t4g.micro"}, "InvalidParameterValue"),
        ({"PrivateIpAddress": "10.0.0.1"}, "InvalidParameterValue"),
        ({"PrivateIpAddress": "10.0.0.255"}, "InvalidParameterValue"),
        ({"PrivateIpAddress": "10.0.1.7"}, "InvalidParameterValue"),
        ({"PrivateIpAddress": "10.0.0.36"}, "InvalidIPAddress.InUse"),
        ({"PrivateIpAddress": "10.0.0.100"}, "InvalidIPAddress.InUse"),
        ({"SubnetId": "subnet-00000000000000000"}, "InvalidSubnetID.NotFound"),
        ({"SecurityGroupIds": ["sg-00000000000000000"]}, "InvalidGroup.NotFound"),
        ({"UserData": "x" * 16385}, "InvalidParameterValue"),
        ({"PrivateIpAddress": "10.0.0.40", "MinCount": 2, "MaxCount": 2}, "InvalidParameterCombination"),
    ],
    ids=str,
)
def test_a_refused_launch_leaves_nothing(world: World, options: dict[str, Any], code: str) -> None:
    interface = interface_of(world.launch("10.0.0.36"))
    world.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.0.100"])
    with refused(code):
        launch(world, **options)
    assert len(instances(world)) == 1
    assert len(world.ec2.describe_network_interfaces()["NetworkInterfaces"]) == 1


def test_the_largest_user_data_comes_back_as_it_was(world: World) -> None:
    text = "#!/bin/sh\n" + "x" * (16 * 1024 - 10)
    instance = world.launch(UserData=text)
    shown = world.ec2.describe_instance_attribute(InstanceId=instance["InstanceId"], Attribute="userData")
    assert base64.b64decode(shown["UserData"]["Value"]).decode() == text


def test_automatic_addresses_avoid_what_is_taken_or_reserved(world: World) -> None:
    interface = interface_of(world.launch("10.0.0.4"))
    world.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.0.5"])
    world.ec2.create_subnet_cidr_reservation(SubnetId=world.subnet, Cidr="10.0.0.6/32", ReservationType="explicit")
    assert world.launch()["PrivateIpAddress"] == "10.0.0.7"
    assert world.launch("10.0.0.6")["PrivateIpAddress"] == "10.0.0.6"  # explicit: whoever asks may have it


def test_an_instance_and_its_interface_agree(world: World) -> None:
    instance = world.launch("10.0.0.36")
    interface = world.interface(interface_of(instance))
    assert instance["PrivateDnsName"] == interface["PrivateDnsName"] == "ip-10-0-0-36.ec2.internal"
    assert [group["GroupId"] for group in instance["SecurityGroups"]] == [world.group]
    assert [group["GroupId"] for group in interface["Groups"]] == [world.group]
    assert instance["SourceDestCheck"] is interface["SourceDestCheck"] is True
    assert interface["Attachment"]["DeleteOnTermination"] is True
    world.ec2.modify_instance_attribute(InstanceId=instance["InstanceId"], SourceDestCheck={"Value": False})
    shown = world.instance(instance["InstanceId"])
    assert shown["SourceDestCheck"] is shown["NetworkInterfaces"][0]["SourceDestCheck"] is False
    assert world.interface(interface_of(instance))["SourceDestCheck"] is False
    world.ec2.modify_network_interface_attribute(
        NetworkInterfaceId=interface_of(instance), SourceDestCheck={"Value": True}
    )
    assert world.instance(instance["InstanceId"])["SourceDestCheck"] is True


def test_groups_may_be_changed(world: World) -> None:
    instance = world.launch()
    other = world.ec2.create_security_group(GroupName="other", Description="other", VpcId=world.vpc)["GroupId"]
    world.ec2.modify_instance_attribute(InstanceId=instance["InstanceId"], Groups=[other])
    shown = world.instance(instance["InstanceId"])
    assert [group["GroupId"] for group in shown["SecurityGroups"]] == [other]
    assert [group["GroupId"] for group in world.interface(interface_of(instance))["Groups"]] == [other]


def test_a_group_of_another_vpc_is_refused(world: World) -> None:
    vpc = world.ec2.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
    foreign = world.ec2.create_security_group(GroupName="foreign", Description="foreign", VpcId=vpc)["GroupId"]
    with refused("InvalidGroup.NotFound", foreign):
        launch(world, SecurityGroupIds=[foreign])


def test_metadata_options_change_one_by_one(world: World) -> None:
    options = {"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "InstanceMetadataTags": "enabled"}
    instance = world.launch(MetadataOptions=options)
    assert options.items() <= instance["MetadataOptions"].items()
    world.ec2.modify_instance_metadata_options(InstanceId=instance["InstanceId"], HttpPutResponseHopLimit=2)
    changed = options | {"HttpPutResponseHopLimit": 2}
    assert changed.items() <= world.instance(instance["InstanceId"])["MetadataOptions"].items()


def test_tag_keys_that_cannot_stand_in_metadata(world: World) -> None:
    tags = [{"ResourceType": "instance", "Tags": [{"Key": "two words", "Value": "x"}]}]
    with refused("InvalidParameterValue", "two words"):
        launch(world, MetadataOptions={"InstanceMetadataTags": "enabled"}, TagSpecifications=tags)
    instance = world.launch(TagSpecifications=tags)["InstanceId"]
    with refused("InvalidParameterValue", "two words"):
        world.ec2.modify_instance_metadata_options(InstanceId=instance, InstanceMetadataTags="enabled")
    shown = world.launch(MetadataOptions={"InstanceMetadataTags": "enabled"})["InstanceId"]
    with refused("InvalidParameterValue", "a/b"):
        world.ec2.create_tags(Resources=[shown], Tags=[{"Key": "a/b", "Value": "x"}])


def test_a_root_disk_without_a_size_is_the_images(world: World) -> None:
    mapping = {"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True, "VolumeType": "gp3"}}
    instance = world.launch(BlockDeviceMappings=[mapping])
    assert instance["RootDeviceName"] == "/dev/xvda"
    disk = instance["BlockDeviceMappings"][0]["Ebs"]
    assert disk["DeleteOnTermination"] is True
    volume = world.ec2.describe_volumes(VolumeIds=[disk["VolumeId"]])["Volumes"][0]
    assert (volume["Size"], volume["Encrypted"], volume["VolumeType"]) == (8, True, "gp3")


def test_the_same_client_token_launches_once(world: World) -> None:
    disk = [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeType": "gp3"}}]
    first, again = (launch(world, ClientToken="token", BlockDeviceMappings=disk) for _ in range(2))
    assert first["Instances"][0]["InstanceId"] == again["Instances"][0]["InstanceId"]
    assert len(instances(world)) == 1


def test_the_catalogue(world: World, lab_cloud: LabCloud) -> None:
    found = world.ec2.describe_images(
        Owners=[DEBIAN_OWNER], Filters=[{"Name": "name", "Values": ["debian-13-amd64-*"]}]
    )["Images"]
    assert {each["ImageId"] for each in found} == {LAB_IMAGE_ID, STOCK_IMAGE_ID}
    # What the program's look-up takes: the newest, which boots quickly.
    newest = max(found, key=lambda each: str(each["CreationDate"]))
    assert (newest["ImageId"], newest["Name"], newest["State"]) == (LAB_IMAGE_ID, LAB_IMAGE_NAME, "available")
    assert found[0]["BlockDeviceMappings"][0]["DeviceName"] == found[0]["RootDeviceName"] == "/dev/xvda"
    with refused("InvalidAMIID.NotFound"):
        world.ec2.describe_images(ImageIds=["ami-0123456789abcdef0"])
    types = world.ec2.describe_instance_types(InstanceTypes=["t3.micro"])["InstanceTypes"]
    assert types[0]["NetworkInfo"]["Ipv4AddressesPerInterface"] == 2


def test_a_profile_must_be_there(world: World, lab_cloud: LabCloud) -> None:
    with refused("InvalidParameterValue", "no-such-profile"):
        launch(world, IamInstanceProfile={"Name": "no-such-profile"})
    lab_cloud.client("iam").create_instance_profile(InstanceProfileName="directors")
    instance = world.launch(IamInstanceProfile={"Name": "directors"})
    assert instance["IamInstanceProfile"]["Arn"].endswith(":instance-profile/directors")


def test_a_subnet_without_a_zone_is_in_the_first_one(world: World) -> None:
    made = [world.ec2.create_subnet(VpcId=world.vpc, CidrBlock=f"10.0.{n}.0/24")["Subnet"] for n in range(1, 9)]
    assert {subnet["AvailabilityZone"] for subnet in made} == {"us-east-1a"}


def test_a_launch_that_fails_half_way_leaves_nothing(world: World) -> None:
    small = world.ec2.create_subnet(VpcId=world.vpc, CidrBlock="10.0.9.0/28")["Subnet"]["SubnetId"]
    with refused("InsufficientFreeAddressesInSubnet"):  # a /28 has 16 addresses, and 5 are AWS's
        launch(world, SubnetId=small, MinCount=12, MaxCount=12)
    assert instances(world) == []
    assert world.ec2.describe_network_interfaces()["NetworkInterfaces"] == []
    assert world.ec2.describe_volumes()["Volumes"] == []
    assert len(launch(world, SubnetId=small, MinCount=11, MaxCount=11)["Instances"]) == 11


def test_a_token_with_another_request_and_after_the_end(world: World) -> None:
    instance = launch(world, ClientToken="token")["Instances"][0]["InstanceId"]
    with refused("IdempotentParameterMismatch"):
        launch(world, ClientToken="token", InstanceType="t3.small")
    world.end(instance)
    with refused("IdempotentInstanceTerminated"):
        launch(world, ClientToken="token")
    assert len(instances(world)) == 1


def test_a_refused_launch_does_not_use_its_token_up(world: World) -> None:
    with refused("InvalidAMIID.NotFound"):
        launch(world, ClientToken="token", ImageId="ami-00000000")
    launch(world, ClientToken="token")


def test_as_many_as_there_is_room_for(world: World) -> None:
    small = world.ec2.create_subnet(VpcId=world.vpc, CidrBlock="10.0.9.0/28")["Subnet"]["SubnetId"]
    assert len(launch(world, MinCount=1, MaxCount=3)["Instances"]) == 3
    assert len(launch(world, SubnetId=small, MinCount=2, MaxCount=20)["Instances"]) == 11
    for least, most in ((0, 1), (2, 1)):
        with refused("InvalidParameterValue", "minCount"):
            launch(world, MinCount=least, MaxCount=most)


def test_all_of_a_launch_have_the_profile(world: World, lab_cloud: LabCloud) -> None:
    lab_cloud.client("iam").create_instance_profile(InstanceProfileName="directors")
    made = launch(world, MinCount=2, MaxCount=2, IamInstanceProfile={"Name": "directors"})["Instances"]
    for each in made:
        shown = world.instance(each["InstanceId"])
        assert shown["IamInstanceProfile"]["Arn"].endswith(":instance-profile/directors")


def test_addresses_of_an_interface_at_launch(world: World) -> None:
    nic: dict[str, Any] = {"DeviceIndex": 0, "SubnetId": world.subnet, "Groups": [world.group]}
    named = {
        "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.36", "Primary": True}, {"PrivateIpAddress": "10.0.0.100"}]
    }

    def start(**more: Any) -> Any:
        request = {"ImageId": LAB_IMAGE_ID, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
        return world.ec2.run_instances(**request, NetworkInterfaces=[nic | more])["Instances"][0]

    assert world.addresses(interface_of(start(**named))) == ["10.0.0.36", "10.0.0.100"]
    assert len(world.addresses(interface_of(start(SecondaryPrivateIpAddressCount=1)))) == 2
    with refused("InvalidInterface.IpAddressLimitExceeded"):
        start(SecondaryPrivateIpAddressCount=2)
    taken = {
        "PrivateIpAddresses": [{"PrivateIpAddress": "10.0.0.37", "Primary": True}, {"PrivateIpAddress": "10.0.0.100"}]
    }
    with refused("InvalidIPAddress.InUse", "10.0.0.100"):
        start(**taken)
    assert len(instances(world)) == 2


def test_interfaces_at_launch(world: World) -> None:
    made = world.ec2.create_network_interface(SubnetId=world.subnet, PrivateIpAddress="10.0.0.200")
    spare = made["NetworkInterface"]["NetworkInterfaceId"]
    card = {"DeviceIndex": 0, "SubnetId": world.subnet}

    def start(*nics: dict[str, Any], **more: Any) -> Any:
        request = {"ImageId": LAB_IMAGE_ID, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1} | more
        return world.ec2.run_instances(**request, NetworkInterfaces=list(nics))["Instances"][0]

    with refused("InvalidParameterCombination", "instance-level private IP address"):
        start(card, PrivateIpAddress="10.0.0.36")
    with refused("InvalidParameterCombination", "instance-level security groups"):
        start(card, SecurityGroupIds=[world.group])
    with refused("MissingParameter", "device index"):
        start({"SubnetId": world.subnet})
    with refused("InvalidParameterValue", "unique device index"):
        start(card, card)
    with refused("InvalidParameterValue", "device index 0"):
        start({"DeviceIndex": 1, "SubnetId": world.subnet})
    with refused("AttachmentLimitExceeded", "Interface count 3 exceeds the limit for t3.micro"):
        start(card, card | {"DeviceIndex": 1}, card | {"DeviceIndex": 2})
    with refused("InvalidParameterCombination"):
        start({"DeviceIndex": 0, "NetworkInterfaceId": spare}, MinCount=2, MaxCount=2)
    instance = start(card, {"DeviceIndex": 1, "NetworkInterfaceId": spare})
    assert world.interface(spare)["Attachment"]["InstanceId"] == instance["InstanceId"]
    with refused("InvalidNetworkInterface.InUse", spare):
        start({"DeviceIndex": 0, "NetworkInterfaceId": spare})


def test_a_refused_launch_lets_go_of_the_interface_it_was_given(world: World) -> None:
    spare = world.ec2.create_network_interface(SubnetId=world.subnet)["NetworkInterface"]["NetworkInterfaceId"]
    world.launch("10.0.0.36")
    request = {"ImageId": LAB_IMAGE_ID, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    with refused("InvalidIPAddress.InUse"):
        world.ec2.run_instances(
            **request,
            NetworkInterfaces=[
                {"DeviceIndex": 0, "NetworkInterfaceId": spare},
                {"DeviceIndex": 1, "SubnetId": world.subnet, "PrivateIpAddress": "10.0.0.36"},
            ],
        )
    assert world.interface(spare)["Status"] == "available"


def test_names_of_keys_and_groups(world: World) -> None:
    with refused("InvalidKeyPair.NotFound", "nobody"):
        launch(world, KeyName="nobody")
    with refused("InvalidParameterCombination", "groupName"):
        launch(world, SecurityGroups=["directors"])
    request = {"ImageId": LAB_IMAGE_ID, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    with refused("InvalidGroup.NotFound", "nobody"):
        world.ec2.run_instances(**request, SecurityGroups=["nobody"])
    made = world.ec2.run_instances(**request, SecurityGroups=["default"])["Instances"][0]
    assert [group["GroupName"] for group in made["SecurityGroups"]] == ["default"]


@pytest.mark.parametrize("limit", [0, 65])
def test_a_hop_limit_that_cannot_be(world: World, limit: int) -> None:
    with refused("InvalidParameterValue", "HttpPutResponseHopLimit"):
        launch(world, MetadataOptions={"HttpPutResponseHopLimit": limit})


def test_metadata_options_that_cannot_be(world: World) -> None:
    for wrong in ({"HttpTokens": "maybe"}, {"HttpEndpoint": "open"}, {"InstanceMetadataTags": "some"}):
        with refused("InvalidParameterValue"):
            launch(world, MetadataOptions=wrong)
    assert instances(world) == []


def test_the_root_disk_has_the_images_name(world: World) -> None:
    instance = world.launch()
    assert [each["DeviceName"] for each in instance["BlockDeviceMappings"]] == [instance["RootDeviceName"]]
