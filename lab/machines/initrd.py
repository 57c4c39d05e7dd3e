"""The initial ram disk: Debian's static busybox, four drivers, and guest/init. Debian's own costs seconds."""

from __future__ import annotations

import lzma
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.machines.errors import MachineError

# What Debian's cloud kernel has as modules of what the machine boots with, in the order they load.
DRIVERS = ("virtio_blk", "failover", "net_failover", "virtio_net")
GUEST = Path(__file__).parent / "guest"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file of an archive: a path without a leading slash, its type and permissions, its content."""

    path: str
    mode: int
    content: bytes = b""


def archive(entries: Iterable[Entry]) -> bytes:
    """A cpio archive in the `newc` format (Linux's Documentation/driver-api/early-userspace/buffer-format.rst)."""
    parts = [_member(number, entry) for number, entry in enumerate(entries, start=1)]
    return b"".join([*parts, _member(0, Entry(path="TRAILER!!!", mode=0))])


def build_initrd(tree: Path, kernel_release: str) -> bytes:
    """The initial ram disk for the kernel `kernel_release` of the system in `tree`."""
    modules = [(name, _module(tree, kernel_release, name)) for name in DRIVERS]
    directories = ("bin", "dev", "proc", "root", "modules")
    order = "".join(f"{name}.ko\n" for name, _ in modules)
    return archive(
        [
            *(Entry(path=path, mode=stat.S_IFDIR | 0o755) for path in directories),
            Entry(path="bin/busybox", mode=stat.S_IFREG | 0o755, content=(tree / "usr/bin/busybox").read_bytes()),
            Entry(path="init", mode=stat.S_IFREG | 0o755, content=(GUEST / "init").read_bytes()),
            *(Entry(path=f"modules/{name}.ko", mode=stat.S_IFREG | 0o644, content=data) for name, data in modules),
            Entry(path="modules/order", mode=stat.S_IFREG | 0o644, content=order.encode()),
        ]
    )


def _module(tree: Path, kernel_release: str, name: str) -> bytes:
    found = sorted((tree / "usr/lib/modules" / kernel_release).rglob(f"{name}.ko*"))
    if not found:
        raise MachineError(f"the kernel {kernel_release} has no module {name}: report this, Debian changed its kernel")
    data = found[0].read_bytes()
    return lzma.decompress(data) if found[0].suffix == ".xz" else data


def _member(number: int, entry: Entry) -> bytes:
    name = entry.path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(entry.mode) else 1
    fields = (number, entry.mode, 0, 0, links, 0, len(entry.content), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(entry.content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
