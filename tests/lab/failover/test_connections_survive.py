"""Connections across failovers and switches: nothing ends, nothing is corrupted, and how long it stands still."""

from __future__ import annotations

import time

import pytest

from bench.client_session import clients
from bench.failover_causes import RETURN_SECONDS
from tests.lab.failover.conftest import OTHER
from tests.lab.failover.traffic import WEB_SERVERS, Seen, assert_nothing_was_lost, during
from tests.lab.under_test import LabUnderTest

pytestmark = [pytest.mark.machine, pytest.mark.timeout(1800)]

# The bounds. Measured: a crash 0.04 to 0.20 s over its outage, a switch 0.11 to 0.27 s in all.
PAUSE_OVER_OUTAGE_SECONDS = 0.5
SWITCH_PAUSE_SECONDS = 0.5


def shown(seen: Seen) -> Seen:
    print(seen)
    assert_nothing_was_lost(seen)
    return seen


@pytest.mark.parametrize("number", [1, *(pytest.param(number, marks=pytest.mark.long) for number in (2, 3, 4, 5))])
def test_a_crash_of_the_owner_costs_no_connection(lab: LabUnderTest, owner: str, number: int) -> None:
    seen = shown(during(lab, lambda: lab("kill", owner)))
    assert lab.status()["owner"] == OTHER[owner]
    assert seen.outage is not None and seen.outage.seconds > 1.0, "that was no crash"
    assert seen.pause <= seen.outage.seconds + PAUSE_OVER_OUTAGE_SECONDS


def test_a_director_that_comes_back_disturbs_nothing(lab: LabUnderTest, owner: str) -> None:
    """All that makes a machine a director starts anew, as after a boot, whose noise would only blur the picture."""
    other = OTHER[owner]
    lab.run(other, "systemctl stop keepalived lvs-agent; ip link del vxs; ip route del local 10.0.0.100")

    def come_back() -> None:
        lab.run(other, "systemctl --no-block restart lvs-network lvs-agent keepalived")
        lab.wait("the director as BACKUP", lambda: lab.machine(other)["vrrp"] == "BACKUP", seconds=RETURN_SECONDS)

    seen = shown(during(lab, come_back, settle=0.0))
    assert lab.status()["owner"] == owner
    assert seen.pause < SWITCH_PAUSE_SECONDS


@pytest.mark.parametrize(
    "order",
    [
        "echo -254 > /run/lvs-aws/penalty",
        pytest.param("systemctl --no-block stop keepalived", marks=pytest.mark.long),
    ],
    ids=["standby", "stop"],
)
def test_a_planned_switch_is_hardly_noticed(lab: LabUnderTest, owner: str, order: str) -> None:
    seen = shown(during(lab, lambda: lab.run(owner, order)))
    assert lab.status()["owner"] == OTHER[owner]
    assert seen.pause < SWITCH_PAUSE_SECONDS


def test_sync_does_not_flood(lab: LabUnderTest, owner: str) -> None:
    """Connections of one request each are the worst case: every state they pass is told."""
    count = "cat /sys/class/net/vxs/statistics/{tx_bytes,tx_packets}"
    with clients(lab.inside, str(lab.inside.outputs()["elasticIp"])) as session:
        before = [int(word) for word in lab.run(owner, f"bash -c '{count}'").split()]
        session("probe")
        time.sleep(10)
        connections = len(session("probed")["succeeded"])
        time.sleep(4)  # what is in a buffer goes within 3 s
        after = [int(word) for word in lab.run(owner, f"bash -c '{count}'").split()]
    sent, packets = (now - then for then, now in zip(before, after, strict=True))
    known = int(lab.run(OTHER[owner], "ipvsadm -Lcn | grep -c 198.51.100"))
    print(f"{connections} connections: {sent / connections:.0f} bytes and {packets / connections:.2f} packets each")
    assert connections > 100 and known > connections * 0.8
    assert 36 <= sent / connections <= 800  # an entry has 36 bytes


@pytest.mark.long
def test_without_announcements_a_silent_download_stands_still(lab: LabUnderTest, owner: str) -> None:
    """The control: nobody else sends anything, so nothing tells the web servers of the new owner."""
    for name in WEB_SERVERS:
        lab.run(name, "nft insert rule ip lvs_return arriving udp dport 5151-5153 drop")
    try:
        seen = during(lab, lambda: lab("kill", owner), probe=False, settle=20.0, patience=1.0)
    finally:
        for name in WEB_SERVERS:
            lab.run(name, "systemctl restart lvs-return-path")
    print(seen)
    assert lab.status()["owner"] == OTHER[owner]
    assert seen.pause > 10


@pytest.mark.long
def test_without_sync_downloads_are_lost(lab: LabUnderTest, owner: str) -> None:
    """The control: the other director knows none of the connections."""
    lab.run(owner, "ip link set vxs down")
    seen = during(lab, lambda: lab("kill", owner), settle=20.0, patience=1.0)
    print(seen)
    assert all(each["sha256"] is None for each in seen.downloads)
    assert all(each["error"] for each in seen.kept)
