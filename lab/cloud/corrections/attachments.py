"""Interfaces and the instances they are attached to."""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import InvalidNetworkAttachmentIdError
from moto.ec2.models.instance_types import INSTANCE_TYPES

from lab.cloud.corrections.private_addresses import (
    PrivateAddressAnswers,
    PrivateAddressCorrections,
    check_address_limit,
)
from lab.cloud.corrections.refusals import invalid_value, refusal, wrong_state

# "You can attach a network interface to an instance when it's running (hot attach), when it's stopped (warm attach)"
# (EC2 user guide, "Elastic network interfaces").
ATTACHABLE = ("running", "stopped")


def check_interface_limit(instance_type: str, interfaces: int) -> None:
    """Raise EC2's refusal of more interfaces than the type takes (words: cilium/cilium#15877)."""
    if interfaces > INSTANCE_TYPES[instance_type]["NetworkInfo"]["MaximumNetworkInterfaces"]:
        raise refusal("AttachmentLimitExceeded", f"Interface count {interfaces} exceeds the limit for {instance_type}")


def the_interface(instance: Any) -> Any:
    """The one interface of an instance, for calls that name the instance only (words: hashicorp/terraform#3205)."""
    if len(instance.nics) > 1:
        raise refusal(
            "InvalidInstanceID",
            f"There are multiple interfaces attached to instance '{instance.id}'. Please specify an interface ID for "
            "the operation instead.",
        )
    return instance.nics[0]


class InterfaceCorrections(PrivateAddressCorrections):
    """EC2's rules for interfaces. `most_interfaces` is how many of them the lab's machines can have; None: no limit."""

    most_interfaces: int | None = None

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
        """Attach an interface that is free to an instance that has a place for it."""
        interface, instance = self.get_network_interface(eni_id), self.get_instance(instance_id)
        self.check_machine(len(instance.nics) + 1)
        if interface.instance is not None:
            raise in_use(eni_id)
        if instance.state not in ATTACHABLE:
            raise wrong_state(f"Instance '{instance_id}' is not 'running' or 'stopped'.")
        if interface.subnet.availability_zone != instance.availability_zone:
            raise refusal(
                "InvalidParameterCombination",
                "You may not attach a network interface to an instance if they are not in the same availability zone",
            )
        if int(device_index) in instance.nics:
            # Words: lstoll/k8s-vpcnet#71.
            raise invalid_value(
                f"Instance '{instance_id}' already has an interface attached at device index '{device_index}'."
            )
        check_interface_limit(instance.instance_type, len(instance.nics) + 1)
        check_address_limit(instance.instance_type, len(interface.addresses))
        interface.delete_on_termination = False
        return super().attach_network_interface(eni_id, instance_id, device_index)

    def detach_network_interface(self, attachment_id: str) -> None:
        """Detach any interface but the first."""
        interface = self._attached_as(attachment_id)
        if interface.device_index == 0:
            # Words: redhat-performance/cloud-governance#952.
            raise refusal(
                "OperationNotPermitted",
                "The network interface at device index 0 and networkCard index 0 cannot be detached.",
            )
        interface.instance.detach_eni(interface)

    def modify_attachment(self, interface_id: str, attachment_id: str, delete_on_termination: bool) -> None:
        """Set whether an interface goes with its instance."""
        interface = self._attached_as(attachment_id)
        if interface.id != interface_id:
            raise InvalidNetworkAttachmentIdError(attachment_id)
        interface.delete_on_termination = delete_on_termination

    def check_machine(self, interfaces: int) -> None:
        """Raise where the lab's machines cannot have that many: a refusal EC2 does not know."""
        if self.most_interfaces is not None and interfaces > self.most_interfaces:
            raise refusal(
                "UnsupportedOperation", f"The lab's machines have {self.most_interfaces} interface, not {interfaces}"
            )

    def _attached_as(self, attachment_id: str) -> Any:
        for interface in self.enis.values():
            if interface.attachment_id == attachment_id and interface.instance is not None:
                return interface
        raise InvalidNetworkAttachmentIdError(attachment_id)


def in_use(interface_id: str) -> Exception:
    """An interface that is attached already (words: hashicorp/terraform-provider-aws#27513)."""
    return refusal("InvalidNetworkInterface.InUse", f"Interface: [{interface_id}] in use.")


class InterfaceAnswers(PrivateAddressAnswers):
    """What moto does not read of the calls about interfaces."""

    def create_network_interface(self) -> ActionResult:
        """CreateNetworkInterface."""
        if any("Ipv6Address" not in each for each in self._get_param("Ipv6Addresses", [])):
            raise refusal("MissingParameter", "The request must contain the parameter ipv6Address")
        return super().create_network_interface()

    def modify_network_interface_attribute(self) -> EmptyResult:
        """ModifyNetworkInterfaceAttribute, with its attachment."""
        attachment = self._get_param("Attachment")
        if not attachment:
            return super().modify_network_interface_attribute()
        if "AttachmentId" not in attachment or "DeleteOnTermination" not in attachment:
            raise refusal("MissingParameter", "An attachment ID and whether to delete on termination are required.")
        self.ec2_backend.modify_attachment(
            self._get_param("NetworkInterfaceId"), attachment["AttachmentId"], attachment["DeleteOnTermination"]
        )
        return EmptyResult()
