"""What the agent tells: one JSON line an event for the journal, and a status file for whoever asks."""

import json
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .config import Config
from .decision import State, Tell
from .metadata import Addresses, Identity

# Those that begin a claim; the seconds of the others count from there.
BEGINNINGS = ("detected", "lost", "dissociated")


def log(event: str, **fields: Any) -> None:
    """One line on standard output: a JSON object with at least `event`."""
    print(json.dumps({"event": event, **fields}), flush=True)


@dataclass
class Report:
    """Gathers what is known; `tell` and `saw` write it down."""

    config: Config
    identity: Identity | None = None
    addresses: Addresses | None = None
    claim: dict[str, Any] | None = None
    _began: float = field(default=0.0)

    @property
    def _path(self) -> Path:
        return self.config.run / "status.json"

    def last_vrrp(self) -> str:
        """The VRRP state that an earlier process wrote down last; "INIT" if there was none."""
        try:
            return str(json.loads(self._path.read_text())["vrrp"])
        except (OSError, ValueError, KeyError):
            return "INIT"

    def tell(self, tell: Tell, state: State, at: float) -> None:
        """Log what happened at `at` (seconds of the monotonic clock) and keep the times of the last claim."""
        fields: dict[str, Any] = {"vrrp": state.vrrp, "phase": state.phase.value}
        if tell.event in BEGINNINGS:
            self._began = at
            self.claim = {"cause": tell.event, "began": _now(), "attempts": 0, "error": None}
        elif self.claim and tell.event not in ("state", "released"):
            seconds = round(at - self._began, 3)
            fields["seconds"] = seconds
            # The first time of each step is the one that counts; a repair's steps do not blur it.
            self.claim.setdefault(f"{tell.event}_seconds", seconds)
            self.claim["error"] = tell.error
        if self.claim and state.attempt:
            fields["attempt"] = self.claim["attempts"] = state.attempt
        if tell.error:
            fields["error"] = tell.error
        log(tell.event, **fields)

    def write(self, state: State) -> None:
        """Replace the status file at once, so that no reader sees half of it."""
        here = self.addresses
        document = {
            "vrrp": state.vrrp,
            "phase": state.phase.value,
            "owner": bool(here and self.config.virtual_ip in here.private),
            "virtual_ip": self.config.virtual_ip,
            "elastic_ip": here.elastic_ip if here else None,
            "interface_id": self.identity.interface_id if self.identity else None,
            "last_claim": self.claim,
            "updated": _now(),
        }
        new = self._path.with_suffix(".new")
        new.write_text(json.dumps(document) + "\n")
        new.replace(self._path)


def _now() -> str:
    return datetime.fromtimestamp(time.time(), timezone.utc).isoformat(timespec="milliseconds")
