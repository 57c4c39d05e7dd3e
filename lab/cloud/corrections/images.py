"""The images one can launch, and the instance types there are."""

from __future__ import annotations

from typing import Any

from moto.ec2.models.amis import Ami, AmiBackend
from moto.ec2.models.instance_types import INSTANCE_TYPES

from lab.cloud.catalogue import CATALOGUE
from lab.cloud.corrections.refusals import invalid_value, refusal

# Debian's account (wiki.debian.org/Cloud/AmazonEC2Image).
DEBIAN_OWNER = "136693071363"
LAB_IMAGE_ID, LAB_IMAGE_NAME = CATALOGUE[0].id, CATALOGUE[0].name
ROOT_DEVICE = "/dev/xvda"
ROOT_GIBIBYTES = 8


class LabImage(Ami):  # type: ignore[misc]
    """An image with the root disk of Debian's."""

    @property
    def block_device_mappings(self) -> list[dict[str, Any]]:
        """The root disk."""
        return [
            {
                "DeviceName": self.root_device_name,
                "Ebs": {
                    "SnapshotId": self.ebs_snapshot.id,
                    "VolumeSize": ROOT_GIBIBYTES,
                    "DeleteOnTermination": True,
                    "VolumeType": "gp3",
                    "Encrypted": False,
                },
            }
        ]


class ImageCorrections(AmiBackend):  # type: ignore[misc]
    """A catalogue of what the lab can boot."""

    def _load_amis(self) -> None:
        """The lab's catalogue in the place of moto's, whose images nothing here can boot."""
        for image in CATALOGUE:
            self.amis[image.id] = LabImage(
                self,
                image.id,
                name=image.name,
                description=image.description,
                owner_id=DEBIAN_OWNER,
                public=True,
                virtualization_type="hvm",
                architecture="x86_64",
                creation_date=image.created,
                image_location=f"amazon/{image.name}",
                hypervisor="xen",
                root_device_type="ebs",
                root_device_name=ROOT_DEVICE,
                region_name=f"{self.region_name}a",
                boot_mode="uefi-preferred",
            )

    def check_image(self, image_id: str) -> None:
        """Raise EC2's refusal for an image that is not there."""
        if not image_id:
            raise refusal("MissingParameter", "The request must contain the parameter ImageId")
        if not image_id.startswith("ami-"):
            raise refusal("InvalidAMIID.Malformed", f'Invalid id: "{image_id}" (expecting "ami-...")')
        if image_id not in self.amis:
            raise refusal("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")

    def check_instance_type(self, instance_type: str, *, code: str = "InvalidParameterValue") -> None:
        """Raise EC2's refusal for a type that is not there or does not run the lab's (x86_64) image."""
        known = INSTANCE_TYPES.get(instance_type)
        if known is None:
            # Words of RunInstances: getmoto/moto#1695.
            raise refusal(code, f"Invalid value '{instance_type}' for InstanceType.")
        if "x86_64" not in known["ProcessorInfo"]["SupportedArchitectures"]:
            raise invalid_value(
                f"The architecture of the instance type {instance_type} does not match that of the image (x86_64)"
            )
