"""A network interface: its addresses are one record, from which everything the API shows of them follows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.utils import random_eni_id, random_mac_address

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

    def _new_mac(self) -> str:
        taken = {interface.mac_address for interface in self.ec2_backend.enis.values()}
        while (mac := random_mac_address()) in taken:
            pass
        return str(mac)

    def _first_addresses(self, primary: list[str] | str | None, entries: Sequence[dict[str, Any] | str]) -> list[str]:
        if isinstance(primary, list):
            primary = primary[0] if primary else None
        given = [entry if isinstance(entry, str) else entry.get("PrivateIpAddress", "") for entry in entries]
        marked = [
            entry.get("PrivateIpAddress", "") for entry in entries if isinstance(entry, dict) and entry.get("Primary")
        ]
        first = primary or (marked or given or self.subnet.free_addresses(1))[0]
        addresses = [first, *(address for address in given if address != first)]
        for address in addresses:
            self.subnet.request_ip(address, instance=None)
        return addresses
