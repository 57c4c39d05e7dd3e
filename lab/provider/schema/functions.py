"""The arguments of functions."""

from __future__ import annotations

from lab.provider.registry import Property, Schema
from lab.provider.schema.common import REGION

FILTERS = Property(
    source="filter",
    kind=list,
    nested={
        "name": Property(source="filter.name: Required", required=True),
        "values": Property(source="filter.values: Required", kind=list, required=True),
    },
)

GET_AMI = Schema(
    file="internal/service/ec2/ec2_ami_data_source.go",
    inputs={
        **REGION,
        "allowUnsafeFilter": Property(source="allow_unsafe_filter", kind=bool),
        "executableUsers": Property(source="executable_users", kind=list),
        "filters": FILTERS,
        "includeDeprecated": Property(source="include_deprecated: Default false", kind=bool, default=False),
        "mostRecent": Property(source="most_recent: Default false", kind=bool, default=False),
        "nameRegex": Property(source="name_regex"),
        "owners": Property(source="owners", kind=list),
    },
    unmodelled=frozenset({"tags", "uefiData"}),
)
GET_AVAILABILITY_ZONES = Schema(
    file="internal/service/ec2/ec2_availability_zones_data_source.go",
    inputs={
        **REGION,
        "excludeNames": Property(source="exclude_names", kind=list),
        "excludeZoneIds": Property(source="exclude_zone_ids", kind=list),
        "filters": FILTERS,
        "state": Property(source="state"),
    },
    unmodelled=frozenset({"allAvailabilityZones"}),
)
GET_CALLER_IDENTITY = Schema(
    file="internal/service/sts/caller_identity_data_source.go", inputs={"id": Property(source="id")}
)
GET_REGION = Schema(
    file="internal/service/meta/region_data_source.go",
    inputs={"id": Property(source="id"), "name": Property(source="name"), "region": Property(source="region")},
    unmodelled=frozenset({"endpoint"}),
)
GET_PARTITION = Schema(file="internal/service/meta/partition_data_source.go", inputs={"id": Property(source="id")})
