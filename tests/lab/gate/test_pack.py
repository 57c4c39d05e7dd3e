"""Packs run as servers of their own: what is asked of them, what they answer, how those that cannot run are told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab.engine.goal import Goal
from lab.engine.row import Row
from lab.gate.configuration import RuleConfig, RuleInfo
from lab.gate.pack import Pack, PackError, running_pack
from lab.gate.policy_gate import PolicyGate
from lab.gate.report import report
from lab.protocol.contract import UNKNOWN, RefusedError
from lab.protocol.wire import secret
from lab.stack.project import StackConfig
from tests.lab.gate.packs import pack

STACK = StackConfig(name="dev", values={"small:label": "one"})
URN = "urn:pulumi:dev::small::"
ROOT = Row(urn=f"{URN}pulumi:pulumi:Stack::small-dev", type="pulumi:pulumi:Stack", custom=False)
PROVIDER = Row(urn=f"{URN}pulumi:providers:tp::p", type="pulumi:providers:tp", custom=True, inputs={"region": "r"})
ONE = Row(
    urn=f"{URN}tp:index:Thing::one",
    type="tp:index:Thing",
    custom=True,
    inputs={"text": "x", "list": [1, {"deep": True}], "hidden": secret("s")},
    outputs={"text": "x", "out": "known"},
    provider=PROVIDER.urn,
    parent=ROOT.urn,
    protect=True,
)
TWO = Row(
    urn=f"{URN}tp:index:Thing::two",
    type="tp:index:Thing",
    custom=True,
    inputs={"text": "known"},
    outputs={"text": "known"},
    dependencies=(ONE.urn,),
    property_dependencies={"text": (ONE.urn,)},
)
TELLING = """
import json
import os
import pulumi
def plain(value):
    if hasattr(value, "keys"):
        return {key: plain(value[key]) for key in value}
    return [plain(one) for one in value] if not isinstance(value, str) and hasattr(value, "__len__") else value
def resource(args, report):
    report(json.dumps({
        "type": args.resource_type, "name": args.name, "props": plain(args.props), "protect": args.opts.protect,
        "parent": args.opts.parent, "provider": plain(args.provider.props) if args.provider else None,
        "before": args.opts.delete_before_replace, "ignored": list(args.opts.ignore_changes),
        "config": args.get_config(), "label": pulumi.Config().require("label"), "cwd": os.path.basename(os.getcwd()),
    }))
def stack(args, report):
    for one in args.resources:
        report(json.dumps({
            "name": one.name, "props": plain(one.props), "parent": one.parent.name if one.parent else None,
            "dependencies": [each.name for each in one.dependencies],
            "behind": {key: [each.name for each in found] for key, found in one.property_dependencies.items()},
        }), one.urn)
    report("nothing in particular")
def later(args, report):
    args.props["text"]
def never(args, report):
    args.not_applicable("no reason")
SCHEMA = PolicyConfigSchema(properties={"n": {"type": "integer", "default": 4}})
PolicyPack("telling", [
    R("resource", "every resource", resource, config_schema=SCHEMA), S("stack", "the stack", stack),
    R("later", "reads a text", later, L.MANDATORY), R("never", "says nothing", never), R("off", "is off", resource),
    R("no-x", "no x", lambda args, report: report("x!") if dict(args.props).get("text") == "x" else None, L.MANDATORY),
])
"""


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    directory = pack(tmp_path_factory.mktemp("packs") / "telling", TELLING)
    with running_pack(directory, "small", STACK, dry_run=True) as running:
        yield running


@pytest.fixture
def configured(telling: Pack) -> Pack:
    levels = {one.name: RuleConfig(level=one.level, parameters={}) for one in telling.rules}
    changed = {"resource": RuleConfig(level="advisory", parameters={"n": 7})}
    telling.configure({**levels, **changed, "off": RuleConfig(level="disabled", parameters={})})
    return telling


def said(gate: PolicyGate, rule: str) -> list[dict[str, object]]:
    """The JSON a rule of the telling pack reported, without the description every message begins with."""
    texts = [one.message.split("\n", 1)[1] for one in gate.diagnostics if one.rule == rule]
    return [json.loads(text) for text in texts if text.startswith("{")]


def test_a_pack_tells_its_name_version_and_rules(telling: Pack) -> None:
    assert (telling.name, telling.version) == ("telling", "1.2.3")
    rules = {one.name: one for one in telling.rules}
    schema = {"n": {"type": "integer", "default": 4}}
    assert rules["resource"] == RuleInfo(name="resource", level="advisory", parameters=schema)
    assert rules["later"] == RuleInfo(name="later", level="mandatory")


def test_a_resource_is_shown_with_inputs_options_provider_and_config(configured: Pack) -> None:
    gate = PolicyGate(configured, enforcing=False)
    gate.resource(Goal(row=ONE, delete_before_replace=True, ignore_changes=("text",)), PROVIDER)
    (told,) = said(gate, "resource")
    assert told == {
        "type": "tp:index:Thing",
        "name": "one",
        "props": {"text": "x", "list": [1, {"deep": True}], "hidden": "s"},
        "protect": True,
        "parent": ROOT.urn,
        "provider": {"region": "r"},
        "before": True,
        "ignored": ["text"],
        "config": {"n": 7},
        "label": "one",
        "cwd": "telling",
    }
    assert gate.not_applicable == {"never": "no reason"}
    assert {one.rule for one in gate.diagnostics} == {"resource", "no-x"}  # not the one that is off


def test_the_stack_is_shown_with_outputs_and_what_they_come_from(configured: Pack) -> None:
    gate = PolicyGate(configured, enforcing=False)
    gate.stack([ROOT, PROVIDER, ONE, TWO])
    told = {one["name"]: one for one in said(gate, "stack")}
    assert told["one"]["props"] == {"text": "x", "out": "known"} and told["one"]["parent"] == "small-dev"
    assert told["two"]["dependencies"] == ["one"] and told["two"]["behind"] == {"text": ["one"]}
    (whole,) = [one for one in gate.diagnostics if "nothing in particular" in one.message]
    assert whole.urn == ROOT.urn  # a finding about nothing of the stack is about the stack


def test_an_unknown_value_makes_a_mandatory_rule_advisory_by_the_runtimes_own_word(configured: Pack) -> None:
    gate = PolicyGate(configured, enforcing=True)
    gate.resource(Goal(row=Row(urn=ONE.urn, type=ONE.type, custom=True, inputs={"text": UNKNOWN})), None)
    (unknown,) = [one for one in gate.diagnostics if one.rule == "later"]
    assert unknown.level == "advisory"
    assert "can't run policy 'later'" in unknown.message and "during preview" in unknown.message
    assert gate.violated == 0


def test_a_mandatory_violation_is_counted_and_refuses_only_where_enforced(configured: Pack) -> None:
    gathering = PolicyGate(configured, enforcing=False)
    gathering.resource(Goal(row=ONE), None)
    gathering.resource(Goal(row=TWO), None)
    assert gathering.violated == 1
    enforcing = PolicyGate(configured, enforcing=True)
    enforcing.resource(Goal(row=TWO), None)
    with pytest.raises(RefusedError, match="mandatory policy violation: no-x"):
        enforcing.resource(Goal(row=ONE), None)


def test_what_it_said_is_printed_as_the_cli_does_mandatory_first_and_once(configured: Pack) -> None:
    gate = PolicyGate(configured, enforcing=False)
    gate.resource(Goal(row=ONE), None)
    gate.resource(Goal(row=ONE), None)
    lines = report(configured, [one for one in gate.diagnostics if one.rule == "no-x"], gate.not_applicable).split("\n")
    assert lines == [
        "Policies:",
        "    ❌ telling@v1.2.3 (local: telling)",
        "        - [mandatory]  no-x  (tp:index:Thing: one)",
        "          no x",
        "          x!",
        "        - [not applicable]  never: no reason",
    ]
    assert "- [mandatory]" in report(configured, gate.diagnostics, {}).split("\n")[2]
    assert report(configured, [], {}).endswith("    ✅ telling@v1.2.3 (local: telling)")


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (
            'print("hello")\nPolicyPack("p", [R("a", "b", lambda args, report: None)])',
            "expected integer, it printed 'hello'",
        ),
        ('raise ValueError("no good")', "ValueError: no good"),
        ("", "ended before it was ready"),
    ],
)
def test_a_pack_that_does_not_come_up_is_told_with_its_own_words(tmp_path: Path, program: str, words: str) -> None:
    with pytest.raises(PackError) as caught, running_pack(pack(tmp_path / "p", program), "small", STACK, dry_run=True):
        raise AssertionError("it came up")
    assert words in str(caught.value)


def test_a_rule_that_raises_fails_the_run_and_a_chatty_one_does_not_stop(tmp_path: Path) -> None:
    program = """
def chatty(args, report):
    print("x" * 200000, flush=True)
    if args.name == "two":
        raise KeyError("oops")
PolicyPack("p", [R("a", "b", chatty)])
"""
    with running_pack(pack(tmp_path / "p", program), "small", STACK, dry_run=True) as running:
        gate = PolicyGate(running, enforcing=False)
        gate.resource(Goal(row=ONE), None)
        with pytest.raises(RefusedError, match=r"Analyze failed: .*oops"):
            gate.resource(Goal(row=TWO), None)


@pytest.mark.parametrize(
    ("manifest", "words"),
    [("runtime: nodejs\n", "runtime 'nodejs'"), ("[", "is no policy pack"), ("a: 1\n", "runtime None")],
)
def test_a_manifest_of_something_else_is_refused(tmp_path: Path, manifest: str, words: str) -> None:
    directory = pack(tmp_path / "p", "", manifest=manifest)
    with pytest.raises(PackError, match=words), running_pack(directory, "small", STACK, dry_run=True):
        raise AssertionError("it came up")
