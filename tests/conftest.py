"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def image_root() -> Path:
    """The lab image's file system, built if the cache has none. Shared and not to be changed: overlay it."""
    if os.geteuid() != 0:
        pytest.skip("only root can build the image and chroot into it")
    from lab.cloud.authority import ensure_authority
    from lab.machines.image import ensure_image
    from lab.paths import lab_paths

    paths = lab_paths(Path(__file__).parents[1])
    return ensure_image(paths.cache, ensure_authority(paths.authority).certificate, print).rootfs
