"""A TUN device: a network interface whose packets a process reads and writes (kernel documentation, tuntap)."""

from __future__ import annotations

import fcntl
import os
import struct
from pathlib import Path

TUNSETIFF = 0x400454CA  # linux/if_tun.h
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
PACKET_LIMIT = 65536


def open_tun(name: str) -> int:
    """A non-blocking descriptor of a new TUN `name` in the current network namespace. Raises OSError."""
    device = Path("/dev/net/tun")
    if not device.exists():
        raise FileNotFoundError(
            f"{device} is missing: load the kernel module (modprobe tun), or in a container pass it in"
        )
    descriptor = os.open(device, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode("ascii"), IFF_TUN | IFF_NO_PI))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
