from __future__ import annotations

from dataclasses import replace

import pytest

from lab.fabric.model import Address, Route, Rule, Subnet
from lab.fabric.topology import ROUTER_MAC, StateError, compile_state
from tests.lab.fabric.world import STATE, W1, with_group, with_interface


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"mac": "01:00:0a:00:00:24"}, "no unicast MAC"),
        ({"mac": "nonsense"}, "no unicast MAC"),
        ({"mac": ROUTER_MAC.hex(":")}, "the router's"),
        ({"mac": W1.mac}, "is on eni-d1 and on eni-w1"),
        ({"id": "../evil"}, "cannot name a socket"),
        ({"subnet_id": "subnet-x"}, "there is no subnet subnet-x"),
        ({"groups": ("sg-x",)}, "there is no group sg-x"),
        ({"metadata_hop_limit": 0}, "hop limit 0"),
        ({"addresses": ()}, "it has no address"),
        ({"addresses": (Address(private="10.0.0.3"),)}, "10.0.0.3 is not an address for an interface of 10.0.0.0/24"),
        ({"addresses": (Address(private="10.0.0.255"),)}, "10.0.0.255 is not an address"),
        ({"addresses": (Address(private="10.0.1.9"),)}, "10.0.1.9 is not an address"),
        ({"addresses": (Address(private="10.0.0.300"),)}, "300"),
        ({"addresses": (Address(private="10.0.0.80"),)}, "address 10.0.0.80 is on eni-d1 and on eni-w1"),
        ({"addresses": (Address(private="10.0.0.36", public="203.0.113.11"),)}, "203.0.113.11 is on eni-d1"),
    ],
)  # fmt: skip
def test_a_state_that_cannot_be_is_refused(changes: dict[str, object], fault: str) -> None:
    with pytest.raises(StateError, match="state refused") as caught:
        compile_state(with_interface("eni-d1", **changes))
    assert any(fault in text for text in caught.value.faults), caught.value.faults


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        (Rule(protocol="tcp", cidr="0.0.0.0/0"), "sg-web ingress[0]: protocol is 'tcp'"),
        (Rule(protocol="256", cidr="0.0.0.0/0"), "protocol is '256'"),
        (Rule(protocol="6", cidr="10.0.0.1/24"), "host bits"),
        (Rule(protocol="6"), "exactly one of cidr and group"),
        (Rule(protocol="6", cidr="0.0.0.0/0", group="sg-web"), "exactly one of cidr and group"),
        (Rule(protocol="6", from_port=90, to_port=80, cidr="0.0.0.0/0"), "90 to 80"),
    ],
)
def test_a_rule_that_cannot_be_is_refused(rule: Rule, fault: str) -> None:
    with pytest.raises(StateError) as caught:
        compile_state(with_group("sg-web", ingress=(rule,)))
    assert any(fault in text for text in caught.value.faults), caught.value.faults


def test_one_error_names_every_fault() -> None:
    state = with_interface("eni-d1", mac="x", groups=("sg-x",))
    state = replace(state, subnets=(*state.subnets, Subnet(id="subnet-c", vpc_id="vpc-1", cidr="x", routes=())))
    with pytest.raises(StateError) as caught:
        compile_state(state)
    assert len(caught.value.faults) == 3


def test_the_most_specific_route_wins_and_local_among_equals() -> None:
    routes = (
        Route(cidr="0.0.0.0/0", target="igw-1"),
        Route(cidr="10.0.0.0/16", target="eni-b1"),
        Route(cidr="10.0.0.0/16", target="local"),
        Route(cidr="10.0.9.0/24", target="eni-d2"),
    )
    view = compile_state(replace(STATE, subnets=(replace(STATE.subnets[0], routes=routes), STATE.subnets[1])))
    subnet = view.subnets["subnet-a"]
    targets = [subnet.route(int.from_bytes(bytes(at))) for at in ((10, 0, 9, 1), (10, 0, 8, 1), (11, 0, 0, 1))]
    assert targets == ["eni-d2", "local", "igw-1"]
