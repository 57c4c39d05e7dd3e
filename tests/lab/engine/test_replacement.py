"""Replacements: which resources, in which order, and what is left when one fails. Recorded from the real engine."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from tests.lab.engine.stand_in import Stack, ops

PROGRAM = (
    'a=Thing("a",key="{key}"{options}); b=Thing("b",text=a.out); c=Thing("c",key=a.out);'
    'd=Thing("d",opts=O(depends_on=[a])); e=Thing("e",text=c.out)'
)
PAIR = ("create-replacement", "replace", "delete-replaced")


def test_the_new_one_is_made_before_the_old_goes(stack: Stack) -> None:
    stack.run("up", PROGRAM.format(key=1, options=""))
    program = PROGRAM.format(key=2, options="")
    wanted = Counter([*((op, name) for op in PAIR for name in "ac"), ("update", "b"), ("update", "e"), ("same", "d")])
    assert ops(stack.run("preview", program)) == wanted
    stack.provider.calls.clear()
    done = stack.run("up")
    assert ops(done) == wanted
    assert done.summary == {"same": 2, "update": 2, "replace": 2}
    assert stack.provider.called("create") == ["a", "c"]
    assert stack.provider.called("delete") == ["c", "a"]
    assert stack.provider.calls.index("create:c") < stack.provider.calls.index("delete:c")
    assert set(stack.provider.cloud) == {row.id for row in stack.rows().values()}
    assert not stack.run("up").changed


@pytest.mark.parametrize("by", ["option", "provider"])
def test_the_old_one_goes_first_with_those_that_must_be_replaced(stack: Stack, by: str) -> None:
    options = ",opts=O(delete_before_replace=True)" if by == "option" else ""
    text = PROGRAM if by == "option" else PROGRAM.replace('"a",key', '"a",dbrKey')
    stack.run("up", text.format(key=1, options=options))
    stack.provider.calls.clear()
    done = stack.run("up", text.format(key=2, options=options))
    assert ops(done) == Counter(
        [*((op, name) for op in PAIR for name in "ac"), ("update", "b"), ("update", "e"), ("same", "d")]
    )
    order = [call for call in stack.provider.calls if call in ("delete:c", "delete:a", "create:a", "create:c")]
    assert order == ["delete:c", "delete:a", "create:a", "create:c"]
    assert not stack.run("up").changed


def test_all_that_must_go_goes_farthest_first(stack: Stack) -> None:
    text = 'a=Thing("a",dbrKey="{}"); c=Thing("c",key=a.out); f=Thing("f",key=c.out); g=Thing("g",key=a.out,size=f.out)'
    stack.run("up", text.format(1))
    stack.provider.calls.clear()
    stack.run("up", text.format(2))
    deleted = stack.provider.called("delete")
    assert sorted(deleted) == ["a", "c", "f", "g"] and deleted.index("g") < deleted.index("f") < deleted.index("c")
    assert deleted[-1] == "a"


def test_an_option_beats_the_provider(stack: Stack) -> None:
    text = 'Thing("a",dbrKey="{}",opts=O(delete_before_replace=False))'
    stack.run("up", text.format(1))
    stack.provider.calls.clear()
    stack.run("up", text.format(2))
    assert [call for call in stack.provider.calls if "diff" not in call] == ["create:a", "delete:a"]


def test_a_failed_replacement_leaves_the_old_one(stack: Stack) -> None:
    stack.run("up", 'Thing("a",key="1")')
    stack.provider.fail = {"create:a"}
    stack.fails("up", 'Thing("a",key="2")')
    assert stack.rows()["a"].id == "a-1" and not stack.rows()["a"].delete
    stack.provider.fail = set()
    stack.run("up")
    assert list(stack.provider.cloud) == ["a-2"]


def test_a_failed_create_after_deletion_is_made_up_for(stack: Stack) -> None:
    text = 'a=Thing("a",dbrKey="{}"); c=Thing("c",key=a.out)'
    stack.run("up", text.format(1))
    stack.provider.fail = {"create:a"}
    stack.fails("up", text.format(2))
    assert stack.provider.cloud == {}
    assert all(row.pending_replacement for row in stack.rows().values())
    stack.provider.fail = set()
    assert stack.run("up").summary == {"same": 1, "replace": 2}
    assert len(stack.provider.cloud) == 2
    assert not stack.run("up").changed


def test_a_replaced_one_that_would_not_go_goes_next_time(stack: Stack) -> None:
    stack.run("up", 'Thing("a",key="1")')
    stack.provider.fail = {"delete:a"}
    stack.fails("up", 'Thing("a",key="2")')
    assert len(stack.provider.cloud) == 2
    stack.provider.fail = set()
    assert ops(stack.run("up")) == Counter([("same", "a"), ("delete-replaced", "a")])
    assert list(stack.provider.cloud) == ["a-2"]


def test_replace_on_changes(stack: Stack) -> None:
    stack.run("up", 'Thing("a",text="1")')
    done = stack.run("up", 'Thing("a",text="2",opts=O(replace_on_changes=["text"]))')
    assert done.summary["replace"] == 1


def test_a_new_automatic_name_with_a_replacement_only(stack: Stack) -> None:
    text = 'Thing("n",typ="tp:index:Named",text="{}",key="{}")'
    stack.run("up", text.format("1", "1"))
    name = stack.rows()["n"].inputs["name"]
    stack.run("up", text.format("2", "1"))
    assert stack.rows()["n"].inputs["name"] == name
    stack.run("up", text.format("2", "2"))
    assert stack.rows()["n"].inputs["name"] != name


def test_protected_resources_are_neither_replaced_nor_deleted(stack: Stack) -> None:
    stack.run("up", 'Thing("a",key="1",opts=O(protect=True)); Thing("b")')
    assert "marked for protection" in str(stack.fails("up", 'Thing("a",key="2",opts=O(protect=True)); Thing("b")'))
    assert "marked for protection" in str(stack.fails("up", 'Thing("b")'))
    assert "marked for protection" in str(stack.fails("destroy"))
    assert set(stack.rows()) == {"a"}  # destroy still takes what is not protected and not needed
    assert stack.provider.called("delete") == ["b"]


def test_retained_resources_are_forgotten(stack: Stack) -> None:
    stack.run("up", 'Thing("a",opts=O(retain_on_delete=True))')
    assert ops(stack.run("up", "")) == Counter([("delete", "a")])
    assert "a-1" in stack.provider.cloud and stack.rows() == {}


def test_what_is_deleted_with_another_is_replaced_with_it_and_never_deleted_itself(stack: Stack) -> None:
    text = 'a=Thing("a",dbrKey="{}"); b=Thing("b",opts=O(deleted_with=a)); c=Thing("c",opts=O(replace_with=[a]))'
    stack.run("up", text.format(1))
    stack.provider.calls.clear()
    done = stack.run("up", text.format(2))
    assert ops(done) == Counter((op, name) for op in PAIR for name in "abc")
    deleted = stack.provider.called("delete")
    assert deleted == ["c", "a"]  # before anything new is made: a is deleted first
    assert stack.provider.calls.index("delete:a") < stack.provider.calls.index("create:a")
    assert not stack.run("up").changed
    stack.run("up", 'a=Thing("a",dbrKey="2")')
    assert stack.provider.called("delete")[2:] == ["b", "c"] or stack.provider.called("delete")[2:] == ["c", "b"]


def test_a_new_trigger_replaces_and_an_equal_one_does_not(stack: Stack) -> None:
    text = 'Thing("a",opts=O(replacement_trigger={}))'
    stack.run("up", text.format("[1, 2]"))
    assert not stack.run("up").changed
    assert stack.run("up", text.format("[1, 3]")).summary["replace"] == 1
    unknown = 't=Thing("t"); Thing("a",opts=O(replacement_trigger=t.out))'
    assert stack.run("preview", unknown).summary["replace"] == 1
    stack.run("up", unknown)
    assert not stack.run("up").changed


def test_an_early_deletion_that_would_take_a_protected_one_along_is_refused(stack: Stack) -> None:
    text = 'a=Thing("a",dbrKey="{}"); c=Thing("c",key=a.out,opts=O(protect=True))'
    stack.run("up", text.format(1))
    error = stack.fails("up", text.format(2))
    assert "Thing::c" in str(error) and "marked for protection" in str(error)
    assert stack.provider.called("delete") == [] and len(stack.provider.cloud) == 2


def test_an_early_deletion_leaves_what_is_being_changed(stack: Stack) -> None:
    """c no longer uses a, but its update is under way, and the state does not know that yet, when a is replaced."""
    stack.run("up", 'a=Thing("a",dbrKey="1"); c=Thing("c",key=a.out)')
    changing, replaced = threading.Event(), threading.Event()

    def meet(call: str) -> None:
        if call == "update:c":
            changing.set()
            assert replaced.wait(20)
        if call == "create:x":
            assert changing.wait(20)
        if call == "create:a":
            replaced.set()

    stack.provider.during = meet
    stack.run(
        "up", 'c=Thing("c",key="out-a-1",text="new"); x=Thing("x"); a=Thing("a",dbrKey="2",opts=O(depends_on=[x]))'
    )
    assert stack.provider.called("delete") == ["a"]
    assert stack.provider.cloud[stack.rows()["c"].id]["text"] == "new"


def test_what_was_deleted_for_a_replacement_that_failed_is_not_deleted_again(stack: Stack) -> None:
    stack.run("up", 'Thing("a",dbrKey="1")')
    stack.provider.fail = {"create:a"}
    stack.fails("up", 'Thing("a",dbrKey="2")')
    assert stack.provider.called("delete") == ["a"]
    stack.run("up", "")
    assert stack.provider.called("delete") == ["a"] and stack.all_rows()[0].type == "pulumi:pulumi:Stack"
    assert stack.rows() == {}


def test_what_is_replaced_with_another_is_so_also_where_the_new_one_comes_first(stack: Stack) -> None:
    text = 'a=Thing("a",key="{}"); b=Thing("b",opts=O(deleted_with=a)); c=Thing("c",opts=O(replace_with=[a]))'
    stack.run("up", text.format(1))
    done = stack.run("up", text.format(2))
    assert ops(done) == Counter((op, name) for op in PAIR for name in "abc")
    assert {step.urn[-1]: step.keys for step in done.steps if step.op == "replace"} == {
        "a": ("key",),
        "b": ("deletedWith",),
        "c": ("replaceWith",),
    }
    assert not stack.run("up").changed
