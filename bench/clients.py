"""Clients on the lab's internet that notice a failover: probers, slow downloads, connections kept open, datagrams.

`python -m bench.clients ADDRESS PORT PATH` is the program inside the lab's network namespace: JSON lines in, one line
out for each (`bench.client_session` starts it and asks). Times are seconds of the monotonic clock, the host's too.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import json
import socket
import struct
import sys
import termios
import time
from dataclasses import asdict, dataclass, field
from typing import Any

PROBE_INTERVAL_SECONDS = 0.02
# A segment lost amid a handshake is sent again after a second (RFC 6298, section 2): to give up then would be unfair.
PROBE_PATIENCE_SECONDS = 3.0
# Each probe has a port that none had in the seven minutes before, as if many clients asked: at this rate the kernel
# takes the same one again after a minute, when the other end may still remember what it was used for.
PROBE_PORTS = range(10000, 32000)
# A small receive buffer: with the usual one megabytes would wait in it and hide that nothing comes any more.
RECEIVE_BUFFER_BYTES = 8192
HURRIED_BUFFER_BYTES = 1 << 18
TICK_SECONDS = 0.02


@dataclass
class Probes:
    """One request on a connection of its own every 20 ms, whatever became of those before."""

    succeeded: list[tuple[float, float]] = field(default_factory=list)
    failed: list[tuple[float, str]] = field(default_factory=list)

    async def run(self, address: str, port: int, path: str) -> None:
        """Probe until cancelled."""
        at = time.monotonic()
        pending: set[asyncio.Task[None]] = set()
        try:
            while True:
                from_port = PROBE_PORTS[int(at / PROBE_INTERVAL_SECONDS) % len(PROBE_PORTS)]
                task = asyncio.create_task(self._probe(address, port, path, from_port))
                pending.add(task)
                task.add_done_callback(pending.discard)
                at += PROBE_INTERVAL_SECONDS
                await asyncio.sleep(max(0.0, at - time.monotonic()))
        finally:
            for task in pending:
                task.cancel()

    async def _probe(self, address: str, port: int, path: str, from_port: int) -> None:
        began = time.monotonic()
        try:
            async with asyncio.timeout(PROBE_PATIENCE_SECONDS):
                reader, writer = await asyncio.open_connection(address, port, local_addr=("0.0.0.0", from_port))  # noqa: S104
                try:
                    writer.write(request(path, address, keep=False))
                    answer = await reader.read()
                finally:
                    writer.close()
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise ConnectionError(f"answered {answer[:40]!r}")
        except (OSError, TimeoutError) as error:
            self.failed.append((began, repr(error)))
        else:
            self.succeeded.append((began, time.monotonic()))


@dataclass
class Download:
    """A page read slowly: the client has nothing to say but acknowledgements. `pause` is the longest without a byte."""

    path: str
    bytes_per_second: int
    received: int = 0
    pause: float = 0.0
    pause_began: float = 0.0
    sha256: str | None = None
    error: str | None = None
    hurried: bool = False

    async def run(self, address: str, port: int) -> None:
        """Download to the end."""
        try:
            await self._run(address, port)
        except (OSError, ValueError) as error:
            self.error = repr(error)

    async def _run(self, address: str, port: int) -> None:
        sock = await connect(address, port, receive_buffer=RECEIVE_BUFFER_BYTES)
        with sock:
            await asyncio.get_running_loop().sock_sendall(sock, request(self.path, address, keep=False))
            began = arrived_at = time.monotonic()
            arrived = 0
            data = bytearray()
            while True:
                await asyncio.sleep(TICK_SECONDS)
                now = time.monotonic()
                # What the kernel has taken, read or not: the reader's own slowness is no pause.
                waiting = len(data) + _readable(sock)
                if waiting > arrived:
                    arrived, arrived_at = waiting, now
                elif now - arrived_at > self.pause:
                    self.pause, self.pause_began = now - arrived_at, arrived_at
                allowed = int((now - began) * self.bytes_per_second) - len(data)
                if self.hurried:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, HURRIED_BUFFER_BYTES)
                    allowed = HURRIED_BUFFER_BYTES
                try:
                    piece = sock.recv(allowed) if allowed > 0 else None
                except BlockingIOError:
                    # Time without data is not made up for: the rate stays what it is.
                    began = now - len(data) / self.bytes_per_second
                    continue
                if piece == b"":
                    break
                data += piece or b""
                self.received = len(data)
            head, _, body = bytes(data).partition(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise ValueError(f"answered {head[:40]!r}")
            self.sha256 = hashlib.sha256(body).hexdigest()


@dataclass
class Kept:
    """A connection that was used once and is idle since; `ask` uses it again, and nothing else will do."""

    sock: socket.socket
    seconds: float | None = None
    error: str | None = None

    async def ask(self, address: str, path: str, patience: float) -> None:
        """The next request on the same connection: how long its answer took, or why there was none."""
        began = time.monotonic()
        loop = asyncio.get_running_loop()
        self.seconds = self.error = None
        try:
            async with asyncio.timeout(patience):
                await loop.sock_sendall(self.sock, request(path, address, keep=True))
                answer = await loop.sock_recv(self.sock, 65536)
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise ConnectionError(f"answered {answer[:40]!r}")
        except (OSError, TimeoutError) as error:
            self.error = repr(error)
        else:
            self.seconds = time.monotonic() - began


class Flow(asyncio.DatagramProtocol):
    """Datagrams from one port of ours to one of the service's; what another address sends is not heard.

    `arrived` has a time for every datagram that came, `last` the latest text.
    """

    def __init__(self) -> None:
        self.arrived: list[float] = []
        self.last: asyncio.Queue[str] = asyncio.Queue()

    @classmethod
    async def to(cls, address: str, port: int) -> tuple[asyncio.DatagramTransport, Flow]:
        """A new flow. Its socket is connected, so the kernel takes answers from there only."""
        return await asyncio.get_running_loop().create_datagram_endpoint(cls, remote_addr=(address, port))

    def datagram_received(self, data: bytes, _: tuple[str | Any, int]) -> None:
        """Note it."""
        self.arrived.append(time.monotonic())
        self.last.put_nowait(data.decode(errors="replace"))

    def error_received(self, _: Exception) -> None:
        """A port that is closed meanwhile: the next datagram shows whether it still is."""


class Clients:
    """All clients of one address; every method is a verb of the program."""

    def __init__(self, address: str, port: int, path: str) -> None:
        self._address, self._port, self._path = address, port, path
        self._probes = Probes()
        self._probing: asyncio.Task[None] | None = None
        self._downloads: list[Download] = []
        self._downloading: list[asyncio.Task[None]] = []
        self._kept: list[Kept] = []
        self._flows: list[tuple[asyncio.DatagramTransport, Flow]] = []

    async def probe(self) -> None:
        """Begin to probe, with nothing counted yet."""
        self._probes = Probes()
        self._probing = asyncio.create_task(self._probes.run(self._address, self._port, self._path))

    async def answered(self) -> float | None:
        """When the last probe that succeeded ended, None where none did."""
        return self._probes.succeeded[-1][1] if self._probes.succeeded else None

    async def probed(self) -> dict[str, Any]:
        """End the probes: all that succeeded (began, ended) and failed (began, why)."""
        if self._probing is not None:
            await asyncio.sleep(PROBE_PATIENCE_SECONDS)
            self._probing.cancel()
        return asdict(self._probes)

    async def download(self, *, path: str, count: int, bytes_per_second: int) -> None:
        """Begin downloads."""
        self._downloads = [Download(path=path, bytes_per_second=bytes_per_second) for _ in range(count)]
        self._downloading = [asyncio.create_task(each.run(self._address, self._port)) for each in self._downloads]

    async def hurry(self) -> list[int]:
        """Read as fast as it comes from now on: the bytes that each download had until here."""
        for each in self._downloads:
            each.hurried = True
        return [each.received for each in self._downloads]

    async def downloads(self, *, seconds: float) -> list[dict[str, Any]]:
        """How the downloads stand when all have ended, or so many seconds later."""
        if self._downloading:
            await asyncio.wait(self._downloading, timeout=seconds)
        return [asdict(each) for each in self._downloads]

    async def keep(self, *, count: int) -> list[str | None]:
        """Open connections and use each once; what went wrong with each."""
        for each in self._kept:
            each.sock.close()
        self._kept = [Kept(await connect(self._address, self._port)) for _ in range(count)]
        return [each["error"] for each in await self.ask(seconds=10.0)]

    async def ask(self, *, seconds: float) -> list[dict[str, Any]]:
        """The next request on every connection that is kept, all at once."""
        await asyncio.gather(*(each.ask(self._address, self._path, seconds) for each in self._kept))
        return [{"seconds": each.seconds, "error": each.error} for each in self._kept]

    async def flow(self, *, port: int, count: int) -> None:
        """Open flows of datagrams to a UDP port, beside those there are."""
        self._flows += [await Flow.to(self._address, port) for _ in range(count)]

    async def send(self, *, text: str, count: int, seconds: float) -> list[str | None]:
        """One datagram on the newest so many flows, all at once: the answer to each, None where none came in time."""
        return await asyncio.gather(*(self._ask(*each, text, seconds) for each in self._flows[-count:]))

    async def _ask(self, transport: asyncio.DatagramTransport, flow: Flow, text: str, patience: float) -> str | None:
        while not flow.last.empty():
            flow.last.get_nowait()
        transport.sendto(text.encode())
        try:
            async with asyncio.timeout(patience):
                return await flow.last.get()
        except TimeoutError:
            return None

    async def close(self, *, count: int) -> list[list[float]]:
        """End the newest so many flows: when datagrams came, for each."""
        self._flows, closed = self._flows[:-count], self._flows[-count:]
        for transport, _ in closed:
            transport.close()
        return [flow.arrived for _, flow in closed]


def request(path: str, host: str, *, keep: bool) -> bytes:
    """An HTTP request."""
    return f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: {'keep-alive' if keep else 'close'}\r\n\r\n".encode()


async def connect(address: str, port: int, *, receive_buffer: int | None = None) -> socket.socket:
    """A connected, non-blocking socket. Raises OSError."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    if receive_buffer is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def _readable(sock: socket.socket) -> int:
    """The bytes that wait in a socket's receive queue (FIONREAD)."""
    return int(struct.unpack("i", fcntl.ioctl(sock, termios.FIONREAD, struct.pack("i", 0)))[0])


async def serve(clients: Clients) -> None:
    """Take orders from standard input until it ends."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        order: dict[str, Any] = json.loads(line)
        verb = order.pop("verb")
        if verb.startswith("_"):
            raise ValueError(f"no such verb: {verb}")
        print(json.dumps(await getattr(clients, verb)(**order)), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(Clients(sys.argv[1], int(sys.argv[2]), sys.argv[3])))
