"""Which image a machine boots: that of its instance's AMI."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.cloud import machine_substrate
from lab.cloud.catalogue import CATALOGUE, STOCK_IMAGE_ID, recipe_of
from lab.cloud.machine_substrate import LabMachines
from lab.cloud.substrate import MachineRequest
from lab.fabric.client import FabricClient
from lab.machines.rootfs import BAKED, STOCK
from lab.paths import LabPaths


def test_a_machine_boots_the_image_of_its_ami(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    booted: list[tuple[str, Any]] = []
    built: list[str] = []

    def build(cache: Path, certificate: Path, progress: Any, *, recipe: Any) -> str:
        built.append(recipe.name)
        return f"image {recipe.name}"

    monkeypatch.setattr(machine_substrate, "ensure_image", build)
    monkeypatch.setattr(
        machine_substrate.qemu, "start", lambda spec, image, first_boot: booted.append((spec.instance_id, image))
    )
    paths = LabPaths(home=tmp_path / "home", run=tmp_path / "run", cache=tmp_path / "cache")
    machines = LabMachines(paths, FabricClient(tmp_path / "fabric.sock"))
    for number, image in enumerate((CATALOGUE[0].id, STOCK_IMAGE_ID, CATALOGUE[0].id)):
        machines.launch(
            MachineRequest(
                instance_id=f"i-{number}", instance_type="t3.micro", image_id=image, interface_id="eni-1", mac="02:00"
            )
        )
    assert booted == [("i-0", "image baked"), ("i-1", "image stock"), ("i-2", "image baked")]
    assert built == ["baked", "stock"]


def test_an_image_the_catalogue_does_not_have_is_looked_up_by_name_and_so_the_newest() -> None:
    assert (recipe_of(None), recipe_of("ami-0deb1a13000000001"), recipe_of(STOCK_IMAGE_ID)) == (BAKED, BAKED, STOCK)
    assert CATALOGUE[0].created == max(image.created for image in CATALOGUE)
