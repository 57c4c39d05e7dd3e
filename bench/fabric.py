"""The fabric alone, as fast as it goes: `python -m bench.fabric [--seconds N] [--json]`. Needs root, as it does.

Small frames from one card to another through a real fabric process, prebuilt so that the cards cost nearly nothing.
A run's frames per processor second are what the fabric could do on one core that it has for itself.
"""

from __future__ import annotations

import argparse
import json
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from ipaddress import IPv4Address
from pathlib import Path

from lab.fabric.client import FabricClient
from lab.fabric.framing import packed
from lab.fabric.model import Address, Interface, Route, Rule, SecurityGroup, Subnet, VpcState
from lab.fabric.packets import ACK, SYN, TCP, build_packet, build_udp, ethernet_header
from lab.fabric.packets import UDP as UDP_NUMBER
from lab.fabric.topology import ROUTER_MAC

PROJECT = Path(__file__).resolve().parent.parent
WARM_UP_SECONDS = 0.5
READ_BYTES = 1 << 20
DATA = b"x" * 20  # 60 bytes of packet: about what a request or an acknowledgement has


def _card(name: str, address: str, public: str) -> Interface:
    return Interface(
        id=f"eni-{name}",
        instance_id=f"i-{name}",
        subnet_id="subnet-1",
        mac="02:00:" + IPv4Address(address).packed.hex(":"),
        addresses=(Address(private=address, public=public),),
        groups=("sg-1",),
    )


SENDER, RECEIVER = _card("sender", "10.0.0.10", "203.0.113.1"), _card("receiver", "10.0.0.11", "203.0.113.2")
# Rules for some, not for all the world: such flows are tracked, which is what costs.
STATE = VpcState(
    subnets=(
        Subnet(
            id="subnet-1",
            vpc_id="vpc-1",
            cidr="10.0.0.0/24",
            routes=(Route(cidr="10.0.0.0/16", target="local"), Route(cidr="0.0.0.0/0", target="igw-1")),
        ),
    ),
    interfaces=(SENDER, RECEIVER),
    groups=(
        SecurityGroup(
            id="sg-1",
            ingress=tuple(Rule(protocol="-1", cidr=cidr) for cidr in ("10.0.0.0/16", "203.0.113.0/24")),
            egress=(Rule(protocol="-1", cidr="0.0.0.0/0"),),
        ),
    ),
)


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What one run sends: `frames` over and over, together or each by a call of its own."""

    name: str
    frames: Sequence[bytes]
    one_by_one: bool = False


@dataclass(frozen=True, kw_only=True)
class Result:
    """One run. `share` is of one processor (1.0 = one busy core); `lost` are frames that were not delivered."""

    name: str
    seconds: float
    frames_per_second: float
    share: float
    frames_per_cpu_second: float
    lost: int


def tcp_frame(source_port: int, *, flags: int = ACK, by_gateway: bool = False) -> bytes:
    """A frame from the sender to port 80 of the receiver, straight or by way of its public address."""
    segment = struct.pack("!HHIIBBHHH", source_port, 80, 1, 1, 0x50, flags, 1024, 0, 0) + DATA
    return _frame(TCP, segment, by_gateway=by_gateway)


def udp_frame(source_port: int) -> bytes:
    """A datagram from the sender to port 53 of the receiver."""
    source, destination = _addresses(by_gateway=False)
    datagram = build_udp(
        source=source, destination=destination, source_port=source_port, destination_port=53, payload=DATA
    )
    return _frame(UDP_NUMBER, datagram, by_gateway=False)


def _addresses(*, by_gateway: bool) -> tuple[int, int]:
    target = RECEIVER.addresses[0]
    destination = target.public if by_gateway and target.public else target.private
    return int(IPv4Address(SENDER.addresses[0].private)), int(IPv4Address(destination))


def _frame(protocol: int, payload: bytes, *, by_gateway: bool) -> bytes:
    source, destination = _addresses(by_gateway=by_gateway)
    header = ethernet_header(
        destination=ROUTER_MAC if by_gateway else bytes.fromhex(RECEIVER.mac.replace(":", "")),
        source=bytes.fromhex(SENDER.mac.replace(":", "")),
    )
    return header + build_packet(source=source, destination=destination, protocol=protocol, payload=payload)


def runs() -> list[Traffic]:
    """The runs, the easiest first."""
    ports = range(20_000, 21_000)
    return [
        Traffic(name="TCP, one flow", frames=[tcp_frame(9)]),
        Traffic(name="TCP, one flow, one by one", frames=[tcp_frame(9)], one_by_one=True),
        Traffic(name="TCP, 1000 flows", frames=[tcp_frame(port) for port in ports]),
        Traffic(name="UDP, one flow", frames=[udp_frame(9)]),
        Traffic(name="UDP, 1000 flows", frames=[udp_frame(port) for port in ports]),
        Traffic(name="TCP, 1000 flows, translated twice", frames=[tcp_frame(port, by_gateway=True) for port in ports]),
        Traffic(name="TCP, opening 30 000", frames=[tcp_frame(port, flags=SYN) for port in range(10_000, 40_000)]),
    ]


@contextmanager
def running_fabric() -> Iterator[tuple[Path, FabricClient]]:
    """A fabric of its own with two cards' ports; the directory of its sockets, and its client."""
    with tempfile.TemporaryDirectory(prefix="fabric-") as directory:
        run = Path(directory)
        command = [sys.executable, "-m", "lab.fabric", "--run", directory, "--log", str(run / "log")]
        process = subprocess.Popen(command, cwd=PROJECT)
        client = FabricClient(run / "fabric.sock")
        try:
            while not client.socket_path.exists():
                if process.poll() is not None:
                    raise RuntimeError(f"the fabric ended with exit code {process.returncode}")
                time.sleep(0.02)
            client.apply(STATE)
            yield run, client
        finally:
            process.terminate()
            process.wait()


def measure(run: Path, client: FabricClient, traffic: Traffic, *, seconds: float) -> Result:
    """Send `traffic` for `seconds`. Raises OSError where the fabric goes away."""
    sender, receiver = (_connect(run / f"{card.id}.port") for card in (SENDER, RECEIVER))
    stream = b"".join(map(packed, traffic.frames))
    pieces = list(map(packed, traffic.frames)) if traffic.one_by_one else [stream * (1 + READ_BYTES // len(stream))]
    threads = [
        threading.Thread(target=_until_closed, args=(work,))
        for work in (lambda: _send(sender, pieces), lambda: _discard(receiver))
    ]
    for thread in threads:
        thread.start()
    try:
        time.sleep(WARM_UP_SECONDS)
        before = client.usage()
        time.sleep(seconds)
        after = client.usage()
    finally:
        for connection in (sender, receiver):
            connection.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        for connection in (sender, receiver):
            connection.close()
    spent = {name: after[name] - before[name] for name in after}
    return Result(
        name=traffic.name,
        seconds=spent["uptime_seconds"],
        frames_per_second=spent["delivered"] / spent["uptime_seconds"],
        share=spent["cpu_seconds"] / spent["uptime_seconds"],
        frames_per_cpu_second=spent["delivered"] / spent["cpu_seconds"],
        lost=int(spent["frames"] - spent["delivered"]),
    )


def _connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(path))
    return connection


def _until_closed(work: Callable[[], None]) -> None:
    try:
        work()
    except OSError:
        return  # the run is over


def _send(connection: socket.socket, pieces: Sequence[bytes]) -> None:
    while True:
        for piece in pieces:
            connection.sendall(piece)


def _discard(connection: socket.socket) -> None:
    buffer = bytearray(READ_BYTES)
    while connection.recv_into(buffer):
        pass


def table(results: Sequence[Result]) -> str:
    """For people."""
    lines = [f"{'':<34} {'frames/s':>9} {'fabric':>7} {'frames/CPU s':>12} {'lost':>7}"]
    lines += [
        f"{result.name:<34} {result.frames_per_second:>9.0f} {result.share:>7.0%} "
        f"{result.frames_per_cpu_second:>12.0f} {result.lost:>7}"
        for result in results
    ]
    return "\n".join([*lines, "(fabric: share of one processor)"])


def main() -> int:
    """The command line; the exit code."""
    parser = argparse.ArgumentParser(prog="bench.fabric", description="The lab's fabric alone, as fast as it goes.")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each run (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    try:
        with running_fabric() as (run, client):
            results = [measure(run, client, traffic, seconds=options.seconds) for traffic in runs()]
    except (OSError, RuntimeError) as error:
        print(f"bench.fabric: {error}", file=sys.stderr)
        return 1
    print(json.dumps([asdict(result) for result in results], indent=2) if options.json else table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
