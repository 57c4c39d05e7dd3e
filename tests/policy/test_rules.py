"""Every rule passes the program as it is, speaks alone where one property is wrong, and unknowns do not silence it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pulumi.runtime.rpc import UNKNOWN

from policy.rule import LITERAL, ResourceRule
from policy.rules import RULES
from policy.stack import KNOWN
from tests.components.recorded_program import COMPUTED
from tests.policy.recorded_stack import config_of, judge, pack_config, recorded, sample_config
from tests.policy.violations import VIOLATIONS, Violation

# prod pins its image and is production; with these on everywhere, dev shows every rule as well.
STRICT = pack_config('{"image-pinned": {"imageId": "ami-found"}, "elastic-ip-protected": {"always": true}}')
LATER = {rule.id for rule in RULES if rule.unknown == "later"}
STACKS = ("dev", "prod", "local")


def config_for(stack: str, rule: str):  # type: ignore[no-untyped-def]
    """The sample config; for dev, where it disables the rule, the rule on the image dev was recorded with."""
    sample = sample_config(stack)
    return {**sample, rule: STRICT[rule]} if stack == "dev" and sample[rule].level == "disabled" else sample


@pytest.mark.parametrize("stack", STACKS)
def test_the_program_as_it_is_violates_nothing(stack: str) -> None:
    assert judge(recorded(stack), sample_config(stack), stack_config=config_of(stack)) == []


@pytest.mark.parametrize("stack", STACKS)
def test_at_a_first_preview_nothing_is_violated_and_only_the_roles_documents_cannot_be_read(stack: str) -> None:
    said = judge(recorded(stack, preview=True), sample_config(stack), stack_config=config_of(stack))
    assert {(one.rule, one.kind) for one in said} == {(rule, "unknown") for rule in LATER}


@pytest.mark.parametrize("stack", ["dev", "prod"])
@pytest.mark.parametrize("violation", VIOLATIONS, ids=str)
def test_one_wrong_property_makes_exactly_its_rule_speak(violation: Violation, stack: str) -> None:
    resources = violation.done_to(recorded(stack))
    said = judge(resources, config_for(stack, violation.rule), stack_config=config_of(stack))
    assert {(one.rule, one.kind) for one in said} == {(violation.rule, "violation")}


@pytest.mark.parametrize("violation", [one for one in VIOLATIONS if one.rule not in LATER], ids=str)
def test_it_speaks_at_a_first_preview_already(violation: Violation) -> None:
    """What a rule reads is literal in this program, so nothing has to wait for `up`."""
    resources = violation.done_to(recorded("prod", preview=True))
    said = judge(resources, sample_config("prod"), stack_config=config_of("prod"))
    assert {one.rule for one in said if one.kind == "violation"} == {violation.rule}


# What cannot be unknown: options, and ids, which are always unknown at a first preview; what they come from decides.
KNOWABLE = [
    one
    for one in VIOLATIONS
    if one.path not in ("type", "dependencies", "policy", "allocationId", "networkInterfaceId")
    and one.path != "referencedSecurityGroupId"
]


@pytest.mark.parametrize("violation", KNOWABLE, ids=str)
def test_a_value_that_is_not_known_at_preview_is_a_violation_not_a_pass(violation: Violation) -> None:
    unknown = replace(violation, value=UNKNOWN, comes_from=None)
    said = judge(unknown.done_to(recorded("prod", preview=True)), sample_config("prod"), stack_config=config_of("prod"))
    found = [one for one in said if one.rule == violation.rule]
    assert {one.kind for one in found} == {"violation"}
    presence = ("declared", "gives the role", "has an instance profile", "is given inline", "is used", "not true")
    for one in found:
        assert LITERAL in one.message or any(words in one.message for words in presence), one


def test_what_only_aws_can_say_is_told_as_not_run_at_preview_and_judged_once_it_is_known() -> None:
    (wrong,) = [one for one in VIOLATIONS if one.rule == "role-actions" and "DescribeAddresses" in str(one.value)]
    hidden = replace(wrong, value=UNKNOWN).done_to(recorded("prod", preview=True))
    said = judge(hidden, sample_config("prod"), stack_config=config_of("prod"))
    assert {(one.rule, one.kind) for one in said} == {(rule, "unknown") for rule in LATER}
    known = wrong.done_to(recorded("prod"))
    assert {one.rule for one in judge(known, sample_config("prod"), stack_config=config_of("prod"))} == {"role-actions"}


def test_whose_resources_a_role_reaches_is_seen_at_preview_already_by_what_its_document_is_made_of() -> None:
    (foreign,) = [one for one in VIOLATIONS if one.rule == "role-own-resources" and one.comes_from]
    resources = replace(foreign, value=UNKNOWN).done_to(recorded("prod", preview=True))
    said = judge(resources, sample_config("prod"), stack_config=config_of("prod"))
    assert {one.rule for one in said if one.kind == "violation"} == {"role-own-resources"}


def test_a_protection_taken_away_from_production_is_found_and_elsewhere_is_nobodys_business() -> None:
    bare = Violation(rule="elastic-ip-protected", of=("Eip", "elastic-ip"), path="protect", value=False)
    resources = bare.done_to(recorded("prod"))
    said = judge(resources, pack_config(""), stack_config=config_of("prod"))  # the stack's own `production` is enough
    assert [one.rule for one in said] == [bare.rule]
    assert judge(resources, sample_config("prod"), stack_config={}) != []
    assert judge(resources, pack_config(""), stack_config={**config_of("prod"), "lvs-aws:production": "false"}) == []


def test_where_nobody_hands_the_config_over_a_stack_counts_as_production() -> None:
    bare = Violation(rule="elastic-ip-protected", of=("Eip", "elastic-ip"), path="protect", value=False)
    for stack in ("dev", "prod"):
        said = judge(bare.done_to(recorded(stack)), pack_config(""), stack_config={})
        (found,) = [one for one in said if one.kind == "violation"]
        assert found.rule == bare.rule and "nobody tells the pack this stack's config" in found.message


def test_machines_without_a_role_are_found_before_rules_about_directors_pass_for_want_of_any() -> None:
    for name in ("director-1", "web-1"):
        nameless = Violation(rule="machine-role", of=("Instance", name), path="tags.Role", value=None)
        said = judge(nameless.done_to(recorded("prod")), sample_config("prod"), stack_config=config_of("prod"))
        assert "machine-role" in {one.rule for one in said}


def test_an_image_that_is_looked_up_is_found() -> None:
    said = judge(recorded("dev"), {**sample_config("dev"), "image-pinned": pack_config("")["image-pinned"]},
                 stack_config=config_of("dev"))  # fmt: skip
    assert {one.rule for one in said} == {"image-pinned"} and "looked up by name" in said[0].message


def test_without_the_stacks_config_an_image_rule_says_so_rather_than_pass() -> None:
    said = judge(recorded("prod"), sample_config("prod"), stack_config={})
    assert {(one.rule, one.kind) for one in said} == {("image-pinned", "not applicable")}
    assert len(said) == 4


def test_ssh_is_open_to_a_named_bastion_only() -> None:
    ssh = next(one for one in VIOLATIONS if one.rule == "no-ssh")
    resources = ssh.done_to(recorded("prod"))
    named = pack_config('{"no-ssh": {"from": ["198.51.100.0/24"]}}')
    assert "no-ssh" in {one.rule for one in judge(resources, named, stack_config=config_of("prod"))}
    bastion = Violation(rule="", of=ssh.of, path="cidrIpv4", value="198.51.100.0/24").done_to(resources)
    assert "no-ssh" not in {one.rule for one in judge(bastion, named, stack_config=config_of("prod"))}


def test_every_rule_has_a_violation() -> None:
    shown = {one.rule for one in VIOLATIONS} | {"elastic-ip-protected", "machine-role"}
    assert shown == {rule.id for rule in RULES}


def test_every_type_a_rule_watches_occurs_in_the_program() -> None:
    made = {one.type for one in recorded("prod") if one.type.startswith("aws:")}
    for rule in RULES:
        if isinstance(rule, ResourceRule):
            assert rule.tokens() <= made, f"{rule.id} would never fire"
    assert made == KNOWN == {token for token in COMPUTED if token.startswith("aws:")}
