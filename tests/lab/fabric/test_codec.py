from __future__ import annotations

import json

import pytest

from lab.fabric.codec import DocumentError, from_json, to_json
from lab.fabric.model import Address, Interface, Route, Rule, SecurityGroup, Subnet, VpcState

STATE = VpcState(
    subnets=(
        Subnet(id="subnet-1", vpc_id="vpc-1", cidr="10.0.0.0/24", routes=(Route(cidr="0.0.0.0/0", target="igw-1"),)),
    ),
    interfaces=(
        Interface(
            id="eni-1",
            instance_id="i-1",
            subnet_id="subnet-1",
            mac="02:00:0a:00:00:24",
            addresses=(Address(private="10.0.0.36", public="203.0.113.5"), Address(private="10.0.0.100")),
            groups=("sg-1",),
            source_dest_check=False,
            metadata_hop_limit=2,
        ),
    ),
    groups=(
        SecurityGroup(
            id="sg-1",
            ingress=(Rule(protocol="6", from_port=80, to_port=80, cidr="0.0.0.0/0"),),
            egress=(Rule(protocol="112", group="sg-1"),),
        ),
    ),
)


def test_a_state_survives_json() -> None:
    assert from_json(json.loads(json.dumps(to_json(STATE)))) == STATE


def test_defaults_may_be_absent() -> None:
    assert from_json({}) == VpcState()
    rule = {"protocol": "-1", "cidr": "0.0.0.0/0"}
    state = from_json({"groups": [{"id": "sg-1", "ingress": [rule]}]})
    assert state.groups == (SecurityGroup(id="sg-1", ingress=(Rule(protocol="-1", cidr="0.0.0.0/0"),)),)


def test_one_error_names_every_fault_and_its_place() -> None:
    document = to_json(STATE)
    document["interfaces"][0]["mac"] = 7
    document["interfaces"][0]["colour"] = "red"
    del document["subnets"][0]["cidr"]
    document["groups"][0]["ingress"][0]["from_port"] = True
    with pytest.raises(DocumentError) as caught:
        from_json(document)
    assert caught.value.faults == [
        "state.subnets[0].cidr is missing",
        "state.interfaces[0].colour is not a field of Interface",
        "state.interfaces[0].mac is 7, not str",
        "state.groups[0].ingress[0].from_port is True, not int or null",
    ]


@pytest.mark.parametrize("document", [None, [], "x", {"subnets": {}}, {"subnets": [1]}])
def test_what_is_no_state_at_all_is_refused(document: object) -> None:
    with pytest.raises(DocumentError):
        from_json(document)
