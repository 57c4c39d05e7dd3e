"""The event loop without root: a real switch in a thread, its TUNs replaced by sockets."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lab.fabric.client import FabricClient
from lab.fabric.framing import FRAME_LIMIT, packed
from lab.fabric.outside import OutsideDevices
from lab.fabric.pipeline import Delivery, Drop, Pipeline
from lab.fabric.switch import Switch
from tests.lab.fabric.cards import Card, wait_until
from tests.lab.fabric.world import CLIENT, D1, STATE, W1, W2, ends, frame, tcp

ASK = frame(W1, tcp("10.0.0.80:9", "10.0.0.194:80"), W2)
LOST = frame(W1, tcp("10.0.0.80:9", "10.0.0.194:81"), W2)
POISON = frame(W1, tcp("10.0.0.80:9", "10.0.0.194:80", data=b"poison"), W2)


class Fragile(Pipeline):
    """Fails as no pipeline should."""

    def handle(self, port: str, frame: bytes, now: float) -> list[Delivery] | Drop:
        if b"poison" in frame:
            raise ZeroDivisionError("a bug")
        return super().handle(port, frame, now)


@dataclass(frozen=True, kw_only=True)
class Running:
    run: Path
    client: FabricClient
    internet: socket.socket


@contextmanager
def running(run: Path) -> Iterator[Running]:
    ours, theirs = zip(*(socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM) for _ in range(2)), strict=True)
    for end in theirs:
        end.setblocking(False)
    switch = Switch(
        run=run,
        pipeline=Fragile(domain="ec2.internal"),
        devices=OutsideDevices(internet=theirs[0].detach(), services=theirs[1].detach()),
        follow_subnets=lambda _: None,
    )
    wake, woken = socket.socketpair()
    switch.watch_for_stop(woken.fileno())
    thread = threading.Thread(target=switch.run)
    thread.start()
    client = FabricClient(run / "fabric.sock")
    try:
        client.apply(STATE)
        yield Running(run=run, client=client, internet=ours[0])
    finally:
        wake.send(b"x")
        thread.join(10)
        assert not thread.is_alive()
        switch.close()
        for end in (*ours, wake, woken):
            end.close()


@pytest.fixture
def fabric(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as fabric:
        yield fabric


def test_a_frame_the_pipeline_fails_on_is_lost_alone_and_logged_once(
    fabric: Running, caplog: pytest.LogCaptureFixture
) -> None:
    web, other = Card(fabric.run, W1.id), Card(fabric.run, W2.id)
    with caplog.at_level(logging.ERROR):
        web.send(POISON, ASK, POISON, ASK)
        assert [other.receive(), other.receive()] == [ASK, ASK]
    assert fabric.client.counters() == {"malformed": {"eni-w1": 2}}
    (record,) = caplog.records
    assert "ZeroDivisionError" in (record.exc_text or "")
    assert POISON.hex() in record.getMessage()
    web.close()
    other.close()


def test_usage_counts_what_was_given_and_what_was_delivered(fabric: Running) -> None:
    before = fabric.client.usage()
    assert before.keys() == {"frames", "delivered", "cpu_seconds", "uptime_seconds"}
    assert before["frames"] == before["delivered"] == 0
    web, other = Card(fabric.run, W1.id), Card(fabric.run, W2.id)
    web.send(ASK, LOST, ASK)
    other.receive()
    other.receive()
    after = fabric.client.usage()
    assert (after["frames"], after["delivered"]) == (3, 2)
    assert 0 < before["cpu_seconds"] <= after["cpu_seconds"]
    assert 0 < before["uptime_seconds"] < after["uptime_seconds"] < 60
    web.close()
    other.close()


def test_what_the_receiver_is_not_there_for_is_not_delivered(fabric: Running) -> None:
    web = Card(fabric.run, W1.id)
    web.send(ASK)
    wait_until(lambda: fabric.client.counters() == {"noport": {"eni-w2": 1}})
    assert fabric.client.usage()["delivered"] == 0
    web.close()


@pytest.mark.parametrize("length", [FRAME_LIMIT + 1, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_bad_length_costs_its_port_only_and_is_counted(fabric: Running, length: int) -> None:
    web, other = Card(fabric.run, W1.id), Card(fabric.run, W2.id)
    director = Card(fabric.run, D1.id)
    web.socket.sendall(length.to_bytes(4) + b"no frame")
    with pytest.raises(EOFError):
        web.receive()
    assert fabric.client.counters() == {"malformed": {"eni-w1": 1}}
    (shown,) = fabric.client.drops()["malformed"]
    assert shown["frame"] == (length.to_bytes(4) + b"no frame").hex()
    forwarded = frame(D1, tcp(f"{CLIENT}:9", "10.0.0.194:80"), W2)
    director.send(forwarded)
    assert other.receive() == forwarded
    again = Card(fabric.run, W1.id)
    again.send(ASK)
    assert other.receive() == ASK
    for card in (web, other, director, again):
        card.close()


def test_a_frame_in_pieces_and_an_empty_one(fabric: Running) -> None:
    web, other = Card(fabric.run, W1.id), Card(fabric.run, W2.id)
    stream = packed(b"") + packed(ASK)
    for at in range(len(stream)):
        web.socket.sendall(stream[at : at + 1])
    assert other.receive() == ASK
    assert fabric.client.counters() == {"malformed": {"eni-w1": 1}}
    web.close()
    other.close()


def test_packets_leave_by_the_internet_s_device_and_come_in_by_it(fabric: Running) -> None:
    director = Card(fabric.run, D1.id)
    director.send(frame(D1, tcp("10.0.0.36:9", f"{CLIENT}:80")))
    assert ends(fabric.internet.recv(2000)) == ("203.0.113.10", CLIENT)
    fabric.internet.send(tcp(f"{CLIENT}:9", "203.0.113.20:80"))
    assert ends(director.receive()[14:]) == (CLIENT, "10.0.0.100")
    fabric.internet.send(b"\x60garbage")
    wait_until(lambda: fabric.client.counters() == {"ipv6": {"inet0": 1}})
    director.close()
