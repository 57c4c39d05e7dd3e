"""A bad config against the whole program: one message with key, value and what is allowed, and nothing registered."""

import json
import re
from typing import Any

import pulumi
import pytest

from components.settings import DEFAULTS
from tests.components.bad_configs import BAD, LEAST
from tests.components.recorded_program import Recording, run_program

# Paths this long and weights this different leave nothing to compress.
TOO_LARGE = {
    "services": [
        {"port": 1000 + n, "healthCheck": {"path": "/" + f"{pow(3, n + 400):x}"[:199], "intervalSeconds": 1 + n / 10}}
        for n in range(29)
    ],
    "webServers": [{"address": f"10.0.0.{n}", "weight": n * 7919 % 65536} for n in range(101, 191)],
}


def as_config(values: dict[str, Any]) -> dict[str, str]:
    """Full keys and text, as the CLI hands them over."""
    return {
        key if ":" in key else f"lvs-aws:{key}": value if isinstance(value, str) else json.dumps(value)
        for key, value in values.items()
    }


def refused(values: dict[str, Any]) -> str:
    recording = Recording()
    with pytest.raises(pulumi.RunError) as caught:
        run_program(as_config(values), recording=recording)
    assert {one.type for one in recording.registrations} <= {"pulumi:pulumi:Stack"}
    assert recording.invokes == []
    return str(caught.value)


def value_at(values: dict[str, Any], path: str) -> Any:
    """What stands at a path such as "services[0].port": what was given, else the default, else None."""
    if path == "tags":  # the fault of too many names them only
        return sorted(values["tags"])
    if path.startswith("tags."):  # a tag's key may have dots of its own
        return values["tags"][path.removeprefix("tags.")]
    key, *steps = re.findall(r"[^.\[\]]+", path)
    found, default = values[key], DEFAULTS.get(key)
    for step in steps:
        default = default.get(step) if isinstance(default, dict) else None
        found = found[int(step)] if isinstance(found, list) else found.get(step, default)
    return found


def test_the_table_is_as_long_as_promised() -> None:
    assert len({json.dumps(changes) for changes, _, _ in BAD}) >= 60


@pytest.mark.parametrize(("changes", "key", "word"), BAD, ids=lambda value: str(value)[:60])
def test_the_program_says_key_value_and_range_and_makes_nothing(changes: dict[str, Any], key: str, word: str) -> None:
    first, *faults = refused({**LEAST, **changes}).splitlines()
    assert re.fullmatch(r"the config of stack dev has ([1-9] faults|1 fault), so nothing was begun:", first)
    full = key if key.startswith("aws:") else f"lvs-aws:{key}"
    (line,) = [fault for fault in faults if fault.startswith(f"  {full} = ")]
    shown = line.removeprefix(f"  {full} = ")
    assert shown.startswith(json.dumps(value_at({**DEFAULTS, **LEAST, **changes}, key))[:97])
    assert word in shown


def test_user_data_over_16_kib_is_a_fault_like_any_other() -> None:
    text = refused({**LEAST, **TOO_LARGE})
    assert text.startswith("the config of stack dev has 1 fault, so nothing was begun:\n  lvs-aws:services = ")
    assert '"29 with 90 web servers"' in text
    assert "EC2 takes 16384" in text


def test_a_misspelt_key_and_a_faulty_value_come_together() -> None:
    text = refused({**LEAST, "virtulIp": "10.0.0.100", "vrrp": {"routerId": 300, "intervall": 1}})
    assert text.splitlines()[0] == "the config of stack dev has 3 faults, so nothing was begun:"
    assert '\n  lvs-aws:virtulIp = "10.0.0.100": unknown key; did you mean virtualIp?' in text
    assert "\n  lvs-aws:vrrp.routerId = 300: must be a whole number from 1 to 255" in text
    assert "\n  lvs-aws:vrrp.intervall = 1: unknown key; did you mean advertIntervalSeconds?" in text
