"""Fixtures of the program's tests. Nothing here reaches a network or the operator's AWS settings."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pulumi
import pytest


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No ~/.aws and no AWS_* of the outside; an Output formatted as text is an error, not a warning text."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "PULUMI_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PULUMI_ERROR_OUTPUT_STRING", "true")
    yield
    pulumi.runtime.settings.reset_options()
    asyncio.set_event_loop(None)
