"""The tables: every row has its source and says the same in words and in code; nothing the SDK sends is ignored."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pulumi_aws
import pytest

from lab.protocol.contract import UNKNOWN, Properties, Resource
from lab.provider.aws import FUNCTIONS, TYPES
from lab.provider.checking import faults
from lab.provider.comparing import compare
from lab.provider.configuration import CONFIGURATION, PROVIDER
from lab.provider.registry import Property, Schema
from tests.lab.provider import sdk

SCHEMAS = {token: kind.schema for token, kind in TYPES.items()}
ALL = {**SCHEMAS, **{token: function.schema for token, function in FUNCTIONS.items()}, PROVIDER: CONFIGURATION}

# A second telling of what a new value means, from the same sources: everything else is changed in place.
FORCES_NEW = {
    "aws:ec2/vpc:Vpc": {"region", "cidrBlock", "instanceTenancy"},
    "aws:ec2/subnet:Subnet": {"region", "availabilityZone", "availabilityZoneId", "cidrBlock", "vpcId"},
    "aws:ec2/internetGateway:InternetGateway": {"region"},
    "aws:ec2/routeTable:RouteTable": {"region", "vpcId"},
    "aws:ec2/route:Route": {"region", "destinationCidrBlock", "routeTableId"},
    "aws:ec2/routeTableAssociation:RouteTableAssociation": {"region", "gatewayId", "subnetId"},
    "aws:ec2/subnetCidrReservation:SubnetCidrReservation": {
        *("region", "cidrBlock", "description", "reservationType", "subnetId")
    },
    "aws:ec2/securityGroup:SecurityGroup": {"region", "name", "namePrefix", "description", "vpcId"},
    "aws:ec2/eip:Eip": {"region", "domain"},
    "aws:ec2/eipAssociation:EipAssociation": {
        *("region", "allocationId", "allowReassociation", "instanceId", "networkInterfaceId", "privateIpAddress"),
        "publicIp",
    },
    # userData only with userDataReplaceOnChange.
    "aws:ec2/instance:Instance": {
        *("region", "ami", "associatePublicIpAddress", "availabilityZone", "keyName", "privateIp", "subnetId"),
        *("rootBlockDevice.encrypted", "rootBlockDevice.kmsKeyId"),
    },
    # The kind of source only, which one value of the same kind does not change.
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": {"region", "securityGroupId"},
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": {"region", "securityGroupId"},
    "aws:iam/role:Role": {"name", "namePrefix", "path"},
    "aws:iam/rolePolicy:RolePolicy": {"name", "namePrefix", "role"},
    "aws:iam/instanceProfile:InstanceProfile": {"name", "namePrefix", "path"},
}
OLD_AND_NEW: dict[type, tuple[Any, Any]] = {
    str: ("old", "new"),
    bool: (False, True),
    int: (1, 2),
    list: (["old"], ["new"]),
    dict: ({"key": "old"}, {"key": "new"}),
}


def rows(properties: Mapping[str, Property], path: str = "") -> Iterator[tuple[str, Property]]:
    for name, known in properties.items():
        yield path + name, known
        yield from rows(known.nested or {}, f"{path}{name}.")


EVERY_ROW = [(token, path, known) for token, schema in ALL.items() for path, known in rows(schema.inputs)]


@pytest.mark.parametrize(("token", "path", "known"), EVERY_ROW, ids=lambda value: value if type(value) is str else "")
def test_every_row_has_its_source_and_does_what_the_source_says(token: str, path: str, known: Property) -> None:
    assert re.fullmatch(r"internal/[\w/]+\.go", ALL[token].file), token
    attribute = re.sub(r"([A-Z])", lambda match: f"_{match.group(1).lower()}", path.rpartition(".")[2])
    # Terraform's names are singular for lists of objects: route, filter.
    stem = known.source.split(":")[0].split(" ")[0].rpartition(".")[2]
    assert stem in (attribute, attribute.removesuffix("s")), f"{path} of {token} has no source"
    words = known.source.partition(":")[2]
    assert ("Required" in words) == known.required
    assert ("ForceNew" in words) == bool(known.replace)
    assert ("Computed" in words) == known.computed
    assert ("Default" in words) == (known.default is not None)
    if known.default is not None:
        assert str(known.default).lower() in words.lower()


@pytest.mark.parametrize("cls", sdk.CLASSES, ids=lambda cls: cls.__name__)
def test_every_input_the_sdk_sends_is_modelled_or_refused_by_name(cls: Any) -> None:
    token = sdk.token_of(cls)
    schema = SCHEMAS[token]
    modelled = {path for path, _ in rows(schema.inputs)}
    assert not modelled & schema.unmodelled
    for path in sdk.inputs_of(cls):
        whole = path.rpartition(".")[0]
        if path in modelled or whole in schema.unmodelled or (whole and schema.inputs[whole].document):
            continue
        assert path in schema.unmodelled, f"{path} of {token} is neither"
        refused = _refusals(token, schema, path)
        assert f"the lab does not model {path} of {token}: leave it away for the lab" in refused
    # And nothing is modelled that no program can send.
    assert modelled | schema.unmodelled <= sdk.inputs_of(cls).keys()


def _refusals(token: str, schema: Schema, path: str) -> str:
    outer, _, inner = path.rpartition(".")
    value: Any = {inner: "x"} if not outer or schema.inputs[outer].kind is dict else [{inner: "x"}]
    return "; ".join(failure.reason for failure in faults(token, schema, {outer: value} if outer else value))


def test_all_types_and_functions_of_the_sdk_are_in_the_lists_above() -> None:
    assert {sdk.token_of(cls) for cls in sdk.CLASSES} == TYPES.keys()
    assert sdk.FUNCTIONS.keys() == FUNCTIONS.keys()


@pytest.mark.parametrize("token", FUNCTIONS)
def test_every_argument_of_a_function_is_modelled_or_refused_by_name(token: str) -> None:
    schema = FUNCTIONS[token].schema
    assert sdk.arguments_of(sdk.FUNCTIONS[token]) == schema.inputs.keys() | schema.unmodelled
    for name in schema.unmodelled:
        assert f"the lab does not model {name} of {token}" in _refusals(token, schema, name)


def test_every_setting_of_the_provider_is_modelled_or_refused_by_name() -> None:
    sent = sdk.wire_names(pulumi_aws.ProviderArgs).keys() | {"version"}
    assert sent == CONFIGURATION.inputs.keys() | CONFIGURATION.unmodelled
    for name in CONFIGURATION.unmodelled:
        assert f"the lab does not model {name} of {PROVIDER}" in _refusals(PROVIDER, CONFIGURATION, name)


@pytest.mark.parametrize("cls", sdk.CLASSES, ids=lambda cls: cls.__name__)
def test_what_the_sdk_requires_is_required(cls: Any) -> None:
    inputs = SCHEMAS[sdk.token_of(cls)].inputs
    required = {path for path, getter in sdk.inputs_of(cls).items() if sdk.is_required(getter) and "." not in path}
    extra = {name for name, known in inputs.items() if known.required} - required
    assert required <= {name for name, known in inputs.items() if known.required}
    # What only the lab requires says so.
    assert all("in the lab" in inputs[name].source for name in extra)


@pytest.mark.parametrize("token", TYPES)
def test_what_forces_a_replacement(token: str) -> None:
    inputs = SCHEMAS[token].inputs
    for path, known in rows(inputs):
        outer, _, inner = path.rpartition(".")
        if known.nested is not None or (outer and inputs[outer].kind is list):
            continue  # objects are compared by what is in them, inline routes as a whole
        old, new = OLD_AND_NEW[known.kind]
        name = outer or inner
        deployed: Properties = {name: {inner: old} if outer else old}
        wanted: Properties = {name: {inner: new} if outer else new}
        changed, replaced = compare(inputs, deployed, wanted)
        assert changed == (name,), path
        assert replaced == ((name,) if path in FORCES_NEW[token] else ()), path
        if known.computed:
            assert compare(inputs, deployed, {name: {}} if outer else {}) == ((), ()), f"{path} left out"


def test_a_change_of_an_unknown_value_forces_what_it_may_force() -> None:
    inputs = SCHEMAS["aws:ec2/instance:Instance"].inputs
    assert compare(inputs, {"subnetId": "a"}, {"subnetId": UNKNOWN})[1] == ("subnetId",)
    disk = {"rootBlockDevice": {"encrypted": True}}
    assert compare(inputs, disk, {"rootBlockDevice": UNKNOWN})[1] == ("rootBlockDevice",)
    assert compare(inputs, disk, {"rootBlockDevice": {"encrypted": UNKNOWN}})[1] == ("rootBlockDevice",)
    sized = {"rootBlockDevice": {"encrypted": True, "volumeSize": UNKNOWN}}
    assert compare(inputs, disk, sized) == (("rootBlockDevice",), ())


def test_the_real_providers_timeouts() -> None:
    minutes = {
        token.rpartition(":")[2]: tuple(
            seconds / 60 for seconds in (schema.timeouts.create, schema.timeouts.update, schema.timeouts.delete)
        )
        for token, schema in SCHEMAS.items()
    }
    assert minutes == {
        "Vpc": (10, 5, 5),
        "Subnet": (10, 5, 20),
        "InternetGateway": (20, 20, 20),
        "RouteTable": (5, 2, 5),
        "Route": (5, 2, 5),
        "RouteTableAssociation": (5, 5, 5),
        "SubnetCidrReservation": (5, 5, 5),
        "SecurityGroup": (10, 5, 15),
        "Eip": (20, 5, 3),
        "EipAssociation": (5, 5, 5),
        "Instance": (10, 10, 20),
        "SecurityGroupIngressRule": (5, 5, 5),
        "SecurityGroupEgressRule": (5, 5, 5),
        "Role": (2, 2, 2),
        "RolePolicy": (2, 2, 2),
        "InstanceProfile": (2, 2, 2),
    }


def test_every_type_has_all_verbs() -> None:
    for token, kind in TYPES.items():
        forced = {path for path in FORCES_NEW[token] if "." not in path} | {"region", "tags"}
        in_place = kind.inputs.keys() - forced
        assert in_place - {"creditSpecification"} <= kind.updates, token
        assert Resource(type=token, name="n").type == kind.token


def test_a_row_without_a_source_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="source"):
        Property(kind=str)  # type: ignore[call-arg]
