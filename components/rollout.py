"""Which machines take a new configuration in one update: never two directors, and what may not change at all.

A change of these properties replaces a machine, or stops it. A machine that is not named in `rollout` keeps what it was
made from (Pulumi's ignoreChanges), and here is decided, purely, whether that is what the operator meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from userdata.render import known_directors

HELD_PROPERTIES = ("ami", "instanceType", "subnetId", "privateIp", "userData")
"""The inputs of an instance that a machine takes only when it is named: each replaces it or (its type) stops it."""

PAGE = "docs/changes.md"


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A machine as this update leaves it, `found`, beside what the config asks for, `wanted`: by input property."""

    name: str
    role: Literal["director", "web-server"]
    wanted: Mapping[str, str]
    found: Mapping[str, str]

    @property
    def behind(self) -> tuple[str, ...]:
        """The properties in which it keeps what it was made from."""
        return tuple(key for key in HELD_PROPERTIES if self.found[key] != self.wanted[key])


@dataclass(frozen=True, kw_only=True)
class Fixed:
    """A setting that a stack keeps for life: `found` is what it was made with."""

    key: str
    wanted: str
    found: str


def is_named(machine: str, rollout: Sequence[str]) -> bool:
    """Whether `machine` takes a new configuration in this update; entries are names, or patterns such as web-*."""
    return any(fnmatchcase(machine, entry) for entry in rollout)


def behind(machines: Sequence[Machine]) -> list[str]:
    """The names of the machines that keep an old configuration, in their order."""
    return [machine.name for machine in machines if machine.behind]


def refusal(machines: Sequence[Machine], rollout: Sequence[str], fixed: Sequence[Fixed] = ()) -> str | None:
    """Why this update must not be made, naming every reason and the remedy; None if it may."""
    changed = [one for one in fixed if one.wanted != one.found]
    if changed:
        lines = "".join(f"\n  {one.key} is {one.found} and cannot become {one.wanted}" for one in changed)
        return (
            f"a stack keeps its network and its virtual IP for life:{lines}\n"
            f"Put the values back, or bring up a second stack and move its clients ({PAGE})."
        )
    unheard = _unheard(machines)
    if unheard:
        return (
            f"a director that another does not know would be a second owner of the virtual IP:{unheard}\n"
            f"Give the new one `planned: true`, let the others take the new configuration one after the other, and "
            f"then take `planned` away ({PAGE})."
        )
    waiting = _waiting(machines, rollout)
    if not waiting:
        return None
    lines = "".join(f"\n  {machine.name}: {', '.join(machine.behind)}" for machine in waiting)
    return (
        f"the config asks these machines for something else than they were made from:{lines}\n"
        f"Machines take a new configuration only when `rollout` names them, directors one at a time. Name a director "
        f"that does not own the virtual IP, wait until it is ready, then the next ({PAGE}):\n"
        f"  pulumi config set --path 'rollout[0]' {waiting[-1].name} && pulumi up"
    )


def notice(machines: Sequence[Machine]) -> str | None:
    """What is left to do after this update; None if nothing is."""
    names = behind(machines)
    if not names:
        return None
    return f"still with their old configuration: {', '.join(names)}; name one in `rollout` when this update serves"


def _waiting(machines: Sequence[Machine], rollout: Sequence[str]) -> list[Machine]:
    """Machines left behind though nothing says that their turn will come.

    A named director shows that directors are being led through a change; an empty rollout, that none is.
    """
    leading = any(machine.role == "director" and is_named(machine.name, rollout) for machine in machines)
    return [
        machine
        for machine in machines
        if machine.behind and not leading and (machine.role == "director" or not rollout)
    ]


def _unheard(machines: Sequence[Machine]) -> str:
    """The pairs of directors of which one does not list the other's address among its peers, a line each."""
    directors = [machine for machine in machines if machine.role == "director"]
    pairs = [
        (one.name, other.name, other.found["privateIp"])
        for one in directors
        for other in directors
        if one is not other and other.found["privateIp"] not in known_directors(one.found["userData"])
    ]
    return "".join(f"\n  {one} does not know {other} at {address}" for one, other, address in pairs)
