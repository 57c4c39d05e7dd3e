"""The machine images of the lab's account, and what boots for each. Plain data: who only asks needs no EC2."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from lab.machines.rootfs import BAKED, STOCK, ImageRecipe


@dataclass(frozen=True, kw_only=True)
class MachineImage:
    """An AMI: its id, and name, description and date of creation as DescribeImages tells; `recipe` says what boots."""

    id: str
    name: str
    description: str
    created: datetime
    recipe: ImageRecipe


STOCK_IMAGE_ID = "ami-0deb1a13000000002"
# Debian's way to name images. A look-up by name takes the newest that matches: the one that boots quickly.
CATALOGUE = (
    MachineImage(
        id="ami-0deb1a13000000001",
        name="debian-13-amd64-20250814-2204",
        description="Debian 13 (20250814-2204)",
        created=datetime(2025, 8, 14, 22, 4, tzinfo=UTC),
        recipe=BAKED,
    ),
    MachineImage(
        id=STOCK_IMAGE_ID,
        name="debian-13-amd64-20250806-2135",
        description="Debian 13 (20250806-2135), nothing of the load balancer in it: first boots install everything",
        created=datetime(2025, 8, 6, 21, 35, tzinfo=UTC),
        recipe=STOCK,
    ),
)


def recipe_of(image_id: str | None) -> ImageRecipe:
    """What boots for an image id; for one that is not in the catalogue, what a look-up by name finds."""
    return next((image.recipe for image in CATALOGUE if image.id == image_id), CATALOGUE[0].recipe)
