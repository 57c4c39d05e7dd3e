"""What EC2 calls are about: each resource they name has to be allowed."""

from __future__ import annotations

from typing import Any

import pytest

from lab.cloud.corrections.images import LAB_IMAGE_ID
from tests.lab.cloud.authorization.conftest import ASSIGN, ASSOCIATE, Caller, Callers, allow
from tests.lab.cloud.authorization.scene import (
    HERE,
    TAG,
    UDP,
    Call,
    Scene,
    assign_raw,
    launch,
    modify,
    permitted,
)
from tests.lab.cloud.conftest import refused

pytestmark = pytest.mark.cloud


@pytest.mark.parametrize("how", ["AllocationId", "PublicIp"])
def test_associate_is_about_what_the_request_names(scene: Scene, caller: Caller, how: str) -> None:
    elastic_ip = {how: scene.ids["eip-service" if how == "AllocationId" else "public"], "DryRun": True}
    for holder in ("eni", "i"):
        ec2 = caller.may(allow(ASSOCIATE, [scene.arn("eip-service"), scene.arn(f"{holder}-a")]))("ec2")
        for parameter, kind in (("NetworkInterfaceId", "eni"), ("InstanceId", "i")):
            own, others = ({parameter: scene.ids[f"{kind}-{which}"]} for which in "ab")
            assert permitted(ec2.associate_address, **elastic_ip, **own) is (holder == kind)
            assert not permitted(ec2.associate_address, **elastic_ip, **others)


def test_disassociate_is_about_both_ends(scene: Scene, caller: Caller) -> None:
    associated = scene.world.ec2.associate_address(
        NetworkInterfaceId=scene.ids["eni-a"], AllocationId=scene.ids["eip-service"]
    )["AssociationId"]
    for resources, allowed in (
        (["eip-service", "eni-a"], True),
        (["eip-service"], False),
        (["eni-a"], False),
        (["eip-other", "eni-a"], False),
    ):
        ec2 = caller.may(allow("ec2:DisassociateAddress", [scene.arn(each) for each in resources]))("ec2")
        for how in ({"AssociationId": associated}, {"PublicIp": scene.ids["public"]}):
            assert permitted(ec2.disassociate_address, **how, DryRun=True) is allowed
    nowhere = caller.may(allow("ec2:DisassociateAddress", f"{HERE}:elastic-ip/*"))("ec2")
    assert not permitted(nowhere.disassociate_address, AssociationId="eipassoc-0123456789abcdef0")


# Calls that are about the resources named, and no other: allowed on all of them, refused when any is left away.
NAMED: dict[str, tuple[Call, str, list[str]]] = {
    "assign": (lambda e, s: assign_raw(e, s), ASSIGN, ["eni-a"]),
    "unassign": (
        lambda e, s: e.unassign_private_ip_addresses(
            NetworkInterfaceId=s.ids["eni-a"], PrivateIpAddresses=["10.0.0.99"]
        ),
        "ec2:UnassignPrivateIpAddresses",
        ["eni-a"],
    ),
    "release": (
        lambda e, s: e.release_address(AllocationId=s.ids["eip-other"]),
        "ec2:ReleaseAddress",
        ["eip-other"],
    ),
    "allocate": (lambda e, s: e.allocate_address(Domain="vpc"), "ec2:AllocateAddress", ["elastic-ip/*"]),
    "source check": (
        lambda e, s: modify(e, s, SourceDestCheck={"Value": False}),
        "ec2:ModifyInstanceAttribute",
        ["i-a"],
    ),
    "groups of an instance": (
        lambda e, s: modify(e, s, Groups=[s.ids["sg"]]),
        "ec2:ModifyInstanceAttribute",
        ["i-a", "sg"],
    ),
    "interface attribute": (
        lambda e, s: e.modify_network_interface_attribute(
            NetworkInterfaceId=s.ids["eni-a"], SourceDestCheck={"Value": True}
        ),
        "ec2:ModifyNetworkInterfaceAttribute",
        ["eni-a"],
    ),
    "metadata options": (
        lambda e, s: e.modify_instance_metadata_options(InstanceId=s.ids["i-a"], HttpTokens="required"),
        "ec2:ModifyInstanceMetadataOptions",
        ["i-a"],
    ),
    "stop several": (
        lambda e, s: e.stop_instances(InstanceIds=[s.ids["i-a"], s.ids["i-b"]]),
        "ec2:StopInstances",
        ["i-a", "i-b"],
    ),
    "reboot": (lambda e, s: e.reboot_instances(InstanceIds=[s.ids["i-a"]]), "ec2:RebootInstances", ["i-a"]),
    "terminate": (
        lambda e, s: e.terminate_instances(InstanceIds=[s.ids["i-b"]]),
        "ec2:TerminateInstances",
        ["i-b"],
    ),
    "create route": (
        lambda e, s: e.create_route(
            RouteTableId=s.ids["route-table"], DestinationCidrBlock="10.9.0.0/16", NetworkInterfaceId=s.ids["eni-a"]
        ),
        "ec2:CreateRoute",
        ["route-table"],
    ),
    "replace route": (
        lambda e, s: e.replace_route(
            RouteTableId=s.ids["route-table"], DestinationCidrBlock="0.0.0.0/0", GatewayId=s.ids["internet-gateway"]
        ),
        "ec2:ReplaceRoute",
        ["route-table"],
    ),
    "associate table": (
        lambda e, s: e.associate_route_table(RouteTableId=s.ids["route-table"], SubnetId=s.ids["subnet"]),
        "ec2:AssociateRouteTable",
        ["route-table", "subnet"],
    ),
    "disassociate table": (
        lambda e, s: e.disassociate_route_table(AssociationId=table_association(s)),
        "ec2:DisassociateRouteTable",
        ["route-table", "subnet"],
    ),
    "new subnet": (
        lambda e, s: e.create_subnet(VpcId=s.ids["vpc"], CidrBlock="10.0.9.0/24"),
        "ec2:CreateSubnet",
        ["subnet/*", "vpc"],
    ),
    "vpc attribute": (
        lambda e, s: e.modify_vpc_attribute(VpcId=s.ids["vpc"], EnableDnsSupport={"Value": True}),
        "ec2:ModifyVpcAttribute",
        ["vpc"],
    ),
    "describe vpc attribute": (
        lambda e, s: e.describe_vpc_attribute(VpcId=s.ids["vpc"], Attribute="enableDnsSupport"),
        "ec2:DescribeVpcAttribute",
        ["vpc"],
    ),
    "detach gateway": (
        lambda e, s: e.detach_internet_gateway(InternetGatewayId=s.ids["internet-gateway"], VpcId=s.ids["vpc"]),
        "ec2:DetachInternetGateway",
        ["internet-gateway", "vpc"],
    ),
    "new group": (
        lambda e, s: e.create_security_group(GroupName="g", Description="g", VpcId=s.ids["vpc"]),
        "ec2:CreateSecurityGroup",
        ["security-group/*", "vpc"],
    ),
    "rule": (
        lambda e, s: e.authorize_security_group_ingress(GroupId=s.ids["sg"], IpPermissions=[UDP]),
        "ec2:AuthorizeSecurityGroupIngress",
        ["sg"],
    ),
    "rule away": (
        lambda e, s: e.revoke_security_group_ingress(GroupId=s.ids["sg"], IpPermissions=[UDP]),
        "ec2:RevokeSecurityGroupIngress",
        ["sg"],
    ),
    "new interface": (
        lambda e, s: e.create_network_interface(SubnetId=s.ids["subnet"], Groups=[s.ids["sg"]]),
        "ec2:CreateNetworkInterface",
        ["network-interface/*", "subnet", "sg"],
    ),
    "attach interface": (
        lambda e, s: e.attach_network_interface(
            NetworkInterfaceId=s.ids["eni-b"], InstanceId=s.ids["i-a"], DeviceIndex=1
        ),
        "ec2:AttachNetworkInterface",
        ["eni-b", "i-a"],
    ),
    "tags": (
        lambda e, s: e.create_tags(Resources=[s.ids["eni-a"], s.ids["eip-other"]], Tags=[TAG]),
        "ec2:CreateTags",
        ["eni-a", "eip-other"],
    ),
    "tags away": (
        lambda e, s: e.delete_tags(Resources=[s.ids["i-a"]], Tags=[{"Key": "Name"}]),
        "ec2:DeleteTags",
        ["i-a"],
    ),
    "launch": (
        lambda e, s: launch(e, s),
        "ec2:RunInstances",
        ["instance/*", "image", "network-interface/*", "volume/*", "subnet", "sg"],
    ),
}


def table_association(scene: Scene) -> str:
    table = scene.world.ec2.describe_route_tables(RouteTableIds=[scene.ids["route-table"]])["RouteTables"][0]
    return str(table["Associations"][0]["RouteTableAssociationId"])


@pytest.mark.parametrize("name", NAMED)
def test_a_call_is_about_each_resource_it_names(scene: Scene, caller: Caller, name: str) -> None:
    call, action, resources = NAMED[name]

    def arn(each: str) -> str:
        if each == "image":
            return f"arn:aws:ec2:us-east-1::image/{LAB_IMAGE_ID}"  # an image is no account's
        return f"{HERE}:{each}" if "/" in each else scene.arn(each)

    arns = [arn(each) for each in resources]
    for missing in arns:
        some = [each for each in arns if each != missing]
        rights = [allow(action, some)] if some else []
        assert not permitted(call, caller.may(*rights)("ec2"), scene), missing
    assert not permitted(call, caller.may(allow("ec2:Other*"))("ec2"), scene)
    assert permitted(call, caller.may(allow(action, arns))("ec2"), scene)


def test_what_a_launch_takes_for_granted_is_asked_for_too(scene: Scene, caller: Caller) -> None:
    """Without a subnet and groups it is about the default subnet and that VPC's default group."""
    everything = [f"{HERE}:{kind}/*" for kind in ("instance", "network-interface", "volume")]
    everything.append("arn:aws:ec2:us-east-1::image/*")
    ec2 = scene.world.ec2
    zone = [{"Name": "availability-zone", "Values": ["us-east-1a"]}, {"Name": "default-for-az", "Values": ["true"]}]
    subnet = ec2.describe_subnets(Filters=zone)["Subnets"][0]
    own = [{"Name": "vpc-id", "Values": [subnet["VpcId"]]}, {"Name": "group-name", "Values": ["default"]}]
    group = ec2.describe_security_groups(Filters=own)["SecurityGroups"][0]["GroupId"]
    for more, allowed in (
        ([f"{HERE}:subnet/{subnet['SubnetId']}", f"{HERE}:security-group/{group}"], True),
        ([f"{HERE}:subnet/{subnet['SubnetId']}"], False),
        ([scene.arn("subnet"), scene.arn("sg")], False),
    ):
        run = caller.may(allow("ec2:RunInstances", everything + more))("ec2").run_instances
        launch = {"ImageId": LAB_IMAGE_ID, "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro", "DryRun": True}
        assert permitted(run, **launch) is allowed, more


def test_calls_without_resources_are_of_the_star_only(scene: Scene, callers: Callers) -> None:
    star = callers.role(allow("ec2:Describe*"))("ec2")
    arns = callers.role(allow("ec2:*", f"{HERE}:*"))("ec2")
    for name in ("describe_instances", "describe_network_interfaces", "describe_addresses", "describe_images"):
        assert permitted(getattr(star, name)) and not permitted(getattr(arns, name)), name
    # Not in the table: evaluated on the star.
    assert permitted(star.describe_key_pairs) and not permitted(arns.describe_key_pairs)


def test_a_resource_that_is_not_there_is_refused_before_it_is_looked_for(scene: Scene, callers: Callers) -> None:
    """Assumed: authorization comes first, with the ARN that the id makes."""
    gone = {"NetworkInterfaceId": "eni-0123456789abcdef0", "PrivateIpAddresses": ["10.0.0.100"]}
    with refused("UnauthorizedOperation"):
        callers.role(allow(ASSIGN, scene.arn("eni-a")))("ec2").assign_private_ip_addresses(**gone)
    with refused("InvalidNetworkInterfaceID.NotFound"):
        callers.role(allow(ASSIGN))("ec2").assign_private_ip_addresses(**gone)


def test_new_things_with_tags(scene: Scene, caller: Caller) -> None:
    tags = {"TagSpecifications": [{"ResourceType": "security-group-rule", "Tags": [TAG]}]}

    def adds(*resources: str, **more: Any) -> bool:
        actions = ["ec2:AuthorizeSecurityGroupIngress", "ec2:CreateTags"]
        authorize = caller.may(allow(actions, list(resources)))("ec2").authorize_security_group_ingress
        return permitted(authorize, GroupId=scene.ids["sg"], IpPermissions=[UDP], **more)

    assert adds(scene.arn("sg"))
    assert not adds(scene.arn("sg"), **tags)
    assert adds(scene.arn("sg"), f"{HERE}:security-group-rule/*", **tags)
