"""From a port of the host's loopback to an address on the lab's internet: `python -m lab.relay`.

The listening socket is opened in the host's network namespace, then the process enters the lab's. A socket stays in
the namespace it was made in (network_namespaces(7)): what it accepts comes from the host, and what it connects goes out
as a client of the lab's internet.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import socket
import struct
from dataclasses import dataclass

from lab.fabric.namespace import enter

CHUNK_BYTES = 64 * 1024
CONNECT_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Relay:
    """One forwarding: connections accepted on `listener` go to `target` (address, port)."""

    listener: socket.socket
    target: tuple[str, int]

    async def serve(self) -> None:
        """Accept until cancelled."""
        server = await asyncio.start_server(self._connection, sock=self.listener)
        async with server:
            await server.serve_forever()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_SECONDS):
                onward_reader, onward_writer = await asyncio.open_connection(*self.target)
        except (OSError, TimeoutError):
            _reset(writer)
            return
        await asyncio.gather(_copy(reader, onward_writer), _copy(onward_reader, writer))
        for end in (writer, onward_writer):
            end.close()
            with contextlib.suppress(OSError):
                await end.wait_closed()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End with a reset, not an orderly end: a client must not take "no director answers" for an empty page."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # socket(7)
    writer.transport.abort()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while data := await source.read(CHUNK_BYTES):
            sink.write(data)
            await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
    except OSError:
        _reset(sink)


def main() -> None:
    """Parse the command line, open the host's port, enter the lab's namespace, relay until SIGTERM."""
    parser = argparse.ArgumentParser(prog="lab.relay", description=__doc__)
    parser.add_argument("--listen", required=True, metavar="ADDRESS:PORT", help="loopback address and port on the host")
    parser.add_argument("--to", required=True, metavar="ADDRESS:PORT", help="where to on the lab's internet")
    parser.add_argument("--namespace-of", required=True, type=int, metavar="PID", help="a process in the namespace")
    options = parser.parse_args()
    listen_address, _, listen_port = options.listen.rpartition(":")
    target_address, _, target_port = options.to.rpartition(":")
    listener = socket.create_server((listen_address, int(listen_port)))
    enter(options.namespace_of)
    relay = Relay(listener=listener, target=(target_address, int(target_port)))

    async def run() -> None:
        serving = asyncio.ensure_future(relay.serve())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, serving.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await serving

    asyncio.run(run())


if __name__ == "__main__":
    main()
