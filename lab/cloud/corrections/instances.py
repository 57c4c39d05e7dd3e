"""Instances: launches that are checked first, states that take time, and ends that free what the instance held."""

from __future__ import annotations

import base64
import copy
import re
from typing import Any

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.core.utils import utcnow
from moto.ec2.models.instances import Instance, InstanceBackend, InstanceState, MetadataOptions, StateReason
from moto.ec2.responses.instances import InstanceResponse
from moto.ec2.utils import filter_dict_attribute_mapping
from moto.iam.exceptions import NotFoundException as IAMNotFoundException

from lab.cloud.corrections.images import ROOT_GIBIBYTES
from lab.cloud.corrections.refusals import invalid_value, refusal, wrong_state
from lab.cloud.effects import Effect

# Codes of the API reference, InstanceState.
STATES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
USER_DATA_BYTES = 16 * 1024
ONLY_WHILE_STOPPED = ("instance_type", "user_data", "kernel", "ramdisk", "ebs_optimized")
# EC2 user guide, "Work with instance tags in instance metadata".
METADATA_TAG_KEY = re.compile(r"[0-9a-zA-Z\-_+=,.@:]{1,255}")
RESERVED_TAG_KEYS = (".", "..", "_index")

filter_dict_attribute_mapping.update(
    {
        "network-interface.addresses.private-ip-address": "all_private_addresses",
        "network-interface.addresses.association.public-ip": "all_public_addresses",
        "network-interface.network-interface-id": "network_interfaces.id",
        "network-interface.subnet-id": "network_interfaces.subnet_id",
        "instance-state-code": "filtered_state_code",
        "instance.group-id": "security_groups.id",
        "iam-instance-profile.arn": "iam_instance_profile.Arn",
    }
)


class LabInstance(Instance):  # type: ignore[misc]
    """An instance whose groups, check and addresses are those of its primary interface.

    Calls that need a machine to act record an Effect on the backend; the lab's power switch carries it out.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.became("pending")

    @property
    def raw_user_data(self) -> bytes | None:
        """User data as the machine reads it; None where none was given."""
        return base64.b64decode(str(self.user_data)) if self.user_data else None

    @property
    def security_groups(self) -> list[Any]:
        """The groups of the primary interface."""
        primary = self._primary
        return primary.group_set if primary else self._launch_groups

    @security_groups.setter
    def security_groups(self, groups: list[Any]) -> None:
        self._launch_groups = groups
        if self._primary and groups:
            self._primary._group_set = groups

    @property
    def source_dest_check(self) -> bool:
        """Whether the primary interface must be source or destination of its packets."""
        primary = self._primary
        return bool(primary.source_dest_check) if primary else self._launch_check

    @source_dest_check.setter
    def source_dest_check(self, value: bool) -> None:
        self._launch_check = value
        if self._primary:
            self._primary.source_dest_check = value

    @property
    def private_ip(self) -> str | None:
        """The primary private address, None once terminated."""
        return self._primary.private_ip_address if self._primary else None

    @property
    def private_ip_address(self) -> str | None:
        """The primary private address, None once terminated."""
        return self.private_ip

    @property
    def public_ip(self) -> str | None:
        """The public address of the primary private address."""
        return self._primary.public_ip if self._primary else None

    @property
    def public_ip_address(self) -> str | None:
        """The public address of the primary private address."""
        return self.public_ip

    @property
    def private_dns_name(self) -> str:
        """The internal name, empty once terminated."""
        return self._primary.private_dns_name if self._primary else ""

    @property
    def all_private_addresses(self) -> list[str]:
        """For filters: every private address."""
        return [address for nic in self.nics.values() for address in nic.addresses]

    @property
    def all_public_addresses(self) -> list[str]:
        """For filters: every public address."""
        return [public for nic in self.nics.values() for ip in nic.addresses if (public := nic.public_ip_of(ip))]

    @property
    def filtered_state_code(self) -> str:
        """For filters, which are text."""
        return str(self.state_code)

    @property
    def _primary(self) -> Any:
        return getattr(self, "nics", {}).get(0)

    def became(self, state: str, *, reason: str = "", code: str | None = None) -> None:
        """Enter a state; `code` and `reason` are StateReason's, for states that are not the user's success."""
        self._state = InstanceState(state, STATES[state])
        self._reason = reason
        self.state_reason = StateReason(reason, code) if code else StateReason()

    def prep_nics(self, nic_spec: list[dict[str, Any]], **options: Any) -> None:
        """An interface made at launch goes with its instance, unless said otherwise."""
        for spec in nic_spec:
            if "NetworkInterfaceId" not in spec:
                spec.setdefault("DeleteOnTermination", True)
        super().prep_nics(nic_spec, **options)
        if not nic_spec:
            self.nics[0].delete_on_termination = True

    def start(self) -> Any:
        """Stopped -> pending; the machine gets its power."""
        previous = copy.copy(self._state)
        if previous.name == "stopped":
            for nic in self.nics.values():
                nic.start()
            self.launch_time = utcnow()
            self.became("pending")
            self.ec2_backend.effects.append(Effect(kind="start", instance_id=self.id))
        return previous

    def stop(self) -> Any:
        """Running -> stopping; the machine is asked to power off."""
        previous = copy.copy(self._state)
        if previous.name == "running":
            for nic in self.nics.values():
                nic.stop()
            self._became_by_user("stopping")
            self.ec2_backend.effects.append(Effect(kind="stop", instance_id=self.id))
        return previous

    def reboot(self) -> None:
        """The machine restarts; the state stays."""
        self.ec2_backend.effects.append(Effect(kind="reboot", instance_id=self.id))

    def terminate(self) -> Any:
        """-> shutting-down; interfaces, addresses and associations are free at once, the machine loses its power."""
        previous = copy.copy(self._state)
        if previous.name in ("shutting-down", "terminated"):
            return previous
        self._launch_groups, self._launch_check = self.security_groups, self.source_dest_check
        for nic in list(self.nics.values()):
            nic.stop()
            self.detach_eni(nic)
            if nic.delete_on_termination:
                nic.delete()
        self.teardown_defaults()
        profile = self.ec2_backend.iam_instance_profile_associations.get(self.id)
        if profile:
            self.ec2_backend.disassociate_iam_instance_profile(association_id=profile.association_id)
        self._became_by_user("shutting-down")
        self.ec2_backend.effects.append(Effect(kind="terminate", instance_id=self.id))
        return previous

    def _became_by_user(self, state: str) -> None:
        self.became(
            state,
            reason="Client.UserInitiatedShutdown: User initiated shutdown",
            code="Client.UserInitiatedShutdown",
        )
        self._reason = f"User initiated ({utcnow():%Y-%m-%d %H:%M:%S} GMT)"


class InstanceCorrections(InstanceBackend):  # type: ignore[misc]
    """EC2's rules for launches and states."""

    effects: list[Effect]
    launches_by_token: dict[str, Any]

    def take_effects(self) -> list[Effect]:
        """What the machines have to do now, and forget it."""
        taken, self.effects = self.effects, []
        return taken

    def run_instances(
        self, image_id: str, count: int, user_data: Any, security_group_names: list[str], **options: Any
    ) -> Any:
        """Launch, after every check; a refused launch leaves nothing. The same client token launches once."""
        token = options.get("client_token")
        if token in self.launches_by_token:
            return self.launches_by_token[token]
        if not options.get("launch_template"):
            self.check_image(image_id)
        self.check_instance_type(options["instance_type"])
        check_user_data(user_data)
        if options.get("metadata_options", {}).get("InstanceMetadataTags") == "enabled":
            check_metadata_tags(options.get("tags", {}).get("instance", {}))
        if options.get("private_ip") and options.get("nics"):
            raise refusal(
                "InvalidParameterCombination",
                "Network interfaces and an instance-level private IP address may not be specified on the same request",
            )
        if options.get("private_ip") and count > 1:
            raise refusal(
                "InvalidParameterCombination", "A private IP address may be specified for one instance at a time"
            )
        if not options.get("subnet_id") and not options.get("nics"):
            options["subnet_id"] = self._default_subnet(options.get("placement"))
        before = set(self.reservations), set(self.enis)
        try:
            reservation = super().run_instances(image_id, count, user_data, security_group_names, **options)
        except Exception:
            self._undo_launch(*before)
            raise
        for instance in reservation.instances:
            self.effects.append(Effect(kind="launch", instance_id=instance.id))
        # moto's stand-in for a call without a token.
        if token and token != "ABCDE":  # noqa: S105
            self.launches_by_token[token] = reservation
        return reservation

    def start_instances(self, instance_ids: list[str]) -> Any:
        """Refused unless every one is stopped (or starting or running already)."""
        self._check_states(instance_ids, ("stopped", "pending", "running"), "started")
        return super().start_instances(instance_ids)

    def stop_instances(self, instance_ids: list[str]) -> Any:
        """Refused unless every one is running (or stopping or stopped already)."""
        self._check_states(instance_ids, ("running", "stopping", "stopped"), "stopped")
        return super().stop_instances(instance_ids)

    def reboot_instances(self, instance_ids: list[str]) -> Any:
        """Refused unless every one is running."""
        self._check_states(instance_ids, ("running",), "rebooted")
        return super().reboot_instances(instance_ids)

    def modify_instance_attribute(self, instance_id: str, key: str, value: Any) -> Any:
        """Some attributes only change while the instance is stopped."""
        instance = self.get_instance(instance_id)
        if key in ONLY_WHILE_STOPPED and instance.state != "stopped":
            raise wrong_state(f"The instance '{instance_id}' is not in the 'stopped' state.")
        if key == "user_data":
            check_user_data(value)
        if key == "instance_type":
            self.check_instance_type(value)
        if key == "source_dest_check":
            value = str(value).lower() == "true"
        return super().modify_instance_attribute(instance_id, key, value)

    def modify_instance_security_groups(self, instance_id: str, new_group_id_list: list[str]) -> Any:
        """The groups of the primary interface."""
        instance = self.get_instance(instance_id)
        instance.security_groups = self.groups_for_interface(instance.vpc_id, new_group_id_list)
        return instance

    def modify_instance_metadata_options(self, instance_id: str, **changes: Any) -> MetadataOptions:
        """Change the options that are given; moto forgets the others."""
        instance = self.get_instance(instance_id)
        options = instance.metadata_options
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

    def _default_subnet(self, zone: str | None) -> str:
        """The default subnet of a zone, the region's first if none is asked for: without one there is no launch."""
        subnet = self.get_default_subnets().get(zone or f"{self.region_name}a")
        if subnet is None:
            raise refusal(
                "MissingInput", f"No default subnet for availability zone: '{zone}'. Please specify a subnet."
            )
        return str(subnet.id)

    def _check_states(self, instance_ids: list[str], allowed: tuple[str, ...], verb: str) -> None:
        for instance in self.get_multi_instances_by_id(instance_ids):
            if instance.state not in allowed:
                raise wrong_state(f"The instance '{instance.id}' is not in a state from which it can be {verb}.")

    def _undo_launch(self, reservations: set[str], interfaces: set[str]) -> None:
        for reservation_id in set(self.reservations) - reservations:
            for instance in self.reservations[reservation_id].instances:
                instance.teardown_defaults()
            del self.reservations[reservation_id]
        for interface_id in set(self.enis) - interfaces:
            del self.enis[interface_id]


def check_user_data(user_data: Base64EncodedString | None) -> None:
    """Raise EC2's refusal of more than 16 KiB, counted before base64 (EC2 user guide, "Run commands at launch")."""
    if user_data is not None and len(base64.b64decode(str(user_data))) > USER_DATA_BYTES:
        raise invalid_value("User data is limited to 16384 bytes")


def check_metadata_tags(tags: dict[str, str]) -> None:
    """Raise EC2's refusal for a tag key that cannot be a path of the metadata."""
    for key in tags:
        if not METADATA_TAG_KEY.fullmatch(key) or key in RESERVED_TAG_KEYS:
            raise invalid_value(
                f"'{key}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\-_+=,.@:]{{1,255}}), "
                "and must not be a reserved name ('.', '..', '_index')"
            )


class InstanceAnswers(InstanceResponse):  # type: ignore[misc]
    """What moto does not read of a launch."""

    def run_instances(self) -> ActionResult:
        """RunInstances; a client token seen before answers with the launch it made."""
        launched = self.ec2_backend.launches_by_token.get(self._get_param("ClientToken"))
        if launched:
            return ActionResult(launched)
        try:
            return super().run_instances()
        except IAMNotFoundException:
            # moto answers with IAM's code here, EC2 with its own.
            profile = self._get_param("IamInstanceProfile.Name") or self._get_param("IamInstanceProfile.Arn")
            raise invalid_value(f"Value ({profile}) for parameter iamInstanceProfile.name is invalid") from None

    def _dot_value_instance_attribute_handler(self) -> bool:
        """ModifyInstanceAttribute; moto takes user data, a blob it has decoded already, for encoded."""
        user_data = self._get_param("UserData.Value")
        if user_data is None:
            return bool(super()._dot_value_instance_attribute_handler())
        self.error_on_dryrun()
        encoded = Base64EncodedString.from_encoded_bytes(base64.b64encode(user_data))
        self.ec2_backend.modify_instance_attribute(self._get_param("InstanceId"), "user_data", encoded)
        return True

    def _parse_block_device_mapping(self) -> list[dict[str, Any]]:
        """The root disk's size may be left out: it is the image's. It goes with the instance unless said otherwise."""
        image = self.ec2_backend.amis.get(self._get_param("ImageId"))
        for mapping in self._get_param("BlockDeviceMappings", []):
            if image and mapping.get("DeviceName") == image.root_device_name and "Ebs" in mapping:
                mapping["Ebs"].setdefault("VolumeSize", ROOT_GIBIBYTES)
                mapping["Ebs"].setdefault("DeleteOnTermination", True)
        parsed: list[dict[str, Any]] = super()._parse_block_device_mapping()
        return parsed
