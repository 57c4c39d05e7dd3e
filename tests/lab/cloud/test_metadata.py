"""Instance metadata: the tree, and who may ask for what."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from lab.cloud.instance_facts import InstanceRegister
from lab.cloud.local import LocalCloud
from lab.cloud.metadata import VERSIONS
from lab.cloud.metadata_service import MetadataService
from tests.lab.cloud.conftest import World, client, interface_of, refused

pytestmark = pytest.mark.cloud
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


def crawl(machine: Machine, path: str) -> Iterator[tuple[str, Response]]:
    """Every leaf, as cloud-init asks for them: an entry that ends in a slash is a directory."""
    listing = machine.get(path)
    assert listing.status_code == 200, path
    for entry in listing.text.split("\n"):
        if entry.endswith("/"):
            yield from crawl(machine, path + entry)
        else:
            yield path + entry, machine.get(path + entry)


@pytest.mark.parametrize("version", VERSIONS)
def test_no_leaf_is_listed_in_vain(director: Machine, web: Machine, version: str) -> None:
    for machine in (director, web):
        for directory in ("meta-data/", "dynamic/instance-identity/"):
            leaves = dict(crawl(machine, f"/{version}/{directory}"))
            assert leaves
            assert {path: answer.status_code for path, answer in leaves.items() if answer.status_code != 200} == {}
            assert all(answer.data for answer in leaves.values())


def test_what_an_instance_learns_of_itself(director: Machine, world: World) -> None:
    instance = world.ec2.describe_instances()["Reservations"][0]["Instances"][0]
    expected = {
        "instance-id": instance["InstanceId"],
        "ami-id": instance["ImageId"],
        "instance-type": "t3.micro",
        "local-ipv4": "10.0.0.36",
        "local-hostname": "ip-10-0-0-36.ec2.internal",
        "hostname": "ip-10-0-0-36.ec2.internal",
        "placement/availability-zone": "us-east-1a",
        "placement/region": "us-east-1",
        "security-groups": "directors",
        "services/domain": "amazonaws.com",
        "tags/instance/ElasticIpAllocationId": "eipalloc-1",
        "tags/instance/Name": "lvs-local-director-1",
    }
    assert {path: director.text(f"/latest/meta-data/{path}") for path in expected} == expected
    document = json.loads(director.text("/latest/dynamic/instance-identity/document"))
    assert document["instanceId"] == instance["InstanceId"]
    assert (document["region"], document["privateIp"]) == ("us-east-1", "10.0.0.36")


def test_the_interface_is_live(director: Machine, world: World) -> None:
    interface = interface_of(world.ec2.describe_instances()["Reservations"][0]["Instances"][0])
    mac = world.interface(interface)["MacAddress"]
    here = f"/latest/meta-data/network/interfaces/macs/{mac}"
    assert director.text("/latest/meta-data/mac") == mac
    assert director.text("/latest/meta-data/network/interfaces/macs/") == f"{mac}/"
    assert director.text(f"{here}/interface-id") == interface
    assert director.text(f"{here}/subnet-ipv4-cidr-block") == "10.0.0.0/24"
    assert director.text(f"{here}/local-ipv4s") == "10.0.0.36"
    assert director.get(f"{here}/ipv4-associations/").status_code == 404
    world.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.0.100"])
    service = world.ec2.allocate_address(Domain="vpc")
    world.ec2.associate_address(
        AllocationId=service["AllocationId"], NetworkInterfaceId=interface, PrivateIpAddress="10.0.0.100"
    )
    assert director.text(f"{here}/local-ipv4s") == "10.0.0.36\n10.0.0.100"
    assert director.text(f"{here}/ipv4-associations/") == service["PublicIp"]
    assert director.text(f"{here}/ipv4-associations/{service['PublicIp']}") == "10.0.0.100"
    assert director.get("/latest/meta-data/public-ipv4").status_code == 404  # that would be the primary's


def test_user_data_is_the_very_bytes(director: Machine, web: Machine) -> None:
    assert director.get("/latest/user-data").data == USER_DATA
    assert director.get("/2009-04-04/user-data").data == USER_DATA
    assert web.get("/latest/user-data").status_code == 404


def test_a_caller_is_known_by_any_of_its_addresses_and_strangers_by_none(director: Machine, world: World) -> None:
    interface = interface_of(world.ec2.describe_instances()["Reservations"][0]["Instances"][0])
    other = Machine(http=director.http, address="10.0.0.100")
    assert other.put_token().status_code == 404
    world.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.0.100"])
    assert other.text("/latest/meta-data/instance-id") == director.text("/latest/meta-data/instance-id")


def test_tags_only_when_shown(director: Machine, web: Machine, world: World) -> None:
    assert web.get("/latest/meta-data/tags/").status_code == 404
    assert "tags/" not in web.text("/latest/meta-data/")
    assert director.get("/2018-09-24/meta-data/tags/").status_code == 404  # they came in 2021
    instance = director.text("/latest/meta-data/instance-id")
    world.ec2.create_tags(Resources=[instance], Tags=[{"Key": "Later", "Value": "too"}])
    assert director.text("/latest/meta-data/tags/instance/Later") == "too"


def test_a_token_is_required_where_the_instance_says_so(director: Machine, web: Machine) -> None:
    assert director.ask("/latest/meta-data/instance-id").status_code == 401
    assert web.ask("/latest/meta-data/instance-id").status_code == 200
    for machine in (director, web):
        assert machine.get("/latest/meta-data/instance-id", token="wrong").status_code == 401


def test_a_token_is_its_instances_alone(director: Machine, web: Machine) -> None:
    token = web.put_token().text
    assert web.get("/latest/meta-data/instance-id", token=token).status_code == 200
    assert director.get("/latest/meta-data/instance-id", token=token).status_code == 401


def test_a_token_ends(director: Machine, clock: Clock) -> None:
    token = director.put_token("60").text
    clock.now += 59
    answer = director.get("/latest/meta-data/instance-id", token=token)
    assert (answer.status_code, answer.headers[TTL]) == (200, "1")
    clock.now += 1
    assert director.get("/latest/meta-data/instance-id", token=token).status_code == 401


@pytest.mark.parametrize(
    ("ttl", "status"),
    [(None, 400), ("", 400), ("0", 400), ("21601", 400), ("-5", 400), ("ten", 400), ("1", 200), ("21600", 200)],
)
def test_the_life_of_a_token(director: Machine, ttl: str | None, status: int) -> None:
    answer = director.put_token(ttl)
    assert answer.status_code == status
    assert answer.headers.get(TTL) == (ttl if status == 200 else None)


def test_no_token_through_a_proxy(director: Machine) -> None:
    assert director.put_token("60", **{"X-Forwarded-For": "10.0.0.99"}).status_code == 403


def test_what_is_not_there(director: Machine) -> None:
    for path in (
        "/latest/meta-data/public-keys/",
        "/latest/meta-data/nothing",
        "/2031-01-01/meta-data/",
        "/latest/user-data/x",
    ):
        assert director.get(path).status_code == 404, path
    assert director.get("/").text.split("\n")[0] == "2009-04-04/"
    assert director.ask("/latest/meta-data/", method="POST").status_code == 405


def test_a_disabled_endpoint(director: Machine, world: World) -> None:
    instance = director.text("/latest/meta-data/instance-id")
    world.ec2.modify_instance_metadata_options(InstanceId=instance, HttpEndpoint="disabled")
    assert director.put_token().status_code == 403


def test_role_credentials_are_the_roles(director: Machine, web: Machine, cloud: LocalCloud, role: str) -> None:
    assert web.get("/latest/meta-data/iam/").status_code == 404
    info = json.loads(director.text("/latest/meta-data/iam/info"))
    assert info["InstanceProfileArn"].endswith(":instance-profile/director-1-profile")
    assert director.text("/latest/meta-data/iam/security-credentials/") == role
    document = json.loads(director.text(f"/latest/meta-data/iam/security-credentials/{role}"))
    assert (document["Code"], document["Type"]) == ("Success", "AWS-HMAC")
    again = json.loads(director.text(f"/latest/meta-data/iam/security-credentials/{role}"))
    assert again == document
    keys: dict[str, Any] = {
        "aws_access_key_id": document["AccessKeyId"],
        "aws_secret_access_key": document["SecretAccessKey"],
        "aws_session_token": document["Token"],
    }
    instance = director.text("/latest/meta-data/instance-id")
    arn = client(cloud, "sts", **keys).get_caller_identity()["Arn"]
    assert arn == f"arn:aws:sts::123456789012:assumed-role/{role}/{instance}"
    with refused("UnauthorizedOperation"):
        client(cloud, "ec2", **keys).describe_instances()
