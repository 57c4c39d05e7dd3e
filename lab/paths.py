"""Where the lab keeps its things: state and logs in `.lab/`, sockets in a temporary directory, images in a cache."""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class LabPaths:
    """The directories of one lab.

    `home` holds state and logs (`.lab/` of the project, or LAB_HOME). `run` holds unix sockets; it is short because a
    socket's path must fit in 108 bytes (unix(7)). `cache` holds images and the lab's certificate authority, shared by
    all labs of a user (LAB_CACHE, else XDG_CACHE_HOME/lvs-aws-lab, else ~/.cache/lvs-aws-lab).
    """

    home: Path
    run: Path
    cache: Path

    @property
    def logs(self) -> Path:
        """Logs of the lab's processes."""
        return self.home / "logs"

    @property
    def machines(self) -> Path:
        """One directory an instance id: disk, console log."""
        return self.home / "machines"

    @property
    def mail(self) -> Path:
        """The mail that reached the lab's internet, as a Maildir."""
        return self.home / "mail"

    @property
    def fabric_socket(self) -> Path:
        """The fabric's control socket."""
        return self.run / "fabric.sock"

    @property
    def authority(self) -> Path:
        """The lab's certificate authority: `ca.pem` and its key."""
        return self.cache / "authority"

    def port_socket(self, interface_id: str) -> Path:
        """Where the fabric listens for the network card of one interface (QEMU connects)."""
        return self.run / f"{interface_id}.port"

    def channel_socket(self, instance_id: str) -> Path:
        """Where QEMU listens for the channel into one machine."""
        return self.run / f"{instance_id}.channel"

    def qmp_socket(self, instance_id: str) -> Path:
        """Where QEMU listens for its machine protocol."""
        return self.run / f"{instance_id}.qmp"


def lab_paths(project: Path, *, home: Path | None = None) -> LabPaths:
    """The paths of the lab of the project directory `project`, from the environment where it says otherwise.

    `home` is its directory for state and logs, whatever the environment says.
    """
    home = (home or Path(os.environ.get("LAB_HOME") or project / ".lab")).absolute()
    cache_home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    cache = Path(os.environ.get("LAB_CACHE") or Path(cache_home) / "lvs-aws-lab").absolute()
    token = hashlib.sha256(str(home).encode()).hexdigest()[:8]
    return LabPaths(home=home, run=Path(tempfile.gettempdir()) / f"lvs-lab-{token}", cache=cache)
