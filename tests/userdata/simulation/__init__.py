"""A simulator of the agents' decisions: real `decide`, everything around it modelled, driven by one integer.

    python -m tests.userdata.simulation SEED --trace     plays one history and prints what happened
    python -m tests.userdata.simulation 0 --count 1000   plays many and prints the seeds that break an invariant
    python -m tests.userdata.simulation SEED --mutant NAME --trace   the same with a known bug put back

clock: time. vrrp, ec2, metadata: the world. director: a machine with the real decisions. faults: what goes wrong.
histories: when. invariants: what must hold. mutants: known bugs. world: all together.
"""
