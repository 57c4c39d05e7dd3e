"""All scenarios, the core first."""

from __future__ import annotations

from tests.lab.scenarios import (
    table_api,
    table_directors,
    table_hands,
    table_network,
    table_programs,
    table_web_servers,
)
from tests.lab.scenarios.scenario import Scenario

_ALL = (
    *table_directors.SCENARIOS,
    *table_programs.SCENARIOS,
    *table_network.SCENARIOS,
    *table_api.SCENARIOS,
    *table_hands.SCENARIOS,
    *table_web_servers.SCENARIOS,
)
SCENARIOS: tuple[Scenario, ...] = tuple(sorted(_ALL, key=lambda scenario: not scenario.core))
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
