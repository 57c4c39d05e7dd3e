"""What counts as a change, and what a refresh takes over."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lab.protocol.contract import UNKNOWN, Properties
from lab.provider.aws import TYPES
from lab.provider.comparing import compare, followed, same

INSTANCE = TYPES["aws:ec2/instance:Instance"].inputs
RULE = TYPES["aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"].inputs
VPC = TYPES["aws:ec2/vpc:Vpc"].inputs
TABLE = TYPES["aws:ec2/routeTable:RouteTable"].inputs
POLICY = TYPES["aws:iam/rolePolicy:RolePolicy"].inputs["policy"]


def policy(action: Any, statements: Any = None) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement] if statements is None else statement})


@pytest.mark.parametrize(
    ("known", "old", "new", "equal"),
    [
        (POLICY, policy(["a", "b"]), policy(["b", "a"]), True),
        (POLICY, policy(["a"]), policy("a"), True),
        (POLICY, policy("a"), policy("a", statements=1), True),
        (POLICY, policy("a"), policy("b"), False),
        (RULE["ipProtocol"], "tcp", "6", True),
        (RULE["ipProtocol"], "tcp", "TCP", True),
        (RULE["ipProtocol"], "tcp", "17", False),
        (RULE["fromPort"], 0, None, False),
        (RULE["fromPort"], None, 0, False),
        (RULE["fromPort"], None, None, True),
        (RULE["cidrIpv6"], "::0/0", "::/0", True),
        (RULE["description"], "", None, True),
        (VPC["tags"], {}, None, True),
        (VPC["tags"], {"A": "1"}, {"A": UNKNOWN}, False),
        (VPC["enableDnsHostnames"], False, None, True),
        (VPC["cidrBlock"], "x", UNKNOWN, False),
        (VPC["cidrBlock"], UNKNOWN, UNKNOWN, False),
        (VPC["tags"], {"A": UNKNOWN}, {"A": UNKNOWN}, False),
        (INSTANCE["vpcSecurityGroupIds"], ["a", "b"], ["b", "a"], True),
        (INSTANCE["vpcSecurityGroupIds"], ["a"], ["a", "b"], False),
        (INSTANCE["metadataOptions"], {"httpTokens": "required", "httpEndpoint": "enabled"}, {}, True),
        (INSTANCE["metadataOptions"], {"httpTokens": "required"}, {"httpTokens": "optional"}, False),
        (INSTANCE["rootBlockDevice"], None, {"encrypted": True}, False),
        (
            TABLE["routes"],
            [{"cidrBlock": "a", "gatewayId": "g", "vpcEndpointId": ""}, {"cidrBlock": "b", "gatewayId": "h"}],
            [{"cidrBlock": "b", "gatewayId": "h"}, {"cidrBlock": "a", "gatewayId": "g"}],
            True,
        ),
        (TABLE["routes"], [{"cidrBlock": "a", "gatewayId": "g"}], [{"cidrBlock": "a", "gatewayId": "h"}], False),
        (TABLE["routes"], [{"cidrBlock": "a", "gatewayId": "g"}], [], False),
    ],
)
def test_same(known: Any, old: Any, new: Any, equal: bool) -> None:
    assert same(known, old, new) is equal


def test_the_kind_of_a_rules_source_replaces_it_and_a_value_does_not() -> None:
    old: Properties = {"cidrIpv4": "10.0.0.0/8"}
    assert compare(RULE, old, {"cidrIpv4": "11.0.0.0/8"}) == (("cidrIpv4",), ())
    both = ("cidrIpv4", "referencedSecurityGroupId")
    assert compare(RULE, old, {"referencedSecurityGroupId": "sg-1"}) == (both, both)


def test_tenancy_goes_from_dedicated_to_default_in_place_only() -> None:
    assert compare(VPC, {"instanceTenancy": "dedicated"}, {"instanceTenancy": "default"}) == (("instanceTenancy",), ())
    forced = (("instanceTenancy",), ("instanceTenancy",))
    assert compare(VPC, {"instanceTenancy": "default"}, {"instanceTenancy": "dedicated"}) == forced


def test_user_data_replaces_only_where_the_program_says_so() -> None:
    old: Properties = {"userData": "a"}
    assert compare(INSTANCE, old, {"userData": "b"}) == (("userData",), ())
    wanted: Properties = {"userData": "b", "userDataReplaceOnChange": True}
    assert compare(INSTANCE, old, wanted)[1] == ("userData",)
    # The flag alone is an update (measured on the real engine with the real provider's plan).
    flag: Properties = {"userData": "a", "userDataReplaceOnChange": True}
    assert compare(INSTANCE, old, flag) == (("userDataReplaceOnChange",), ())


def test_of_a_disk_only_encryption_and_key_replace() -> None:
    old: Properties = {"rootBlockDevice": {"encrypted": False, "volumeSize": 8, "volumeType": "gp2", "volumeId": "v"}}
    grown: Properties = {"rootBlockDevice": {"encrypted": False, "volumeSize": 9, "volumeType": "gp3"}}
    assert compare(INSTANCE, old, grown) == (("rootBlockDevice",), ())
    assert compare(INSTANCE, old, {"rootBlockDevice": {"encrypted": True}})[1] == ("rootBlockDevice",)
    assert compare(INSTANCE, old, {"rootBlockDevice": {}}) == ((), ())
    assert compare(INSTANCE, old, {}) == ((), ())


@pytest.mark.parametrize(
    ("name", "declared", "found", "after"),
    [
        ("sourceDestCheck", False, True, True),
        ("sourceDestCheck", False, False, False),
        ("vpcSecurityGroupIds", ["b", "a"], ["a", "b"], ["b", "a"]),
        ("vpcSecurityGroupIds", ["b", "a"], ["a"], ["a"]),
        ("metadataOptions", {"httpTokens": "required"}, {"httpTokens": "optional", "x": 1}, {"httpTokens": "optional"}),
        ("metadataOptions", {"httpTokens": "required"}, {"httpTokens": "required", "x": 1}, {"httpTokens": "required"}),
    ],
)
def test_an_input_follows_what_is_found_where_it_means_something_else(
    name: str, declared: Any, found: Any, after: Any
) -> None:
    assert followed(INSTANCE[name], declared, found) == after
