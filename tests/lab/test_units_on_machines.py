"""systemd's units on the machines: who may do what, what a hang and a crash cost, and that all of it has bounds."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.lab.under_test import LabUnderTest

pytestmark = [pytest.mark.machine, pytest.mark.timeout(900)]

WATCHDOG_SECONDS = 10.0
# Measured: 3 s from the start of the agent's process until it is ready, on a quiet emulated machine.
RESTART_SECONDS = 60.0
AS_AGENT = "setpriv --reuid lvs-agent --regid lvs-agent --clear-groups"


def shown(lab: LabUnderTest, machine: str, unit: str, *names: str) -> dict[str, str]:
    """Properties of a unit, as `systemctl show` has them."""
    text = lab.run(machine, f"systemctl show {unit} --property={','.join(names)}")
    return dict(line.split("=", 1) for line in text.splitlines())


def agent_of(lab: LabUnderTest, machine: str) -> str:
    """The process id of its agent, "0" where there is none."""
    return shown(lab, machine, "lvs-agent", "MainPID")["MainPID"]


@pytest.fixture
def directors(lab: LabUnderTest) -> Iterator[list[str]]:
    """The owner and the other; what a test did to their agents is undone, and nothing may have moved."""
    before = lab.status()
    names = [machine["name"] for machine in before["machines"] if machine["role"] == "director"]
    names.sort(key=lambda name: name != before["owner"])
    yield names
    for name in names:
        lab.run(name, "systemctl kill --signal=CONT lvs-agent || true; systemctl start lvs-agent")
    lab.wait("everything as it was", lambda: lab.status() == before, seconds=RESTART_SECONDS)
    assert lab.page() is not None


def restarted(lab: LabUnderTest, machine: str, before: str, seconds: float) -> float:
    """Until another process is the agent, and ready: how long it took."""

    def ready() -> bool:
        seen = shown(lab, machine, "lvs-agent", "MainPID", "ActiveState")
        return seen["ActiveState"] == "active" and seen["MainPID"] not in ("0", before)

    return lab.wait(f"another agent on {machine}", ready, seconds=seconds)


def test_the_agent_is_nobody_special(lab: LabUnderTest, directors: list[str]) -> None:
    for name in directors:
        process = agent_of(lab, name)
        lines = lab.run(name, f"cat /proc/{process}/status").splitlines()
        status = {key: value.split() for key, _, value in (line.partition(":") for line in lines)}
        assert "0" not in status["Uid"] + status["Gid"] + status["Groups"]
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[kind][0], 16) == 0, kind
        assert status["NoNewPrivs"] == ["1"] and status["Seccomp"] == ["2"]
        owner = lab.run(name, "stat -c %U /run/lvs-aws /run/lvs-aws/agent /run/lvs-aws/penalty /run/lvs-aws/vrrp.fifo")
        assert owner.split() == ["root", "lvs-agent", "root", "lvs-agent"]


def test_what_the_agent_may_not_do(lab: LabUnderTest, directors: list[str]) -> None:
    ask = "curl -s -o /dev/null -w '%{http_code}' -m 3 http://169.254.169.254/"
    for name in directors:
        penalty = lab.run(name, "cat /run/lvs-aws/penalty")
        tried = lab.run(
            name,
            f"for try in 'echo -254 >penalty' 'mv penalty agent/' 'mkfifo other' 'echo >interface.conf'; do "
            f'{AS_AGENT} sh -c "cd /run/lvs-aws && $try" 2>/dev/null && echo "did $try"; done; '
            f"cat /run/lvs-aws/penalty; {AS_AGENT} {ask}; echo; "
            f"setpriv --reuid nobody --clear-groups {ask}; echo",
        )
        assert tried.split() == [*penalty.split(), "401", "000"], "metadata is for root and the agent"


def test_memory_and_logs_are_bounded(lab: LabUnderTest, directors: list[str]) -> None:
    for name in directors:
        seen = shown(
            lab, name, "lvs-agent", "MemoryMax", "MemoryPeak", "TasksMax", "TasksCurrent",
            "LogRateLimitBurst", "WatchdogUSec", "Restart",
        )  # fmt: skip
        print(name, seen)
        assert (seen["MemoryMax"], seen["TasksMax"]) == (str(256 << 20), "32")
        assert (seen["LogRateLimitBurst"], seen["WatchdogUSec"], seen["Restart"]) == ("300", "10s", "always")
        assert int(seen["MemoryPeak"]) * 2 <= int(seen["MemoryMax"])
        assert int(seen["TasksCurrent"]) * 2 <= int(seen["TasksMax"])
    for name in ("director-1", "web-1"):
        limits = lab.run(name, "journalctl -u systemd-journald -o cat | grep -E 'max|limit' | tail -n 1")
        print(name, limits)
        assert "200M" in limits or "200.0M" in limits or "50M" in limits


def test_a_hung_agent_is_ended_by_the_watchdog(lab: LabUnderTest, directors: list[str]) -> None:
    """The owner's, which learns again that it owns; its loop's beats are what stops."""
    owner, _ = directors
    before = agent_of(lab, owner)
    results = "journalctl -u lvs-agent -o cat | grep -c -i 'watchdog timeout' || true"
    timeouts = int(lab.run(owner, results))
    lab.run(owner, f"kill -STOP {before}")
    ended = lab.wait("the hung agent's end", lambda: agent_of(lab, owner) != before, seconds=2 * WATCHDOG_SECONDS)
    took = ended + restarted(lab, owner, before, RESTART_SECONDS)
    print(f"ended after {ended:.1f} s, another ready after {took:.1f} s")
    assert int(lab.run(owner, results)) == timeouts + 1
    status = json.loads(lab.run(owner, "cat /run/lvs-aws/status.json"))
    assert status["vrrp"] == "MASTER"
    assert shown(lab, owner, "keepalived", "ActiveState")["ActiveState"] == "active"


def test_a_killed_agent_comes_back_and_knows_what_it_was(lab: LabUnderTest, directors: list[str]) -> None:
    """The fixture looks whether both are what they were: Keepalived tells a new agent nothing."""
    before = {name: agent_of(lab, name) for name in directors}
    for name, process in before.items():
        lab.run(name, f"kill -KILL {process}")
    for name, process in before.items():
        print(f"{name}: another agent ready after {restarted(lab, name, process, RESTART_SECONDS):.1f} s")


def test_a_killed_nginx_comes_back(lab: LabUnderTest) -> None:
    before = shown(lab, "web-1", "nginx", "MainPID")["MainPID"]
    lab.run("web-1", f"kill -KILL {before}")

    def back() -> bool:
        seen = shown(lab, "web-1", "nginx", "MainPID", "ActiveState")
        return seen["ActiveState"] == "active" and seen["MainPID"] not in ("0", before)

    print(f"nginx answers again after {lab.wait('nginx', back, seconds=RESTART_SECONDS):.1f} s")
    lab.wait("web-1 healthy", lambda: lab.machine("web-1")["health"] == "healthy", seconds=RESTART_SECONDS)
    assert all("nginx" not in (lab.page() or "nginx") for _ in range(4))
