"""One more web server on running machines, as docs/changes.md has it: directors one after the other, under requests."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.under_test import LabUnderTest, lab_of

pytestmark = [pytest.mark.machine, pytest.mark.long, pytest.mark.timeout(3000)]

THREE = "webServers=[{address: 10.0.0.80}, {address: 10.0.0.194}, {address: 10.0.0.195}]"
# A machine of the baked image serves after about a minute; emulated machines under load take several times that.
READY_SECONDS = 600


class Requests(threading.Thread):
    """A new connection every 100 ms; `gaps` are the seconds between a last good answer and the next."""

    def __init__(self, lab: LabUnderTest) -> None:
        super().__init__(daemon=True)
        self._lab = lab
        self._stop_asking = threading.Event()
        self.answers = 0
        self.gaps: list[float] = []

    def run(self) -> None:
        last, failing = time.monotonic(), False
        while not self._stop_asking.wait(0.1):
            good = self._lab.page(timeout=1) is not None
            now = time.monotonic()
            if good:
                self.answers += 1
                if failing:
                    self.gaps.append(now - last)
                last = now
            failing = not good

    def stop(self) -> None:
        self._stop_asking.set()
        self.join()


@contextmanager
def requests(lab: LabUnderTest) -> Iterator[Requests]:
    asking = Requests(lab)
    asking.start()
    try:
        yield asking
    finally:
        asking.stop()


def update(lab: LabUnderTest, director: str) -> subprocess.CompletedProcess[str]:
    return lab("up", "--port", str(lab.port), "-c", THREE, "-c", f"rollout=[{director}]", timeout=1500)


@pytest.fixture
def own_lab(lab_home: Path) -> Iterator[LabUnderTest]:
    with lab_of(lab_home.with_name("rolling")) as lab:
        done = lab.up()
        assert done.returncode == 0, done.stdout + done.stderr
        yield lab


def test_a_web_server_is_added_and_then_everything_goes_and_comes_again(own_lab: LabUnderTest) -> None:
    lab = own_lab
    refused = lab("up", "--port", str(lab.port), "-c", THREE, timeout=300)
    assert refused.returncode == 1
    assert "directors one at a time" in refused.stdout + refused.stderr
    assert len(lab.status()["machines"]) == 4, "a refused update made something"

    owner = str(lab.status()["owner"])
    standby = {"director-1": "director-2", "director-2": "director-1"}[owner]
    with requests(lab) as asking:
        done = update(lab, standby)
        assert done.returncode == 0, done.stdout + done.stderr
        assert owner in done.stdout and "old configuration" in done.stdout + done.stderr
        lab.wait("the new director as BACKUP", lambda: lab.machine(standby)["vrrp"] == "BACKUP", seconds=READY_SECONDS)
    print(f"the standby was replaced: {asking.answers} answers, gaps {asking.gaps}")
    assert asking.answers > 100
    assert asking.gaps == [], "a director that did not serve was replaced, and clients noticed"
    assert lab.status()["owner"] == owner

    lab.wait(
        "web-3's page", lambda: "ok" in lab.run("web-3", "curl -s localhost/healthz || true"), seconds=READY_SECONDS
    )
    with requests(lab) as asking:
        done = update(lab, owner)
        assert done.returncode == 0, done.stdout + done.stderr
        lab.wait("the old owner as BACKUP", lambda: lab.machine(owner)["vrrp"] == "BACKUP", seconds=READY_SECONDS)
    print(f"the owner was replaced: {asking.answers} answers, gaps {asking.gaps}")
    assert asking.answers > 100
    # A planned switch: one call of 300 ms and a remap of 1 s, several times that on busy emulated machines.
    assert len(asking.gaps) <= 2 and sum(asking.gaps) < 30
    assert lab.status()["owner"] == standby
    lab.wait("web-3's turn", lambda: "web-3" in (lab.page() or ""), seconds=120)

    unchanged = lab("preview", "--refresh", "--expect-no-changes", "-c", THREE, timeout=300)
    assert unchanged.returncode == 0, unchanged.stdout + unchanged.stderr

    done = lab("destroy", timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(lab("status", "--json").stdout)["machines"] == []
    ec2 = lab.inside.ec2()
    assert ec2.describe_addresses()["Addresses"] == []
    assert [vpc for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]] == []
    done = lab.up()
    assert done.returncode == 0, done.stdout + done.stderr
    assert lab.page() is not None
