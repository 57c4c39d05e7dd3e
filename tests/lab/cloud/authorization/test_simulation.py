"""The policy simulator answers what the gate would."""

from __future__ import annotations

from typing import Any

import pytest

from tests.lab.cloud.authorization.conftest import ASSIGN, ASSOCIATE, Callers, allow, deny, document
from tests.lab.cloud.authorization.scene import ACCOUNT, HERE, Scene, assign, associate
from tests.lab.cloud.conftest import refused

pytestmark = pytest.mark.cloud
A, B, EIP = f"{HERE}:network-interface/eni-a", f"{HERE}:network-interface/eni-b", f"{HERE}:elastic-ip/eipalloc-1"
POLICY = document(allow([ASSIGN, ASSOCIATE], [A, EIP]), deny("ec2:Terminate*"))


def decisions(result: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Decision by action and resource."""
    return {
        each["EvalActionName"]: {
            one["EvalResourceName"]: one["EvalResourceDecision"] for one in each["ResourceSpecificResults"]
        }
        for each in result["EvaluationResults"]
    }


def test_each_action_on_each_resource(iam: Any) -> None:
    result = iam.simulate_custom_policy(
        PolicyInputList=[POLICY],
        ActionNames=[ASSIGN, ASSOCIATE, "ec2:TerminateInstances", "iam:GetRole"],
        ResourceArns=[A, B, EIP],
    )
    assert result["IsTruncated"] is False
    nothing = dict.fromkeys((A, B, EIP), "implicitDeny")
    own = {A: "allowed", B: "implicitDeny", EIP: "allowed"}
    assert decisions(result) == {
        ASSIGN: own,
        ASSOCIATE: own,
        "ec2:TerminateInstances": dict.fromkeys((A, B, EIP), "explicitDeny"),
        "iam:GetRole": nothing,
    }
    # Of an action over several resources the most restrictive decision.
    overall = [each["EvalDecision"] for each in result["EvaluationResults"]]
    assert overall == ["implicitDeny", "implicitDeny", "explicitDeny", "implicitDeny"]


def test_without_resources_it_is_about_the_star(iam: Any) -> None:
    ask = {"ActionNames": ["ec2:DescribeInstances"], "PolicyInputList": [document(allow("ec2:Describe*"))]}
    (result,) = iam.simulate_custom_policy(**ask)["EvaluationResults"]
    assert (result["EvalDecision"], result["EvalResourceName"]) == ("allowed", "*")
    assert result["MatchedStatements"][0]["SourcePolicyId"] == "PolicyInputList.1"
    assert "ResourceSpecificResults" not in result
    (result,) = iam.simulate_custom_policy(**ask | {"PolicyInputList": [POLICY]})["EvaluationResults"]
    assert (result["EvalDecision"], result["MatchedStatements"]) == ("implicitDeny", [])


def test_context_is_what_one_gives(iam: Any) -> None:
    here = document(allow(ASSIGN, A, Condition={"StringEquals": {"aws:RequestedRegion": "us-east-1"}}))
    ask = {"PolicyInputList": [here], "ActionNames": [ASSIGN], "ResourceArns": [A]}
    for region, decision in (("us-east-1", "allowed"), ("eu-west-1", "implicitDeny"), (None, "implicitDeny")):
        entry = {"ContextKeyName": "aws:RequestedRegion", "ContextKeyType": "string", "ContextKeyValues": [region]}
        (result,) = iam.simulate_custom_policy(**ask, ContextEntries=[entry] if region else [])["EvaluationResults"]
        assert result["EvalDecision"] == decision, region
        assert result["MissingContextValues"] == ([] if region else ["aws:requestedregion"])


def test_boundaries(iam: Any) -> None:
    ask = {"PolicyInputList": [POLICY], "ActionNames": [ASSIGN], "ResourceArns": [A]}
    for boundary, decision, by_boundary in (
        (document(allow("ec2:*")), "allowed", True),
        (document(allow("iam:*")), "implicitDeny", False),
    ):
        (result,) = iam.simulate_custom_policy(**ask, PermissionsBoundaryPolicyInputList=[boundary])[
            "EvaluationResults"
        ]
        assert result["EvalDecision"] == decision
        assert result["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": by_boundary}
    arn = iam.create_policy(PolicyName="boundary", PolicyDocument=document(allow("iam:*")))["Policy"]["Arn"]
    iam.create_user(UserName="u", PermissionsBoundary=arn)
    iam.put_user_policy(UserName="u", PolicyName="p", PolicyDocument=POLICY)
    (result,) = iam.simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/u", ActionNames=[ASSIGN], ResourceArns=[A]
    )["EvaluationResults"]
    assert result["EvalDecision"] == "implicitDeny"
    assert result["PermissionsBoundaryDecisionDetail"] == {"AllowedByPermissionsBoundary": False}


def test_principals_have_their_policies_and_those_given(callers: Callers, iam: Any) -> None:
    role, user = callers.role(allow(ASSIGN, A)), callers.user()
    iam.create_group(GroupName="g")
    iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=document(allow(ASSIGN, A)))
    iam.add_user_to_group(GroupName="g", UserName=user.name)
    for arn, matched in (
        (f"role/{role.name}", f"role_{role.name}_rights"),
        (f"user/{user.name}", "group_g_p"),
        ("group/g", "group_g_p"),
    ):
        ask = {"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:{arn}", "ActionNames": [ASSIGN], "ResourceArns": [A, B]}
        result = iam.simulate_principal_policy(**ask)
        assert decisions(result) == {ASSIGN: {A: "allowed", B: "implicitDeny"}}
        own = result["EvaluationResults"][0]["ResourceSpecificResults"][0]
        assert [each["SourcePolicyId"] for each in own["MatchedStatements"]] == [matched]
        more = iam.simulate_principal_policy(**ask, PolicyInputList=[document(deny(ASSIGN, A), allow(ASSIGN, B))])
        assert decisions(more) == {ASSIGN: {A: "explicitDeny", B: "allowed"}}
    with refused("NoSuchEntity"):
        iam.simulate_principal_policy(PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:role/none", ActionNames=[ASSIGN])


def test_who_calls_fills_in_variables(callers: Callers, iam: Any) -> None:
    own = allow("iam:GetUser", f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}")
    user, other = callers.user(own), callers.user()
    arns = [f"arn:aws:iam::{ACCOUNT}:user/{each.name}" for each in (user, other)]
    ask = {"PolicySourceArn": arns[0], "ActionNames": ["iam:GetUser"], "ResourceArns": arns}
    outcome = dict(zip(arns, ("allowed", "implicitDeny"), strict=True))
    assert decisions(iam.simulate_principal_policy(**ask)) == {"iam:GetUser": outcome}
    swapped = dict(zip(arns, ("implicitDeny", "allowed"), strict=True))
    assert decisions(iam.simulate_principal_policy(**ask, CallerArn=arns[1])) == {"iam:GetUser": swapped}


def test_pages(iam: Any) -> None:
    actions = [f"ec2:Describe{number}" for number in range(5)]
    pages = iam.get_paginator("simulate_custom_policy").paginate(
        PolicyInputList=[POLICY], ActionNames=actions, PaginationConfig={"PageSize": 2}
    )
    sizes, found = [], []
    for page in pages:
        sizes.append(len(page["EvaluationResults"]))
        found += [each["EvalActionName"] for each in page["EvaluationResults"]]
    assert (sizes, found) == ([2, 2, 1], actions)


def test_a_policy_that_is_none(iam: Any) -> None:
    wrong = document(allow(Condition={"StringIs": {"aws:username": "x"}}))
    with refused("InvalidInput", "StringIs"):
        iam.simulate_custom_policy(PolicyInputList=[wrong], ActionNames=[ASSIGN])


def test_the_gate_agrees(scene: Scene, callers: Callers, iam: Any) -> None:
    caller = callers.role(allow([ASSIGN, ASSOCIATE], [scene.arn("eni-a"), scene.arn("eip-service")]))
    result = iam.simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:role/{caller.name}",
        ActionNames=[ASSIGN, ASSOCIATE],
        ResourceArns=[scene.arn(each) for each in ("eni-a", "eni-b", "eip-service")],
    )
    said = decisions(result)
    for interface in ("eni-a", "eni-b"):
        simulated = said[ASSIGN][scene.arn(interface)] == "allowed"
        assert assign(caller("ec2"), scene, interface) is simulated
        both = said[ASSOCIATE][scene.arn("eip-service")] == said[ASSOCIATE][scene.arn(interface)] == "allowed"
        assert associate(caller("ec2"), scene, interface) is both
