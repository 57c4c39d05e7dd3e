"""HTTP under load: the machines are what limits it, not the fabric between them."""

from __future__ import annotations

import pytest

from bench.http_load import measure, table
from tests.lab.under_test import LabUnderTest

pytestmark = [pytest.mark.machine, pytest.mark.timeout(300)]


def test_the_fabric_is_not_the_bottleneck_of_http(lab: LabUnderTest) -> None:
    load = measure(lab.inside, connections=8, seconds=5)
    print("\n" + table([load]))
    assert load.failed == 0
    assert load.requests_per_second > 0
    # Measured: the fabric takes a fifth to a third of a processor, the owner and the web servers the rest of two.
    assert load.fabric_share < sum(load.machines.values()) / 2
    assert load.fabric_share < 0.8
