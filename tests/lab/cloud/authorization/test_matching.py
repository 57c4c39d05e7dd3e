"""Wildcards, ARNs and variables of policies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.cloud.authorization.matching import is_arn_like, is_like, is_resource, pattern, plain

CONTEXT = {"aws:username": ("ann",), "aws:principaltag/team": ("a*b",), "aws:tagkeys": ("x", "y")}
INTERFACE = "arn:aws:ec2:us-east-1:123456789012:network-interface/eni-a"


def filled(text: str) -> str:
    return pattern(text, variables=True).filled(CONTEXT) or ""


def reference(wanted: str, value: str) -> bool:
    """What * and ? mean, character by character."""
    if not wanted:
        return not value
    if wanted[0] == "*":
        return reference(wanted[1:], value) or (bool(value) and reference(wanted, value[1:]))
    return bool(value) and wanted[0] in ("?", value[0]) and reference(wanted[1:], value[1:])


@given(wanted=st.text("ab*?.[\n", max_size=8), value=st.text("ab*.[\n", max_size=8))
def test_wildcards_are_those_and_nothing_else(wanted: str, value: str) -> None:
    assert is_like(filled(wanted), value) == reference(wanted, value)


@given(value=st.text(max_size=20).filter(lambda text: "$" not in text and "\0" not in text and "\1" not in text))
def test_a_text_is_like_itself_and_plainly_itself(value: str) -> None:
    assert is_like(filled(value), value)
    assert plain(filled(value)) == value


@pytest.mark.parametrize(
    ("wanted", "arn", "covered"),
    [
        ("*", INTERFACE, True),
        ("*", "*", True),
        (INTERFACE, INTERFACE, True),
        (INTERFACE, INTERFACE.upper(), False),
        (INTERFACE, "*", False),
        ("arn:aws:ec2:*:*:*", INTERFACE, True),
        ("arn:aws:ec2:*:*:*", "*", False),
        ("arn:aws:ec2:*", INTERFACE, True),
        ("arn:aws:ec2:us-east-1:123456789012:network-interface/*", INTERFACE, True),
        ("arn:aws:ec2:us-east-1:123456789012:network-interface/eni-?", INTERFACE, True),
        ("arn:aws:ec2:us-east-1:123456789012:network-interface/eni-??", INTERFACE, False),
        ("arn:aws:ec2:us-east-1:123456789012:network-interface/eni-b", INTERFACE, False),
        ("arn:aws:ec2:us-west-2:*:network-interface/*", INTERFACE, False),
        ("arn:aws:ec2:us-*-1:*:network-interface/*", INTERFACE, True),
        # Within a segment a star does not reach over the colon, at its end it does.
        ("arn:aws:e*1:123456789012:network-interface/eni-a", INTERFACE, False),
        ("arn:aws:*:network-interface/eni-a", INTERFACE, True),
        ("arn:aws:ec2:us-east-1?123456789012:network-interface/eni-a", INTERFACE, False),
        # The last segment may have colons.
        ("arn:aws:x:::a*d", "arn:aws:x:::a:b/c:d", True),
        ("arn:aws:x:::a?b", "arn:aws:x:::a:b", True),
    ],
)
def test_resources(wanted: str, arn: str, covered: bool) -> None:
    assert is_resource(filled(wanted), arn) is covered


@pytest.mark.parametrize(
    ("wanted", "arn", "like"),
    [
        ("*", INTERFACE, True),
        ("arn:aws:ec2:*:*:network-interface/*", INTERFACE, True),
        ("arn:*:ec2:*:123456789012:*", INTERFACE, True),
        ("arn:aws:ec2:*", INTERFACE, False),
        ("arn:aws:*:network-interface/eni-a", INTERFACE, False),
        ("arn:aws:ec2:us-east-1:123456789012:vpc/*", INTERFACE, False),
        ("arn:aws:ec2:*:*:*", "not an arn", False),
        ("arn:aws:x:::*", "arn:aws:x:::a:b", True),
    ],
)
def test_arns_are_compared_by_component(wanted: str, arn: str, like: bool) -> None:
    assert is_arn_like(filled(wanted), arn) is like


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("user/${aws:username}", "user/ann"),
        ("user/${aws:UserName}", "user/ann"),
        ("${aws:username}-${aws:username}", "ann-ann"),
        ("${aws:PrincipalTag/Team}", "a*b"),
        ("${aws:none, 'other'}", "other"),
        ("${aws:username, 'other'}", "ann"),
        ("${*}${?}${$}", "*?$"),
        ("$aws:username ${", "$aws:username ${"),
    ],
)
def test_variables(text: str, found: str) -> None:
    assert plain(filled(text)) == found
    assert is_like(filled(text), found)


def test_a_star_of_the_request_is_no_wildcard() -> None:
    wanted = pattern("${aws:PrincipalTag/team}", variables=True).filled(CONTEXT) or ""
    assert is_like(wanted, "a*b") and not is_like(wanted, "axb")
    assert not is_like(filled("a${*}b"), "axb")


@pytest.mark.parametrize("text", ["${aws:none}", "x/${aws:none}/y", "${aws:TagKeys}"])
def test_a_variable_without_one_value_makes_no_text(text: str) -> None:
    assert pattern(text, variables=True).filled(CONTEXT) is None


def test_old_policies_have_no_variables() -> None:
    assert plain(pattern("${aws:username}", variables=False).filled(CONTEXT) or "") == "${aws:username}"
