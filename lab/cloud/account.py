"""The lab's one AWS account: moto's state, the one lock around it, and what a change in it sets going."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

from moto.core.model_instances import reset_model_data
from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends
from moto.ssm.models import ssm_backends
from moto.sts.models import sts_backends

from lab.cloud.corrections import install
from lab.cloud.corrections.instance_states import GONE
from lab.cloud.corrections.parameters import publish
from lab.cloud.effects import Effect
from lab.cloud.faults import Fault, FaultLedger, blocks_of
from lab.cloud.journal import Journal
from lab.cloud.remap import Addresses, NetworkView
from lab.cloud.substrate import MachineRequest, Substrate
from lab.cloud.vpc_state import interface_addresses, vpc_state
from lab.fabric.model import VpcState

log = logging.getLogger(__name__)
ACCOUNT_ID = "123456789012"


class Account:
    """EC2, IAM, STS and SSM of one region on a substrate.

    Whoever reads or changes moto's state holds `lock`. Whoever changed it calls `settle` before letting go: the network
    follows, in order, and machines begin to do what they have to.
    """

    def __init__(self, *, region: str, substrate: Substrate, remap_delay_seconds: float) -> None:
        install()
        self.region = region
        self.substrate = substrate
        self.lock = threading.RLock()
        self.faults = FaultLedger()
        self.journal = Journal()
        self._remap_delay_seconds = remap_delay_seconds
        self._view = NetworkView(remap_delay_seconds)
        self._applied = VpcState()
        self._work: dict[str, queue.SimpleQueue[Effect | None]] = {}
        self._later = threading.Condition(self.lock)
        self._closed = False
        threading.Thread(target=self._follow_remaps, name="remaps", daemon=True).start()
        self.reset()

    @property
    def ec2(self) -> Any:
        """Moto's EC2 of the region; hold the lock."""
        return ec2_backends[ACCOUNT_ID][self.region]

    @property
    def iam(self) -> Any:
        """Moto's IAM; hold the lock."""
        return iam_backends[ACCOUNT_ID]["aws"]

    @property
    def sts(self) -> Any:
        """Moto's STS; hold the lock."""
        return sts_backends[ACCOUNT_ID]["aws"]

    def addresses(self) -> Addresses:
        """What the network was last told of the addresses of interfaces; hold the lock."""
        # Looking must not move the view on: what becomes due would never reach the fabric.
        return self._view.known

    def settle(self) -> None:
        """Bring the network and the machines after a change; hold the lock. Raises where the fabric does not answer."""
        now = time.monotonic()
        self._view.observe(interface_addresses(self.ec2), now)
        blocks = blocks_of(self.faults.current().values(), self._interface_of)
        state = vpc_state(self.ec2, self._view.at(now), blocks)
        if state != self._applied:
            self.substrate.apply(state)
            self.journal.follow(self._applied, state)
            self._applied = state
        for effect in self.ec2.take_effects():
            self._worker(effect.instance_id).put(effect)
        if self._view.next_change() is not None:
            self._later.notify_all()

    def add_fault(self, fault: Fault) -> str:
        """From now on something is wrong; the fault's id."""
        with self.lock:
            name = self.faults.add(fault)
            self._follow_faults()
            return name

    def clear_faults(self, name: str | None = None) -> list[str]:
        """Undo one fault, or all; the ids of what is undone. Raises FaultError for an id that is not there."""
        with self.lock:
            cleared = self.faults.clear(name)
            self._follow_faults()
            return cleared

    def instance_of_key(self, access_key_id: str) -> str | None:
        """The instance whose metadata gave these credentials; None for other keys. Hold the lock."""
        session = self.sts.get_assumed_role_from_access_key(access_key_id)
        return str(session.session_name) if session is not None and session.session_name.startswith("i-") else None

    def _follow_faults(self) -> None:
        remap_seconds = self.faults.remap_seconds()
        self._view.set_delay(
            self._remap_delay_seconds if remap_seconds is None else remap_seconds, now=time.monotonic()
        )
        self.settle()

    def _interface_of(self, instance_id: str) -> str | None:
        instance = self.ec2.get_instance_by_id(instance_id)
        primary = instance.nics.get(0) if instance is not None else None
        return None if primary is None else str(primary.id)

    def reset(self) -> None:
        """An empty account: every machine ends, everything is forgotten, faults too. For tests."""
        with self.lock:
            self.faults.clear()
            workers, self._work = self._work, {}
            for instance_id, work in workers.items():
                work.put(Effect(kind="terminate", instance_id=instance_id))
                work.put(None)
            for backends in (ec2_backends, iam_backends, sts_backends, ssm_backends):
                backends.clear()
            reset_model_data()
            self.ec2.most_interfaces = self.substrate.most_interfaces
            publish(ssm_backends[ACCOUNT_ID][self.region], self.ec2.amis.values())
            self._view = NetworkView(self._remap_delay_seconds)
            self.settle()

    def close(self) -> None:
        """Empty it, and let its threads end."""
        with self.lock:
            self.reset()
            self._closed = True
            self._later.notify_all()

    def _follow_remaps(self) -> None:
        """Tell the fabric of what becomes known as time passes."""
        while not self._closed:
            with self.lock:
                due = self._view.next_change()
                self._later.wait(None if due is None else max(0.0, due - time.monotonic()))
                due = self._view.next_change()
                if due is not None and due <= time.monotonic():
                    try:
                        self.settle()
                    except Exception:
                        log.exception("the network did not follow a remap")

    def _worker(self, instance_id: str) -> queue.SimpleQueue[Effect | None]:
        """The queue of one instance: its machine does one thing at a time, in the order of the calls."""
        if instance_id not in self._work:
            work: queue.SimpleQueue[Effect | None] = queue.SimpleQueue()
            self._work[instance_id] = work
            threading.Thread(target=self._drive, args=(work, self.ec2), name=instance_id, daemon=True).start()
        return self._work[instance_id]

    def _drive(self, work: queue.SimpleQueue[Effect | None], backend: Any) -> None:
        while (effect := work.get()) is not None:
            try:
                self._carry_out(effect, backend)
            except Exception:
                log.exception("%s of %s failed", effect.kind, effect.instance_id)
            if effect.kind == "terminate":
                return

    def _carry_out(self, effect: Effect, backend: Any) -> None:
        with self.lock:
            instance = backend.get_instance_by_id(effect.instance_id)
            alive = instance is not None and instance.state not in GONE
            machine = _machine(instance) if alive else None
            graceful = instance is not None and instance.state == "shutting-down" and instance.has_run
        identity = effect.instance_id
        if effect.kind == "terminate":
            self._power_off(identity, graceful=graceful)
            self._ended(backend, identity)
        elif machine is None:
            return  # terminated while this waited its turn
        elif effect.kind in ("launch", "start"):
            power_on = self.substrate.launch if effect.kind == "launch" else self.substrate.start
            self._power_on(power_on, machine, backend)
        elif effect.kind == "stop":
            self.substrate.stop(identity)
            self._became(backend, identity, {"stopping": "stopped"})
        else:
            self.substrate.reboot(identity)

    def _power_on(self, power_on: Callable[[MachineRequest], None], machine: MachineRequest, backend: Any) -> None:
        try:
            power_on(machine)
        except Exception as error:
            log.exception("no machine for %s", machine.instance_id)
            with self.lock:
                instance = backend.get_instance_by_id(machine.instance_id)
                if instance is not None and instance.state == "pending":
                    instance.terminate()
                    # EC2's state reason for a launch that fails on its side (API reference, StateReason).
                    instance.became(
                        "shutting-down", reason=f"Server.InternalError: {error}", code="Server.InternalError"
                    )
                    self.settle()
            return
        self._became(backend, machine.instance_id, {"pending": "running"})

    def _power_off(self, identity: str, *, graceful: bool) -> None:
        """Let it shut down as StopInstances does, or take its power: of one that never ran, or does not stop."""
        if graceful:
            try:
                self.substrate.stop(identity)
            except Exception:
                log.exception("%s does not shut down", identity)
            else:
                return
        self.substrate.terminate(identity)

    def _ended(self, backend: Any, instance_id: str) -> None:
        with self.lock:
            instance = backend.get_instance_by_id(instance_id)
            if instance is not None and instance.state == "shutting-down":
                instance.end()
                if backend is self.ec2:
                    self.settle()

    def _became(self, backend: Any, instance_id: str, step: dict[str, str]) -> None:
        """Take a step of the instance's states, where it is still where the step begins."""
        with self.lock:
            instance = backend.get_instance_by_id(instance_id)
            if instance is None or instance.state not in step:
                return
            transition = instance.state_reason
            instance.became(step[instance.state], reason=transition.message, code=transition.code)
            if backend is self.ec2:
                self.settle()


def _machine(instance: Any) -> MachineRequest:
    primary = instance.nics[0]
    return MachineRequest(
        instance_id=instance.id,
        instance_type=instance.instance_type,
        image_id=instance.image_id,
        interface_id=primary.id,
        mac=primary.mac_address,
    )
