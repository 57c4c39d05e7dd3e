"""The pack's own server process says of the recorded program what the rules say in process, violation by violation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab.engine.row import Row
from lab.gate.configuration import RuleConfig, reconcile
from lab.gate.pack import Pack, running_pack
from lab.gate.policy_gate import PolicyGate
from lab.stack.project import StackConfig
from policy.rules import RULES
from tests.components.recorded_program import PROJECT, ROOT
from tests.policy.recorded_stack import Resources, config_of, recorded
from tests.policy.violations import VIOLATIONS, Violation


@pytest.fixture(scope="module")
def server() -> Iterator[Pack]:
    stack = StackConfig(name="prod", values=config_of("prod"))
    with running_pack(ROOT / "policy", PROJECT, stack, dry_run=True) as pack:
        pack.configure(sample(pack))
        yield pack


def sample(pack: Pack) -> dict[str, RuleConfig]:
    return reconcile(pack.rules, (ROOT / "policy/config/prod.json").read_text())


def rows(resources: Resources) -> list[Row]:
    return [
        Row(
            urn=one.urn,
            type=one.type,
            custom=not one.type.startswith("lvs-aws:"),
            inputs=one.inputs,
            outputs=one.outputs,
            parent=one.parent,
            provider=one.provider,
            dependencies=one.dependencies,
            property_dependencies=one.property_dependencies,
            protect=one.protect,
        )
        for one in resources
    ]


def verdict(server: Pack, resources: Resources) -> set[tuple[str, str]]:
    gate = PolicyGate(server, enforcing=False)
    gate.state(rows(resources))
    assert gate.not_applicable == {}
    return {(one.rule, one.level) for one in gate.diagnostics}


def test_it_serves_every_rule_with_what_the_docs_say_of_it(server: Pack) -> None:
    assert [(one.name, one.level) for one in server.rules] == [(rule.id, rule.level.value) for rule in RULES]
    assert (server.name, server.version) == ("lvs-aws", "0.1.0")


def test_the_program_passes_and_what_a_first_preview_cannot_know_is_said(server: Pack) -> None:
    assert verdict(server, recorded("prod")) == set()
    assert verdict(server, recorded("prod", preview=True)) == {
        ("role-actions", "advisory"),
        ("role-own-resources", "advisory"),
    }


@pytest.mark.parametrize("violation", VIOLATIONS, ids=str)
def test_one_wrong_property_is_one_mandatory_violation(server: Pack, violation: Violation) -> None:
    assert verdict(server, violation.done_to(recorded("prod"))) == {(violation.rule, "mandatory")}


def test_a_level_set_by_the_config_is_the_one_in_force(server: Pack) -> None:
    (wrong,) = [one for one in VIOLATIONS if one.rule == "no-inline-rules"]
    resources = wrong.done_to(recorded("prod"))
    try:
        for level, expected in (("advisory", {(wrong.rule, "advisory")}), ("disabled", set())):
            server.configure({**sample(server), wrong.rule: RuleConfig(level=level, parameters={})})
            assert verdict(server, resources) == expected
    finally:
        server.configure(sample(server))
