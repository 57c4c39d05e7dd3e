"""Fixtures shared by all tests."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

if TYPE_CHECKING:
    from lab.machines.image import Image
    from lab.machines.rootfs import ImageRecipe


# How long an example takes is the host's business: a busy one is no fault of the code.
hypothesis.settings.register_profile("house", deadline=None, print_blob=True)
hypothesis.settings.load_profile("house")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in full what was not compared with the real CLI: no skip is to pass as a pass."""
    skipped = terminalreporter.stats.get("skipped", [])
    for reason in sorted({report.longrepr[2] for report in skipped if "real_cli" in report.keywords}):
        terminalreporter.section("real Pulumi CLI", yellow=True)
        terminalreporter.line(reason.removeprefix("Skipped: "))


@pytest.fixture(scope="session")
def machine_image() -> "Image":
    """The lab's machine image, built if the cache has none."""
    from lab.machines.rootfs import BAKED

    return _image(BAKED)


@pytest.fixture(scope="session")
def stock_image() -> "Image":
    """The one without the load balancer's packages, built if the cache has none."""
    from lab.machines.rootfs import STOCK

    return _image(STOCK)


def _image(recipe: "ImageRecipe") -> "Image":
    if os.geteuid() != 0:
        pytest.skip("only root can build the image and chroot into it")
    from lab.cloud.authority import ensure_authority
    from lab.machines.image import ensure_image
    from lab.paths import lab_paths

    paths = lab_paths(Path(__file__).parents[1])
    certificate = ensure_authority(paths.authority).certificate
    return ensure_image(paths.cache, certificate, print, recipe=recipe)


@pytest.fixture(scope="session")
def image_root(machine_image: "Image") -> Path:
    """The lab image's file system. Shared and not to be changed: overlay it."""
    return machine_image.rootfs
