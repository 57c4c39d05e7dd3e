"""Network interfaces: one owner for each private address, and moves that take the Elastic IP along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models.elastic_network_interfaces import NetworkInterface, NetworkInterfaceBackend
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.responses.elastic_network_interfaces import ElasticNetworkInterfaces
from moto.ec2.utils import random_eni_id, random_mac_address

from lab.cloud.corrections.refusals import invalid_value, refusal
from lab.names import internal_name, public_name


class LabInterface(NetworkInterface):  # type: ignore[misc]
    """A network interface whose `addresses` (primary first) are the one record of what it holds.

    What the API shows of addresses and their public ones is derived from that and the Elastic IPs each time.
    """

    def __init__(  # moto's signature; its own constructor is not called, for it picks addresses at random
        self,
        ec2_backend: Any,
        subnet: Any,
        private_ip_address: list[str] | str | None,
        private_ip_addresses: Sequence[dict[str, Any] | str] | None = None,
        device_index: int = 0,
        public_ip_auto_assign: bool = False,
        group_ids: list[str] | None = None,
        description: str | None = None,
        tags: dict[str, str] | None = None,
        delete_on_termination: bool | None = False,
        **kwargs: Any,
    ) -> None:
        self.ec2_backend = ec2_backend
        self.subnet = ec2_backend.get_subnet(subnet) if isinstance(subnet, str) else subnet
        self.id = random_eni_id()
        self.mac_address = self._new_mac()
        self.addresses = self._first_addresses(private_ip_address, private_ip_addresses or [])
        extra = int(kwargs.get("secondary_ips_count") or 0)
        self.automatic_public_ip: str | None = None
        self.device_index: int | None = device_index
        self.instance: Any = None
        self.attachment_id: str | None = None
        self.attach_time: Any = None
        self.delete_on_termination = delete_on_termination
        self.description = description or ""
        self.source_dest_check = True
        self.public_ip_auto_assign = public_ip_auto_assign
        self.requester_managed = False
        self.requester_id = None
        self.status = "available"
        self.interface_type = "interface"
        self.ipv6_addresses = list(kwargs.get("ipv6_addresses") or [])
        self._group_set = ec2_backend.groups_for_interface(self.subnet.vpc_id, group_ids or [])
        if extra:
            free = [ip for ip in self.subnet.free_addresses(extra + 1) if ip not in self.addresses]
            self.addresses += free[:extra]
        self.add_tags(tags or {})
        self.start()

    @property
    def private_ip_address(self) -> str:
        """The primary private address."""
        return str(self.addresses[0])

    @property
    def private_ip_addresses(self) -> list[dict[str, Any]]:
        """What DescribeNetworkInterfaces shows: each address, whether it is the primary, its public one."""
        shown = []
        for address in self.addresses:
            entry: dict[str, Any] = {
                "PrivateIpAddress": address,
                "PrivateDnsName": internal_name(address, self.ec2_backend.region_name),
                "Primary": address == self.private_ip_address,
            }
            association = self.association_of(address)
            if association:
                entry["Association"] = association
            shown.append(entry)
        return shown

    @property
    def instance_private_ip_address_list(self) -> list[dict[str, Any]]:
        """The same for DescribeInstances."""
        return self.private_ip_addresses

    @property
    def private_dns_name(self) -> str:
        """The internal name of the primary address."""
        return internal_name(self.private_ip_address, self.ec2_backend.region_name)

    @property
    def association(self) -> dict[str, Any]:
        """The public address of the primary private address."""
        return self.association_of(self.private_ip_address)

    @property
    def public_ip(self) -> str | None:
        """The public address mapped to the primary private address."""
        return self.public_ip_of(self.private_ip_address)

    @property
    def group_set(self) -> list[Any]:
        """The security groups of the interface."""
        return list(self._group_set)

    def elastic_ip_of(self, address: str) -> Any:
        """The Elastic IP associated with one of the private addresses, or None."""
        for elastic_ip in self.ec2_backend.addresses:
            if elastic_ip.eni is self and elastic_ip.private_ip_address == address:
                return elastic_ip
        return None

    def public_ip_of(self, address: str) -> str | None:
        """The public address mapped to one of the private addresses: an Elastic IP, else an automatic one."""
        elastic_ip = self.elastic_ip_of(address)
        if elastic_ip:
            return str(elastic_ip.public_ip)
        return self.automatic_public_ip if address == self.private_ip_address else None

    def association_of(self, address: str) -> dict[str, Any]:
        """What the API shows of the public address of one of the private addresses; empty without one."""
        public = self.public_ip_of(address)
        if not public:
            return {}
        elastic_ip = self.elastic_ip_of(address)
        owner = {"IpOwnerId": self.ec2_backend.account_id if elastic_ip else "amazon"}
        ids = (
            {"AllocationId": elastic_ip.allocation_id, "AssociationId": elastic_ip.association_id} if elastic_ip else {}
        )
        return {"PublicIp": public, "PublicDnsName": public_name(public, self.ec2_backend.region_name)} | owner | ids

    def check_auto_public_ip(self) -> None:
        """Give the automatic public address that was asked for, unless an Elastic IP is there.

        "If your instance's public IP address is released while it has a secondary private IP address that is associated
        with an Elastic IP address, the instance does not receive a new public IP address" (EC2 user guide).
        """
        wanted = str(self.public_ip_auto_assign).lower() == "true"
        has_elastic_ip = any(self.elastic_ip_of(address) for address in self.addresses)
        if wanted and not self.automatic_public_ip and not has_elastic_ip:
            self.automatic_public_ip = self.ec2_backend.free_public_address()

    def stop(self) -> None:
        """The instance stops: an automatic public address is lost."""
        self.automatic_public_ip = None

    def delete(self) -> None:
        """Delete it by the backend's rules."""
        self.ec2_backend.delete_network_interface(eni_id=self.id)

    def get_filter_value(self, filter_name: str, method_name: str | None = None) -> Any:
        """The value DescribeNetworkInterfaces compares a filter with; moto lacks those of secondary addresses."""
        associations = [self.association_of(address) for address in self.addresses]
        values: dict[str, Any] = {
            "private-ip-address": self.addresses,
            "addresses.private-ip-address": self.addresses,
            "addresses.association.public-ip": [each["PublicIp"] for each in associations if "PublicIp" in each],
            "association.public-ip": [each["PublicIp"] for each in associations if "PublicIp" in each],
            "association.allocation-id": [each["AllocationId"] for each in associations if "AllocationId" in each],
            "association.association-id": [each["AssociationId"] for each in associations if "AssociationId" in each],
            "mac-address": self.mac_address,
            "status": self.status,
            "source-dest-check": str(self.source_dest_check).lower(),
            "attachment.device-index": str(self.device_index),
        }
        if filter_name in values:
            return values[filter_name]
        return super().get_filter_value(filter_name, method_name)

    def _new_mac(self) -> str:
        taken = {interface.mac_address for interface in self.ec2_backend.enis.values()}
        while (mac := random_mac_address()) in taken:
            pass
        return str(mac)

    def _first_addresses(self, primary: list[str] | str | None, entries: Sequence[dict[str, Any] | str]) -> list[str]:
        if isinstance(primary, list):
            primary = primary[0] if primary else None
        given = [entry if isinstance(entry, str) else entry["PrivateIpAddress"] for entry in entries]
        marked = [entry["PrivateIpAddress"] for entry in entries if isinstance(entry, dict) and entry.get("Primary")]
        first = primary or (marked or given or self.subnet.free_addresses(1))[0]
        addresses = [first, *(address for address in given if address != first)]
        for address in addresses:
            self.subnet.request_ip(address, instance=None)
        return addresses


class InterfaceCorrections(NetworkInterfaceBackend):  # type: ignore[misc]
    """EC2's rules for addresses of interfaces (API reference, AssignPrivateIpAddresses)."""

    def groups_for_interface(self, vpc_id: str, group_ids: list[str]) -> list[Any]:
        """The groups of those ids, which must belong to the VPC; the VPC's default group for none."""
        if not group_ids:
            default = self.get_default_security_group(vpc_id)
            return [default] if default else []
        groups = []
        for group_id in dict.fromkeys(group_ids):
            group = self.get_security_group_from_id(group_id)
            if group is None or group.vpc_id != vpc_id:
                raise refusal("InvalidGroup.NotFound", f"The security group '{group_id}' does not exist")
            groups.append(group)
        return groups

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
        if private_ip_addresses and secondary_ips_count:
            raise refusal(
                "InvalidParameterCombination",
                "Only one of the two: private IP addresses or secondaryPrivateIpAddressCount",
            )
        if secondary_ips_count:
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

    def delete_network_interface(self, eni_id: str) -> None:
        """Refused while attached; Elastic IPs of its addresses are disassociated."""
        interface = self.get_network_interface(eni_id)
        if interface.instance is not None:
            raise invalid_value(f"Network interface '{eni_id}' is currently in use.")
        for elastic_ip in self.addresses:
            if elastic_ip.eni is interface:
                self.drop_association(elastic_ip)
        super().delete_network_interface(eni_id)

    def modify_network_interface_attribute(
        self,
        eni_id: str,
        group_ids: list[str],
        source_dest_check: bool | None = None,
        description: str | None = None,
    ) -> None:
        """Set groups, source/destination check or description."""
        interface = self.get_network_interface(eni_id)
        if group_ids:
            interface._group_set = self.groups_for_interface(interface.vpc_id, group_ids)
        if source_dest_check is not None:
            interface.source_dest_check = source_dest_check
        if description is not None:
            interface.description = description

    def attach_network_interface(self, eni_id: str, instance_id: str, device_index: int) -> Any:
        """Refused: the lab's machines have one network card, plugged in at power-on."""
        raise refusal(
            "UnsupportedOperation",
            f"The lab's machines have one interface: {eni_id} cannot be attached to {instance_id} as {device_index}",
        )

    def detach_network_interface(self, attachment_id: str) -> None:
        """Refused: see attach_network_interface."""
        raise refusal("UnsupportedOperation", f"The lab's machines have one interface: {attachment_id} stays")

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

    def _check_limit(self, interface: LabInterface, more: int) -> None:
        """The number of addresses an interface may have is its instance type's (DescribeInstanceTypes, NetworkInfo)."""
        if interface.instance is None:
            return
        network = INSTANCE_TYPES[interface.instance.instance_type]["NetworkInfo"]
        if len(interface.addresses) + more > network["Ipv4AddressesPerInterface"]:
            raise refusal("PrivateIpAddressLimitExceeded", "Number of private addresses will exceed limit.")


class InterfaceAnswers(ElasticNetworkInterfaces):  # type: ignore[misc]
    """The calls whose parameters moto does not read."""

    def assign_private_ip_addresses(self) -> ActionResult:
        """AssignPrivateIpAddresses; the answer lists the addresses given by this call."""
        interface_id = self._get_param("NetworkInterfaceId")
        given = self.ec2_backend.assign_private_ip_addresses(
            interface_id,
            self._get_param("PrivateIpAddresses", []),
            self._get_int_param("SecondaryPrivateIpAddressCount", 0),
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
