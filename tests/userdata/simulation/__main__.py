"""Play histories from the command line; see the package's docstring."""

import argparse
import sys
import time

from tests.userdata.simulation.histories import history
from tests.userdata.simulation.mutants import MUTANTS
from tests.userdata.simulation.world import play
from userdata.director.agent.decision import decide


def main() -> int:
    """The exit code is 1 if an invariant did not hold."""
    parser = argparse.ArgumentParser(prog="python -m tests.userdata.simulation")
    parser.add_argument("seed", type=int)
    parser.add_argument("--count", type=int, default=1, help="so many seeds from there on")
    parser.add_argument("--trace", action="store_true", help="print what happened")
    parser.add_argument("--mutant", choices=sorted(MUTANTS), help="decide with this known bug")
    arguments = parser.parse_args()
    policy = MUTANTS[arguments.mutant] if arguments.mutant else decide
    began, broken = time.perf_counter(), 0
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        outcome = play(seed, policy, trace=arguments.trace)
        if arguments.trace:
            known = history(seed)
            print(f"seed {seed}: {known.kind}, {known.directors} directors, {known.settings}")
            print("\n".join(outcome.trace))
        if outcome.broken:
            broken += 1
            print(f"seed {seed}: {outcome.broken}")
    seconds = time.perf_counter() - began
    print(f"{arguments.count} histories in {seconds:.1f} s, {broken} broken")
    return int(bool(broken))


sys.exit(main())
