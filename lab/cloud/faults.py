"""Faults on demand: what is wrong with the account's services and network while a test, or a person, wants it so."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from lab.fabric.model import Block

EVERY_ACTION = ("*",)
PROTOCOLS = {"all": "-1", "icmp": "1", "tcp": "6", "udp": "17", "vrrp": "112"}

Seconds = Annotated[float, Field(gt=0, le=3600)]
End = Annotated[str, Field(pattern=r"^(\*|api|metadata|internet|eni-[0-9a-f]+)$")]
InstanceId = Annotated[str, Field(pattern=r"^i-[0-9a-f]+$")]


class _Fault(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ApiFault(_Fault):
    """Calls to the API of `machine` (an instance's id; None: of everybody in the lab) go wrong, `times` of them.

    slow: they take `seconds` more. throttled, denied, error: refused with EC2's RequestLimitExceeded,
    UnauthorizedOperation, InternalError. lying: done, and then answered with InternalError. silent: accepted and never
    answered. unreachable: no connection comes about. `actions` are names such as AssignPrivateIpAddresses, or patterns.
    """

    kind: Literal["api"] = "api"
    effect: Literal["slow", "throttled", "denied", "error", "lying", "silent", "unreachable"]
    actions: Annotated[tuple[str, ...], Field(min_length=1)] = EVERY_ACTION
    machine: InstanceId | None = None
    seconds: Seconds | None = None
    times: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> ApiFault:
        if (self.effect == "slow") != (self.seconds is not None):
            raise ValueError("seconds are for slow, which needs them")
        if self.effect == "unreachable" and (self.actions != EVERY_ACTION or self.times is not None):
            raise ValueError("an unreachable API knows no actions and no times")
        return self

    @property
    def text(self) -> str:
        """One line for people."""
        what = {"slow": f"{self.seconds} s slower"}.get(self.effect, self.effect)
        which = "" if self.actions == EVERY_ACTION else f" ({', '.join(self.actions)})"
        left = "" if self.times is None else f", {self.times} more times"
        return f"API {what}{which} for {self.machine or 'everybody'}{left}"


class MetadataFault(_Fault):
    """Instance metadata of `machine` (None: of everybody) takes `seconds` more (slow), or does not answer (gone)."""

    kind: Literal["metadata"] = "metadata"
    effect: Literal["slow", "gone"]
    machine: InstanceId | None = None
    seconds: Seconds | None = None

    @model_validator(mode="after")
    def _fits(self) -> MetadataFault:
        if (self.effect == "slow") != (self.seconds is not None):
            raise ValueError("seconds are for slow, which needs them")
        return self

    @property
    def text(self) -> str:
        """One line for people."""
        what = "gone" if self.effect == "gone" else f"{self.seconds} s slower"
        return f"metadata {what} for {self.machine or 'everybody'}"


class RemapFault(_Fault):
    """A moved address is known to the network and to metadata only after `seconds`."""

    kind: Literal["remap"] = "remap"
    seconds: Annotated[float, Field(ge=0, le=3600)]

    @property
    def text(self) -> str:
        """One line for people."""
        return f"remaps take {self.seconds} s"


class BlockFault(_Fault):
    """Packets between two ends are lost; see lab.fabric.model.Block. `protocol` is a name of PROTOCOLS or a number."""

    kind: Literal["block"] = "block"
    first: End
    second: End
    protocol: str = "all"
    port: Annotated[int, Field(ge=1, le=65535)] | None = None
    both_ways: bool = True

    @model_validator(mode="after")
    def _fits(self) -> BlockFault:
        number = PROTOCOLS.get(self.protocol, self.protocol)
        if number != "-1" and not (number.isascii() and number.isdecimal() and int(number) <= 255):
            raise ValueError(f"protocol {self.protocol!r} is none of {', '.join(PROTOCOLS)} and no number up to 255")
        if self.port is not None and number.lstrip("0") not in ("6", "17"):
            raise ValueError("a port needs protocol tcp or udp")
        return self

    @property
    def text(self) -> str:
        """One line for people."""
        port = "" if self.port is None else f" port {self.port}"
        arrow = "<->" if self.both_ways else "->"
        return f"blocked: {self.first} {arrow} {self.second}, protocol {self.protocol}{port}"


Fault = Annotated[ApiFault | MetadataFault | RemapFault | BlockFault, Field(discriminator="kind")]
_ADAPTER: TypeAdapter[Fault] = TypeAdapter(Fault)


class FaultError(ValueError):
    """A document that is no fault, or the id of none; the text names everything wrong with it."""


def fault_from_json(document: str | bytes) -> Fault:
    """The fault of a JSON document. Raises FaultError."""
    try:
        return _ADAPTER.validate_json(document)
    except ValidationError as error:
        found = (f"{'.'.join(map(str, each['loc'])) or 'fault'}: {each['msg']}" for each in error.errors())
        raise FaultError("; ".join(found)) from None


def blocks_of(faults: Iterable[Fault], interface_of: Callable[[str], str | None]) -> tuple[Block, ...]:
    """What faults mean for packets; `interface_of` gives an instance's interface, None where it has none (any more)."""
    found = []
    for fault in faults:
        if isinstance(fault, BlockFault):
            number = PROTOCOLS.get(fault.protocol, fault.protocol)
            protocol = number if number == "-1" else str(int(number))  # "006" is TCP, too
            found.append(
                Block(
                    first=fault.first,
                    second=fault.second,
                    protocol=protocol,
                    port=fault.port,
                    both_ways=fault.both_ways,
                )
            )
        elif not isinstance(fault, RemapFault) and fault.effect in ("unreachable", "gone"):
            end = "*" if fault.machine is None else interface_of(fault.machine)
            if end is not None:
                found.append(Block(first=end, second=fault.kind))
    return tuple(found)


class FaultLedger:
    """The faults in force, by id, oldest first. Safe from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._faults: dict[str, Fault] = {}
        self._names: set[str] = set()
        self._cleared: set[str] = set()

    def add(self, fault: Fault) -> str:
        """Let it be so; the fault's id."""
        with self._changed:
            name = f"{fault.kind}-{len(self._names) + 1}"
            self._names.add(name)
            self._faults[name] = fault
            return name

    def clear(self, name: str | None = None) -> list[str]:
        """Undo one, or all; the ids of what is undone. Raises FaultError for an id that is not there."""
        with self._changed:
            if name is not None and name not in self._faults:
                raise FaultError(f"no fault {name!r}; there are: {', '.join(self._faults) or 'none'}")
            cleared = list(self._faults) if name is None else [name]
            for each in cleared:
                del self._faults[each]
            # One that has happened its number of times is no longer listed, but calls may still wait in it.
            self._cleared |= set(cleared) if name is not None else self._names
            self._changed.notify_all()
            return cleared

    def current(self) -> dict[str, Fault]:
        """All of them."""
        with self._changed:
            return dict(self._faults)

    def take_api(self, action: str, machine: str | None) -> dict[str, ApiFault]:
        """What befalls a call of `machine` now; a fault that is to happen a number of times has happened once more."""
        with self._changed:
            met = {
                name: fault
                for name, fault in self._faults.items()
                if isinstance(fault, ApiFault)
                and fault.machine in (None, machine)
                and any(fnmatchcase(action, pattern) for pattern in fault.actions)
            }
            for name, fault in met.items():
                if fault.times == 1:
                    del self._faults[name]
                elif fault.times is not None:
                    self._faults[name] = fault.model_copy(update={"times": fault.times - 1})
            return met

    def of_metadata(self, machine: str) -> dict[str, MetadataFault]:
        """What befalls a request for metadata of `machine` now."""
        with self._changed:
            return {
                name: fault
                for name, fault in self._faults.items()
                if isinstance(fault, MetadataFault) and fault.machine in (None, machine)
            }

    def remap_seconds(self) -> float | None:
        """What a remap takes by the newest such fault; None where there is none."""
        with self._changed:
            found = [fault.seconds for fault in self._faults.values() if isinstance(fault, RemapFault)]
        return found[-1] if found else None

    def wait_in(self, name: str, seconds: float | None) -> None:
        """Wait `seconds` (None: for ever) in a fault, but no longer than until somebody clears it."""
        deadline = None if seconds is None else time.monotonic() + seconds
        with self._changed:
            while name not in self._cleared:
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return
                self._changed.wait(left)
