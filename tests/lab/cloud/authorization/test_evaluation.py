"""Which requests are allowed, by tables of policies; and what must hold for all policies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.cloud.authorization.evaluation import (
    Decision,
    Layer,
    NamedPolicy,
    Outcome,
    Rights,
    Trusted,
    decide,
    decide_assumption,
)
from lab.cloud.authorization.policy import Kind, Policy, Request, read_policy

HERE = "arn:aws:ec2:us-east-1:123456789012"
MINE, THEIRS, ELASTIC_IP = f"{HERE}:network-interface/eni-a", f"{HERE}:network-interface/eni-b", f"{HERE}:elastic-ip/e"
ASSIGN, ASSOCIATE = "ec2:AssignPrivateIpAddresses", "ec2:AssociateAddress"
ALLOWED, IMPLICIT, EXPLICIT = Outcome.ALLOWED, Outcome.IMPLICIT_DENY, Outcome.EXPLICIT_DENY


def policy(*statements: dict[str, Any]) -> Policy:
    return read_policy(json.dumps({"Version": "2012-10-17", "Statement": list(statements)}))


def allow(action: Any = "*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def named(*policies: Policy) -> tuple[NamedPolicy, ...]:
    return tuple(NamedPolicy(name=f"policy-{number}", policy=each) for number, each in enumerate(policies))


def asked(
    *statements: dict[str, Any], action: str = ASSIGN, resource: str = MINE, context: dict[str, str] | None = None
) -> Outcome:
    known = {key: (value,) for key, value in (context or {}).items()}
    rights = Rights(identity=named(policy(*statements)) if statements else ())
    return decide(rights, Request(action=action, resource=resource, context=known)).outcome


@pytest.mark.parametrize(
    ("statements", "outcome"),
    [
        ([], IMPLICIT),
        ([allow()], ALLOWED),
        ([allow(ASSIGN, MINE)], ALLOWED),
        ([allow("EC2:assignprivateipaddresses", MINE)], ALLOWED),
        ([allow("ec2:Assign*", MINE)], ALLOWED),
        ([allow("ec2:Assign?rivateIpAddresses", MINE)], ALLOWED),
        ([allow(["ec2:Describe*", ASSIGN], [ELASTIC_IP, MINE])], ALLOWED),
        ([allow("ec2:Describe*", MINE)], IMPLICIT),
        ([allow("iam:*", MINE)], IMPLICIT),
        ([allow(ASSIGN, THEIRS)], IMPLICIT),
        ([allow(ASSIGN, f"{HERE}:network-interface/*")], ALLOWED),
        ([allow(ASSIGN, "arn:aws:ec2:*:*:*")], ALLOWED),
        ([allow(), deny(ASSIGN, MINE)], EXPLICIT),
        ([deny(ASSIGN, MINE), allow()], EXPLICIT),
        ([allow(), deny(ASSIGN, THEIRS)], ALLOWED),
        ([allow(), deny("ec2:Describe*")], ALLOWED),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], ALLOWED),
        ([{"Effect": "Allow", "NotAction": "ec2:*", "Resource": "*"}], IMPLICIT),
        ([{"Effect": "Allow", "Action": "*", "NotResource": THEIRS}], ALLOWED),
        ([{"Effect": "Allow", "Action": "*", "NotResource": MINE}], IMPLICIT),
        ([allow(), {"Effect": "Deny", "Action": "*", "NotResource": MINE}], ALLOWED),
        ([allow(), {"Effect": "Deny", "Action": "*", "NotResource": THEIRS}], EXPLICIT),
        ([allow(), {"Effect": "Deny", "NotAction": ASSIGN, "Resource": "*"}], ALLOWED),
        ([allow(), {"Effect": "Deny", "NotAction": ASSOCIATE, "Resource": "*"}], EXPLICIT),
    ],
)
def test_statements(statements: list[dict[str, Any]], outcome: Outcome) -> None:
    assert asked(*statements) is outcome


def test_an_action_without_a_resource_is_only_of_the_star() -> None:
    for resource, outcome in (("*", ALLOWED), ("arn:aws:ec2:*:*:*", IMPLICIT), (MINE, IMPLICIT)):
        statement = allow("ec2:DescribeInstances", resource)
        assert asked(statement, action="ec2:DescribeInstances", resource="*") is outcome


@pytest.mark.parametrize(
    ("condition", "context", "outcome"),
    [
        ({"StringEquals": {"aws:RequestedRegion": "us-east-1"}}, {"aws:requestedregion": "us-east-1"}, ALLOWED),
        ({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}, {"aws:requestedregion": "us-east-1"}, IMPLICIT),
        ({"StringEquals": {"ec2:ResourceTag/Team": "lb"}}, {"ec2:resourcetag/team": "lb"}, ALLOWED),
        ({"StringEquals": {"ec2:ResourceTag/Team": "lb"}}, {}, IMPLICIT),
    ],
)
def test_conditions(condition: dict[str, Any], context: dict[str, str], outcome: Outcome) -> None:
    assert asked(allow(Condition=condition), context=context) is outcome
    denied = {ALLOWED: EXPLICIT, IMPLICIT: ALLOWED}[outcome]
    assert asked(allow(), deny(Condition=condition), context=context) is denied


def test_a_resource_with_a_variable() -> None:
    own = allow(ASSIGN, f"{HERE}:network-interface/${{aws:PrincipalTag/interface}}")
    assert asked(own, context={"aws:principaltag/interface": "eni-a"}) is ALLOWED
    assert asked(own, context={"aws:principaltag/interface": "eni-b"}) is IMPLICIT
    assert asked(own, context={"aws:principaltag/interface": "*"}) is IMPLICIT
    assert asked(own) is IMPLICIT


def reached(*, boundary: Policy | None = None, session: Policy | None = None) -> Decision:
    rights = Rights(
        identity=named(policy(allow(ASSIGN))),
        boundary=None if boundary is None else named(boundary),
        session=None if session is None else named(session),
    )
    return decide(rights, Request(action=ASSIGN, resource=MINE, context={}))


@pytest.mark.parametrize("layer", [Layer.BOUNDARY, Layer.SESSION])
def test_boundaries_and_session_policies_only_take_away(layer: Layer) -> None:
    def with_layer(limit: Policy) -> Decision:
        return reached(boundary=limit) if layer is Layer.BOUNDARY else reached(session=limit)

    assert with_layer(policy(allow())).allowed
    missing = with_layer(policy(allow("ec2:Describe*")))
    assert (missing.outcome, missing.layer) == (IMPLICIT, layer)
    assert missing.reason(ASSIGN) == f"because no {layer.value} allows the {ASSIGN} action"
    explicit = with_layer(policy(allow(), deny(ASSIGN)))
    assert (explicit.outcome, explicit.layer) == (EXPLICIT, layer)
    assert explicit.reason(ASSIGN) == f"with an explicit deny in a {layer.value}"
    nothing_granted = Rights(identity=(), boundary=named(policy(allow())), session=named(policy(allow())))
    decision = decide(nothing_granted, Request(action=ASSIGN, resource=MINE, context={}))
    assert (decision.outcome, decision.layer) == (IMPLICIT, Layer.IDENTITY)


def test_a_denial_anywhere_wins_over_what_is_missing() -> None:
    rights = Rights(identity=(), boundary=named(policy(deny(ASSIGN))))
    decision = decide(rights, Request(action=ASSIGN, resource=MINE, context={}))
    assert (decision.outcome, decision.layer) == (EXPLICIT, Layer.BOUNDARY)


def test_it_says_which_policies_decided() -> None:
    request = Request(action=ASSIGN, resource=MINE, context={})
    policies = named(policy(allow()), policy(allow("iam:*")), policy(deny("ec2:Describe*")), policy(allow(ASSIGN)))
    assert decide(Rights(identity=policies), request).by == ("policy-0", "policy-3")
    denied = named(policy(allow()), policy(deny(ASSIGN)))
    assert decide(Rights(identity=denied), request).by == ("policy-1",)
    assert decide(Rights(identity=denied), request).reason(ASSIGN) == (
        "with an explicit deny in an identity-based policy"
    )


def test_rights_that_cannot_be_read_allow_nothing() -> None:
    rights = Rights(identity=named(policy(allow())), invalid="one of them is no policy")
    assert decide(rights, Request(action=ASSIGN, resource=MINE, context={})).outcome is IMPLICIT


ROLE = "arn:aws:iam::123456789012:role/r"
ANN = "arn:aws:iam::123456789012:user/ann"
ROOT = "arn:aws:iam::123456789012:root"


@pytest.mark.parametrize(
    ("own", "principal", "outcome"),
    [
        ([allow("sts:AssumeRole", ROLE)], {"AWS": ROOT}, ALLOWED),
        ([allow("sts:AssumeRole", ROLE)], {"AWS": "123456789012"}, ALLOWED),
        ([allow("sts:AssumeRole", ROLE)], "*", ALLOWED),
        ([], {"AWS": ROOT}, IMPLICIT),
        ([], {"AWS": ANN}, ALLOWED),
        ([deny("sts:*")], {"AWS": ANN}, EXPLICIT),
        ([allow()], {"Service": "ec2.amazonaws.com"}, IMPLICIT),
        ([allow()], {"AWS": "arn:aws:iam::123456789012:user/bob"}, IMPLICIT),
        ([allow()], {"AWS": "arn:aws:iam::999999999999:root"}, IMPLICIT),
    ],
)
def test_a_role_is_taken_by_whom_it_trusts(own: list[dict[str, Any]], principal: Any, outcome: Outcome) -> None:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}
    assert assumption(own, statement) is outcome
    everyone = {"Effect": "Deny", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
    assert assumption(own, statement, everyone) is EXPLICIT


def assumption(own: list[dict[str, Any]], *trust: dict[str, Any]) -> Outcome:
    rights = Rights(identity=named(policy(*own)) if own else ())
    document = read_policy(json.dumps({"Version": "2012-10-17", "Statement": list(trust)}), Kind.TRUST)
    request = Request(action="sts:AssumeRole", resource=ROLE, context={})
    return decide_assumption(rights, document, request, Trusted(arns=(ANN,), account="123456789012")).outcome


# For all policies: statements of a few actions and resources that do and do not concern the request.
actions = st.sampled_from([ASSIGN, ASSOCIATE, "ec2:*", "*", "iam:*", "ec2:Assign*"])
resources = st.sampled_from([MINE, THEIRS, ELASTIC_IP, "*", f"{HERE}:network-interface/*"])
condition = st.sampled_from(
    [
        {},
        {"Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}},
        {"Condition": {"StringNotEquals": {"aws:RequestedRegion": "us-east-1"}}},
        {"Condition": {"Null": {"aws:TagKeys": "true"}}},
    ]
)
statement = st.builds(
    lambda effect, action, resource, more: {**allow(action, resource, **more), "Effect": effect},
    st.sampled_from(["Allow", "Deny"]),
    actions,
    resources,
    condition,
)
statements = st.lists(statement, max_size=5)
requests = st.builds(
    lambda action, resource, region: Request(
        action=action, resource=resource, context={"aws:requestedregion": (region,)}
    ),
    st.sampled_from([ASSIGN, ASSOCIATE, "iam:GetRole"]),
    st.sampled_from([MINE, THEIRS, ELASTIC_IP, "*"]),
    st.sampled_from(["us-east-1", "eu-west-1"]),
)


def outcome_of(given_statements: list[dict[str, Any]], request: Request) -> Outcome:
    rights = Rights(identity=named(policy(*given_statements)) if given_statements else ())
    return decide(rights, request).outcome


@given(before=statements, more=statement, after=statements, request=requests)
def test_another_denial_never_allows_more(
    before: list[dict[str, Any]], more: dict[str, Any], after: list[dict[str, Any]], request: Request
) -> None:
    without = outcome_of(before + after, request)
    with_it = outcome_of([*before, {**more, "Effect": "Deny"}, *after], request)
    assert with_it is without or with_it is EXPLICIT


@given(before=statements, more=statement, after=statements, request=requests)
def test_another_permission_never_denies(
    before: list[dict[str, Any]], more: dict[str, Any], after: list[dict[str, Any]], request: Request
) -> None:
    without = outcome_of(before + after, request)
    with_it = outcome_of([*before, {**more, "Effect": "Allow"}, *after], request)
    assert with_it is without or (without, with_it) == (IMPLICIT, ALLOWED)


@given(some=statements, request=requests)
def test_a_denial_of_everything_wins_wherever_it_stands(some: list[dict[str, Any]], request: Request) -> None:
    assert outcome_of([deny(), *some], request) is EXPLICIT
    assert outcome_of([*some, deny()], request) is EXPLICIT


@given(some=statements, request=requests)
def test_order_and_the_split_into_policies_make_no_difference(some: list[dict[str, Any]], request: Request) -> None:
    one = outcome_of(some, request)
    assert outcome_of(some[::-1], request) is one
    assert decide(Rights(identity=named(*(policy(each) for each in some))), request).outcome is one


@given(own=statements, limit=statements, request=requests)
def test_a_limit_never_allows_more(own: list[dict[str, Any]], limit: list[dict[str, Any]], request: Request) -> None:
    identity = named(policy(*own)) if own else ()
    limits = named(policy(*limit)) if limit else ()
    for rights in (Rights(identity=identity, boundary=limits), Rights(identity=identity, session=limits)):
        if decide(rights, request).allowed:
            assert outcome_of(own, request) is ALLOWED and outcome_of(limit, request) is ALLOWED
