"""What carries the account's instances and network: machines and a fabric, or nothing at all."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import Protocol

from lab.fabric.model import VpcState


@dataclass(frozen=True, kw_only=True)
class MachineRequest:
    """What a machine is made of, as its EC2 instance says."""

    instance_id: str
    instance_type: str
    image_id: str
    interface_id: str
    mac: str


class Substrate(Protocol):
    """Carries out what the API decided. All calls may come from any thread, but never two at once for one instance.

    `most_interfaces` is how many network interfaces an instance can have here; None: as many as its type.
    """

    most_interfaces: int | None

    def apply(self, state: VpcState) -> None:
        """Make the network so; returns when it is."""

    def launch(self, machine: MachineRequest) -> None:
        """Make a machine and give it power; returns when it runs. Raises on failure."""

    def start(self, machine: MachineRequest) -> None:
        """Give an existing machine power again; returns when it runs. Raises on failure."""

    def stop(self, instance_id: str) -> None:
        """Ask a machine to power off, and cut its power where it does not; returns when it is off."""

    def reboot(self, instance_id: str) -> None:
        """Restart a machine."""

    def terminate(self, instance_id: str) -> None:
        """Cut a machine's power for good; a machine that has none is fine."""

    def is_running(self, instance_id: str) -> bool:
        """Whether the machine has power."""


class NoMachines:
    """The API alone: an instance gets and loses its power in `boot_delay_seconds`, and the network is forgotten."""

    most_interfaces: int | None = None

    def __init__(self, *, boot_delay_seconds: float = 0.0) -> None:
        self._boot_delay_seconds = boot_delay_seconds
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self.state = VpcState()

    def apply(self, state: VpcState) -> None:
        """Remember the last state, for whoever wants to look."""
        self.state = state

    def _take_time(self) -> None:
        if self._boot_delay_seconds:
            time.sleep(self._boot_delay_seconds)

    def launch(self, machine: MachineRequest) -> None:
        """Running after the delay."""
        self._take_time()
        with self._lock:
            self._running.add(machine.instance_id)

    def start(self, machine: MachineRequest) -> None:
        """Running after the delay."""
        self.launch(machine)

    def stop(self, instance_id: str) -> None:
        """Off after the delay."""
        self.terminate(instance_id)

    def reboot(self, instance_id: str) -> None:
        """Nothing to restart."""

    def terminate(self, instance_id: str) -> None:
        """Off after the delay."""
        self._take_time()
        with self._lock:
            self._running.discard(instance_id)

    def is_running(self, instance_id: str) -> bool:
        """Whether it was started last."""
        with self._lock:
            return instance_id in self._running
