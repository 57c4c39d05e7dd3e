"""Instance metadata of every director: what EC2 shows, some time ago, or nothing at all."""

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
    """`lag` and `silent` are a director's each."""

    def __init__(self, clock: Clock, ec2: Ec2, directors: int) -> None:
        self.clock = clock
        self.ec2 = ec2
        self.lag = [0.0] * directors
        self.silent = [0] * directors
        self.troubled_until = 0.0

    def look(self, director: int, answer: Callable[[Looked], None]) -> None:
        if self.silent[director]:
            self.clock.after(TIMEOUT_SECONDS, answer, SILENT)
        else:
            self.clock.after(ANSWER_SECONDS, self._answer, director, answer)

    def seen(self, director: int) -> Looked:
        """What it lists now."""
        when = self.clock.now - self.lag[director]
        for since, holder, associated in reversed(self.ec2.views):
            if since <= when or since == 0.0:
                if holder != director:
                    return GONE
                return HERE if associated else BARE
        return GONE

    def _answer(self, director: int, answer: Callable[[Looked], None]) -> None:
        answer(self.seen(director))
