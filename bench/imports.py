"""What importing each pure module costs, in processor seconds: other work on the host hardly changes those."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
# Of these, every module that does not import Pulumi itself. The rules of policy/ are written in the terms of its SDK.
PACKAGES = ("userdata", "components")
# A program of the machines' own, with their SDK; its decisions are among the planners.
NOT_OURS = PROJECT / "userdata/director/agent"
PLANNERS = (
    "lab.cloud.authorization.evaluation",
    "lab.cloud.metadata",
    "lab.cloud.remap",
    "lab.protocol.contract",
    "lab.engine.events",
    "lab.engine.goal",
    "lab.engine.row",
    "lab.protocol.urn",
    "lab.fabric.model",
    "lab.fabric.packets",
    "lab.fabric.pipeline",
    "lab.fabric.routing",
    "lab.fabric.rules",
    "lab.fabric.translation",
    "lab.machines.hardware",
    "lab.names",
    "lab.paths",
    "lab.status",
    "userdata.director.agent.decision",
)
# Nothing of the interpreter's own start is in the difference.
CHILD = """
import sys, time
began = time.process_time()
__import__(sys.argv[1])
print(time.process_time() - began)
"""


@dataclass(frozen=True, kw_only=True)
class Import:
    """A module and the processor seconds its import took, the least of all tries."""

    module: str
    seconds: float


def pure_modules() -> tuple[str, ...]:
    """Names of the modules that promise to be free of Pulumi and of the cloud's SDK."""
    return (*sorted(_own()), *PLANNERS)


def import_time(module: str, *, tries: int) -> Import:
    """Import the module in `tries` fresh processes, after one that compiles it."""
    took = [_seconds(module) for _ in range(tries + 1)][1:]
    return Import(module=module, seconds=min(took))


def _seconds(module: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", CHILD, module], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    return float(json.loads(done.stdout))


def _own() -> Iterator[str]:
    for package in PACKAGES:
        for file in (PROJECT / package).rglob("*.py"):
            if file.name == "__main__.py" or file.is_relative_to(NOT_OURS):
                continue
            if not re.search(r"^(import|from) pulumi", file.read_text(), re.MULTILINE):
                yield ".".join(file.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")
