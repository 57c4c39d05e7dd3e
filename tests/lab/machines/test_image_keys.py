import contextlib
from pathlib import Path

import pytest

from lab.machines import image, rootfs
from lab.machines.errors import MachineError
from lab.machines.image import base_key, ensure_image, state_key
from lab.machines.mirror import Mirror
from lab.machines.rootfs import BAKED, ImageRecipe, bootstrap_command

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
    assert len(set(keys)) == 4


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


def stub_builder(monkeypatch: pytest.MonkeyPatch, broken: BaseException | None = None) -> list[str]:
    """Replaces the minutes-long steps by empty files: what is tested is what stays of a build in the cache."""
    built: list[str] = []

    def base(recipe: object, certificate: object, directory: Path, progress: object) -> None:
        built.append("base")
        for name in ("disk.raw", "vmlinuz", "initrd"):
            (directory / name).write_text(name)
        (directory / "rootfs").mkdir()

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


def test_a_missing_tool_is_named_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineError, match=r"qemu-system-x86_64.*make setup"):
        ensure_image(tmp_path, tmp_path / "ca.pem", print)
