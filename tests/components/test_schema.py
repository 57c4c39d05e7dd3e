"""Pulumi.yaml tells the CLI and the operator what can be set; the stacks beside it are what they claim to be."""

import json
from typing import Any

import pytest
import yaml

from components.fields import Faults
from components.settings import DEFAULTS, SettingsError, settings_from
from tests.components.recorded_program import ROOT

TYPES = {str: "string", int: "integer", bool: "boolean", list: "array", dict: "object"}


def project() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "Pulumi.yaml").read_text())


def stack_config(stack: str) -> dict[str, Any]:
    """A stack's config as the program's core sees it."""
    values = yaml.safe_load((ROOT / f"Pulumi.{stack}.yaml").read_text())["config"]
    return {key.removeprefix("lvs-aws:"): value for key, value in values.items()}


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


def test_dev_looks_an_image_up_and_local_pins_one() -> None:
    dev, local = settings_from(stack_config("dev")), settings_from(stack_config("local"))
    assert (dev.image_id, dev.image_name) == ("", "debian-13-amd64-*")
    assert local.image_id
    assert not local.protect


def test_prod_is_protected_and_says_what_is_missing() -> None:
    config = stack_config("prod")
    with pytest.raises(SettingsError) as caught:
        settings_from(config)
    (fault,) = caught.value.faults
    assert fault.key == "imageId"
    assert "136693071363" in fault.allowed
    assert settings_from({**config, "imageId": "ami-0123456789abcdef0"}).protect is True


@pytest.mark.cloud
def test_local_pins_the_image_the_lab_boots() -> None:
    from lab.cloud.corrections.images import LAB_IMAGE_ID

    assert settings_from(stack_config("local")).image_id == LAB_IMAGE_ID


def test_a_fault_is_counted_against_its_own_key_only() -> None:
    faults = Faults()
    faults.add("vrrp.version", 4, "2 or 3")
    assert not faults.sound("vrrp.password", "vrrp.version")
    assert faults.sound("vrrp.password", "vrrp")
