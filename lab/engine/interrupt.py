"""Ctrl-C as a wish to stop: what runs in other threads finishes, and is saved, before KeyboardInterrupt is raised."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# Each resource being made blocks a thread, and so does each that waits for the provider.
THREADS = 64


def run_interruptibly(work: Callable[[], Coroutine[Any, Any, object]], stop: Callable[[], None]) -> None:
    """Run a coroutine in a loop and threads of its own and raise what it raises, after its threads have ended.

    `stop` is called first where it fails or is interrupted, so that nothing new begins.
    """
    with asyncio.Runner() as runner:  # its own handler turns the first Ctrl-C into a cancellation
        loop = runner.get_loop()
        loop.set_default_executor(ThreadPoolExecutor(max_workers=THREADS))
        # What a failed program leaves on its loop is cancelled without noise: its error has been told.
        loop.set_exception_handler(lambda *_: None)
        try:
            runner.run(work())
        except BaseException:
            stop()
            raise
