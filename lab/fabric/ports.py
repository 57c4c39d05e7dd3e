"""The network cards' side: a listening socket an interface, the machine connected to it, and what waits for it."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from lab.fabric.framing import FrameReader

QUEUE_BYTES = 4 * 1024 * 1024
RECEIVE_BYTES = 256 * 1024


def listen(path: Path) -> socket.socket:
    """A non-blocking listening unix socket at `path`, for this user only; a leftover there is replaced."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    mask = os.umask(0o077)
    try:
        listener.bind(str(path))
    except OSError as error:
        listener.close()
        raise OSError(error.errno, f"cannot listen at {path}: {error.strerror or error}") from error
    finally:
        os.umask(mask)
    listener.listen(4)
    return listener


class OutputQueue:
    """Bytes on their way into a non-blocking stream socket: one send a flush, and a bound."""

    def __init__(self, connection: socket.socket, *, limit: int = QUEUE_BYTES) -> None:
        self._connection = connection
        self._limit = limit
        self._waiting: list[bytes] = []
        self._size = 0

    def push(self, data: bytes) -> bool:
        """Queue `data`; False, and nothing queued, where it would exceed the bound."""
        if self._size + len(data) > self._limit:
            return False
        self._waiting.append(data)
        self._size += len(data)
        return True

    def flush(self) -> bool:
        """Send what the socket takes; whether all is gone. Raises OSError where the peer is."""
        if not self._size:
            return True
        data = b"".join(self._waiting) if len(self._waiting) > 1 else self._waiting[0]
        try:
            sent = self._connection.send(data)
        except BlockingIOError:
            sent = 0
        rest = data[sent:]
        self._waiting = [rest] if rest else []
        self._size = len(rest)
        return not rest


class MachineConnection:
    """The connected network card of one interface."""

    def __init__(self, interface: str, connection: socket.socket) -> None:
        self.interface = interface
        self.socket = connection
        self.queue = OutputQueue(connection)
        self.awaits_room = False
        self._reader = FrameReader()

    def receive(self) -> list[bytes] | None:
        """Frames that arrived, or None where the machine is gone. Raises FramingError."""
        try:
            data = self.socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            return None
        return self._reader.feed(data) if data else None
