"""Routes: one for each destination, one table for each subnet."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.cloud.conftest import World, interface_of, refused

pytestmark = pytest.mark.cloud


def routes(world: World) -> dict[str, Any]:
    table = world.ec2.describe_route_tables(RouteTableIds=[world.table])["RouteTables"][0]
    return {route["DestinationCidrBlock"]: route for route in table["Routes"]}


def test_a_destination_has_one_route_whatever_it_leads_to(world: World, director: Any) -> None:
    interface = interface_of(director)
    for target in ({"GatewayId": world.gateway}, {"NetworkInterfaceId": interface}):
        with refused("RouteAlreadyExists", "0.0.0.0/0"):
            world.ec2.create_route(RouteTableId=world.table, DestinationCidrBlock="0.0.0.0/0", **target)
    world.ec2.replace_route(RouteTableId=world.table, DestinationCidrBlock="0.0.0.0/0", NetworkInterfaceId=interface)
    assert routes(world)["0.0.0.0/0"]["NetworkInterfaceId"] == interface
    world.ec2.create_route(RouteTableId=world.table, DestinationCidrBlock="10.8.0.7/16", NetworkInterfaceId=interface)
    assert "10.8.0.0/16" in routes(world)


def test_routes_and_tables_that_are_not_there(world: World) -> None:
    with refused("InvalidRoute.NotFound"):
        world.ec2.delete_route(RouteTableId=world.table, DestinationCidrBlock="10.8.0.0/16")
    with refused("InvalidRouteTableID.NotFound", "rtb-00000000"):
        world.ec2.create_route(RouteTableId="rtb-00000000", DestinationCidrBlock="10.8.0.0/16", GatewayId=world.gateway)
    with refused("InvalidParameterValue"):
        world.ec2.create_route(RouteTableId=world.table, DestinationCidrBlock="nonsense", GatewayId=world.gateway)


def test_a_subnet_has_one_table(world: World) -> None:
    other = world.ec2.create_route_table(VpcId=world.vpc)["RouteTable"]["RouteTableId"]
    with refused("Resource.AlreadyAssociated", other):
        world.ec2.associate_route_table(RouteTableId=other, SubnetId=world.subnet)
    again = world.ec2.associate_route_table(RouteTableId=world.table, SubnetId=world.subnet)["AssociationId"]
    world.ec2.disassociate_route_table(AssociationId=again)
    world.ec2.associate_route_table(RouteTableId=other, SubnetId=world.subnet)
