"""Tells the web servers that the virtual IP is here: a small datagram each, which an nftables set there remembers.

It is here by EC2's word, not VRRP's: while another director still claims it, its packets come here and are served here.
So a director that was asked to hand over announces itself until the address has left its interface.
"""

import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

from .report import log

PORT = 5151  # the virtual IP is here
PORT_ARRIVED = 5152  # it has just come here: whoever else was remembered is not the owner any more
PORT_DEPARTING = 5153  # it is here, and another director is about to claim it
ARRIVALS = 3
TIME_TO_LIVE = 255  # nothing that passed a router has it
INTERVAL_SECONDS = 0.25
LOOK_SECONDS = 0.5


class Announcer:
    """`saw` tells it what instance metadata said; `run` and `watch` are threads of their own: nothing delays them.

    The file `owner` in the run directory exists while the virtual IP is here.
    """

    def __init__(self, web_servers: tuple[str, ...], run: Path) -> None:
        self._web_servers = web_servers
        self._flag = run / "owner"
        self._flag.unlink(missing_ok=True)  # an earlier process may have left it
        self._here = False
        self._master = True
        self._arrivals = 0
        self._due = threading.Event()
        self._faults: dict[str, str] = {}

    def saw(self, here: bool) -> None:
        """Whether instance metadata lists the virtual IP on this interface."""
        if here == self._here:
            return
        self._arrivals = ARRIVALS
        self._here = here
        self._due.set()
        if here:
            self._flag.touch()
        else:
            self._flag.unlink(missing_ok=True)
        log("announcing" if here else "silent")

    def follow(self, master: bool) -> None:
        """Whether Keepalived is MASTER here; if it is not, and the address is here, another one will claim it."""
        if master != self._master:
            self._master = master
            self._due.set()

    def run(self) -> None:
        """Announce for ever, at once when there is something to say."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, TIME_TO_LIVE)
            while True:
                if self._here:
                    self._announce(sock)
                self._due.wait(INTERVAL_SECONDS)
                self._due.clear()

    def watch(self, look: Callable[[], bool | None]) -> None:
        """While the address is here, ask for ever whether it still is; None is no answer, and no evidence of a loss."""
        while True:
            time.sleep(LOOK_SECONDS)
            if self._here and look() is False:
                self.saw(False)

    def _announce(self, sock: socket.socket) -> None:
        port = PORT_DEPARTING if not self._master else PORT_ARRIVED if self._arrivals else PORT
        self._arrivals = max(0, self._arrivals - 1)
        for address in self._web_servers:
            try:
                sock.sendto(b"", (address, port))
            except OSError as error:  # one web server's trouble is not the others'
                if self._faults.get(address) != str(error):
                    self._faults[address] = str(error)
                    log("not-announced", to=address, error=str(error))
