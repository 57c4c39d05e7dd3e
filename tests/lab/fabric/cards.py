"""Network cards for tests of the real fabric: one that is only a socket, and one with a Linux network stack behind it.

`python -m tests.lab.fabric.cards SOCKET MAC ADDRESS/PREFIX GATEWAY` is the latter: a TAP in a network namespace of its
own, its frames carried to and from the fabric's socket. It says "ready" and ends when the fabric hangs up.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from lab.fabric.framing import FrameReader, packed
from lab.fabric.model import Interface
from lab.fabric.namespace import enter, unshare_network
from lab.fabric.tun import IFF_NO_PI, TUNSETIFF

PROJECT = Path(__file__).resolve().parents[3]
IFF_TAP = 0x0002
T = TypeVar("T")


class Card:
    """A machine that is no more than its network card."""

    def __init__(self, run: Path, interface: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(run / f"{interface}.port"))
        self.socket.settimeout(10)
        self._reader = FrameReader()
        self._arrived: list[bytes] = []

    def send(self, *frames: bytes) -> None:
        self.socket.sendall(b"".join(map(packed, frames)))

    def receive(self) -> bytes:
        """The next frame; EOFError where the fabric hung up."""
        while not self._arrived:
            data = self.socket.recv(1 << 18)
            if not data:
                raise EOFError
            self._arrived = self._reader.feed(data)
        return self._arrived.pop(0)

    def close(self) -> None:
        self.socket.close()


def in_namespace_of(pid: int, make: Callable[[], T]) -> T:
    """What `make` returns, made in the network namespace of `pid`: a socket stays where it was made."""

    def inside() -> T:
        enter(pid)
        return make()

    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(inside).result()


@contextmanager
def linux_machine(run: Path, interface: Interface, *, address: str, gateway: str) -> Iterator[int]:
    """A machine with a network stack on `interface`; gives the pid whose network namespace it is."""
    command = [sys.executable, "-m", "tests.lab.fabric.cards", str(run / f"{interface.id}.port"), interface.mac]
    process = subprocess.Popen([*command, address, gateway], cwd=PROJECT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield process.pid
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def wait_until(condition: Callable[[], bool], *, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def _main() -> None:
    path, mac, address, gateway = sys.argv[1:]
    unshare_network()
    tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", b"eth0", IFF_TAP | IFF_NO_PI))
    commands = ["link set lo up", f"link set eth0 address {mac} mtu 9001 up", f"addr add {address} dev eth0"]
    commands.append(f"route add default via {gateway}")
    subprocess.run(["ip", "-4", "-batch", "-"], input="\n".join(commands) + "\n", text=True, check=True)
    fabric = socket.socket(socket.AF_UNIX)
    fabric.connect(path)
    print("ready", flush=True)
    reader = FrameReader()
    while True:
        readable, _, _ = select.select([tap, fabric], [], [])
        if tap in readable:
            fabric.sendall(packed(os.read(tap, 65536)))
        if fabric in readable:
            data = fabric.recv(1 << 18)
            if not data:
                return
            for frame in reader.feed(data):
                os.write(tap, frame)


if __name__ == "__main__":
    _main()
