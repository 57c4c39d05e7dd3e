"""The metadata service: who may ask, tokens, and the credentials of a role."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lab.cloud.instance_facts import InstanceRegister
from lab.cloud.local import LocalCloud
from tests.lab.cloud.conftest import World, client, interface_of, refused
from tests.lab.cloud.metadata.conftest import TTL, Clock, Machine

pytestmark = pytest.mark.cloud


def test_a_caller_is_known_by_any_of_its_addresses_and_strangers_by_none(director: Machine, world: World) -> None:
    interface = interface_of(world.ec2.describe_instances()["Reservations"][0]["Instances"][0])
    other = Machine(http=director.http, address="10.0.0.100")
    assert other.put_token().status_code == 404
    world.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.0.100"])
    assert other.text("/latest/meta-data/instance-id") == director.text("/latest/meta-data/instance-id")


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
    [
        (None, 400),
        ("", 400),
        ("9" * 5000, 400),
        ("1.5", 400),
        ("0", 400),
        ("21601", 400),
        ("-5", 400),
        ("ten", 400),
        ("1", 200),
        ("21600", 200),
    ],
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
    assert director.ask("/latest/meta-data/", method="POST").status_code == 405


def test_without_required_tokens_both_ways_work(web: Machine, world: World) -> None:
    assert web.ask("/latest/meta-data/instance-id").status_code == 200
    assert web.get("/latest/meta-data/instance-id").status_code == 200
    instance = web.text("/latest/meta-data/instance-id")
    world.ec2.modify_instance_metadata_options(InstanceId=instance, HttpTokens="required")
    assert web.ask("/latest/meta-data/instance-id").status_code == 401
    assert web.get("/latest/meta-data/instance-id").status_code == 200


def test_credentials_are_new_in_time(cloud: LocalCloud, world: World, role: str) -> None:
    """ "We make new credentials available at least five minutes before the expiration of the old ones"."""
    now = datetime.now(UTC)
    register = InstanceRegister(cloud.account, clock=lambda: now)
    world.launch("10.0.0.36", IamInstanceProfile={"Name": "director-1-profile"})

    def current() -> Any:
        facts = register.facts_of("10.0.0.36")
        assert facts is not None
        return json.loads(facts.credentials())

    first = current()
    expiry = datetime.fromisoformat(first["Expiration"])
    now = expiry - timedelta(minutes=31)
    assert current() == first
    now = expiry - timedelta(minutes=5, seconds=1)
    second = current()
    assert second["AccessKeyId"] != first["AccessKeyId"]
    assert datetime.fromisoformat(second["Expiration"]) > expiry


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
