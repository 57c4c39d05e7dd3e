"""docs/iam-deployer.json is just enough: with it the project's whole cycle runs, without any part of it does not."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from lab.engine.deploy import DeploymentError, deploy, destroy, refresh
from lab.stack.project import load_project
from tests.lab.cloud.authorization.conftest import Callers
from tests.lab.cloud.authorization.test_deployment import PROJECT, provider_of

pytestmark = pytest.mark.cloud
STATEMENTS: list[dict[str, Any]] = json.loads((PROJECT / "docs/iam-deployer.json").read_text())["Statement"]
# Which step ends where a statement is missing.
BREAKS = {
    "Look": "up",
    "MakeNetwork": "up",
    "UnmakeNetwork": "destroy",
    "Reservation": "up",
    "MakeFirewall": "up",
    "UnmakeFirewall": "destroy",
    "MakeAddresses": "up",
    "Disassociate": "destroy",
    "UnmakeAddresses": "destroy",
    "MakeMachines": "up",
    "ChangeMachines": "up",
    "TagWhileMaking": "up",
    "MakeRoles": "up",
    "LookAtRoles": "up",
    "UnmakeRoles": "destroy",
    "GiveRolesToMachines": "up",
}


def actions(statement: dict[str, Any]) -> list[str]:
    return [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]


def cycle(callers: Callers, state: Path, statements: list[dict[str, Any]]) -> tuple[str, str]:
    """Preview, up, preview with refresh, refresh and destroy as a user with these rights; where it ended, and why."""
    user = callers.user(*statements)
    project, provider = load_project(PROJECT), provider_of(user)
    config = project.stack("local")
    step = ""
    try:
        step = "preview"
        deploy(project, config, provider, state, dry_run=True)
        step = "up"
        deploy(project, config, provider, state)
        step = "preview --refresh"
        assert not deploy(project, config, provider, state, dry_run=True, refresh=True).changed
        step = "refresh"
        refresh(project, config, provider, state)
        step = "destroy"
        destroy(project, config, provider, state)
    except DeploymentError as error:
        return step, str(error)
    return "", ""


def test_the_whole_cycle_runs_with_it_and_nothing_is_left(callers: Callers, tmp_path: Path) -> None:
    step, why = cycle(callers, tmp_path / "state.json", STATEMENTS)
    assert (step, why) == ("", ""), why
    assert callers.iam.list_roles()["Roles"] == []


@pytest.mark.parametrize("sid", BREAKS)
def test_without_any_one_statement_a_step_fails_by_name(callers: Callers, tmp_path: Path, sid: str) -> None:
    (missing,) = [one for one in STATEMENTS if one["Sid"] == sid]
    step, why = cycle(callers, tmp_path / "state.json", [one for one in STATEMENTS if one is not missing])
    assert step == BREAKS[sid], why
    denied = set(re.findall(r"perform: (\S+)", why))
    assert denied and all(any(fnmatchcase(one, each) for each in actions(missing)) for one in denied), why


def test_every_statement_is_tried_and_no_right_is_to_all_of_a_service() -> None:
    assert {one["Sid"] for one in STATEMENTS} == set(BREAKS)
    for one in STATEMENTS:
        assert not [action for action in actions(one) if "*" in action and action != "ec2:Describe*"]
