"""The example that brings its VPC along is held against the pack: its settings are one object of its config."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from policy.rules import RULES
from tests.components.recorded_program import IMAGE
from tests.examples.test_existing_vpc import CONFIG, SETTINGS, run
from tests.policy.recorded_stack import Resources, judge, made_of, pack_config
from tests.policy.violations import VIOLATIONS, Violation

LATER = {rule.id for rule in RULES if rule.unknown == "later"}
DEFAULT = pack_config("")


@pytest.fixture(scope="module")
def example() -> Resources:
    return made_of(run(), preview=False)


def configured(**settings: object) -> dict[str, str]:
    return {**CONFIG, "shop:loadBalancer": json.dumps({**SETTINGS, **settings})}


def test_it_violates_nothing_and_a_first_preview_does_not_either(example: Resources) -> None:
    assert judge(example, DEFAULT, stack_config=CONFIG) == []
    said = judge(made_of(run(preview=True), preview=True), DEFAULT, stack_config=CONFIG)
    assert {(one.rule, one.kind) for one in said} == {(rule, "unknown") for rule in LATER}


def test_its_image_is_pinned_by_the_object(example: Resources) -> None:
    (wrong,) = {one.message for one in judge(example, DEFAULT, stack_config=configured(imageId="ami-0other"))}
    assert wrong == f"it boots {IMAGE}, the stack pins ami-0other"
    looked_up = judge(example, DEFAULT, stack_config=configured(imageId=""))
    assert {one.rule for one in looked_up} == {"image-pinned"}


def test_its_elastic_ip_is_protected_where_the_object_says_production(example: Resources) -> None:
    said = judge(example, DEFAULT, stack_config=configured(production=True))
    assert [(one.rule, one.about) for one in said] == [("elastic-ip-protected", "elastic-ip")]
    kept = tuple(replace(one, protect=one.type.endswith(":Eip")) for one in example)
    assert judge(kept, DEFAULT, stack_config=configured(production=True)) == []


def test_a_tag_called_like_a_setting_is_none(example: Resources) -> None:
    assert judge(example, DEFAULT, stack_config={**CONFIG, "shop:tags": '{"production": "true"}'}) == []


def has(resources: Resources, of: tuple[str, str]) -> bool:
    return any(one.type.endswith(f":{of[0]}") and one.name == of[1] for one in resources)


def fits(resources: Resources, violation: Violation) -> bool:
    """Whether the example has what it is about; its network is somebody else's, and so are its addresses."""
    return has(resources, violation.of) and "10.0.0.100" not in str(violation.value)


def test_the_rules_are_as_watchful_as_in_the_projects_own_program(example: Resources) -> None:
    spoke = set()
    for violation in VIOLATIONS:
        if fits(example, violation) and not callable(violation.value):
            said = judge(violation.done_to(example), DEFAULT, stack_config=CONFIG)
            assert violation.rule in {one.rule for one in said}, violation
            spoke.add(violation.rule)
    assert len(spoke) > 20
