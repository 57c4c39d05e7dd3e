"""VPCs and internet gateways: what is in use is not taken away."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.internet_gateways import InternetGatewayBackend
from moto.ec2.models.vpcs import VPCBackend

from lab.cloud.corrections.refusals import dependency_violation
from lab.cloud.corrections.subnets import canonical_block


class GatewayCorrections(VPCBackend, InternetGatewayBackend):  # type: ignore[misc]
    """EC2's order of taking a network down."""

    def create_vpc(self, cidr_block: str, *args: Any, **options: Any) -> Any:
        """A VPC, its CIDR block in one form."""
        return super().create_vpc(canonical_block(cidr_block) if cidr_block else cidr_block, *args, **options)

    def detach_internet_gateway(self, internet_gateway_id: str, vpc_id: str) -> None:
        """Refused while an interface of the VPC has a public address."""
        if any(interface.vpc_id == vpc_id and _has_public_address(interface) for interface in self.enis.values()):
            raise dependency_violation(
                f"Network {vpc_id} has some mapped public address(es). Please unmap those public address(es) before "
                "detaching the gateway."
            )
        super().detach_internet_gateway(internet_gateway_id, vpc_id)

    def delete_vpc(self, vpc_id: str) -> Any:
        """Refused while it has a gateway or a security group of its own; moto sees to subnets and route tables."""
        attached = any(gateway.vpc and gateway.vpc.id == vpc_id for gateway in self.internet_gateways.values())
        own_groups = any(not group.is_default for group in self.groups.get(vpc_id, {}).values())
        if attached or own_groups:
            raise dependency_violation(f"The vpc '{vpc_id}' has dependencies and cannot be deleted.")
        return super().delete_vpc(vpc_id)


def _has_public_address(interface: Any) -> bool:
    return any(interface.public_ip_of(address) for address in interface.addresses)
