"""Route tables, routes, and which subnet uses which table."""

from __future__ import annotations

import zlib
from typing import Any

from lab.engine.contract import Failure, Properties, ProviderError
from lab.provider.account import Account, absent, given, only, tag_specifications, tags_of
from lab.provider.registry import Property, ResourceType, Work

FORCES_NEW = Property(replace=True)
REQUIRED_FORCES_NEW = Property(required=True, replace=True)
# The targets of a route: the provider's name of each, and EC2's.
TARGETS = {"gatewayId": "GatewayId", "networkInterfaceId": "NetworkInterfaceId", "natGatewayId": "NatGatewayId"}


def _create_table(work: Work) -> str:
    made = work.account.ec2.create_route_table(
        VpcId=work.inputs["vpcId"], **tag_specifications(work.tags, "route-table")
    )
    return str(made["RouteTable"]["RouteTableId"])


def _ready_table(work: Work, id_: str) -> None:
    """Make the inline routes those that are wanted; without any, routes are resources of their own."""
    wanted = {route["cidrBlock"]: route for route in work.inputs.get("routes") or []}
    if not wanted:
        return
    found = _read_table(work.account, id_, work.inputs)
    deployed = {route["cidrBlock"]: route for route in (found or {}).get("routes", [])}
    for cidr in deployed.keys() - wanted.keys():
        work.account.ec2.delete_route(RouteTableId=id_, DestinationCidrBlock=cidr)
    for cidr, route in wanted.items():
        target = _target(route)
        if cidr not in deployed:
            work.account.ec2.create_route(RouteTableId=id_, DestinationCidrBlock=cidr, **target)
        elif _target(deployed[cidr]) != target:
            work.account.ec2.replace_route(RouteTableId=id_, DestinationCidrBlock=cidr, **target)


def _update_table(_work: Work, _id: str, _changed: frozenset[str]) -> None:
    """All that can change is set by `_ready_table`, which follows."""


def _table(account: Account, id_: str) -> dict[str, Any] | None:
    with absent("InvalidRouteTableID.NotFound"):
        return only(account.ec2.describe_route_tables(RouteTableIds=[id_])["RouteTables"])
    return None


def _read_table(account: Account, id_: str, _inputs: Properties) -> Properties | None:
    table = _table(account, id_)
    if table is None:
        return None
    routes = [
        {
            "cidrBlock": route.get("DestinationCidrBlock", ""),
            **{ours: route.get(theirs, "") for ours, theirs in TARGETS.items()},
            **dict.fromkeys(("ipv6CidrBlock", "vpcEndpointId", "transitGatewayId", "vpcPeeringConnectionId"), ""),
            **dict.fromkeys(("carrierGatewayId", "coreNetworkArn", "destinationPrefixListId"), ""),
            **dict.fromkeys(("egressOnlyGatewayId", "localGatewayId", "odbNetworkArn"), ""),
        }
        for route in table["Routes"]
        if route.get("GatewayId") != "local"
    ]
    return {
        "arn": account.arn(f"route-table/{id_}"),
        "ownerId": account.id,
        "propagatingVgws": [],
        "routes": routes,
        "tagsAll": tags_of(table),
        "vpcId": table["VpcId"],
    }


def _delete_table(work: Work, id_: str) -> None:
    gone = ["InvalidRouteTableID.NotFound"]
    work.account.release(lambda: work.account.ec2.delete_route_table(RouteTableId=id_), gone=gone)


def _target(route: Properties) -> dict[str, Any]:
    return {theirs: route[ours] for ours, theirs in TARGETS.items() if route.get(ours)}


def _one_target(inputs: Properties) -> tuple[Failure, ...]:
    given_targets = [name for name in TARGETS if inputs.get(name)]
    if len(given_targets) == 1:
        return ()
    return (Failure(property="gatewayId", reason=f"exactly one of {', '.join(TARGETS)} must be given"),)


def _create_route(work: Work) -> str:
    table, cidr = work.inputs["routeTableId"], work.inputs["destinationCidrBlock"]
    work.account.ec2.create_route(RouteTableId=table, DestinationCidrBlock=cidr, **_target(work.inputs))
    return f"r-{table}{zlib.crc32(cidr.encode())}"  # the real provider's id


def _update_route(work: Work, _id: str, _changed: frozenset[str]) -> None:
    table, cidr = work.inputs["routeTableId"], work.inputs["destinationCidrBlock"]
    work.account.ec2.replace_route(RouteTableId=table, DestinationCidrBlock=cidr, **_target(work.inputs))


def _read_route(account: Account, id_: str, inputs: Properties) -> Properties | None:
    if "routeTableId" not in inputs:
        raise ProviderError(f"a route ({id_}) cannot be read by its id alone; declare it")
    table = _table(account, inputs["routeTableId"])
    routes = [] if table is None else table["Routes"]
    route = only(item for item in routes if item.get("DestinationCidrBlock") == inputs["destinationCidrBlock"])
    if route is None:
        return None
    return {
        **{ours: route.get(theirs, "") for ours, theirs in TARGETS.items()},
        **dict.fromkeys(("carrierGatewayId", "coreNetworkArn", "destinationIpv6CidrBlock", "egressOnlyGatewayId"), ""),
        **dict.fromkeys(("destinationPrefixListId", "localGatewayId", "transitGatewayId", "odbNetworkArn"), ""),
        **dict.fromkeys(("vpcEndpointId", "vpcPeeringConnectionId"), ""),
        "destinationCidrBlock": inputs["destinationCidrBlock"],
        "instanceId": route.get("InstanceId", ""),
        "instanceOwnerId": route.get("InstanceOwnerId", ""),
        "origin": route.get("Origin", "CreateRoute"),
        "routeTableId": inputs["routeTableId"],
        "state": route.get("State", "active"),
    }


def _delete_route(work: Work, _id: str) -> None:
    table, cidr = work.inputs["routeTableId"], work.inputs["destinationCidrBlock"]
    with absent("InvalidRoute.NotFound", "InvalidRouteTableID.NotFound"):
        work.account.ec2.delete_route(RouteTableId=table, DestinationCidrBlock=cidr)


def _create_association(work: Work) -> str:
    target = given(SubnetId=work.inputs.get("subnetId"), GatewayId=work.inputs.get("gatewayId"))
    made = work.account.ec2.associate_route_table(RouteTableId=work.inputs["routeTableId"], **target)
    return made["AssociationId"]


def _read_association(account: Account, id_: str, _inputs: Properties) -> Properties | None:
    found: Any = {"Name": "association.route-table-association-id", "Values": [id_]}
    for table in account.ec2.describe_route_tables(Filters=[found])["RouteTables"]:
        for association in table["Associations"]:
            if association["RouteTableAssociationId"] == id_:
                return {
                    "gatewayId": association.get("GatewayId", ""),
                    "routeTableId": association["RouteTableId"],
                    "subnetId": association.get("SubnetId", ""),
                }
    return None


def _delete_association(work: Work, id_: str) -> None:
    with absent("InvalidAssociationID.NotFound"):
        work.account.ec2.disassociate_route_table(AssociationId=id_)


TYPES = (
    ResourceType(
        token="aws:ec2/routeTable:RouteTable",  # noqa: S106
        inputs={"vpcId": REQUIRED_FORCES_NEW, "routes": Property(unordered=True, computed=True)},
        create=_create_table,
        ready=_ready_table,
        read=_read_table,
        update=_update_table,
        updates=frozenset({"routes"}),
        delete=_delete_table,
        retag=Account.retag_ec2,
    ),
    ResourceType(
        token="aws:ec2/route:Route",  # noqa: S106
        inputs={
            "routeTableId": REQUIRED_FORCES_NEW,
            "destinationCidrBlock": REQUIRED_FORCES_NEW,
            **{name: Property() for name in TARGETS},
        },
        create=_create_route,
        read=_read_route,
        update=_update_route,
        updates=frozenset(TARGETS),
        delete=_delete_route,
        validate=_one_target,
    ),
    ResourceType(
        token="aws:ec2/routeTableAssociation:RouteTableAssociation",  # noqa: S106
        inputs={"routeTableId": Property(required=True), "subnetId": FORCES_NEW, "gatewayId": FORCES_NEW},
        create=_create_association,
        read=_read_association,
        delete=_delete_association,
    ),
)
