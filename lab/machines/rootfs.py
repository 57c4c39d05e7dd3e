"""The recipe of a machine's root file system: Debian packages, the lab's few files, what is switched off."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.machines.errors import MachineError
from lab.machines.mirror import Mirror
from lab.machines.packages import RELEASE, sources_line

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
DISK_BYTES = 3 << 30
GUEST = Path(__file__).parent / "guest"

# What boots, is reached, and runs user data as Debian's image on EC2 does.
BASE_PACKAGES = (
    "busybox-static",
    "ca-certificates",
    "cloud-init",
    "curl",
    "dhcpcd-base",
    "e2fsprogs",
    "iproute2",
    "iputils-ping",
    "kmod",
    "linux-image-cloud-amd64",
    "netbase",
    "nftables",
    "procps",
    "python3",
    "systemd",
    "systemd-resolved",
    "systemd-sysv",
    "tcpdump",
    "udev",
)
# What user data installs on AWS.
LOAD_BALANCER_PACKAGES = ("ipvsadm", "keepalived", "nginx", "python3-boto3")

# Where the files of guest/ go.
GUEST_FILES: Mapping[str, tuple[str, int]] = {
    "channel.py": ("usr/local/lib/lab/channel.py", 0o644),
    "wake.sh": ("usr/local/lib/lab/wake.sh", 0o755),
    "warm.sh": ("usr/local/lib/lab/warm.sh", 0o755),
    "lab-channel.service": ("etc/systemd/system/lab-channel.service", 0o644),
    "lab-hold.service": ("etc/systemd/system/lab-hold.service", 0o644),
    "90_lab.cfg": ("etc/cloud/cloud.cfg.d/90_lab.cfg", 0o644),
    "mtu.conf": ("etc/systemd/network/10-cloud-init-ens5.network.d/mtu.conf", 0o644),
    "journald.conf": ("etc/systemd/journald.conf.d/lab.conf", 0o644),
    "udev-trigger.conf": ("etc/systemd/system/systemd-udev-trigger.service.d/lab.conf", 0o644),
    "resolved.conf": ("etc/systemd/resolved.conf.d/lab.conf", 0o644),
}

# Nothing a test looks at, and each costs a second or more of an emulated boot.
MASKED_UNITS = (
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"),
    *("systemd-tmpfiles-clean.timer", "e2scrub_reap.service", "getty.target", "systemd-logind.service"),
    *("systemd-user-sessions.service", "systemd-ask-password-wall.path", "systemd-ask-password-console.path"),
    *("cloud-init-hotplugd.socket", "dev-hugepages.mount", "dev-mqueue.mount", "run-lock.mount", "tmp.mount"),
    *("proc-sys-fs-binfmt_misc.automount", "sys-fs-fuse-connections.mount", "sys-kernel-config.mount"),
    *("sys-kernel-debug.mount", "sys-kernel-tracing.mount", "kmod-static-nodes.service", "ldconfig.service"),
    *("systemd-binfmt.service", "systemd-firstboot.service", "systemd-hibernate-clear.service"),
    *("systemd-hwdb-update.service", "systemd-journal-catalog-update.service", "systemd-journal-flush.service"),
    *("systemd-machine-id-commit.service", "systemd-pcrmachine.service", "systemd-pcrphase-sysinit.service"),
    *("systemd-pcrphase.service", "systemd-pstore.service", "systemd-random-seed.service"),
    *("systemd-remount-fs.service", "systemd-sysusers.service", "systemd-tmpfiles-setup-dev-early.service"),
    *("systemd-tmpfiles-setup-dev.service", "systemd-tpm2-setup-early.service", "systemd-tpm2-setup.service"),
    *("systemd-update-done.service", "systemd-update-utmp.service", "systemd-network-generator.service"),
    *("systemd-networkd-persistent-storage.service", "remote-fs.target", "modprobe@.service"),
    *("systemd-creds.socket", "systemd-hostnamed.socket", "systemd-initctl.socket", "systemd-pcrextend.socket"),
    *("systemd-pcrlock.socket", "systemd-sysext.socket", "dbus.socket", "dbus.service"),
)
# Each looks at every boot for something that is never there.
MASKED_GENERATORS = (
    *("systemd-debug-generator", "systemd-getty-generator", "systemd-gpt-auto-generator"),
    *("systemd-hibernate-resume-generator", "systemd-rc-local-generator", "systemd-run-generator"),
    *("systemd-ssh-generator", "systemd-system-update-generator", "systemd-sysv-generator", "systemd-tpm2-generator"),
)
# Where they are installed, they are started by user data only: one image serves every role.
DISABLED_UNITS = ("nginx.service", "ipvsadm.service")
ENABLED_UNITS = ("systemd-networkd.service", "systemd-networkd-wait-online.service", "systemd-resolved.service")


@dataclass(frozen=True, kw_only=True)
class ImageRecipe:
    """What tells one image from another: its name (a word of a directory's name) and its packages.

    `offered` are those that its machines install themselves: they and what they need are kept beside the image, for
    the lab's package mirror.
    """

    name: str
    packages: tuple[str, ...]
    offered: tuple[str, ...] = ()


# Apt finds nothing to do at a first boot: the image for work on the load balancer itself.
BAKED = ImageRecipe(name="baked", packages=BASE_PACKAGES + LOAD_BALANCER_PACKAGES)
# As Debian's images on EC2: everything is installed at the first boot.
STOCK = ImageRecipe(name="stock", packages=BASE_PACKAGES, offered=LOAD_BALANCER_PACKAGES)
ARCHIVE_KEYRING = "usr/share/keyrings/lvs-aws-lab.asc"


def bootstrap_command(recipe: ImageRecipe, mirror: Mirror, tree: Path, pool: Path | None = None) -> tuple[str, ...]:
    """The mmdebstrap call that makes `tree`: without documentation and translations, which nobody reads in it.

    It downloads what the recipe offers into the directory `pool`, which the recipe needs then.
    """
    hooks: tuple[str, ...] = ()
    if recipe.offered:
        assert pool is not None
        hooks = (f"--customize-hook={_download_command(recipe.offered, pool)}",)
    options = ("path-exclude=/usr/share/doc/*", "path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*")
    return (
        *("mmdebstrap", "--mode=root", "--variant=minbase", "--architectures=amd64", "--format=directory", "--quiet"),
        *(f"--dpkgopt={option}" for option in (*options, "path-include=/usr/share/doc/*/copyright", "force-unsafe-io")),
        '--aptopt=Acquire::Languages "none"',
        *(f"--aptopt={setting.removesuffix(';')}" for setting in mirror.apt_settings),
        f"--include={','.join(recipe.packages)}",
        *hooks,
        *(RELEASE, str(tree), *mirror.sources(RELEASE, KEYRING)),
    )


def _download_command(packages: Sequence[str], pool: Path) -> str:
    """What `apt-get install` in the finished tree would download, by the apt settings it was made with."""
    options = ("APT::Sandbox::User=root", f"Dir::Cache::Archives={pool}")
    words = (
        *("apt-get", "-qq", "--yes", "--download-only", "--no-install-recommends"),
        *(f"--option={option}" for option in options),
        *("install", *packages),
    )
    return f'APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" {shlex.join(words)}'


def build_tree(
    recipe: ImageRecipe,
    mirror: Mirror,
    authority_certificate: Path,
    tree: Path,
    *,
    pool: Path | None = None,
    archive_certificate: Path | None = None,
) -> None:
    """Make the root file system in the new directory `tree`. Needs root. Raises MachineError with what failed.

    A recipe that offers packages has them put into `pool`; its machines take them from the lab's mirror, whose index
    `archive_certificate` signs.
    """
    # INITRD=No: the kernel's own initial ram disk is not used (kernel-img.conf(5), initramfs-tools' hook).
    environment = {**os.environ, "INITRD": "No", "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    _run(bootstrap_command(recipe, mirror, tree, pool), environment)
    for path in ("etc/apt/apt.conf.d/99mmdebstrap", "etc/dpkg/dpkg.cfg.d/99mmdebstrap"):
        (tree / path).unlink(missing_ok=True)
    _install_guest_files(tree)
    _set_units(tree)
    if archive_certificate is not None:
        shutil.copyfile(archive_certificate, tree / ARCHIVE_KEYRING)
        (tree / ARCHIVE_KEYRING).chmod(0o644)
        (tree / "etc/apt/sources.list").write_text(sources_line(f"/{ARCHIVE_KEYRING}") + "\n")
    certificate = tree / "usr/local/share/ca-certificates/lvs-aws-lab.crt"
    shutil.copyfile(authority_certificate, certificate)
    certificate.chmod(0o644)
    _run(("chroot", str(tree), "update-ca-certificates"), environment)
    (tree / "etc/hostname").write_text("localhost\n")
    (tree / "etc/hosts").write_text("127.0.0.1 localhost\n")
    # Explicit, because mmdebstrap and some packages leave the build host's name server here.
    (tree / "etc/resolv.conf").unlink(missing_ok=True)
    (tree / "etc/resolv.conf").symlink_to("../run/systemd/resolve/stub-resolv.conf")
    (tree / "etc/machine-id").write_text("")
    (tree / "var/lib/dbus/machine-id").unlink(missing_ok=True)


def build_disk(tree: Path, disk: Path) -> None:
    """Write `tree` into the new ext4 file system `disk`, a sparse raw file."""
    with disk.open("xb") as file:
        file.truncate(DISK_BYTES)
    _run(("mkfs.ext4", "-q", "-F", "-L", "lab", "-E", "lazy_itable_init=1", "-d", str(tree), str(disk)), os.environ)


def kernel_release(tree: Path) -> str:
    """The version of the one kernel in `tree`, as uname -r says it."""
    releases = [path.name for path in (tree / "usr/lib/modules").iterdir()]
    if len(releases) != 1:
        raise MachineError(f"the image has {len(releases)} kernels, not one: {', '.join(sorted(releases))}")
    return releases[0]


def _install_guest_files(tree: Path) -> None:
    for name, (destination, mode) in GUEST_FILES.items():
        target = tree / destination
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(GUEST / name, target)
        target.chmod(mode)


def _set_units(tree: Path) -> None:
    units = tree / "etc/systemd/system"
    for link in [path for path in units.glob("*.wants/*") if path.name in DISABLED_UNITS]:
        link.unlink()
    _run(("chroot", str(tree), "systemctl", "--quiet", "enable", *ENABLED_UNITS), os.environ)
    wants = units / "sysinit.target.wants"
    wants.mkdir(exist_ok=True)
    for unit in ("lab-channel.service", "lab-hold.service"):
        (wants / unit).symlink_to(f"../{unit}")
    for unit in MASKED_UNITS:
        for link in units.glob(f"*.wants/{unit}"):
            link.unlink()
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    generators = tree / "etc/systemd/system-generators"
    generators.mkdir(exist_ok=True)
    for generator in MASKED_GENERATORS:
        (generators / generator).symlink_to("/dev/null")


# Mounts and processes of a build step end with it, and it ends with the builder, even with one that is killed.
CONFINED = (
    *("setpriv", "--pdeathsig=KILL"),
    *("unshare", "--mount", "--mount-proc", "--pid", "--fork", "--kill-child"),
)


def _run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run a build step, confined. Raises MachineError with the end of what it said."""
    process = subprocess.Popen(
        (*CONFINED, *command),
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        said, _ = process.communicate()
    except BaseException:
        process.kill()
        process.wait()
        raise
    if process.returncode:
        end = "\n".join(said.strip().splitlines()[-12:])
        raise MachineError(f"{command[0]} failed with exit code {process.returncode}; it said at the end:\n{end}")
