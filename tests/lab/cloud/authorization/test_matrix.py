"""What a director may do, and what it may not: calls with the credentials it got from its own metadata service.

The project's own program is deployed, so the policy is the real one (components/identity.py). The matrix is printed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from rich.console import Console
from rich.table import Table
from werkzeug.test import Client

from lab.cloud.instance_facts import InstanceRegister
from lab.cloud.local import LocalCloud
from lab.cloud.metadata_service import MetadataService
from lab.engine.deploy import deploy
from lab.provider import AwsProvider
from lab.stack.project import load_project
from tests.lab.cloud.authorization.conftest import allow, document
from tests.lab.cloud.authorization.director_calls import CLAIMS, DENIED, OTHERS, YES, Stack, assign, director, metadata
from tests.lab.cloud.authorization.scene import ACCOUNT
from tests.lab.cloud.conftest import client

PROJECT = Path(__file__).resolve().parents[4]
pytestmark = pytest.mark.cloud


@pytest.fixture(scope="module")
def stack(running_cloud: LocalCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running_cloud.account.reset()
    project = load_project(PROJECT)
    provider = AwsProvider(endpoint_url=running_cloud.endpoint)
    state = tmp_path_factory.mktemp("matrix") / "state.json"
    outputs = deploy(project, project.stack("local"), provider, state).outputs
    http = Client(MetadataService(InstanceRegister(running_cloud.account).facts_of))
    own, peer = outputs["directors"]
    yield Stack(
        cloud=running_cloud,
        ec2=client(running_cloud, "ec2"),
        outputs=outputs,
        http=http,
        director=director(running_cloud, http, own),
        other=director(running_cloud, http, peer),
        own=own,
        peer=peer,
    )
    running_cloud.account.reset()


def outcome(stack: Stack, call: Callable[[Stack], Any]) -> str:
    try:
        call(stack)
    except ClientError as error:
        return f"{error.response['Error']['Code']} {error.response['ResponseMetadata']['HTTPStatusCode']}"
    except LookupError as error:
        return f"something is gone: {error!r}"
    return YES


def test_the_matrix(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("call of director 1", "expected", "found", title="A director's role, by its own credentials")
    rows = CLAIMS + OTHERS
    found = [outcome(stack, call) for _, call, _ in rows]
    for (what, _, expected), got in zip(rows, found, strict=True):
        table.add_row(what, expected, got if got == expected else f"{got}  <---")
    with capsys.disabled():
        print()
        Console(width=120).print(table)
    assert found == [expected for _, _, expected in rows]
    assert len(rows) >= 40


def test_what_it_was_refused_did_not_happen(stack: Stack) -> None:
    assert DENIED in [outcome(stack, call) for _, call, _ in CLAIMS + OTHERS]
    instances = [each for found in stack.ec2.describe_instances()["Reservations"] for each in found["Instances"]]
    assert {each["State"]["Name"] for each in instances} == {"running"} and len(instances) == 4
    holder = stack.described("addresses", allocation_id=stack.service)
    assert (holder["NetworkInterfaceId"], holder["PrivateIpAddress"]) == (stack.own["interfaceId"], stack.virtual_ip)
    assert stack.described("instances", instance_id=stack.own["instanceId"])["Instances"][0]["SourceDestCheck"] is False
    assert stack.cloud.account.iam.users == {}


def test_the_other_director_may_the_same_for_itself(stack: Stack) -> None:
    swapped = replace(stack, director=stack.other, other=stack.director, own=stack.peer, peer=stack.own)
    for what, call, expected in CLAIMS:
        assert outcome(swapped, call) == expected, what
    assert outcome(stack, lambda s: assign(s, s.own)) == YES  # and back


@pytest.mark.parametrize("which", ["own", "peer"])
def test_it_is_known_as_its_instance(stack: Stack, which: str) -> None:
    caller, shown = (stack.director, stack.own) if which == "own" else (stack.other, stack.peer)
    assert caller("sts").get_caller_identity()["Arn"] == (
        f"arn:aws:sts::{ACCOUNT}:assumed-role/{caller.name}/{shown['instanceId']}"
    )


def test_the_instance_is_a_condition_key(stack: Stack) -> None:
    """ec2:SourceInstanceARN: of the credentials of an instance, and of nobody who takes its role otherwise."""
    iam, name = stack.director.iam, stack.director.name
    for instance, expected in ((stack.own["instanceId"], YES), (stack.peer["instanceId"], DENIED)):
        arn = f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/{instance}"
        only = allow("ec2:DescribeVpcs", Condition={"ArnEquals": {"ec2:SourceInstanceARN": arn}})
        iam.put_role_policy(RoleName=name, PolicyName="test", PolicyDocument=document(only))
        try:
            assert outcome(stack, lambda s: s.director("ec2").describe_vpcs()) == expected
            arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
            keys = client(stack.cloud, "sts").assume_role(RoleArn=arn, RoleSessionName=instance)["Credentials"]
            fake = replace(
                stack.director,
                key_id=keys["AccessKeyId"],
                secret=keys["SecretAccessKey"],
                token=keys["SessionToken"],
                clients={},
            )
            assert outcome(replace(stack, director=fake), lambda s: s.director("ec2").describe_vpcs()) == DENIED
        finally:
            iam.delete_role_policy(RoleName=name, PolicyName="test")


def test_a_web_server_has_no_credentials(stack: Stack) -> None:
    for shown in stack.outputs["webServers"]:
        assert metadata(stack.http, shown["privateIp"], "iam/security-credentials/")[0] == 404
