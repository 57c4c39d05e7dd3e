"""Runs a Pulumi program in this process, in a context, event loop and threads of its own, so as to run it again."""

from __future__ import annotations

import contextlib
import contextvars
import runpy
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import Settings, configure, run_in_stack, settings
from pulumi.runtime.config import set_all_config

from lab.engine.interrupt import run_interruptibly
from lab.protocol.contract import Program, ProviderError, RefusedError, StackConfig


def run(project: Program, stack: StackConfig, *, monitor: Any, dry_run: bool, stop: Callable[[], None]) -> None:
    """Run the program to its end and raise what it raises, after everything it began has ended.

    `monitor` is called for resources and for the log. `stop` is called first when the program fails or is interrupted
    (KeyboardInterrupt), so that nothing new begins.
    """
    told = Settings(
        project=project.name,
        stack=stack.name,
        organization="organization",
        root_directory=str(project.directory),
        monitor=monitor,
        engine=monitor,
        dry_run=dry_run,
    )
    # A context of its own: the SDK keeps its settings, configuration and root resource in context variables.
    contextvars.copy_context().run(_run, project, stack, told, stop)


def _run(project: Program, stack: StackConfig, told: Settings, stop: Callable[[], None]) -> None:
    def body() -> None:
        runpy.run_path(str(project.main), run_name="__main__")

    path, arguments = list(sys.path), list(sys.argv)
    try:
        sys.path.insert(0, str(project.main.parent))
        sys.argv = [str(project.main)]
        configure(told)
        set_all_config(dict(stack.values), list(stack.secret_keys))
        settings.ROOT.set(None)
        with contextlib.chdir(project.directory):  # where the CLI runs a program
            run_interruptibly(lambda: run_in_stack(body), stop)
    finally:
        sys.path[:], sys.argv = path, arguments


def explain(error: BaseException, directory: Path) -> str:
    """What to tell of a program's exception: the text of a RunError or a refusal, else the traceback in the program."""
    if isinstance(error, pulumi.RunError | RefusedError | ProviderError):
        return str(error)
    if isinstance(error, SystemExit):
        return f"the program ended itself with exit code {error.code}, before its resources were done"
    engine = Path(__file__).parent
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if (file := Path(frame.filename)).is_relative_to(directory)
        and not file.is_relative_to(engine)
        and "site-packages" not in file.parts
    ]
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(frames)]
    text = "".join([*lines, *traceback.format_exception_only(error)])
    return f"Program failed with an unhandled exception:\n{text.rstrip()}"
