"""An instance: states that take time, and an end that frees what it held."""

from __future__ import annotations

import base64
import copy
from typing import Any

from moto.core.utils import utcnow
from moto.ec2.models.instances import Instance, InstanceState, StateReason

from lab.cloud.corrections.images import ROOT_GIBIBYTES
from lab.cloud.effects import Effect

# Codes of the API reference, InstanceState.
STATES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}


class LabInstance(Instance):  # type: ignore[misc]
    """An instance whose groups, check and addresses are those of its primary interface.

    Calls that need a machine to act record an Effect on the backend; the lab's power switch carries it out.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.has_run = False
        self.became("pending")

    @property
    def raw_user_data(self) -> bytes | None:
        """User data as the machine reads it; None where none was given."""
        return base64.b64decode(str(self.user_data)) if self.user_data else None

    @property
    def security_groups(self) -> list[Any]:
        """The groups of the primary interface."""
        primary = self._primary
        return primary.group_set if primary else self._launch_groups

    @security_groups.setter
    def security_groups(self, groups: list[Any]) -> None:
        self._launch_groups = groups
        if self._primary and groups:
            self._primary._group_set = groups

    @property
    def source_dest_check(self) -> bool:
        """Whether the primary interface must be source or destination of its packets."""
        primary = self._primary
        return bool(primary.source_dest_check) if primary else self._launch_check

    @source_dest_check.setter
    def source_dest_check(self, value: bool) -> None:
        self._launch_check = value
        if self._primary:
            self._primary.source_dest_check = value

    @property
    def private_ip(self) -> str | None:
        """The primary private address, None once terminated."""
        return self._primary.private_ip_address if self._primary else None

    @property
    def private_ip_address(self) -> str | None:
        """The primary private address, None once terminated."""
        return self.private_ip

    @property
    def public_ip(self) -> str | None:
        """The public address of the primary private address."""
        return self._primary.public_ip if self._primary else None

    @property
    def public_ip_address(self) -> str | None:
        """The public address of the primary private address."""
        return self.public_ip

    @property
    def private_dns_name(self) -> str:
        """The internal name, empty once terminated."""
        return self._primary.private_dns_name if self._primary else ""

    @property
    def _primary(self) -> Any:
        return getattr(self, "nics", {}).get(0)

    def became(self, state: str, *, reason: str = "", code: str | None = None) -> None:
        """Enter a state; `code` and `reason` are StateReason's, for states that are not the user's success."""
        self.has_run = self.has_run or state == "running"
        self._state = InstanceState(state, STATES[state])
        self._reason = reason
        self.state_reason = StateReason(reason, code) if code else StateReason()

    def prep_nics(self, nic_spec: list[dict[str, Any]], **options: Any) -> None:
        """An interface made at launch goes with its instance, unless said otherwise."""
        for spec in nic_spec:
            if "NetworkInterfaceId" not in spec:
                spec.setdefault("DeleteOnTermination", True)
        super().prep_nics(nic_spec, **options)
        if not nic_spec:
            self.nics[0].delete_on_termination = True
        for spec in nic_spec:
            if "NetworkInterfaceId" not in spec:
                self._add_secondary_addresses(self.nics[int(spec["DeviceIndex"])], spec)

    def setup_defaults(self) -> None:
        """The root disk, under the image's name for it; moto's is another."""
        volume = self.ec2_backend.create_volume(size=ROOT_GIBIBYTES, zone_name=self.availability_zone)
        self.ec2_backend.attach_volume(volume.id, self.id, self.root_device_name, True)

    def start(self) -> Any:
        """Stopped -> pending; the machine gets its power."""
        previous = copy.copy(self._state)
        if previous.name == "stopped":
            for nic in self.nics.values():
                nic.start()
            self.launch_time = utcnow()
            self.became("pending")
            self.ec2_backend.effects.append(Effect(kind="start", instance_id=self.id))
        return previous

    def stop(self) -> Any:
        """Running -> stopping; the machine is asked to power off."""
        previous = copy.copy(self._state)
        if previous.name == "running":
            for nic in self.nics.values():
                nic.stop()
            self._became_by_user("stopping")
            self.ec2_backend.effects.append(Effect(kind="stop", instance_id=self.id))
        return previous

    def reboot(self) -> None:
        """The machine restarts; the state stays."""
        self.ec2_backend.effects.append(Effect(kind="reboot", instance_id=self.id))

    def terminate(self) -> Any:
        """-> shutting-down, and all is left as it is while the machine shuts down; stopped -> terminated."""
        previous = copy.copy(self._state)
        if previous.name in ("shutting-down", "terminated"):
            return previous
        self._became_by_user("shutting-down")
        if previous.name == "stopped":
            self.end()
        self.ec2_backend.effects.append(Effect(kind="terminate", instance_id=self.id))
        return previous

    def end(self) -> None:
        """Shutting-down -> terminated: interfaces, addresses, associations and the instance profile are free."""
        self._launch_groups, self._launch_check = self.security_groups, self.source_dest_check
        for nic in list(self.nics.values()):
            nic.stop()
            self.detach_eni(nic)
            if nic.delete_on_termination:
                nic.delete()
        self.teardown_defaults()
        profile = self.ec2_backend.iam_instance_profile_associations.get(self.id)
        if profile:
            self.ec2_backend.disassociate_iam_instance_profile(association_id=profile.association_id)
        self._state = InstanceState("terminated", STATES["terminated"])  # for the reason it was shutting down for

    @staticmethod
    def _add_secondary_addresses(interface: Any, spec: dict[str, Any]) -> None:
        """What a launch asks of an interface beside its primary address; moto leaves it out."""
        for entry in spec.get("PrivateIpAddresses", []):
            address = entry.get("PrivateIpAddress")
            if address and address not in interface.addresses:
                interface.subnet.request_ip(address, instance=None)
                interface.addresses.append(address)
        interface.addresses += interface.subnet.free_addresses(int(spec.get("SecondaryPrivateIpAddressCount") or 0))

    def _became_by_user(self, state: str) -> None:
        self.became(
            state,
            reason="Client.UserInitiatedShutdown: User initiated shutdown",
            code="Client.UserInitiatedShutdown",
        )
        self._reason = f"User initiated ({utcnow():%Y-%m-%d %H:%M:%S} GMT)"
