"""The relay on loopback, in the test's own network namespace: bytes and ends are passed on, no answer is a reset."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import pytest

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="entering a network namespace needs root")
PAYLOAD_BYTES = 3_000_000


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def relay() -> Iterator[Callable[[int], int]]:
    """A function that starts a relay to a port and gives the port it listens on."""
    started: list[subprocess.Popen[bytes]] = []

    def start(target: int) -> int:
        port = free_port()
        command = [sys.executable, "-m", "lab.relay", "--listen", f"127.0.0.1:{port}", "--to", f"127.0.0.1:{target}"]
        started.append(subprocess.Popen([*command, "--namespace-of", str(os.getpid())]))
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return port
        pytest.fail("the relay never listened")

    yield start
    for process in started:
        process.terminate()
        assert process.wait(10) == 0


def test_bytes_and_ends_pass_both_ways(relay: Callable[[int], int]) -> None:
    payload = os.urandom(PAYLOAD_BYTES)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = relay(server.getsockname()[1])
        server.settimeout(10)
        server.accept()[0].close()  # the fixture's own question
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            onward, _ = server.accept()
            with onward:
                onward.settimeout(10)
                client.sendall(b"question")
                client.shutdown(socket.SHUT_WR)
                assert b"".join(iter(lambda: onward.recv(65536), b"")) == b"question"
                onward.sendall(payload)
            assert b"".join(iter(lambda: client.recv(65536), b"")) == payload


def test_where_nobody_answers_the_client_gets_a_reset_not_an_empty_page(relay: Callable[[int], int]) -> None:
    port = relay(free_port())
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client, pytest.raises(ConnectionResetError):
        client.recv(1)
