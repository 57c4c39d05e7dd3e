import dataclasses
import itertools
import re
from pathlib import Path

import pytest

from lab.machines.hardware import Hardware, Network, command_line, machine_id, network_card, system_uuid

NETWORK = Network(mac="02:00:00:00:00:24", port_socket=Path("/run/eni-1.port"))
HARDWARE = Hardware(
    instance_id="i-1",
    instance_type="t3.nano",
    memory_mib=384,
    disk=Path("/m/disk.qcow2"),
    kernel=Path("/i/vmlinuz"),
    initrd=Path("/i/initrd"),
    console=Path("/m/console.log"),
    log=Path("/m/qemu.log"),
    pid_file=Path("/m/qemu.pid"),
    channel_socket=Path("/r/i-1.channel"),
    qmp_socket=Path("/r/i-1.qmp"),
    network=NETWORK,
)


def devices(hardware: Hardware) -> list[str]:
    line = command_line(hardware)
    return [value for option, value in itertools.pairwise(line) if option == "-device"]


def value(hardware: Hardware, option: str) -> str:
    line = command_line(hardware)
    return line[line.index(option) + 1]


def test_software_emulation_only() -> None:
    line = command_line(HARDWARE)
    assert value(HARDWARE, "-accel").split(",")[0] == "tcg"
    assert line.count("-accel") == 1
    assert not any("kvm" in argument.replace("-svm", "") for argument in line)


def test_a_saved_state_meets_the_devices_it_was_saved_with() -> None:
    golden = dataclasses.replace(HARDWARE, network=None, hold=True)
    restored = dataclasses.replace(HARDWARE, plugged_in=False, state=Path("/i/state"))
    assert devices(golden) == devices(restored)


def test_the_card_is_the_same_plugged_in_or_there_from_the_start() -> None:
    card = network_card(NETWORK)
    [there] = [device for device in devices(HARDWARE) if device.startswith("virtio-net-pci")]
    assert set(there.split(",")[1:]) == {f"{key}={text}" for key, text in card.items() if key != "driver"}


def test_no_two_devices_share_a_slot() -> None:
    slots = [slot for device in devices(HARDWARE) for slot in re.findall(r"addr=(0x\w+)", device)]
    assert len(slots) == 4
    assert len(set(slots)) == 4


def test_only_the_boot_that_is_saved_is_held() -> None:
    assert "lab.hold" not in value(HARDWARE, "-append")
    assert value(dataclasses.replace(HARDWARE, hold=True), "-append").split()[-1] == "lab.hold"


def test_dmi_says_ec2_and_names_the_instance() -> None:
    line = command_line(HARDWARE)
    firmware = [value for option, value in itertools.pairwise(line) if option == "-smbios"]
    uuid = system_uuid("i-1")
    assert f"type=1,manufacturer=Amazon EC2,product=t3.nano,serial={uuid},uuid={uuid}" in firmware
    assert "type=2,manufacturer=Amazon EC2,asset=i-1" in firmware


def test_identities_are_well_formed_and_differ() -> None:
    names = [f"i-{number}" for number in range(50)]
    assert all(re.fullmatch(r"ec2[0-9a-f]{5}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", system_uuid(name)) for name in names)
    assert all(re.fullmatch(r"[0-9a-f]{32}", machine_id(name)) for name in names)
    assert len({system_uuid(name) for name in names} | {machine_id(name) for name in names}) == 100


def test_a_comma_in_a_path_stays_in_the_path() -> None:
    comma = dataclasses.replace(HARDWARE, disk=Path("/a,readonly=on/disk"))
    assert value(comma, "-drive").startswith("file=/a,,readonly=on/disk,id=disk0")


@pytest.mark.parametrize("path", ["/with space/state", "/with'quote/state"])
def test_the_state_is_read_by_a_shell_as_one_word(path: str) -> None:
    import shlex

    incoming = value(dataclasses.replace(HARDWARE, state=Path(path)), "-incoming")
    assert shlex.split(incoming.removeprefix("exec:")) == ["cat", path]
