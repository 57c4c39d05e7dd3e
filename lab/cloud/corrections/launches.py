"""Launches: checked as a whole before anything is made; a refused one leaves nothing."""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

from moto.core.responses import ActionResult
from moto.core.types import Base64EncodedString
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.models.instances import InstanceBackend
from moto.ec2.responses.instances import InstanceResponse
from moto.iam.exceptions import NotFoundException as IAMNotFoundException

from lab.cloud.corrections.attachments import check_interface_limit, in_use
from lab.cloud.corrections.images import ROOT_GIBIBYTES
from lab.cloud.corrections.refusals import invalid_value, refusal
from lab.cloud.effects import Effect

USER_DATA_BYTES = 16 * 1024
# API reference, InstanceMetadataOptionsRequest: "Possible values: integers from 1 to 64".
HOP_LIMITS = range(1, 65)
# EC2 user guide, "Work with instance tags in instance metadata".
METADATA_TAG_KEY = re.compile(r"[0-9a-zA-Z\-_+=,.@:]{1,255}")
RESERVED_TAG_KEYS = (".", "..", "_index")


class LaunchCorrections(InstanceBackend):  # type: ignore[misc]
    """EC2's rules for launches."""

    effects: list[Effect]
    launches_by_token: dict[str, Any]

    def run_instances(
        self, image_id: str, count: int, user_data: Any, security_group_names: list[str], **options: Any
    ) -> Any:
        """Launch, after every check; a refused launch leaves nothing."""
        if not options.get("subnet_id") and not options.get("nics"):
            options["subnet_id"] = self._default_subnet(options.get("placement"))
        self.check_launch(image_id, count, user_data, security_group_names, options)
        before = set(self.reservations), set(self.enis)
        try:
            reservation = super().run_instances(image_id, count, user_data, security_group_names, **options)
        except Exception:
            self._undo_launch(*before)
            raise
        for instance in reservation.instances:
            self.effects.append(Effect(kind="launch", instance_id=instance.id))
        return reservation

    def check_launch(
        self, image_id: str, count: int, user_data: Any, group_names: Sequence[str], options: Mapping[str, Any]
    ) -> None:
        """Raise EC2's refusal of what a launch asks for; addresses are checked as they are taken."""
        if options.get("launch_template"):
            self._check_template(options["launch_template"])
        else:
            self.check_image(image_id)
        self.check_instance_type(options["instance_type"])
        check_user_data(user_data)
        metadata = options.get("metadata_options") or {}
        check_hop_limit(metadata.get("HttpPutResponseHopLimit"))
        if metadata.get("InstanceMetadataTags") == "enabled":
            check_metadata_tags(options.get("tags", {}).get("instance", {}))
        if options.get("key_name") and options["key_name"] not in self.key_pairs:
            raise refusal("InvalidKeyPair.NotFound", f"The key pair '{options['key_name']}' does not exist")
        nics = options.get("nics") or []
        if options.get("private_ip") and count > 1:
            raise refusal(
                "InvalidParameterCombination", "A private IP address may be specified for one instance at a time"
            )
        for given, what in (
            (options.get("private_ip"), "an instance-level private IP address"),
            (group_names or options.get("security_group_ids"), "an instance-level security groups"),
        ):
            # Words: aws/aws-cli#520, for the address.
            if nics and given:
                raise refusal(
                    "InvalidParameterCombination",
                    f"Network interfaces and {what} may not be specified on the same request",
                )
        self._check_group_names(group_names, options)
        if nics:
            self._check_interfaces(nics, count, options["instance_type"])

    def free_places(self, subnet_id: str, most: int) -> int:
        """How many instances, at most `most`, a subnet has automatic addresses for."""
        return int(self.get_subnet(subnet_id).count_free(most))

    def _default_subnet(self, zone: str | None) -> str:
        """The default subnet of a zone, the region's first if none is asked for: without one there is no launch."""
        subnet = self.get_default_subnets().get(zone or f"{self.region_name}a")
        if subnet is None:
            raise refusal(
                "MissingInput", f"No default subnet for availability zone: '{zone}'. Please specify a subnet."
            )
        return str(subnet.id)

    def _check_template(self, named: Mapping[str, str]) -> None:
        if not named.get("LaunchTemplateId") and not named.get("LaunchTemplateName"):
            raise refusal("MissingParameter", "The request must contain the parameter launchTemplateId")
        try:
            self._get_template_from_args(named)
        except (KeyError, IndexError):
            raise refusal("InvalidLaunchTemplateId.NotFound", "The launch template does not exist") from None

    def _check_group_names(self, names: Sequence[str], options: Mapping[str, Any]) -> None:
        """Groups go by name in the default VPC only (API reference, RunInstances, SecurityGroup.N)."""
        subnet = options.get("subnet_id")
        if names and subnet and self.get_subnet(subnet).vpc_id != self.default_vpc.id:
            raise refusal(
                "InvalidParameterCombination", "The parameter groupName cannot be used with the parameter subnet"
            )
        for name in names:
            if self.get_security_group_from_name(name, self.default_vpc.id) is None:
                raise refusal("InvalidGroup.NotFound", f"The security group '{name}' does not exist in default VPC")

    def _check_interfaces(self, nics: Sequence[Mapping[str, Any]], count: int, instance_type: str) -> None:
        indexes = [nic.get("DeviceIndex") for nic in nics]
        if None in indexes:
            raise refusal("MissingParameter", "Each network interface requires a device index.")
        if len(set(indexes)) < len(indexes):
            raise invalid_value("Each network interface requires a unique device index.")
        if 0 not in indexes:
            raise invalid_value("When specifying network interfaces, one must have the device index 0.")
        self.check_machine(len(nics))
        check_interface_limit(instance_type, len(nics))
        for nic in nics:
            self._check_interface(nic, count, instance_type)

    def _check_interface(self, nic: Mapping[str, Any], count: int, instance_type: str) -> None:
        listed = [each.get("PrivateIpAddress") for each in nic.get("PrivateIpAddresses", [])]
        extra = int(nic.get("SecondaryPrivateIpAddressCount") or 0)
        addresses = max(len(listed), 1) + extra
        if nic.get("NetworkInterfaceId"):
            interface = self.get_network_interface(nic["NetworkInterfaceId"])
            if interface.instance is not None:
                raise in_use(interface.id)
            addresses = len(interface.addresses)
        if count > 1 and (nic.get("NetworkInterfaceId") or nic.get("PrivateIpAddress") or listed):
            raise refusal(
                "InvalidParameterCombination",
                "Network interface and private addresses may be specified for one instance at a time",
            )
        if addresses > INSTANCE_TYPES[instance_type]["NetworkInfo"]["Ipv4AddressesPerInterface"]:
            # "The number of private IP addresses for a specified network interface exceeds the limit for the type of
            # instance you are trying to launch" (API reference, "Error codes").
            raise refusal(
                "InvalidInterface.IpAddressLimitExceeded",
                f"Interface count of private addresses {addresses} exceeds the limit for {instance_type}",
            )

    def _undo_launch(self, reservations: set[str], interfaces: set[str]) -> None:
        for reservation_id in set(self.reservations) - reservations:
            for instance in self.reservations[reservation_id].instances:
                instance.teardown_defaults()
            del self.reservations[reservation_id]
        for interface_id in set(self.enis) - interfaces:
            del self.enis[interface_id]
        for interface in self.enis.values():
            if interface.instance is not None and self.get_instance_by_id(interface.instance.id) is None:
                interface.instance.detach_eni(interface)


def _is_base64(text: str) -> bool:
    """Whether it is, in one line or many."""
    try:
        base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return False
    return True


def check_user_data(user_data: Base64EncodedString | None) -> None:
    """Raise EC2's refusal of more than 16 KiB, counted before base64 (EC2 user guide, "Run commands at launch")."""
    if user_data is not None and len(base64.b64decode(str(user_data))) > USER_DATA_BYTES:
        raise invalid_value("User data is limited to 16384 bytes")


def check_hop_limit(limit: int | None) -> None:
    """Raise EC2's refusal of a hop limit it does not have; None is none given."""
    if limit is not None and int(limit) not in HOP_LIMITS:
        raise invalid_value(f"Value ({limit}) for parameter HttpPutResponseHopLimit is invalid. Expecting 1 to 64.")


def check_metadata_tags(tags: Mapping[str, str]) -> None:
    """Raise EC2's refusal for a tag key that cannot be a path of the metadata."""
    for key in tags:
        if not METADATA_TAG_KEY.fullmatch(key) or key in RESERVED_TAG_KEYS:
            raise invalid_value(
                f"'{key}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\-_+=,.@:]{{1,255}}), "
                "and must not be a reserved name ('.', '..', '_index')"
            )


class LaunchAnswers(InstanceResponse):  # type: ignore[misc]
    """What moto does not read of a launch."""

    def run_instances(self) -> ActionResult:
        """RunInstances; a client token seen before answers with the launch it made."""
        request = copy.deepcopy({name: self.params[name] for name in self.params if name != "ClientToken"})
        token = self._get_param("ClientToken")
        if token in self.ec2_backend.launches_by_token:
            made_by, reservation = self.ec2_backend.launches_by_token[token]
            return ActionResult(_launched_before(reservation, made_by=made_by, request=request))
        if not _is_base64(self._get_param("UserData", "")):
            raise invalid_value("Invalid BASE64 encoding of user data.")
        self.params["MinCount"] = self._count()
        try:
            launched = super().run_instances()
        except IAMNotFoundException:
            # moto answers with IAM's code here, EC2 with its own.
            profile = self._get_param("IamInstanceProfile.Name") or self._get_param("IamInstanceProfile.Arn")
            raise invalid_value(f"Value ({profile}) for parameter iamInstanceProfile.name is invalid") from None
        self._complete(launched.result)
        if token:
            self.ec2_backend.launches_by_token[token] = (request, launched.result)
        return launched

    def error_on_dryrun(self) -> None:
        """In a launch, once all of it was looked at: moto would not have looked at the image yet."""
        if self._get_param("DryRun") and self._get_action() == "RunInstances":
            user_data = self._get_param("UserData")
            self.ec2_backend.check_launch(
                self._get_param("ImageId"),
                int(self._get_param("MinCount")),
                user_data,
                self._get_param("SecurityGroups", []),
                {
                    "instance_type": self._get_param("InstanceType", "m1.small"),
                    "metadata_options": self._get_param("MetadataOptions", {}),
                    "key_name": self._get_param("KeyName"),
                    "nics": self._get_param("NetworkInterfaces", []),
                    "private_ip": self._get_param("PrivateIpAddress"),
                    "security_group_ids": self._get_param("SecurityGroupIds", []),
                    "subnet_id": self._get_param("SubnetId"),
                    "launch_template": self._get_param("LaunchTemplate", {}),
                },
            )
        super().error_on_dryrun()

    def _count(self) -> int:
        """How many: "the largest possible number of instances above the specified minimum" (API reference)."""
        least, most = int(self._get_param("MinCount")), int(self._get_param("MaxCount"))
        if least < 1 or most < least:
            raise invalid_value(f"Value ({least}) for parameter minCount is invalid: 1 to maxCount ({most}) is.")
        subnet = self._get_param("SubnetId")
        return max(least, self.ec2_backend.free_places(subnet, most)) if subnet and most > least else most

    def _complete(self, reservation: Any) -> None:
        """Set what moto reads of no launch, or for the first instance only."""
        profile = self._get_param("IamInstanceProfile", {})
        interface_tags = self._parse_tag_specification().get("network-interface", {})
        for index, instance in enumerate(reservation.instances):
            instance.disable_api_termination = bool(self._get_param("DisableApiTermination"))
            for interface in instance.nics.values():
                interface.add_tags(interface_tags)
            if profile and index > 0:
                self.ec2_backend.associate_iam_instance_profile(
                    instance_id=instance.id,
                    iam_instance_profile_name=profile.get("Name"),
                    iam_instance_profile_arn=profile.get("Arn"),
                )

    def _parse_block_device_mapping(self) -> list[dict[str, Any]]:
        """The root disk's size may be left out: it is the image's. It goes with the instance unless said otherwise."""
        image = self.ec2_backend.amis.get(self._get_param("ImageId"))
        for mapping in self._get_param("BlockDeviceMappings", []):
            if image and mapping.get("DeviceName") == image.root_device_name and "Ebs" in mapping:
                mapping["Ebs"].setdefault("VolumeSize", ROOT_GIBIBYTES)
                mapping["Ebs"].setdefault("DeleteOnTermination", True)
        parsed: list[dict[str, Any]] = super()._parse_block_device_mapping()
        return parsed


def _launched_before(reservation: Any, *, made_by: Mapping[str, Any], request: Mapping[str, Any]) -> Any:
    """What a client token stands for; the words of its refusals: runs-on/runs-on#251 and boto/boto3#4406."""
    if made_by != request:
        raise refusal(
            "IdempotentParameterMismatch",
            "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
        )
    if all(instance.state == "terminated" for instance in reservation.instances):
        raise refusal(
            "IdempotentInstanceTerminated",
            "The client token you have provided is associated with a terminated instance. Please use a different "
            "client token.",
        )
    return reservation
