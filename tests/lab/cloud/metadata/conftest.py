"""Machines that ask for their metadata: a director with a role, and a web server with nothing special."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from lab.cloud.instance_facts import InstanceRegister
from lab.cloud.local import LocalCloud
from lab.cloud.metadata_service import MetadataService
from tests.lab.cloud.conftest import World, client

TTL = "X-aws-ec2-metadata-token-ttl-seconds"
USER_DATA = b"#cloud-config\n# raw \xff bytes\n"


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One that asks for its metadata, from its address."""

    http: Client
    address: str

    def put_token(self, ttl: str | None = "60", **headers: str) -> Response:
        given = dict(headers) if ttl is None else {TTL: ttl, **headers}
        return self.ask("/latest/api/token", method="PUT", headers=given)

    def ask(self, path: str, *, method: str = "GET", headers: Mapping[str, str] | None = None) -> Response:
        return self.http.open(
            path, method=method, headers=dict(headers or {}), environ_overrides={"REMOTE_ADDR": self.address}
        )

    def get(self, path: str, *, token: str | None = None) -> Response:
        value = token or self.put_token().text
        return self.ask(path, headers={"X-aws-ec2-metadata-token": value})

    def text(self, path: str) -> str:
        answer = self.get(path)
        assert answer.status_code == 200, path
        return answer.text


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def http(cloud: LocalCloud, clock: Clock) -> Client:
    return Client(MetadataService(InstanceRegister(cloud.account).facts_of, clock=clock))


@pytest.fixture
def role(cloud: LocalCloud) -> str:
    iam = client(cloud, "iam")
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}],
    }
    iam.create_role(RoleName="director-1", AssumeRolePolicyDocument=json.dumps(trust))
    iam.create_instance_profile(InstanceProfileName="director-1-profile")
    iam.add_role_to_instance_profile(InstanceProfileName="director-1-profile", RoleName="director-1")
    return "director-1"


@pytest.fixture
def director(world: World, http: Client, role: str) -> Machine:
    world.launch(
        "10.0.0.36",
        UserData=USER_DATA,
        IamInstanceProfile={"Name": "director-1-profile"},
        MetadataOptions={"HttpTokens": "required", "InstanceMetadataTags": "enabled"},
        TagSpecifications=[
            {
                "ResourceType": "instance",
                "Tags": [
                    {"Key": "Name", "Value": "lvs-local-director-1"},
                    {"Key": "ElasticIpAllocationId", "Value": "eipalloc-1"},
                ],
            }
        ],
    )
    return Machine(http=http, address="10.0.0.36")


@pytest.fixture
def web(world: World, http: Client) -> Machine:
    world.launch(
        "10.0.0.80", TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web-1"}]}]
    )
    return Machine(http=http, address="10.0.0.80")
