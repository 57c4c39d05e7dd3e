"""The real `lab cloud`, started once: a fast one for most tests, a slow one for what takes its time on EC2."""

from __future__ import annotations

import urllib.parse
import urllib.request
import xml.etree.ElementTree as Xml
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any
from urllib.error import HTTPError

import boto3
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials

from tests.lab.cloud.conftest import World
from tests.lab.cloud.serving import KEYS, serving

REGION = "us-east-1"
# Bad input is for the API to refuse, not for the SDK.
CONFIG = Config(retries={"max_attempts": 1, "mode": "standard"}, read_timeout=30, parameter_validation=False)
BOOT_DELAY, REMAP_DELAY = 2.5, 1.5


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a plain HTTP request was answered with; `code` is EC2's of an error."""

    status: int
    body: bytes

    @property
    def code(self) -> str:
        return Xml.fromstring(self.body).findtext("Errors/Error/Code") or ""

    @property
    def message(self) -> str:
        return Xml.fromstring(self.body).findtext("Errors/Error/Message") or ""


@dataclass(frozen=True, kw_only=True)
class LabCloud:
    """A running `lab cloud`."""

    endpoint: str

    def client(self, service: str, **credentials: str) -> Any:
        keys = credentials or KEYS
        return boto3.client(service, endpoint_url=self.endpoint, region_name=REGION, config=CONFIG, **keys)

    def reset(self) -> None:
        assert self.send("/moto-api/reset", b"").status == 200

    def query(self, parameters: Mapping[str, str] | bytes) -> Answer:
        """A signed request of the EC2 query API, whatever is in it."""
        body = parameters if isinstance(parameters, bytes) else urllib.parse.urlencode(parameters).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        request = AWSRequest("POST", f"{self.endpoint}/", headers=headers, data=body)
        SigV4Auth(Credentials("lab", "lab"), "ec2", REGION).add_auth(request)
        return self.send("/", body, dict(request.headers))

    def send(self, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        """A plain HTTP request: POST with a body, else GET."""
        return self.ask(urllib.request.Request(f"{self.endpoint}{path}", data=body, headers=dict(headers or {})))

    def metadata(self, instance_id: str, path: str, **headers: str) -> Answer:
        """What the instance would read at `path`, such as latest/meta-data/instance-id."""
        return self.send(f"/_lab/instances/{instance_id}/{path}", headers=headers)

    def token(self, instance_id: str) -> str:
        url = f"{self.endpoint}/_lab/instances/{instance_id}/latest/api/token"
        headers = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
        return self.ask(urllib.request.Request(url, method="PUT", headers=headers)).body.decode()

    @staticmethod
    def ask(request: urllib.request.Request) -> Answer:
        try:
            response: HTTPResponse
            with urllib.request.urlopen(request, timeout=30) as response:
                return Answer(status=response.status, body=response.read())
        except HTTPError as error:
            return Answer(status=error.code, body=error.read())


@pytest.fixture(scope="session")
def fast_cloud() -> Iterator[LabCloud]:
    """One in which everything is done at once."""
    with serving("--boot-delay", "0", "--remap-delay", "0") as (_, endpoint):
        yield LabCloud(endpoint=endpoint)


@pytest.fixture(scope="session")
def slow_cloud() -> Iterator[LabCloud]:
    """One in which instances and addresses take their time."""
    with serving("--boot-delay", str(BOOT_DELAY), "--remap-delay", str(REMAP_DELAY)) as (_, endpoint):
        yield LabCloud(endpoint=endpoint)


@pytest.fixture
def lab_cloud(fast_cloud: LabCloud) -> LabCloud:
    """The fast one, with an empty account."""
    fast_cloud.reset()
    return fast_cloud


@pytest.fixture(scope="session")
def fast_ec2(fast_cloud: LabCloud) -> Any:
    return fast_cloud.client("ec2")


@pytest.fixture
def ec2(lab_cloud: LabCloud, fast_ec2: Any) -> Any:
    """In the place of the in-process API's: `world` is one of the process here."""
    return fast_ec2


@pytest.fixture
def director(world: World) -> Any:
    """An instance at 10.0.0.36."""
    return world.launch("10.0.0.36")
