"""Machines as the lab's cloud handles them: start one, cut its power, pause it. Each is known by its directory."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab.machines import process
from lab.machines.channel import ChannelError, run_command, wait_ready
from lab.machines.errors import MachineError
from lab.machines.hardware import MEMORY_MIB, Hardware, Network, machine_id, network_card
from lab.machines.image import Image
from lab.machines.qmp import Qmp, qmp

LINK_SECONDS = 10.0
RESTORE_SECONDS = 60.0
WAKE_SECONDS = 180.0


@dataclass(frozen=True, kw_only=True)
class MachineSpec:
    """One machine. `directory` keeps its disk, logs and this very record; `port_socket` is where the fabric listens.

    `memory_mib` other than the saved state's means a full boot instead of a restore.
    """

    instance_id: str
    mac: str
    port_socket: Path
    channel_socket: Path
    qmp_socket: Path
    directory: Path
    memory_mib: int = MEMORY_MIB
    instance_type: str = "t3.micro"


def start(spec: MachineSpec, image: Image | None, *, first_boot: bool) -> None:
    """Give a machine its power. The fabric must listen at its port already.

    The first boot makes its disk and continues from the image's saved state; it returns when the machine has its own
    identity and goes on to cloud-init (seconds; minutes on a busy host). Any other boots the disk as it was left, and
    returns at once; `image` is not needed then. Raises MachineError; then nothing of it runs.
    """
    if is_running(spec.directory):
        raise MachineError(f"{spec.instance_id} runs already")
    if first_boot and image is None:
        raise MachineError(f"{spec.instance_id} cannot boot first without an image")
    if not first_boot:
        boot = _read(spec.directory)["boot"]
        _power(spec, _hardware(spec, kernel=boot["kernel"], initrd=boot["initrd"]))
        return
    assert image is not None
    spec.directory.mkdir(parents=True, exist_ok=True)
    restored = spec.memory_mib == MEMORY_MIB
    disk, disk_format = (image.golden_disk, "qcow2") if restored else (image.disk, "raw")
    process.create_overlay(spec.directory / "disk.qcow2", backing=str(disk), backing_format=disk_format)
    kernel, initrd = str(image.kernel), str(image.initrd)
    record = {"spec": asdict(spec), "boot": {"kernel": kernel, "initrd": initrd}}
    (spec.directory / "machine.json").write_text(json.dumps(record, default=str, indent=1))
    if not restored:
        _power(spec, _hardware(spec, kernel=kernel, initrd=initrd))
        return
    _power(spec, _hardware(spec, kernel=kernel, initrd=initrd, plugged_in=False, state=image.golden_state))
    try:
        _wake(spec)
    except BaseException:
        kill(spec.directory)
        raise


def read_spec(directory: Path) -> MachineSpec:
    """The record of the machine that was started in `directory`."""
    fields = _read(directory)["spec"]
    for key in ("port_socket", "channel_socket", "qmp_socket", "directory"):
        fields[key] = Path(fields[key])
    return MachineSpec(**fields)


def is_running(directory: Path) -> bool:
    """Whether the machine has power (it may be paused)."""
    return running_pid(directory) is not None


def running_pid(directory: Path) -> int | None:
    """The process id of the machine's QEMU while it has power, else None."""
    return process.running_pid(_pid_file(directory))


def kill(directory: Path) -> None:
    """Cut the machine's power; returns when its process is gone. A machine without power is left as it is."""
    process.end(_pid_file(directory))


def power_off(directory: Path, *, timeout_seconds: float = 60.0) -> None:
    """Let the machine shut down, and cut its power where it has not after `timeout_seconds`, as StopInstances does.

    It is asked by the channel: the ACPI button would need logind and D-Bus in every guest only for this.
    """
    if not is_running(directory):
        return
    deadline = time.monotonic() + timeout_seconds
    if _asked(directory, "systemctl --no-block poweroff", timeout_seconds):
        process.wait_end(_pid_file(directory), timeout_seconds=max(0.0, deadline - time.monotonic()))
    kill(directory)


def reboot(directory: Path, *, timeout_seconds: float = 60.0) -> None:
    """Let the machine reboot; reset it where it takes no commands in `timeout_seconds`. Does not wait for the boot."""
    if not _asked(directory, "systemctl --no-block reboot", timeout_seconds):
        with qmp(read_spec(directory).qmp_socket) as machine:
            machine.execute("system_reset")


def pause(directory: Path) -> None:
    """Stop the machine's processor: it is there and does nothing."""
    with qmp(read_spec(directory).qmp_socket) as machine:
        machine.execute("stop")


def resume(directory: Path) -> None:
    """Let a paused machine go on. Its clock has missed the pause."""
    with qmp(read_spec(directory).qmp_socket) as machine:
        machine.execute("cont")


def set_cable(directory: Path, *, plugged_in: bool) -> None:
    """Put the network cable in, or pull it: the guest's card has link or not (QMP, set_link)."""
    with qmp(read_spec(directory).qmp_socket) as machine:
        machine.execute("set_link", name="nic0", up=plugged_in)


def _asked(directory: Path, command: str, timeout_seconds: float) -> bool:
    try:
        return (
            run_command(read_spec(directory).channel_socket, command, timeout_seconds, grace_seconds=0).exit_code == 0
        )
    except ChannelError:
        return False


def _power(spec: MachineSpec, hardware: Hardware) -> None:
    """Start QEMU with its network cable in: the fabric did answer at the machine's port."""
    process.launch(hardware)
    try:
        with qmp(spec.qmp_socket) as machine:
            _require_link(spec, machine)
    except BaseException:
        kill(spec.directory)
        raise


def _require_link(spec: MachineSpec, machine: Qmp) -> None:
    """QEMU starts without a word where nobody listens at the port (net/stream.c); only its monitor knows."""
    deadline = time.monotonic() + LINK_SECONDS
    while "unix:" not in (told := machine.execute("human-monitor-command", **{"command-line": "info network"})):
        if "error" in told or time.monotonic() > deadline:
            raise MachineError(f"no fabric listens at {spec.port_socket} for {spec.instance_id}; is the lab up?")
        time.sleep(0.02)


def _wake(spec: MachineSpec) -> None:
    """Let a restored copy go on as a machine of its own: network card, clock, machine id; then release the hold."""
    card = network_card(Network(mac=spec.mac, port_socket=spec.port_socket))
    with qmp(spec.qmp_socket) as machine:
        machine.wait_status("paused", "prelaunch", timeout_seconds=RESTORE_SECONDS)
        machine.execute("cont")
        machine.execute("device_add", **card)
    wait_ready(spec.channel_socket, timeout_seconds=WAKE_SECONDS)
    command = ["/usr/local/lib/lab/wake.sh", f"{time.time():.3f}", machine_id(spec.instance_id)]
    result = run_command(spec.channel_socket, command, WAKE_SECONDS)
    if result.exit_code:
        raise MachineError(f"{spec.instance_id} did not wake up ({result.exit_code}): {result.stderr.strip()}")


def _hardware(
    spec: MachineSpec, *, kernel: str, initrd: str, plugged_in: bool = True, state: Path | None = None
) -> Hardware:
    return Hardware(
        instance_id=spec.instance_id,
        instance_type=spec.instance_type,
        memory_mib=spec.memory_mib,
        disk=spec.directory / "disk.qcow2",
        kernel=Path(kernel),
        initrd=Path(initrd),
        console=spec.directory / "console.log",
        log=spec.directory / "qemu.log",
        pid_file=_pid_file(spec.directory),
        channel_socket=spec.channel_socket,
        qmp_socket=spec.qmp_socket,
        network=Network(mac=spec.mac, port_socket=spec.port_socket),
        plugged_in=plugged_in,
        state=state,
    )


def _read(directory: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads((directory / "machine.json").read_text())
    except FileNotFoundError:
        raise MachineError(f"no machine was started in {directory}") from None
    return record


def _pid_file(directory: Path) -> Path:
    return directory / "qemu.pid"
