"""Where the CLI finds the pack's Python in a fresh clone: in the environment `pulumi install` makes for the program."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import yaml

from tests.components.recorded_program import ROOT


def options(manifest: Path) -> Any:
    return yaml.safe_load(manifest.read_text())["runtime"]["options"]


def test_the_pack_runs_in_the_programs_environment() -> None:
    pack, program = options(ROOT / "policy/PulumiPolicy.yaml"), options(ROOT / "Pulumi.yaml")
    assert (ROOT / "policy" / pack["virtualenv"]).resolve() == (ROOT / program["virtualenv"]).resolve()
    # uv, which the program names, makes it of the lock; for the pack the CLI must take it as it is.
    assert (pack["toolchain"], program["toolchain"]) == ("pip", "uv")


def test_that_environment_has_the_packs_packages_without_being_asked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    (default,) = project["tool"]["uv"]["default-groups"]
    assert {"include-group": "policy"} in groups[default]
    assert any(each.startswith("pulumi-policy==") for each in groups["policy"])
    assert "policy" in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
