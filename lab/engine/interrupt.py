"""Ctrl-C as a wish to stop, not as an exception wherever the main thread happens to be (in a pool's `submit`, say)."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def deferred_interrupt(stop: Callable[[], None]) -> Iterator[None]:
    """Inside, the first Ctrl-C calls `stop`, and KeyboardInterrupt is raised at the end; a second one acts as usual.

    In another thread than the main one, which no signal reaches, nothing is done.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = signal.getsignal(signal.SIGINT)
    happened = False

    def handle(*_: Any) -> None:
        nonlocal happened
        happened = True
        signal.signal(signal.SIGINT, usual)
        stop()

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if happened:
            raise KeyboardInterrupt
