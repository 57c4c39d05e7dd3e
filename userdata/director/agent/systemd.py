"""sd_notify(3) in a few lines."""

import os
import socket
from contextlib import suppress


def notify(state: str) -> None:
    """Tell systemd, for example READY=1; nothing happens where systemd did not start this process.

    It never waits: where systemd does not read, the state is lost, and the agent's work goes on.
    """
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock, suppress(OSError):
        sock.sendto(state.encode(), socket.MSG_DONTWAIT, "\0" + path[1:] if path[0] == "@" else path)
