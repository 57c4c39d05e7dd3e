"""What the network knows of addresses: what the API says, but later.

"Remapping an IP address is an asynchronous operation" (API reference, AssignPrivateIpAddresses): the call answers
before packets and instance metadata follow. Pure: the time is an argument.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from lab.fabric.model import Address

Addresses = Mapping[str, tuple[Address, ...]]


class NetworkView:
    """The addresses of interfaces as the network sees them, `delay_seconds` behind the API."""

    def __init__(self, delay_seconds: float) -> None:
        self.delay_seconds = delay_seconds
        self._known: dict[str, tuple[Address, ...]] = {}
        self._said: Addresses = {}
        self._coming: deque[tuple[float, Addresses]] = deque()

    def set_delay(self, seconds: float, *, now: float) -> None:
        """From now on it takes `seconds`; what is under way takes no longer than that from now."""
        self.delay_seconds = seconds
        self._coming = deque((min(due, now + seconds), said) for due, said in self._coming)

    def observe(self, addresses: Addresses, now: float) -> None:
        """Take note of what the API says at `now` (monotonic seconds). A new interface is known at once."""
        if addresses != self._said:
            self._said = dict(addresses)
            self._coming.append((now + self.delay_seconds, self._said))
        for interface in self._known.keys() - addresses.keys():
            del self._known[interface]
        for interface in addresses.keys() - self._known.keys():
            self._settle(interface, addresses[interface])

    def at(self, now: float) -> Addresses:
        """What the network knows at `now`, for the interfaces there are."""
        while self._coming and self._coming[0][0] <= now:
            _, due = self._coming.popleft()
            # Interfaces made since then were known at once: what they took meanwhile stays theirs.
            newer = {each.private for name in self._known.keys() - due.keys() for each in self._known[name]}
            for interface in self._known.keys() & due.keys():
                self._known[interface] = tuple(each for each in due[interface] if each.private not in newer)
        return self.known

    @property
    def known(self) -> Addresses:
        """What `at` said last."""
        return dict(self._known)

    def next_change(self) -> float | None:
        """When something that the API said becomes known; None where nothing is under way."""
        return self._coming[0][0] if self._coming else None

    def _settle(self, interface: str, addresses: tuple[Address, ...]) -> None:
        """An address has one owner also here: whoever is seen to have it still, loses it to the newcomer."""
        mine = {address.private for address in addresses}
        for other, theirs in self._known.items():
            self._known[other] = tuple(address for address in theirs if address.private not in mine)
        self._known[interface] = addresses
