"""The image holds what is promised: read in its tree, and by its own programs in a chroot."""

import re
import subprocess
from pathlib import Path

import pytest

from lab.cloud.authority import ensure_authority
from lab.machines.rootfs import BAKED, GUEST, GUEST_FILES, MASKED_GENERATORS, MASKED_UNITS
from lab.paths import lab_paths

pytestmark = [pytest.mark.image, pytest.mark.timeout(1500)]


def inside(root: Path, *command: str) -> str:
    return subprocess.run(("chroot", str(root), *command), check=True, capture_output=True, text=True).stdout


def test_debian_13_with_every_package_that_was_asked_for(image_root: Path) -> None:
    assert "VERSION_CODENAME=trixie" in (image_root / "etc/os-release").read_text()
    lines = inside(image_root, "dpkg-query", "-W", "-f", "${Package} ${db:Status-Status} ${Version}\n").splitlines()
    installed = {name: version for name, status, version in map(str.split, lines) if status == "installed"}
    assert set(BAKED.packages) <= set(installed)
    assert re.match(r"1:2\.3", installed["keepalived"])
    assert installed["cloud-init"].startswith("25.1")


def test_one_kernel_and_no_initial_ram_disk_of_debians(image_root: Path) -> None:
    [kernel] = (image_root / "boot").glob("vmlinuz-*")
    assert kernel.name.startswith("vmlinuz-6.12")
    assert "cloud" in kernel.name
    assert not list((image_root / "boot").glob("initrd*"))


def test_nothing_of_the_build_host_is_in_it(image_root: Path) -> None:
    assert str((image_root / "etc/resolv.conf").readlink()) == "../run/systemd/resolve/stub-resolv.conf"
    assert (image_root / "etc/machine-id").read_text() == ""
    assert not (image_root / "var/lib/dbus/machine-id").exists()
    assert (image_root / "etc/hostname").read_text() == "localhost\n"
    assert not list((image_root / "etc").rglob("99mmdebstrap"))


def test_the_labs_authority_is_trusted(image_root: Path) -> None:
    certificate = ensure_authority(lab_paths(Path(__file__).parents[3]).authority).certificate.read_text().strip()
    assert certificate in (image_root / "etc/ssl/certs/ca-certificates.crt").read_text()


def test_guest_files_are_those_of_the_checkout(image_root: Path) -> None:
    for name, (destination, mode) in GUEST_FILES.items():
        installed = image_root / destination
        assert installed.read_bytes() == (GUEST / name).read_bytes()
        assert installed.stat().st_mode & 0o777 == mode


def enabled(root: Path, unit: str) -> str:
    run = subprocess.run(("chroot", str(root), "systemctl", "is-enabled", unit), capture_output=True, text=True)
    return run.stdout.strip()


def test_units(image_root: Path) -> None:
    assert {unit: enabled(image_root, unit) for unit in MASKED_UNITS} == dict.fromkeys(MASKED_UNITS, "masked")
    generators = image_root / "etc/systemd/system-generators"
    assert all((generators / name).readlink() == Path("/dev/null") for name in MASKED_GENERATORS)
    for name in MASKED_GENERATORS:
        assert (image_root / "usr/lib/systemd/system-generators" / name).exists(), f"{name} is no generator any more"
    assert enabled(image_root, "nginx.service") == "disabled"
    assert enabled(image_root, "ipvsadm.service") == "disabled"
    for unit in ("keepalived.service", "systemd-networkd.service", "systemd-resolved.service"):
        assert enabled(image_root, unit) == "enabled"
    assert not (image_root / "etc/keepalived/keepalived.conf").exists(), "keepalived would start without user data"


def test_the_labs_units_are_sound(image_root: Path) -> None:
    names = ("lab-channel.service", "lab-hold.service")
    wants = image_root / "etc/systemd/system/sysinit.target.wants"
    assert all((wants / name).resolve().name == name for name in names)
    paths = [f"/etc/systemd/system/{name}" for name in names]
    run = subprocess.run(
        ("chroot", str(image_root), "systemd-analyze", "verify", "--man=no", *paths), capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert "lab-" not in run.stderr


def test_cloud_init_reads_its_settings(image_root: Path) -> None:
    program = (
        "from cloudinit import stages, util; c = util.read_conf_with_confd('/etc/cloud/cloud.cfg');"
        "print(c['datasource_list'], c['system_info']['network']['renderers']);"
        "import importlib;"
        "names = [m for k in ('init', 'config', 'final') for m in c[f'cloud_{k}_modules']];"
        "[importlib.import_module('cloudinit.config.cc_' + n.replace('-', '_')) for n in names];"
        "print(*names)"
    )
    first, modules = inside(image_root, "python3", "-B", "-c", program).splitlines()
    assert first == "['Ec2'] ['networkd']"
    assert {"write-files", "set_hostname", "runcmd", "scripts-user"} <= set(modules.split())
