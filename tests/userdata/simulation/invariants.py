"""What must hold once the faults are over. What must hold at any moment is checked where it happens (director.py)."""

from typing import TYPE_CHECKING

from tests.userdata.simulation.clock import BrokenInvariantError
from tests.userdata.simulation.ec2 import NOBODY
from tests.userdata.simulation.metadata import HERE
from tests.userdata.simulation.vrrp import BACKUP, MASTER
from userdata.director.agent.decision import HOLD_OFF_LIMIT, Phase
from userdata.director.agent.runtime import JITTER

if TYPE_CHECKING:
    from tests.userdata.simulation.world import World

# From calm to order, hold-off aside: VRRP settles, a call times out, a loss is seen, a claim never shows, is repeated.
ORDER_SECONDS = 45.0
ADVERTS = 5
STEP_SECONDS = 2.0
WATCH_SECONDS = 26.0  # covers every wait of an agent whose claim holds: 1, 2, 7 and 5 s
# In a stable partition the address comes to rest: changes of owner in the first minute, and in any later one. Measured
# over 8000 seeds: at most 8 and 2 with two sides, 15 and 4 with three, 19 and 4 with four.
FIRST_MINUTE_CHANGES = {2: 10, 3: 18, 4: 24}
LATER_CHANGES = {2: 3, 3: 5, 4: 6}


def order_returns_and_stays(world: "World") -> float:
    """After the faults: one owner, the VRRP master, all agree, and nobody does anything more. Seconds until then."""
    began = world.clock.now
    world.clock.run(began + ADVERTS * world.history.settings.interval)  # so that every director has heard its master
    deadline = began + ORDER_SECONDS
    while wrong := disorder(world):
        if world.clock.now >= deadline:
            raise BrokenInvariantError(f"{world.clock.now - began:.0f} s after the last fault {wrong}")
        world.clock.run(world.clock.now + STEP_SECONDS)
        masters = world.network.masters()
        if len(masters) == 1:  # the longest wait its rank allows, jitter included
            deadline = began + ORDER_SECONDS + longest_hold_off(masters[0].index) * (1 + JITTER)
    settled = world.clock.now - began
    calls = [len(director.calls) for director in world.directors]
    changes = len(world.ec2.owners)
    world.clock.run(world.clock.now + WATCH_SECONDS)
    if wrong := disorder(world):
        raise BrokenInvariantError(f"order did not stay: {wrong}")
    if len(world.ec2.owners) != changes:
        raise BrokenInvariantError("the owner changed after order had returned")
    if [len(director.calls) for director in world.directors] != calls:
        raise BrokenInvariantError("EC2 was called after order had returned")
    if world.history.kind == "crash":
        _one_write_a_failover(world)
    return settled


def longest_hold_off(rank: int) -> float:
    """The seconds that a director of this rank waits at most before it claims an address that it lost again."""
    return min((2 << rank) ** 3, HOLD_OFF_LIMIT)


def disorder(world: "World") -> str | None:
    """What is wrong now, None if nothing is."""
    masters = [keepalived.index for keepalived in world.network.masters()]
    if len(masters) != 1:
        return f"VRRP has masters {masters}"
    if not world.network.still() or any(member.state not in (MASTER, BACKUP) for member in world.network.members):
        return "VRRP is going to change"
    master, ec2 = masters[0], world.ec2
    if ec2.owner != master:
        return f"the owner is {ec2.owner}, the VRRP master {master}"
    if ec2.holder != master or ec2.under_way:
        return "EC2 is still at work"
    if not ec2.associated:
        return "the Elastic IP is not associated"
    for director in world.directors:
        mine = director.index == master
        if director.state.master != mine:
            return f"the agent of director {director.index} believes in {director.state.vrrp}"
        if (world.metadata.seen(director.index) is HERE) != mine:
            return f"metadata of director {director.index} does not agree"
        if director.outstanding:
            return f"director {director.index} is calling EC2"
        if mine and director.state.phase is not Phase.HOLDING:
            return f"the owner's agent is {director.state.phase.value}"
    return None


def partition_is_stable(world: "World", end: float) -> None:
    """While all directors are MASTER and EC2 answers, somebody always owns the address, and it seldom changes hands."""
    begin = max(trouble.at for trouble in world.history.troubles)
    world.clock.run(end - 0.001)
    sides = len(world.history.troubles) + 1
    changes = [at for at, _ in world.ec2.owners if at >= begin]
    if any(owner == NOBODY for _, owner in world.ec2.owners):
        raise BrokenInvariantError("nobody owned the address")
    first = sum(at < begin + 60 for at in changes)
    if first > FIRST_MINUTE_CHANGES[sides]:
        raise BrokenInvariantError(f"{first} changes of owner in the first minute of a partition")
    for start in changes:
        count = sum(start <= at < start + 60 for at in changes)
        if start >= begin + 60 and count > LATER_CHANGES[sides]:
            raise BrokenInvariantError(f"{count} changes of owner in a minute of a stable partition")


def _one_write_a_failover(world: "World") -> None:
    """One call for each time a director became MASTER, and none else."""
    for director in world.directors:
        if len(director.calls) > director.words:
            raise BrokenInvariantError(f"director {director.index} made {len(director.calls)} calls for one crash")
    if MASTER not in {director.keepalived.state for director in world.directors}:
        raise BrokenInvariantError("nobody is MASTER")
