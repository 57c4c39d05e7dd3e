"""docs/iam-deployer.json is just enough: with it the project's whole cycle runs, without any part of it does not."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from lab.cloud.local import LocalCloud
from tests.lab.cloud.authorization.conftest import Callers
from tests.lab.cloud.authorization.deployer import STATEMENTS, STEPS, Deployer, actions
from tests.lab.cloud.conftest import client

pytestmark = pytest.mark.cloud
# Which step ends where a statement is missing.
BREAKS = {
    "Look": "up",
    "MakeNetwork": "up",
    "Reservation": "up",
    "MakeFirewall": "up",
    "MakeAddresses": "up",
    "MakeRoles": "up",
    "LookAtRoles": "up",
    "TagWhileMaking": "up",
    "GiveRolesToMachines": "up",
    "MakeMachines": "up",
    "ChangeMachines": "up",
    "Retag": "change",
    "ChangeRoles": "change",
    "RestartMachines": "change",
    "ChangeFirewall": "repair",
    "UnmakeFirewall": "destroy",
    "Disassociate": "destroy",
    "UnmakeRoles": "destroy",
    "UnmakeAddresses": "destroy",
    "UnmakeNetwork": "destroy",
}
# What the cycle on the lab does not call, and why it is there all the same.
NOT_CALLED = {
    "ec2:Describe*": "a pattern",
    "iam:PassRole": "no call: it is asked for beside ec2:RunInstances",
    "iam:ListInstanceProfilesForRole": "the real provider takes a role out of its profiles before it deletes it",
    "iam:UpdateRoleDescription": "the real provider's call, where the lab's has iam:UpdateRole",
}


@pytest.fixture(scope="module")
def deployer(
    running_cloud: LocalCloud, administrator: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployer]:
    """One account, stack and user for all tests here: what is there from the test before need not be made again."""
    running_cloud.account.reset()
    callers = Callers(cloud=running_cloud, iam=administrator["iam"], sts=administrator["sts"])
    yield Deployer(
        user=callers.user(*STATEMENTS),
        administrator={"iam": administrator["iam"], "ec2": client(running_cloud, "ec2")},
        state=tmp_path_factory.mktemp("deployer") / "state.json",
    )
    running_cloud.account.reset()


@pytest.mark.parametrize("sid", BREAKS)
def test_without_any_one_statement_a_step_fails_by_name(deployer: Deployer, sid: str) -> None:
    (missing,) = [one for one in STATEMENTS if one["Sid"] == sid]
    deployer.prepare(standing=BREAKS[sid] != "up")
    deployer.user.may(*[one for one in STATEMENTS if one is not missing])
    why = deployer.step(BREAKS[sid])
    denied = set(re.findall(r"perform: (\S+)", why))
    assert denied and all(any(fnmatchcase(one, each) for each in actions(missing)) for one in denied), why


def test_the_whole_cycle_runs_with_it_and_nothing_is_left(deployer: Deployer) -> None:
    deployer.prepare(standing=False)
    deployer.called.clear()
    for step in STEPS:
        assert deployer.step(step) == "", step
    assert deployer.administrator["iam"].list_roles()["Roles"] == []
    given = {action for one in STATEMENTS for action in actions(one)}
    assert given - deployer.called == NOT_CALLED.keys()


def test_every_statement_is_tried_and_no_right_is_to_all_of_a_service() -> None:
    assert {one["Sid"] for one in STATEMENTS} == set(BREAKS)
    for one in STATEMENTS:
        assert not [action for action in actions(one) if "*" in action and action != "ec2:Describe*"]
