"""What the account was asked and when the network followed, by the host's monotonic clock: what benches measure by."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qsl

from lab.fabric.model import VpcState

# A failover is two or three entries, a rehearsal every 20 s: hours of them.
KEPT = 5000


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request. Times are monotonic seconds: `received` whole, `answered` ready to leave, the call's delay included.

    `source` is the caller's address as the API sees it, `interface` the one that the call names, if it names one.
    """

    received: float
    answered: float
    action: str
    interface: str | None
    source: str
    dry_run: bool
    status: int

    @classmethod
    def of(cls, body: bytes, *, source: str, received: float, status: int) -> Call:
        """The request that this is the body of, answered now with the HTTP `status`; whatever it is, it is one."""
        fields = dict(parse_qsl(body.decode("latin-1")))
        return cls(
            received=received,
            answered=time.monotonic(),
            action=fields.get("Action", ""),
            interface=fields.get("NetworkInterfaceId"),
            source=source,
            dry_run=fields.get("DryRun", "").lower() == "true",
            status=status,
        )


@dataclass(frozen=True, kw_only=True)
class Move:
    """From `at` on (monotonic seconds) a private address has another interface, or another public address leads to it.

    None is nobody's, and none.
    """

    at: float
    address: str
    interface: str | None
    public: str | None


class Journal:
    """The last calls and moves. Safe from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: deque[Call] = deque(maxlen=KEPT)
        self._moves: deque[Move] = deque(maxlen=KEPT)

    def note(self, call: Call) -> None:
        """A call was answered."""
        with self._lock:
            self._calls.append(call)

    def follow(self, before: VpcState, after: VpcState) -> None:
        """The fabric has just taken over `after`."""
        now = time.monotonic()
        held, holds = _holders(before), _holders(after)
        with self._lock:
            self._moves.extend(
                Move(at=now, address=address, interface=interface, public=public)
                for address in sorted(held.keys() | holds.keys())
                for interface, public in [holds.get(address, (None, None))]
                if held.get(address) != holds.get(address)
            )

    def since(self, seconds: float) -> dict[str, list[dict[str, Any]]]:
        """The calls received and the moves made at `seconds` of the monotonic clock or later."""
        with self._lock:
            return {
                "calls": [asdict(call) for call in self._calls if call.received >= seconds],
                "moves": [asdict(move) for move in self._moves if move.at >= seconds],
            }


def _holders(state: VpcState) -> dict[str, tuple[str | None, str | None]]:
    return {address.private: (each.id, address.public) for each in state.interfaces for address in each.addresses}
