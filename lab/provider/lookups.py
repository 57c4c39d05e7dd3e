"""Where the program is: zones, region, partition, caller."""

from __future__ import annotations

from typing import Any

from lab.protocol.contract import Properties, ProviderError
from lab.provider.account import PARTITION, Account
from lab.provider.registry import Function
from lab.provider.schema import functions as schema


def _zones(account: Account, args: Properties) -> Properties:
    filters: Any = [{"Name": item["name"], "Values": item["values"]} for item in args.get("filters") or []]
    if "state" in args:
        filters.append({"Name": "state", "Values": [args["state"]]})
    found = account.ec2.describe_availability_zones(Filters=filters)["AvailabilityZones"]
    unwanted = {*(args.get("excludeNames") or []), *(args.get("excludeZoneIds") or [])}
    zones = sorted(
        (zone for zone in found if not unwanted & {zone["ZoneName"], zone["ZoneId"]}), key=lambda zone: zone["ZoneName"]
    )
    return {
        "allAvailabilityZones": None,
        "excludeNames": args.get("excludeNames"),
        "excludeZoneIds": args.get("excludeZoneIds"),
        "filters": args.get("filters"),
        "groupNames": [account.region],
        "id": account.region,
        "names": [zone["ZoneName"] for zone in zones],
        "region": account.region,
        "state": args.get("state"),
        "zoneIds": [zone["ZoneId"] for zone in zones],
    }


def _caller(account: Account, _args: Properties) -> Properties:
    caller = account.sts.get_caller_identity()
    number = caller["Account"]
    return {"accountId": number, "arn": caller["Arn"], "id": number, "userId": caller["UserId"]}


def _region(account: Account, args: Properties) -> Properties:
    region = account.region
    if args.get("name", region) != region:
        raise ProviderError(f"name: the lab has one region, {region}; leave it away")
    return {
        "description": f"the lab's {region}",
        "endpoint": f"ec2.{region}.amazonaws.com",
        "id": region,
        "name": region,
        "region": region,
    }


def _partition(_account: Account, _args: Properties) -> Properties:
    return {
        "dnsSuffix": "amazonaws.com",
        "id": PARTITION,
        "partition": PARTITION,
        "reverseDnsPrefix": "com.amazonaws",
    }


FUNCTIONS = (
    Function(
        token="aws:index/getAvailabilityZones:getAvailabilityZones",  # noqa: S106 - a function's name
        schema=schema.GET_AVAILABILITY_ZONES,
        call=_zones,
    ),
    Function(
        token="aws:index/getCallerIdentity:getCallerIdentity",  # noqa: S106
        schema=schema.GET_CALLER_IDENTITY,
        call=_caller,
    ),
    Function(token="aws:index/getRegion:getRegion", schema=schema.GET_REGION, call=_region),  # noqa: S106
    Function(token="aws:index/getPartition:getPartition", schema=schema.GET_PARTITION, call=_partition),  # noqa: S106
)
