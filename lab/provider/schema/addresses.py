"""Elastic IPs and their associations."""

from __future__ import annotations

from lab.provider.registry import PROPAGATION_SECONDS, Property, Schema, Timeouts
from lab.provider.rules import ipv4, one_of
from lab.provider.schema.common import REGION, REGIONAL

EIP = Schema(
    file="internal/service/ec2/ec2_eip.go",
    inputs={
        **REGIONAL,
        "associateWithPrivateIp": Property(source="associate_with_private_ip", wrong=ipv4),
        # EC2-Classic, "standard", is gone, and the real provider refuses to read such an address.
        "domain": Property(source="domain: Computed, ForceNew", computed=True, replace=True, wrong=one_of("vpc")),
        # Unset means that whoever holds it is no drift: the directors move the service's address.
        "instance": Property(source="instance: Computed", computed=True),
        "networkInterface": Property(source="network_interface: Computed", computed=True),
    },
    unmodelled=frozenset({"address", "customerOwnedIpv4Pool", "ipamPoolId", "networkBorderGroup", "publicIpv4Pool"}),
    # No create timeout is declared: the plugin SDK's 20 minutes (DefaultTimeout of schema.Resource).
    timeouts=Timeouts(create=1200.0, update=300.0, delete=180.0),
)

EIP_ASSOCIATION = Schema(
    file="internal/service/ec2/ec2_eip_association.go",
    inputs={
        **REGION,
        "allocationId": Property(source="allocation_id: Computed, ForceNew", computed=True, replace=True),
        "allowReassociation": Property(source="allow_reassociation: ForceNew", kind=bool, replace=True),
        "instanceId": Property(source="instance_id: Computed, ForceNew", computed=True, replace=True),
        "networkInterfaceId": Property(source="network_interface_id: Computed, ForceNew", computed=True, replace=True),
        "privateIpAddress": Property(
            source="private_ip_address: Computed, ForceNew", computed=True, replace=True, wrong=ipv4
        ),
        "publicIp": Property(source="public_ip: Computed, ForceNew", computed=True, replace=True, wrong=ipv4),
    },
    timeouts=Timeouts(create=PROPAGATION_SECONDS),
)
