import lzma
import stat
from pathlib import Path

import pytest

from lab.machines.errors import MachineError
from lab.machines.initrd import DRIVERS, Entry, archive, build_initrd


def unpack(data: bytes) -> dict[str, tuple[int, bytes]]:
    """A reader of `newc` of its own, after Linux's Documentation/driver-api/early-userspace/buffer-format.rst."""
    files: dict[str, tuple[int, bytes]] = {}
    at = 0
    while True:
        assert at % 4 == 0
        assert data[at : at + 6] == b"070701"
        fields = [int(data[at + 6 + 8 * n : at + 14 + 8 * n], 16) for n in range(13)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = data[at + 110 : at + 110 + name_size]
        assert name.endswith(b"\0")
        content_at = (at + 110 + name_size + 3) & ~3
        if name == b"TRAILER!!!\0":
            assert content_at == len(data)
            return files
        files[name[:-1].decode()] = (mode, data[content_at : content_at + size])
        at = (content_at + size + 3) & ~3


def test_what_goes_into_an_archive_comes_out() -> None:
    entries = [
        Entry(path="bin", mode=stat.S_IFDIR | 0o755),
        *(Entry(path="f" * n, mode=stat.S_IFREG | 0o644, content=b"x" * n) for n in range(1, 9)),
    ]
    assert unpack(archive(entries)) == {entry.path: (entry.mode, entry.content) for entry in entries}


def tree_with(tmp_path: Path, drivers: tuple[str, ...]) -> Path:
    modules = tmp_path / "usr/lib/modules/6.12/kernel/drivers"
    modules.mkdir(parents=True)
    for name in drivers:
        (modules / f"{name}.ko.xz").write_bytes(lzma.compress(f"module {name}".encode()))
    (tmp_path / "usr/bin").mkdir()
    (tmp_path / "usr/bin/busybox").write_bytes(b"busybox")
    return tmp_path


def test_it_has_the_drivers_decompressed_and_in_order(tmp_path: Path) -> None:
    files = unpack(build_initrd(tree_with(tmp_path, DRIVERS), "6.12"))
    assert {name: files[f"modules/{name}.ko"][1] for name in DRIVERS} == {
        name: f"module {name}".encode() for name in DRIVERS
    }
    assert files["modules/order"][1].decode().split() == [f"{name}.ko" for name in DRIVERS]
    assert files["bin/busybox"] == (stat.S_IFREG | 0o755, b"busybox")
    assert files["init"][0] == stat.S_IFREG | 0o755


def test_a_driver_debian_no_longer_ships_is_named(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="no module virtio_blk"):
        build_initrd(tree_with(tmp_path, ("virtio_net",)), "6.12")
