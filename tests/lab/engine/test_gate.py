"""A deployment asks its gate about every resource, does nothing it refuses, and asks about the whole at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from lab.engine.deploy import DeploymentError, deploy
from lab.engine.goal import Goal
from lab.engine.row import Row
from lab.protocol.contract import UNKNOWN, RefusedError
from lab.protocol.urn import name_of
from lab.stack.project import load_project
from tests.lab.engine.stand_in import Stack

PROGRAM = """
p = Provider("prov", size=1)
g = Group("g")
a = Thing("a", text="x", opts=O(parent=g, protect=True, provider=p))
b = Thing("b", text=a.out, typ="tp:index:Named")
"""


@dataclass
class Asked:
    """A gate that keeps what it was asked and refuses what it is told to."""

    refuse: str = ""
    resources: dict[str, tuple[Goal, Row | None]] = field(default_factory=dict)
    stacks: list[Sequence[Row]] = field(default_factory=list)

    def resource(self, goal: Goal, provider: Row | None) -> None:
        self.resources[name_of(goal.row.urn)] = goal, provider
        if name_of(goal.row.urn) == self.refuse:
            raise RefusedError("the gate says no")

    def stack(self, rows: Sequence[Row]) -> None:
        self.stacks.append(rows)
        if self.refuse == "stack":
            raise RefusedError("the gate says no")


def run(stack: Stack, gate: Asked, *, dry_run: bool = False) -> None:
    project = load_project(stack.directory)
    deploy(project, project.stack("dev"), stack.provider, stack.state_path, dry_run=dry_run, gate=gate)


def test_it_is_asked_about_everything_with_checked_inputs_and_providers(stack: Stack) -> None:
    stack.write(PROGRAM)
    gate = Asked()
    run(stack, gate)
    assert set(gate.resources) == {"gold-dev", "prov", "g", "a", "b", "default"}
    goal, provider = gate.resources["a"]
    assert goal.row.protect and goal.row.inputs == {"text": "x"}
    assert provider is not None and provider.inputs == {"size": 1}
    named, _ = gate.resources["b"]
    assert named.row.inputs["name"].startswith("b-") and named.row.inputs["text"] == "out-a-1"
    ((*rows,),) = gate.stacks
    outputs = {name_of(row.urn): row.outputs for row in rows}
    assert outputs["b"]["upper"] == "OUT-A-1" and "g" in outputs


def test_at_preview_it_sees_unknowns_and_nothing_is_made(stack: Stack) -> None:
    stack.write(PROGRAM)
    gate = Asked()
    run(stack, gate, dry_run=True)
    assert gate.resources["b"][0].row.inputs["text"] == UNKNOWN
    assert len(gate.stacks) == 1 and stack.provider.cloud == {}


@pytest.mark.parametrize("name", ["b", "g"])
def test_what_it_refuses_is_not_made_and_what_was_made_before_stays(stack: Stack, name: str) -> None:
    stack.write(PROGRAM)
    with pytest.raises(DeploymentError, match=f"::{name}'?: the gate says no"):
        run(stack, Asked(refuse=name))
    assert stack.provider.called("create") == (["a"] if name == "b" else [])


def test_an_update_it_refuses_is_not_done(stack: Stack) -> None:
    stack.run("up", 'Thing("a", text="x")')
    stack.write('Thing("a", text="y")')
    with pytest.raises(DeploymentError, match="the gate says no"):
        run(stack, Asked(refuse="a"))
    assert stack.provider.called("update") == []
    assert stack.rows()["a"].inputs == {"text": "x"}


def test_a_refused_stack_fails_before_what_the_program_dropped_is_deleted(stack: Stack) -> None:
    stack.run("up", 'Thing("a", text="x"); Thing("b", text="x")')
    stack.write('Thing("a", text="x")')
    gate = Asked(refuse="stack")
    with pytest.raises(DeploymentError, match="the gate says no"):
        run(stack, gate)
    assert "b" not in {name_of(row.urn) for row in gate.stacks[0]}
    assert stack.provider.called("delete") == [] and "b" in stack.rows()
