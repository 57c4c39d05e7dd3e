"""Elastic IPs: each is mapped to one private address of one interface, and each private address has at most one."""

from __future__ import annotations

import ipaddress
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models.elastic_ip_addresses import ElasticAddress, ElasticAddressBackend
from moto.ec2.responses.elastic_ip_addresses import ElasticIPAddresses
from moto.ec2.utils import random_eip_association_id

from lab.cloud.corrections.attachments import the_interface
from lab.cloud.corrections.refusals import invalid_value, refusal, wrong_state

PUBLIC_POOL = ipaddress.IPv4Network("203.0.113.0/24")


class LabElasticAddress(ElasticAddress):  # type: ignore[misc]
    """An Elastic IP and the private address it is mapped to."""

    def __init__(
        self, ec2_backend: Any, domain: str, address: str | None = None, tags: dict[str, str] | None = None
    ) -> None:
        self.mapped_address: str | None = None
        self.public_ipv4_pool = "amazon"
        self.network_border_group = ec2_backend.region_name
        super().__init__(ec2_backend, domain, address=address, tags=tags)

    @property
    def instance(self) -> Any:
        """The instance the interface is attached to, which may change without a call about the Elastic IP."""
        return self.eni.instance if self.eni else None

    @instance.setter
    def instance(self, value: Any) -> None:
        """Ignored: moto sets it, here it follows from the interface."""

    @property
    def instance_id(self) -> str | None:
        """Left out of the answer where there is none."""
        return self.instance.id if self.instance else None

    @property
    def network_interface_id(self) -> str | None:
        """Left out of the answer where there is none."""
        return self.eni.id if self.eni else None

    @property
    def private_ip_address(self) -> str | None:
        """The private address it is mapped to."""
        return self.mapped_address if self.eni else None


class ElasticIpCorrections(ElasticAddressBackend):  # type: ignore[misc]
    """EC2's rules for Elastic IPs (API reference, AssociateAddress and ReleaseAddress)."""

    def free_public_address(self) -> str:
        """The lowest public address nobody has."""
        taken = self._taken_public_addresses()
        for address in PUBLIC_POOL.hosts():
            if str(address) not in taken:
                return str(address)
        raise refusal("AddressLimitExceeded", "The maximum number of addresses has been reached.")

    def allocate_address(self, domain: str, address: str | None = None, tags: dict[str, str] | None = None) -> Any:  # noqa: ARG002 - EC2-Classic is gone
        """An Elastic IP of the lab's public pool."""
        if address:
            try:
                wanted = ipaddress.IPv4Address(address)
            except ValueError:
                raise refusal("InvalidAddress.Malformed", f"Invalid value '{address}' for IP address.") from None
            if wanted not in PUBLIC_POOL or address in self._taken_public_addresses():
                raise refusal("InvalidAddress.NotFound", f"Address '{address}' not found.")
        return super().allocate_address("vpc", address=address or self.free_public_address(), tags=tags)

    def address_by_allocation(self, allocation_ids: list[Any]) -> list[Any]:
        """Elastic IPs by their ids."""
        known = {each.allocation_id: each for each in self.addresses}
        for allocation in allocation_ids:
            if allocation not in known:
                raise refusal("InvalidAllocationID.NotFound", f"The allocation ID '{allocation}' does not exist")
        return [known[allocation] for allocation in allocation_ids]

    def address_by_association(self, association_ids: list[Any]) -> list[Any]:
        """Elastic IPs by the ids of their associations."""
        known = {each.association_id: each for each in self.addresses if each.association_id}
        for association in association_ids:
            if association not in known:
                raise refusal("InvalidAssociationID.NotFound", f"The association ID '{association}' does not exist")
        return [known[association] for association in association_ids]

    def _taken_public_addresses(self) -> set[str | None]:
        taken = {elastic_ip.public_ip for elastic_ip in self.addresses}
        return taken | {interface.automatic_public_ip for interface in self.enis.values()}

    def associate_address(  # the parameters of the call, each of them
        self,
        instance: Any = None,
        eni: Any = None,
        address: str | None = None,  # noqa: ARG002 - refused before: it is EC2-Classic's
        allocation_id: str | None = None,
        reassociate: bool = True,
        private_ip_address: str | None = None,
    ) -> Any:
        """Map an Elastic IP to a private address (default: the primary) of an interface.

        The same mapping again is no change and keeps its association id. `reassociate` False refuses an Elastic IP or
        a private address that has a partner.
        """
        elastic_ip = self.address_by_allocation([allocation_id])[0]
        interface = eni or the_interface(instance)
        mapped = private_ip_address or interface.private_ip_address
        if mapped not in interface.addresses:
            raise invalid_value(f"{mapped} is not mapped to the interface {interface.id}")
        self._require_internet_gateway(interface.vpc_id)
        if elastic_ip.eni is interface and elastic_ip.mapped_address == mapped:
            return elastic_ip
        unseated = interface.elastic_ip_of(mapped)
        for taken in (elastic_ip, unseated):
            if taken and taken.association_id and not reassociate:
                raise refusal(
                    "Resource.AlreadyAssociated",
                    f"resource {taken.allocation_id} is already associated with associate-id {taken.association_id}",
                )
        self.drop_association(unseated)
        self.drop_association(elastic_ip)
        elastic_ip.eni = interface
        elastic_ip.mapped_address = mapped
        elastic_ip.association_id = random_eip_association_id()
        if mapped == interface.private_ip_address:
            # "Your public IPv4 address is released when you associate an Elastic IP address with your instance."
            interface.automatic_public_ip = None
        return elastic_ip

    def disassociate_address(self, address: str | None = None, association_id: str | None = None) -> None:  # noqa: ARG002
        """Unmap an Elastic IP. A second time its association is not there (the API reference says otherwise)."""
        elastic_ip = self.address_by_association([association_id])[0]
        interface = elastic_ip.eni
        self.drop_association(elastic_ip)
        if interface and interface.instance and interface.instance.is_running():
            interface.check_auto_public_ip()

    def drop_association(self, elastic_ip: Any) -> None:
        """Forget what an Elastic IP is mapped to; None and an unmapped one are fine."""
        if elastic_ip:
            elastic_ip.eni = None
            elastic_ip.mapped_address = None
            elastic_ip.association_id = None

    def release_address(self, address: str | None = None, allocation_id: str | None = None) -> None:  # noqa: ARG002
        """Give an Elastic IP back.

        "[Nondefault VPC] You must disassociate the Elastic IP address before you can release it"; "[Default VPC]
        Releasing an Elastic IP address automatically disassociates it".
        """
        elastic_ip = self.address_by_allocation([allocation_id])[0]
        if elastic_ip.association_id and not self.vpcs[elastic_ip.eni.vpc_id].is_default:
            raise refusal("InvalidIPAddress.InUse", f"Address {elastic_ip.public_ip} is in use.")
        self.drop_association(elastic_ip)
        self.addresses.remove(elastic_ip)
        self.tags.pop(elastic_ip.id, None)

    def _require_internet_gateway(self, vpc_id: str) -> None:
        if not any(gateway.vpc and gateway.vpc.id == vpc_id for gateway in self.internet_gateways.values()):
            raise refusal("Gateway.NotAttached", f"Network {vpc_id} is not attached to any internet gateway")


def _check_instance(instance: Any) -> None:
    """Raise EC2's refusal of an instance by its state (words: hashicorp/terraform-provider-aws#3072)."""
    if instance.state in ("pending", "shutting-down", "terminated"):
        raise refusal(
            "InvalidInstanceID",
            f"The {instance.state} instance '{instance.id}' is not in a valid state for this operation.",
        )


def _check_attached(interface: Any) -> None:
    """Raise EC2's refusal of an interface whose instance is pending.

    "If you are associating an Elastic IP address with a network interface, ensure that the instance that the interface
    is attached to is not in the 'pending' state" (API reference, "Error codes"; words: terraform-provider-aws#19699).
    """
    if interface.instance is not None and interface.instance.state == "pending":
        raise wrong_state(
            f"The pending-instance-creation instance to which '{interface.id}' is attached is not in a valid state for "
            "this operation"
        )


class ElasticIpAnswers(ElasticIPAddresses):  # type: ignore[misc]
    """The calls whose parameters moto does not read. An Elastic IP goes by its ids: `PublicIp` was EC2-Classic's."""

    def associate_address(self) -> ActionResult:
        """AssociateAddress."""
        given = self._get_params()
        if "InstanceId" in given and "NetworkInterfaceId" in given:
            raise refusal(
                "InvalidParameterCombination", "You may specify either an instance ID or a network interface ID"
            )
        if "InstanceId" not in given and "NetworkInterfaceId" not in given:
            raise refusal("MissingParameter", "Either instanceId or networkInterfaceId is required.")
        if "AllocationId" not in given:
            # Words: lithiumtech/ha-nat#2.
            raise refusal(
                "InvalidParameterCombination",
                "You must specify an allocation id when mapping an address to a VPC instance",
            )
        instance = eni = None
        if "InstanceId" in given:
            instance = self.ec2_backend.get_instance(self._get_param("InstanceId"))
            _check_instance(instance)
        else:
            eni = self.ec2_backend.get_network_interface(self._get_param("NetworkInterfaceId"))
            _check_attached(eni)
        self.error_on_dryrun()
        elastic_ip = self.ec2_backend.associate_address(
            instance=instance,
            eni=eni,
            allocation_id=self._get_param("AllocationId"),
            # "Reassociation is automatic, but you can specify false to ensure the operation fails" (API reference).
            reassociate=self._get_param("AllowReassociation", True) is not False,
            private_ip_address=self._get_param("PrivateIpAddress"),
        )
        return ActionResult({"AssociationId": elastic_ip.association_id})

    def disassociate_address(self) -> EmptyResult:
        """DisassociateAddress."""
        association = self._get_param("AssociationId")
        if not association:
            raise invalid_value("You must specify an association id when unmapping an address from a VPC instance")
        self.ec2_backend.disassociate_address(association_id=association)
        return EmptyResult()

    def release_address(self) -> EmptyResult:
        """ReleaseAddress."""
        allocation = self._get_param("AllocationId")
        if not allocation:
            raise invalid_value("You must specify an allocation id when releasing a VPC elastic IP address")
        self.ec2_backend.release_address(allocation_id=allocation)
        return EmptyResult()

    def allocate_address(self) -> ActionResult:
        """AllocateAddress, with the fields moto leaves out."""
        tags = self._parse_tag_specification().get("elastic-ip", {})
        elastic_ip = self.ec2_backend.allocate_address("vpc", address=self._get_param("Address"), tags=tags)
        return ActionResult(
            {
                "PublicIp": elastic_ip.public_ip,
                "AllocationId": elastic_ip.allocation_id,
                "Domain": elastic_ip.domain,
                "PublicIpv4Pool": elastic_ip.public_ipv4_pool,
                "NetworkBorderGroup": elastic_ip.network_border_group,
            }
        )
