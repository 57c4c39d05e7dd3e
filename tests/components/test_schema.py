"""Pulumi.yaml tells the CLI and the operator what can be set, as the settings have it."""

import json
from typing import Any

import pytest
import yaml

from components.fields import Faults
from components.settings import DEFAULTS, settings_from
from tests.components.recorded_program import ROOT

TYPES = {str: "string", int: "integer", bool: "boolean", list: "array", dict: "object"}


def project() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "Pulumi.yaml").read_text())


def test_the_project_names_runtime_and_toolchain() -> None:
    head = project()
    assert head["name"] == "lvs-aws"
    assert head["runtime"] == {"name": "python", "options": {"toolchain": "uv", "virtualenv": ".venv"}}
    assert head["requiredPulumiVersion"]
    assert head["description"]


def test_the_schema_has_every_key_and_no_other() -> None:
    assert list(project()["config"]) == list(DEFAULTS)


@pytest.mark.parametrize("key", DEFAULTS)
def test_a_key_is_typed_described_and_has_the_settings_default(key: str) -> None:
    schema = project()["config"][key]
    assert set(schema) <= {"type", "items", "description", "default"}
    assert schema["type"] == TYPES[type(DEFAULTS[key])]
    assert schema["default"] == DEFAULTS[key]
    assert len(schema["description"]) > 20
    if schema["type"] == "array":
        assert schema["items"]["type"] in {TYPES[type(item)] for item in schema["default"]}


def test_descriptions_name_every_nested_key() -> None:
    def keys(value: Any) -> set[str]:
        if isinstance(value, dict):
            return set(value).union(*(keys(inner) for inner in value.values()))
        return set().union(*(keys(item) for item in value)) if isinstance(value, list) else set()

    for key, schema in project()["config"].items():
        for nested in keys(schema["default"]):
            assert nested in schema["description"], (key, nested)


def test_the_yaml_defaults_make_the_same_settings_as_no_config() -> None:
    least = {"aws:region": "us-east-1", "imageId": "ami-0123456789abcdef0"}
    from_yaml = {key: schema["default"] for key, schema in project()["config"].items()}
    as_text = {key: value if isinstance(value, str) else json.dumps(value) for key, value in from_yaml.items()}
    assert settings_from({**as_text, **least}) == settings_from(least)


def test_a_fault_is_counted_against_its_own_key_only() -> None:
    faults = Faults()
    faults.add("vrrp.version", 4, "2 or 3")
    assert not faults.sound("vrrp.password", "vrrp.version")
    assert faults.sound("vrrp.password", "vrrp")
