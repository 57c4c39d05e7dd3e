"""What the cloud tells of calls and moves, by the host's clock."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from lab.cloud.journal import KEPT, Call, Journal
from lab.cloud.local import LocalCloud
from lab.fabric.model import Address, Interface, VpcState
from tests.lab.cloud.conftest import World, interface_of, refused

pytestmark = pytest.mark.cloud
VIRTUAL_IP = "10.0.0.100"


def told(cloud: LocalCloud, since: float | str) -> dict[str, list[dict[str, Any]]]:
    with urllib.request.urlopen(f"{cloud.endpoint}/_lab/journal?since={since}") as answer:
        return json.load(answer)


def assign(ec2: Any, interface: str) -> None:
    ec2.assign_private_ip_addresses(
        NetworkInterfaceId=interface, PrivateIpAddresses=[VIRTUAL_IP], AllowReassignment=True
    )


def test_a_claim_is_a_call_and_a_move_in_this_order(cloud: LocalCloud, world: World) -> None:
    first, second = (interface_of(world.launch(address)) for address in ("10.0.0.36", "10.0.0.56"))
    assign(world.ec2, first)
    began = time.monotonic()
    assign(world.ec2, second)
    ended = time.monotonic()
    seen = told(cloud, began)
    (call,) = seen["calls"]
    (move,) = seen["moves"]
    assert (call["action"], call["interface"], call["status"]) == ("AssignPrivateIpAddresses", second, 200)
    assert call["dry_run"] is False and call["source"] == "127.0.0.1"
    assert (move["address"], move["interface"], move["public"]) == (VIRTUAL_IP, second, None)
    assert began <= call["received"] <= move["at"] <= call["answered"] <= ended
    assert told(cloud, ended) == {"calls": [], "moves": []}


def test_refusals_and_rehearsals_are_calls_too(cloud: LocalCloud, world: World) -> None:
    interface = interface_of(world.launch("10.0.0.36"))
    allocation = world.ec2.allocate_address()["AllocationId"]
    began = time.monotonic()
    with refused("DryRunOperation"):
        world.ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=interface, DryRun=True)
    with refused("InvalidParameterValue"):
        world.ec2.associate_address(AllocationId=allocation, NetworkInterfaceId=interface, PrivateIpAddress=VIRTUAL_IP)
    seen = [(call["dry_run"], call["status"]) for call in told(cloud, began)["calls"]]
    assert seen == [(True, 412), (False, 400)]


def test_a_move_comes_when_the_network_follows(world: World) -> None:
    journal = Journal()
    before = time.monotonic()

    def state(**addresses: Address) -> VpcState:
        return VpcState(
            interfaces=tuple(
                Interface(id=f"eni-{name}", instance_id="i", subnet_id="s", mac="m", addresses=(address,), groups=())
                for name, address in addresses.items()
            )
        )

    journal.follow(state(a=Address(private=VIRTUAL_IP, public="203.0.113.7")), state(a=Address(private=VIRTUAL_IP)))
    journal.follow(state(a=Address(private=VIRTUAL_IP)), state(b=Address(private=VIRTUAL_IP)))
    journal.follow(state(b=Address(private=VIRTUAL_IP)), state(b=Address(private=VIRTUAL_IP)))
    journal.follow(state(b=Address(private=VIRTUAL_IP)), state())
    seen = [(move["interface"], move["public"]) for move in journal.since(before)["moves"]]
    assert seen == [("eni-a", None), ("eni-b", None), (None, None)]


def test_it_keeps_the_last_ones_only() -> None:
    journal = Journal()
    for number in range(KEPT + 3):
        journal.note(Call.of(f"Action=A{number}".encode(), source="", received=float(number), status=200))
    kept = journal.since(0)["calls"]
    assert (len(kept), kept[0]["action"]) == (KEPT, "A3")


def test_a_time_that_is_none_is_refused(cloud: LocalCloud) -> None:
    with pytest.raises(urllib.error.HTTPError) as error:
        told(cloud, "yesterday")
    assert error.value.code == 400
