"""Calls that would succeed, with parameters added by chance: each is done or refused, never a failure of the cloud's.

`tests/lab/cloud/test_random_calls.py` draws everything by chance; these start from real ids, and so get further.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from botocore.model import ListShape, Shape, StructureShape

from tests.lab.cloud.conftest import World, refused
from tests.lab.cloud.ec2.conftest import LabCloud
from tests.lab.cloud.ec2.test_dry_run import every_call

pytestmark = pytest.mark.cloud
CALLS = 300
DEEPEST = 4
NUMBERS = (0, 1, 2, -1, 5, 80, 65535, 65536, 1000)
WORDS = ("10.0.0.100", "10.0.0.36", "10.0.0.0/24", "0.0.0.0/0", "::/0", "nonsense", "tcp", "112", "-1", "", "é")
# Besides what `every_call` changes.
ASKED = (
    *("assign_private_ip_addresses", "unassign_private_ip_addresses", "describe_addresses", "describe_instances"),
    *("describe_network_interfaces", "describe_security_groups", "describe_security_group_rules", "describe_tags"),
    *("describe_instance_types", "describe_images", "describe_route_tables", "describe_instance_attribute"),
)


def value(dice: random.Random, shape: Shape, words: Sequence[str], depth: int = 0) -> Any:
    """Something of that shape; structures lack most of their members."""
    if isinstance(shape, StructureShape):
        chosen = {name: each for name, each in shape.members.items() if depth < DEEPEST and dice.random() < 0.35}
        return {name: value(dice, each, words, depth + 1) for name, each in chosen.items()}
    if isinstance(shape, ListShape):
        return [value(dice, shape.member, words, depth + 1) for _ in range(dice.randint(0, 2))]
    plain = {"boolean": dice.random() < 0.5, "blob": b"x", "timestamp": 0, "float": 1.5, "double": 1.5}
    if shape.type_name in plain:
        return plain[shape.type_name]
    if shape.type_name in ("integer", "long"):
        return dice.choice(NUMBERS)
    return dice.choice(getattr(shape, "enum", None) or words)


def texts(given: object) -> list[str]:
    """The words in requests: ids of what there is."""
    if isinstance(given, Mapping):
        return [text for each in given.values() for text in texts(each)]
    if isinstance(given, list):
        return [text for each in given for text in texts(each)]
    return [given] if isinstance(given, str) else []


@pytest.mark.parametrize("seed", [5, 6, 8])
def test_no_call_makes_the_cloud_fail(world: World, seed: int) -> None:
    dice = random.Random(seed)
    requests = every_call(world)
    words = [*WORDS, *texts(requests)]
    failures, done = [], 0
    for _ in range(CALLS):
        name = dice.choice([*requests, *ASKED])
        shape = world.ec2.meta.service_model.operation_model(world.ec2.meta.method_to_api_mapping[name]).input_shape
        request = dict(requests.get(name, {}))
        for member, inner in shape.members.items():
            needed = member in shape.required_members and member not in request
            if member != "DryRun" and (needed or dice.random() < 0.15):
                request[member] = value(dice, inner, words)
        try:
            getattr(world.ec2, name)(**request)
            done += 1
        except world.ec2.exceptions.ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
                failures.append((name, request, error.response["Error"]["Message"]))
        except (TypeError, AttributeError):
            pass  # the SDK cannot write it
    assert failures == []
    assert done > CALLS / 50


def test_parts_that_lack_what_names_them(world: World, director: Any, lab_cloud: LabCloud) -> None:
    """What chance found: entries of lists without their one necessary member."""
    ec2, group, instance = world.ec2, world.group, director["InstanceId"]
    with refused("InvalidParameterValue", "Tag value cannot be null. Use empty string instead."):
        ec2.create_tags(Resources=[instance], Tags=[{"Key": "role"}])
    with refused("InvalidParameterValue", "Tag keys cannot be empty"):
        ec2.delete_tags(Resources=[instance], Tags=[{"Value": "x"}])
    with refused("InvalidParameterValue"):
        ec2.create_network_interface(SubnetId=world.subnet, PrivateIpAddresses=[{"Primary": True}])
    with refused("MissingParameter", "ipv6Address"):
        ec2.create_network_interface(SubnetId=world.subnet, Ipv6Addresses=[{"IsPrimaryIpv6": True}])
    rule = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIpv4": "0.0.0.0/0"}
    with refused("MissingParameter", "SecurityGroupRuleId"):
        ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=[{"SecurityGroupRule": rule}])
    with refused("MissingParameter", "SecurityGroupRule"):  # the SDK leaves the empty one out and numbers on
        ec2.modify_security_group_rules(GroupId=group, SecurityGroupRules=[{}, {"SecurityGroupRuleId": "sgr-0"}])
    launch = {"MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro", "SubnetId": world.subnet}
    with refused("MissingParameter", "launchTemplateId"):
        ec2.run_instances(**launch, LaunchTemplate={"Version": "1"})
    with refused("InvalidLaunchTemplateId.NotFound"):
        ec2.run_instances(**launch, LaunchTemplate={"LaunchTemplateId": "lt-0123456789abcdef0"})
