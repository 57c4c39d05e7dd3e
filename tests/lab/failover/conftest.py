"""The shared lab with traffic on it, both directors well before each test."""

from __future__ import annotations

import pytest

from bench.failover_causes import settle
from tests.lab.failover.traffic import make_pages
from tests.lab.under_test import LabUnderTest

OTHER = {"director-1": "director-2", "director-2": "director-1"}


@pytest.fixture(scope="session")
def pages(lab: LabUnderTest) -> None:
    make_pages(lab)


@pytest.fixture
def owner(lab: LabUnderTest, pages: None) -> str:
    return settle(lab.inside).owner.name
