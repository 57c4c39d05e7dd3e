"""What can go wrong: each fault begins, and ends after some seconds; some are over at once."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.userdata.simulation.ec2 import STRANGER

if TYPE_CHECKING:
    from tests.userdata.simulation.world import World

Act = Callable[["World", int], None]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`seconds`: shortest and longest; `weight`: how often it is drawn. `scope`: what two of a kind must not share."""

    name: str
    weight: float
    seconds: tuple[float, float]
    begin: Act
    end: Act
    scope: str = "director"


def _nothing(world: "World", target: int) -> None:
    pass


def _crash(world: "World", target: int) -> None:
    world.directors[target].crash()


def _boot(world: "World", target: int) -> None:
    world.directors[target].boot()


def _shut_down(world: "World", target: int) -> None:
    world.directors[target].keepalived.stop()
    world.directors[target].crash()


def _all(act: Act) -> Act:
    def each(world: "World", _: int) -> None:
        for director in world.directors:
            act(world, director.index)

    return each


def _pause(world: "World", target: int) -> None:
    world.directors[target].pause(machine=True)


def _resume(world: "World", target: int) -> None:
    world.directors[target].resume(machine=True)


def _stop_agent(world: "World", target: int) -> None:
    world.directors[target].pause(machine=False)


def _continue_agent(world: "World", target: int) -> None:
    world.directors[target].resume(machine=False)


def _kill_keepalived(world: "World", target: int) -> None:
    world.directors[target].keepalived.stop(killed=True)


def _stop_keepalived(world: "World", target: int) -> None:
    world.directors[target].keepalived.stop()


def _start_keepalived(world: "World", target: int) -> None:
    director = world.directors[target]
    if director.up and director.keepalived.state == "DOWN":
        director.keepalived.start()


def _kill_agent(world: "World", target: int) -> None:
    world.directors[target].kill_agent()


def _start_agent(world: "World", target: int) -> None:
    world.directors[target].start_agent()


def _penalize(world: "World", target: int) -> None:
    world.directors[target].keepalived.fault()


def _forgive(world: "World", target: int) -> None:
    world.directors[target].keepalived.repair()


def _cut(world: "World", target: int, by: int, *, both: bool) -> None:
    """`target` is cut off from every other; one way: the others do not hear it, or it does not hear them."""
    cut = world.network.cut
    for other in range(len(world.directors)):
        if other != target:
            for pair in ((target, other), (other, target)) if both else ((target, other),):
                cut[pair] = cut.get(pair, 0) + by


def _deafen(world: "World", target: int, by: int) -> None:
    cut = world.network.cut
    for other in range(len(world.directors)):
        if other != target:
            cut[other, target] = cut.get((other, target), 0) + by


def _loss(share: float) -> Act:
    def set_loss(world: "World", _: int) -> None:
        world.network.loss = share

    return set_loss


def _delay(seconds: float) -> Act:
    def set_delay(world: "World", _: int) -> None:
        world.network.delayed_until = world.clock.now + world.network.delay
        world.network.delay = seconds

    return set_delay


def _mode(name: str, *, everywhere: bool) -> tuple[Act, Act]:
    def begin(world: "World", target: int) -> None:
        for index, modes in enumerate(world.ec2.modes):
            if everywhere or index == target:
                modes.append(name)

    def end(world: "World", target: int) -> None:
        for index, modes in enumerate(world.ec2.modes):
            if everywhere or index == target:
                modes.remove(name)

    return begin, end


def _api(name: str, seconds: tuple[float, float], weight: float) -> tuple[Fault, Fault]:
    one, everywhere = _mode(name, everywhere=False), _mode(name, everywhere=True)
    return (
        Fault(name=f"EC2 {name} for it", weight=weight / 2, seconds=seconds, begin=one[0], end=one[1]),
        Fault(
            name=f"EC2 {name}", weight=weight / 2, seconds=seconds, begin=everywhere[0], end=everywhere[1], scope="all"
        ),
    )


def _silence(by: int) -> Act:
    def change(world: "World", target: int) -> None:
        world.metadata.silent[target] += by
        world.metadata.trouble(by)

    return change


def _lag(seconds: float) -> Act:
    def change(world: "World", target: int) -> None:
        world.metadata.lag[target] = seconds
        world.metadata.trouble(1 if seconds else -1)

    return change


def _slow(on: bool) -> Act:
    def change(world: "World", target: int) -> None:
        world.metadata.slow[target] = on
        world.metadata.trouble(1 if on else -1)

    return change


def _remap(factor: float) -> Act:
    def change(world: "World", _: int) -> None:
        world.ec2.remap_factor = factor

    return change


def _steal(world: "World", _: int) -> None:
    world.ec2.assign(STRANGER)


def _unassign(world: "World", _: int) -> None:
    world.ec2.unassign()


def _dissociate(world: "World", _: int) -> None:
    world.ec2.dissociate()


CRASH = Fault(name="crash", weight=3, seconds=(2, 12), begin=_crash, end=_boot)
PARTITION = Fault(
    name="partition of protocol 112",
    weight=4,
    seconds=(1, 25),
    begin=lambda world, target: _cut(world, target, 1, both=True),
    end=lambda world, target: _cut(world, target, -1, both=True),
)
UNHEARD = Fault(
    name="one way: it is not heard",
    weight=2,
    seconds=(1, 20),
    begin=lambda world, target: _cut(world, target, 1, both=False),
    end=lambda world, target: _cut(world, target, -1, both=False),
)
DEAF = Fault(
    name="one way: it hears nobody",
    weight=2,
    seconds=(1, 20),
    begin=lambda world, target: _deafen(world, target, 1),
    end=lambda world, target: _deafen(world, target, -1),
)
FAULTS = (
    CRASH,
    PARTITION,
    UNHEARD,
    DEAF,
    Fault(name="reboot", weight=1.5, seconds=(4, 12), begin=_shut_down, end=_boot),
    Fault(name="all reboot", weight=1, seconds=(4, 8), begin=_all(_shut_down), end=_all(_boot), scope="machines"),
    Fault(name="all crash", weight=1, seconds=(4, 8), begin=_all(_crash), end=_all(_boot), scope="machines"),
    Fault(name="short pause", weight=2, seconds=(0.2, 1.2), begin=_pause, end=_resume),
    Fault(name="pause", weight=2, seconds=(2, 10), begin=_pause, end=_resume),
    Fault(name="keepalived killed", weight=2, seconds=(1, 5), begin=_kill_keepalived, end=_start_keepalived),
    Fault(name="keepalived stopped", weight=2, seconds=(1, 5), begin=_stop_keepalived, end=_start_keepalived),
    Fault(name="penalty", weight=1.5, seconds=(0.005, 6), begin=_penalize, end=_forgive),
    Fault(name="agent killed", weight=3, seconds=(1.2, 4), begin=_kill_agent, end=_start_agent),
    Fault(name="agent stopped", weight=2, seconds=(1, 10), begin=_stop_agent, end=_continue_agent),
    Fault(name="adverts lost", weight=2, seconds=(3, 15), begin=_loss(0.5), end=_loss(0.0), scope="loss"),
    Fault(name="adverts late", weight=1.5, seconds=(3, 15), begin=_delay(1.5), end=_delay(0.0), scope="delay"),
    *_api("slow", (3, 15), 3),
    *_api("throttled", (3, 20), 2),
    *_api("denied", (3, 20), 2),
    *_api("lying", (3, 15), 2),
    *_api("late", (3, 15), 3),
    *_api("down", (3, 20), 2),
    Fault(
        name="wrong clock", weight=1.5, seconds=(5, 25), begin=_mode("clock", everywhere=False)[0],
        end=_mode("clock", everywhere=False)[1],
    ),
    Fault(name="metadata silent", weight=2.5, seconds=(2, 15), begin=_silence(1), end=_silence(-1)),
    Fault(name="metadata lags", weight=1.5, seconds=(3, 12), begin=_lag(2.5), end=_lag(0.0)),
    Fault(name="metadata slow", weight=1.5, seconds=(3, 12), begin=_slow(True), end=_slow(False)),
    Fault(name="remapping slow", weight=1, seconds=(5, 15), begin=_remap(5.0), end=_remap(1.0), scope="remap"),
    Fault(name="address stolen", weight=2, seconds=(0, 0), begin=_steal, end=_nothing, scope="once"),
    Fault(name="address removed", weight=2, seconds=(0, 0), begin=_unassign, end=_nothing, scope="once"),
    Fault(name="association removed", weight=2, seconds=(0, 0), begin=_dissociate, end=_nothing, scope="once"),
)  # fmt: skip
# What is off cannot be stopped: a machine's fault excludes those of its processes, and each process has one at a time.
MACHINE = {"crash", "reboot", "all reboot", "all crash", "short pause", "pause"}
KEEPALIVED = {"keepalived killed", "keepalived stopped", "penalty"}
AGENT = {"agent killed", "agent stopped"}


def exclude(one: Fault, other: Fault) -> bool:
    """Whether two faults cannot be on one director at one time."""
    names = {one.name, other.name}
    if names & MACHINE:
        return names <= MACHINE | KEEPALIVED | AGENT
    return names <= KEEPALIVED or names <= AGENT
