"""The operators of conditions, by a table: the condition, what the request says, whether it holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.cloud.authorization.conditions import OPERATORS, InvalidConditionError, conditions

ARN = "arn:aws:ec2:us-east-1:123456789012:vpc/vpc-1"
CONTEXT = {
    "s": ("Word",),
    "n": ("5",),
    "d": ("2025-06-01T12:00:00Z",),
    "e": ("1748779200",),  # the same moment
    "b": ("true",),
    "ip": ("10.0.0.36",),
    "ip6": ("2001:db8::1",),
    "arn": (ARN,),
    "bin": ("QmluYXJ5",),
    "tags": ("a", "b"),
    "aws:username": ("Word",),
    "aws:resourcetag/team": ("lb",),
}


def holds(condition: dict[str, Any], context: dict[str, tuple[str, ...]] | None = None) -> bool:
    known = CONTEXT if context is None else context
    return all(each.holds(known) for each in conditions(condition, variables=True))


TABLE: list[tuple[str, str, Any, bool]] = [
    ("StringEquals", "s", "Word", True),
    ("StringEquals", "s", "word", False),
    ("StringEquals", "s", "W*", False),
    ("StringEquals", "s", ["x", "Word"], True),
    ("StringEquals", "S", "Word", True),
    ("StringEquals", "none", "x", False),
    ("StringEquals", "s", "${aws:username}", True),
    ("StringEquals", "s", "${aws:none}", False),
    ("StringNotEquals", "s", "Word", False),
    ("StringNotEquals", "s", "x", True),
    ("StringNotEquals", "s", ["x", "Word"], False),
    ("StringNotEquals", "none", "x", True),
    ("StringNotEquals", "s", "${aws:none}", True),
    ("StringEqualsIgnoreCase", "s", "wORD", True),
    ("StringEqualsIgnoreCase", "s", "words", False),
    ("StringNotEqualsIgnoreCase", "s", "wORD", False),
    ("StringNotEqualsIgnoreCase", "s", "words", True),
    ("StringLike", "s", "W*", True),
    ("StringLike", "s", "W?rd", True),
    ("StringLike", "s", "w*", False),
    ("StringLike", "none", "*", False),
    ("StringNotLike", "s", "W*", False),
    ("StringNotLike", "s", "x*", True),
    ("StringNotLike", "none", "*", True),
    ("StringEquals", "aws:ResourceTag/Team", "lb", True),
    ("ArnEquals", "arn", ARN, True),
    ("ArnEquals", "arn", "arn:aws:ec2:*:*:vpc/*", True),
    ("ArnEquals", "arn", f"{ARN}2", False),
    ("ArnLike", "arn", "arn:aws:ec2:*:*:vpc/vpc-1", True),
    ("ArnLike", "arn", "arn:aws:ec2:*:*:subnet/*", False),
    ("ArnLike", "none", "*", False),
    ("ArnNotEquals", "arn", ARN, False),
    ("ArnNotEquals", "arn", f"{ARN}2", True),
    ("ArnNotLike", "arn", "arn:aws:ec2:*:*:vpc/*", False),
    ("ArnNotLike", "arn", "arn:aws:ec2:*:*:subnet/*", True),
    ("ArnNotLike", "none", "*", True),
    ("NumericEquals", "n", "5.0", True),
    ("NumericEquals", "n", 5, True),
    ("NumericEquals", "n", "6", False),
    ("NumericNotEquals", "n", "5", False),
    ("NumericNotEquals", "none", "5", True),
    ("NumericLessThan", "n", "5", False),
    ("NumericLessThan", "n", "6", True),
    ("NumericLessThanEquals", "n", "5", True),
    ("NumericLessThanEquals", "n", "4.9", False),
    ("NumericGreaterThan", "n", "5", False),
    ("NumericGreaterThan", "n", "4.5", True),
    ("NumericGreaterThanEquals", "n", "5", True),
    ("NumericGreaterThanEquals", "n", "5.1", False),
    ("NumericLessThan", "s", "5", False),
    ("DateEquals", "d", "2025-06-01T12:00:00Z", True),
    ("DateEquals", "d", "2025-06-01T14:00:00+02:00", True),
    ("DateEquals", "d", "1748779200", True),
    ("DateEquals", "e", "2025-06-01T12:00:00Z", True),
    ("DateEquals", "d", "2025-06-01T12:00:00", True),
    ("DateEquals", "d", "2025-06-01T12:00:01Z", False),
    ("DateNotEquals", "d", "2025-06-01T12:00:00Z", False),
    ("DateNotEquals", "d", "2025-06-01T12:00:01Z", True),
    ("DateLessThan", "d", "2025-06-02", True),
    ("DateLessThan", "d", "2025-06-01T12:00:00Z", False),
    ("DateLessThanEquals", "d", "2025-06-01T12:00:00Z", True),
    ("DateLessThanEquals", "d", "2025-06-01", False),
    ("DateGreaterThan", "d", "2025-06-01", True),
    ("DateGreaterThan", "d", "2025-06-01T12:00:00Z", False),
    ("DateGreaterThanEquals", "d", "2025-06-01T12:00:00Z", True),
    ("DateGreaterThanEquals", "d", "2025-06-02", False),
    ("DateGreaterThan", "s", "2025-06-01", False),
    ("Bool", "b", "true", True),
    ("Bool", "b", True, True),
    ("Bool", "b", "TRUE", True),
    ("Bool", "b", "false", False),
    ("Bool", "none", "false", False),
    ("BinaryEquals", "bin", "QmluYXJ5", True),
    ("BinaryEquals", "bin", "QmluYXJ6", False),
    ("IpAddress", "ip", "10.0.0.0/24", True),
    ("IpAddress", "ip", "10.0.0.36", True),
    ("IpAddress", "ip", ["10.1.0.0/16", "10.0.1.0/24"], False),
    ("IpAddress", "ip6", "2001:db8::/32", True),
    ("IpAddress", "ip6", "0.0.0.0/0", False),
    ("IpAddress", "s", "0.0.0.0/0", False),
    ("IpAddress", "none", "0.0.0.0/0", False),
    ("NotIpAddress", "ip", "10.0.0.0/24", False),
    ("NotIpAddress", "ip", "10.0.1.0/24", True),
    ("NotIpAddress", "none", "0.0.0.0/0", True),
    ("Null", "s", "false", True),
    ("Null", "s", "true", False),
    ("Null", "none", "true", True),
    ("Null", "none", True, True),
    ("Null", "none", "false", False),
    ("StringEqualsIfExists", "none", "x", True),
    ("StringEqualsIfExists", "s", "x", False),
    ("StringNotEqualsIfExists", "none", "x", True),
    ("NumericLessThanIfExists", "none", "5", True),
    ("NumericLessThanIfExists", "n", "5", False),
    ("ArnLikeIfExists", "none", "arn:aws:ec2:*:*:vpc/*", True),
    ("BoolIfExists", "b", "false", False),
    ("IpAddressIfExists", "none", "10.0.0.0/8", True),
    ("ForAnyValue:StringEquals", "tags", "a", True),
    ("ForAnyValue:StringEquals", "tags", "c", False),
    ("ForAnyValue:StringEquals", "none", "a", False),
    ("ForAnyValue:StringEqualsIfExists", "none", "a", False),
    ("ForAnyValue:StringLike", "tags", ["x*", "b*"], True),
    ("ForAnyValue:StringNotEquals", "tags", "a", True),
    ("ForAnyValue:StringNotEquals", "tags", ["a", "b"], False),
    ("ForAnyValue:StringNotEquals", "none", "a", False),
    ("ForAllValues:StringEquals", "tags", ["a", "b", "c"], True),
    ("ForAllValues:StringEquals", "tags", "a", False),
    ("ForAllValues:StringEquals", "none", "a", True),
    ("ForAllValues:StringNotEquals", "tags", "c", True),
    ("ForAllValues:StringNotEquals", "tags", "a", False),
    ("ForAllValues:StringLike", "tags", "?", True),
    # An operator without a set on a key with several values: each must compare (assumed).
    ("StringEquals", "tags", "a", False),
    ("StringEquals", "tags", ["a", "b"], True),
    ("StringNotEquals", "tags", "a", False),
    ("StringNotEquals", "tags", "c", True),
]


@pytest.mark.parametrize(("operator", "key", "values", "expected"), TABLE)
def test_an_operator(operator: str, key: str, values: Any, expected: bool) -> None:
    assert holds({operator: {key: values}}) is expected


def test_the_table_has_every_operator() -> None:
    bare = {row[0].split(":")[-1].removesuffix("IfExists") for row in TABLE}
    assert bare == {*OPERATORS, "Null"}
    for operator in OPERATORS:
        assert {row[3] for row in TABLE if row[0] == operator} == {True, False}, operator


def test_all_keys_and_all_operators_must_hold() -> None:
    assert holds({})
    assert holds({"StringEquals": {"s": "Word", "b": "true"}, "NumericLessThan": {"n": "6"}})
    assert not holds({"StringEquals": {"s": "Word", "b": "false"}})
    assert not holds({"StringEquals": {"s": "Word"}, "NumericLessThan": {"n": "5"}})


@pytest.mark.parametrize(
    ("element", "words"),
    [
        ([], "not an object"),
        ({"StringEquals": "x"}, "StringEquals is not an object"),
        ({"StringIs": {"s": "x"}}, "no condition operator StringIs"),
        ({"StringIs": {}}, "no condition operator StringIs"),
        ({"stringequals": {"s": "x"}}, "no condition operator"),
        ({"NullIfExists": {"s": "true"}}, "no condition operator"),
        ({"ForAnyValue:Null": {"s": "true"}}, "no condition operator"),
        ({"ForSomeValues:StringEquals": {"s": "x"}}, "no condition operator"),
        ({"NumericEquals": {"n": "five"}}, "NumericEquals of n"),
        ({"NumericEquals": {"n": "nan"}}, "NumericEquals of n"),
        ({"DateEquals": {"d": "yesterday"}}, "DateEquals of d"),
        ({"DateEquals": {"d": "9" * 400}}, "DateEquals of d"),
        ({"Bool": {"b": "maybe"}}, "Bool of b"),
        ({"Null": {"b": "maybe"}}, "Null of b"),
        ({"IpAddress": {"ip": "10.0.0.0/33"}}, "IpAddress of ip"),
        ({"StringEquals": {"s": None}}, "no value"),
        ({"StringEquals": {"s": [{"x": 1}]}}, "no value"),
    ],
)
def test_what_is_no_condition(element: Any, words: str) -> None:
    with pytest.raises(InvalidConditionError) as caught:
        conditions(element, variables=True)
    assert words in str(caught.value), json.dumps(element)


def test_variables_only_in_new_policies() -> None:
    (condition,) = conditions({"StringEquals": {"s": "${aws:username}"}}, variables=False)
    assert not condition.holds(CONTEXT)
    assert condition.holds({"s": ("${aws:username}",)})


def test_it_names_the_keys_it_looks_at() -> None:
    (condition,) = conditions({"StringLike": {"aws:ResourceTag/A": ["${aws:username}/*", "x"]}}, variables=True)
    assert condition.keys == {"aws:resourcetag/a", "aws:username"}
