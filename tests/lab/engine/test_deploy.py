"""What a deployment does, against what the real engine was recorded to do with the same programs."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from lab.engine.deploy import outputs
from lab.engine.deployer import Deployer
from lab.engine.events import Diagnostic, Step
from lab.engine.state import StateError, locked
from lab.protocol.contract import UNKNOWN
from tests.lab.engine.stand_in import Stack, ops

CHAIN = """
a = Thing("a", text="x"); b = Thing("b", text=a.out)
pulumi.export("o", b.upper)
"""


def test_preview_makes_nothing_and_leaves_outputs_unknown(stack: Stack) -> None:
    done = stack.run("preview", CHAIN)
    assert ops(done) == Counter([("create", "a"), ("create", "b")])
    assert done.outputs == {"o": UNKNOWN}
    assert done.summary == {"create": 3}  # with the stack, without the default provider
    assert stack.provider.called("create") == []
    assert not stack.state_path.exists()


def test_up_makes_in_dependency_order_and_a_second_changes_nothing(stack: Stack) -> None:
    first = stack.run("up", CHAIN)
    assert stack.provider.called("create") == ["a", "b"]
    assert first.outputs == {"o": "OUT-A-1"}
    assert stack.rows()["b"].inputs == {"text": "out-a-1"}
    assert stack.rows()["b"].needs >= {stack.rows()["a"].urn}
    second = stack.run("up")
    assert ops(second) == Counter([("same", "a"), ("same", "b")])
    assert second.summary == {"same": 3}
    assert not second.changed
    assert stack.provider.called("create") == ["a", "b"]


def test_preview_knows_what_the_provider_knows(stack: Stack) -> None:
    done = stack.run(
        "preview",
        """
a = Thing("a", text="x")
for key in ("out", "text", "upper", "id", "urn"):
    getattr(a, key).apply(lambda v, key=key: pulumi.log.info(f"ran {key} {v.rpartition('::')[2]}"))
b = Thing("b", text=Output.format("<{0}>", a.out), lst=["k", a.out], plain=Output.all(a.text, a.upper).apply("-".join))
pulumi.export("nest", {"a": [a.out, "k"], "t": a.text, "p": b.plain if hasattr(b, "plain") else None})
""",
    )
    said = {event.message for event in stack.events if isinstance(event, Diagnostic)}
    assert said == {"ran text x", "ran upper X", "ran urn a"}
    assert done.outputs["nest"]["a"] == [UNKNOWN, "k"]
    assert done.outputs["nest"]["p"] == "x-X"


def test_independent_resources_are_made_side_by_side(stack: Stack) -> None:
    together = threading.Barrier(6, timeout=20)

    def meet(call: str) -> None:
        if call.startswith("create:"):
            together.wait()  # breaks, and fails the create, unless all six are under way at once

    stack.provider.during = meet
    stack.run("up", "for n in range(6): Thing(f't{n}')")
    assert len(stack.provider.cloud) == 6


def test_what_the_program_drops_goes_dependents_first(stack: Stack) -> None:
    stack.run(
        "up",
        'a=Thing("a",text="x"); b=Thing("b",text=a.out); c=Thing("c",text=b.out); d=Thing("d",opts=O(depends_on=[c]));'
        ' z=Thing("z")',
    )
    program = 'z = Thing("z", text="z2"); n = Thing("n")'
    wanted = Counter([("update", "z"), ("create", "n"), *(("delete", name) for name in "abcd")])
    assert ops(stack.run("preview", program)) == wanted
    assert stack.provider.called("delete") == []
    assert ops(stack.run("up")) == wanted
    assert stack.provider.called("delete") == ["d", "c", "b", "a"]
    assert set(stack.rows()) == {"z", "n"}


def test_destroy_takes_components_and_providers_too(stack: Stack) -> None:
    stack.run(
        "up",
        """
p = Provider("prov"); g = Group("g", O(providers=[p]))
a = Thing("ca", text="x", opts=O(parent=g)); b = Thing("cb", text=a.out, opts=O(parent=g))
d = Thing("d", text=b.out); e = Thing("e", opts=O(depends_on=[d], provider=p)); f = Thing("f", opts=O(parent=e))
h = Thing("h", opts=O(depends_on=[g]))
""",
    )
    rows = stack.rows()
    assert rows["f"].urn == "urn:pulumi:dev::gold::tp:index:Thing$tp:index:Thing::f"
    assert rows["ca"].urn == "urn:pulumi:dev::gold::my:mod:Group$tp:index:Thing::ca"
    assert rows["cb"].provider.endswith("::prov") and rows["d"].provider.endswith("::default")
    assert {rows["ca"].urn, rows["cb"].urn} <= set(rows["h"].dependencies)  # a component stands for its children
    done = stack.run("destroy")
    deleted = stack.provider.called("delete")
    for later, earlier in (("ca", "cb"), ("cb", "d"), ("d", "e"), ("e", "f"), ("cb", "h")):
        assert deleted.index(earlier) < deleted.index(later)
    assert done.summary == {"delete": 9}
    assert stack.rows() == {} and stack.provider.cloud == {}
    assert stack.run("destroy").summary == {}


def test_independent_deletions_run_side_by_side(stack: Stack) -> None:
    stack.run("up", "for n in range(5): Thing(f't{n}')")
    together = threading.Barrier(5, timeout=20)
    stack.provider.during = lambda call: together.wait() and None if call.startswith("delete:") else None
    stack.run("destroy")
    assert stack.provider.cloud == {}


FIVE = """
a=Thing("a",text="x"); b=Thing("b",text=a.out); c=Thing("c",text=b.out); d=Thing("d",text="d"); e=Thing("e",text=d.out)
pulumi.export("o", c.out)
"""


def test_a_failed_create_keeps_what_succeeded_and_the_next_up_makes_the_rest(stack: Stack) -> None:
    stack.provider.fail = {"create:b"}
    error = stack.fails("up", FIVE)
    assert "tp:index:Thing b: create failed: cannot create b: boom" in str(error)
    assert any(isinstance(event, Step) and event.error and event.urn.endswith("::b") for event in stack.events)
    made = set(stack.rows())
    assert {"a"} <= made <= {"a", "d", "e"}
    stack.provider.fail = set()
    done = stack.run("up")
    assert ops(done) == Counter([("same" if name in made else "create", name) for name in "abcde"])
    assert sorted(stack.provider.called("create")) == sorted("abbcde")  # b twice: once in vain
    assert outputs(stack.state_path) == {"o": f"out-{stack.rows()['c'].id}"}


def test_a_failed_program_keeps_the_old_outputs(stack: Stack) -> None:
    stack.run("up", 'pulumi.export("o", 1)')
    stack.provider.fail = {"create:a"}
    stack.fails("up", 'pulumi.export("o", 2); Thing("a")')
    assert outputs(stack.state_path) == {"o": 1}


def test_a_half_made_resource_is_saved_and_finished_by_an_update(stack: Stack) -> None:
    stack.provider.fail = {"partial:a"}
    stack.fails("up", 'Thing("a", text="x")')
    assert stack.rows()["a"].id == "a-1" and stack.rows()["a"].init_errors
    stack.provider.fail = set()
    assert ops(stack.run("up")) == Counter([("update", "a")])
    assert ops(stack.run("up")) == Counter([("same", "a")])
    assert stack.provider.called("create") == ["a"]


def test_a_failed_deletion_keeps_what_is_needed_and_goes_next_time(stack: Stack) -> None:
    stack.run("up", 'a=Thing("a",text="x"); b=Thing("b",text=a.out); c=Thing("c"); d=Thing("d")')
    stack.provider.fail = {"delete:b"}
    error = stack.fails("up", 'c=Thing("c")')
    assert "b: delete failed" in str(error)
    assert set(stack.rows()) == {"a", "b", "c"}  # d is independent and went
    stack.provider.fail = set()
    stack.run("up")
    assert set(stack.rows()) == {"c"}


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ('pulumi.Config().require("nope")', "Missing required configuration variable 'gold:nope'"),
        ('raise pulumi.RunError("my message")', "my message"),
        ('raise ValueError("plain")', "ValueError: plain"),
        ('Thing("a").out.apply(lambda v: 1 / 0)', "ZeroDivisionError"),
        ('Thing("a", bad=1)', "tp:index:Thing::a': it has a problem: bad: bad is bad"),
        ('Thing("a"); Thing("a")', "tp:index:Thing::a': Duplicate resource URN"),
        ("import sys; sys.exit(3)", "exit code 3"),
        ('pulumi.CustomResource("random:index:Pet", "p", {})', "'random'"),
        ('lookup("x")', "cannot invoke x: boom"),
    ],
)
def test_a_program_that_fails_says_why_and_deletes_nothing(stack: Stack, program: str, message: str) -> None:
    stack.run("up", 'Thing("kept")')
    stack.provider.fail = {"invoke:x"}
    error = stack.fails("up", program)
    assert message in str(error)
    assert "kept" in stack.rows()
    assert stack.provider.called("delete") == []


def test_a_run_error_shows_no_traceback_and_an_exception_the_program_only(stack: Stack) -> None:
    assert str(stack.fails("up", 'raise pulumi.RunError("only this")')) == "only this"
    text = str(stack.fails("up", 'raise ValueError("plain")'))
    assert "__main__.py" in text and "runpy" not in text and "asyncio" not in text


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ('import_="a-1"', "import_"),
        ('ignore_changes=["mp.x"]', "mp.x"),
        ('replace_on_changes=["mp[0]"]', "mp[0]"),
    ],
)
def test_what_the_engine_does_not_do_is_refused_by_name(stack: Stack, options: str, word: str) -> None:
    error = stack.fails("up", f'Thing("r", opts=O({options}))')
    assert "tp:index:Thing::r" in str(error) and word in str(error)
    assert "r" not in stack.rows()


GROUP = """
class Team(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("{type}", name, None, opts)
t = Team("t", O(aliases=[{alias}])); Thing("in", text="x", opts=O(parent=t))
"""


def test_what_is_renamed_is_kept_with_all_below_it(stack: Stack) -> None:
    stack.run("up", GROUP.format(type="my:mod:Old", alias=""))
    stack.run("up", GROUP.format(type="my:mod:New", alias='Alias(type_="my:mod:Old")'))
    assert stack.provider.called("create") == ["in"] and stack.provider.called("delete") == []
    assert stack.rows()["in"].urn.endswith("my:mod:New$tp:index:Thing::in")
    assert not stack.run("up", GROUP.format(type="my:mod:New", alias="")).changed
    urn = stack.rows()["in"].urn
    stack.run("up", f'Thing("in2", text="x", opts=O(aliases=[{urn!r}]))')
    assert stack.provider.called("create") == ["in"] and set(stack.rows()) == {"in2"}


def test_an_alias_does_not_take_what_is_there_under_its_own_name(stack: Stack) -> None:
    stack.run("up", 'Thing("old", text="x")')
    stack.run("up", 'Thing("old", text="x"); Thing("new", text="y", opts=O(aliases=[Alias(name="old")]))')
    assert stack.provider.called("create") == ["old", "new"]


def test_a_move_to_another_provider_is_refused(stack: Stack) -> None:
    text = 'p=Provider("p",zone="north"); q=Provider("q",zone="{}"); Thing("a",opts=O(provider={}))'
    stack.run("up", text.format("south", "p"))
    assert "moves to another provider" in str(stack.fails("up", text.format("south", "q")))
    stack.run("up", text.format("north", "q"))  # the same place by another name
    assert stack.provider.called("create") == ["a"]


def test_refresh_takes_what_there_is_and_forgets_what_is_gone(stack: Stack) -> None:
    stack.run("up", 'a=Thing("a",text=Output.secret("old1")); b=Thing("b",text=a.out); c=Thing("c")')
    stack.provider.cloud["a-1"] |= {"text": "by hand", "upper": "BY HAND"}
    (gone,) = [id_ for id_ in stack.provider.cloud if id_.startswith("b-")]
    del stack.provider.cloud[gone]
    stack.provider.cloud[stack.rows()["c"].id]["upper"] = "FOUND"  # an output alone is no change
    assert stack.run("preview").changed is False
    assert stack.run("preview --refresh").summary == {"same": 2, "update": 1, "create": 1}
    done = stack.run("refresh")
    assert ops(done) == Counter([("update", "a"), ("delete", "b"), ("same", "c")])
    assert stack.rows()["c"].outputs["upper"] == "FOUND" and "b" not in stack.rows()
    assert "by hand" not in stack.state_path.read_text()  # it is still a secret
    assert ops(stack.run("up")) == Counter([("update", "a"), ("create", "b"), ("same", "c")])
    assert stack.provider.cloud["a-1"]["text"] == "old1"


def test_a_refresh_that_cannot_read_says_so_and_keeps_the_state(stack: Stack) -> None:
    stack.run("up", 'Thing("a")')
    stack.provider.fail = {"read:a"}
    assert "a: refresh failed: cannot read a: boom" in str(stack.fails("refresh"))
    assert set(stack.rows()) == {"a"}


def test_transforms_are_refused(stack: Stack) -> None:
    stack.fails("up", 'pulumi.runtime.register_stack_transform(lambda args: None); Thing("a")')


def test_update_goes_in_place(stack: Stack) -> None:
    stack.run("up", 'a=Thing("a",text="x"); b=Thing("b",text=a.out); c=Thing("c",text=a.upper)')
    done = stack.run("preview", 'a=Thing("a",text="y"); b=Thing("b",text=a.out); c=Thing("c",text=a.upper)')
    assert ops(done) == Counter([("update", "a"), ("same", "b"), ("update", "c")])
    assert ops(stack.run("up")) == ops(done)
    assert stack.rows()["a"].id == "a-1" and stack.rows()["c"].inputs == {"text": "Y"}


def test_ignored_changes_are_no_changes(stack: Stack) -> None:
    stack.run("up", 'Thing("a", text="x")')
    assert ops(stack.run("up", 'Thing("a", text="y", opts=O(ignore_changes=["text"]))')) == Counter([("same", "a")])
    assert stack.rows()["a"].inputs == {"text": "x"}


def test_secrets_are_marked_sealed_in_the_state_and_plain_for_the_provider(stack: Stack) -> None:
    program = """
a = Thing("a", text=Output.secret("hunter2"), mp={"k": Output.secret("inner9"), "p": "plain"})
b = Thing("b", text=a.text, opts=O(additional_secret_outputs=["out"]))
pulumi.export("sec", a.text); pulumi.export("out", b.out); pulumi.export("open", "seen")
"""
    done = stack.run("up", program)
    assert done.outputs == {"sec": "hunter2", "out": "out-b-2", "open": "seen"}
    assert done.secret_outputs == {"sec", "out"}
    text = stack.state_path.read_text()
    assert "hunter2" not in text and "inner9" not in text and "seen" in text
    assert stack.state_path.stat().st_mode & 0o077 == 0
    assert stack.provider.cloud["a-1"]["mp"] == {"k": "inner9", "p": "plain"}
    assert "plain" in text  # beside a secret, in the same property
    assert outputs(stack.state_path)["sec"] == "hunter2"
    assert ops(stack.run("up")) == Counter([("same", "a"), ("same", "b")])


def test_invokes_and_reads(stack: Stack) -> None:
    program = """
a = Thing("a", text=lookup("q")); b = Thing("b", text=lookup_output(a.out))
pulumi.export("b", b.text)
"""
    assert stack.run("preview", program).outputs == {"b": UNKNOWN}
    assert stack.provider.called("invoke") == ["q"]  # the one with an unknown argument waits
    assert stack.run("up").outputs == {"b": "value-of-out-a-1"}
    done = stack.run("up", program + 'g = Thing("g", opts=O(id="a-1")); pulumi.export("g", g.upper)')
    assert ops(done)["read", "g"] == 1 and done.outputs["g"] == "VALUE-OF-Q"
    done = stack.run("up", program)
    assert ops(done)["discard", "g"] == 1 and "a-1" in stack.provider.cloud


def test_the_default_provider_takes_the_stack_configuration(stack: Stack) -> None:
    seen: list[object] = []
    stack.provider.check_config = lambda inputs: (
        seen.append(inputs)
        or type(stack.provider).check_config(  # type: ignore
            stack.provider, inputs
        )
    )
    stack.config = ("tp:zone=north", "other=1")
    stack.run("up", 'Thing("a", opts=O(version="1.2.3")); Thing("b", opts=O(version="1.2.3"))')
    assert seen == [{"zone": "north", "version": "1.2.3"}]
    assert stack.rows()["a"].provider.endswith("pulumi:providers:tp::default_1_2_3")


def test_events_tell_every_step_with_its_time_and_inputs(stack: Stack) -> None:
    stack.run("up", 'Thing("a", text="x"); pulumi.log.warn("careful")')
    (of_a,) = [event for event in stack.events if isinstance(event, Step) and event.urn[-3:] == "::a"]
    assert (of_a.op, of_a.old, of_a.new, of_a.error) == ("create", {}, {"text": "x"}, "")
    assert 0 < of_a.seconds < 60
    assert Diagnostic(severity="warning", message="careful") in stack.events


def test_two_at_once_are_refused(stack: Stack) -> None:
    stack.write("")
    with locked(stack.state_path), pytest.raises(StateError, match="another deployment"):
        stack.run("up")
    stack.run("up")


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Set once a deployment has been told to stop. Ctrl-C works even where the tests run in a background job."""
    event, stop = threading.Event(), Deployer.stop
    monkeypatch.setattr(Deployer, "stop", lambda self: (stop(self), event.set()))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield event
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_lets_what_runs_finish_and_be_saved(stack: Stack, stopped: threading.Event) -> None:
    def interrupt(call: str) -> None:
        if call == "create:a":
            os.kill(os.getpid(), signal.SIGINT)  # the main thread is in the event loop; this one goes on
            assert stopped.wait(20)

    stack.provider.during = interrupt
    with pytest.raises(KeyboardInterrupt):
        stack.run("up", 'a = Thing("a"); b = Thing("b", text=a.out)')
    assert set(stack.rows()) == {"a"}
    stack.provider.during = lambda _: None
    assert ops(stack.run("up")) == Counter([("same", "a"), ("create", "b")])


def test_what_waits_for_its_turn_at_an_interrupt_does_not_begin(stack: Stack, stopped: threading.Event) -> None:
    def interrupt(call: str) -> None:
        if call.startswith("diff:") and not stopped.is_set():  # planned one by one: the others wait meanwhile
            os.kill(os.getpid(), signal.SIGINT)
            assert stopped.wait(20)

    text = "for n in range(5): Thing(f't{{n}}', text='{}')"
    stack.run("up", text.format(1))
    stack.provider.during = interrupt
    with pytest.raises(KeyboardInterrupt):
        stack.run("up", text.format(2))
    assert len(stack.provider.called("update")) == 1
    assert sorted(row.inputs["text"] for row in stack.rows().values()) == ["1", "1", "1", "1", "2"]


def test_an_interrupted_destroy_finishes_what_runs(stack: Stack, stopped: threading.Event) -> None:
    def interrupt(call: str) -> None:
        if call == "delete:b":
            os.kill(os.getpid(), signal.SIGINT)
            assert stopped.wait(20)

    stack.run("up", 'a = Thing("a"); b = Thing("b", text=a.out)')
    stack.provider.during = interrupt
    with pytest.raises(KeyboardInterrupt):
        stack.run("destroy")
    assert set(stack.rows()) == {"a"}
    assert stack.provider.called("delete") == ["b"]


def test_an_interrupt_does_not_wait_for_what_is_no_step(stack: Stack, stopped: threading.Event) -> None:
    stack.provider.during = lambda call: os.kill(os.getpid(), signal.SIGINT) if call == "create:a" else None
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        stack.run(
            "up", 'import asyncio; a = Thing("a")\nasync def main():\n    await asyncio.sleep(60)\npulumi.run(main)'
        )
    assert time.monotonic() - began < 30
    assert set(stack.rows()) == {"a"}
