import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lab.machines import image, rootfs
from lab.machines.errors import MachineError
from lab.machines.image import KEPT_SECONDS, base_key, ensure_image, packages_of, state_key
from lab.machines.mirror import Mirror
from lab.machines.rootfs import BAKED, STOCK, ImageRecipe, bootstrap_command
from tests.lab.under_test import LAB

MIRROR = Mirror(archive="http://a.example/debian", security="http://a.example/debian-security")


def test_a_key_changes_with_each_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = ImageRecipe(name=BAKED.name, packages=(*BAKED.packages, "vim-tiny"))
    assert base_key(BAKED, b"certificate") == base_key(BAKED, b"certificate")
    keys = [base_key(BAKED, b"certificate"), base_key(other, b"certificate"), base_key(BAKED, b"another")]
    guest = tmp_path / "guest"
    guest.mkdir()
    for file in rootfs.GUEST.iterdir():
        if file.is_file():
            (guest / file.name).write_bytes(file.read_bytes())
    monkeypatch.setattr(rootfs, "GUEST", guest)
    assert base_key(BAKED, b"certificate") == keys[0]
    (guest / "wake.sh").write_text("#!/bin/sh\n")
    keys.append(base_key(BAKED, b"certificate"))
    keys.append(base_key(STOCK, b"certificate", b"archive"))
    keys.append(base_key(STOCK, b"certificate", b"another archive"))
    keys.append(base_key(ImageRecipe(name="stock", packages=STOCK.packages, offered=("hello",)), b"certificate"))
    assert len(set(keys)) == 7


def test_a_saved_state_belongs_to_a_base_and_an_emulator() -> None:
    assert len({state_key("a", "QEMU 7.2"), state_key("b", "QEMU 7.2"), state_key("a", "QEMU 10.0")}) == 3


def test_every_guest_file_is_installed_or_part_of_the_initial_ram_disk() -> None:
    files = {file.name for file in rootfs.GUEST.iterdir() if file.is_file()}
    assert files == {*rootfs.GUEST_FILES, "init"}


def test_the_packages_and_the_apt_settings_reach_mmdebstrap() -> None:
    mirror = Mirror(archive=MIRROR.archive, security=MIRROR.security, apt_settings=('Acquire::Check-Date "false";',))
    command = bootstrap_command(ImageRecipe(name="x", packages=("systemd", "nginx")), mirror, Path("/t"))
    assert "--include=systemd,nginx" in command
    assert '--aptopt=Acquire::Check-Date "false"' in command
    assert command[-5:-3] == ("trixie", "/t")
    assert not any("hook" in word for word in command)


def test_what_a_recipe_offers_is_downloaded_and_not_installed() -> None:
    command = bootstrap_command(STOCK, MIRROR, Path("/t"), Path("/a pool"))
    [hook] = [word for word in command if word.startswith("--customize-hook=")]
    assert "--download-only --no-install-recommends" in hook and "'--option=Dir::Cache::Archives=/a pool'" in hook
    assert hook.endswith("install " + " ".join(STOCK.offered))
    [included] = [word for word in command if word.startswith("--include=")]
    assert not set(STOCK.offered) & set(included.removeprefix("--include=").split(","))
    assert {"keepalived", "ipvsadm", "nginx", "python3-boto3"} == set(STOCK.offered)


def stub_builder(monkeypatch: pytest.MonkeyPatch, broken: BaseException | None = None) -> list[str]:
    """Replaces the minutes-long steps by empty files: what is tested is what stays of a build in the cache."""
    built: list[str] = []

    def base(recipe: object, certificate: object, signer: object, directory: Path, progress: object) -> None:
        built.append("base")
        for name in ("disk.raw", "vmlinuz", "initrd"):
            (directory / name).write_text(name)
        (directory / "rootfs").mkdir()
        if signer is not None:
            (directory / "packages").mkdir()

    def save(*, disk: Path, state: Path, **_: object) -> None:
        built.append("state")
        disk.write_text("disk")
        if broken is not None:
            raise broken
        state.write_text("state")

    monkeypatch.setattr(image, "_build_base", base)
    monkeypatch.setattr(image, "_require_build_host", lambda images: None)
    monkeypatch.setattr(image.golden, "save_state", save)
    monkeypatch.setattr(image.process, "require_tools", lambda tools: None)
    monkeypatch.setattr(image, "_emulator_version", lambda: "QEMU 7.2")
    return built


def test_an_image_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_text("certificate")
    built = stub_builder(monkeypatch)
    first = ensure_image(tmp_path, certificate, print)
    assert ensure_image(tmp_path, certificate, print) == first
    assert built == ["base", "state"]
    assert all(path.exists() for path in (first.rootfs, first.disk, first.kernel, first.initrd, first.golden_state))


@pytest.mark.parametrize("fault", [KeyboardInterrupt(), MachineError("no")])
def test_an_interrupted_build_leaves_nothing_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: BaseException
) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_text("certificate")
    stub_builder(monkeypatch, broken=fault)
    with contextlib.suppress(KeyboardInterrupt, MachineError):
        ensure_image(tmp_path, certificate, print)
    left = {path.name.rpartition("-")[0] for path in (tmp_path / "images").iterdir() if path.is_dir()}
    assert left == {"baked"}, "the finished half stays, the unfinished one goes"
    built = stub_builder(monkeypatch)
    ensure_image(tmp_path, certificate, print)
    assert built == ["state"]


def test_what_a_killed_builder_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_text("certificate")
    abandoned = tmp_path / "images/.building-x/rootfs"
    abandoned.mkdir(parents=True)
    stub_builder(monkeypatch)
    ensure_image(tmp_path, certificate, print)
    assert not abandoned.parent.exists()


def test_the_mirror_finds_the_packages_once_they_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_text("certificate")
    stub_builder(monkeypatch)
    assert packages_of(tmp_path, certificate, STOCK) is None
    image = ensure_image(tmp_path, certificate, print, recipe=STOCK)
    assert image.packages == packages_of(tmp_path, certificate, STOCK) is not None
    assert ensure_image(tmp_path, certificate, print).packages is None


def test_images_that_nobody_used_for_a_week_make_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_text("certificate")
    images = tmp_path / "images"
    week_ago = time.time() - KEPT_SECONDS - 60

    def image_of(name: str, used: float) -> Path:
        directory = images / name
        directory.mkdir(parents=True)
        (directory / "disk.raw").write_text("disk")
        os.utime(directory, (used, used))
        return directory

    old, old_state = image_of("baked-" + "0" * 16, week_ago), image_of("baked-state-" + "0" * 16, week_ago)
    kept = [
        image_of("baked-" + "1" * 16, week_ago + 3600),  # another checkout's
        image_of("stock-" + "0" * 16, week_ago),  # another recipe's
        image_of("mine", week_ago),
    ]
    running = image_of("baked-" + "2" * 16, week_ago)
    stub_builder(monkeypatch)
    with (running / "disk.raw").open():
        ensure_image(tmp_path, certificate, print)
    assert not old.exists() and not old_state.exists()
    assert all(directory.exists() for directory in (*kept, running))


def test_an_image_that_is_used_is_not_an_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_text("certificate")
    stub_builder(monkeypatch)
    image = ensure_image(tmp_path, certificate, print)
    for directory in (image.directory, image.golden_disk.parent):
        os.utime(directory, (0, 0))
    ensure_image(tmp_path, certificate, print)
    assert all(path.stat().st_mtime > time.time() - 60 for path in (image.directory, image.golden_disk.parent))


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a build step has mount and process namespaces of its own")
# Whoever is started in the background of a script has SIGINT ignored, and so have its children: not this one.
HEARS_SIGINT = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)
# mmdebstrap that never ends, and tells its process id (of this machine, not of its own namespace) and its child's.
ENDLESS = """#!/bin/sh
sleep 4242.%s &
wait
"""


def wait_until(condition: object, *, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline, "it did not come to be in time"
        time.sleep(0.05)


def sleeping(mark: str) -> bool:
    lines = (path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists())
    with contextlib.suppress(OSError):
        return any(f"4242.{mark}".encode() in line for line in lines)
    return sleeping(mark)


@needs_root
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_builder_that_is_ended_takes_its_steps_along(tmp_path: Path, number: signal.Signals) -> None:
    mark = f"{os.getpid()}{number.value}"
    tools, cache = tmp_path / "bin", tmp_path / "cache"
    tools.mkdir()
    (tools / "mmdebstrap").write_text(ENDLESS % mark)
    (tools / "mmdebstrap").chmod(0o755)
    environment = {**os.environ, "LAB_CACHE": str(cache), "LAB_HOME": str(tmp_path / "home")}
    environment["PATH"] = f"{tools}:{os.environ['PATH']}"
    command = [sys.executable, "-c", HEARS_SIGINT, str(LAB), "image"]
    builder = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_until(lambda: sleeping(mark) or builder.poll() is not None)
    assert builder.poll() is None, builder.communicate()
    builder.send_signal(number)
    builder.communicate(timeout=20)
    wait_until(lambda: not sleeping(mark))
    left = list((cache / "images").glob(".building-*"))
    if number == signal.SIGKILL:
        assert left, "only who is killed has no time to clear up"
    else:
        assert (builder.returncode, left) == ({signal.SIGTERM: 143, signal.SIGINT: 130}[number], [])


def test_the_emulator_of_a_killed_builder_ends_before_the_next_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = tmp_path / "ca.pem"
    certificate.write_text("certificate")
    abandoned = tmp_path / "images/.building-x"
    abandoned.mkdir(parents=True)
    pid_file = abandoned / image.golden.PID_FILE
    # What counts as a machine's emulator: a process with the pid file's path among its arguments.
    emulator = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", str(pid_file)])
    pid_file.write_text(str(emulator.pid))
    wait_until(lambda: image.process.running_pid(pid_file))  # its arguments show only some time after its start
    stub_builder(monkeypatch)
    ensure_image(tmp_path, certificate, print)
    assert emulator.wait(timeout=10) == -signal.SIGKILL


def test_a_missing_tool_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError, match=r"qemu-system-x86_64.*make setup"):
        ensure_image(tmp_path, tmp_path / "ca.pem", print)
