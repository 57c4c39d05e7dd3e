"""VPC, subnet, internet gateway, subnet CIDR reservation."""

from __future__ import annotations

from lab.protocol.contract import Properties
from lab.provider.normal import as_network
from lab.provider.registry import Property, Schema, Timeouts
from lab.provider.rules import conflicting, network, one_of
from lab.provider.schema.common import REGION, REGIONAL


def _tenancy_replaces(deployed: Properties, wanted: Properties) -> bool:
    # resourceVPCCustomizeDiff: only from dedicated to default without a new VPC.
    return (deployed.get("instanceTenancy"), wanted.get("instanceTenancy")) != ("dedicated", "default")


VPC = Schema(
    file="internal/service/ec2/vpc_.go",
    inputs={
        **REGIONAL,
        "cidrBlock": Property(
            source="cidr_block: Computed, ForceNew; Required in the lab, which has no IPAM",
            required=True,
            computed=True,
            replace=True,
            wrong=network(16, 28),
        ),
        "enableDnsHostnames": Property(source="enable_dns_hostnames: Computed", kind=bool, computed=True),
        "enableDnsSupport": Property(source="enable_dns_support: Default true", kind=bool, default=True),
        "instanceTenancy": Property(
            source="instance_tenancy: Default default, ForceNew by CustomizeDiff but from dedicated to default",
            default="default",
            replace=_tenancy_replaces,
            wrong=one_of("default", "dedicated"),
        ),
    },
    unmodelled=frozenset(
        {
            *("assignGeneratedIpv6CidrBlock", "enableNetworkAddressUsageMetrics", "ipv4IpamPoolId"),
            *("ipv4NetmaskLength", "ipv6CidrBlock", "ipv6CidrBlockNetworkBorderGroup", "ipv6IpamPoolId"),
            "ipv6NetmaskLength",
        }
    ),
    # vpcCreatedTimeout, ec2PropagationTimeout and vpcDeletedTimeout in wait.go.
    timeouts=Timeouts(create=600.0, update=300.0, delete=300.0),
)

SUBNET = Schema(
    file="internal/service/ec2/vpc_subnet.go",
    inputs={
        **REGIONAL,
        "availabilityZone": Property(source="availability_zone: Computed, ForceNew", computed=True, replace=True),
        "availabilityZoneId": Property(source="availability_zone_id: Computed, ForceNew", computed=True, replace=True),
        "cidrBlock": Property(
            source="cidr_block: Computed, ForceNew; Required in the lab, which has no IPAM and no IPv6",
            required=True,
            computed=True,
            replace=True,
            wrong=network(),
        ),
        "mapPublicIpOnLaunch": Property(source="map_public_ip_on_launch: Default false", kind=bool, default=False),
        "vpcId": Property(source="vpc_id: Required, ForceNew", required=True, replace=True),
    },
    unmodelled=frozenset(
        {
            *("assignIpv6AddressOnCreation", "customerOwnedIpv4Pool", "enableDns64", "enableLniAtDeviceIndex"),
            *("enableResourceNameDnsARecordOnLaunch", "enableResourceNameDnsAaaaRecordOnLaunch", "ipv4IpamPoolId"),
            *("ipv4NetmaskLength", "ipv6CidrBlock", "ipv6IpamPoolId", "ipv6Native", "ipv6NetmaskLength"),
            *("mapCustomerOwnedIpOnLaunch", "outpostArn", "privateDnsHostnameTypeOnLaunch"),
        }
    ),
    rules=(conflicting("availabilityZone", "availabilityZoneId"),),
    timeouts=Timeouts(create=600.0, update=300.0, delete=1200.0),
)

INTERNET_GATEWAY = Schema(
    file="internal/service/ec2/vpc_internet_gateway.go",
    inputs={**REGIONAL, "vpcId": Property(source="vpc_id: Computed", computed=True)},
    timeouts=Timeouts(create=1200.0, update=1200.0, delete=1200.0),
)

SUBNET_CIDR_RESERVATION = Schema(
    file="internal/service/ec2/vpc_subnet_cidr_reservation.go",
    inputs={
        **REGION,
        "cidrBlock": Property(
            source="cidr_block: Required, ForceNew; suppressEqualCIDRBlockDiffs",
            required=True,
            replace=True,
            normal=as_network,
            wrong=network(),
        ),
        "description": Property(source="description: ForceNew", replace=True),
        "reservationType": Property(
            source="reservation_type: Required, ForceNew",
            required=True,
            replace=True,
            wrong=one_of("prefix", "explicit"),
        ),
        "subnetId": Property(source="subnet_id: Required, ForceNew", required=True, replace=True),
    },
)
