"""The substrate of a full lab: the fabric carries packets, QEMU runs machines."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from lab.cloud.authority import ensure_authority
from lab.cloud.catalogue import recipe_of
from lab.cloud.substrate import MachineRequest
from lab.fabric.client import FabricClient
from lab.fabric.model import VpcState
from lab.machines import qemu
from lab.machines.image import Image, ensure_image
from lab.machines.rootfs import ImageRecipe
from lab.paths import LabPaths

log = logging.getLogger(__name__)


class LabMachines:
    """Machines under `paths`, on the network cards the fabric listens for."""

    # A machine's card is plugged in at power-on (lab/machines/qemu.py).
    most_interfaces: int | None = 1

    def __init__(self, paths: LabPaths, fabric: FabricClient) -> None:
        self._paths = paths
        self._fabric = fabric
        self._images: dict[str, Image] = {}
        self._image_lock = threading.Lock()

    def apply(self, state: VpcState) -> None:
        """Hand the fabric the whole state; it answers when its ports listen. Raises OSError, FabricError."""
        self._fabric.apply(state)

    def launch(self, machine: MachineRequest) -> None:
        """First boot: from the image's saved state. Raises MachineError."""
        log.info("launching %s", machine.instance_id)
        spec = qemu.MachineSpec(
            instance_id=machine.instance_id,
            instance_type=machine.instance_type,
            mac=machine.mac,
            port_socket=self._paths.port_socket(machine.interface_id),
            channel_socket=self._paths.channel_socket(machine.instance_id),
            qmp_socket=self._paths.qmp_socket(machine.instance_id),
            directory=self._directory(machine.instance_id),
        )
        qemu.start(spec, self._ready_image(recipe_of(machine.image_id)), first_boot=True)

    def start(self, machine: MachineRequest) -> None:
        """Boot the disk as it was left. A machine that has power already is left as it is. Raises MachineError."""
        directory = self._directory(machine.instance_id)
        if not qemu.is_running(directory):
            qemu.start(qemu.read_spec(directory), None, first_boot=False)

    def stop(self, instance_id: str) -> None:
        """Shut down, by force where it takes too long."""
        qemu.power_off(self._directory(instance_id))

    def reboot(self, instance_id: str) -> None:
        """Reboot; one without power (a failed host) stays without."""
        if qemu.is_running(self._directory(instance_id)):
            qemu.reboot(self._directory(instance_id))

    def terminate(self, instance_id: str) -> None:
        """Cut its power."""
        qemu.kill(self._directory(instance_id))

    def is_running(self, instance_id: str) -> bool:
        """Whether its process lives."""
        return qemu.is_running(self._directory(instance_id))

    def _directory(self, instance_id: str) -> Path:
        return self._paths.machines / instance_id

    def _ready_image(self, recipe: ImageRecipe) -> Image:
        """The machine image; `lab up` has built it before, where it knew of it: here it is mostly looked up."""
        with self._image_lock:
            if recipe.name not in self._images:
                certificate = ensure_authority(self._paths.authority).certificate
                self._images[recipe.name] = ensure_image(self._paths.cache, certificate, log.info, recipe=recipe)
            return self._images[recipe.name]
