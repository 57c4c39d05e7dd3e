"""The shared lab with traffic on it, both directors well before each test."""

from __future__ import annotations

import pytest

from tests.lab.failover.traffic import make_pages
from tests.lab.under_test import LabUnderTest

# Measured: 20 s on a quiet machine, two minutes on a busy one.
RETURN_SECONDS = 300.0
OTHER = {"director-1": "director-2", "director-2": "director-1"}


def settle(lab: LabUnderTest) -> str:
    """Give every director power, let it take part, and wait until one owns and the other stands by: the owner."""
    for name in OTHER:
        if lab.machine(name)["state"] == "dead":
            assert lab("start", name, timeout=RETURN_SECONDS).returncode == 0
        lab.run(name, "mkdir -p /run/lvs-aws && echo 0 > /run/lvs-aws/penalty; systemctl --no-block start keepalived")

    def settled() -> bool:
        status = lab.status()
        states = {machine["name"]: machine["vrrp"] for machine in status["machines"]}
        owner = status["owner"]
        return owner is not None and states[owner] == "MASTER" and states[OTHER[owner]] == "BACKUP"

    lab.wait("one director owns, the other stands by", settled, seconds=RETURN_SECONDS)
    return str(lab.status()["owner"])


@pytest.fixture(scope="session")
def pages(lab: LabUnderTest) -> None:
    make_pages(lab)


@pytest.fixture
def owner(lab: LabUnderTest, pages: None) -> str:
    return settle(lab)
