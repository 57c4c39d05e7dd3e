"""Documents that are policies, and documents that are none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.cloud.authorization.policy import InvalidPolicyError, Kind, read_policy

ALLOW = {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}
TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}


def document(*statements: dict[str, Any], **top: Any) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements), **top})


def test_one_statement_or_a_list_of_them() -> None:
    assert len(read_policy(document(ALLOW, ALLOW)).statements) == 2
    assert len(read_policy(json.dumps({"Statement": ALLOW})).statements) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "not an object"),
        (document(), "no statement"),
        (json.dumps({"Version": "2012-10-17"}), "a statement is not an object"),
        (document(ALLOW, Version="2012-10-18"), "no version"),
        (document(ALLOW, Statements=[]), "not an object of"),
        (document({**ALLOW, "Effect": "allow"}), "neither Allow nor Deny"),
        (document({**ALLOW, "Effects": "Allow"}), "has Effects"),
        (document({**ALLOW, "NotAction": "ec2:*"}), "exactly one of Action and NotAction"),
        (document({"Effect": "Allow", "Resource": "*"}), "exactly one of Action and NotAction"),
        (document({"Effect": "Allow", "Action": "*"}), "exactly one of Resource and NotResource"),
        (document({**ALLOW, "NotResource": "*"}), "exactly one of Resource and NotResource"),
        (document({**ALLOW, "Action": []}), "Action is neither"),
        (document({**ALLOW, "Action": [1]}), "Action is neither"),
        (document({**ALLOW, "Resource": {}}), "Resource is neither"),
        (document({**ALLOW, "Principal": "*"}), "no Principal"),
        (document({**ALLOW, "Condition": {"StringIs": {"a": "b"}}}), "no condition operator StringIs"),
    ],
)
def test_what_is_no_policy(text: str, words: str) -> None:
    with pytest.raises(InvalidPolicyError) as caught:
        read_policy(text)
    assert words in str(caught.value)


def test_trust_policies_name_principals_and_no_resource() -> None:
    trust = read_policy(document(TRUST), Kind.TRUST)
    assert trust.statements[0].principals == {"Service": ("ec2.amazonaws.com",)}
    anyone = read_policy(document({**TRUST, "Principal": "*"}), Kind.TRUST)
    assert anyone.statements[0].principals == {"AWS": ("*",)}
    for wrong in ({**TRUST, "Resource": "*"}, {**TRUST, "Principal": 1}, ALLOW):
        with pytest.raises(InvalidPolicyError):
            read_policy(document(wrong), Kind.TRUST)
    with pytest.raises(InvalidPolicyError):
        read_policy(document(TRUST))
    assert read_policy(document(), Kind.TRUST).statements == ()
