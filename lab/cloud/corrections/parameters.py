"""The public parameters of SSM that say which image is the newest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from moto.ssm.models import Parameter

from lab.cloud.corrections.images import DEBIAN_OWNER

# Debian's names for images, and for the parameters that lead to them (wiki.debian.org/Cloud/AmazonEC2Image).
IMAGE_NAME = re.compile(r"debian-(?P<release>\d+)-(?P<architecture>amd64|arm64)-(?P<build>\d{8}-\d+)")
PATH = "/aws/service/debian/release/{release}/{build}/{architecture}"


def public_parameters(images: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    """Names of parameters and the images (moto's) they lead to: one for each of Debian's, `latest` for the newest."""
    for image in sorted(images, key=lambda image: image.creation_date):
        name = IMAGE_NAME.fullmatch(image.name) if image.owner_id == DEBIAN_OWNER else None
        if name:
            yield PATH.format(**name.groupdict()), image
            yield PATH.format(**name.groupdict() | {"build": "latest"}), image


def publish(ssm: Any, images: Iterable[Any]) -> None:
    """Put them into moto's SSM, which lets nobody put what begins with /aws/."""
    for name, image in public_parameters(images):
        made = Parameter(
            account_id=ssm.account_id,
            name=name,
            value=image.id,
            parameter_type="String",
            description=None,
            allowed_pattern=None,
            keyid=None,
            last_modified_date=image.creation_date,
            version=1,
            data_type="text",
        )
        ssm._parameters[name] = [made]
