"""Private addresses of interfaces: one owner for each, and moves that take the Elastic IP along."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models.elastic_network_interfaces import NetworkInterfaceBackend
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.responses.elastic_network_interfaces import ElasticNetworkInterfaces

from lab.cloud.corrections.interfaces import LabInterface
from lab.cloud.corrections.refusals import invalid_value, refusal


def check_address_limit(instance_type: str, addresses: int) -> None:
    """Raise EC2's refusal where an interface of such an instance cannot have that many addresses.

    The number is the type's (DescribeInstanceTypes, NetworkInfo), the primary address included.
    """
    if addresses > INSTANCE_TYPES[instance_type]["NetworkInfo"]["Ipv4AddressesPerInterface"]:
        raise refusal("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")


class PrivateAddressCorrections(NetworkInterfaceBackend):  # type: ignore[misc]
    """EC2's rules for addresses of interfaces (API reference, AssignPrivateIpAddresses)."""

    def assign_private_ip_addresses(
        self,
        eni_id: str,
        private_ip_addresses: list[str] | None = None,
        secondary_ips_count: int | None = None,
        allow_reassignment: bool = False,
    ) -> list[str]:
        """Give secondary addresses to an interface; the addresses that were given.

        With `allow_reassignment` a secondary address of another interface moves here and its Elastic IP with it.
        Nothing changes where any address is refused.
        """
        interface = self.get_network_interface(eni_id)
        if private_ip_addresses and secondary_ips_count is not None:
            raise refusal(
                "InvalidParameterCombination",
                "Only one of the two: private IP addresses or secondaryPrivateIpAddressCount",
            )
        if secondary_ips_count is not None:
            if secondary_ips_count < 1:
                raise invalid_value(
                    f"Value ({secondary_ips_count}) for parameter secondaryPrivateIpAddressCount is invalid."
                )
            self._check_limit(interface, secondary_ips_count)
            given = interface.subnet.free_addresses(secondary_ips_count)
            interface.addresses += given
            return list(given)
        if not private_ip_addresses:
            raise refusal(
                "MissingParameter", "Either secondaryPrivateIpAddressCount or privateIpAddresses is required."
            )
        wanted = list(dict.fromkeys(private_ip_addresses))
        for address in wanted:
            interface.subnet.check_assignable(address)
            self._check_movable(interface, address, allow_reassignment)
        new = [address for address in wanted if address not in interface.addresses]
        self._check_limit(interface, len(new))
        for address in new:
            self._move(address, interface)
        return wanted

    def unassign_private_ip_addresses(self, eni_id: str, private_ip_address: list[str] | None = None) -> Any:
        """Take secondary addresses from an interface; an Elastic IP of such an address is disassociated."""
        interface = self.get_network_interface(eni_id)
        unwanted = private_ip_address or []
        if not unwanted:
            raise refusal("MissingParameter", "The request must contain the parameter PrivateIpAddress")
        for address in unwanted:
            if address not in interface.addresses:
                raise invalid_value(
                    f"Some of the specified addresses are not assigned to interface {eni_id}: {address}"
                )
            if address == interface.private_ip_address:
                raise invalid_value(f"The primary private IP address {address} of {eni_id} cannot be unassigned")
        for address in unwanted:
            self.drop_association(interface.elastic_ip_of(address))
            interface.addresses.remove(address)
        return interface

    def _check_limit(self, interface: LabInterface, more: int) -> None:
        if interface.instance is not None:
            check_address_limit(interface.instance.instance_type, len(interface.addresses) + more)

    def _move(self, address: str, interface: LabInterface) -> None:
        for other in self.enis.values():
            if other is not interface and other.subnet.id == interface.subnet.id and address in other.addresses:
                elastic_ip = other.elastic_ip_of(address)
                other.addresses.remove(address)
                if elastic_ip:
                    elastic_ip.eni = interface
        interface.addresses.append(address)

    def _check_movable(self, interface: LabInterface, address: str, allow_reassignment: bool) -> None:
        for other in self.enis.values():
            if other.subnet.id != interface.subnet.id or address not in other.addresses:
                continue
            if address == other.private_ip_address:
                raise invalid_value(f"Address {address} is the primary address of {other.id} and cannot be reassigned")
            if not allow_reassignment:
                raise invalid_value(f"[{address}] assigned, but move is not allowed.")


class PrivateAddressAnswers(ElasticNetworkInterfaces):  # type: ignore[misc]
    """The calls whose parameters moto does not read."""

    def assign_private_ip_addresses(self) -> ActionResult:
        """AssignPrivateIpAddresses; the answer lists the addresses given by this call."""
        interface_id = self._get_param("NetworkInterfaceId")
        if self._get_param("Ipv4Prefixes") or self._get_param("Ipv4PrefixCount"):
            raise refusal("UnsupportedOperation", "The lab has no prefix delegation")
        given = self.ec2_backend.assign_private_ip_addresses(
            interface_id,
            self._get_param("PrivateIpAddresses", []),
            self._get_param("SecondaryPrivateIpAddressCount"),
            allow_reassignment=bool(self._get_param("AllowReassignment", False)),
        )
        return ActionResult(
            {
                "NetworkInterfaceId": interface_id,
                "AssignedPrivateIpAddresses": [{"PrivateIpAddress": address} for address in given],
            }
        )

    def unassign_private_ip_addresses(self) -> ActionResult:
        """UnassignPrivateIpAddresses."""
        self.ec2_backend.unassign_private_ip_addresses(
            self._get_param("NetworkInterfaceId"), self._get_param("PrivateIpAddresses", [])
        )
        return EmptyResult()
