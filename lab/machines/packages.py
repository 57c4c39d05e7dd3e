"""The lab's Debian archive: the packages one image's machines install, indexed and signed as apt wants it.

The layout is Debian's (wiki.debian.org/DebianRepository/Format): `debian/dists/RELEASE` with a signed index, and
`debian/pool` with the packages.
"""

from __future__ import annotations

import hashlib
import lzma
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from email.parser import HeaderParser
from email.utils import format_datetime
from pathlib import Path

from lab.machines.errors import MachineError
from lab.names import PACKAGES_NAME

RELEASE = "trixie"
COMPONENT = "main"
ARCHITECTURE = "amd64"
ARCHIVE = "debian"
INDEX = f"{COMPONENT}/binary-{ARCHITECTURE}/Packages"


def sources_line(keyring: str) -> str:
    """The sources.list(5) line of a machine that takes its packages here and trusts `keyring` for them."""
    return f"deb [signed-by={keyring}] http://{PACKAGES_NAME}/{ARCHIVE} {RELEASE} {COMPONENT}"


def pool_of(root: Path) -> Path:
    """The directory below the mirror's `root` that the packages go into, made with what apt wants there."""
    pool = root / ARCHIVE / "pool"
    (pool / "partial").mkdir(parents=True, exist_ok=True)
    return pool


def write_index(root: Path, sign: Callable[[bytes], bytes]) -> int:
    """Index the packages in the pool below `root`, and `sign` the index; how many there are.

    The packages get their names in an archive, without the epoch that apt writes into file names. Raises MachineError.
    """
    pool = pool_of(root)
    (pool / "partial").rmdir()
    (pool / "lock").unlink(missing_ok=True)
    entries = [_entry(root / ARCHIVE, file) for file in sorted(pool.glob("*.deb"))]
    if not entries:
        raise MachineError(f"no packages were downloaded into {pool}")
    packages = "\n".join(entries).encode()
    files = {INDEX: packages, f"{INDEX}.xz": lzma.compress(packages)}
    suite = root / ARCHIVE / "dists" / RELEASE
    for name, content in files.items():
        (suite / name).parent.mkdir(parents=True, exist_ok=True)
        (suite / name).write_bytes(content)
    (suite / "InRelease").write_bytes(sign(_release(files).encode()))
    return len(entries)


def _entry(archive: Path, file: Path) -> str:
    """A package's paragraph of the index: what its own control file says, and where the file is."""
    described = subprocess.run(("dpkg-deb", "--field", str(file)), capture_output=True, text=True, check=False)
    if described.returncode:
        raise MachineError(f"{file.name} is no package: {described.stderr.strip()}")
    fields = HeaderParser().parsestr(described.stdout)
    version = fields["Version"].rpartition(":")[2]
    named = file.rename(file.with_name(f"{fields['Package']}_{version}_{fields['Architecture']}.deb"))
    content = named.read_bytes()
    return (
        f"{described.stdout.rstrip()}\n"
        f"Filename: {named.relative_to(archive)}\n"
        f"Size: {len(content)}\n"
        f"SHA256: {hashlib.sha256(content).hexdigest()}\n"
    )


def _release(files: dict[str, bytes]) -> str:
    """The Release file. It has no Valid-Until: an image in the cache stays good."""
    sums = "".join(f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}\n" for name, data in files.items())
    return (
        "Origin: lvs-aws lab\n"
        "Label: lvs-aws lab\n"
        f"Suite: {RELEASE}\n"
        f"Codename: {RELEASE}\n"
        f"Date: {format_datetime(datetime.now(UTC), usegmt=True)}\n"
        f"Architectures: {ARCHITECTURE}\n"
        f"Components: {COMPONENT}\n"
        f"SHA256:\n{sums}"
    )
