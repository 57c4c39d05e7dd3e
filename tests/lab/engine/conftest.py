from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.engine.stand_in import Stack, TestProvider


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    return Stack(directory=tmp_path, provider=TestProvider())
