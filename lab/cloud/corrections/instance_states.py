"""What may be done to an instance, and in which of its states."""

from __future__ import annotations

import base64
from typing import Any

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.ec2.models.instances import MetadataOptions

from lab.cloud.corrections.attachments import the_interface
from lab.cloud.corrections.launches import (
    LaunchAnswers,
    LaunchCorrections,
    check_hop_limit,
    check_metadata_tags,
    check_user_data,
)
from lab.cloud.corrections.refusals import refusal, wrong_state
from lab.cloud.effects import Effect

# "Some instance attributes, such as user data, can only be modified if the instance is in a 'stopped' state" (API
# reference, "Error codes").
ONLY_WHILE_STOPPED = ("instance_type", "user_data", "kernel", "ramdisk", "ebs_optimized")
GONE = ("shutting-down", "terminated")
# One of these a call (API reference, ModifyInstanceAttribute).
ATTRIBUTES = {
    *("Attribute", "BlockDeviceMappings", "DisableApiStop", "DisableApiTermination", "EbsOptimized", "EnaSupport"),
    *("Groups", "InstanceInitiatedShutdownBehavior", "InstanceType", "Kernel", "Ramdisk", "SourceDestCheck"),
    *("SriovNetSupport", "UserData"),
}


class InstanceCorrections(LaunchCorrections):
    """EC2's rules for states and attributes. A call about several instances does all of it or nothing."""

    def take_effects(self) -> list[Effect]:
        """What the machines have to do now, and forget it."""
        taken, self.effects = self.effects, []
        return taken

    def start_instances(self, instance_ids: list[str]) -> Any:
        """Refused unless every one is stopped (or starting or running already)."""
        self._check_states(instance_ids, ("stopped", "pending", "running"), "started")
        return super().start_instances(instance_ids)

    def stop_instances(self, instance_ids: list[str]) -> Any:
        """Refused unless every one is running (or stopping or stopped already) and may be stopped."""
        instances = self.get_multi_instances_by_id(instance_ids)
        for instance in instances:
            if instance.state == "pending" and not instance.has_run:
                # Words: cloud-custodian/cloud-custodian#6014.
                raise wrong_state(
                    f"Instance '{instance.id}' cannot be stopped as it has never reached the 'running' state."
                )
        self._check_states(instance_ids, ("running", "stopping", "stopped"), "stopped")
        for instance in instances:
            if instance.disable_api_stop:
                raise _protected(instance.id, "stopped", "disableApiStop")
        return super().stop_instances(instance_ids)

    def reboot_instances(self, instance_ids: list[str]) -> Any:
        """Refused unless every one runs. "Requests to reboot terminated instances are ignored" (API reference)."""
        here = [each.id for each in self.get_multi_instances_by_id(instance_ids) if each.state not in GONE]
        self._check_states(here, ("running",), "rebooted")
        return super().reboot_instances(here)

    def terminate_instances(self, instance_ids: list[str]) -> Any:
        """Refused where one is protected; in any state, and again."""
        for instance in self.get_multi_instances_by_id(instance_ids):
            if instance.disable_api_termination and instance.state not in GONE:
                raise _protected(instance.id, "terminated", "disableApiTermination")
        return super().terminate_instances(instance_ids)

    def modify_instance_attribute(self, instance_id: str, key: str, value: Any) -> Any:
        """Some attributes only change while the instance is stopped, and some are of its one interface."""
        instance = self.get_instance(instance_id)
        if key in ONLY_WHILE_STOPPED and instance.state != "stopped":
            raise wrong_state(f"The instance '{instance_id}' is not in the 'stopped' state.")
        if instance.state in GONE and key != "iam_instance_profile":  # which goes with the association, by a call of it
            raise wrong_state(f"The instance '{instance_id}' is not in a valid state for this operation.")
        if key == "user_data":
            check_user_data(value)
        if key == "instance_type":
            self.check_instance_type(value, code="InvalidInstanceAttributeValue")
        if key == "source_dest_check":
            value = str(value).lower() == "true"
            the_interface(instance)
        return super().modify_instance_attribute(instance_id, key, value)

    def modify_instance_security_groups(self, instance_id: str, new_group_id_list: list[str]) -> Any:
        """The groups of the one interface."""
        instance = self.get_instance(instance_id)
        if instance.state in GONE:
            raise wrong_state(f"The instance '{instance_id}' is not in a valid state for this operation.")
        the_interface(instance)
        instance.security_groups = self.groups_for_interface(instance.vpc_id, new_group_id_list)
        return instance

    def modify_instance_metadata_options(self, instance_id: str, **changes: Any) -> MetadataOptions:
        """Change the options that are given; moto forgets the others."""
        instance = self.get_instance(instance_id)
        if instance.state in GONE:
            raise wrong_state(f"The instance '{instance_id}' is not in a valid state for this operation.")
        options = instance.metadata_options
        check_hop_limit(changes.get("hop_limit"))
        if changes.get("metadata_tags") == "enabled":
            check_metadata_tags({tag["key"]: tag["value"] for tag in instance.get_tags()})
        for attribute, parameter in (
            ("http_tokens", "http_tokens"),
            ("http_put_response_hop_limit", "hop_limit"),
            ("http_endpoint", "http_endpoint"),
            ("http_protocol_ipv6", "http_protocol"),
            ("instance_metadata_tags", "metadata_tags"),
        ):
            if changes.get(parameter) is not None:
                setattr(options, attribute, changes[parameter])
        return options

    def create_tags(self, resource_ids: list[str], tags: dict[str, str]) -> bool:
        """Refused where a key cannot stand in the metadata of an instance that shows its tags there."""
        for instance in self.all_instances():
            if instance.id in resource_ids and instance.metadata_options.instance_metadata_tags == "enabled":
                check_metadata_tags(tags)
        return bool(super().create_tags(resource_ids, tags))

    def _check_states(self, instance_ids: list[str], allowed: tuple[str, ...], verb: str) -> None:
        for instance in self.get_multi_instances_by_id(instance_ids):
            if instance.state not in allowed:
                raise wrong_state(f"The instance '{instance.id}' is not in a state from which it can be {verb}.")


def _protected(instance_id: str, verb: str, attribute: str) -> Exception:
    return refusal(
        "OperationNotPermitted",
        f"The instance '{instance_id}' may not be {verb}. Modify its '{attribute}' instance attribute and try again.",
    )


class InstanceAnswers(LaunchAnswers):
    """What moto does not read of the calls about instances."""

    def describe_instances(self) -> ActionResult:
        """DescribeInstances: all of them, for the pages are cut elsewhere."""
        wanted = self._get_param("InstanceIds", [])
        if not wanted:
            return ActionResult({"Reservations": self.ec2_backend.describe_instances()})
        found = self.ec2_backend.get_reservations_by_instance_ids(list(dict.fromkeys(wanted)))
        return ActionResult({"Reservations": found})

    def terminate_instances(self) -> ActionResult:
        """TerminateInstances, with the state that each came to; for moto it is always shutting-down."""
        answer = super().terminate_instances()
        for each in answer.result["TerminatingInstances"]:
            each["CurrentState"] = self.ec2_backend.get_instance(each["InstanceId"])._state
        return answer

    def modify_instance_attribute(self) -> ActionResult:
        """ModifyInstanceAttribute, one attribute a call."""
        given = sorted(ATTRIBUTES & set(self.params))
        if len(given) > 1:
            raise refusal(
                "InvalidParameterCombination", f"Fields for multiple attribute types specified: {', '.join(given)}"
            )
        if not given:
            raise refusal("InvalidParameterCombination", "No attributes specified.")
        return super().modify_instance_attribute()

    def _dot_value_instance_attribute_handler(self) -> bool:
        """ModifyInstanceAttribute; moto takes user data, a blob it has decoded already, for encoded."""
        instance_id = self._get_param("InstanceId")
        behavior = self._get_param("InstanceInitiatedShutdownBehavior.Value")
        if behavior is not None:
            self.ec2_backend.modify_instance_attribute(instance_id, "instance_initiated_shutdown_behavior", behavior)
            return True
        user_data = self._get_param("UserData.Value")
        if user_data is None:
            return bool(super()._dot_value_instance_attribute_handler())
        encoded = Base64EncodedString.from_encoded_bytes(base64.b64encode(user_data))
        self.ec2_backend.modify_instance_attribute(instance_id, "user_data", encoded)
        return True
