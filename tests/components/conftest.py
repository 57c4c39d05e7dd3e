"""Fixtures of the program's tests. Nothing here reaches a network or the operator's AWS settings."""

import asyncio
import dataclasses
import importlib.util
import json
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pulumi
import pytest

if importlib.util.find_spec("userdata.render") is None:  # written by another hand; the program itself has no stand-in
    double = types.ModuleType("userdata.render")
    for function in ("director_user_data", "web_server_user_data"):
        setattr(
            double,
            function,
            lambda balancer, machine: json.dumps([dataclasses.asdict(balancer), dataclasses.asdict(machine)]),
        )
    sys.modules["userdata.render"] = double


@pytest.fixture(autouse=True)
def _isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No ~/.aws, no AWS_* and PULUMI_* of the outside, an error rather than a warning text where an Output is formatted."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ENDPOINT_URL", "PULUMI_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PULUMI_ERROR_OUTPUT_STRING", "true")
    yield
    pulumi.runtime.settings.reset_options()
    asyncio.set_event_loop(None)
