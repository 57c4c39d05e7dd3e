"""Faults on demand, as machines meet them: each is seen in `lab status` and ended by `lab clear`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.lab.under_test import LabUnderTest

pytestmark = [pytest.mark.machine, pytest.mark.timeout(900)]

RECOVERY_SECONDS = 120.0
# One call of the director's own agent, which has its rights, its patience and its way of naming what went wrong.
REHEARSE = (
    "cd /usr/local/lib/lvs-aws && python3 -B -c '"
    "from agent.ec2 import Ec2; from agent.metadata import Metadata; "
    'print(Ec2("us-east-1", "10.0.0.100").rehearse(Metadata("http://169.254.169.254").identity()))\''
)


@contextmanager
def fault(lab: LabUnderTest, *words: str) -> Iterator[str]:
    """A fault made by the command and ended by it; its id."""
    made = lab("fault", *words)
    assert made.returncode == 0, made.stderr
    name = made.stdout.partition(":")[0]
    assert name in {each["id"] for each in lab.status()["faults"]}
    try:
        yield name
    finally:
        ended = lab("clear", name, timeout=300)
        assert ended.returncode == 0, ended.stderr
        assert f"ended {name}" in ended.stdout
    assert name not in {each["id"] for each in lab.status()["faults"]}


def standby(lab: LabUnderTest) -> str:
    return {"director-1": "director-2", "director-2": "director-1"}[lab.status()["owner"]]


MEETS = (
    (["throttled"], "RequestLimitExceeded"),
    (["denied", "--action", "Associate*"], "UnauthorizedOperation"),
    (["error", "--action", "AssociateAddress"], "InternalError"),
    (["silent"], "ReadTimeoutError"),
    (["unreachable"], "ConnectTimeoutError"),
    (["denied", "--action", "AssignPrivateIpAddresses"], "None"),  # another call's fault is none of this one's
)


def test_an_agent_meets_the_api_s_faults(lab: LabUnderTest) -> None:
    director = standby(lab)
    for words, seen in MEETS:
        with fault(lab, "api", *words, "--machine", director):
            assert lab.run(director, REHEARSE).strip() == seen, words
    assert lab.run(director, REHEARSE).strip() == "None"


def test_metadata_slow_and_gone(lab: LabUnderTest) -> None:
    ask = "curl -s -o /dev/null -w '%{time_total} %{http_code}' --max-time 3 http://169.254.169.254/; echo \" $?\""
    with fault(lab, "metadata", "gone", "--machine", "web-1"):
        assert lab.run("web-1", ask).split()[1:] == ["000", "28"]
        assert lab.run("web-2", ask).split()[1] == "401"
    with fault(lab, "metadata", "slow", "--seconds", "1", "--machine", "web-1"):
        took, status, _ = lab.run("web-1", ask).split()
        assert float(took) > 1 and status == "401"


def test_a_blocked_port_makes_a_web_server_unhealthy_for_the_owner_alone(lab: LabUnderTest) -> None:
    owner = lab.status()["owner"]
    assert lab.machine("web-2")["health"] == "healthy"
    with fault(lab, "block", owner, "web-2", "--protocol", "tcp", "--port", "80"):
        lab.wait("web-2 unhealthy", lambda: lab.machine("web-2")["health"] == "unhealthy", seconds=RECOVERY_SECONDS)
        assert lab.drops()[f"fault-blocked@{owner}"] > 0
        assert all("web-1" in (lab.page() or "") for _ in range(4))
    lab.wait("web-2 healthy", lambda: lab.machine("web-2")["health"] == "healthy", seconds=RECOVERY_SECONDS)


def test_a_paused_machine_stands_still(lab: LabUnderTest) -> None:
    with fault(lab, "pause", "web-1"):
        assert lab.machine("web-1")["state"] == "paused"
        refused = lab("fault", "pause", "web-9")
        assert refused.returncode == 1 and "web-1" in refused.stderr
    assert lab.machine("web-1")["state"] == "running"
    began = time.monotonic()
    assert lab("fault", "pause", "web-1", "--for", "1").returncode == 0
    assert time.monotonic() - began > 1
    assert lab.status()["faults"] == []
    lab.run("web-1", "true")


def test_an_unplugged_machine_has_no_link_and_serves_again_afterwards(lab: LabUnderTest) -> None:
    with fault(lab, "unplug", "web-2"):
        lab.wait("no carrier", lambda: lab.run("web-2", "cat /sys/class/net/ens5/carrier") == "0\n", seconds=30)
    assert lab.run("web-2", "cat /sys/class/net/ens5/carrier") == "1\n"
    lab.wait("pages of web-2", lambda: "web-2" in (lab.page() or ""), seconds=RECOVERY_SECONDS)


def test_a_clock_is_wrong_until_it_is_put_right(lab: LabUnderTest) -> None:
    def ahead() -> float:
        return float(lab.run("web-1", "date +%s.%N")) - time.time()

    with fault(lab, "clock", "web-1", "--by", "-3600"):
        assert -3660 < ahead() < -3540
    assert -60 < ahead() < 60


def test_a_slow_remap_delays_what_metadata_shows(lab: LabUnderTest) -> None:
    with fault(lab, "remap", "600"):
        assert "600" in next(each["text"] for each in lab.status()["faults"])


def test_clear_without_words_ends_everything_also_a_power_cut(lab: LabUnderTest) -> None:
    assert lab("kill", "web-1").returncode == 0
    assert lab("fault", "clock", "web-2", "--by", "5").returncode == 0
    assert lab("fault", "api", "slow", "--seconds", "0.1").returncode == 0
    assert {each["id"].split("-")[0] for each in lab.status()["faults"]} == {"killed", "clock", "api"}
    refused = lab("clear", "nothing-1")
    assert refused.returncode == 1 and "killed-web-1" in refused.stderr
    cleared = lab("clear", timeout=400)
    assert cleared.returncode == 0, cleared.stderr
    status = lab.status()
    assert status["faults"] == []
    assert lab.machine("web-1")["state"] == "running"
    lab.wait("pages of web-1", lambda: "web-1" in (lab.page() or ""), seconds=RECOVERY_SECONDS * 2)
    assert "nothing was wrong" in lab("clear").stdout
