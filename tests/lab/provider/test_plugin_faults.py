"""The plugin under wrong requests: an answer that names the fault, never a traceback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto import status_pb2

from lab.cloud.local import LocalCloud
from lab.protocol.wire import ASSETS, SIGNATURE, to_struct
from lab.provider import AwsProvider, instance_changes
from tests.lab.provider.conftest import REGION, Aws, plugin_of
from tests.lab.provider.everything import IMAGE

pytestmark = pytest.mark.cloud
VPC = "urn:pulumi:dev::small::aws:ec2/vpc:Vpc::v"
BUCKET = "urn:pulumi:dev::small::aws:s3/bucket:Bucket::b"
INSTANCE = "urn:pulumi:dev::small::aws:ec2/instance:Instance::i"
ASSET = {"userData": {SIGNATURE: ASSETS[0], "text": "x"}}
NO_VPC = "vpc-0123456789abcdef0"
Call = Callable[[Any], Any]


@pytest.fixture(scope="module")
def configured(running_cloud: LocalCloud) -> Iterator[Any]:
    """Once: making clients of AWS takes longer than a test."""
    with plugin_of(AwsProvider(endpoint_url=running_cloud.endpoint)) as stub:
        stub.Configure(pb.ConfigureRequest(args=to_struct({"region": REGION})))
        yield stub


@pytest.fixture
def stub(cloud: LocalCloud, configured: Any) -> Any:
    return configured


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda s: s.Check(pb.CheckRequest(urn=BUCKET)), "has no type aws:s3/bucket:Bucket; it has aws:ec2/eip:Eip"),
        (lambda s: s.Diff(pb.DiffRequest(urn=BUCKET, id="b")), "has no type aws:s3/bucket:Bucket"),
        (lambda s: s.Create(pb.CreateRequest(urn=BUCKET)), "has no type aws:s3/bucket:Bucket"),
        (lambda s: s.Read(pb.ReadRequest(urn=BUCKET, id="b")), "has no type aws:s3/bucket:Bucket"),
        (lambda s: s.Update(pb.UpdateRequest(urn=BUCKET, id="b")), "has no type aws:s3/bucket:Bucket"),
        (lambda s: s.Delete(pb.DeleteRequest(urn=BUCKET, id="b")), "has no type aws:s3/bucket:Bucket"),
        (lambda s: s.Check(pb.CheckRequest(urn="vpc")), "CheckRequest of vpc: 'vpc' is no URN"),
        (lambda s: s.Create(pb.CreateRequest()), "CreateRequest of the provider: '' is no URN"),
        (lambda s: s.Create(pb.CreateRequest(urn=VPC)), f"CreateRequest of {VPC}: cidrBlock is missing"),
        (
            lambda s: s.Create(pb.CreateRequest(urn=VPC, properties=to_struct({"cidrBlock": 7, "instanceTenancy": 1}))),
            "creating v: Parameter validation failed",
        ),
        (
            lambda s: s.Create(
                pb.CreateRequest(urn=VPC, properties=to_struct({"cidrBlock": "x", "instanceTenancy": "default"}))
            ),
            "creating v: CreateVpc: InvalidParameterValue",
        ),
        (lambda s: s.Check(pb.CheckRequest(urn=INSTANCE, news=to_struct(ASSET))), "an asset or archive"),
        (lambda s: s.Read(pb.ReadRequest(urn=VPC, id="vpc-1")), "reading v: DescribeVpcs"),
        (
            lambda s: s.Update(pb.UpdateRequest(urn=VPC, id="vpc-0123456789abcdef0")),
            "is gone: refresh, then run the deployment again",
        ),
        (lambda s: s.Invoke(pb.InvokeRequest(tok="aws:ec2/getVpc:getVpc")), "has no function aws:ec2/getVpc:getVpc"),
        (
            lambda s: s.Invoke(pb.InvokeRequest(tok="aws:index/getRegion:getRegion", args=to_struct({"colour": "x"}))),
            "aws:index/getRegion:getRegion has no property colour",
        ),
        (
            lambda s: s.Invoke(pb.InvokeRequest(tok="aws:ec2/getAmi:getAmi", args=to_struct({"nameRegex": "("}))),
            "'(' is no regular expression",
        ),
        (
            lambda s: s.Invoke(
                pb.InvokeRequest(tok="aws:index/getRegion:getRegion", args=to_struct({"region": "eu-west-1"}))
            ),
            "region: the lab has one region",
        ),
        (
            lambda s: s.Configure(pb.ConfigureRequest(args=to_struct({"region": REGION, "defaultTags": "{"}))),
            "aws provider: defaultTags: no JSON",
        ),
    ],
)
def test_a_wrong_request(stub: Any, call: Call, text: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(stub)
    assert text in caught.value.details()
    assert "Traceback" not in caught.value.details() and "Exception calling" not in caught.value.details()
    assert caught.value.code() in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.INVALID_ARGUMENT)


def test_a_fault_of_the_provider_itself_is_an_answer_too(stub: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError("by nought")

    monkeypatch.setattr("lab.provider.aws.faults", broken)
    with pytest.raises(grpc.RpcError) as caught:
        stub.Check(pb.CheckRequest(urn=VPC, news=to_struct({"cidrBlock": "10.0.0.0/16"})))
    assert caught.value.details() == f"CheckRequest of {VPC}: ZeroDivisionError: by nought"
    assert caught.value.code() == grpc.StatusCode.INTERNAL


def test_an_update_that_fails_half_way_is_told_with_what_is_there(stub: Any, aws: Aws) -> None:
    vpc = aws.make("aws:ec2/vpc:Vpc", "v", cidrBlock="10.0.0.0/16")
    gateway = aws.make("aws:ec2/internetGateway:InternetGateway", "g", vpcId=vpc.id)
    request = {
        "urn": "urn:pulumi:dev::small::aws:ec2/internetGateway:InternetGateway::g",
        "id": gateway.id,
        "olds": to_struct(gateway.outputs),
        "old_inputs": to_struct(gateway.inputs),
    }
    with pytest.raises(grpc.RpcError) as caught:
        stub.Update(pb.UpdateRequest(**request, news=to_struct({**gateway.inputs, "vpcId": NO_VPC})))
    half = half_made(caught.value)
    assert half.id == gateway.id and half.properties["vpcId"] == "" and half.inputs["vpcId"] == NO_VPC
    assert "AttachInternetGateway: InvalidVpcID.NotFound" in half.reasons[0]


def test_cancel_ends_waiting_and_keeps_what_is_half_made(
    served: Any, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.Configure(pb.ConfigureRequest(args=to_struct({"region": REGION})))
    vpc = aws.make("aws:ec2/vpc:Vpc", "v", cidrBlock="10.0.0.0/16")
    subnet = aws.make("aws:ec2/subnet:Subnet", "s", vpcId=vpc.id, cidrBlock="10.0.0.0/24")
    waiting = threading.Event()
    real = instance_changes.instance_of

    def pending(*args: Any) -> Any:
        waiting.set()
        return {**(real(*args) or {}), "State": {"Name": "pending"}}

    monkeypatch.setattr(instance_changes, "instance_of", pending)
    wanted = {"ami": IMAGE, "instanceType": "t3.micro", "subnetId": subnet.id, "sourceDestCheck": True}
    call = served.Create.future(pb.CreateRequest(urn=INSTANCE, properties=to_struct(wanted)))
    assert waiting.wait(60)
    served.Cancel(empty_pb2.Empty())
    half = half_made(call.exception(timeout=60))
    assert half.id.startswith("i-") and "cancelled while waiting for Instance i" in half.reasons[0]


def half_made(error: Any) -> Any:
    half = pb.ErrorResourceInitFailed()
    trailer = dict(error.trailing_metadata())["grpc-status-details-bin"]
    assert status_pb2.Status.FromString(trailer).details[0].Unpack(half)
    return half
