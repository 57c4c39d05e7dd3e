import dataclasses
import os
import socket
import stat
import subprocess
import threading
from pathlib import Path

import pytest

from lab.machines import process, qemu
from lab.machines.errors import MachineError
from lab.machines.hardware import Hardware
from lab.machines.qemu import MachineSpec
from lab.machines.qmp import qmp

# As much of a kernel as QEMU looks at (Linux's Documentation/arch/x86/boot.rst): sectors, magic, version, limit.
KERNEL = bytearray(65536)
KERNEL[0x1F1] = 4
KERNEL[0x202:0x208] = b"HdrS\x0c\x02"
KERNEL[0x22C:0x230] = b"\xff\xff\xff\x37"


def hardware(tmp_path: Path) -> Hardware:
    return Hardware(
        instance_id="i-1",
        instance_type="t3.micro",
        memory_mib=64,
        disk=tmp_path / "missing.qcow2",
        kernel=tmp_path / "vmlinuz",
        initrd=tmp_path / "initrd",
        console=tmp_path / "console.log",
        log=tmp_path / "qemu.log",
        pid_file=tmp_path / "qemu.pid",
        channel_socket=tmp_path / "channel",
        qmp_socket=tmp_path / "qmp",
    )


def spec(tmp_path: Path) -> MachineSpec:
    return MachineSpec(
        instance_id="i-1",
        mac="02:00:00:00:00:01",
        port_socket=tmp_path / "port",
        channel_socket=tmp_path / "channel",
        qmp_socket=tmp_path / "qmp",
        directory=tmp_path / "i-1",
    )


def test_what_qemu_objects_to_is_told(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"QEMU did not start: .*missing\.qcow2.*log: "):
        process.launch(hardware(tmp_path))


def test_too_little_memory_is_told_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"not enough memory .* MiB are free and it takes 1000000150"):
        process.launch(dataclasses.replace(hardware(tmp_path), memory_mib=1_000_000_000))


def test_a_recycled_process_id_is_no_machine(tmp_path: Path) -> None:
    pid_file = tmp_path / "qemu.pid"
    assert process.running_pid(pid_file) is None
    other = subprocess.Popen(["sleep", "60"])
    try:
        pid_file.write_text(f"{other.pid}\n")
        assert process.running_pid(pid_file) is None
        assert not process.end(pid_file)
        assert other.poll() is None, "a stranger was killed"
    finally:
        other.kill()
        other.wait()


def test_the_record_comes_back_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = qemu.Image(
        directory=tmp_path,
        rootfs=tmp_path,
        disk=tmp_path / "disk.raw",
        kernel=tmp_path / "vmlinuz",
        initrd=tmp_path / "initrd",
        golden_disk=tmp_path / "disk.qcow2",
        golden_state=tmp_path / "state",
    )
    launched: list[Hardware] = []
    monkeypatch.setattr(process, "launch", launched.append)
    monkeypatch.setattr(qemu, "_power", lambda spec, hardware: process.launch(hardware))
    monkeypatch.setattr(process, "create_overlay", lambda disk, **_: disk.write_text("disk"))
    larger = dataclasses.replace(spec(tmp_path), memory_mib=1024, instance_type="t3.small")
    qemu.start(larger, image, first_boot=True)
    assert qemu.read_spec(larger.directory) == larger
    qemu.start(larger, None, first_boot=False)
    first, again = launched
    assert first == again
    assert (first.kernel, first.memory_mib, first.state) == (image.kernel, 1024, None)


def test_a_failed_restore_leaves_no_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real QEMU whose saved state never comes: nobody writes into the pipe."""
    monkeypatch.setattr(qemu, "RESTORE_SECONDS", 0.5)
    image = qemu.Image(
        directory=tmp_path,
        rootfs=tmp_path,
        disk=tmp_path / "disk.raw",
        kernel=tmp_path / "vmlinuz",
        initrd=tmp_path / "initrd",
        golden_disk=tmp_path / "golden.qcow2",
        golden_state=tmp_path / "state",
    )
    os.mkfifo(image.golden_state)
    subprocess.run(("qemu-img", "create", "-q", "-f", "qcow2", str(image.golden_disk), "1M"), check=True)
    image.kernel.write_bytes(bytes(KERNEL))
    image.initrd.write_bytes(b"initrd")
    machine = spec(tmp_path)
    with socket.socket(socket.AF_UNIX) as fabric:
        fabric.bind(str(machine.port_socket))
        fabric.listen()
        with pytest.raises(MachineError, match="still inmigrate"):
            qemu.start(machine, image, first_boot=True)
    # The pipe's other reader (QEMU's `cat`) outlives QEMU until it sees an end.
    os.close(os.open(image.golden_state, os.O_WRONLY | os.O_NONBLOCK))
    assert not qemu.is_running(machine.directory)


def test_a_fabric_that_does_not_listen_is_told(tmp_path: Path) -> None:
    machine = spec(tmp_path)
    image = qemu.Image(**{field.name: tmp_path / field.name for field in dataclasses.fields(qemu.Image)})
    subprocess.run(("qemu-img", "create", "-q", "-f", "qcow2", str(image.golden_disk), "1M"), check=True)
    image.kernel.write_bytes(bytes(KERNEL))
    image.initrd.write_bytes(b"initrd")
    with pytest.raises(MachineError, match=r"no fabric listens at .*port for i-1"):
        qemu.start(machine, image, first_boot=True)
    assert not qemu.is_running(machine.directory)


def test_a_machine_that_never_was(tmp_path: Path) -> None:
    assert not qemu.is_running(tmp_path / "i-1")
    qemu.kill(tmp_path / "i-1")
    qemu.power_off(tmp_path / "i-1")
    with pytest.raises(MachineError, match="no machine was started"):
        qemu.read_spec(tmp_path / "i-1")
    with pytest.raises(MachineError, match="without an image"):
        qemu.start(spec(tmp_path), None, first_boot=True)


def test_qmp_skips_events_and_raises_what_qemu_refuses(tmp_path: Path) -> None:
    answers = [
        b'{"QMP": {}}\n',
        b'{"return": {}}\n',
        b'{"event": "STOP"}\n{"return": {"status": "paused"}}\n',
        b'{"error": {"class": "GenericError", "desc": "no such device"}}\n',
    ]
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "qmp"))
    listener.listen()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, listener:
            connection.sendall(answers[0])
            for answer in answers[1:]:
                connection.recv(65536)
                connection.sendall(answer)

    threading.Thread(target=serve, daemon=True).start()
    with qmp(tmp_path / "qmp") as machine:
        assert machine.wait_status("paused", timeout_seconds=5) == "paused"
        with pytest.raises(MachineError, match="QEMU refuses device_add: no such device"):
            machine.execute("device_add", driver="x")
        with pytest.raises(MachineError, match=r"QEMU (is gone|does not answer)"):
            machine.execute("cont")
    with pytest.raises(MachineError, match="no QEMU answers"), qmp(tmp_path / "absent"):
        pass


def test_a_missing_tool_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    present = tmp_path / "present"
    present.write_text("")
    present.chmod(present.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", os.fspath(tmp_path))
    with pytest.raises(MachineError, match=r"missing: absent; `make setup`"):
        process.require_tools(["present", "absent"])
