"""Instance metadata of every director: what EC2 shows, or showed some time ago, soon or late, or nothing at all."""

from collections.abc import Callable

from tests.userdata.simulation.clock import Clock
from tests.userdata.simulation.ec2 import Ec2
from userdata.director.agent.decision import Looked

ANSWER_SECONDS = 0.004
TIMEOUT_SECONDS = 1.0
HERE = Looked(address_here=True, associated=True)
BARE = Looked(address_here=True, associated=False)
GONE = Looked(address_here=False, associated=False)
SILENT = Looked(address_here=None, associated=None)


class Metadata:
    """`lag`, `silent` and `slow` are a director's each."""

    def __init__(self, clock: Clock, ec2: Ec2, directors: int) -> None:
        self.clock = clock
        self.ec2 = ec2
        self.lag = [0.0] * directors
        self.silent = [0] * directors
        self.slow = [False] * directors
        self._troubles = 0
        self._troubled_until = 0.0

    def trouble(self, by: int) -> None:
        """A fault of metadata begins (1) or ends (-1)."""
        self._troubles += by
        self._troubled_until = self.clock.now + 3

    @property
    def troubled(self) -> bool:
        """Whether an agent may be misled by metadata, or was just now."""
        return self._troubles > 0 or self.clock.now < self._troubled_until

    def look(self, director: int, answer: Callable[[Looked], None]) -> None:
        if self.silent[director]:
            self.clock.after(TIMEOUT_SECONDS, answer, SILENT)
        else:
            seconds = TIMEOUT_SECONDS * self.ec2.chance.random() if self.slow[director] else ANSWER_SECONDS
            self.clock.after(seconds, answer, self.seen(director))

    def seen(self, director: int) -> Looked:
        """What it lists now."""
        when = self.clock.now - self.lag[director]
        for since, holder, associated in reversed(self.ec2.views):
            if since <= when or since == 0.0:
                if holder != director:
                    return GONE
                return HERE if associated else BARE
        return GONE
