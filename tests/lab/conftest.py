"""One running lab for all machine tests of a session: booting machines is what costs."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab.under_test import LabUnderTest, processes_of

if TYPE_CHECKING:
    from lab.cloud.local import LocalCloud

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def running_cloud() -> Iterator[LocalCloud]:
    """The lab's cloud in this process, without machines; made once, because moto takes a second to import."""
    from lab.cloud.local import local_cloud

    with local_cloud() as cloud:
        yield cloud


@pytest.fixture
def cloud(running_cloud: LocalCloud) -> LocalCloud:
    """The same, with an empty account."""
    running_cloud.account.reset()
    return running_cloud


@pytest.fixture(scope="session")
def lab_home() -> Path:
    return PROJECT / ".lab" / "test"


@pytest.fixture(scope="session")
def lab(lab_home: Path, request: pytest.FixtureRequest) -> Iterator[LabUnderTest]:
    """The lab, up. It goes down at the end of the session, and must leave nothing."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    under_test = LabUnderTest(home=lab_home, port=port)
    under_test("down")
    shutil.rmtree(lab_home, ignore_errors=True)
    done = under_test.up()
    try:
        assert done.returncode == 0, f"lab up failed; logs are in {lab_home}\n{done.stdout}\n{done.stderr}"
        print(done.stdout)
        yield under_test
    finally:
        if request.session.testsfailed:
            _keep_journals(under_test)
        down = under_test("down")
        assert down.returncode == 0, down.stderr
        assert processes_of(lab_home) == []


def _keep_journals(under_test: LabUnderTest) -> None:
    directory = under_test.home / "logs" / "journals"
    directory.mkdir(parents=True, exist_ok=True)
    status = under_test("status", "--json")
    if status.returncode != 0:
        return
    (directory / "status.json").write_text(status.stdout)
    for machine in json.loads(status.stdout)["machines"]:
        (directory / f"{machine['name']}.log").write_text(under_test("logs", machine["name"], "-n", "2000").stdout)
    print(f"the machines' journals of this failed session are in {directory}")
