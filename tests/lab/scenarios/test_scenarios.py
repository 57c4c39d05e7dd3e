"""Every scenario of the table on the session's lab."""

from __future__ import annotations

import pytest

from tests.lab.scenarios.run import run
from tests.lab.scenarios.scenario import Scenario
from tests.lab.scenarios.table import SCENARIOS
from tests.lab.under_test import LabUnderTest

pytestmark = [pytest.mark.machine, pytest.mark.timeout(1500)]


@pytest.mark.parametrize(
    "scenario",
    [pytest.param(each, id=each.name, marks=[] if each.core else [pytest.mark.long]) for each in SCENARIOS],
)
def test_it_holds(lab: LabUnderTest, scenario: Scenario) -> None:
    result = run(lab.inside, scenario)
    print(result)
    assert not result.faults, str(result)
