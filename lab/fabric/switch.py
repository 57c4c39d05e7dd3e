"""The event loop: frames between the machines' sockets and the TUNs by way of the pipeline, and the control socket."""

from __future__ import annotations

import logging
import os
import select
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.fabric.control import REQUEST_LIMIT, answer_line
from lab.fabric.framing import FramingError, packed
from lab.fabric.journal import DropJournal
from lab.fabric.model import VpcState
from lab.fabric.outside import OutsideDevices
from lab.fabric.pipeline import Delivery, Drop, Pipeline
from lab.fabric.ports import RECEIVE_BYTES, MachineConnection, OutputQueue, listen
from lab.fabric.routing import INTERNET, SERVICES
from lab.fabric.rules import DropRule
from lab.fabric.topology import SubnetView, compile_state
from lab.fabric.tun import PACKET_LIMIT

TUN_BATCH = 64
SWEEP_SECONDS = 30.0

log = logging.getLogger("lab.fabric")


class Switch:
    """One fabric. `follow_subnets` is told the subnets of every new state before its ports listen."""

    def __init__(
        self,
        *,
        run: Path,
        pipeline: Pipeline,
        devices: OutsideDevices,
        follow_subnets: Callable[[dict[str, SubnetView]], None],
    ) -> None:
        self._run = run
        self._pipeline = pipeline
        self._follow_subnets = follow_subnets
        self._tuns = {INTERNET: devices.internet, SERVICES: devices.services}
        self._journal = DropJournal()
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._listeners: dict[str, socket.socket] = {}
        self._machines: dict[str, MachineConnection] = {}
        self._dirty: set[str] = set()
        self._stopped = False
        self._began = time.monotonic()
        self._frames = 0
        self._delivered = 0
        for name, descriptor in self._tuns.items():
            self._watch(descriptor, lambda _, name=name, tun=descriptor: self._read_tun(name, tun))  # type: ignore[misc]
        self._control = listen(run / "fabric.sock")
        self._watch(self._control.fileno(), lambda _: self._accept_control())

    def run(self) -> None:
        """Serve until `stop`."""
        sweep_at = time.monotonic() + SWEEP_SECONDS
        while not self._stopped:
            for descriptor, events in self._epoll.poll(SWEEP_SECONDS):
                handler = self._handlers.get(descriptor)  # gone where an event before it closed this one
                if handler is not None:
                    handler(events)
            self._flush()
            now = time.monotonic()
            if now >= sweep_at:
                self._pipeline.sweep(now)
                sweep_at = now + SWEEP_SECONDS

    def stop(self) -> None:
        """Let `run` return."""
        self._stopped = True

    def watch_for_stop(self, descriptor: int) -> None:
        """Stop when `descriptor` becomes readable (a signal's wake-up)."""
        self._watch(descriptor, lambda _: self.stop())

    def close(self) -> None:
        """Close everything and remove the sockets."""
        for name in list(self._listeners):
            self._close_port(name)
        self._unwatch(self._control.fileno())
        self._control.close()
        (self._run / "fabric.sock").unlink(missing_ok=True)
        for descriptor in self._tuns.values():
            os.close(descriptor)
        self._epoll.close()

    def apply(self, state: VpcState) -> None:
        """Replace the state: resolvers' addresses and ports follow. A state that is refused changes nothing."""
        topology = compile_state(state)
        self._follow_subnets(dict(topology.subnets))
        for name in topology.interfaces.keys() - self._listeners.keys():
            listener = self._listeners[name] = listen(self._port_path(name))
            self._watch(listener.fileno(), lambda _, name=name, socket=listener: self._accept_machine(name, socket))  # type: ignore[misc]
        for name in self._listeners.keys() - topology.interfaces.keys():
            self._close_port(name)
        self._pipeline.apply(topology)
        log.info("state applied: %d subnets, %d interfaces", len(topology.subnets), len(topology.interfaces))

    def counters(self) -> dict[str, dict[str, int]]:
        """Drops by rule and interface."""
        return self._journal.counters()

    def drops(self) -> dict[str, list[dict[str, Any]]]:
        """The last frames dropped a rule."""
        return self._journal.last()

    def usage(self) -> dict[str, float]:
        """Frames and CPU time of this process since it began."""
        return {
            "frames": self._frames,
            "delivered": self._delivered,
            "cpu_seconds": time.process_time(),
            "uptime_seconds": time.monotonic() - self._began,
        }

    def ping(self) -> int:
        """The process id."""
        return os.getpid()

    def _port_path(self, interface: str) -> Path:
        return self._run / f"{interface}.port"

    def _watch(self, descriptor: int, handler: Callable[[int], None]) -> None:
        self._handlers[descriptor] = handler
        self._epoll.register(descriptor, select.EPOLLIN)

    def _unwatch(self, descriptor: int) -> None:
        if self._handlers.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def _close_port(self, interface: str) -> None:
        self._disconnect(interface)
        listener = self._listeners.pop(interface)
        self._unwatch(listener.fileno())
        listener.close()
        self._port_path(interface).unlink(missing_ok=True)

    def _accept_machine(self, interface: str, listener: socket.socket) -> None:
        try:
            connection, _ = listener.accept()
        except BlockingIOError:
            return
        connection.setblocking(False)
        # A restarted machine may connect before the old one's end is read: the newest is the machine.
        self._disconnect(interface)
        machine = self._machines[interface] = MachineConnection(interface, connection)
        self._watch(connection.fileno(), lambda events: self._serve_machine(machine, events))
        log.info("%s: machine connected", interface)

    def _disconnect(self, interface: str) -> None:
        machine = self._machines.pop(interface, None)
        if machine is not None:
            self._unwatch(machine.socket.fileno())
            machine.socket.close()
            log.info("%s: machine disconnected", interface)

    def _serve_machine(self, machine: MachineConnection, events: int) -> None:
        if events & select.EPOLLOUT:
            self._dirty.add(machine.interface)
        if not events & ~select.EPOLLOUT:
            return
        try:
            frames = machine.receive()
        except FramingError as error:
            log.warning("%s: %s; closing", machine.interface, error)
            frames = None
        if frames is None:
            self._disconnect(machine.interface)
        else:
            self._forward(machine.interface, frames)

    def _read_tun(self, name: str, descriptor: int) -> None:
        packets: list[bytes] = []
        try:
            while len(packets) < TUN_BATCH:
                packets.append(os.read(descriptor, PACKET_LIMIT))
        except BlockingIOError:
            pass
        self._forward(name, packets)

    def _forward(self, port: str, frames: list[bytes]) -> None:
        now = time.monotonic()
        handle = self._pipeline.handle
        self._frames += len(frames)
        for frame in frames:
            verdict = handle(port, frame, now)
            if isinstance(verdict, Drop):
                self._journal.note(verdict.rule, verdict.interface, came_from=port, frame=frame)
                verdict = list(verdict.answers)
            for delivery in verdict:
                refused = self._deliver(delivery)
                if refused is None:
                    self._delivered += 1
                else:
                    self._journal.note(refused, delivery.port, came_from=port, frame=frame)

    def _deliver(self, delivery: Delivery) -> DropRule | None:
        """Queue it for its machine, or write it to its TUN; the rule by which it is lost instead, if it is."""
        machine = self._machines.get(delivery.port)
        if machine is not None:
            if not machine.queue.push(packed(delivery.data)):
                return DropRule.QUEUE_FULL
            self._dirty.add(delivery.port)
            return None
        tun = self._tuns.get(delivery.port)
        if tun is None:
            return DropRule.NO_MACHINE
        try:
            os.write(tun, delivery.data)
        except OSError as error:
            log.warning("%s takes no packet: %s", delivery.port, error)
            return DropRule.QUEUE_FULL
        return None

    def _flush(self) -> None:
        dirty, self._dirty = self._dirty, set()
        for interface in dirty:
            machine = self._machines.get(interface)
            if machine is None:
                continue
            try:
                done = machine.queue.flush()
            except OSError:
                self._disconnect(interface)
                continue
            if machine.awaits_room == done:
                machine.awaits_room = not done
                self._epoll.modify(machine.socket.fileno(), select.EPOLLIN | (0 if done else select.EPOLLOUT))

    def _accept_control(self) -> None:
        try:
            connection, _ = self._control.accept()
        except BlockingIOError:
            return
        connection.setblocking(False)
        client = _ControlConnection(connection, self)
        self._watch(connection.fileno(), lambda _: self._serve_control(client))

    def _serve_control(self, client: _ControlConnection) -> None:
        try:
            if client.serve():
                wanted = select.EPOLLIN if client.queue.flush() else select.EPOLLIN | select.EPOLLOUT
                self._epoll.modify(client.socket.fileno(), wanted)
                return
        except OSError:
            pass  # gone before it had its answer
        self._unwatch(client.socket.fileno())
        client.socket.close()


class _ControlConnection:
    """One client of the control socket."""

    def __init__(self, connection: socket.socket, fabric: Switch) -> None:
        self.socket = connection
        self.queue = OutputQueue(connection, limit=REQUEST_LIMIT)
        self._fabric = fabric
        self._rest = b""

    def serve(self) -> bool:
        """Answer the requests that are complete; False where the client is gone or says nonsense without end."""
        try:
            data = self.socket.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return True
        except OSError:
            return False
        *lines, self._rest = (self._rest + data).split(b"\n")
        fits = all(self.queue.push(answer_line(self._fabric, line)) for line in lines)
        return bool(data) and fits and len(self._rest) <= REQUEST_LIMIT
