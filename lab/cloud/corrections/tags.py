"""Tags: which a resource may have, and that they go with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.ec2.responses.tags import TagResponse

from lab.cloud.corrections.identifiers import KINDS
from lab.cloud.corrections.refusals import invalid_value

# What a call can tag as it makes it (API reference, the TagSpecification of each).
TAGGABLE = {
    "AllocateAddress": ("elastic-ip",),
    "AuthorizeSecurityGroupEgress": ("security-group-rule",),
    "AuthorizeSecurityGroupIngress": ("security-group-rule",),
    "CreateInternetGateway": ("internet-gateway",),
    "CreateKeyPair": ("key-pair",),
    "CreateNetworkInterface": ("network-interface",),
    "CreateRouteTable": ("route-table",),
    "CreateSecurityGroup": ("security-group",),
    "CreateSubnet": ("subnet",),
    "CreateSubnetCidrReservation": ("subnet-cidr-reservation",),
    "CreateVpc": ("vpc",),
    "RunInstances": ("instance", "volume", "network-interface", "spot-instances-request", "elastic-gpu"),
}
# "Maximum key length: 128 Unicode characters", "maximum value length: 256" (EC2 user guide, "Tag restrictions").
LONGEST_KEY, LONGEST_VALUE = 128, 256


def check_tags(operation: str, parameters: Mapping[str, Any]) -> None:
    """Raise EC2's refusal of the tags that a request, by the model's names, would give."""
    for specification in parameters.get("TagSpecifications", ()):
        kind = specification.get("ResourceType")
        if operation in TAGGABLE and kind not in TAGGABLE[operation]:
            raise invalid_value(f"'{kind}' is not a valid taggable resource type for this operation.")
        _check(specification.get("Tags", ()))
    if operation in ("CreateTags", "DeleteTags"):
        _check(parameters.get("Tags", ()), with_values=operation == "CreateTags")


def _check(tags: Iterable[Mapping[str, str]], *, with_values: bool = True) -> None:
    for tag in tags:
        key, value = tag.get("Key", ""), tag.get("Value")
        if not key:
            raise invalid_value("Tag keys cannot be empty.")
        if value is None and with_values:
            raise invalid_value("Tag value cannot be null. Use empty string instead.")
        if key.lower().startswith("aws:"):
            raise invalid_value("Tag keys starting with 'aws:' are reserved for internal use")
        if len(key) > LONGEST_KEY:
            raise invalid_value(f"Tag key exceeds the maximum length of {LONGEST_KEY} characters")
        if value and len(value) > LONGEST_VALUE:
            raise invalid_value(f"Tag value exceeds the maximum length of {LONGEST_VALUE} characters")


class TagAnswers(TagResponse):  # type: ignore[misc]
    """Tags of what there is: moto keeps those of what is gone."""

    def describe_tags(self) -> ActionResult:
        """DescribeTags."""
        return ActionResult({"Tags": [tag for tag in self.ec2_backend.describe_tags() if self._is_there(tag)]})

    def _is_there(self, tag: Mapping[str, str]) -> bool:
        resource = tag["resource_id"]
        for kind in KINDS:
            if kind.find is not None and resource.rpartition("-")[0] == kind.prefix:
                try:
                    kind.find(self.ec2_backend, resource)
                except ServiceException:
                    return False
        return True
