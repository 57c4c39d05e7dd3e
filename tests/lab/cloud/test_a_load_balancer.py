"""Every call the provider makes for the whole stack, in its order, up and down again: they work together."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.cloud.corrections.images import DEBIAN_OWNER, LAB_IMAGE_ID
from lab.cloud.local import LocalCloud
from tests.lab.cloud.conftest import client, interface_of

pytestmark = pytest.mark.cloud
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}],
}


def tagged(kind: str, name: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": f"lvs-local-{name}"}]}]


def test_up_and_down(cloud: LocalCloud) -> None:
    ec2, iam = client(cloud, "ec2"), client(cloud, "iam")

    # The network.
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16", TagSpecifications=tagged("vpc", "vpc"))["Vpc"]["VpcId"]
    for attribute in ("EnableDnsSupport", "EnableDnsHostnames"):
        ec2.modify_vpc_attribute(VpcId=vpc, **{attribute: {"Value": True}})
    subnet = ec2.create_subnet(
        VpcId=vpc, CidrBlock="10.0.0.0/24", AvailabilityZone="us-east-1a", TagSpecifications=tagged("subnet", "subnet")
    )["Subnet"]
    assert subnet["MapPublicIpOnLaunch"] is False
    subnet_id = subnet["SubnetId"]
    gateway = ec2.create_internet_gateway(TagSpecifications=tagged("internet-gateway", "gateway"))["InternetGateway"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc, TagSpecifications=tagged("route-table", "public"))["RouteTable"][
        "RouteTableId"
    ]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway["InternetGatewayId"])
    association = ec2.associate_route_table(RouteTableId=table, SubnetId=subnet_id)["AssociationId"]
    reservation = ec2.create_subnet_cidr_reservation(
        SubnetId=subnet_id, Cidr="10.0.0.100/32", ReservationType="explicit", Description="virtual IP"
    )["SubnetCidrReservation"]["SubnetCidrReservationId"]

    # The firewall: one rule a call, as aws.vpc.SecurityGroupIngressRule makes them.
    groups = {
        name: ec2.create_security_group(
            GroupName=name, Description=name, VpcId=vpc, TagSpecifications=tagged("security-group", name)
        )["GroupId"]
        for name in ("directors", "web")
    }
    rules = []
    for group, permission in (
        ("directors", {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}),
        ("directors", {"IpProtocol": "112", "UserIdGroupPairs": [{"GroupId": groups["directors"]}]}),
        (
            "directors",
            {"IpProtocol": "tcp", "FromPort": 0, "ToPort": 65535, "UserIdGroupPairs": [{"GroupId": groups["web"]}]},
        ),
        ("web", {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}),
    ):
        made = ec2.authorize_security_group_ingress(
            GroupId=groups[group], IpPermissions=[permission], TagSpecifications=tagged("security-group-rule", "rule")
        )["SecurityGroupRules"]
        assert len(made) == 1
        rules.append((group, made[0]["SecurityGroupRuleId"]))
    described = ec2.describe_security_group_rules(SecurityGroupRuleIds=[rule for _, rule in rules])
    assert len(described["SecurityGroupRules"]) == len(rules)

    # Who a director is.
    iam.create_role(RoleName="director-1", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.create_instance_profile(InstanceProfileName="director-1")
    iam.add_role_to_instance_profile(InstanceProfileName="director-1", RoleName="director-1")

    # Addresses and machines.
    image = ec2.describe_images(Owners=[DEBIAN_OWNER], ImageIds=[LAB_IMAGE_ID])["Images"][0]
    own, service = (
        ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip", name))["AllocationId"]
        for name in ("director-1", "service")
    )
    launched = ec2.run_instances(
        ImageId=image["ImageId"],
        InstanceType="t3.micro",
        MinCount=1,
        MaxCount=1,
        SubnetId=subnet_id,
        PrivateIpAddress="10.0.0.36",
        SecurityGroupIds=[groups["directors"]],
        IamInstanceProfile={"Name": "director-1"},
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1, "InstanceMetadataTags": "enabled"},
        UserData="#cloud-config\n",
        TagSpecifications=tagged("instance", "director-1") + tagged("volume", "director-1"),
        BlockDeviceMappings=[
            {"DeviceName": image["RootDeviceName"], "Ebs": {"Encrypted": True, "DeleteOnTermination": True}}
        ],
    )["Instances"][0]
    director, interface = launched["InstanceId"], interface_of(launched)
    ec2.get_waiter("instance_running").wait(InstanceIds=[director], WaiterConfig={"Delay": 1, "MaxAttempts": 10})
    ec2.modify_instance_attribute(InstanceId=director, SourceDestCheck={"Value": False})
    own_association = ec2.associate_address(AllocationId=own, InstanceId=director, PrivateIpAddress="10.0.0.36")[
        "AssociationId"
    ]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["ec2:AssignPrivateIpAddresses"],
                "Resource": f"arn:aws:ec2:us-east-1:123456789012:network-interface/{interface}",
            }
        ],
    }
    iam.put_role_policy(RoleName="director-1", PolicyName="claim", PolicyDocument=json.dumps(policy))

    # What the runtime does, behind the program's back.
    ec2.assign_private_ip_addresses(
        NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.0.100"], AllowReassignment=True
    )
    ec2.associate_address(AllocationId=service, NetworkInterfaceId=interface, PrivateIpAddress="10.0.0.100")

    # Refresh sees what was declared.
    shown = ec2.describe_instances(InstanceIds=[director])["Reservations"][0]["Instances"][0]
    assert shown["PrivateIpAddress"] == "10.0.0.36"
    assert shown["SourceDestCheck"] is False
    assert (
        ec2.describe_tags(Filters=[{"Name": "resource-id", "Values": [service]}])["Tags"][0]["Value"]
        == "lvs-local-service"
    )
    found = ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": ["lvs-local-director-1"]}])["Reservations"]
    assert len(found) == 1

    # Down, in reverse.
    iam.delete_role_policy(RoleName="director-1", PolicyName="claim")
    ec2.disassociate_address(AssociationId=own_association)
    ec2.terminate_instances(InstanceIds=[director])
    ec2.get_waiter("instance_terminated").wait(InstanceIds=[director], WaiterConfig={"Delay": 1, "MaxAttempts": 10})
    for allocation in (own, service):
        ec2.release_address(AllocationId=allocation)
    iam.remove_role_from_instance_profile(InstanceProfileName="director-1", RoleName="director-1")
    iam.delete_instance_profile(InstanceProfileName="director-1")
    iam.delete_role(RoleName="director-1")
    for group, rule in rules:
        ec2.revoke_security_group_ingress(GroupId=groups[group], SecurityGroupRuleIds=[rule])
    for group_id in groups.values():
        ec2.delete_security_group(GroupId=group_id)
    ec2.delete_subnet_cidr_reservation(SubnetCidrReservationId=reservation)
    ec2.disassociate_route_table(AssociationId=association)
    ec2.delete_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0")
    ec2.delete_route_table(RouteTableId=table)
    ec2.delete_subnet(SubnetId=subnet_id)
    ec2.detach_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"], VpcId=vpc)
    ec2.delete_internet_gateway(InternetGatewayId=gateway["InternetGatewayId"])
    ec2.delete_vpc(VpcId=vpc)
    assert [each["IsDefault"] for each in ec2.describe_vpcs()["Vpcs"]] == [True]
    assert ec2.describe_volumes()["Volumes"] == []
