"""Linux network namespaces by ctypes: Python 3.11 has no `os.setns` and no `os.unshare` (they came with 3.12)."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

CLONE_NEWNET = 0x40000000  # linux/sched.h

_libc = ctypes.CDLL(None, use_errno=True)


def enter(pid: int) -> None:
    """Move the calling thread into the network namespace of process `pid` (setns(2)); needs CAP_SYS_ADMIN.

    Call it before threads start: each has its own. Sockets that exist stay where they were made. Raises OSError.
    """
    with Path(f"/proc/{pid}/ns/net").open("rb") as namespace:
        _check(_libc.setns(namespace.fileno(), CLONE_NEWNET), f"setns to the network namespace of process {pid}")


def unshare_network() -> None:
    """Give the calling thread a new, empty network namespace (unshare(2)); it ends with its last process."""
    _check(_libc.unshare(CLONE_NEWNET), "unshare of the network namespace")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
