"""The plugin as the real engine would use it: an executable, a port on its first line, protobuf over gRPC."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.proto import status_pb2

from lab.protocol.contract import UNKNOWN
from lab.protocol.wire import from_struct, to_struct
from lab.provider import instance_changes
from lab.provider.plugin import plugin_version, write_plugin
from tests.lab.provider.conftest import REGION

VPC = "urn:pulumi:dev::small::my:mod:C$aws:ec2/vpc:Vpc::v"
pytestmark = pytest.mark.cloud


def configure(stub: Any) -> None:
    inputs = to_struct({"region": REGION, "version": "7.51.1", "defaultTags": '{"tags": {"Project": "test"}}'})
    assert list(stub.CheckConfig(pb.CheckRequest(urn="u", news=inputs)).failures) == []
    assert stub.Configure(pb.ConfigureRequest(args=inputs)).supportsPreview


def test_a_resource_through_the_executable(executable: Any, ec2: Any) -> None:
    stub = executable
    stub.Handshake(pb.ProviderHandshakeRequest())
    assert stub.GetPluginInfo(empty_pb2.Empty()).version == plugin_version()
    configure(stub)
    wanted = to_struct({"cidrBlock": "10.0.0.0/16", "tags": {"Name": "v"}})
    inputs = stub.Check(pb.CheckRequest(urn=VPC, news=wanted, randomSeed=b"s" * 32)).inputs
    assert from_struct(inputs)["enableDnsSupport"] is True
    planned = stub.Create(pb.CreateRequest(urn=VPC, properties=inputs, preview=True))
    assert planned.id == "" and from_struct(planned.properties)["tagsAll"] == {"Name": "v", "Project": "test"}
    made = stub.Create(pb.CreateRequest(urn=VPC, properties=inputs))
    assert [vpc["VpcId"] for vpc in ec2.describe_vpcs()["Vpcs"] if not vpc["IsDefault"]] == [made.id]
    deployed = {"id": made.id, "urn": VPC, "olds": made.properties, "old_inputs": inputs}
    same = stub.Diff(pb.DiffRequest(**deployed, news=inputs))
    assert same.changes == pb.DiffResponse.DIFF_NONE
    news = to_struct({**from_struct(inputs), "enableDnsHostnames": True})
    diff = stub.Diff(pb.DiffRequest(**deployed, news=news))
    assert (list(diff.diffs), list(diff.replaces)) == (["enableDnsHostnames"], [])
    moved = to_struct({**from_struct(inputs), "cidrBlock": UNKNOWN})
    assert list(stub.Diff(pb.DiffRequest(**deployed, news=moved)).replaces) == ["cidrBlock"]
    ignored = stub.Diff(pb.DiffRequest(**deployed, news=moved, ignoreChanges=["cidrBlock"]))
    assert ignored.changes == pb.DiffResponse.DIFF_NONE
    updated = stub.Update(pb.UpdateRequest(**deployed, news=news))
    assert from_struct(updated.properties)["enableDnsHostnames"] is True
    read = stub.Read(pb.ReadRequest(id=made.id, urn=VPC, properties=updated.properties, inputs=news))
    assert (read.id, from_struct(read.inputs)) == (made.id, from_struct(news))
    stub.Delete(pb.DeleteRequest(id=made.id, urn=VPC, properties=updated.properties, old_inputs=news))
    assert stub.Read(pb.ReadRequest(id=made.id, urn=VPC, properties=updated.properties, inputs=news)).id == ""
    stub.Cancel(empty_pb2.Empty())


def test_it_refuses_to_start_without_an_endpoint(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
    done = subprocess.run(
        [write_plugin(tmp_path)], capture_output=True, text=True, env=environment, check=False, timeout=60
    )
    assert done.returncode != 0 and "AWS_ENDPOINT_URL" in done.stderr and done.stdout == ""


def test_refusals_and_invokes(served: Any) -> None:
    failures = served.CheckConfig(pb.CheckRequest(urn="u", news=to_struct({}))).failures
    assert [failure.property for failure in failures] == ["region"]
    with pytest.raises(grpc.RpcError) as early:
        served.Check(pb.CheckRequest(urn=VPC, news=to_struct({})))
    assert "did not configure" in early.value.details()
    configure(served)
    failures = served.Check(pb.CheckRequest(urn=VPC, news=to_struct({"color": "red"}))).failures
    assert {failure.property for failure in failures} == {"color", "cidrBlock"}
    with pytest.raises(grpc.RpcError) as wrong:
        served.Create(pb.CreateRequest(urn=VPC, properties=to_struct({"cidrBlock": "x", "instanceTenancy": "default"})))
    assert "creating v: CreateVpc" in wrong.value.details()
    result = served.Invoke(pb.InvokeRequest(tok="aws:index/getRegion:getRegion", args=to_struct({})))
    assert from_struct(getattr(result, "return"))["region"] == REGION
    olds, news = to_struct({"region": REGION}), to_struct({"region": "eu-west-1"})
    diff = served.DiffConfig(pb.DiffRequest(olds=olds, news=news))
    assert (diff.changes, list(diff.replaces)) == (pb.DiffResponse.DIFF_SOME, [])


def test_a_half_made_resource_is_told_with_its_id(served: Any, ec2: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(served)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    urn = "urn:pulumi:dev::small::aws:ec2/instance:Instance::i"
    real = instance_changes.instance_of
    monkeypatch.setattr(instance_changes, "instance_of", lambda *args: {**real(*args), "State": {"Name": "pending"}})  # type: ignore
    wanted = {"ami": "ami-0deb1a13000000001", "instanceType": "t3.micro", "subnetId": subnet, "sourceDestCheck": True}
    with pytest.raises(grpc.RpcError) as caught:
        served.Create(pb.CreateRequest(urn=urn, properties=to_struct(wanted), timeout=0.01))
    trailer = dict(caught.value.trailing_metadata())["grpc-status-details-bin"]
    half = pb.ErrorResourceInitFailed()
    assert status_pb2.Status.FromString(trailer).details[0].Unpack(half)
    assert half.id.startswith("i-") and "is pending after 0.01 s, not running" in half.reasons[0]
    assert from_struct(half.properties)["subnetId"] == subnet
