"""What a program may say of a resource, value by value: time-outs, references, aliases, and what is refused."""

from __future__ import annotations

import sys
from collections import Counter

import pytest

from lab.engine.events import Diagnostic
from lab.engine.goal import seconds
from lab.protocol.contract import UNKNOWN, RefusedError
from tests.lab.engine.stand_in import Stack, ops


def test_time_outs_reach_the_provider_in_seconds(stack: Stack) -> None:
    text = 'Thing("a",text="{}",opts=O(custom_timeouts=pulumi.CustomTimeouts(create="1h30m",update="90s",delete="5m")))'
    stack.run("up", text.format(1))
    stack.run("up", text.format(2))
    stack.run("destroy")
    assert stack.provider.timeouts == {"create:a": 5400, "update:a": 90, "delete:a": 300}


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "5x", "1m and more"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(RefusedError, match="write it as"):
        seconds(text)


def test_a_resource_as_a_value_is_its_id_or_its_urn(stack: Stack) -> None:
    program = 'a=Thing("a"); g=Group("g"); b=Thing("b",text=a,key=g); pulumi.export("of", b.text)'
    assert stack.run("preview", program).outputs == {"of": UNKNOWN}
    stack.run("up")
    assert stack.provider.cloud[stack.rows()["b"].id]["text"] == "a-1"
    assert stack.provider.cloud[stack.rows()["b"].id]["key"] == stack.rows()["g"].urn
    assert not stack.run("up").changed


@pytest.mark.parametrize("value", ['pulumi.StringAsset("x")', '{"in": [pulumi.FileArchive("x")]}'])
def test_assets_and_archives_are_refused(stack: Stack, value: str) -> None:
    assert "asset or archive" in str(stack.fails("up", f'Thing("a",text={value})'))
    assert stack.provider.called("create") == []


@pytest.mark.parametrize(
    ("line", "word"),
    [
        (
            'Thing("a",opts=O(hooks=pulumi.ResourceHookBinding(before_create=[pulumi.ResourceHook("h",print)])))',
            "hook",
        ),
        ('pulumi.runtime.call("tp:index:method", {})', "Call"),
        ('Thing("a",opts=O(transforms=[lambda args: None]))', "transforms"),
    ],
)
def test_what_needs_the_real_engine_is_refused_by_name(stack: Stack, line: str, word: str) -> None:
    assert word in str(stack.fails("up", line))
    assert stack.provider.called("create") == []


ALIASED = """
class Team(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("my:mod:Team", name, None, opts)
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('Thing("a",text="x")', 't=Team("t"); Thing("a",text="x",opts=O(parent=t,aliases=[Alias(parent=None)]))'),
        (
            't=Team("t"); Thing("a",text="x",opts=O(parent=t))',
            't=Team("t"); u=Group("u"); Thing("a",text="x",opts=O(parent=u,aliases=[Alias(parent=t)]))',
        ),
        (
            't=Team("t"); Thing("a",text="x",opts=O(parent=t))',
            't=Team("t"); Thing("a",text="x",opts=O(aliases=[Alias(parent=t.urn)]))',
        ),
        ('Thing("old",text="x")', 'Thing("a",text="x",opts=O(aliases=[Alias(name="old")]))'),
        ('Thing("a",text="x",typ="tp:index:Old")', 'Thing("a",text="x",opts=O(aliases=[Alias(type_="tp:index:Old")]))'),
    ],
)
def test_every_kind_of_alias_finds_the_old_one(stack: Stack, before: str, after: str) -> None:
    stack.run("up", ALIASED + before)
    (id_,) = stack.provider.cloud
    done = stack.run("up", ALIASED + after)
    assert {name: op for op, name in ops(done) if name == "a"} == {"a": "same"}
    assert list(stack.provider.cloud) == [id_] and stack.rows()["a"].id == id_


def test_an_alias_may_be_of_another_stack_or_project(stack: Stack) -> None:
    stack.run("up", 'Thing("a",text="x")')
    for old, new in ((b":dev::", b":old::"), (b"::gold::", b"::silver::")):
        text = stack.state_path.read_bytes()
        stack.state_path.write_bytes(text.replace(old, new))
        alias = 'stack="old"' if old == b":dev::" else 'project="silver"'
        done = stack.run("up", f'Thing("a",text="x",opts=O(aliases=[Alias({alias})]))')
        assert ops(done)["same", "a"] == 1
    assert stack.provider.called("create") == ["a"]


def test_any_change_may_replace(stack: Stack) -> None:
    stack.run("up", 'Thing("a",text="1")')
    done = stack.run("up", 'Thing("a",text="2",opts=O(replace_on_changes=["*"]))')
    assert done.summary["replace"] == 1


def test_a_provider_that_a_preview_cannot_know_is_refused(stack: Stack) -> None:
    program = 't=Thing("t"); Thing("a",opts=O(provider=Provider("p",zone=t.out)))'
    assert "give it a literal value" in str(stack.fails("preview", program))
    stack.run("up")
    assert stack.rows()["a"].provider.endswith("::p")


def test_a_providers_secrets_are_sealed(stack: Stack) -> None:
    stack.run("up", 'Thing("a",opts=O(provider=Provider("p",token=Output.secret("pr0vided"))))')
    assert "pr0vided" not in stack.state_path.read_text()
    assert not stack.run("up").changed
    stack.run("destroy")
    assert stack.provider.cloud == {}


def test_what_was_read_is_not_made_and_stays_as_it_is_in_a_refresh(stack: Stack) -> None:
    stack.run("up", 'Thing("a",text="x")')
    read = 'Thing("a",text="x"); Thing("g",opts=O(id="a-1"))'
    stack.run("up", read)
    before = stack.rows()["g"]
    assert ops(stack.run("refresh")) == Counter([("same", "a"), ("same", "g")])
    assert stack.rows()["g"] == before and stack.rows()["g"].external
    assert "was read before" in str(stack.fails("up", 'Thing("a",text="x"); Thing("g")'))
    stack.run("up", read)
    stack.run("destroy")
    assert stack.provider.called("delete") == ["a"]


def test_what_is_secret_by_option_stays_so_in_a_refresh(stack: Stack) -> None:
    stack.run("up", 'Thing("a",text="pl4in",opts=O(additional_secret_outputs=["upper"]))')
    stack.provider.cloud["a-1"]["upper"] = "F0UND"
    stack.run("refresh")
    assert "PL4IN" not in stack.state_path.read_text() and "F0UND" not in stack.state_path.read_text()
    assert "pl4in" in stack.state_path.read_text()


def test_a_refresh_leaves_what_waits_for_its_deletion(stack: Stack) -> None:
    stack.run("up", 'Thing("a",key="1")')
    stack.provider.fail = {"delete:a"}
    stack.fails("up", 'Thing("a",key="2")')
    stack.provider.calls.clear()
    stack.provider.fail = set()
    stack.run("refresh")
    assert stack.provider.called("read") == ["a"]
    stack.run("up")
    assert list(stack.provider.cloud) == ["a-2"]


def test_what_cannot_be_deleted_first_is_not_made_again(stack: Stack) -> None:
    stack.run("up", 'Thing("a",dbrKey="1")')
    stack.provider.fail = {"delete:a"}
    stack.fails("up", 'Thing("a",dbrKey="2")')
    assert list(stack.provider.cloud) == ["a-1"] and not stack.rows()["a"].pending_replacement
    stack.provider.fail = set()
    stack.run("up")
    assert list(stack.provider.cloud) == ["a-2"]


def test_a_program_runs_where_the_project_is_and_leaves_nothing_behind(stack: Stack) -> None:
    (stack.directory / "beside_engine_test.py").write_text("WORD = 'found'")
    before = list(sys.path), list(sys.argv)
    program = 'import beside_engine_test, sys; pulumi.log.info(f"{beside_engine_test.WORD} {sys.argv}")\n'
    stack.run("preview", program + 'open("Pulumi.yaml").close()')
    assert (list(sys.path), list(sys.argv)) == before
    said = [event.message for event in stack.events if isinstance(event, Diagnostic)]
    assert said == [f"found [{str(stack.directory / '__main__.py')!r}]"]
