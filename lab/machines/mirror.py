"""Where Debian's packages come from: the archive this machine's apt already uses, with the image's release instead."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from lab.machines.errors import MachineError

SECURITY = "-security"
# What a network needs that only lets apt through: these settings of the host's apt are used for the build too.
CARRIED_SETTINGS = (
    "Acquire::http::Proxy",
    "Acquire::https::Proxy",
    "Acquire::Check-Valid-Until",
    "Acquire::Check-Date",
)
FORMAT = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)|$(ORIGIN)"
MIRROR_VARIABLE = "LAB_DEBIAN_MIRROR"


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """A Debian archive and its security archive, as URIs without a trailing slash, and the apt settings they need."""

    archive: str
    security: str
    apt_settings: tuple[str, ...] = ()

    def sources(self, release: str, keyring: str) -> tuple[str, ...]:
        """The sources.list lines of `release` with its updates and security fixes."""
        signed = f"[signed-by={keyring}]"
        return (
            f"deb {signed} {self.archive} {release} main",
            f"deb {signed} {self.archive} {release}-updates main",
            f"deb {signed} {self.security} {release}{SECURITY} main",
        )


def machine_mirror() -> Mirror:
    """The mirror of this machine's apt sources, or that of LAB_DEBIAN_MIRROR; MachineError where there is none."""
    targets = _run("apt-get", "indextargets", "--format", FORMAT, "Created-By: Packages").splitlines()
    settings = _run("apt-config", "dump", "--format", '%F "%v";%n').splitlines()
    return mirror_from(targets, settings, override=os.environ.get(MIRROR_VARIABLE))


def mirror_from(targets: Sequence[str], settings: Sequence[str], *, override: str | None = None) -> Mirror:
    """Choose the mirror from `apt-get indextargets` lines (FORMAT) and `apt-config dump` lines."""
    entries = [line.split("|") for line in targets if line.count("|") == 3]
    # A machine that never ran apt-get update knows no Origin: the path Debian's mirrors have then tells them apart.
    debian = [
        (uri.rstrip("/"), release)
        for uri, release, component, origin in entries
        if component == "main" and (origin == "Debian" or (not origin and "/debian" in uri))
    ]
    security = next((uri for uri, release in debian if release.endswith(SECURITY)), None)
    archive = override or next((uri for uri, release in debian if not release.endswith(SECURITY)), None)
    if archive is None:
        raise MachineError(
            "this machine's apt knows no Debian archive to build the image from; "
            f"add one to its sources, or set {MIRROR_VARIABLE} to a Debian mirror's address"
        )
    archive = archive.rstrip("/")
    if override or security is None:
        security = f"{archive}{SECURITY}"
    carried = tuple(line for line in settings if line.startswith(tuple(f"{name} " for name in CARRIED_SETTINGS)))
    return Mirror(archive=archive, security=security, apt_settings=carried)


def _run(*command: str) -> str:
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise MachineError("no apt here: the machine image is built on Debian 12 or later") from None
    except subprocess.CalledProcessError as error:
        raise MachineError(f"{' '.join(command)} failed: {error.stderr.strip()}") from error
