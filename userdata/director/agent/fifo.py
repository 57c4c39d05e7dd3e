"""Keepalived's notify FIFO: lines such as `INSTANCE "LVS" MASTER 254` (keepalived.conf(5), vrrp_notify_fifo)."""

import os
import re
import select
from collections.abc import Iterator
from pathlib import Path

_LINE = re.compile(r'INSTANCE "([^"]*)" (\w+) \d+')


class Fifo:
    """The reading end. tmpfiles.d/lvs-aws.conf makes it before either starts; both may come and go, no line is lost."""

    def __init__(self, path: Path, instance: str) -> None:
        # Opened for writing too, it has never no writer: no end of file, and Keepalived may come and go.
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        self._instance = instance
        self._rest = b""

    def states(self) -> Iterator[str]:
        """The newest state each time there is one: what came before it in one read no longer matters."""
        while True:
            select.select([self._descriptor], [], [])
            state = self.newest()
            if state:
                yield state

    def newest(self) -> str | None:
        """The last state among all lines waiting, None if there is none."""
        data = self._rest
        while True:
            try:
                data += os.read(self._descriptor, 65536)
            except BlockingIOError:
                break
        *lines, self._rest = data.split(b"\n")
        found = [match for match in (_LINE.fullmatch(line.decode("ascii", "replace")) for line in lines) if match]
        return next((match[2] for match in reversed(found) if match[1] == self._instance), None)
