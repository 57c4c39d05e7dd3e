"""One preview as `lab preview` runs it, alone in a process: `python -m bench.fresh_preview DIRECTORY STACK ENDPOINT`.

Further arguments are settings (KEY=VALUE). Prints one JSON document, see `Preview`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What a process took to preview an empty stack, from its start to its end, and what it would create.

    `cpu_seconds` are the processor's for the whole process, imports included; `resources` are (type token, logical
    name, inputs) of the provider's resources in the order of the program.
    """

    wall_seconds: float
    cpu_seconds: float
    resources: tuple[tuple[str, str, dict[str, Any]], ...]

    @property
    def user_data_bytes(self) -> dict[str, int]:
        """The size of each machine's user data, by the machine's logical name."""
        return {name: len(inputs["userData"].encode()) for _, name, inputs in self.resources if "userData" in inputs}


def preview(directory: Path, stack: str, endpoint: str, settings: Sequence[str] = ()) -> Preview:
    """Preview the stack in a process of its own. Raises CalledProcessError, whose stderr says why."""
    began = time.perf_counter()
    command = [sys.executable, "-m", "bench.fresh_preview", str(directory), stack, endpoint, *settings]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    told = json.loads(done.stdout)
    return Preview(
        wall_seconds=time.perf_counter() - began,
        cpu_seconds=told["cpu_seconds"],
        resources=tuple((type_, name, inputs) for type_, name, inputs in told["resources"]),
    )


def main(arguments: Sequence[str]) -> None:
    """The process's own side."""
    # Here, because these imports are part of what is measured.
    from lab import deployment
    from lab.engine.deploy import deploy
    from lab.protocol import urn
    from lab.provider import AwsProvider
    from lab.stack import render

    directory, stack, endpoint, *overrides = arguments
    settings = deployment.load(Path(directory), stack, overrides)
    with tempfile.TemporaryDirectory() as nowhere:
        done = deploy(
            settings.project,
            settings.stack,
            AwsProvider(endpoint_url=endpoint),
            Path(nowhere) / "state.json",
            dry_run=True,
            on_event=lambda event: print(render.line(event, dry_run=True), file=sys.stderr),
        )
    print(render.report(done, dry_run=True), file=sys.stderr)
    resources = [
        (urn.type_of(step.urn), urn.name_of(step.urn), step.new)
        for step in done.steps
        if urn.type_of(step.urn).startswith("aws:")
    ]
    print(json.dumps({"cpu_seconds": time.process_time(), "resources": resources}))


if __name__ == "__main__":
    main(sys.argv[1:])
