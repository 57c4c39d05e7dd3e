"""What web servers hear: datagrams on loopback instead of a VPC."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.userdata.fake_aws import FakeAws
from tests.userdata.test_agent import running_agent, until
from userdata.director.agent import announce
from userdata.director.agent.announce import Announcer
from userdata.director.agent.config import Config

IP_RECVTTL = 12  # linux/in.h; Python 3.11 has no name for it
HERE, ARRIVED, DEPARTING = announce.PORT, announce.PORT_ARRIVED, announce.PORT_DEPARTING


class WebServer:
    """Listens on the three ports of an address of loopback and notes when which of them was told something."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.heard: list[tuple[float, int]] = []
        self.time_to_live = 0
        self._sockets = []
        for port in (HERE, ARRIVED, DEPARTING):
            sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            sock.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
            sock.bind((address, port))
            self._sockets.append(sock)
            threading.Thread(target=self._listen, args=(sock, port), daemon=True).start()

    def _listen(self, sock: socket.socket, port: int) -> None:
        while True:
            _, extra, _, _ = sock.recvmsg(100, 100)
            self.time_to_live = extra[0][2][0]
            self.heard.append((time.monotonic(), port))

    @property
    def ports(self) -> list[int]:
        return [port for _, port in self.heard]


@pytest.fixture(scope="module")
def listener() -> WebServer:
    return WebServer("127.51.51.51")


@pytest.fixture
def web(listener: WebServer) -> WebServer:
    time.sleep(2 * announce.INTERVAL_SECONDS)  # the announcer of the test before is silent by then
    listener.heard.clear()
    return listener


@pytest.fixture
def announcer(web: WebServer, tmp_path: Path) -> Iterator[Announcer]:
    made = Announcer((web.address,), tmp_path)
    threading.Thread(target=made.run, daemon=True).start()
    yield made
    made.saw(False)


def quiet(web: WebServer) -> bool:
    """Whether nothing more comes; asks for longer than an announcement's interval."""
    time.sleep(announce.INTERVAL_SECONDS)
    before = len(web.heard)
    time.sleep(4 * announce.INTERVAL_SECONDS)
    return len(web.heard) == before


def test_nothing_is_said_while_the_address_is_elsewhere(web, announcer):
    announcer.follow(False)
    assert quiet(web) and web.heard == []


def test_an_arrival_is_told_at_once_and_then_again_and_again(web, announcer, tmp_path):
    began = time.monotonic()
    announcer.saw(True)
    until(lambda: len(web.heard) >= 6)
    assert web.heard[0][0] - began < announce.INTERVAL_SECONDS / 2
    assert web.ports[:6] == [ARRIVED] * 3 + [HERE] * 3
    gaps = [after - before for (before, _), (after, _) in zip(web.heard, web.heard[1:], strict=False)]
    assert max(gaps) < 0.75, "web servers forget after that long"
    assert web.time_to_live == 255
    assert (tmp_path / "owner").exists()


def test_an_owner_that_is_no_longer_master_says_that_it_departs_until_the_address_is_gone(web, announcer, tmp_path):
    announcer.saw(True)
    until(lambda: HERE in web.ports)
    announcer.follow(False)
    until(lambda: web.ports[-2:] == [DEPARTING] * 2)
    announcer.saw(False)
    assert quiet(web) and not (tmp_path / "owner").exists()


def test_it_looks_only_while_the_address_is_here_and_silence_is_no_loss(web, announcer, monkeypatch):
    monkeypatch.setattr(announce, "LOOK_SECONDS", 0.02)
    answers: list[bool | None] = [False]
    looks = []
    look: Callable[[], bool | None] = lambda: looks.append(1) or answers[0]  # noqa: E731
    threading.Thread(target=announcer.watch, args=(look,), daemon=True).start()
    time.sleep(0.2)
    assert looks == []
    answers[0] = None
    announcer.saw(True)
    until(lambda: len(looks) > 5 and len(web.heard) > 4)
    answers[0] = False
    assert quiet(web)


def test_one_web_server_s_trouble_is_told_once_and_is_not_the_others(web, tmp_path, capsys):
    made = Announcer(("255.255.255.255", web.address), tmp_path)  # broadcasting is not allowed to a plain socket
    threading.Thread(target=made.run, daemon=True).start()
    made.saw(True)
    until(lambda: len(web.heard) >= 4)
    made.saw(False)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "not-announced" in line]
    assert [line["to"] for line in told] == ["255.255.255.255"]


def test_the_agent_announces_what_keepalived_is_told_and_a_slow_call_does_not_hold_it_up(web, tmp_path):
    configuration = tmp_path / "keepalived.conf"
    configuration.write_text(f"real_server {web.address} 80 {{\n}}\n  real_server {web.address} 443 {{\n}}\n")
    assert Config(region="r", virtual_ip="v", keepalived=configuration).web_servers() == (web.address,)
    with FakeAws(associated=True) as aws, running_agent(aws, tmp_path, keepalived=configuration) as agent:
        agent.keepalived("MASTER")
        until(lambda: ARRIVED in web.ports)
        assert aws.owner
        aws.call_seconds = 1.5
        agent.keepalived("MASTER")  # claims anew
        until(lambda: len(aws.requests) == 2)
        web.heard.clear()
        time.sleep(1.0)
        assert aws.at_once == 1 and len(web.heard) >= 2 and set(web.ports) <= {HERE, ARRIVED}
        agent.keepalived("FAULT")
        until(lambda: DEPARTING in web.ports and aws.at_once == 0)  # when it ends, the slow call owns
        aws.owner = False
        assert quiet(web) or quiet(web)
