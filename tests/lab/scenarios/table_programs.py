"""Directors whose programs end, hang, are reloaded and upgraded."""

from __future__ import annotations

from bench.failover_causes import Pair
from bench.on_machines import must_run
from lab.running import RunningLab
from tests.lab.scenarios import deeds
from tests.lab.scenarios.scenario import CRASH_SECONDS, NOTHING_SECONDS, SINGLE_REQUESTS, Scenario

# The package's own scripts do what an upgrade does, in its order; only the files stay what they are.
UPGRADE = (
    "cd /var/lib/dpkg/info; v=$(dpkg-query -W -f='${Version}' keepalived); "
    "export DPKG_MAINTSCRIPT_PACKAGE=keepalived DEBIAN_FRONTEND=noninteractive; "
    'for step in "prerm upgrade $v" "postrm upgrade $v" "postinst configure $v"; do '
    'set -- $step; [ ! -x keepalived.$1 ] || DPKG_MAINTSCRIPT_NAME=$1 "./keepalived.$1" "$2" "$3" || exit 1; done'
)
# Enough of the disk for everything that could be written, block by block.
FILL = (
    "n=0; for size in 1G 256M 64M 16M 4M 1M 256K 64K 16K 4K; do "
    "while fallocate -l $size /lab-fill.$n 2>/dev/null; do n=$((n+1)); done; done; "
    "! dd if=/dev/zero of=/lab-fill.last bs=4096 count=64 conv=fsync 2>/dev/null"
)
EMPTY = "rm -f /lab-fill.*"
CHILD = "kill -KILL $(cat /run/{child}.pid)"


def _agent_less_crash(lab: RunningLab, before: Pair) -> None:
    """systemd starts the other's agent anew a second later, and that takes seconds on an emulated machine."""
    must_run(lab, before.other, "systemctl kill --signal=KILL lvs-agent")
    deeds.kill_owner(lab, before)


def _reload_both(lab: RunningLab, before: Pair) -> None:
    for machine in (before.owner, before.other):
        must_run(lab, machine, "systemctl reload keepalived")


SCENARIOS = (
    Scenario(
        name="keepalived-killed",
        text="every process of Keepalived is killed on the owner",
        act=deeds.owner_runs("pkill -KILL -x keepalived"),
        next_owner="other",
        outage_seconds=NOTHING_SECONDS,  # IPVS is the kernel's, and goes on
        failed=SINGLE_REQUESTS,
        core=True,
    ),
    Scenario(
        name="vrrp-child-killed",
        text="Keepalived's VRRP process alone is killed on the owner",
        act=deeds.owner_runs(CHILD.format(child="vrrp")),
        next_owner="either",
        outage_seconds=CRASH_SECONDS,
    ),
    Scenario(
        name="checker-child-killed",
        text="Keepalived's health checker alone is killed on the owner",
        act=deeds.owner_runs(CHILD.format(child="checkers")),
        next_owner="same",
        outage_seconds=CRASH_SECONDS,
    ),
    Scenario(
        name="agent-killed",
        text="the owner's agent is killed",
        act=deeds.renewed("lvs-agent", "kill -KILL $pid"),
        next_owner="same",
        outage_seconds=NOTHING_SECONDS,
        failed=SINGLE_REQUESTS,
        core=True,
    ),
    Scenario(
        name="agent-stopped",
        text="the owner's agent hangs (SIGSTOP) until the watchdog ends it",
        act=deeds.renewed("lvs-agent", "kill -STOP $pid"),
        next_owner="same",
        outage_seconds=NOTHING_SECONDS,
        failed=SINGLE_REQUESTS,
    ),
    Scenario(
        name="agent-killed-then-crash",
        text="the other's agent is killed, and then the owner's power goes",
        act=_agent_less_crash,
        next_owner="other",
        outage_seconds=30.0,
    ),
    Scenario(
        name="agent-stopped-then-crash",
        text="the other's agent hangs (SIGSTOP), and the owner's power goes",
        act=deeds.in_turn(
            deeds.other_runs("systemctl kill --signal=STOP lvs-agent"),
            deeds.kill_owner,
        ),
        next_owner="other",
        outage_seconds=45.0,
    ),
    Scenario(
        name="reload-owner",
        text="systemctl reload keepalived on the owner",
        act=deeds.owner_runs("systemctl reload keepalived"),
        next_owner="same",
        outage_seconds=NOTHING_SECONDS,
        failed=SINGLE_REQUESTS,
        core=True,
    ),
    Scenario(
        name="reload-both",
        text="systemctl reload keepalived on both directors",
        act=_reload_both,
        next_owner="same",
        outage_seconds=NOTHING_SECONDS,
        failed=SINGLE_REQUESTS,
    ),
    Scenario(
        name="upgrade",
        text="the scripts that dpkg runs when it upgrades Keepalived, on the owner",
        act=deeds.renewed("keepalived", UPGRADE),
        next_owner="other",
        outage_seconds=NOTHING_SECONDS,
        failed=SINGLE_REQUESTS,
    ),
    Scenario(
        name="disk-full-then-crash",
        text="the other's disk is full, and the owner's power goes",
        act=deeds.in_turn(deeds.other_runs(FILL), deeds.kill_owner),
        repair=deeds.other_runs(EMPTY),
        next_owner="other",
        outage_seconds=CRASH_SECONDS,
    ),
    Scenario(
        name="disk-full-on-owner",
        text="the owner's disk is full",
        act=deeds.owner_runs(FILL),
        repair=deeds.owner_runs(EMPTY),
        next_owner="same",
        outage_seconds=NOTHING_SECONDS,
        failed=SINGLE_REQUESTS,
    ),
)
