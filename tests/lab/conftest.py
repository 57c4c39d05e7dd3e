"""One running lab for all machine tests of a session: booting machines is what costs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab.under_test import LabUnderTest, keep_journals, lab_of

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
    with lab_of(lab_home) as under_test:
        done = under_test.up()
        assert done.returncode == 0, f"lab up failed; logs are in {lab_home}\n{done.stdout}\n{done.stderr}"
        print(done.stdout)
        yield under_test
        if request.session.testsfailed:
            keep_journals(under_test)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the shared lab come last: others bring up labs of their own, and two at once are slow."""
    items.sort(key=lambda item: "lab_home" in getattr(item, "fixturenames", ()))
