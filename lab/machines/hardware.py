"""The machine every guest sees, as QEMU arguments: pure. A saved state fits only the very same list of devices."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

EMULATOR = "qemu-system-x86_64"
MEMORY_MIB = 384
CHANNEL_PORT = "lab.agent"
# EC2's Nitro instances call their first network card ens5: systemd names it by its slot (systemd.net-naming-scheme(7)).
NETWORK_SLOT = "0x5"
KERNEL_ARGUMENTS = (
    "root=/dev/vda rw console=ttyS0 quiet mitigations=off audit=0 apparmor=0 lsm=capability selinux=0 "
    "cryptomgr.notests no_timer_check"
)
HOLD_ARGUMENT = "lab.hold"


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network card: its MAC and the unix socket where the fabric listens for it."""

    mac: str
    port_socket: Path


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """One machine as QEMU is told: `disk` is a qcow2 file; the sockets are where QEMU listens.

    `network` without `plugged_in` gives the host's end only: the card itself is plugged in later (`network_card`).
    `state` is a saved state to continue from; `hold` stops the boot where a state is to be saved.
    """

    instance_id: str
    instance_type: str
    memory_mib: int
    disk: Path
    kernel: Path
    initrd: Path
    console: Path
    log: Path
    pid_file: Path
    channel_socket: Path
    qmp_socket: Path
    network: Network | None = None
    plugged_in: bool = True
    state: Path | None = None
    hold: bool = False


def system_uuid(instance_id: str) -> str:
    """A UUID as EC2's machines have them: it begins with `ec2`, which is how cloud-init knows the platform.

    Source: cloud-init's DataSourceEc2.identify_aws; AWS, "Identify EC2 instances".
    """
    digest = hashlib.sha256(instance_id.encode()).hexdigest()
    return f"ec2{digest[:5]}-{digest[5:9]}-{digest[9:13]}-{digest[13:17]}-{digest[17:29]}"


def machine_id(instance_id: str) -> str:
    """The text of /etc/machine-id (machine-id(5)): 32 hexadecimal digits that no other machine has."""
    return hashlib.sha256(f"machine-id {instance_id}".encode()).hexdigest()[:32]


def network_card(network: Network) -> dict[str, str]:
    """The network card's device as QMP's device_add takes it."""
    return {
        "driver": "virtio-net-pci",
        "id": "nic0",
        "netdev": "net0",
        "mac": network.mac,
        "bus": "pci.0",
        "addr": NETWORK_SLOT,
        "romfile": "",
    }


def command_line(hardware: Hardware) -> tuple[str, ...]:
    """QEMU's whole command line. Software emulation only: KVM may be missing, and must not change what a test sees."""
    kernel_arguments = f"{KERNEL_ARGUMENTS} {HOLD_ARGUMENT}" if hardware.hold else KERNEL_ARGUMENTS
    arguments: tuple[str, ...] = (
        *(EMULATOR, "-daemonize", "-pidfile", str(hardware.pid_file), "-D", str(hardware.log)),
        *("-name", hardware.instance_id, "-accel", "tcg,tb-size=256", "-machine", "pc", "-cpu", "qemu64,-svm"),
        *("-m", str(hardware.memory_mib), "-smp", "1", "-nodefaults", "-no-user-config", "-display", "none"),
        *("-kernel", str(hardware.kernel), "-initrd", str(hardware.initrd), "-append", kernel_arguments),
        *_firmware(hardware),
        *("-drive", f"file={_escaped(hardware.disk)},id=disk0,if=none,format=qcow2,cache=unsafe,discard=unmap"),
        *("-device", "virtio-blk-pci,drive=disk0,bus=pci.0,addr=0x3"),
        *("-chardev", f"file,id=console0,path={_escaped(hardware.console)},append=on"),
        *("-serial", "chardev:console0"),
        *("-device", "virtio-serial-pci,id=serial0,bus=pci.0,addr=0x4"),
        *("-chardev", f"socket,id=channel0,path={_escaped(hardware.channel_socket)},server=on,wait=off"),
        *("-device", f"virtserialport,bus=serial0.0,chardev=channel0,name={CHANNEL_PORT}"),
        *("-device", "virtio-rng-pci,bus=pci.0,addr=0x6"),
        # A new generation makes the kernel take fresh random numbers after a restore (drivers/virt/vmgenid.c).
        *("-device", "vmgenid,guid=auto"),
        *("-qmp", f"unix:{_escaped(hardware.qmp_socket)},server=on,wait=off"),
    )
    if hardware.network is not None:
        path = _escaped(hardware.network.port_socket)
        arguments += ("-netdev", f"stream,id=net0,server=off,addr.type=unix,addr.path={path}")
        if hardware.plugged_in:
            card = network_card(hardware.network)
            arguments += ("-device", ",".join([card.pop("driver"), *(f"{key}={value}" for key, value in card.items())]))
    if hardware.state is not None:
        arguments += ("-incoming", f"exec:cat {shlex.quote(str(hardware.state))}")
    return arguments


def _firmware(hardware: Hardware) -> Sequence[str]:
    """What DMI says: Amazon EC2, an own UUID and serial number, and the instance id as asset tag, as on EC2."""
    uuid = system_uuid(hardware.instance_id)
    product = hardware.instance_type
    return (
        *("-uuid", uuid),
        *("-smbios", "type=0,vendor=Amazon EC2,version=1.0"),
        *("-smbios", f"type=1,manufacturer=Amazon EC2,product={product},serial={uuid},uuid={uuid}"),
        *("-smbios", f"type=2,manufacturer=Amazon EC2,asset={hardware.instance_id}"),
        *("-smbios", f"type=3,manufacturer=Amazon EC2,asset={hardware.instance_id}"),
    )


def _escaped(path: Path) -> str:
    """A path inside a QEMU option: a comma is written twice (qemu(1))."""
    return str(path).replace(",", ",,")
