"""The machine image: built once from Debian packages, kept under a name that is a hash of everything it is made of."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from lab.machines import golden, hardware, initrd, mirror, packages, process, rootfs
from lab.machines.archive_key import TOOL, ArchiveKey, ensure_archive_key
from lab.machines.errors import MachineError
from lab.machines.rootfs import BAKED, ImageRecipe

TOOLS = ("mmdebstrap", "mkfs.ext4", "qemu-img", "chroot", "unshare", "setpriv", "dpkg-deb", TOOL, hardware.EMULATOR)
# A built image takes 1.2 GB, and as much again while it is built.
FREE_BYTES = 3 << 30
KEPT_SECONDS = 7 * 86400


@dataclass(frozen=True, kw_only=True)
class Image:
    """What machines start from.

    `rootfs` is the extracted file system (tests chroot into it; they must not change it), `disk` the same as a raw ext4
    file system, `kernel` and `initrd` what QEMU boots. `golden_disk` (qcow2, backed by `disk`) and `golden_state`
    belong together: the disk and the memory of a machine held before its network. `packages` is what the lab's package
    mirror serves to its machines, None where they need nothing.
    """

    directory: Path
    rootfs: Path
    disk: Path
    kernel: Path
    initrd: Path
    golden_disk: Path
    golden_state: Path
    packages: Path | None = None


def ensure_image(
    cache: Path, authority_certificate: Path, progress: Callable[[str], None], *, recipe: ImageRecipe = BAKED
) -> Image:
    """The image of `recipe` that trusts `authority_certificate`, built where the cache has it not.

    Needs root to build. Raises MachineError with what to do. Two builders do not meet; one that is interrupted leaves
    nothing that another would take for an image.
    """
    process.require_tools([hardware.EMULATOR])
    images = cache / "images"
    signer = ensure_archive_key(cache / "authority") if recipe.offered else None
    base = images / _base_name(recipe, authority_certificate, signer)
    saved = images / f"{recipe.name}-state-{state_key(base.name, _emulator_version())}"
    if not (_found(base) and _found(saved)):
        images.mkdir(parents=True, exist_ok=True)
        with _lock(images, progress):
            _remove_abandoned(images)
            if not base.exists():
                _require_build_host(images)
                with _new_directory(base) as directory:
                    _build_base(recipe, authority_certificate, signer, directory, progress)
            if not saved.exists():
                with _new_directory(saved) as directory:
                    golden.save_state(
                        backing_disk=f"../{base.name}/disk.raw",
                        kernel=base / "vmlinuz",
                        initrd=base / "initrd",
                        disk=directory / "disk.qcow2",
                        state=directory / "state",
                        progress=progress,
                    )
            _remove_old(images, recipe, progress)
    return Image(
        directory=base,
        rootfs=base / "rootfs",
        disk=base / "disk.raw",
        kernel=base / "vmlinuz",
        initrd=base / "initrd",
        golden_disk=saved / "disk.qcow2",
        golden_state=saved / "state",
        packages=base / "packages" if recipe.offered else None,
    )


def packages_of(cache: Path, authority_certificate: Path, recipe: ImageRecipe) -> Path | None:
    """Image.packages of the image of `recipe` where the cache has it complete; nothing is built."""
    signer = ensure_archive_key(cache / "authority")
    found = cache / "images" / _base_name(recipe, authority_certificate, signer) / "packages"
    return found if found.exists() else None


def base_key(recipe: ImageRecipe, certificate: bytes, archive_certificate: bytes = b"") -> str:
    """The hash that names a root file system with its disk, kernel and initial ram disk, and the packages it offers."""
    guest = sorted(path for path in rootfs.GUEST.iterdir() if path.is_file())
    sources = [Path(module.__file__ or "") for module in (initrd, packages, rootfs)]
    texts = [certificate, archive_certificate, *(path.read_bytes() for path in (*sources, *guest))]
    return _digest([*recipe.packages, "", *recipe.offered, *texts])


def state_key(base_name: str, emulator_version: str) -> str:
    """The hash that names a saved state: QEMU reads one only with the version and the devices that wrote it."""
    sources = [Path(module.__file__ or "") for module in (golden, hardware)]
    return _digest([base_name, emulator_version, *(path.read_bytes() for path in sources)])


def _digest(parts: Iterable[str | bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:16]


def _base_name(recipe: ImageRecipe, authority_certificate: Path, signer: ArchiveKey | None) -> str:
    archive_certificate = signer.certificate.read_bytes() if signer else b""
    return f"{recipe.name}-{base_key(recipe, authority_certificate.read_bytes(), archive_certificate)}"


def _build_base(
    recipe: ImageRecipe,
    authority_certificate: Path,
    signer: ArchiveKey | None,
    directory: Path,
    progress: Callable[[str], None],
) -> None:
    tree = directory / "rootfs"
    progress(f"machine image: installing {len(recipe.packages)} Debian packages and what they need")
    began = time.monotonic()
    rootfs.build_tree(
        recipe,
        mirror.machine_mirror(),
        authority_certificate,
        tree,
        pool=packages.pool_of(directory / "packages") if signer else None,
        archive_certificate=signer.certificate if signer else None,
    )
    progress(f"machine image: root file system ({time.monotonic() - began:.1f} s)")
    if signer:
        count = packages.write_index(directory / "packages", signer.sign)
        progress(f"machine image: {count} packages for the lab's mirror, which first boots install")
    began = time.monotonic()
    rootfs.build_disk(tree, directory / "disk.raw")
    release = rootfs.kernel_release(tree)
    shutil.copyfile(tree / f"boot/vmlinuz-{release}", directory / "vmlinuz")
    (directory / "initrd").write_bytes(initrd.build_initrd(tree, release))
    progress(f"machine image: disk, kernel {release}, initial ram disk ({time.monotonic() - began:.1f} s)")


def _require_build_host(images: Path) -> None:
    process.require_tools(TOOLS)
    faults = []
    if os.geteuid() != 0:
        faults.append("only root can build the machine image; run it with sudo once, or as root")
    if not Path(rootfs.KEYRING).exists():
        faults.append(f"{rootfs.KEYRING} is missing; install debian-archive-keyring")
    free = shutil.disk_usage(images).free
    if free < FREE_BYTES:
        faults.append(
            f"{images} has {free >> 20} MiB free and the image needs {FREE_BYTES >> 20}; "
            "make room, or set LAB_CACHE to a directory elsewhere"
        )
    if faults:
        raise MachineError("; ".join(faults))


def _emulator_version() -> str:
    return subprocess.run((hardware.EMULATOR, "--version"), check=True, capture_output=True, text=True).stdout


@contextmanager
def _lock(images: Path, progress: Callable[[str], None]) -> Iterator[None]:
    with (images / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("machine image: another process builds it; waiting")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _new_directory(final: Path) -> Iterator[Path]:
    """A directory beside `final` that becomes it when all went well, and is removed otherwise."""
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=final.parent))
    building.chmod(0o755)
    try:
        yield building
        building.rename(final)
    except BaseException:
        shutil.rmtree(building, ignore_errors=True)
        raise


def _remove_abandoned(images: Path) -> None:
    """What a builder left that had no time to clean up; whoever holds the lock may."""
    for directory in images.glob(".building-*"):
        process.end(directory / golden.PID_FILE)
        shutil.rmtree(directory, ignore_errors=True)


def _found(directory: Path) -> bool:
    """Whether it is there; its time of change says when it was last asked for."""
    try:
        os.utime(directory)
    except FileNotFoundError:
        return False
    return True


def _remove_old(images: Path, recipe: ImageRecipe, progress: Callable[[str], None]) -> None:
    """Remove images of the recipe that nobody runs and no checkout (each may have a key of its own) used for a week."""
    oldest = time.time() - KEPT_SECONDS
    name = re.compile(rf"{re.escape(recipe.name)}(-state)?-[0-9a-f]{{16}}")
    old = [path for path in images.iterdir() if name.fullmatch(path.name) and path.stat().st_mtime < oldest]
    for directory in old:
        if not any(str(file).startswith(f"{directory}/") for file in _open_files()):
            progress(f"machine image: removing {directory.name}, which nobody used for a week")
            shutil.rmtree(directory, ignore_errors=True)


def _open_files() -> Iterator[Path]:
    """The files that this machine's processes have open, as far as this user may know."""
    for descriptor in Path("/proc").glob("[0-9]*/fd/*"):
        with suppress(OSError):
            yield descriptor.readlink()
