"""The key that signs the lab's package archive: made once, kept beside the certificate authority, trusted by images."""

from __future__ import annotations

import fcntl
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from lab.machines.errors import MachineError

# The Stateless OpenPGP command line (draft-dkg-openpgp-stateless-cli): no keyring, and no agent to outlive a call.
TOOL = "sqop"
USER = "lvs-aws lab packages"


@dataclass(frozen=True, kw_only=True)
class ArchiveKey:
    """An OpenPGP key: `certificate` (ASCII-armored) may be handed out, `key` (mode 0600) may not."""

    certificate: Path
    key: Path

    def sign(self, text: bytes) -> bytes:
        """`text` with its signature around it, as an archive's InRelease has it. Raises MachineError."""
        return _run("inline-sign", "--as=clearsigned", str(self.key), text=text)


def ensure_archive_key(directory: Path) -> ArchiveKey:
    """The key kept in `directory`, made there once. Safe to call from several processes. Raises MachineError."""
    directory.mkdir(parents=True, exist_ok=True)
    made = ArchiveKey(certificate=directory / "packages.asc", key=directory / "packages.key")
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made.certificate.exists() and made.key.exists()):
            secret = _run("generate-key", USER)
            made.key.unlink(missing_ok=True)
            with os.fdopen(os.open(made.key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secret)
            # Last, so that a certificate never stands there without its key.
            made.certificate.write_bytes(_run("extract-cert", text=secret))
    return made


def _run(*words: str, text: bytes = b"") -> bytes:
    try:
        done = subprocess.run((TOOL, *words), input=text, capture_output=True, check=False)
    except FileNotFoundError:
        raise MachineError(f"missing: {TOOL}; `make setup` installs what the lab needs") from None
    if done.returncode:
        raise MachineError(f"{TOOL} {words[0]} failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout
