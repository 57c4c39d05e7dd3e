"""From one integer to a history: how many directors, their settings, and what goes wrong when."""

import random
from dataclasses import dataclass
from itertools import accumulate

from tests.userdata.simulation.faults import CRASH, DEAF, FAULTS, PARTITION, UNHEARD, Fault, exclude
from tests.userdata.simulation.vrrp import Settings

_WEIGHTS = list(accumulate(fault.weight for fault in FAULTS))
STABLE_SECONDS = 150.0  # of a partition that nothing else disturbs


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """One fault, from `at` on for `seconds`, on the director `target`."""

    fault: Fault
    target: int
    at: float
    seconds: float


@dataclass(frozen=True, kw_only=True)
class History:
    """`master`: who is MASTER and owner when it begins; None: every director boots, nobody has the address.

    `kind`: "trouble" of any sort; "crash" of the owner alone; "partition" that lasts, one way or both.
    """

    seed: int
    kind: str
    directors: int
    settings: Settings
    master: int | None
    troubles: tuple[Trouble, ...]


def history(seed: int) -> History:
    """The history of this seed; the same for ever."""
    chance = random.Random(seed)
    directors = chance.choices((2, 3, 4), (70, 20, 10))[0]
    kind = chance.choices(("trouble", "crash", "partition"), (88, 4, 8))[0]
    preempt = chance.random() < 0.25
    settings = Settings(
        interval=chance.choice((0.2, 0.5, 0.5, 1.0)),
        step=chance.choice((1, 1, 50)),
        preempt=preempt,
        preempt_delay=chance.choice((0.0, 3.0)),
        timer_expired_backup=not preempt and chance.random() < 0.8,
        higher_prio_send_advert=chance.random() < 0.7,
        patient_backup=chance.random() < 0.5,
    )
    master = None if kind == "trouble" and chance.random() < 0.25 else chance.randrange(directors)
    if preempt and master:
        master = 0
    if kind == "crash":
        troubles = [Trouble(fault=CRASH, target=master or 0, at=1 + chance.random(), seconds=10.0)]
    elif kind == "partition":
        fault = chance.choices((PARTITION, UNHEARD, DEAF), (6, 2, 2))[0]
        troubles = [
            Trouble(fault=fault, target=target, at=1 + 3 * chance.random(), seconds=STABLE_SECONDS)
            for target in range(directors - 1)
            if chance.random() < 0.7 or target == 0
        ]
    else:
        troubles = _troubles(chance, directors)
    return History(
        seed=seed, kind=kind, directors=directors, settings=settings, master=master, troubles=tuple(troubles)
    )


def _troubles(chance: random.Random, directors: int) -> list[Trouble]:
    """One to six that do not collide, close to each other: what comes alone is the easy case."""
    troubles: list[Trouble] = []
    at = 0.5 + 3 * chance.random()
    for _ in range(chance.choices((1, 2, 3, 4, 5, 6), (10, 20, 25, 20, 15, 10))[0]):
        fault = chance.choices(FAULTS, cum_weights=_WEIGHTS)[0]
        shortest, longest = fault.seconds
        trouble = Trouble(
            fault=fault,
            target=chance.randrange(directors),
            at=at,
            seconds=shortest + (longest - shortest) * chance.random() ** 1.5,
        )
        if not any(_collide(trouble, other) for other in troubles):
            troubles.append(trouble)
        at += chance.choice((0.02, 0.3, 1.0, 2.0, 5.0)) * 2 * chance.random()
    return troubles


def _collide(one: Trouble, other: Trouble) -> bool:
    apart = one.at > other.at + other.seconds + 0.5 or other.at > one.at + one.seconds + 0.5
    same = one.target == other.target
    if exclude(one.fault, other.fault) and (same or "machines" in (one.fault.scope, other.fault.scope)):
        return not apart
    return one.fault is other.fault and (same or one.fault.scope != "director") and not apart
