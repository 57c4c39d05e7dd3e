"""docs/policies.md is the rules' own word, complete, and every rule's link leads into it."""

from __future__ import annotations

import json

from policy.documentation import ROOT, page
from policy.rule import PAGE
from policy.rules import RULES
from tests.policy.recorded_stack import sample_config


def test_the_page_is_up_to_date() -> None:
    assert (ROOT / PAGE).read_text() == page(), "run: make docs"


def test_every_rule_has_its_section_where_its_link_leads() -> None:
    text = page()
    for rule in RULES:
        path, _, anchor = rule.url.partition("#")
        assert (path, anchor) == (PAGE, rule.id)
        assert text.count(f"\n### {anchor}\n") == 1 and f"](#{anchor})" in text


def test_every_rule_says_what_to_do_and_has_a_name_of_its_own() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule.description and rule.remediation and rule.severity
        assert all({"type", "default", "description"} <= schema.keys() for schema in rule.parameters.values())


def test_there_is_a_sample_config_for_every_stack_and_only_dev_lets_a_rule_go() -> None:
    samples = {file.stem for file in (ROOT / "policy/config").glob("*.json")}
    assert samples == {file.name.split(".")[1] for file in ROOT.glob("Pulumi.*.yaml")}
    relaxed = {
        (stack, rule.id)
        for stack in samples
        for rule in RULES
        if sample_config(stack)[rule.id].level != rule.level.value
    }
    assert relaxed == {("dev", "image-pinned")}
    assert json.loads((ROOT / "policy/config/prod.json").read_text())["elastic-ip-protected"]["always"] is True
