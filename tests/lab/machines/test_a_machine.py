"""Machines without a lab: restored from the saved state, on network cards that nobody answers."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab.machines import qemu
from lab.machines.channel import run_command, wait_ready
from lab.machines.image import Image
from lab.machines.qemu import MachineSpec

pytestmark = [pytest.mark.machine, pytest.mark.timeout(1500)]
# Measured: 10 s for a full boot to its first command on an idle machine, 45 s on a busy one.
BOOT_SECONDS = 300
Start = Callable[[int], MachineSpec]


def swallow(connection: socket.socket) -> None:
    while connection.recv(65536):
        pass


@pytest.fixture
def start(tmp_path: Path, machine_image: Image) -> Iterator[Start]:
    """Starts machine NUMBER for the first time; all are gone at the end."""
    directories: list[Path] = []
    listeners: list[socket.socket] = []

    def listen(path: Path) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        listeners.append(listener)

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=swallow, args=(connection,), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()

    def one(number: int) -> MachineSpec:
        spec = MachineSpec(
            instance_id=f"i-{number:017x}",
            mac=f"02:00:00:00:00:{number:02x}",
            port_socket=tmp_path / f"{number}.port",
            channel_socket=tmp_path / f"{number}.channel",
            qmp_socket=tmp_path / f"{number}.qmp",
            directory=tmp_path / f"machine-{number}",
        )
        listen(spec.port_socket)
        directories.append(spec.directory)
        qemu.start(spec, machine_image, first_boot=True)
        return spec

    yield one
    for directory in directories:
        qemu.kill(directory)
    for listener in listeners:
        listener.close()


def said(spec: MachineSpec, command: str) -> str:
    result = run_command(spec.channel_socket, command, BOOT_SECONDS)
    assert result.exit_code == 0, result
    return result.stdout.strip()


def test_copies_of_one_state_are_machines_of_their_own(start: Start) -> None:
    with ThreadPoolExecutor() as pool:
        specs = list(pool.map(start, (1, 2)))
    for spec in specs:
        assert said(spec, "cat /sys/class/net/ens5/address") == spec.mac
        assert said(spec, "cut -c1-3 /sys/class/dmi/id/product_uuid") == "ec2"
        assert said(spec, "test -p /run/lab-hold && systemctl is-active lab-hold") == "active"
        clock = said(spec, "date +%s; cat /proc/uptime")
        assert abs(int(clock.split()[0]) - time.time()) < 60
        # journalctl reads the directory of the present machine id only.
        assert "Journal started" in said(spec, "journalctl -b --no-pager")
    for command in (
        "cat /etc/machine-id",
        "head -c 16 /dev/urandom | od -An -tx1",
        # udev makes this address of the machine id: equal ones on both ends silence a VXLAN.
        "ip link add probe type dummy && sleep 1 && cat /sys/class/net/probe/address",
    ):
        assert len({said(spec, command) for spec in specs}) == 2, f"both machines say the same to: {command}"


def test_power_cut_full_boot_reboot_and_shutdown(start: Start) -> None:
    spec = start(3)
    machine_id = said(spec, "cat /etc/machine-id")
    boot = said(spec, "echo kept >/root/kept; sync; cat /proc/sys/kernel/random/boot_id")

    qemu.kill(spec.directory)
    assert not qemu.is_running(spec.directory)
    qemu.start(qemu.read_spec(spec.directory), None, first_boot=False)
    wait_ready(spec.channel_socket, timeout_seconds=BOOT_SECONDS)
    second = said(spec, "cat /proc/sys/kernel/random/boot_id")
    assert second != boot
    assert said(spec, "cat /root/kept") == "kept"
    assert said(spec, "cat /etc/machine-id") == machine_id
    assert "lab.hold" not in said(spec, "cat /proc/cmdline")
    assert said(spec, "cat /sys/class/dmi/id/board_asset_tag") == spec.instance_id
    assert said(spec, "udevadm wait --timeout=120 /sys/class/net/ens5; cat /sys/class/net/ens5/address") == spec.mac

    qemu.reboot(spec.directory)
    for _ in range(100):
        wait_ready(spec.channel_socket, timeout_seconds=BOOT_SECONDS)
        third = run_command(spec.channel_socket, "sleep 1; cat /proc/sys/kernel/random/boot_id", 10).stdout.strip()
        if third and third != second:
            break
    assert third != second

    qemu.pause(spec.directory)
    assert qemu.is_running(spec.directory)
    qemu.resume(spec.directory)
    assert said(spec, "echo awake") == "awake"

    qemu.power_off(spec.directory, timeout_seconds=BOOT_SECONDS)
    assert not qemu.is_running(spec.directory)
