"""States of instances: what each allows, what ends free, and that machines are told in order."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from lab.cloud.corrections.images import LAB_IMAGE_ID
from lab.cloud.instance_facts import InstanceRegister
from lab.cloud.local import LocalCloud
from lab.cloud.metadata import InstanceFacts
from lab.cloud.substrate import MachineRequest, NoMachines
from tests.lab.cloud.conftest import World, client, interface_of, refused, wait_for

pytestmark = pytest.mark.cloud


class SlowMachines(NoMachines):
    """Machines that do what they are told when `gate` opens, and remember it."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.told: list[str] = []
        self.faulty = False

    def launch(self, machine: MachineRequest) -> None:
        self._tell("launch")
        if self.faulty:
            raise RuntimeError("not enough memory")
        super().launch(machine)

    def start(self, machine: MachineRequest) -> None:
        self._tell("start")
        NoMachines.launch(self, machine)

    def stop(self, instance_id: str) -> None:
        self._tell("stop")
        if self.faulty:
            raise RuntimeError("no answer")
        NoMachines.terminate(self, instance_id)

    def reboot(self, instance_id: str) -> None:
        self._tell("reboot")

    def terminate(self, instance_id: str) -> None:
        self._tell("terminate")
        super().terminate(instance_id)

    def _tell(self, what: str) -> None:
        assert self.gate.wait(20)
        self.told.append(what)


@pytest.fixture
def machines(cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[SlowMachines]:
    machines = SlowMachines()
    monkeypatch.setattr(cloud.account, "substrate", machines)
    yield machines
    machines.gate.set()


@pytest.fixture
def instance(world: World) -> Any:
    return world.launch("10.0.0.36")


def act(world: World, verb: str, instance: Any) -> Any:
    return getattr(world.ec2, f"{verb}_instances")(InstanceIds=[instance["InstanceId"]])


def launch_unready(world: World) -> str:
    launched = world.ec2.run_instances(
        ImageId=LAB_IMAGE_ID, MinCount=1, MaxCount=1, InstanceType="t3.micro", SubnetId=world.subnet
    )
    assert launched["Instances"][0]["State"]["Name"] == "pending"
    return str(launched["Instances"][0]["InstanceId"])


def test_pending_until_the_machine_runs(world: World, machines: SlowMachines) -> None:
    identity = launch_unready(world)
    assert world.instance(identity)["State"]["Name"] == "pending"
    with refused("IncorrectInstanceState", identity):
        world.ec2.stop_instances(InstanceIds=[identity])
    machines.gate.set()
    world.wait_state(identity, "running")
    assert machines.is_running(identity)


def test_stopping_until_the_machine_is_off(world: World, instance: Any, machines: SlowMachines) -> None:
    assert act(world, "stop", instance)["StoppingInstances"][0]["CurrentState"]["Name"] == "stopping"
    assert world.instance(instance["InstanceId"])["State"]["Name"] == "stopping"
    with refused("IncorrectInstanceState"):
        act(world, "start", instance)
    machines.gate.set()
    world.wait_state(instance["InstanceId"], "stopped")
    assert world.instance(instance["InstanceId"])["PrivateIpAddress"] == "10.0.0.36"
    act(world, "start", instance)
    world.wait_state(instance["InstanceId"], "running")
    act(world, "reboot", instance)
    wait_for(lambda: machines.told == ["stop", "start", "reboot"])


def test_terminated_while_it_still_boots(world: World, machines: SlowMachines) -> None:
    identity = launch_unready(world)
    world.ec2.terminate_instances(InstanceIds=[identity])
    assert world.instance(identity)["State"]["Name"] == "shutting-down"
    machines.gate.set()
    world.wait_state(identity, "terminated")
    assert machines.told[-1] == "terminate"
    assert not machines.is_running(identity)


def test_a_machine_that_cannot_be_made_ends_the_instance_and_says_why(world: World, machines: SlowMachines) -> None:
    machines.faulty = True
    machines.gate.set()
    identity = launch_unready(world)
    world.wait_state(identity, "terminated")
    reason = world.instance(identity)["StateReason"]
    assert reason["Code"] == "Server.InternalError"
    assert "not enough memory" in reason["Message"]


@pytest.mark.parametrize("verb", ["start", "stop"])
def test_nothing_moves_the_terminated(world: World, instance: Any, verb: str) -> None:
    act(world, "terminate", instance)
    world.wait_state(instance["InstanceId"], "terminated")
    with refused("IncorrectInstanceState", instance["InstanceId"]):
        act(world, verb, instance)
    assert act(world, "terminate", instance)["TerminatingInstances"][0]["PreviousState"]["Name"] == "terminated"


def test_a_reboot_of_the_terminated_reaches_no_machine(world: World, instance: Any, machines: SlowMachines) -> None:
    machines.gate.set()
    act(world, "terminate", instance)
    world.wait_state(instance["InstanceId"], "terminated")
    act(world, "reboot", instance)
    assert machines.told == ["stop"]


def facts_of(cloud: LocalCloud, identity: str) -> InstanceFacts | None:
    return InstanceRegister(cloud.account).facts_of_instance(identity)


def network(machines: SlowMachines) -> list[tuple[str, list[str | None]]]:
    return [(each.instance_id, [at.public for at in each.addresses]) for each in machines.state.interfaces]


def test_a_machine_keeps_all_it_has_until_it_has_shut_down(
    world: World, machines: SlowMachines, cloud: LocalCloud
) -> None:
    machines.gate.set()
    client(cloud, "iam").create_instance_profile(InstanceProfileName="directors")
    instance = world.launch("10.0.0.36", IamInstanceProfile={"Name": "directors"})
    identity, interface = instance["InstanceId"], interface_of(instance)
    service = world.ec2.allocate_address(Domain="vpc")
    world.ec2.associate_address(AllocationId=service["AllocationId"], NetworkInterfaceId=interface)
    machines.gate.clear()
    assert act(world, "terminate", instance)["TerminatingInstances"][0]["CurrentState"]["Name"] == "shutting-down"
    assert world.instance(identity)["State"]["Name"] == "shutting-down"
    shown = world.interface(interface)
    assert (shown["Status"], shown["Association"]["PublicIp"]) == ("in-use", service["PublicIp"])
    facts = facts_of(cloud, identity)
    assert facts is not None and facts.profile_arn and facts.cards[0].interface_id == interface
    assert network(machines) == [(identity, [service["PublicIp"]])]
    with refused("InvalidIPAddress.InUse"):
        world.launch("10.0.0.36")
    machines.gate.set()
    world.wait_state(identity, "terminated")
    assert machines.told[-1] == "stop" and not machines.is_running(identity)
    with refused("InvalidNetworkInterfaceID.NotFound"):
        world.interface(interface)
    assert (facts_of(cloud, identity), network(machines)) == (None, [])
    assert world.ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"] == []
    gone = world.instance(identity)
    assert gone["StateReason"]["Code"] == "Client.UserInitiatedShutdown"
    assert gone["StateTransitionReason"].startswith("User initiated (")


def test_an_address_of_the_shutting_down_can_be_taken(world: World, machines: SlowMachines) -> None:
    """As the other director does when its owner hands over."""
    machines.gate.set()
    owner, other = (interface_of(world.launch()) for _ in range(2))
    world.ec2.assign_private_ip_addresses(NetworkInterfaceId=owner, PrivateIpAddresses=["10.0.0.100"])
    machines.gate.clear()
    world.ec2.terminate_instances(InstanceIds=[world.interface(owner)["Attachment"]["InstanceId"]])
    world.ec2.assign_private_ip_addresses(
        NetworkInterfaceId=other, PrivateIpAddresses=["10.0.0.100"], AllowReassignment=True
    )
    assert "10.0.0.100" not in world.addresses(owner)
    assert "10.0.0.100" in world.addresses(other)


def test_a_machine_that_does_not_shut_down_loses_its_power(world: World, instance: Any, machines: SlowMachines) -> None:
    machines.faulty = True
    machines.gate.set()
    world.end(instance["InstanceId"])
    assert machines.told == ["stop", "terminate"]
    with refused("InvalidNetworkInterfaceID.NotFound"):
        world.interface(interface_of(instance))


def test_the_stopped_end_at_once(world: World, instance: Any, machines: SlowMachines) -> None:
    machines.gate.set()
    act(world, "stop", instance)
    world.wait_state(instance["InstanceId"], "stopped")
    machines.gate.clear()
    answer = act(world, "terminate", instance)["TerminatingInstances"][0]
    assert (answer["PreviousState"]["Name"], answer["CurrentState"]["Name"]) == ("stopped", "terminated")
    with refused("InvalidNetworkInterfaceID.NotFound"):
        world.interface(interface_of(instance))


def test_terminated_while_it_stops(world: World, instance: Any, machines: SlowMachines) -> None:
    act(world, "stop", instance)
    answer = act(world, "terminate", instance)["TerminatingInstances"][0]
    assert (answer["PreviousState"]["Name"], answer["CurrentState"]["Name"]) == ("stopping", "shutting-down")
    machines.gate.set()
    world.wait_state(instance["InstanceId"], "terminated")


def test_the_profile_of_the_shutting_down_can_be_taken_away(
    world: World, machines: SlowMachines, cloud: LocalCloud
) -> None:
    machines.gate.set()
    client(cloud, "iam").create_instance_profile(InstanceProfileName="directors")
    instance = world.launch(IamInstanceProfile={"Name": "directors"})["InstanceId"]
    machines.gate.clear()
    world.ec2.terminate_instances(InstanceIds=[instance])
    (association,) = world.ec2.describe_iam_instance_profile_associations()["IamInstanceProfileAssociations"]
    world.ec2.disassociate_iam_instance_profile(AssociationId=association["AssociationId"])
    machines.gate.set()
    world.wait_state(instance, "terminated")


def test_an_emptied_account_takes_the_power_of_its_machines_at_once(
    world: World, instance: Any, machines: SlowMachines, cloud: LocalCloud
) -> None:
    cloud.account.reset()
    machines.gate.set()
    wait_for(lambda: machines.told == ["terminate"])


def test_one_in_a_wrong_state_keeps_all_as_they_are(world: World, instance: Any) -> None:
    other = world.launch()
    act(world, "terminate", other)
    with refused("IncorrectInstanceState", other["InstanceId"]):
        world.ec2.stop_instances(InstanceIds=[instance["InstanceId"], other["InstanceId"]])
    assert world.instance(instance["InstanceId"])["State"]["Name"] == "running"


def test_machines_with_one_card_have_one_interface(
    ec2: Any, cloud: LocalCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A refusal EC2 does not know, where a second interface would have no card."""
    monkeypatch.setattr(cloud.substrate, "most_interfaces", 1)
    cloud.account.reset()
    subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
    request = {"ImageId": LAB_IMAGE_ID, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1}
    cards = [{"DeviceIndex": index, "SubnetId": subnet} for index in range(2)]
    with refused("UnsupportedOperation", "have 1 interface"):
        ec2.run_instances(**request, NetworkInterfaces=cards)
    instance = ec2.run_instances(**request, NetworkInterfaces=cards[:1])["Instances"][0]
    spare = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
    with refused("UnsupportedOperation", "have 1 interface"):
        ec2.attach_network_interface(NetworkInterfaceId=spare, InstanceId=instance["InstanceId"], DeviceIndex=1)
    shown = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface_of(instance)])["NetworkInterfaces"][0]
    with refused("OperationNotPermitted", "device index 0"):
        ec2.detach_network_interface(AttachmentId=shown["Attachment"]["AttachmentId"])


def test_the_end_frees_interface_addresses_and_associations(world: World, instance: Any) -> None:
    interface, service = interface_of(instance), world.ec2.allocate_address(Domain="vpc")["AllocationId"]
    world.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.0.100"])
    world.ec2.associate_address(AllocationId=service, NetworkInterfaceId=interface, PrivateIpAddress="10.0.0.100")
    world.end(instance["InstanceId"])
    with refused("InvalidNetworkInterfaceID.NotFound"):
        world.interface(interface)
    assert "AssociationId" not in world.ec2.describe_addresses(AllocationIds=[service])["Addresses"][0]
    successor = world.launch("10.0.0.36")
    world.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface_of(successor), PrivateIpAddresses=["10.0.0.100"])
    gone = world.instance(instance["InstanceId"])
    assert "PrivateIpAddress" not in gone
    assert not gone["NetworkInterfaces"]
