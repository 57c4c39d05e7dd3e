"""Several services and more than two directors: TCP 80, TCP 443 passed through, UDP, over failovers down to the last.

One lab after the other, with one web server each, on which the test puts what is its user's own: TLS and UDP.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from bench.client_session import ClientSession, Outage, clients
from tests.lab.under_test import LabUnderTest, lab_of

pytestmark = [pytest.mark.machine, pytest.mark.long, pytest.mark.timeout(3000)]

UDP_PORT, FLOWS = 5300, 8
STREAM_SECONDS = 60.0
PER_SECOND = 20
PING = "ping"
SERVICES = [
    {"port": 80},
    {"port": 443, "healthCheck": {"kind": "tcp"}},
    {"port": UDP_PORT, "protocol": "udp", "healthCheck": {"kind": "udp", "payload": PING.encode().hex()}},
    {"port": 443, "protocol": "udp", "healthCheck": {"port": 80}},
]
# The lab's own priorities are 1 apart, which leaves the choice between the survivors to chance.
CLOSE = {"10.0.0.36": 254, "10.0.0.56": 253, "10.0.0.57": 252}
APART = {"10.0.0.36": 150, "10.0.0.56": 250, "10.0.0.57": 100, "10.0.0.58": 200}

# A TLS server of one's own is another site of nginx; the UDP service answers a datagram, or goes on and on.
TLS_SITE = """
server {
    listen 443 ssl default_server;
    ssl_certificate /run/lab/tls.crt;
    ssl_certificate_key /run/lab/tls.key;
    location / { return 200 "tls for $remote_addr\\n"; }
}
"""
RESPONDER = f"""
import socket, sys, threading, time
def stream(sock, client, seconds):
    for number in range(int(seconds * {PER_SECOND})):
        try: sock.sendto(b"%d" % number, client)
        except OSError: pass
        time.sleep(1 / {PER_SECOND})
def serve(port):
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("0.0.0.0", port))
    while True:
        text, client = sock.recvfrom(2048)
        word, _, seconds = text.decode().partition(" ")
        if word == "stream": threading.Thread(target=stream, args=(sock, client, float(seconds))).start()
        else: sock.sendto(f"{{port}} for {{client[0]}}".encode(), client)
threads = [threading.Thread(target=serve, args=(int(port),)) for port in sys.argv[1:]]
for thread in threads: thread.start()
"""
INSTALL = f"""set -e
mkdir -p /run/lab
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=test \
    -keyout /run/lab/tls.key -out /run/lab/tls.crt 2>/dev/null
cat >/etc/nginx/sites-enabled/tls <<'END'
{TLS_SITE}
END
cat >/run/lab/responder.py <<'END'
{RESPONDER}
END
systemd-run --unit responder python3 /run/lab/responder.py {UDP_PORT} 443
systemctl reload nginx
"""
CLIENT = "198.51.100.1"
METADATA = (
    "at=http://169.254.169.254/latest; "
    "token=$(curl -sf -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' $at/api/token); "
    'curl -sf -H "X-aws-ec2-metadata-token: $token" '
    "$at/meta-data/network/interfaces/macs/$(cat /sys/class/net/ens5/address)/local-ipv4s"
)
VIRTUAL_IP = "10.0.0.100"
# An entry of a flow reaches the other directors within 3 s.
SYNC_SECONDS = 4.0
# As in tests/lab/failover: 20 s on a quiet machine; five emulated ones on two busy processors take several times that.
FAILOVER_SECONDS = 120.0
READY_SECONDS = 600.0


@dataclass(frozen=True, kw_only=True)
class Several:
    """A lab with several directors, their priorities by name."""

    lab: LabUnderTest
    priorities: dict[str, int]

    @property
    def are_apart(self) -> bool:
        """Whether priorities differ by 50, and so the times directors wait by 0.1 s."""
        return set(self.priorities.values()) == set(APART.values())

    def alive(self) -> dict[str, str | None]:
        """The directors that have power, with their VRRP states."""
        directors = [one for one in self.lab.status()["machines"] if one["role"] == "director"]
        return {one["name"]: one["vrrp"] for one in directors if one["state"] == "running"}

    def settled(self) -> bool:
        """Whether one director owns, as VRRP and EC2 say, and every other stands by."""
        states, owner = self.alive(), self.lab.status()["owner"]
        return (
            owner in states
            and all((state == "MASTER") == (name == owner) for name, state in states.items())
            and (set(states.values()) <= {"MASTER", "BACKUP"})
        )

    def owner(self) -> str:
        """The owner, once all agree who it is: VRRP, EC2 with both addresses, instance metadata of every director."""
        self.lab.wait("one director owns, the others stand by", self.settled, seconds=FAILOVER_SECONDS)
        owner = str(self.lab.status()["owner"])
        (address,) = self.lab.inside.ec2().describe_addresses(
            AllocationIds=[str(self.lab.inside.outputs()["elasticIpAllocationId"])]
        )["Addresses"]
        assert address["PrivateIpAddress"] == VIRTUAL_IP
        assert address["NetworkInterfaceId"] == self.lab.inside.machine(owner).interface_id
        held = {name: VIRTUAL_IP in self.lab.run(name, METADATA).split() for name in self.alive()}
        assert held == {name: name == owner for name in held}
        return owner

    def healthy(self) -> bool:
        """Whether the owner's health checks take the web server into every service."""
        return all(one["health"] == "healthy" for one in self.lab.status()["machines"] if one["role"] == "web-server")

    def fetch(self, url: str) -> str:
        """A page as a client on the lab's internet gets it, whoever signed the certificate; empty where none comes."""
        command = ["curl", "-skf", "--max-time", "5", "--interface", CLIENT, url]
        return str(self.lab.inside.in_namespace(command, stdout=subprocess.PIPE, text=True).stdout)


@pytest.fixture(scope="module", params=[CLOSE, APART], ids=["three", "four"])
def several(request: pytest.FixtureRequest, lab_home: Path) -> Iterator[Several]:
    priorities: dict[str, int] = request.param
    directors = [{"address": address, "priority": priority} for address, priority in priorities.items()]
    settings = {"directors": directors, "services": SERVICES, "webServers": [{"address": "10.0.0.80"}]}
    options = [word for key, value in settings.items() for word in ("-c", f"{key}={json.dumps(value)}")]
    with lab_of(lab_home.with_name(f"services-{len(directors)}"), *options) as lab:
        done = lab.up()
        assert done.returncode == 0, f"lab up failed\n{done.stdout}\n{done.stderr}"
        lab.run("web-1", INSTALL)
        made = Several(lab=lab, priorities={f"director-{n}": p for n, p in enumerate(priorities.values(), 1)})
        lab.wait("every service's check passes", made.healthy, seconds=READY_SECONDS)
        yield made


def answered(several: Several, session: ClientSession) -> None:
    """Every service answers a client on the lab's internet, whose own address reaches the web server."""
    address = several.lab.inside.outputs()["elasticIp"]
    assert f"answers {CLIENT}." in several.fetch(f"http://{address}/")
    assert several.fetch(f"https://{address}/") == f"tls for {CLIENT}\n"
    session("flow", port=UDP_PORT, count=1)
    session("flow", port=443, count=1)
    answers = session("send", text=PING, count=2, seconds=10.0)
    assert answers == [f"{port} for {CLIENT}" for port in (UDP_PORT, 443)]
    session("close", count=2)


def kill_the_owner(several: Several, session: ClientSession) -> str:
    """Take the owner's power under requests for the page: the next owner, when all agree and every service answers."""
    owner = several.owner()
    session("probe")
    time.sleep(SYNC_SECONDS)
    assert several.lab("kill", owner).returncode == 0
    new = several.owner()
    answered(several, session)
    print(f"{owner} killed, {new} owns: outage {Outage.of(session('probed')).seconds:.2f} s")
    return new


def test_what_a_web_server_sends_unasked_goes_on_at_the_next_owner(several: Several) -> None:
    """The client says one word: nothing it sends could lead the answers to another director."""
    with clients(several.lab.inside, str(several.lab.inside.outputs()["elasticIp"])) as session:
        answered(several, session)
        session("flow", port=UDP_PORT, count=1)
        assert session("send", text=f"stream {STREAM_SECONDS}", count=1, seconds=10.0) != [None]
        asked = time.monotonic()
        kill_the_owner(several, session)
        time.sleep(max(0.0, asked + STREAM_SECONDS - time.monotonic()))
        arrived = session("close", count=1)[0]
    pause = max(after - before for before, after in pairwise(arrived))
    whole = len(arrived) / (STREAM_SECONDS * PER_SECOND)
    print(f"longest pause of a stream of datagrams {pause:.2f} s; {whole:.0%} of them came")
    assert arrived[-1] - asked > STREAM_SECONDS * 0.9, "it stopped with the owner that died"


def test_every_service_works_down_to_the_last_director(several: Several) -> None:
    """A flow's next datagram, from the port it always had, is answered by the address it went to."""
    with clients(several.lab.inside, str(several.lab.inside.outputs()["elasticIp"])) as session:
        while len(several.alive()) > 1:
            session("flow", port=UDP_PORT, count=FLOWS)
            assert None not in session("send", text=PING, count=FLOWS, seconds=10.0)
            before = several.owner()
            left = {name: several.priorities[name] for name in several.alive() if name != before}
            new = kill_the_owner(several, session)
            assert None not in session("send", text=PING, count=FLOWS, seconds=10.0)
            session("close", count=FLOWS)
            if several.are_apart:
                assert new == max(left, key=left.__getitem__), "the highest priority of those left wins"
