"""The agent's loop tells systemd that it lives, and nothing else does."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.userdata.fake_aws import FakeAws
from tests.userdata.test_agent import PROJECT, DeadEc2, config_of, until
from userdata.director.agent import runtime
from userdata.director.agent.decision import Vrrp, Woke
from userdata.director.agent.systemd import notify


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    with FakeAws(associated=True) as world:
        yield world


@pytest.fixture
def beating(aws: FakeAws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[runtime.Agent, list[str]]]:
    """An agent in this process whose loop beats every 50 ms, and what it says to systemd."""
    said: list[str] = []
    monkeypatch.setattr(runtime, "notify", said.append)
    monkeypatch.setattr(runtime, "BEAT_SECONDS", 0.05)
    agent = runtime.Agent(config_of(tmp_path, aws.url), ec2=DeadEc2())
    thread = threading.Thread(target=agent.run, daemon=True)
    thread.start()
    yield agent, said
    agent.stop()
    thread.join(5)
    assert not thread.is_alive()


def test_the_loop_says_that_it_lives_though_nothing_happens(beating, monkeypatch):
    agent, said = beating
    until(lambda: agent._wake_at is not None)  # it waits 5 s for the next look
    woken = []
    monkeypatch.setattr(runtime, "decide", lambda state, event: woken.append(event) or (state, ()))
    seen = said.count("WATCHDOG=1")
    until(lambda: said.count("WATCHDOG=1") >= seen + 5)
    assert woken == [], "a beat is no event"


def test_a_wait_that_is_over_wakes_between_two_beats(beating, monkeypatch):
    agent, _ = beating
    until(lambda: agent._wake_at is not None)
    events: list[object] = []
    monkeypatch.setattr(runtime, "decide", lambda state, event: events.append(event) or (state, ()))
    monkeypatch.setattr(runtime, "BEAT_SECONDS", 30.0)
    agent._wake_at = time.monotonic() + 0.3
    agent._send(Vrrp(state="INIT"))  # so that the loop counts anew
    until(lambda: events == [Vrrp(state="INIT"), Woke()], seconds=5)
    assert agent._wake_at is None


def test_a_loop_that_hangs_says_nothing(beating, monkeypatch):
    """Whatever its other threads do."""
    agent, said = beating
    hung, free = threading.Event(), threading.Event()
    monkeypatch.setattr(runtime, "decide", lambda state, event: (hung.set(), free.wait(), (state, ()))[2])
    agent._send(Woke())
    assert hung.wait(5)
    seen = said.count("WATCHDOG=1")
    time.sleep(0.3)
    assert said.count("WATCHDOG=1") == seen
    free.set()
    until(lambda: said.count("WATCHDOG=1") > seen)


def test_the_unit_gives_the_loop_three_beats():
    unit = (PROJECT / "userdata/director/root/etc/systemd/system/lvs-agent.service").read_text()
    [patience] = [float(line.partition("=")[2]) for line in unit.splitlines() if line.startswith("WatchdogSec=")]
    assert 3 * runtime.BEAT_SECONDS <= patience <= 10


def test_a_systemd_that_does_not_read_holds_nothing_up(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unread:
        unread.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        sender = threading.Thread(target=lambda: [notify("WATCHDOG=1") for _ in range(2000)], daemon=True)
        sender.start()
        sender.join(10)
        assert not sender.is_alive()
        assert unread.recv(100) == b"WATCHDOG=1"
    notify("WATCHDOG=1")  # to nobody
