"""Where the program is: zones, region, partition, caller."""

from __future__ import annotations

from typing import Any

from lab.engine.contract import Properties
from lab.provider.account import PARTITION, Account
from lab.provider.registry import Function


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


def _region(account: Account, _args: Properties) -> Properties:
    region = account.region
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
        args=frozenset({"excludeNames", "excludeZoneIds", "filters", "region", "state"}),
        call=_zones,
    ),
    Function(token="aws:index/getCallerIdentity:getCallerIdentity", args=frozenset({"id"}), call=_caller),  # noqa: S106
    Function(token="aws:index/getRegion:getRegion", args=frozenset({"id", "name", "region"}), call=_region),  # noqa: S106
    Function(token="aws:index/getPartition:getPartition", args=frozenset({"id"}), call=_partition),  # noqa: S106
)
