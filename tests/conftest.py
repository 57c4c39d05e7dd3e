"""Fixtures shared by all tests."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from lab.machines.image import Image


@pytest.fixture(scope="session")
def machine_image() -> "Image":
    """The lab's machine image, built if the cache has none."""
    if os.geteuid() != 0:
        pytest.skip("only root can build the image and chroot into it")
    from lab.cloud.authority import ensure_authority
    from lab.machines.image import ensure_image
    from lab.paths import lab_paths

    paths = lab_paths(Path(__file__).parents[1])
    return ensure_image(paths.cache, ensure_authority(paths.authority).certificate, print)


@pytest.fixture(scope="session")
def image_root(machine_image: "Image") -> Path:
    """The lab image's file system. Shared and not to be changed: overlay it."""
    return machine_image.rootfs
