"""Every type and function through the executable over gRPC, answer by answer the same as in process."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2
from pulumi.runtime.proto import provider_pb2 as pb

from lab.protocol.contract import UNKNOWN, Properties, Resource
from lab.protocol.wire import from_struct, secret, to_struct
from lab.provider.aws import FUNCTIONS, TYPES
from lab.provider.plugin import plugin_version
from tests.lab.provider.conftest import REGION, Aws
from tests.lab.provider.everything import TRUST, build

pytestmark = pytest.mark.cloud
SEED = b"s" * 32


class Wire:
    """A client of the plugin that compares each answer with the provider's in this process."""

    def __init__(self, stub: Any, aws: Aws) -> None:
        self.stub, self.local = stub, aws.configured

    def make(self, token: str, name: str, **wanted: Any) -> Resource:
        blank = Resource(type=token, name=name)
        told = self.stub.Check(pb.CheckRequest(urn=urn(blank), news=to_struct(wanted), randomSeed=SEED))
        assert list(told.failures) == []
        inputs = from_struct(told.inputs)
        assert inputs == self.local.check(blank, wanted, seed=SEED).inputs
        resource = Resource(type=token, name=name, inputs=inputs)
        planned = self.stub.Create(pb.CreateRequest(urn=urn(resource), properties=told.inputs, preview=True))
        expected = self.local.create(resource, preview=True, timeout_seconds=None)
        assert (planned.id, from_struct(planned.properties)) == (expected.id, expected.outputs)
        made = self.stub.Create(pb.CreateRequest(urn=urn(resource), properties=told.inputs))
        return Resource(type=token, name=name, id=made.id, inputs=inputs, outputs=from_struct(made.properties))

    def read(self, resource: Resource) -> Resource | None:
        answer = self.stub.Read(
            pb.ReadRequest(
                id=resource.id,
                urn=urn(resource),
                inputs=to_struct(resource.inputs),
                properties=to_struct(resource.outputs),
            )
        )
        expected = self.local.read(resource)
        assert bool(answer.id) == (expected is not None)
        if expected is None:
            return None
        assert (answer.id, from_struct(answer.inputs)) == (expected.id, expected.inputs)
        assert from_struct(answer.properties) == expected.outputs
        return expected

    def diff(self, resource: Resource, news: Properties) -> tuple[tuple[str, ...], tuple[str, ...]]:
        answer = self.stub.Diff(pb.DiffRequest(**deployed(resource), news=to_struct(news)))
        expected = self.local.diff(resource, news)
        assert (tuple(answer.diffs), tuple(answer.replaces)) == (expected.changed, expected.replace)
        assert answer.deleteBeforeReplace == expected.delete_before_replace
        some = pb.DiffResponse.DIFF_SOME if expected.changed else pb.DiffResponse.DIFF_NONE
        assert (answer.changes, set(answer.detailedDiff)) == (some, set(expected.changed))
        return expected.changed, expected.replace

    def update(self, resource: Resource, news: Properties) -> Resource:
        request = {**deployed(resource), "news": to_struct(news)}
        planned = from_struct(self.stub.Update(pb.UpdateRequest(**request, preview=True)).properties)
        assert planned == self.local.update(resource, news, preview=True, timeout_seconds=None)
        outputs = from_struct(self.stub.Update(pb.UpdateRequest(**request)).properties)
        return Resource(type=resource.type, name=resource.name, id=resource.id, inputs=news, outputs=outputs)


def urn(resource: Resource) -> str:
    return f"urn:pulumi:dev::small::my:mod:C${resource.type}::{resource.name}"


def deployed(resource: Resource) -> dict[str, Any]:
    return {
        "id": resource.id,
        "urn": urn(resource),
        "olds": to_struct(resource.outputs),
        "old_inputs": to_struct(resource.inputs),
    }


@pytest.fixture
def wire(executable: Any, aws: Aws) -> Wire:
    executable.Handshake(pb.ProviderHandshakeRequest(engine_address="127.0.0.1:1"))
    executable.Attach(plugin_pb2.PluginAttach(address="127.0.0.1:1"))
    assert executable.GetPluginInfo(empty_pb2.Empty()).version == plugin_version()
    inputs = to_struct({"region": REGION, "version": "7.51.1", "defaultTags": '{"tags": {"Project": "test"}}'})
    assert list(executable.CheckConfig(pb.CheckRequest(urn="u", news=inputs)).failures) == []
    assert executable.Configure(pb.ConfigureRequest(args=inputs)).supportsPreview
    return Wire(executable, aws)


def test_the_whole_life_of_every_type(wire: Wire) -> None:
    world = build(wire.make)
    assert world.keys() == TYPES.keys()
    for token, made in world.items():
        found = wire.read(made)
        assert found is not None and wire.diff(found, found.inputs) == ((), ()), token
        for name, known in TYPES[token].inputs.items():
            changed, replaced = wire.diff(found, {**found.inputs, name: UNKNOWN})
            assert changed == (name,), (token, name)
            assert bool(replaced) <= bool(known.replace or known.nested), (token, name)
        if TYPES[token].retag is None:
            assert wire.update(found, found.inputs).outputs == found.outputs
        else:
            tagged = wire.update(found, {**found.inputs, "tags": {"Name": "other"}})
            assert tagged.outputs["tagsAll"] == {"Name": "other", "Project": "test"}
            world[token] = tagged
            assert wire.read(tagged) is not None
    for made in reversed(world.values()):
        wire.stub.Delete(
            pb.DeleteRequest(
                id=made.id, urn=urn(made), properties=to_struct(made.outputs), old_inputs=to_struct(made.inputs)
            )
        )
    assert [wire.read(made) for made in world.values()] == [None] * len(world)
    wire.stub.Cancel(empty_pb2.Empty())


def test_functions(wire: Wire) -> None:
    arguments: dict[str, Properties] = {
        "aws:ec2/getAmi:getAmi": {
            "owners": ["136693071363"],
            "mostRecent": True,
            "filters": [{"name": "state", "values": ["available"]}],
        }
    }
    for token in FUNCTIONS:
        args = arguments.get(token, {})
        answer = wire.stub.Invoke(pb.InvokeRequest(tok=token, args=to_struct(args)))
        assert from_struct(getattr(answer, "return")) == wire.local.invoke(token, args)


def test_what_came_secret_goes_back_secret(wire: Wire) -> None:
    """The engine unwraps secrets for this provider; one that does not gets them back marked."""
    token, name = "aws:iam/role:Role", "r"
    blank = Resource(type=token, name=name)
    wanted = {"assumeRolePolicy": TRUST, "description": secret("hush"), "tags": {"Key": secret("k"), "Open": "o"}}
    told = wire.stub.Check(pb.CheckRequest(urn=urn(blank), news=to_struct(wanted), randomSeed=SEED))
    inputs = from_struct(told.inputs)
    assert list(told.failures) == []
    assert inputs["description"] == secret("hush") and inputs["tags"] == {"Key": secret("k"), "Open": "o"}
    made = wire.stub.Create(pb.CreateRequest(urn=urn(blank), properties=told.inputs))
    outputs = from_struct(made.properties)
    assert outputs["description"] == secret("hush") and outputs["tags"]["Key"] == secret("k")
    assert outputs["tags"]["Open"] == "o" and outputs["path"] == "/"
    plain = wire.local.read(Resource(type=token, name=name, id=made.id))
    assert plain is not None and plain.outputs["description"] == "hush"
    read = wire.stub.Read(pb.ReadRequest(id=made.id, urn=urn(blank), properties=made.properties, inputs=told.inputs))
    assert from_struct(read.properties)["description"] == secret("hush")
    assert from_struct(read.inputs) == inputs
    request = {"id": made.id, "urn": urn(blank), "olds": made.properties, "old_inputs": told.inputs}
    assert wire.stub.Diff(pb.DiffRequest(**request, news=told.inputs)).changes == pb.DiffResponse.DIFF_NONE
    news = to_struct({**inputs, "description": secret("louder")})
    assert list(wire.stub.Diff(pb.DiffRequest(**request, news=news)).diffs) == ["description"]
    updated = wire.stub.Update(pb.UpdateRequest(**request, news=news))
    assert from_struct(updated.properties)["description"] == secret("louder")


def test_the_unknown_inside_objects(wire: Wire) -> None:
    token, name = "aws:ec2/instance:Instance", "i"
    blank = Resource(type=token, name=name)
    wanted = {
        "ami": UNKNOWN,
        "instanceType": "t3.micro",
        "tags": {"Name": "i", "Allocation": UNKNOWN},
        "vpcSecurityGroupIds": [UNKNOWN],
        "rootBlockDevice": {"encrypted": True, "kmsKeyId": UNKNOWN},
    }
    told = wire.stub.Check(pb.CheckRequest(urn=urn(blank), news=to_struct(wanted), randomSeed=SEED))
    assert list(told.failures) == []
    planned = from_struct(
        wire.stub.Create(pb.CreateRequest(urn=urn(blank), properties=told.inputs, preview=True)).properties
    )
    assert planned["tagsAll"] == {"Allocation": UNKNOWN, "Name": "i", "Project": "test"}
    assert planned["vpcSecurityGroupIds"] == [UNKNOWN] and planned["ami"] == UNKNOWN
    old = {
        "ami": "ami-1",
        "tags": {"Name": "i", "Allocation": "eipalloc-1"},
        "vpcSecurityGroupIds": ["sg-1"],
        "rootBlockDevice": {"encrypted": True, "kmsKeyId": ""},
        "instanceType": "t3.micro",
        "sourceDestCheck": True,
        "region": REGION,
    }
    resource = Resource(type=token, name=name, id="i-1", inputs=old, outputs=old)
    changed, replaced = wire.diff(resource, from_struct(told.inputs))
    assert set(changed) == {"ami", "tags", "vpcSecurityGroupIds", "rootBlockDevice"}
    assert set(replaced) == {"ami", "rootBlockDevice"}
