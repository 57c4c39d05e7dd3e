"""How fast the fabric forwards: `python -m bench.fabric [--frames N] [--json]`. Needs root, as the fabric does.

A real fabric process in a directory and a network namespace of its own; two network cards that are only sockets, one
sending prebuilt bytes, the other reading without looking. What the fabric says of itself is the result, so that the
cards' own cost does not count. Frames per second of its CPU time hold on a busy machine too.
"""

from __future__ import annotations

import argparse
import json
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lab.fabric.client import FabricClient, Usage
from lab.fabric.framing import packed
from lab.fabric.model import Address, Interface, Route, Rule, SecurityGroup, Subnet, VpcState
from lab.fabric.packets import ACK, TCP, UDP, build_packet, build_udp, ethernet_header
from lab.fabric.routing import CLIENTS
from lab.fabric.topology import ROUTER_MAC

PROJECT = Path(__file__).resolve().parent.parent
PAYLOAD = bytes(64)
BATCH = 1000  # frames a send, and the number of flows where there are many
_ANY = (Rule(protocol="-1", cidr="10.0.0.0/8"), Rule(protocol="-1", cidr=str(CLIENTS)))


_ROUTES = (Route(cidr="10.0.0.0/16", target="local"), Route(cidr="0.0.0.0/0", target="igw-1"))


def _interface(name: str, address: str, *, public: str | None = None) -> Interface:
    return Interface(
        id=f"eni-{name}",
        instance_id=f"i-{name}",
        subnet_id="subnet-1",
        mac="02:00:" + IPv4Address(address).packed.hex(":"),
        addresses=(Address(private=address, public=public),),
        groups=("sg-1",),
    )


SENDER = _interface("sender", "10.0.0.10", public="203.0.113.10")
RECEIVER = _interface("receiver", "10.0.0.20")
STATE = VpcState(
    subnets=(Subnet(id="subnet-1", vpc_id="vpc-1", cidr="10.0.0.0/24", routes=_ROUTES),),
    interfaces=(SENDER, RECEIVER),
    groups=(SecurityGroup(id="sg-1", ingress=_ANY, egress=_ANY),),
)


@dataclass(frozen=True, kw_only=True)
class Case:
    """Frames of a protocol (TCP or UDP) of so many flows in turn: from the sender to the receiver, or to a client."""

    name: str
    protocol: int
    flows: int
    by_gateway: bool = False


CASES = (
    Case(name="TCP, one flow", protocol=TCP, flows=1),
    Case(name="TCP, 1000 flows", protocol=TCP, flows=BATCH),
    Case(name="UDP, one flow", protocol=UDP, flows=1),
    Case(name="UDP, 1000 flows", protocol=UDP, flows=BATCH),
    Case(name="TCP, out by the gateway", protocol=TCP, flows=BATCH, by_gateway=True),
)


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What came of a case. `cpu_share` is of one core; the rest is in frames."""

    case: str
    frames: int
    delivered: int
    per_second: float
    per_cpu_second: float
    cpu_share: float


@contextmanager
def running_fabric() -> Iterator[tuple[Path, FabricClient]]:
    """A fabric with the bench's VPC: its directory and its client. Raises RuntimeError where it does not come up."""
    with tempfile.TemporaryDirectory(prefix="bench-fabric-") as directory:
        run = Path(directory)
        process = subprocess.Popen(
            [sys.executable, "-m", "lab.fabric", "--run", directory, "--log", str(run / "log")], cwd=PROJECT
        )
        try:
            client = FabricClient(run / "fabric.sock", timeout_seconds=60)
            while not client.socket_path.exists():
                if process.poll() is not None:
                    raise RuntimeError(f"the fabric ended with exit code {process.returncode}")
                time.sleep(0.02)
            client.apply(STATE)
            yield run, client
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait()


def batch_of(case: Case) -> bytes:
    """BATCH frames as they go onto the stream."""
    return b"".join(packed(_frame(case, 10_000 + index % case.flows)) for index in range(BATCH))


def _frame(case: Case, source_port: int) -> bytes:
    source, destination = (int(IPv4Address(entry.addresses[0].private)) for entry in (SENDER, RECEIVER))
    mac = bytes.fromhex(RECEIVER.mac.replace(":", ""))
    if case.by_gateway:
        destination, mac = int(CLIENTS.network_address) + 1, ROUTER_MAC
    if case.protocol == TCP:
        head = struct.pack("!HHIIBBHHH", source_port, 80, 1, 1, 0x50, ACK, 1024, 0, 0)
        # Its checksum is left zero, so wrong: a client's kernel drops it in silence and sends no RST to be forwarded.
        payload = head + PAYLOAD
    else:
        payload = build_udp(
            source=source, destination=destination, source_port=source_port, destination_port=80, payload=PAYLOAD
        )
    packet = build_packet(source=source, destination=destination, protocol=case.protocol, payload=payload)
    return ethernet_header(destination=mac, source=bytes.fromhex(SENDER.mac.replace(":", ""))) + packet


def measure(case: Case, *, frames: int) -> Speed:
    """Send about `frames` frames of a case through a fabric of its own."""
    with running_fabric() as (run, client), socket.socket(socket.AF_UNIX) as out, socket.socket(socket.AF_UNIX) as into:
        out.connect(str(run / f"{SENDER.id}.port"))
        into.connect(str(run / f"{RECEIVER.id}.port"))
        threading.Thread(target=_swallow, args=(into,), daemon=True).start()
        batch = batch_of(case)
        out.sendall(batch)  # the connections come about before the clock runs
        before = _when_handled(client, BATCH)
        rounds = max(1, frames // BATCH)
        sender = threading.Thread(target=_send, args=(out, batch, rounds))
        sender.start()
        after = _when_handled(client, (rounds + 1) * BATCH)
        sender.join()
    spent = after.since(before)
    return Speed(
        case=case.name,
        frames=spent.frames,
        delivered=spent.delivered,
        per_second=spent.frames / spent.uptime_seconds,
        per_cpu_second=spent.frames / spent.cpu_seconds,
        cpu_share=spent.cpu_share,
    )


def _send(connection: socket.socket, batch: bytes, rounds: int) -> None:
    for _ in range(rounds):
        connection.sendall(batch)


def _when_handled(client: FabricClient, frames: int) -> Usage:
    while (usage := client.usage()).frames < frames:
        time.sleep(0.01)
    return usage


def _swallow(connection: socket.socket) -> None:
    room = bytearray(1 << 20)
    try:
        while connection.recv_into(room):
            pass
    except OSError:
        pass  # the measurement is over


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure every case and print; the exit code."""
    parser = argparse.ArgumentParser(prog="bench.fabric", description="Frames per second of the lab's fabric.")
    parser.add_argument("--frames", type=int, default=300_000, metavar="N", help="a case (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    speeds = [measure(case, frames=options.frames) for case in CASES]
    if options.json:
        print(json.dumps([asdict(speed) for speed in speeds], indent=2))
        return 0
    table = Table("case", "frames", "delivered", "frames/s", "frames/CPU s", "fabric's share of a core")
    for speed in speeds:
        numbers = (f"{each:,.0f}" for each in (speed.frames, speed.delivered, speed.per_second, speed.per_cpu_second))
        table.add_row(speed.case, *numbers, f"{speed.cpu_share:.0%}")
    Console().print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
