"""Time limits: the program's, else the real provider's; what runs out names resource, state and time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab.protocol.contract import InitializationError, Properties, ProviderError, Resource
from lab.provider import AwsProvider, addresses, instance_changes, instances, network, routes
from lab.provider.account import Account
from lab.provider.aws import TYPES
from lab.provider.registry import Work
from lab.provider.tagging import Tagging
from tests.lab.provider.conftest import REGION, Aws
from tests.lab.provider.everything import IMAGE

pytestmark = pytest.mark.cloud
VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
INSTANCE = "aws:ec2/instance:Instance"
EIP = "aws:ec2/eip:Eip"
ASSOCIATION = "aws:ec2/eipAssociation:EipAssociation"
SHORT = 0.01


@pytest.fixture
def machine(aws: Aws) -> Properties:
    vpc = aws.make(VPC, "v", cidrBlock="10.0.0.0/16")
    aws.make("aws:ec2/internetGateway:InternetGateway", "g", vpcId=vpc.id)
    subnet = aws.make(SUBNET, "s", vpcId=vpc.id, cidrBlock="10.0.0.0/24")
    return {"ami": IMAGE, "instanceType": "t3.micro", "subnetId": subnet.id}


def stuck(monkeypatch: pytest.MonkeyPatch, module: Any, state: str) -> None:
    """From now on an instance seems to stay in this state."""
    real = module.instance_of
    monkeypatch.setattr(module, "instance_of", lambda *args: {**(real(*args) or {}), "State": {"Name": state}})


def test_a_launch_that_takes_too_long_is_kept_and_finished_by_the_next_update(
    aws: Aws, machine: Properties, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        stuck(patch, instance_changes, "pending")
        with pytest.raises(
            InitializationError,
            match=r"^Instance i \(i-\w+\) is pending after 0\.01 s, not running: look at `lab status`",
        ) as caught:
            aws.make(INSTANCE, "i", SHORT, **machine, sourceDestCheck=False)
    half = caught.value
    # What is there is known, so the next `up` sees that the check has not been switched off yet.
    assert half.outputs["instanceState"] in ("pending", "running") and half.outputs["sourceDestCheck"] is True
    inputs = aws.configured.check(
        Resource(type=INSTANCE, name="i"), {**machine, "sourceDestCheck": False}, seed=b""
    ).inputs
    kept = Resource(type=INSTANCE, name="i", id=half.id, inputs=inputs, outputs=half.outputs)
    changed, _, done = aws.change(kept, **machine, sourceDestCheck=False)
    assert changed == ("sourceDestCheck",)
    assert done.outputs["instanceState"] == "running" and done.outputs["sourceDestCheck"] is False


def test_an_instance_that_dies_says_why_at_once(aws: Aws, machine: Properties, monkeypatch: pytest.MonkeyPatch) -> None:
    reason = {"State": {"Name": "terminated"}, "StateReason": {"Message": "Client.VolumeLimitExceeded"}}
    monkeypatch.setattr(instance_changes, "instance_of", lambda *_: reason)
    with pytest.raises(InitializationError, match=r"is terminated instead of running: Client\.VolumeLimitExceeded"):
        aws.make(INSTANCE, "i", **machine)


@pytest.mark.parametrize(("state", "wanted"), [("stopping", "stopped"), ("pending", "running")])
def test_a_stop_or_start_that_takes_too_long_names_what_was_waited_for(
    aws: Aws, machine: Properties, monkeypatch: pytest.MonkeyPatch, state: str, wanted: str
) -> None:
    made = aws.make(INSTANCE, "i", **machine, userData="old")
    states = iter(["running"] if wanted == "stopped" else ["running", "stopped"])
    real = instance_changes.instance_of
    monkeypatch.setattr(
        instance_changes, "instance_of", lambda *args: {**(real(*args) or {}), "State": {"Name": next(states, state)}}
    )
    new = {**made.inputs, "userData": "new"}
    with pytest.raises(
        InitializationError, match=rf"Instance i \(i-\w+\) is {state} after 0\.01 s, not {wanted}"
    ) as caught:
        aws.configured.update(made, new, preview=False, timeout_seconds=SHORT)
    assert caught.value.id == made.id
    # Where the call itself came through, the state says so: the next `up` has no more to change there.
    assert caught.value.outputs["userData"] == ("old" if wanted == "stopped" else "new")


def test_a_deletion_that_takes_too_long(aws: Aws, machine: Properties, monkeypatch: pytest.MonkeyPatch) -> None:
    made = aws.make(INSTANCE, "i", **machine)
    stuck(monkeypatch, instances, "shutting-down")
    with pytest.raises(ProviderError, match=r"Instance i \(i-\w+\) is shutting-down after 0\.01 s, not terminated"):
        aws.configured.delete(made, timeout_seconds=SHORT)


@pytest.mark.parametrize("token", [GROUP, SUBNET, VPC, "aws:ec2/internetGateway:InternetGateway"])
def test_what_is_held_is_waited_for_and_named(world: dict[str, Resource], aws: Aws, token: str) -> None:
    """An interface in use holds group and subnet, a subnet its VPC, a public address the gateway."""
    name = world[token].name
    with pytest.raises(
        ProviderError, match=rf"\w+ {name} \([\w-]+\) is not let go of after 0\.01 s \(\w+: DependencyViolation: "
    ):
        aws.configured.delete(world[token], timeout_seconds=SHORT)


def test_a_role_in_use_is_waited_for_and_named(aws: Aws, client: Callable[[str], Any]) -> None:
    role = aws.make("aws:iam/role:Role", "r", assumeRolePolicy='{"Version": "2012-10-17", "Statement": []}')
    profile = aws.make("aws:iam/instanceProfile:InstanceProfile", "p", role=role.id)
    with pytest.raises(ProviderError, match=r"Role r \(r-\w+\) is not let go of after 0\.01 s \(DeleteRole: DeleteCon"):
        aws.configured.delete(role, timeout_seconds=SHORT)
    timer = threading.Timer(0.3, lambda: aws.drop(profile))
    timer.start()
    aws.drop(role)
    timer.join()


def never(monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    monkeypatch.setattr(module, name, lambda *_: None)


def test_what_ec2_does_not_show_in_time_is_kept_half_made(
    aws: Aws, machine: Properties, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = aws.make(INSTANCE, "i", **machine)
    address = aws.make(EIP, "e", domain="vpc")
    with monkeypatch.context() as patch:
        never(patch, addresses, "_read_association")
        with pytest.raises(
            InitializationError, match=r"EipAssociation a \(eipassoc-\w+\) is not associated after 0\.01 s, not associ"
        ) as caught:
            aws.make(ASSOCIATION, "a", SHORT, allocationId=address.id, instanceId=instance.id)
    assert caught.value.id.startswith("eipassoc-") and caught.value.outputs["instanceId"] == instance.id
    vpc = aws.make(VPC, "w", cidrBlock="10.1.0.0/16")
    with monkeypatch.context() as patch:
        never(patch, routes, "_table")
        with pytest.raises(InitializationError, match=r"RouteTable t \(rtb-\w+\) is gone after 0\.01 s, not there"):
            aws.make("aws:ec2/routeTable:RouteTable", "t", SHORT, vpcId=vpc.id)
    with monkeypatch.context() as patch:
        never(patch, network, "only")
        with pytest.raises(InitializationError, match=r"Vpc x \(vpc-\w+\) is gone after 0\.01 s, not available"):
            aws.make(VPC, "x", SHORT, cidrBlock="10.2.0.0/16")
        with pytest.raises(InitializationError, match=r"Subnet y \(subnet-\w+\) is gone after 0\.01 s, not available"):
            aws.make(SUBNET, "y", SHORT, vpcId=vpc.id, cidrBlock="10.1.1.0/24")
        with pytest.raises(InitializationError, match=r"InternetGateway z \(igw-\w+\) is gone after 0\.01 s, not vpc-"):
            aws.make("aws:ec2/internetGateway:InternetGateway", "z", SHORT, vpcId=vpc.id)


@pytest.mark.parametrize("verb", ["create", "update", "delete"])
@pytest.mark.parametrize("asked", [None, 7.0])
def test_each_verb_has_the_programs_time_or_the_types_own(
    aws: Aws, monkeypatch: pytest.MonkeyPatch, verb: str, asked: float | None
) -> None:
    kind = TYPES[VPC]
    given: list[float] = []

    def note(work: Work, *_: Any) -> str:
        given.append(work.seconds)
        return "vpc-1"

    inputs: Properties = {"cidrBlock": "10.0.0.0/16", "enableDnsSupport": True, "region": REGION}
    found = {**inputs, "tagsAll": {}}
    for name, value in {"create": note, "ready": note, "delete": note, "read": lambda *_: found, "retag": None}.items():
        monkeypatch.setitem(kind.__dict__, name, value)
    resource = Resource(type=VPC, name="v", id="vpc-1", inputs=inputs, outputs=found)
    if verb == "create":
        aws.configured.create(resource, preview=False, timeout_seconds=asked)
    elif verb == "update":
        aws.configured.update(resource, inputs, preview=False, timeout_seconds=asked)
    else:
        aws.configured.delete(resource, timeout_seconds=asked)
    assert set(given) == {asked or getattr(kind.schema.timeouts, verb)}


@pytest.fixture
def quick(aws: Aws) -> Iterator[tuple[Account, threading.Event, list[str]]]:
    """An account that reports at every look, and what cancels it."""
    cancelled, said = threading.Event(), []
    provider = AwsProvider(endpoint_url="http://127.0.0.1:1")
    account = Account(
        session=provider._session(),
        endpoint_url="http://127.0.0.1:1",
        region=REGION,
        tagging=Tagging(),
        report=said.append,
        cancelled=cancelled,
    )
    yield account, cancelled, said


def test_waiting_says_what_for(quick: tuple[Account, threading.Event, list[str]], monkeypatch: Any) -> None:
    account, _, said = quick
    monkeypatch.setattr("lab.provider.account.REPORT_EVERY_SECONDS", 0.0)
    states = iter(["pending", "pending", "running"])
    account.wait("Instance i (i-1)", "running", lambda: next(states), seconds=30)
    assert said == ["waiting for Instance i (i-1) to be running, 0 s so far"] * 2


def test_cancel_ends_all_waiting(quick: tuple[Account, threading.Event, list[str]]) -> None:
    account, cancelled, _ = quick
    threading.Timer(0.1, cancelled.set).start()
    began = time.monotonic()
    with pytest.raises(ProviderError, match=r"cancelled while waiting for Instance i \(i-1\) to be running"):
        account.wait("Instance i (i-1)", "running", lambda: "pending", seconds=60)
    assert time.monotonic() - began < 30


def test_only_refusals_that_pass_are_tried_again(quick: tuple[Account, threading.Event, list[str]]) -> None:
    account, _, _ = quick
    made: list[str] = []

    def call(code: str) -> Callable[[], str]:
        def refuse() -> str:
            made.append(code)
            if len(made) == 1:
                raise ClientError({"Error": {"Code": code, "Message": "m"}}, "Call")
            return "done"

        return refuse

    def passes(error: ClientError) -> bool:
        return error.response["Error"]["Code"] == "Later"

    options: Any = {"what": "it", "wanted": "there", "when": passes, "seconds": 30}
    assert account.retry(call("Later"), **options) == "done" and len(made) == 2
    made.clear()
    with pytest.raises(ClientError):
        account.retry(call("Never"), **options)
    assert len(made) == 1


def test_a_protected_instance_ends_only_by_force(aws: Aws, machine: Properties) -> None:
    kept = aws.make(INSTANCE, "k", **machine, disableApiTermination=True)
    with pytest.raises(ProviderError, match=r"deleting k: TerminateInstances: OperationNotPermitted"):
        aws.drop(kept)
    changed, forced, forceful = aws.change(kept, **machine, disableApiTermination=True, forceDestroy=True)
    assert (changed, forced) == (("forceDestroy",), ())
    aws.drop(forceful)
    assert aws.configured.read(forceful) is None


def test_a_group_that_another_groups_rule_points_at_goes_only_where_it_may_revoke_it(aws: Aws) -> None:
    vpc = aws.make(VPC, "v", cidrBlock="10.0.0.0/16")
    group, other = aws.make(GROUP, "g", vpcId=vpc.id), aws.make(GROUP, "other", vpcId=vpc.id)
    ports = {"ipProtocol": "tcp", "fromPort": 1, "toPort": 2, "referencedSecurityGroupId": group.id}
    aws.make("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "r", securityGroupId=other.id, **ports)
    with pytest.raises(ProviderError, match=r"SecurityGroup g \(sg-\w+\) is not let go of after 0\.01 s"):
        aws.configured.delete(group, timeout_seconds=SHORT)
    changed, forced, ready = aws.change(group, vpcId=vpc.id, revokeRulesOnDelete=True)
    assert (changed, forced) == (("revokeRulesOnDelete",), ())
    aws.configured.delete(ready, timeout_seconds=5.0)
    assert aws.configured.read(ready) is None
