"""The lab's API in process, one provider on it, and a project around a program's text."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import grpc
import pytest
from pulumi.runtime.proto import provider_pb2_grpc

from lab.cloud.local import LocalCloud
from lab.engine.deploy import Deployment, DeploymentError, deploy, destroy
from lab.engine.events import Event
from lab.engine.row import Row
from lab.engine.state import load
from lab.protocol.contract import Configured, Resource
from lab.provider import AwsProvider
from lab.provider.plugin import serve, write_plugin
from lab.stack.project import load_project
from tests.lab.provider.everything import build

REGION = "us-east-1"


@pytest.fixture(scope="session")
def clients(running_cloud: LocalCloud) -> dict[str, Any]:
    """Made once: a client of EC2 takes longer to make than a test runs."""
    session = boto3.Session(aws_access_key_id="lab", aws_secret_access_key="lab", region_name=REGION)
    return {name: session.client(name, endpoint_url=running_cloud.endpoint) for name in ("ec2", "iam")}


@pytest.fixture
def client(cloud: LocalCloud, clients: dict[str, Any]) -> Callable[[str], Any]:
    return lambda service: clients[service]


@pytest.fixture
def ec2(client: Callable[[str], Any]) -> Any:
    return client("ec2")


@pytest.fixture
def provider(cloud: LocalCloud) -> AwsProvider:
    return AwsProvider(endpoint_url=cloud.endpoint)


@dataclass(kw_only=True)
class Aws:
    """A configured provider, called as an engine calls it."""

    configured: Configured

    def make(self, type_: str, name: str, timeout_seconds: float | None = None, /, **inputs: Any) -> Resource:
        """Check and create."""
        blank = Resource(type=type_, name=name)
        checked = self.configured.check(blank, inputs, seed=b"seed")
        assert checked.failures == ()
        wanted = Resource(type=type_, name=name, inputs=checked.inputs)
        return self.configured.create(wanted, preview=False, timeout_seconds=timeout_seconds)

    def change(self, resource: Resource, **inputs: Any) -> tuple[tuple[str, ...], tuple[str, ...], Resource]:
        """Check, diff and, where nothing forces a replacement, update: what changed, what forces, the new resource."""
        checked = self.configured.check(resource, inputs, seed=b"other")
        assert checked.failures == ()
        diff = self.configured.diff(resource, checked.inputs)
        outputs = resource.outputs
        if diff.changed and not diff.replace:
            outputs = self.configured.update(resource, checked.inputs, preview=False, timeout_seconds=None)
        new = Resource(type=resource.type, name=resource.name, id=resource.id, inputs=checked.inputs, outputs=outputs)
        return diff.changed, diff.replace, new

    def drop(self, resource: Resource) -> None:
        self.configured.delete(resource, timeout_seconds=None)


@pytest.fixture(scope="session")
def shared_aws(running_cloud: LocalCloud) -> Aws:
    provider = AwsProvider(endpoint_url=running_cloud.endpoint)
    return Aws(configured=provider.configure({"region": REGION, "defaultTags": '{"tags": {"Project": "test"}}'}))


@pytest.fixture
def aws(cloud: LocalCloud, shared_aws: Aws) -> Aws:
    return shared_aws


@pytest.fixture
def world(aws: Aws) -> dict[str, Resource]:
    """One resource of each type, by token."""
    return build(aws.make)


@pytest.fixture
def executable(tmp_path: Path, cloud: LocalCloud) -> Iterator[Any]:
    """A client of the running executable."""
    environment = {
        **os.environ,
        "AWS_ENDPOINT_URL": cloud.endpoint,
        "AWS_ACCESS_KEY_ID": "lab",
        "AWS_SECRET_ACCESS_KEY": "lab",
    }
    file = write_plugin(tmp_path / "plugin")
    with subprocess.Popen([file, "127.0.0.1:1"], stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        try:
            with grpc.insecure_channel(f"127.0.0.1:{int(process.stdout.readline())}") as channel:
                yield provider_pb2_grpc.ResourceProviderStub(channel)
        finally:
            process.terminate()
    assert process.returncode == 0


@contextmanager
def plugin_of(provider: AwsProvider) -> Iterator[Any]:
    """A client of a server in this process."""
    server, port = serve(provider, plugin_version="1.2.3")
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield provider_pb2_grpc.ResourceProviderStub(channel)
    finally:
        server.stop(grace=1).wait()


@pytest.fixture
def served(provider: AwsProvider) -> Iterator[Any]:
    with plugin_of(provider) as stub:
        yield stub


@dataclass(kw_only=True)
class Stack:
    """A project in a directory, deployed with the lab's engine and this provider."""

    directory: Path
    provider: AwsProvider
    events: list[Event] = field(default_factory=list)

    @property
    def state_path(self) -> Path:
        return self.directory / "state.json"

    def run(self, verb: str, program: str | None = None) -> Deployment:
        (self.directory / "Pulumi.yaml").write_text("name: small\nruntime: python\n")
        if program is not None:
            (self.directory / "__main__.py").write_text(program)
        project = load_project(self.directory)
        stack = project.stack("dev", {"aws:region": REGION})
        try:
            if verb == "destroy":
                return destroy(project, stack, self.provider, self.state_path, on_event=self.events.append)
            dry = verb == "preview"
            return deploy(project, stack, self.provider, self.state_path, dry_run=dry, on_event=self.events.append)
        except DeploymentError as error:
            raise AssertionError(str(error)) from error

    def rows(self) -> dict[str, Row]:
        return {row.urn.rpartition("::")[2]: row for row in load(self.state_path, writable=False).rows}


@pytest.fixture
def stack(tmp_path: Path, provider: AwsProvider) -> Stack:
    return Stack(directory=tmp_path, provider=provider)
