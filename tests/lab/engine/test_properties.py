"""What holds for every program and every edit of it: random graphs, random edits, a failure at every provider call."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.engine.deploy import DeploymentError
from lab.protocol.contract import ProviderError
from tests.lab.engine.stand_in import Stack, TestProvider

NAMES = "abcde"
CHANGING = ("create", "update", "delete")
SETTINGS = settings(deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@dataclass(frozen=True, kw_only=True)
class Node:
    """One resource of a program; values are constants or names of earlier ones, whose `out` is meant."""

    name: str
    inputs: dict[str, str]
    depends_on: tuple[str, ...]
    deleted_with: str
    replace_with: str
    delete_before_replace: bool | None

    def line(self) -> str:
        """The resource in Python; later lines refer to it by its name."""
        values = {key: f"{value}.out" if value in NAMES else repr(value) for key, value in self.inputs.items()}
        inputs = "".join(f",{key}={value}" for key, value in values.items())
        options = (
            [f"delete_before_replace={self.delete_before_replace}"] if self.delete_before_replace is not None else []
        )
        options += [f"depends_on=[{','.join(self.depends_on)}]"] if self.depends_on else []
        options += [f"deleted_with={self.deleted_with}"] if self.deleted_with else []
        options += [f"replace_with=[{self.replace_with}]"] if self.replace_with else []
        return f"{self.name}=Thing({self.name!r}{inputs},opts=O({','.join(options)}))"


@st.composite
def graphs(draw: Callable[..., object]) -> tuple[Node, ...]:
    """Up to five resources, each of which may use those before it in every way there is."""
    names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=len(NAMES)))
    nodes: list[Node] = []
    for name in names:  # type: ignore[attr-defined]
        before = [node.name for node in nodes]
        other = st.sampled_from(before) if before else st.just("")
        value = st.one_of(st.sampled_from(["1_", "2_"]), other) if before else st.sampled_from(["1_", "2_"])
        rarely = st.integers(0, 5).flatmap(lambda n, other=other: other if n == 0 else st.just(""))
        nodes.append(
            Node(
                name=name,
                inputs=draw(st.dictionaries(st.sampled_from(["text", "key", "dbrKey"]), value, max_size=2)),
                depends_on=tuple(draw(st.lists(other, unique=True, max_size=2)) if before else ()),
                deleted_with=draw(rarely),
                replace_with=draw(rarely),
                delete_before_replace=draw(st.sampled_from([None, None, True, False])),
            )
        )
    return tuple(nodes)


def program(graph: tuple[Node, ...]) -> str:
    return "\n".join(node.line() for node in graph)


@contextmanager
def a_stack() -> Iterator[Stack]:
    with tempfile.TemporaryDirectory() as directory:
        yield Stack(directory=Path(directory), provider=TestProvider())


@contextmanager
def copied(stack: Stack) -> Iterator[Stack]:
    """The same stack and cloud again, to do something else with."""
    with a_stack() as other:
        shutil.copytree(stack.directory, other.directory, dirs_exist_ok=True)
        other.provider.cloud.update({id_: dict(outputs) for id_, outputs in stack.provider.cloud.items()})
        other.provider.made = stack.provider.made
        yield other


def holds(stack: Stack, *graphs_: tuple[Node, ...]) -> None:
    """The state and the cloud are what the last program wants, a further `up` is empty, destroy leaves nothing."""
    graph = graphs_[-1]
    alone = {node.name for each in graphs_ for node in each if node.deleted_with}  # nobody deletes these
    rows = stack.rows()
    assert rows.keys() == {node.name for node in graph}
    assert not any(row.delete for row in stack.all_rows())
    assert not any(row.init_errors or row.pending_replacement for row in rows.values())
    extra = stack.provider.cloud.keys() - {row.id for row in rows.values()}
    assert {id_.partition("-")[0] for id_ in extra} <= alone
    for node in graph:
        wanted = {key: f"out-{rows[value].id}" if value in NAMES else value for key, value in node.inputs.items()}
        assert rows[node.name].inputs == wanted
        assert {key: stack.provider.cloud[rows[node.name].id].get(key) for key in wanted} == wanted
    again = stack.run("up")
    assert not again.changed and {step.op for step in again.steps} <= {"same"}
    assert not stack.run("preview").changed
    assert not stack.run("refresh").changed
    stack.run("destroy")
    assert stack.all_rows() == []
    assert {id_.partition("-")[0] for id_ in stack.provider.cloud} <= alone


@settings(SETTINGS, max_examples=40)
@given(st.lists(graphs(), min_size=1, max_size=3))
def test_every_edit_arrives_and_a_second_up_is_empty(edits: list[tuple[Node, ...]]) -> None:
    with a_stack() as stack:
        for graph in edits:
            stack.write(program(graph))
            before = dict(stack.provider.cloud)
            proposed = stack.run("preview")
            assert stack.provider.cloud == before
            assert proposed.changed or not stack.run("up").changed
            stack.run("up")
        holds(stack, *edits)


@settings(SETTINGS, max_examples=8)
@given(graphs(), graphs())
def test_after_a_failure_at_any_call_the_next_up_arrives(first: tuple[Node, ...], second: tuple[Node, ...]) -> None:
    with a_stack() as stack:
        stack.run("up", program(first))
        with copied(stack) as whole:
            whole.run("up", program(second))
            calls = whole.provider.calls
        for number in range(len(calls)):
            with copied(stack) as broken:
                broken.provider.during = FailAt(number)
                broken.fails("up", program(second))
                broken.provider.during = lambda _: None
                broken.run("up")
                holds(broken, first, second)


@settings(SETTINGS, max_examples=8)
@given(graphs(), graphs())
def test_half_made_resources_are_finished(first: tuple[Node, ...], second: tuple[Node, ...]) -> None:
    with a_stack() as stack:
        stack.run("up", program(first))
        for node in second:
            with copied(stack) as broken:
                broken.provider.fail = {f"partial:{node.name}"}
                try:
                    broken.run("up", program(second))
                except DeploymentError:
                    assert broken.rows()[node.name].init_errors
                broken.provider.fail = set()
                broken.run("up")
                holds(broken, first, second)


@settings(SETTINGS, max_examples=8)
@given(graphs())
def test_after_a_failed_destroy_the_next_one_leaves_nothing(graph: tuple[Node, ...]) -> None:
    with a_stack() as stack:
        stack.run("up", program(graph))
        for node in graph:
            with copied(stack) as broken:
                broken.provider.fail = {f"delete:{node.name}"}
                try:
                    broken.run("destroy")
                except DeploymentError:
                    assert node.name in broken.rows()
                broken.provider.fail = set()
                broken.run("destroy")
                assert broken.all_rows() == []
                left = {id_.partition("-")[0] for id_ in broken.provider.cloud}
                assert left <= {node.name for node in graph if node.deleted_with}


class FailAt:
    """Makes the call of this number fail."""

    def __init__(self, number: int) -> None:
        self._left = number

    def __call__(self, call: str) -> None:
        self._left -= 1
        if self._left == -1:
            raise ProviderError(f"{call}: boom")
