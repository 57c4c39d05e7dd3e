"""What the network knows lags behind what the API says, and never has an address twice."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.cloud.corrections.images import LAB_IMAGE_ID
from lab.cloud.local import local_cloud
from lab.cloud.remap import Addresses, NetworkView
from lab.cloud.substrate import NoMachines
from lab.fabric.model import Address
from tests.lab.cloud.conftest import client, interface_of


def holding(**interfaces: list[str]) -> Addresses:
    return {name: tuple(Address(private=each) for each in held) for name, held in interfaces.items()}


def test_a_move_is_seen_after_the_delay() -> None:
    before, after = holding(a=["1", "vip"], b=["2"]), holding(a=["1"], b=["2", "vip"])
    view = NetworkView(1.0)
    view.observe(before, 0.0)
    assert view.at(0.0) == before
    view.observe(after, 5.0)
    assert view.next_change() is not None
    assert view.at(5.9) == before
    assert view.at(6.0) == after
    assert view.next_change() is None


def test_two_moves_are_seen_one_after_the_other() -> None:
    first, second = holding(a=["1", "vip"], b=["2"]), holding(a=["1"], b=["2", "vip"])
    view = NetworkView(1.0)
    view.observe(first, 0.0)
    view.observe(second, 5.0)
    view.observe(first, 5.5)
    assert view.at(6.2) == second
    assert view.at(6.5) == first


def test_interfaces_come_and_go_at_once() -> None:
    view = NetworkView(10.0)
    view.observe(holding(a=["1", "vip"]), 0.0)
    view.observe(holding(a=["1", "vip"], b=["2"]), 1.0)
    assert view.at(1.0) == holding(a=["1", "vip"], b=["2"])
    view.observe(holding(b=["2"]), 2.0)
    assert view.at(2.0) == holding(b=["2"])


def test_without_a_delay_it_is_what_the_api_says() -> None:
    view = NetworkView(0.0)
    for state in (holding(a=["1"]), holding(a=["1", "vip"]), holding(a=["1"])):
        view.observe(state, 3.0)
        assert view.at(3.0) == state


def test_a_new_interface_takes_an_address_that_was_left_but_is_still_seen() -> None:
    view = NetworkView(1.0)
    view.observe(holding(a=["1", "vip"]), 0.0)
    view.observe(holding(a=["1"]), 5.0)
    view.observe(holding(a=["1"], b=["vip"]), 5.2)
    assert view.at(5.2) == holding(a=["1"], b=["vip"])


def test_what_an_older_interface_was_given_and_left_again_does_not_come_back() -> None:
    view = NetworkView(1.0)
    view.observe(holding(a=["1"]), 0.0)
    view.observe(holding(a=["1", "vip"]), 5.0)
    view.observe(holding(a=["1"]), 5.1)
    view.observe(holding(a=["1"], b=["vip"]), 5.2)
    assert view.at(6.0) == holding(a=["1"], b=["vip"])


@pytest.mark.cloud
def test_the_network_follows_however_often_the_metadata_service_looks() -> None:
    """A look in the moment something becomes known once kept it from the fabric until the next call."""
    network = NoMachines()
    with local_cloud(substrate=network, remap_delay_seconds=0.2) as cloud:
        ec2 = client(cloud, "ec2")
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
        [launched] = ec2.run_instances(
            ImageId=LAB_IMAGE_ID, InstanceType="t3.micro", SubnetId=subnet, MinCount=1, MaxCount=1
        )["Instances"]
        made = interface_of(launched)
        ec2.assign_private_ip_addresses(NetworkInterfaceId=made, PrivateIpAddresses=["10.0.0.100"])
        deadline = time.monotonic() + 2.0
        while time.monotonic() < deadline:
            with cloud.account.lock:
                seen = [each.private for each in cloud.account.addresses()[made]]
        assert "10.0.0.100" in seen
        [interface] = network.state.interfaces
        assert [each.private for each in interface.addresses] == seen


# Who holds each address, after a pause; an interface that holds nothing is not there.
STATES = st.lists(
    st.tuples(st.floats(min_value=0, max_value=2), st.dictionaries(st.sampled_from("vwxyz"), st.sampled_from("abc"))),
    max_size=12,
)


@given(STATES)
def test_an_address_has_one_owner_at_any_time_and_the_view_arrives(history: list[tuple[float, dict[str, str]]]) -> None:
    view, now = NetworkView(1.0), 0.0
    said: Addresses = {}
    for pause, owners in history:
        now += pause
        held = {name: [address for address, owner in owners.items() if owner == name] for name in "abc"}
        said = holding(**{name: addresses for name, addresses in held.items() if addresses})
        view.observe(said, now)
        seen = [address.private for card in view.at(now).values() for address in card]
        assert len(seen) == len(set(seen))
    assert view.at(now + 1.0) == said
