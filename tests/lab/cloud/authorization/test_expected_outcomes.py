"""The outcomes that are expected of the rights to move a virtual IP and its Elastic IP, and what a refusal says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.lab.cloud.authorization.conftest import ASSIGN, ASSOCIATE, Callers, allow, deny
from tests.lab.cloud.authorization.scene import (
    ACCOUNT,
    HERE,
    Scene,
    assign,
    associate,
    permitted,
)
from tests.lab.cloud.conftest import refused

pytestmark = pytest.mark.cloud
BOTH = [ASSIGN, ASSOCIATE]
TAGGED = {"Condition": {"StringEquals": {"aws:ResourceTag/Role": "director"}}}
# Whether AWS lets such a role assign to A, assign to B, associate with A, associate with B.
EXPECTED: dict[str, tuple[Callable[[Scene], list[dict[str, Any]]], tuple[bool, bool, bool, bool]]] = {
    "nothing": (lambda s: [], (False, False, False, False)),
    "own interface and the Elastic IP": (
        lambda s: [allow(BOTH, [s.arn("eni-a"), s.arn("eip-service")])],
        (True, False, True, False),
    ),
    "all interfaces and Elastic IPs": (
        lambda s: [allow(BOTH, [f"{HERE}:network-interface/*", f"{HERE}:elastic-ip/*"])],
        (True, True, True, True),
    ),
    "everything of EC2": (lambda s: [allow(BOTH, "arn:aws:ec2:*:*:*")], (True, True, True, True)),
    "another region": (
        lambda s: [allow(BOTH, Condition={"StringEquals": {"aws:RequestedRegion": "eu-west-1"}})],
        (False, False, False, False),
    ),
    "this region": (
        lambda s: [allow(BOTH, Condition={"StringEquals": {"aws:RequestedRegion": "us-east-1"}})],
        (True, True, True, True),
    ),
    "tagged ones": (lambda s: [allow(BOTH, **TAGGED)], (True, False, True, False)),
    "everything but B": (
        lambda s: [allow(BOTH), deny(BOTH, s.arn("eni-b"))],
        (True, False, True, False),
    ),
    "assign only": (lambda s: [allow(ASSIGN)], (True, True, False, False)),
    "the Elastic IP without an interface": (
        lambda s: [allow(BOTH, s.arn("eip-service"))],
        (False, False, False, False),
    ),
    "an interface without the Elastic IP": (
        lambda s: [allow(BOTH, s.arn("eni-a"))],
        (True, False, False, False),
    ),
    # The Elastic IP has no such key, so the condition on both actions denies Associate.
    "both, by the interface's id": (
        lambda s: [allow(BOTH, Condition={"StringEquals": {"ec2:NetworkInterfaceID": s.ids["eni-a"]}})],
        (True, False, False, False),
    ),
    "by the interface's id, if there is one": (
        lambda s: [allow(BOTH, Condition={"StringEqualsIfExists": {"ec2:NetworkInterfaceID": s.ids["eni-a"]}})],
        (True, False, True, False),
    ),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_expected_outcomes(scene: Scene, callers: Callers, name: str) -> None:
    statements, outcomes = EXPECTED[name]
    for tagged in ("eni-a", "eip-service"):
        scene.world.ec2.create_tags(Resources=[scene.ids[tagged]], Tags=[{"Key": "Role", "Value": "director"}])
    ec2 = callers.role(*statements(scene))("ec2")
    found = (assign(ec2, scene, "eni-a"), assign(ec2, scene, "eni-b"))
    assert (*found, associate(ec2, scene, "eni-a"), associate(ec2, scene, "eni-b")) == outcomes


def test_the_sentences_of_a_refusal(scene: Scene, callers: Callers) -> None:
    session = callers.role(allow(ASSIGN, scene.arn("eni-a")), deny(ASSOCIATE, scene.arn("eip-service")))
    who = f"User: arn:aws:sts::{ACCOUNT}:assumed-role/{session.name}/a-session is not authorized to perform: "
    ec2 = session("ec2")
    with refused(
        "UnauthorizedOperation",
        f"You are not authorized to perform this operation. {who}{ASSIGN} on resource: {scene.arn('eni-b')} because no "
        f"identity-based policy allows the {ASSIGN} action",
    ):
        ec2.assign_private_ip_addresses(NetworkInterfaceId=scene.ids["eni-b"], PrivateIpAddresses=["10.0.0.100"])
    with refused(
        "UnauthorizedOperation",
        f"{who}{ASSOCIATE} on resource: {scene.arn('eip-service')} with an explicit deny in an identity-based policy",
    ):
        ec2.associate_address(NetworkInterfaceId=scene.ids["eni-a"], AllocationId=scene.ids["eip-service"])
    with refused("UnauthorizedOperation", f"{who}ec2:DescribeVpcs because no identity-based policy allows"):
        ec2.describe_vpcs()


def test_a_dry_run_is_authorized_first(scene: Scene, callers: Callers) -> None:
    arguments = {"NetworkInterfaceId": scene.ids["eni-a"], "AllocationId": scene.ids["eip-service"], "DryRun": True}
    with refused("UnauthorizedOperation"):
        callers.role()("ec2").associate_address(**arguments)
    with refused("DryRunOperation"):
        callers.role(allow(ASSOCIATE))("ec2").associate_address(**arguments)
    assert scene.world.interface(scene.ids["eni-a"]).get("Association") is None


def test_what_is_refused_does_not_happen(scene: Scene, callers: Callers) -> None:
    ec2 = callers.role()("ec2")
    assert not permitted(ec2.terminate_instances, InstanceIds=[scene.ids["i-a"]])
    assert not assign(ec2, scene, "eni-a")
    assert scene.world.instance(scene.ids["i-a"])["State"]["Name"] == "running"
    assert scene.world.addresses(scene.ids["eni-a"]) == ["10.0.0.36"]
