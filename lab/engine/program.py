"""Runs a Pulumi program in this process, in a context, event loop and threads of its own, so as to run it again."""

from __future__ import annotations

import asyncio
import contextvars
import os
import runpy
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pulumi
from pulumi.runtime import Settings, configure, run_in_stack, settings
from pulumi.runtime.config import set_all_config

from lab.engine.contract import ProviderError
from lab.engine.goal import RefusedError
from lab.engine.interrupt import deferred_interrupt

# Each resource being made blocks a thread, and so does each that waits for the provider.
THREADS = 64


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program and what it is told: directory, main file, project, stack and configuration (all keys qualified)."""

    directory: Path
    main: Path
    project: str
    stack: str
    config: dict[str, str]
    secret_keys: tuple[str, ...]


def run(program: Program, *, monitor: Any, engine: Any, dry_run: bool, stop: Callable[[], None]) -> None:
    """Run the program to its end and raise what it raises, after everything it began has ended.

    `stop` is called first when the program fails or is interrupted (KeyboardInterrupt), so that nothing new begins.
    """
    # A context of its own: the SDK keeps its settings, configuration and root resource in context variables.
    contextvars.copy_context().run(_run, program, monitor, engine, dry_run, stop)


def explain(error: BaseException, directory: Path) -> str:
    """What to tell of a program's exception: the text of a RunError or a refusal, else the traceback in the program."""
    if isinstance(error, pulumi.RunError | RefusedError | ProviderError):
        return str(error)
    if isinstance(error, SystemExit):
        return f"the program ended itself with exit code {error.code}, before its resources were done"
    frames = traceback.extract_tb(error.__traceback__)
    own = [
        frame
        for frame in frames
        if Path(frame.filename).is_relative_to(directory)
        and "site-packages" not in frame.filename
        and not Path(frame.filename).is_relative_to(Path(__file__).parent)
    ]
    lines = [
        "Traceback (most recent call last):\n",
        *traceback.format_list(own),
        *traceback.format_exception_only(error),
    ]
    return "Program failed with an unhandled exception:\n" + "".join(lines).rstrip()


def _run(program: Program, monitor: Any, engine: Any, dry_run: bool, stop: Callable[[], None]) -> None:
    loop = asyncio.new_event_loop()
    executor = ThreadPoolExecutor(max_workers=THREADS, thread_name_prefix="register")
    loop.set_default_executor(executor)

    def body() -> None:
        runpy.run_path(str(program.main), run_name="__main__")

    directory, path, arguments = Path.cwd(), list(sys.path), list(sys.argv)
    try:
        os.chdir(program.directory)  # where the CLI runs a program
        sys.path.insert(0, str(program.main.parent))
        sys.argv = [str(program.main)]
        asyncio.set_event_loop(loop)
        configure(
            Settings(
                project=program.project,
                stack=program.stack,
                organization="organization",
                root_directory=str(program.directory),
                monitor=monitor,
                engine=engine,
                dry_run=dry_run,
            )
        )
        set_all_config(program.config, list(program.secret_keys))
        settings.ROOT.set(None)
        task = loop.create_task(run_in_stack(body))

        def interrupt() -> None:
            stop()
            loop.call_soon_threadsafe(task.cancel)

        with deferred_interrupt(interrupt):
            try:
                loop.run_until_complete(task)
            except BaseException:
                stop()
                raise
            finally:
                executor.shutdown(wait=True)  # steps that run finish, and are saved
    finally:
        _end(loop)
        asyncio.set_event_loop(None)
        sys.path[:], sys.argv = path, arguments
        os.chdir(directory)


def _end(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what a failed program left on its loop, without noise: its error has been told."""
    loop.set_exception_handler(lambda *_: None)
    tasks = asyncio.all_tasks(loop)
    for task in tasks:
        task.cancel()
    if tasks:
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()
