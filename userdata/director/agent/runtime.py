"""The agent at work: threads that wait for the world, and one loop that asks the state machine what to do about it."""

import math
import random
import subprocess
import threading
import time
import traceback
from collections.abc import Callable
from queue import Empty, SimpleQueue

from .announce import Announcer
from .config import Config
from .decision import Event, Finished, Look, Looked, Start, State, Tell, Vrrp, Wait, Woke, decide
from .ec2 import Ec2
from .fifo import Fifo
from .metadata import Identity, Metadata
from .report import Report, log
from .systemd import notify

# Keepalived waits for this agent, but not for ever for an EC2 that does not answer.
READY_PATIENCE_SECONDS = 15.0
REHEARSE_SECONDS = 20.0
REHEARSE_AGAIN_SECONDS = 5.0
JITTER = 0.25
# How often the loop tells systemd that it lives; lvs-agent.service takes three times as long a silence for a hang.
BEAT_SECONDS = 3.0


class Agent:
    """Runs until `stop`. Only the loop in `run` touches the state; every other thread sends it events."""

    def __init__(self, config: Config, ec2: Ec2 | None = None) -> None:
        self._config = config
        self._ec2 = ec2 or Ec2(config.region, config.virtual_ip)
        self._events: SimpleQueue[tuple[float, Event | None]] = SimpleQueue()  # its put may interrupt its get: signals
        self._calls: SimpleQueue[tuple[float, Start]] = SimpleQueue()
        self._looks: SimpleQueue[None] = SimpleQueue()
        self._looking = False
        self._identity: Identity | None = None
        self._wake_at: float | None = None
        self._failed = False
        self._report = Report(config)
        self._announcer = Announcer(config.web_servers(), config.run)
        self._watcher = Metadata(config.metadata)  # a thread's own: it keeps a token
        self._state = State(rank=config.rank)

    def stop(self) -> None:
        """End `run`; safe in a signal handler. A call under way is not undone."""
        self._send(None)

    def run(self) -> int:
        """Do the agent's work; returns an exit code after `stop`."""
        fifo = Fifo(self._config.fifo, self._config.instance)
        # Keepalived says nothing on its own after a restart of this agent: the address on lo tells.
        if virtual_ip_is_local(self._config.virtual_ip):
            self._send(Vrrp(state="MASTER_RX_LOWER_PRI"))  # which looks before it claims
        elif (last := self._report.last_vrrp()) != "MASTER":
            self._send(Vrrp(state=last))
        self._send(Woke())
        announcer = self._announcer
        works = (announcer.run, lambda: announcer.watch(self._look), lambda: self._follow(fifo))
        for work in (*works, self._make_calls, self._read_metadata, self._keep_warm):
            threading.Thread(target=self._guarded, args=(work,), daemon=True).start()
        while True:
            at, event = self._next()
            if event is None:
                notify("STOPPING=1")
                log("stopped", failed=self._failed)
                return int(self._failed)
            self._handle(at, event)

    def _send(self, event: Event | None) -> None:
        self._events.put((time.monotonic(), event))

    def _next(self) -> tuple[float, Event | None]:
        while True:
            notify("WATCHDOG=1")
            left = math.inf if self._wake_at is None else self._wake_at - time.monotonic()
            try:
                return self._events.get(timeout=max(0.0, min(left, BEAT_SECONDS)))
            except Empty:
                if left <= BEAT_SECONDS:
                    self._wake_at = None
                    return time.monotonic(), Woke()

    def _handle(self, at: float, event: Event) -> None:
        if isinstance(event, Looked):
            self._looking = False
        self._state, actions = decide(self._state, event)
        self._announcer.follow(self._state.master)
        for action in actions:
            if isinstance(action, Start):
                self._calls.put((at, action))
            elif isinstance(action, Wait):
                spread = 1 + random.uniform(0, JITTER if action.jitter else 0)  # noqa: S311 - no secret
                self._wake_at = time.monotonic() + action.seconds * spread
            elif isinstance(action, Tell):
                self._report.tell(action, self._state, at)
            elif isinstance(action, Look) and not self._looking:
                self._looking = True
                self._looks.put(None)
        self._report.write(self._state)

    def _guarded(self, work: Callable[[], None]) -> None:
        """Half an agent is worse than none: if a thread fails, the process ends and systemd starts it anew."""
        try:
            work()
        except Exception:
            traceback.print_exc()
            self._failed = True
            self.stop()

    def _follow(self, fifo: Fifo) -> None:
        for state in fifo.states():
            self._send(Vrrp(state=state))

    def _make_calls(self) -> None:
        while True:
            at, start = self._calls.get()
            began = time.monotonic()
            identity = self._who()
            error = self._ec2.call(start.call, identity) if identity else "NoMetadata"
            self._send(Finished(call=start.call, error=error))
            log(
                "call",
                call=start.call.value,
                attempt=start.attempt,
                error=error,
                waited=round(began - at, 4),
                seconds=round(time.monotonic() - began, 3),
            )

    def _read_metadata(self) -> None:
        metadata = Metadata(self._config.metadata)
        while True:
            self._looks.get()
            identity = self._who()
            seen = Looked(address_here=None, associated=None)
            try:
                if identity:
                    self._report.addresses = here = metadata.addresses(identity.mac, self._config.virtual_ip)
                    owner = self._config.virtual_ip in here.private
                    self._announcer.saw(owner)
                    seen = Looked(address_here=owner, associated=here.elastic_ip is not None)
            except (OSError, KeyError) as error:
                log("no-metadata", error=str(error))
            self._send(seen)

    def _look(self) -> bool | None:
        """Whether metadata lists the virtual IP here, for one request; None where it does not answer."""
        try:
            return self._config.virtual_ip in self._watcher.private(self._identity.mac) if self._identity else None
        except (OSError, KeyError):
            return None

    def _who(self) -> Identity | None:
        """The identity of this machine, asked until it is complete; None where metadata does not answer."""
        if self._identity is None or self._identity.allocation_id is None:
            try:
                self._identity = self._report.identity = Metadata(self._config.metadata).identity()
            except (OSError, KeyError) as error:
                log("no-metadata", error=str(error))
        return self._identity

    def _keep_warm(self) -> None:
        """Build the client, then rehearse: the connection stays open, rights and clock stay proven."""
        self._ec2.connect()
        deadline = time.monotonic() + READY_PATIENCE_SECONDS
        ready = False
        told: str | None = "never asked"
        while True:
            identity = self._who()
            error = self._ec2.rehearse(identity) if identity else "NoMetadata"
            if error != told:
                told = error
                log("rehearsed", error=error)
            if not ready and (self._ec2.answered or time.monotonic() > deadline):
                ready = True
                log("ready", answered=self._ec2.answered)
            if ready:
                notify("READY=1")
            time.sleep(REHEARSE_AGAIN_SECONDS if error and ready else REHEARSE_SECONDS if ready else 1.0)


def virtual_ip_is_local(virtual_ip: str) -> bool:
    """Whether Keepalived, being MASTER, has put the virtual IP on lo."""
    shown = subprocess.run(
        ["ip", "-4", "-o", "address", "show", "dev", "lo"], capture_output=True, text=True, check=False
    )
    return f" {virtual_ip}/32 " in shown.stdout
