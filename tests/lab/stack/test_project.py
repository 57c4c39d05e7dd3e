from __future__ import annotations

from pathlib import Path

import pytest

from lab.stack.project import ConfigError, Project, load_project

MANIFEST = """
name: gold
runtime: {name: python, options: {toolchain: uv}}
config:
  count: {type: integer, description: how many}
  name: {type: string, default: bob}
  debug: {type: boolean, default: false}
  zones: {type: array, items: {type: string}, default: [a, b]}
  vrrp: {type: object, default: {version: 3}}
  password: {type: string, secret: true, default: null}
  fixed: {value: 7}
  short: hello
  aws:region: {value: eu-west-1}
"""


def project(directory: Path, manifest: str = MANIFEST, stack: str | None = None) -> Project:
    (directory / "Pulumi.yaml").write_text(manifest)
    if stack is not None:
        (directory / "Pulumi.dev.yaml").write_text(stack)
    return load_project(directory)


def test_defaults_types_and_overrides_become_text(tmp_path: Path) -> None:
    stack = "config: {gold:count: 3, password: s3cret, gold:free: [1], aws:region: us-east-2}"
    this = project(tmp_path, stack=stack)
    config = this.stack("dev", this.overrides(["count=4", "zones=[c]"]))
    assert dict(config.values) == {
        "gold:count": "4",
        "gold:password": "s3cret",
        "gold:free": "[1]",
        "aws:region": "us-east-2",
        "gold:name": "bob",
        "gold:debug": "false",
        "gold:zones": '["c"]',
        "gold:vrrp": '{"version": 3}',
        "gold:fixed": "7",
        "gold:short": "hello",
    }
    assert config.secret_keys == ("gold:password",)


def test_missing_keys_are_named_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Stack 'dev' is missing configuration values 'count', 'password'"):
        project(tmp_path).stack("dev")


@pytest.mark.parametrize(
    ("override", "type_"),
    [
        ("count=abc", "integer"),
        ("count=1.5", "integer"),
        ("debug=maybe", "boolean"),
        ("zones=a", "array<string>"),
        ('zones=[["a"]]', "array<string>"),
        ("vrrp=[1]", "object"),
    ],
)
def test_wrong_types_are_refused(tmp_path: Path, override: str, type_: str) -> None:
    with pytest.raises(ConfigError) as caught:
        this = project(tmp_path, stack="config: {count: 1, password: x}")
        this.stack("dev", this.overrides([override]))
    key = override.partition("=")[0]
    assert f"Stack 'dev' with configuration key '{key}' must be of type '{type_}'" in str(caught.value)


def test_an_encrypted_value_and_a_wrong_type_are_both_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        project(tmp_path, stack="config: {count: x, password: {secure: v1:abc}}").stack("dev")
    assert "gold:password is encrypted" in str(caught.value) and "'count'" in str(caught.value)
    assert "gold:password=VALUE" in str(caught.value)


def test_a_wrong_schema_is_refused(tmp_path: Path) -> None:
    manifest = """
name: gold
runtime: python
config:
  a: {type: number}
  b: {type: array}
  c: {type: integer, default: x}
  d: {value: 1, default: 2}
  e: {type: string, secret: true, default: open}
  aws:region: {type: string}
"""
    with pytest.raises(ConfigError) as caught:
        project(tmp_path, manifest)
    for key in ("a has the type", "b is an array", "default of c", "d has both", "e is secret", "aws:region"):
        assert key in str(caught.value)


@pytest.mark.parametrize(
    ("manifest", "message"),
    [("runtime: python", "`name`"), ("name: x\nruntime: nodejs", "nodejs"), ("[", "YAML"), ("- a", "map")],
)
def test_a_broken_project_file_is_explained(tmp_path: Path, manifest: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        project(tmp_path, manifest)


def test_no_project(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no Pulumi.yaml"):
        load_project(tmp_path)


def test_overrides_are_yaml_and_belong_to_the_project_where_they_name_no_other(tmp_path: Path) -> None:
    texts = ["webServers=[{address: 10.0.0.80, weight: 5}]", "aws:region=eu-west-2", "debug=true", "name=", "a=b=c"]
    assert project(tmp_path).overrides(texts) == {
        "gold:webServers": [{"address": "10.0.0.80", "weight": 5}],
        "aws:region": "eu-west-2",
        "gold:debug": True,
        "gold:name": "",
        "gold:a": "b=c",
    }


def test_every_fault_of_overrides_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        project(tmp_path).overrides(["count", "=3", "zones=[a", "name=x", "gold:name=y"])
    for part in ("'count' is no setting; write KEY=VALUE", "'=3'", "'zones=[a' is no YAML", "gold:name is given twice"):
        assert part in str(caught.value)
