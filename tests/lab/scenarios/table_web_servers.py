"""Web servers that crash, hang, are slow, and come back."""

from __future__ import annotations

from bench.failover_causes import Pair
from lab import machine_faults
from lab.running import RunningLab
from tests.lab.scenarios import deeds
from tests.lab.scenarios.scenario import NOTHING_SECONDS, Deed, Scenario

# A check a second with a time-out of one, asked again twice after 0.5 s: 1 + 3 x 1 + 2 x 0.5 s. Until then every other
# request goes to the web server that is ill: 25 a second; twice that on a busy machine.
DETECTION_SECONDS = 5.0
MISDIRECTED = round(DETECTION_SECONDS * 25 * 2)
LATE = "tc qdisc replace dev $(ls /sys/class/net | grep -m1 ^e) root netem delay 3s limit 10000"
IN_TIME = "tc qdisc del dev $(ls /sys/class/net | grep -m1 ^e) root"
WEB_SERVERS = ("web-1", "web-2")


def _crash(lab: RunningLab, before: Pair) -> None:
    deeds.kill(lab, "web-1")
    deeds.await_health("web-1", well=False)(lab, before)


def _hang(lab: RunningLab, before: Pair) -> None:
    machine_faults.put(lab, lab.machine("web-1"), "paused")
    deeds.await_health("web-1", well=False)(lab, before)


def _on_both(command: str) -> Deed:
    return deeds.in_turn(*(deeds.web_runs(name, command) for name in WEB_SERVERS))


def _crash_both(lab: RunningLab, before: Pair) -> None:
    for name in WEB_SERVERS:
        deeds.kill(lab, name)
    for name in WEB_SERVERS:
        deeds.start(lab, name)
    for name in WEB_SERVERS:
        deeds.await_health(name, well=True, seconds=deeds.BOOT_SECONDS)(lab, before)


SCENARIOS = (
    Scenario(
        name="web-crash",
        text="a web server's power goes, and comes back later",
        act=_crash,
        next_owner="same",
        outage_seconds=NOTHING_SECONDS,
        failed=MISDIRECTED,
    ),
    Scenario(
        name="web-hang",
        text="a web server stands still, and goes on later",
        act=_hang,
        next_owner="same",
        outage_seconds=NOTHING_SECONDS,
        failed=MISDIRECTED,
    ),
    Scenario(
        name="web-slow",
        text="a web server's answers take 3 s, longer than a check waits; later they come in time again",
        act=deeds.in_turn(deeds.web_runs("web-1", LATE), deeds.await_health("web-1", well=False)),
        repair=deeds.web_runs("web-1", IN_TIME),
        next_owner="same",
        outage_seconds=NOTHING_SECONDS,
        failed=MISDIRECTED,
    ),
    Scenario(
        name="nginx-stopped",
        text="nginx is stopped on a web server, and started later",
        act=deeds.in_turn(deeds.web_runs("web-1", "systemctl stop nginx"), deeds.await_health("web-1", well=False)),
        repair=deeds.web_runs("web-1", "systemctl start nginx"),
        next_owner="same",
        outage_seconds=NOTHING_SECONDS,
        failed=MISDIRECTED,
    ),
    Scenario(
        name="nginx-killed",
        text="nginx is killed on a web server; systemd starts it again",
        act=deeds.in_turn(deeds.web_runs("web-1", "pkill -KILL -x nginx"), deeds.await_health("web-1", well=True)),
        next_owner="same",
        outage_seconds=NOTHING_SECONDS,
        failed=MISDIRECTED,
    ),
    Scenario(
        name="web-all-down",
        text="nginx is stopped on both web servers, and started again",
        act=deeds.in_turn(
            _on_both("systemctl stop nginx"),
            *(deeds.await_health(name, well=False) for name in WEB_SERVERS),
            _on_both("systemctl start nginx"),
            *(deeds.await_health(name, well=True) for name in WEB_SERVERS),
        ),
        next_owner="same",
        outage_seconds=30.0,
    ),
    Scenario(
        name="web-all-crash",
        text="both web servers lose their power, and boot",
        act=_crash_both,
        next_owner="same",
        outage_seconds=deeds.BOOT_SECONDS,
        patience_seconds=deeds.BOOT_SECONDS,
    ),
)
