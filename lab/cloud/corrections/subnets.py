"""Subnets: which addresses may be asked for, and which are given automatically."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.subnets import Subnet, SubnetBackend
from moto.ec2.responses.subnets import Subnets

from lab.cloud.corrections.refusals import dependency_violation, invalid_value, refusal

# "The first four IP addresses and the last IP address in each subnet CIDR block are not available" (VPC user guide).
RESERVED_AT_START = 4


class LabSubnet(Subnet):  # type: ignore[misc]
    """A subnet that hands out addresses by what its interfaces hold, not by a counter."""

    def check_assignable(self, address: str) -> None:
        """Raise EC2's refusal where `address` is none, lies outside the subnet, or is one AWS keeps for itself."""
        try:
            parsed = ipaddress.IPv4Address(address)
        except ValueError:
            raise invalid_value(f"invalid value for parameter address: {address}") from None
        if parsed not in self.cidr:
            raise invalid_value(f"Address {address} does not fall within the subnet's address range")
        if self._is_reserved(parsed):
            raise invalid_value(f"Address {address} is in subnet's reserved address range")

    def request_ip(self, ip: str, instance: Any) -> None:  # noqa: ARG002 - moto's signature
        """Raise EC2's refusal unless a new interface may have this address."""
        self.check_assignable(ip)
        if ip in self.taken_addresses():
            raise refusal("InvalidIPAddress.InUse", f"Address {ip} is in use.")

    def get_available_subnet_ip(self, instance: Any) -> str:  # noqa: ARG002 - moto's signature
        """The lowest address that is free, outside AWS's own and outside every CIDR reservation of the subnet."""
        return self.free_addresses(1)[0]

    def free_addresses(self, count: int) -> list[str]:
        """The lowest `count` addresses that automatic assignment may give."""
        found = list(itertools.islice(self._free(), count))
        if len(found) < count:
            raise refusal(
                "InsufficientFreeAddressesInSubnet",
                "There are not enough free addresses in subnet to satisfy the requested number of instances.",
            )
        return found

    def count_free(self, most: int) -> int:
        """How many addresses automatic assignment may give, at most `most`."""
        return sum(1 for _ in itertools.islice(self._free(), most))

    def _free(self) -> Iterator[str]:
        taken = self.taken_addresses()
        reserved = [reservation.cidr for reservation in self._cidr_reservations]
        for address in self.cidr:
            if self._is_reserved(address) or str(address) in taken or any(address in cidr for cidr in reserved):
                continue
            yield str(address)

    def taken_addresses(self) -> set[str]:
        """Every private address an interface of this subnet holds."""
        return {
            address
            for interface in self.ec2_backend.enis.values()
            if interface.subnet.id == self.id
            for address in interface.addresses
        }

    def _is_reserved(self, address: ipaddress.IPv4Address) -> bool:
        offset = int(address) - int(self.cidr.network_address)
        return offset < RESERVED_AT_START or address == self.cidr.broadcast_address


def canonical_block(cidr: str) -> str:
    """A CIDR block as EC2 keeps it: "100.68.0.18/18" is "100.68.0.0/18" (API reference, CreateVpc, CreateSubnet).

    What is none is left for moto to refuse.
    """
    try:
        return str(ipaddress.IPv4Network(cidr, strict=False)) if "/" in cidr else cidr
    except ValueError:
        return cidr


class SubnetCorrections(SubnetBackend):  # type: ignore[misc]
    """EC2's rules for making and deleting subnets."""

    def create_subnet(  # moto's signature
        self,
        vpc_id: str,
        cidr_block: str,
        ipv6_cidr_block: str | None = None,
        availability_zone: str | None = None,
        availability_zone_id: str | None = None,
        ipv6_native: bool = False,
        tags: dict[str, dict[str, str]] | None = None,
    ) -> LabSubnet:
        """As moto, but the first subnet of a zone is nothing special in a new VPC."""
        subnet: LabSubnet = super().create_subnet(
            vpc_id,
            canonical_block(cidr_block),
            ipv6_cidr_block,
            availability_zone,
            availability_zone_id,
            ipv6_native,
            tags,
        )
        if not self.vpcs[vpc_id].is_default:
            subnet.default_for_az = False
            subnet.map_public_ip_on_launch = False
        return subnet

    def delete_subnet(self, subnet_id: str) -> Any:
        """Refused while interfaces are in it; its route table associations go with it."""
        if any(interface.subnet.id == subnet_id for interface in self.enis.values()):
            raise dependency_violation(f"The subnet '{subnet_id}' has dependencies and cannot be deleted.")
        deleted = super().delete_subnet(subnet_id)
        for table in self.route_tables.values():
            table._associations = {key: value for key, value in table._associations.items() if value != subnet_id}
        return deleted


class SubnetAnswers(Subnets):  # type: ignore[misc]
    """A zone that is the same each time."""

    def create_subnet(self) -> ActionResult:
        """CreateSubnet; without a zone, where moto throws dice, it is the region's first."""
        given = self._get_params()
        if not given.get("CidrBlock"):
            raise refusal("MissingParameter", "The request must contain the parameter cidrBlock")
        if not given.get("AvailabilityZone") and not given.get("AvailabilityZoneId"):
            given["AvailabilityZone"] = f"{self.region}a"
        return super().create_subnet()

    def create_subnet_cidr_reservation(self) -> ActionResult:
        """CreateSubnetCidrReservation, with the description and tags that moto drops."""
        given = self._get_params()
        answer = super().create_subnet_cidr_reservation()
        reservation = answer.result["SubnetCidrReservation"]
        reservation.description = given.get("Description")
        reservation.add_tags(self._parse_tag_specification().get("subnet-cidr-reservation", {}))
        return answer
