"""Faults on demand, as callers of the API and of metadata meet them, over HTTP."""

from __future__ import annotations

import http.client
import json
import threading
import time
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError
from werkzeug.test import EnvironBuilder, run_wsgi_app

from lab.cloud.api import Api
from lab.cloud.local import LocalCloud
from lab.fabric.model import Block
from lab.fault_client import FaultClient, FaultRefusedError
from tests.lab.cloud.conftest import World, client, interface_of, refused, wait_for

pytestmark = pytest.mark.cloud
VIRTUAL_IP = "10.0.0.100"


@pytest.fixture
def faults(cloud: LocalCloud) -> FaultClient:
    return FaultClient(endpoint=cloud.endpoint)


@pytest.fixture
def impatient(cloud: LocalCloud) -> Any:
    """A client with the agent's patience: one attempt, half a second."""
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=1, read_timeout=0.5)
    keys = {"aws_access_key_id": "lab", "aws_secret_access_key": "lab"}
    return boto3.client("ec2", endpoint_url=cloud.endpoint, region_name="us-east-1", config=config, **keys)


def assign(ec2: Any, interface: str) -> Any:
    return ec2.assign_private_ip_addresses(
        NetworkInterfaceId=interface, PrivateIpAddresses=[VIRTUAL_IP], AllowReassignment=True
    )


@pytest.mark.parametrize(
    ("effect", "code", "status"),
    [
        ("throttled", "RequestLimitExceeded", 503),
        ("denied", "UnauthorizedOperation", 403),
        ("error", "InternalError", 500),
    ],
)
def test_a_refused_call_changes_nothing_and_others_go_through(
    faults: FaultClient, world: World, impatient: Any, effect: str, code: str, status: int
) -> None:
    interface = interface_of(world.launch("10.0.0.36"))
    faults.add({"kind": "api", "effect": effect, "actions": ["Assign*"]})
    with pytest.raises(ClientError) as caught:
        assign(impatient, interface)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert world.addresses(interface) == ["10.0.0.36"]  # and DescribeNetworkInterfaces is not concerned


def test_a_lying_call_is_done_all_the_same(faults: FaultClient, world: World, impatient: Any) -> None:
    interface = interface_of(world.launch("10.0.0.36"))
    faults.add({"kind": "api", "effect": "lying", "actions": ["AssignPrivateIpAddresses"], "times": 1})
    with refused("InternalError"):
        assign(impatient, interface)
    assert world.addresses(interface) == ["10.0.0.36", VIRTUAL_IP]
    assign(impatient, interface)  # it was to lie once
    assert faults.current() == []


def test_a_slow_call_takes_longer_and_is_let_go_when_cleared(faults: FaultClient, ec2: Any) -> None:
    faults.add({"kind": "api", "effect": "slow", "seconds": 0.4})
    began = time.monotonic()
    ec2.describe_vpcs()
    assert time.monotonic() - began >= 0.4
    faults.clear(faults.current()[0]["id"])
    slow = faults.add({"kind": "api", "effect": "slow", "seconds": 60})
    threading.Timer(0.3, faults.clear, [slow["id"]]).start()
    began = time.monotonic()
    ec2.describe_vpcs()
    assert 0.25 < time.monotonic() - began < 10


def test_a_silent_api_takes_the_call_and_never_answers(faults: FaultClient, impatient: Any, world: World) -> None:
    interface = interface_of(world.launch("10.0.0.36"))
    faults.add({"kind": "api", "effect": "silent", "actions": ["AssignPrivateIpAddresses"]})
    with pytest.raises(ReadTimeoutError):
        assign(impatient, interface)
    assert world.addresses(interface) == ["10.0.0.36"]


def test_an_unreachable_api_answers_nobody(faults: FaultClient, impatient: Any) -> None:
    faults.add({"kind": "api", "effect": "unreachable"})
    with pytest.raises(ConnectionClosedError):
        impatient.describe_vpcs()


def test_ssm_and_iam_refuse_in_their_own_words(faults: FaultClient, cloud: LocalCloud) -> None:
    faults.add({"kind": "api", "effect": "throttled"})
    for service, call in (("iam", "list_roles"), ("ssm", "describe_parameters"), ("sts", "get_caller_identity")):
        with refused("RequestLimitExceeded", "limit"):
            getattr(client(cloud, service), call)()


def test_a_fault_of_one_machine_leaves_the_others_alone(faults: FaultClient, cloud: LocalCloud, world: World) -> None:
    iam = client(cloud, "iam")
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
    iam.create_role(
        RoleName="director", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    iam.create_instance_profile(InstanceProfileName="director")
    iam.add_role_to_instance_profile(InstanceProfileName="director", RoleName="director")
    allow = {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName="director", PolicyName="all", PolicyDocument=document)
    machines = [
        world.launch(address, IamInstanceProfile={"Name": "director"}) for address in ("10.0.0.36", "10.0.0.56")
    ]
    faults.add({"kind": "api", "effect": "error", "machine": machines[0]["InstanceId"]})
    for machine, fails in zip(machines, (True, False), strict=True):
        told = json.loads(metadata(cloud, machine["InstanceId"], "iam/security-credentials/director"))
        ec2 = client(
            cloud,
            "ec2",
            aws_access_key_id=told["AccessKeyId"],
            aws_secret_access_key=told["SecretAccessKey"],
            aws_session_token=told["Token"],
        )
        if fails:
            with refused("InternalError"):
                ec2.describe_vpcs()
        else:
            ec2.describe_vpcs()


def metadata(cloud: LocalCloud, instance_id: str, path: str) -> str:
    connection = http.client.HTTPConnection(cloud.endpoint.removeprefix("http://"), timeout=5)
    base = f"/_lab/instances/{instance_id}/latest"
    connection.request("PUT", f"{base}/api/token", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"})
    token = connection.getresponse().read().decode()
    connection.request("GET", f"{base}/meta-data/{path}", headers={"X-aws-ec2-metadata-token": token})
    answer = connection.getresponse()
    assert answer.status == 200
    return answer.read().decode()


def test_metadata_is_slow_or_gone_for_one_machine(faults: FaultClient, cloud: LocalCloud, world: World) -> None:
    one, other = (world.launch(address)["InstanceId"] for address in ("10.0.0.36", "10.0.0.56"))
    slow = faults.add({"kind": "metadata", "effect": "slow", "seconds": 0.3, "machine": one})
    began = time.monotonic()
    metadata(cloud, other, "instance-id")
    quick = time.monotonic() - began
    metadata(cloud, one, "instance-id")
    assert time.monotonic() - began - quick >= 0.6  # a token and a leaf
    faults.clear(slow["id"])
    faults.add({"kind": "metadata", "effect": "gone", "machine": one})
    metadata(cloud, other, "instance-id")
    with pytest.raises(http.client.RemoteDisconnected):
        metadata(cloud, one, "instance-id")


def test_a_slow_remap_is_cut_short_when_it_is_cleared(faults: FaultClient, cloud: LocalCloud, world: World) -> None:
    machine = world.launch("10.0.0.36")

    def seen() -> bool:
        mac = machine["NetworkInterfaces"][0]["MacAddress"]
        return VIRTUAL_IP in metadata(cloud, machine["InstanceId"], f"network/interfaces/macs/{mac}/local-ipv4s")

    slow = faults.add({"kind": "remap", "seconds": 300})
    assign(world.ec2, interface_of(machine))
    time.sleep(0.3)
    assert not seen()
    faults.clear(slow["id"])
    wait_for(seen, seconds=5)


def test_faults_of_packets_are_handed_to_the_fabric(faults: FaultClient, cloud: LocalCloud, world: World) -> None:
    machine = world.launch("10.0.0.36")
    interface = interface_of(machine)

    def blocks() -> tuple[Block, ...]:
        return cloud.substrate.state.blocks  # type: ignore[attr-defined, no-any-return]

    faults.add({"kind": "block", "first": interface, "second": "*", "protocol": "vrrp"})
    faults.add({"kind": "api", "effect": "unreachable", "machine": machine["InstanceId"]})
    faults.add({"kind": "metadata", "effect": "gone"})
    faults.add({"kind": "block", "first": "*", "second": interface, "protocol": "006", "port": 80, "both_ways": False})
    assert blocks() == (
        Block(first=interface, second="*", protocol="112"),
        Block(first=interface, second="api"),
        Block(first="*", second="metadata"),
        Block(first="*", second=interface, protocol="6", port=80, both_ways=False),
    )
    for each in faults.current():
        faults.clear(each["id"])
    assert blocks() == ()


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, ["kind"]),
        ({"kind": "weather"}, ["weather"]),
        ({"kind": "api", "effect": "tired", "times": 0}, ["effect", "times"]),
        ({"kind": "api", "effect": "slow"}, ["seconds"]),
        ({"kind": "api", "effect": "error", "seconds": 1}, ["seconds"]),
        ({"kind": "api", "effect": "unreachable", "times": 2}, ["times"]),
        ({"kind": "api", "effect": "error", "machine": "director-1", "colour": "red"}, ["machine", "colour"]),
        ({"kind": "remap", "seconds": -1}, ["seconds"]),
        ({"kind": "block", "first": "eni-1", "second": "moon"}, ["second"]),
        ({"kind": "block", "first": "*", "second": "*", "protocol": "999"}, ["999"]),
        ({"kind": "block", "first": "*", "second": "*", "protocol": "icmp", "port": 80}, ["port"]),
    ],
)
def test_a_fault_that_is_none_is_refused_with_all_that_is_wrong(
    faults: FaultClient, document: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(FaultRefusedError) as caught:
        faults.add(document)
    for word in words:
        assert word in str(caught.value)
    assert faults.current() == []


def test_an_unknown_id_is_refused_with_those_there_are(faults: FaultClient) -> None:
    there = faults.add({"kind": "remap", "seconds": 2})
    with pytest.raises(FaultRefusedError, match=there["id"]):
        faults.clear("remap-77")
    assert len(faults.current()) == 1


def test_reset_forgets_faults(faults: FaultClient, cloud: LocalCloud) -> None:
    faults.add({"kind": "api", "effect": "error"})
    cloud.account.reset()
    assert faults.current() == []


def test_only_the_host_may_empty_the_account(cloud: LocalCloud, world: World) -> None:
    machines = Api(cloud.account, delay_seconds=0)
    builder = EnvironBuilder("/moto-api/reset", method="POST")
    _, status, _ = run_wsgi_app(machines, builder.get_environ(), buffered=True)
    assert status.startswith("403")
    assert world.ec2.describe_vpcs(VpcIds=[world.vpc])["Vpcs"]
