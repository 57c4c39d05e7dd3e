"""No rule is silenced by a value that is not known at preview: every property of every type is made unknown in turn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest
from pulumi.runtime.rpc import UNKNOWN
from pulumi_policy import EnforcementLevel

from policy.rules import RULES
from tests.policy.recorded_stack import Made, Said, config_of, judge, recorded, sample_config

MANDATORY = {rule.id for rule in RULES if rule.level is EnforcementLevel.MANDATORY}
LATER = {rule.id for rule in RULES if rule.unknown == "later"}
# It reads the type, which the engine itself knows; no property is asked for.
OF_THE_ENGINE = {"known-types"}
# Given by nobody in this program: it is their presence that is wrong.
ABSENT = {
    "Instance": (
        "associatePublicIpAddress",
        "ebsBlockDevices",
        "networkInterfaces",
        "secondaryPrivateIps",
        "userDataBase64",
    ),
    "Eip": ("instance", "networkInterface", "associateWithPrivateIp"),
    "SecurityGroup": ("ingress", "egress"),
    "SecurityGroupIngressRule": ("cidrIpv4", "cidrIpv6", "prefixListId"),
    "Role": ("managedPolicyArns", "inlinePolicies"),
}


def places() -> Iterator[tuple[str, str]]:
    """Every type of the program with each of its inputs, given or only possible."""
    given = {(one.type, key) for one in recorded("prod", preview=True) for key in one.inputs}
    types = {one.type for one in recorded("prod", preview=True)}
    possible = {(each, key) for each in types for key in ABSENT.get(each.rpartition(":")[2], ())}
    yield from sorted(given | possible)


@cache
def said_without(kind: str, key: str) -> tuple[Said, ...]:
    """What the rules say of prod where this input is unknown on every resource of the type."""

    def hidden(one: Made) -> Made:
        if one.type != kind:
            return one
        return replace(one, inputs={**one.inputs, key: UNKNOWN}, outputs={**one.outputs, key: UNKNOWN})

    resources = tuple(hidden(one) for one in recorded("prod", preview=True))
    return tuple(judge(resources, sample_config("prod"), stack_config=config_of("prod")))


@pytest.mark.parametrize(("kind", "key"), [*places()], ids=lambda text: text.rpartition(":")[2])
def test_an_unknown_input_never_turns_a_mandatory_rule_into_a_hint(kind: str, key: str) -> None:
    assert {one.rule for one in said_without(kind, key) if one.kind != "violation"} <= LATER


def test_every_mandatory_rule_refuses_an_unknown_input_but_what_waits_for_aws() -> None:
    refuse = {one.rule for place in places() for one in said_without(*place) if one.kind == "violation"}
    assert MANDATORY - refuse == LATER | OF_THE_ENGINE
    assert {rule.id for rule in RULES} == MANDATORY
