"""States that take time and can be seen, and what may be done in each."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lab.cloud.corrections.images import LAB_IMAGE_ID
from tests.lab.cloud.conftest import World, interface_of, refused
from tests.lab.cloud.ec2.conftest import BOOT_DELAY, LabCloud

pytestmark = pytest.mark.cloud


@pytest.fixture
def ec2(slow_cloud: LabCloud) -> Any:
    """The slow one, with an empty account."""
    slow_cloud.reset()
    return slow_cloud.client("ec2")


def launch(world: World) -> Any:
    launched = world.ec2.run_instances(
        ImageId=LAB_IMAGE_ID, MinCount=1, MaxCount=1, InstanceType="t3.micro", SubnetId=world.subnet
    )
    return launched["Instances"][0]


def state(world: World, instance: str) -> str:
    return str(world.instance(instance)["State"]["Name"])


def test_pending_until_the_machine_runs_and_what_a_pending_instance_refuses(world: World) -> None:
    began = time.monotonic()
    launched = launch(world)
    instance, allocation = launched["InstanceId"], world.ec2.allocate_address(Domain="vpc")["AllocationId"]
    assert launched["State"] == {"Code": 0, "Name": "pending"}
    assert state(world, instance) == "pending"
    with refused("IncorrectInstanceState", instance, "never reached the 'running' state"):
        world.ec2.stop_instances(InstanceIds=[instance])
    with refused("IncorrectInstanceState"):
        world.ec2.reboot_instances(InstanceIds=[instance])
    with refused("InvalidInstanceID", f"The pending instance '{instance}' is not in a valid state"):
        world.ec2.associate_address(AllocationId=allocation, InstanceId=instance)
    with refused("IncorrectInstanceState", interface_of(launched)):
        world.ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=interface_of(launched))
    spare = world.ec2.create_network_interface(SubnetId=world.subnet)["NetworkInterface"]["NetworkInterfaceId"]
    with refused("IncorrectInstanceState"):
        world.ec2.attach_network_interface(NetworkInterfaceId=spare, InstanceId=instance, DeviceIndex=1)
    world.ec2.start_instances(InstanceIds=[instance])  # it is starting: no error, nothing changes
    world.wait_state(instance, "running")
    assert time.monotonic() - began >= BOOT_DELAY
    world.ec2.associate_address(AllocationId=allocation, InstanceId=instance)


def test_stopping_and_starting_again(world: World) -> None:
    instance = world.launch("10.0.0.36")["InstanceId"]
    answer = world.ec2.stop_instances(InstanceIds=[instance])["StoppingInstances"][0]
    assert (answer["PreviousState"]["Name"], answer["CurrentState"]["Name"]) == ("running", "stopping")
    assert state(world, instance) == "stopping"
    for call in (world.ec2.start_instances, world.ec2.reboot_instances):
        with refused("IncorrectInstanceState", instance):
            call(InstanceIds=[instance])
    world.ec2.stop_instances(InstanceIds=[instance])
    world.wait_state(instance, "stopped")
    assert world.instance(instance)["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    answer = world.ec2.start_instances(InstanceIds=[instance])["StartingInstances"][0]
    assert (answer["PreviousState"]["Name"], answer["CurrentState"]["Name"]) == ("stopped", "pending")
    assert state(world, instance) == "pending"
    with refused("IncorrectInstanceState", "can be stopped"):
        world.ec2.stop_instances(InstanceIds=[instance])
    world.wait_state(instance, "running")
    assert world.instance(instance)["PrivateIpAddress"] == "10.0.0.36"


def test_shutting_down_and_terminated(world: World) -> None:
    instance = world.launch("10.0.0.36")["InstanceId"]
    answer = world.ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"][0]
    assert (answer["PreviousState"]["Name"], answer["CurrentState"]["Name"]) == ("running", "shutting-down")
    assert state(world, instance) == "shutting-down"
    allocation = world.ec2.allocate_address(Domain="vpc")["AllocationId"]
    for now in ("shutting-down", "terminated"):
        world.wait_state(instance, now)
        for call in (world.ec2.start_instances, world.ec2.stop_instances):
            with refused("IncorrectInstanceState", instance):
                call(InstanceIds=[instance])
        with refused("InvalidInstanceID", f"The {now} instance '{instance}' is not in a valid state"):
            world.ec2.associate_address(AllocationId=allocation, InstanceId=instance)
        world.ec2.reboot_instances(InstanceIds=[instance])  # "Requests to reboot terminated instances are ignored"
        again = world.ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"][0]
        assert again["PreviousState"]["Name"] == now
    assert "PrivateIpAddress" not in world.instance(instance)


def test_an_instance_can_be_terminated_while_it_is_pending(world: World) -> None:
    instance = launch(world)["InstanceId"]
    world.ec2.terminate_instances(InstanceIds=[instance])
    assert state(world, instance) == "shutting-down"
    world.wait_state(instance, "terminated")


def test_the_sdks_waiters_end(world: World) -> None:
    instance = launch(world)["InstanceId"]
    quick = {"Delay": 1, "MaxAttempts": 20}
    world.ec2.get_waiter("instance_running").wait(InstanceIds=[instance], WaiterConfig=quick)
    world.ec2.stop_instances(InstanceIds=[instance])
    world.ec2.get_waiter("instance_stopped").wait(InstanceIds=[instance], WaiterConfig=quick)
    world.ec2.terminate_instances(InstanceIds=[instance])
    world.ec2.get_waiter("instance_terminated").wait(InstanceIds=[instance], WaiterConfig=quick)
