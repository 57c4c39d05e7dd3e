"""Moves of addresses are asynchronous: the API says so at once, instance metadata after the remap delay."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.lab.cloud.conftest import World, interface_of, wait_for
from tests.lab.cloud.ec2.conftest import REMAP_DELAY, LabCloud

pytestmark = pytest.mark.cloud
VIRTUAL_IP = "10.0.0.100"


@pytest.fixture
def ec2(slow_cloud: LabCloud) -> Any:
    """The slow one, with an empty account."""
    slow_cloud.reset()
    return slow_cloud.client("ec2")


def card(world: World, instance: Any) -> str:
    mac = world.interface(interface_of(instance))["MacAddress"]
    return f"latest/meta-data/network/interfaces/macs/{mac}"


def test_metadata_follows_a_move_and_its_elastic_ip_after_the_delay(world: World, slow_cloud: LabCloud) -> None:
    old, new = (world.launch(address) for address in ("10.0.0.36", "10.0.0.56"))
    cards = {each["InstanceId"]: card(world, each) for each in (old, new)}
    allocated = world.ec2.allocate_address(Domain="vpc")
    world.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface_of(old), PrivateIpAddresses=[VIRTUAL_IP])
    world.ec2.associate_address(
        AllocationId=allocated["AllocationId"], NetworkInterfaceId=interface_of(old), PrivateIpAddress=VIRTUAL_IP
    )

    def seen(instance: Any, leaf: str) -> str:
        """What the instance reads of its interface; empty for nothing."""
        answer = slow_cloud.metadata(instance["InstanceId"], f"{cards[instance['InstanceId']]}/{leaf}")
        return answer.body.decode() if answer.status == 200 else ""

    wait_for(lambda: seen(old, f"ipv4-associations/{allocated['PublicIp']}") == VIRTUAL_IP)
    began = time.monotonic()
    world.ec2.assign_private_ip_addresses(
        NetworkInterfaceId=interface_of(new), PrivateIpAddresses=[VIRTUAL_IP], AllowReassignment=True
    )
    # The API says so at once ...
    assert world.addresses(interface_of(new)) == ["10.0.0.56", VIRTUAL_IP]
    found = world.ec2.describe_addresses(AllocationIds=[allocated["AllocationId"]])["Addresses"][0]
    assert found["NetworkInterfaceId"] == interface_of(new)
    # ... while both instances still read what was, and never both or neither of them what is.
    before = seen(old, "local-ipv4s"), seen(new, "local-ipv4s")
    assert before == (f"10.0.0.36\n{VIRTUAL_IP}", "10.0.0.56") or time.monotonic() - began >= REMAP_DELAY
    wait_for(lambda: seen(new, "local-ipv4s") == f"10.0.0.56\n{VIRTUAL_IP}")
    assert time.monotonic() - began >= REMAP_DELAY
    assert seen(old, "local-ipv4s") == "10.0.0.36"
    assert seen(old, "ipv4-associations/") == ""
    assert seen(new, f"ipv4-associations/{allocated['PublicIp']}") == VIRTUAL_IP
    assert seen(new, "public-ipv4s") == allocated["PublicIp"]


def test_a_token_is_required_and_is_its_instances_alone(world: World, slow_cloud: LabCloud) -> None:
    first, other = (world.launch(MetadataOptions={"HttpTokens": "required"})["InstanceId"] for _ in range(2))
    path = "latest/meta-data/instance-id"
    assert slow_cloud.metadata(first, path).status == 401
    token = {"X-aws-ec2-metadata-token": slow_cloud.token(first)}
    assert slow_cloud.metadata(first, path, **token).body.decode() == first
    assert slow_cloud.metadata(other, path, **token).status == 401


def test_an_instance_reads_its_metadata_from_pending_until_it_ends(world: World, slow_cloud: LabCloud) -> None:
    instance = world.launch()["InstanceId"]
    path = "latest/meta-data/instance-id"
    assert slow_cloud.metadata(instance, path).status == 200
    world.ec2.modify_instance_metadata_options(InstanceId=instance, HttpEndpoint="disabled")
    assert slow_cloud.metadata(instance, path).status == 403
    world.ec2.modify_instance_metadata_options(InstanceId=instance, HttpEndpoint="enabled")
    assert slow_cloud.metadata(instance, path).status == 200
    world.ec2.terminate_instances(InstanceIds=[instance])
    assert slow_cloud.metadata(instance, path).status == 200
    world.wait_state(instance, "terminated")
    assert slow_cloud.metadata(instance, path).status == 404
