"""Route table, route, and which subnet uses which table."""

from __future__ import annotations

from lab.provider.normal import as_set
from lab.provider.registry import Property, Schema, Timeouts
from lab.provider.rules import exactly_one_of, network
from lab.provider.schema.common import REGION, REGIONAL

TARGETS = ("gatewayId", "natGatewayId", "networkInterfaceId")
OTHER_TARGETS = (
    *("carrierGatewayId", "coreNetworkArn", "egressOnlyGatewayId", "localGatewayId", "odbNetworkArn"),
    *("transitGatewayId", "vpcEndpointId", "vpcPeeringConnectionId"),
)

ROUTE_TABLE = Schema(
    file="internal/service/ec2/vpc_route_table.go",
    inputs={
        **REGIONAL,
        "routes": Property(
            source="route: Computed",
            kind=list,
            computed=True,
            normal=as_set,
            nested={
                # An inline route needs one (routeTableValidDestinations), and the lab has IPv4 only.
                "cidrBlock": Property(
                    source="route.cidr_block: Required by validNestedExactlyOneOf", required=True, wrong=network()
                ),
                "gatewayId": Property(source="route.gateway_id"),
                "natGatewayId": Property(source="route.nat_gateway_id"),
                "networkInterfaceId": Property(source="route.network_interface_id"),
            },
        ),
        "vpcId": Property(source="vpc_id: Required, ForceNew", required=True, replace=True),
    },
    unmodelled=frozenset(
        {
            "propagatingVgws",
            *(f"routes.{name}" for name in ("destinationPrefixListId", "ipv6CidrBlock", *OTHER_TARGETS)),
        }
    ),
    timeouts=Timeouts(create=300.0, update=120.0, delete=300.0),
)

ROUTE = Schema(
    file="internal/service/ec2/vpc_route.go",
    inputs={
        **REGION,
        "destinationCidrBlock": Property(
            source="destination_cidr_block: ForceNew; Required in the lab, which has IPv4 only",
            required=True,
            replace=True,
            wrong=network(),
        ),
        "gatewayId": Property(source="gateway_id"),
        "natGatewayId": Property(source="nat_gateway_id"),
        "networkInterfaceId": Property(source="network_interface_id: Computed", computed=True),
        "routeTableId": Property(source="route_table_id: Required, ForceNew", required=True, replace=True),
    },
    unmodelled=frozenset({"destinationIpv6CidrBlock", "destinationPrefixListId", *OTHER_TARGETS}),
    rules=(exactly_one_of(*TARGETS),),
    timeouts=Timeouts(create=300.0, update=120.0, delete=300.0),
)

ROUTE_TABLE_ASSOCIATION = Schema(
    file="internal/service/ec2/vpc_route_table_association.go",
    inputs={
        **REGION,
        "gatewayId": Property(source="gateway_id: ForceNew", replace=True),
        "routeTableId": Property(source="route_table_id: Required", required=True),
        "subnetId": Property(source="subnet_id: ForceNew", replace=True),
    },
    rules=(exactly_one_of("subnetId", "gatewayId"),),
)
