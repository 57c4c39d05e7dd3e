"""What the examples are tried on: the outputs the unmodified program has under the recording mocks."""

import copy
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.components.conftest import _isolated as _isolated
from tests.components.recorded_program import LEAST, run_program


@pytest.fixture
def outputs() -> dict[str, Any]:
    return copy.deepcopy(_outputs())


@functools.cache
def _outputs() -> dict[str, Any]:
    udp = {"port": 53, "protocol": "udp", "healthCheck": {"port": 80}}
    services = json.dumps([{"port": 80}, {"port": 8080}, udp])
    return _as_printed(run_program({**LEAST, "lvs-aws:services": services}).outputs)


def _as_printed(value: Any) -> Any:
    """What the CLI prints: the wire knows only floating-point numbers, and a whole one is printed without a point."""
    if isinstance(value, Mapping):
        return {key: _as_printed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_as_printed(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@pytest.fixture
def outputs_file(outputs: dict[str, Any], tmp_path: Path) -> Path:
    file = tmp_path / "outputs.json"
    file.write_text(json.dumps(outputs))
    return file
