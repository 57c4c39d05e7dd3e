"""`bench.clients` at work inside a running lab, and what their observations mean."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from lab.running import LabError, RunningLab


@dataclass(frozen=True, kw_only=True)
class Outage:
    """The longest time without an answer, between the end of one successful probe and the end of the next."""

    began: float
    seconds: float
    failed: int

    @classmethod
    def of(cls, probes: dict[str, Any]) -> Outage:
        """From what `probed` answers. ValueError where fewer than two probes succeeded: that is no measurement."""
        ends = sorted(end for _, end in probes["succeeded"])
        if len(ends) < 2:
            raise ValueError(f"{len(ends)} probes succeeded; the first failures: {probes['failed'][:3]}")
        return cls.longest(ends, failed=len(probes["failed"]))

    @classmethod
    def longest(cls, answers: Sequence[float], *, failed: int) -> Outage:
        """The longest time between one and the next of answers in their order, of which there are two or more."""
        seconds, began = max((after - before, before) for before, after in pairwise(answers))
        return cls(began=began, seconds=seconds, failed=failed)


@dataclass(frozen=True, kw_only=True)
class ClientSession:
    """Orders to one `bench.clients` process: `session("download", path="/x", count=16, bytes_per_second=65536)`."""

    process: subprocess.Popen[str]

    def __call__(self, verb: str, **values: Any) -> Any:
        """Give an order and wait for its answer. LabError if the clients have died."""
        self.begin(verb, **values)
        return self.finish()

    def begin(self, verb: str, **values: Any) -> None:
        """Give an order; `finish` waits for its answer."""
        stdin = self.process.stdin
        if stdin is None or self.process.poll() is not None:
            raise LabError(f"the clients ended with {self.process.returncode}")
        stdin.write(json.dumps({"verb": verb, **values}) + "\n")
        stdin.flush()

    def finish(self) -> Any:
        """The answer to the order given last."""
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line:
            raise LabError(f"the clients ended with {self.process.wait()}")
        return json.loads(line)


@contextmanager
def clients(lab: RunningLab, address: str, *, port: int = 80, path: str = "/healthz") -> Iterator[ClientSession]:
    """Clients of `address` on the lab's internet; `path` is what probes and kept connections ask for."""
    pid = lab.fabric.pid()
    if pid is None:
        raise LabError("the lab is not up; start it with: lab up")
    command: Sequence[str] = (
        "nsenter", f"--net=/proc/{pid}/ns/net", sys.executable, "-m", "bench.clients", address, str(port), path,
    )  # fmt: skip
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=lab.project
    ) as process:
        try:
            yield ClientSession(process=process)
        finally:
            process.kill()
