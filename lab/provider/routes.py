"""Route tables, routes, and which subnet uses which table."""

from __future__ import annotations

import zlib
from typing import Any

from lab.protocol.contract import Properties, ProviderError
from lab.provider.account import Account, absent, given, only, tag_specifications, tags_of
from lab.provider.registry import ResourceType, Work
from lab.provider.schema import routes as schema

# The targets of a route: the provider's name of each, and EC2's.
TARGETS = {"gatewayId": "GatewayId", "networkInterfaceId": "NetworkInterfaceId", "natGatewayId": "NatGatewayId"}


def _create_table(work: Work) -> str:
    made = work.account.ec2.create_route_table(
        VpcId=work.inputs["vpcId"], **tag_specifications(work.tags, "route-table")
    )
    return str(made["RouteTable"]["RouteTableId"])


def _ready_table(work: Work, id_: str) -> None:
    """Make the inline routes those that are wanted; where none are declared, routes are resources of their own."""
    work.wait(id_, "there", lambda: "gone" if _table(work.account, id_) is None else "there")
    if work.inputs.get("routes") is None:
        return
    wanted = {route["cidrBlock"]: route for route in work.inputs["routes"]}
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
    """The real provider takes a table's associations away first (resourceRouteTableDelete)."""
    ec2, table = work.account.ec2, _table(work.account, id_)
    for association in table["Associations"] if table is not None else ():
        if not association.get("Main"):
            with absent("InvalidAssociationID.NotFound"):
                ec2.disassociate_route_table(AssociationId=association["RouteTableAssociationId"])
    with absent("InvalidRouteTableID.NotFound"):
        ec2.delete_route_table(RouteTableId=id_)


def _target(route: Properties) -> dict[str, Any]:
    return {theirs: route[ours] for ours, theirs in TARGETS.items() if route.get(ours)}


def _create_route(work: Work) -> str:
    table, cidr = work.inputs["routeTableId"], work.inputs["destinationCidrBlock"]
    work.account.ec2.create_route(RouteTableId=table, DestinationCidrBlock=cidr, **_target(work.inputs))
    return f"r-{table}{zlib.crc32(cidr.encode())}"  # the real provider's id


def _ready_route(work: Work, id_: str) -> None:
    def state() -> str:
        found = _route(work.account, work.inputs)
        return "gone" if found is None else str(found.get("State", "active"))

    # A route to what is gone or stopped is a blackhole, and as much of a route (WaitRouteReady takes the active one).
    if state() != "blackhole":
        work.wait(id_, "active", state)


def _update_route(work: Work, _id: str, _changed: frozenset[str]) -> None:
    table, cidr = work.inputs["routeTableId"], work.inputs["destinationCidrBlock"]
    work.account.ec2.replace_route(RouteTableId=table, DestinationCidrBlock=cidr, **_target(work.inputs))


def _route(account: Account, inputs: Properties) -> dict[str, Any] | None:
    table = _table(account, inputs["routeTableId"])
    routes = [] if table is None else table["Routes"]
    return only(item for item in routes if item.get("DestinationCidrBlock") == inputs["destinationCidrBlock"])


def _read_route(account: Account, id_: str, inputs: Properties) -> Properties | None:
    if "routeTableId" not in inputs:
        raise ProviderError(f"a route ({id_}) cannot be read by its id alone; declare it")
    route = _route(account, inputs)
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


def _ready_association(work: Work, id_: str) -> None:
    def state() -> str:
        found = _association(work.account, id_, work.inputs)
        return "gone" if found is None else str((found.get("AssociationState") or {}).get("State", "associated"))

    work.wait(id_, "associated", state)


def _association(account: Account, id_: str, inputs: Properties) -> dict[str, Any] | None:
    """The association by its id, or that of the same subnet or gateway with the table declared.

    ReplaceRouteTableAssociation gives a new id, and Pulumi keeps the old one in its state.
    """
    of_id: Any = {"Name": "association.route-table-association-id", "Values": [id_]}
    by_id = account.ec2.describe_route_tables(Filters=[of_id])["RouteTables"]
    found = only(each for table in by_id for each in table["Associations"] if each["RouteTableAssociationId"] == id_)
    if found is not None or "routeTableId" not in inputs:
        return found
    table = _table(account, inputs["routeTableId"])
    wanted = inputs.get("subnetId") or inputs.get("gatewayId")
    associations = [] if table is None else table["Associations"]
    return only(each for each in associations if (each.get("SubnetId") or each.get("GatewayId")) == wanted)


def _update_association(work: Work, id_: str, _changed: frozenset[str]) -> None:
    deployed = {**work.inputs, "routeTableId": work.outputs.get("routeTableId")}
    found = _association(work.account, id_, deployed)
    if found is not None:
        work.account.ec2.replace_route_table_association(
            AssociationId=found["RouteTableAssociationId"], RouteTableId=work.inputs["routeTableId"]
        )


def _read_association(account: Account, id_: str, inputs: Properties) -> Properties | None:
    found = _association(account, id_, inputs)
    if found is None:
        return None
    return {
        "gatewayId": found.get("GatewayId", ""),
        "routeTableId": found["RouteTableId"],
        "subnetId": found.get("SubnetId", ""),
    }


def _delete_association(work: Work, id_: str) -> None:
    found = _association(work.account, id_, work.inputs)
    if found is None:
        return
    with absent("InvalidAssociationID.NotFound"):
        work.account.ec2.disassociate_route_table(AssociationId=found["RouteTableAssociationId"])


TYPES = (
    ResourceType(
        token="aws:ec2/routeTable:RouteTable",  # noqa: S106 - a type's name
        schema=schema.ROUTE_TABLE,
        create=_create_table,
        ready=_ready_table,
        read=_read_table,
        updates=frozenset({"routes"}),
        delete=_delete_table,
        retag=Account.retag_ec2,
    ),
    ResourceType(
        token="aws:ec2/route:Route",  # noqa: S106
        schema=schema.ROUTE,
        create=_create_route,
        ready=_ready_route,
        read=_read_route,
        update=_update_route,
        updates=frozenset(TARGETS),
        delete=_delete_route,
    ),
    ResourceType(
        token="aws:ec2/routeTableAssociation:RouteTableAssociation",  # noqa: S106
        schema=schema.ROUTE_TABLE_ASSOCIATION,
        create=_create_association,
        ready=_ready_association,
        read=_read_association,
        update=_update_association,
        updates=frozenset({"routeTableId"}),
        delete=_delete_association,
    ),
)
