"""A pack's configuration is completed as the CLI does it, and what is wrong with it is refused by name."""

from __future__ import annotations

import json

import pytest

from lab.gate.configuration import PackConfigError, RuleConfig, RuleInfo, reconcile

RULES = (
    RuleInfo(name="plain", level="advisory"),
    RuleInfo(
        name="sized",
        level="mandatory",
        parameters={"max": {"type": "integer", "maximum": 10, "default": 5}, "names": {"type": "array"}},
    ),
)


def levels(config: dict[str, RuleConfig]) -> dict[str, str]:
    return {name: one.level for name, one in config.items()}


def test_without_a_file_a_pack_has_its_own_levels_and_defaults() -> None:
    for text in ("", " \n", "{}"):
        config = reconcile(RULES, text)
        assert levels(config) == {"plain": "advisory", "sized": "mandatory"}
        assert config["sized"].parameters == {"max": 5}


def test_all_sets_every_level_and_a_rule_its_own() -> None:
    config = reconcile(RULES, json.dumps({"all": "disabled", "sized": {"enforcementLevel": "remediate", "max": 7}}))
    assert levels(config) == {"plain": "disabled", "sized": "remediate"}
    assert config["sized"].parameters == {"max": 7}
    assert levels(reconcile(RULES, '{"plain": "mandatory"}')) == {"plain": "mandatory", "sized": "mandatory"}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("[]", "must be an object"),
        ("{", "it is no JSON"),
        ('{"plian": "mandatory"}', "plian: the pack has no such rule"),
        ('{"plain": "madatory"}', "plain: 'madatory' is no enforcement level; one of advisory, mandatory"),
        ('{"plain": {"enforcementLevel": 1}}', "plain: 1 is no enforcement level"),
        ('{"plain": 3}', "plain: 3 is neither a level nor an object"),
        ('{"plain": {"max": 3}}', "plain: it has no parameter max (it has: none)"),
        ('{"sized": {"max": 11}}', "sized: max: 11 is greater than the maximum of 10"),
        ('{"sized": {"names": "a"}}', "sized: names: 'a' is not of type 'array'"),
        ('{"all": {"max": 1}}', "all: only enforcementLevel may be set for all rules"),
    ],
)
def test_what_is_wrong_is_named(given: str, words: str) -> None:
    with pytest.raises(PackConfigError) as caught:
        reconcile(RULES, given)
    assert words in str(caught.value)


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(PackConfigError) as caught:
        reconcile(RULES, '{"a": "mandatory", "plain": 3, "sized": {"max": "x"}}')
    assert all(f"{name}: " in str(caught.value) for name in ("a", "plain", "sized"))


def test_a_required_parameter_must_be_given() -> None:
    rules = [RuleInfo(name="r", level="advisory", parameters={"p": {"type": "string"}}, required=("p",))]
    with pytest.raises(PackConfigError, match="r: it: 'p' is a required property"):
        reconcile(rules, "")
