"""DryRun: every call that has it says what would be, with HTTP 412, and does nothing; the two without it refuse it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from lab.cloud.corrections.images import LAB_IMAGE_ID
from tests.lab.cloud.conftest import World, interface_of, refused
from tests.lab.cloud.ec2.conftest import LabCloud

pytestmark = pytest.mark.cloud
HTTP = [{"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}]


def every_call(world: World) -> Mapping[str, Mapping[str, Any]]:
    """Each call that changes something in the lab's room of EC2, as it would succeed."""
    director = world.launch("10.0.0.36")
    instance, interface = director["InstanceId"], interface_of(director)
    ec2 = world.ec2
    spare = ec2.create_network_interface(SubnetId=world.subnet)["NetworkInterface"]["NetworkInterfaceId"]
    second = ec2.create_network_interface(SubnetId=world.subnet)["NetworkInterface"]["NetworkInterfaceId"]
    attachment = ec2.attach_network_interface(NetworkInterfaceId=second, InstanceId=instance, DeviceIndex=1)
    allocation = ec2.allocate_address(Domain="vpc")["AllocationId"]
    association = ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=interface)["AssociationId"]
    free = ec2.allocate_address(Domain="vpc")["AllocationId"]
    rule = ec2.describe_security_group_rules(Filters=[{"Name": "group-id", "Values": [world.group]}])
    rule_id = next(each["SecurityGroupRuleId"] for each in rule["SecurityGroupRules"] if not each["IsEgress"])
    reservation = ec2.create_subnet_cidr_reservation(
        SubnetId=world.subnet, Cidr="10.0.0.100/32", ReservationType="explicit"
    )["SubnetCidrReservation"]["SubnetCidrReservationId"]
    table = ec2.describe_route_tables(RouteTableIds=[world.table])["RouteTables"][0]
    in_table = table["Associations"][0]["RouteTableAssociationId"]
    named = {"IpProtocol": "tcp", "FromPort": 81, "ToPort": 81, "CidrIpv4": "0.0.0.0/0"}
    return {
        "allocate_address": {"Domain": "vpc"},
        "associate_address": {"AllocationId": free, "NetworkInterfaceId": spare},
        "disassociate_address": {"AssociationId": association},
        "release_address": {"AllocationId": free},
        "run_instances": {
            "ImageId": LAB_IMAGE_ID,
            "InstanceType": "t3.micro",
            "MinCount": 1,
            "MaxCount": 1,
            "SubnetId": world.subnet,
        },
        "start_instances": {"InstanceIds": [instance]},
        "stop_instances": {"InstanceIds": [instance]},
        "reboot_instances": {"InstanceIds": [instance]},
        "terminate_instances": {"InstanceIds": [instance]},
        "modify_instance_attribute": {"InstanceId": instance, "DisableApiTermination": {"Value": True}},
        "modify_instance_metadata_options": {"InstanceId": instance, "HttpTokens": "required"},
        "create_network_interface": {"SubnetId": world.subnet},
        "attach_network_interface": {"NetworkInterfaceId": spare, "InstanceId": instance, "DeviceIndex": 1},
        "detach_network_interface": {"AttachmentId": attachment["AttachmentId"]},
        "delete_network_interface": {"NetworkInterfaceId": spare},
        "modify_network_interface_attribute": {"NetworkInterfaceId": interface, "SourceDestCheck": {"Value": False}},
        "create_security_group": {"GroupName": "g", "Description": "g", "VpcId": world.vpc},
        "delete_security_group": {"GroupId": world.group},
        "authorize_security_group_ingress": {"GroupId": world.group, "IpPermissions": [{**HTTP[0], "ToPort": 81}]},
        "authorize_security_group_egress": {"GroupId": world.group, "IpPermissions": HTTP},
        "revoke_security_group_ingress": {"GroupId": world.group, "IpPermissions": HTTP},
        "revoke_security_group_egress": {"GroupId": world.group, "IpPermissions": HTTP},
        "modify_security_group_rules": {
            "GroupId": world.group,
            "SecurityGroupRules": [{"SecurityGroupRuleId": rule_id, "SecurityGroupRule": named}],
        },
        "update_security_group_rule_descriptions_ingress": {
            "GroupId": world.group,
            "SecurityGroupRuleDescriptions": [{"SecurityGroupRuleId": rule_id, "Description": "web"}],
        },
        "create_vpc": {"CidrBlock": "10.9.0.0/16"},
        "delete_vpc": {"VpcId": world.vpc},
        "create_subnet": {"VpcId": world.vpc, "CidrBlock": "10.0.5.0/24"},
        "delete_subnet": {"SubnetId": world.subnet},
        "create_subnet_cidr_reservation": {
            "SubnetId": world.subnet,
            "Cidr": "10.0.0.64/28",
            "ReservationType": "explicit",
        },
        "delete_subnet_cidr_reservation": {"SubnetCidrReservationId": reservation},
        "create_internet_gateway": {},
        "attach_internet_gateway": {"InternetGatewayId": world.gateway, "VpcId": world.vpc},
        "detach_internet_gateway": {"InternetGatewayId": world.gateway, "VpcId": world.vpc},
        "delete_internet_gateway": {"InternetGatewayId": world.gateway},
        "create_route_table": {"VpcId": world.vpc},
        "delete_route_table": {"RouteTableId": world.table},
        "associate_route_table": {"RouteTableId": world.table, "SubnetId": world.subnet},
        "disassociate_route_table": {"AssociationId": in_table},
        "create_route": {
            "RouteTableId": world.table,
            "DestinationCidrBlock": "10.8.0.0/16",
            "GatewayId": world.gateway,
        },
        "replace_route": {
            "RouteTableId": world.table,
            "DestinationCidrBlock": "0.0.0.0/0",
            "NetworkInterfaceId": spare,
        },
        "delete_route": {"RouteTableId": world.table, "DestinationCidrBlock": "0.0.0.0/0"},
        "create_tags": {"Resources": [instance], "Tags": [{"Key": "k", "Value": "v"}]},
        "delete_tags": {"Resources": [instance], "Tags": [{"Key": "Name"}]},
    }


def everything(world: World) -> Mapping[str, Any]:
    """What there is, to be compared."""
    calls: tuple[Callable[[], Any], ...] = (
        world.ec2.describe_instances,
        world.ec2.describe_network_interfaces,
        world.ec2.describe_addresses,
        world.ec2.describe_security_groups,
        world.ec2.describe_security_group_rules,
        world.ec2.describe_vpcs,
        world.ec2.describe_subnets,
        world.ec2.describe_internet_gateways,
        world.ec2.describe_route_tables,
        world.ec2.describe_tags,
        lambda: world.ec2.get_subnet_cidr_reservations(SubnetId=world.subnet),
    )
    return {str(call): {k: v for k, v in call().items() if k != "ResponseMetadata"} for call in calls}


def test_every_call_that_changes_something(world: World) -> None:
    calls = every_call(world)
    before = everything(world)
    for name, request in calls.items():
        with pytest.raises(world.ec2.exceptions.ClientError) as caught:
            getattr(world.ec2, name)(**request, DryRun=True)
        response = caught.value.response
        assert response["Error"]["Code"] == "DryRunOperation", (name, response["Error"])
        assert response["Error"]["Message"] == "Request would have succeeded, but DryRun flag is set."
        assert response["ResponseMetadata"]["HTTPStatusCode"] == 412, name
    assert list(everything(world).values()) == list(before.values())


@pytest.mark.parametrize("action", ["AssignPrivateIpAddresses", "UnassignPrivateIpAddresses"])
def test_moving_an_address_has_no_dry_run(world: World, lab_cloud: LabCloud, director: Any, action: str) -> None:
    """Not in the API reference: a director cannot ask whether it would be allowed to take the virtual IP."""
    interface = interface_of(director)
    answer = lab_cloud.query(
        {"Action": action, "NetworkInterfaceId": interface, "PrivateIpAddress.1": "10.0.0.100", "DryRun": "true"}
    )
    assert (answer.status, answer.code) == (400, "UnknownParameter")
    assert world.addresses(interface) == ["10.0.0.36"]


def test_what_would_not_succeed_says_so(world: World, director: Any) -> None:
    ec2, interface = world.ec2, interface_of(director)
    allocation = ec2.allocate_address(Domain="vpc")["AllocationId"]
    with refused("InvalidAllocationID.NotFound"):
        ec2.associate_address(AllocationId="eipalloc-00000000", NetworkInterfaceId=interface, DryRun=True)
    with refused("InvalidNetworkInterfaceID.NotFound"):
        ec2.associate_address(AllocationId=allocation, NetworkInterfaceId="eni-00000000", DryRun=True)
    with refused("InvalidParameterCombination"):
        ec2.associate_address(
            AllocationId=allocation, NetworkInterfaceId=interface, InstanceId=director["InstanceId"], DryRun=True
        )
    with refused("InvalidInstanceID.NotFound"):
        ec2.terminate_instances(InstanceIds=["i-00000000"], DryRun=True)
    for wrong, code in (
        ({"ImageId": "ami-00000000"}, "InvalidAMIID.NotFound"),
        ({"InstanceType": "t3.enormous"}, "InvalidParameterValue"),
        ({"UserData": "x" * 16385}, "InvalidParameterValue"),
        ({"SubnetId": "subnet-00000000"}, "InvalidSubnetID.NotFound"),
    ):
        with refused(code):
            request = {"ImageId": LAB_IMAGE_ID, "InstanceType": "t3.micro", "SubnetId": world.subnet} | wrong
            ec2.run_instances(MinCount=1, MaxCount=1, DryRun=True, **request)
