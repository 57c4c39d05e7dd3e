"""What the fabric is told of an account, and when."""

from __future__ import annotations

import time

import pytest

from lab.cloud.local import LocalCloud
from lab.cloud.substrate import NoMachines
from lab.fabric.model import Address, Interface, Route, Rule, SecurityGroup, Subnet, VpcState
from tests.lab.cloud.conftest import World, interface_of, refused, wait_for

pytestmark = pytest.mark.cloud
ANYWHERE = (Rule(protocol="-1", cidr="0.0.0.0/0"),)


def told(cloud: LocalCloud) -> VpcState:
    assert isinstance(cloud.substrate, NoMachines)
    return cloud.substrate.state


def test_an_account_without_machines_says_nothing(world: World, cloud: LocalCloud) -> None:
    assert told(cloud) == VpcState()


def test_a_small_vpc(world: World, cloud: LocalCloud) -> None:
    ec2 = world.ec2
    permissions = [
        {"IpProtocol": "112", "UserIdGroupPairs": [{"GroupId": world.group}]},
        {"IpProtocol": "icmp", "FromPort": 3, "ToPort": 4, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
    ]
    ec2.authorize_security_group_ingress(GroupId=world.group, IpPermissions=permissions)
    private = ec2.create_subnet(VpcId=world.vpc, CidrBlock="10.0.1.0/24")["Subnet"]["SubnetId"]
    options = {"HttpTokens": "required", "HttpPutResponseHopLimit": 2}
    director = world.launch("10.0.0.36", MetadataOptions=options)
    web = world.launch("10.0.1.80", SubnetId=private)
    ec2.modify_instance_attribute(InstanceId=director["InstanceId"], SourceDestCheck={"Value": False})
    ec2.assign_private_ip_addresses(NetworkInterfaceId=interface_of(director), PrivateIpAddresses=["10.0.0.100"])
    own, service = (ec2.allocate_address(Domain="vpc") for _ in range(2))
    for elastic_ip, address in ((own, "10.0.0.36"), (service, "10.0.0.100")):
        ec2.associate_address(
            AllocationId=elastic_ip["AllocationId"],
            NetworkInterfaceId=interface_of(director),
            PrivateIpAddress=address,
        )
    # The main table of the VPC, which the private subnet uses, leads through the director.
    main = ec2.describe_route_tables(
        Filters=[{"Name": "association.main", "Values": ["true"]}, {"Name": "vpc-id", "Values": [world.vpc]}]
    )
    ec2.create_route(
        RouteTableId=main["RouteTables"][0]["RouteTableId"],
        DestinationCidrBlock="0.0.0.0/0",
        NetworkInterfaceId=interface_of(director),
    )
    default = next(
        group["GroupId"]
        for group in ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [world.vpc]}])["SecurityGroups"]
        if group["GroupName"] == "default"
    )
    local = Route(cidr="10.0.0.0/16", target="local")
    subnets = (
        Subnet(
            id=world.subnet,
            vpc_id=world.vpc,
            cidr="10.0.0.0/24",
            routes=(local, Route(cidr="0.0.0.0/0", target=world.gateway)),
        ),
        Subnet(
            id=private,
            vpc_id=world.vpc,
            cidr="10.0.1.0/24",
            routes=(local, Route(cidr="0.0.0.0/0", target=interface_of(director))),
        ),
    )
    interfaces = (
        Interface(
            id=interface_of(director),
            instance_id=director["InstanceId"],
            subnet_id=world.subnet,
            mac=world.interface(interface_of(director))["MacAddress"],
            addresses=(
                Address(private="10.0.0.36", public=own["PublicIp"]),
                Address(private="10.0.0.100", public=service["PublicIp"]),
            ),
            groups=(world.group,),
            source_dest_check=False,
            metadata_hop_limit=2,
        ),
        Interface(
            id=interface_of(web),
            instance_id=web["InstanceId"],
            subnet_id=private,
            mac=world.interface(interface_of(web))["MacAddress"],
            addresses=(Address(private="10.0.1.80"),),
            groups=(world.group,),
        ),
    )
    groups = (
        SecurityGroup(
            id=world.group,
            ingress=(
                Rule(protocol="6", from_port=80, to_port=80, cidr="0.0.0.0/0"),
                Rule(protocol="112", group=world.group),
                Rule(protocol="1", from_port=3, to_port=4, cidr="0.0.0.0/0"),
            ),
            egress=ANYWHERE,
        ),
        SecurityGroup(id=default, ingress=(Rule(protocol="-1", group=default),), egress=ANYWHERE),
    )
    assert told(cloud) == VpcState(
        subnets=tuple(sorted(subnets, key=lambda each: each.id)),
        interfaces=tuple(sorted(interfaces, key=lambda each: each.id)),
        groups=tuple(sorted(groups, key=lambda each: each.id)),
    )


def test_routes_that_lead_nowhere_are_left_out(world: World, cloud: LocalCloud) -> None:
    world.launch("10.0.0.36")
    world.ec2.detach_internet_gateway(InternetGatewayId=world.gateway, VpcId=world.vpc)
    (subnet,) = told(cloud).subnets
    assert [route.target for route in subnet.routes] == ["local"]


def test_only_powered_instances_are_there(world: World, cloud: LocalCloud) -> None:
    instance = world.launch("10.0.0.36")["InstanceId"]
    assert [each.instance_id for each in told(cloud).interfaces] == [instance]
    world.ec2.stop_instances(InstanceIds=[instance])
    world.wait_state(instance, "stopped")
    assert told(cloud).interfaces == ()
    world.ec2.start_instances(InstanceIds=[instance])
    assert [each.instance_id for each in told(cloud).interfaces] == [instance]
    world.end(instance)
    assert told(cloud) == VpcState()


def test_the_network_is_told_before_the_answer_and_only_of_changes(
    world: World, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    interface = interface_of(world.launch("10.0.0.36"))
    states: list[VpcState] = []
    monkeypatch.setattr(cloud.substrate, "apply", states.append)
    world.ec2.describe_instances()
    assert states == []
    world.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.0.100"])
    assert [each.private for each in states[-1].interfaces[0].addresses] == ["10.0.0.36", "10.0.0.100"]
    assert len(states) == 1


def test_a_fabric_that_does_not_follow_fails_the_call_and_is_told_again(
    world: World, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    interface = interface_of(world.launch("10.0.0.36"))

    def dead(state: VpcState) -> None:
        raise ConnectionRefusedError("no fabric")

    with monkeypatch.context() as broken:
        broken.setattr(cloud.substrate, "apply", dead)
        with refused("InternalError", "no fabric"):
            world.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.0.100"])
    world.ec2.describe_instances()
    assert len(told(cloud).interfaces[0].addresses) == 2


def test_packets_follow_a_move_after_the_remap_delay(
    world: World, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = interface_of(world.launch("10.0.0.36")), interface_of(world.launch("10.0.0.56"))
    world.ec2.assign_private_ip_addresses(NetworkInterfaceId=old, PrivateIpAddresses=["10.0.0.100"])
    with cloud.account.lock:
        monkeypatch.setattr(cloud.account._view, "delay_seconds", 0.5)

    def owner() -> str:
        return next(
            each.id for each in told(cloud).interfaces if any(a.private == "10.0.0.100" for a in each.addresses)
        )

    began = time.monotonic()
    world.ec2.assign_private_ip_addresses(
        NetworkInterfaceId=new, PrivateIpAddresses=["10.0.0.100"], AllowReassignment=True
    )
    assert world.addresses(new) == ["10.0.0.56", "10.0.0.100"]  # the API says so at once
    assert owner() == old or time.monotonic() - began >= 0.5
    wait_for(lambda: owner() == new)  # without another call
    assert time.monotonic() - began >= 0.5
