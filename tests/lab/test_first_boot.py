"""From power to the page on an image that has nothing of the load balancer: machines install it by their user data.

The web servers have no way out but a director, so theirs begins when a director owns the virtual IP. The packages come
from the lab's mirror, whose log tells who got what.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from lab.cloud.catalogue import STOCK_IMAGE_ID
from lab.machines import qemu
from lab.machines.rootfs import STOCK
from tests.lab.first_boot_times import PROBE, first_boot, told
from tests.lab.under_test import UP_SECONDS, LabUnderTest, lab_of

pytestmark = [pytest.mark.machine, pytest.mark.timeout(1800)]

PROJECT = Path(__file__).resolve().parents[2]
FROM_STOCK = ("--config", f"imageId={STOCK_IMAGE_ID}")
ONE_WEB_SERVER = ("--config", "webServers=[{address: 10.0.0.80}]")
# Measured: 140 s until a director's user data is done, 30 s for a web server's after that; 300 s on a busy machine.
PATIENCE_SECONDS = 900
SERVED = re.compile(r"^(\S+ \S+),(\d+) \S+ lab\.cloud\.package_mirror: (\S+) (\S+) (\d+) (\d+)$", re.MULTILINE)
INSTALLED = "dpkg-query -W -f '${db:Status-Status} ${Package}\\n'"


@dataclass(frozen=True, kw_only=True)
class Served:
    """One answer of the package mirror."""

    client: str
    path: str
    status: int
    size: int


def log_of(lab: LabUnderTest) -> str:
    log = lab.home / "logs" / "cloud.log"
    return log.read_text() if log.exists() else ""


def served(lab: LabUnderTest) -> list[Served]:
    return [
        Served(client=client, path=path, status=int(status), size=int(size))
        for _, _, client, path, status, size in SERVED.findall(log_of(lab))
    ]


def public_addresses(lab: LabUnderTest) -> dict[str, str]:
    """Each director's own public address."""
    facts = lab.home / "lab.json"
    outputs = json.loads(facts.read_text()).get("outputs", {}) if facts.exists() else {}
    return {director["name"]: director["publicIp"] for director in outputs.get("directors", [])}


def print_times(lab: LabUnderTest) -> None:
    """Where the time of each machine's first boot went."""
    load = Path("/proc/loadavg").read_text().split()[0]
    print(f"first boot from the stock image, seconds; this host's load was {load} at the end")
    for machine in lab.status()["machines"]:
        launch = re.search(rf"^(\S+ \S+),\d+ .*launching {machine['instanceId']}$", log_of(lab), re.MULTILINE)
        assert launch is not None
        launched = datetime.fromisoformat(launch[1]).timestamp()
        print(told(machine["name"], first_boot(lab.run(machine["name"], PROBE), launched=launched)))


def assert_installed_by_user_data(lab: LabUnderTest, *, lost_power: bool = False) -> None:
    """Every machine ran its user data without errors and installed its packages itself.

    Where power was lost, the machine's own log of what was installed went with it, and the files are looked at instead.
    """
    for machine in lab.status()["machines"]:
        name = machine["name"]
        result = json.loads(lab.run(name, "cat /run/cloud-init/status.json"))["v1"]
        errors = {stage: entry["errors"] for stage, entry in result.items() if isinstance(entry, dict)}
        assert result["datasource"].startswith("DataSourceEc2") and not any(errors.values()), (name, errors)
        wanted = {"nginx"} if machine["role"] == "web-server" else {"keepalived", "ipvsadm", "python3-boto3"}
        assert wanted <= set(STOCK.offered)
        if lost_power:
            assert lab.run(name, f"dpkg --verify {' '.join(wanted)}") == ""
        else:  # the image brings no log of dpkg: what stands there was installed here
            here = re.findall(r" install (\S+):\S+ <none>", lab.run(name, "cat /var/log/dpkg.log"))
            assert wanted <= set(here), name
        lines = lab.run(name, f"{INSTALLED} {' '.join(wanted)}").split()
        assert set(lines) == {"installed", *wanted}, name


@pytest.fixture(scope="module")
def from_stock() -> Iterator[LabUnderTest]:
    """Two directors and one web server, up."""
    with lab_of(PROJECT / ".lab" / "first-boot", *FROM_STOCK, *ONE_WEB_SERVER) as under_test:
        done = under_test.up()
        assert done.returncode == 0, f"lab up failed; logs are in {under_test.home}\n{done.stdout}\n{done.stderr}"
        print(done.stdout)
        yield under_test


def test_machines_that_have_nothing_come_up_to_the_page(from_stock: LabUnderTest) -> None:
    print_times(from_stock)
    page = from_stock.page()
    assert page is not None and "web-1" in page
    assert_installed_by_user_data(from_stock)


def test_a_web_servers_packages_came_through_a_director(from_stock: LabUnderTest) -> None:
    answers = served(from_stock)
    assert all(answer.status in (200, 304) for answer in answers), answers
    directors = public_addresses(from_stock)
    by_package = {answer.path.rpartition("/")[2].partition("_")[0]: answer for answer in answers}
    assert by_package["nginx"].client in directors.values()
    # Each director fetched its own, by its own address.
    for name, address in directors.items():
        fetched = [answer.path for answer in answers if answer.client == address]
        assert any("/keepalived_" in path for path in fetched), (name, fetched)
    assert not any("nginx" in line for line in from_stock.run("director-1", "ls /var/cache/apt/archives").split())
    assert sum(answer.size for answer in answers) > 40_000_000  # two directors, each about 23 MB
    assert "packages.lab.test" in from_stock.run("web-1", "cat /etc/apt/sources.list")


def test_nothing_was_done_twice(from_stock: LabUnderTest) -> None:
    """One index and one copy of each package a machine: a failed attempt never reaches the mirror."""
    paths = [(answer.client, answer.path) for answer in served(from_stock) if answer.path.endswith(".deb")]
    assert len(paths) == len(set(paths))
    # nginx came up with its site and stayed: started by its package, and not again by user data.
    starts = from_stock.run("web-1", "journalctl --no-pager -u nginx.service | grep -c 'Started nginx'")
    assert starts.strip() == "1"


@pytest.mark.long
def test_four_machines_that_have_nothing_come_up_to_the_page() -> None:
    with lab_of(PROJECT / ".lab" / "first-boot-4", *FROM_STOCK) as lab:
        done = lab.up()
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

        def both() -> bool:
            pages = [lab.page() or "" for _ in range(8)]
            return all(any(name in page for page in pages) for name in ("web-1", "web-2"))

        lab.wait("a page from each web server", both, seconds=PATIENCE_SECONDS)
        lab.wait("the end of all user data", lambda: user_data_is_done(lab), seconds=PATIENCE_SECONDS)
        print_times(lab)
        assert len(lab.status()["machines"]) == 4
        assert_installed_by_user_data(lab)


@pytest.mark.long
def test_a_directors_crash_during_a_web_servers_installation_is_survived() -> None:
    with lab_of(PROJECT / ".lab" / "first-boot-crash", *FROM_STOCK, *ONE_WEB_SERVER) as lab:
        up = lab.begin_up()
        owner = kill_the_owner_when_the_web_server_asks(lab, up)
        before = [answer for answer in served(lab) if "/nginx" in answer.path]
        assert before == [], "the crash came too late to cut the web server's download"
        assert up.wait(timeout=UP_SECONDS) == 0, (lab.home / "up.log").read_text()
        page = lab.page()
        assert page is not None and "web-1" in page
        status = lab.status()
        assert status["owner"] not in (owner, None)
        assert lab.machine(owner)["state"] == "dead"
        lab.wait("the end of web-1's user data", lambda: user_data_is_done(lab, "web-1"), seconds=PATIENCE_SECONDS)
        assert lab.run("web-1", f"{INSTALLED} nginx").strip() == "installed nginx"
        through = {answer.client for answer in served(lab) if "/nginx" in answer.path}
        assert through == {address for name, address in public_addresses(lab).items() if name != owner}


@pytest.mark.long
def test_a_machine_that_loses_power_in_its_first_boot_goes_on() -> None:
    with lab_of(PROJECT / ".lab" / "first-boot-power", *FROM_STOCK, *ONE_WEB_SERVER) as lab:
        up = lab.begin_up()

        def unpacking(name: str) -> bool:
            return lab("run", name, "--", "grep -q ' status unpacked ' /var/log/dpkg.log").returncode == 0

        until("director-2 unpacks packages", lambda: unpacking("director-2"), up)
        cut_power(lab, "director-2")
        until("web-1 unpacks packages", lambda: unpacking("web-1"), up)
        cut_power(lab, "web-1")
        assert up.wait(timeout=UP_SECONDS) == 0, (lab.home / "up.log").read_text()
        assert "web-1" in (lab.page() or "")
        lab.wait("the end of all user data", lambda: user_data_is_done(lab), seconds=PATIENCE_SECONDS)
        assert_installed_by_user_data(lab, lost_power=True)
        states = {machine["vrrp"] for machine in lab.status()["machines"] if machine["role"] == "director"}
        assert states == {"MASTER", "BACKUP"}


def until(what: str, condition: Callable[[], object], up: subprocess.Popen[str], *, pause_seconds: float = 0.5) -> None:
    """Wait for something that happens while `lab up` is at work."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if up.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"not within {PATIENCE_SECONDS} s, or before the end of `lab up`: {what}")
        time.sleep(pause_seconds)


def kill_the_owner_when_the_web_server_asks(lab: LabUnderTest, up: subprocess.Popen[str]) -> str:
    """Wait until a director's address asks the mirror for an index once more, and take its power; its name.

    Between the index and the packages there is about a second: less than the command takes to start.
    """
    until("the stack's outputs", lambda: public_addresses(lab), up)
    names = {address: name for name, address in public_addresses(lab).items()}
    directories = {each.name: lab.inside.paths.machines / each.instance_id for each in lab.inside.machines()}

    def asked_again() -> list[str]:
        clients = [answer.client for answer in served(lab) if answer.path.endswith("/InRelease")]
        return [names[client] for client in set(clients) if clients.count(client) > 1]

    until("the web server asks for packages", asked_again, up, pause_seconds=0.05)
    [owner] = asked_again()
    qemu.kill(directories[owner])
    return owner


def cut_power(lab: LabUnderTest, name: str) -> None:
    """As a host's failure, and the start after it."""
    assert lab("kill", name).returncode == 0
    done = lab("start", name, timeout=600)
    assert done.returncode == 0, done.stderr


def user_data_is_done(lab: LabUnderTest, *names: str) -> bool:
    """Whether user data has succeeded, on all machines or on those named."""
    wanted = names or [machine["name"] for machine in lab.status()["machines"]]
    return all(lab("run", name, "--", "test -e /var/lib/cloud/instance/lvs-aws").returncode == 0 for name in wanted)
