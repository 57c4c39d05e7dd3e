"""The Describe calls: pages through the SDK's paginators, filters, ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab.cloud.corrections.images import DEBIAN_OWNER, LAB_IMAGE_ID
from tests.lab.cloud.conftest import World, interface_of, refused
from tests.lab.cloud.ec2.conftest import LabCloud

pytestmark = pytest.mark.cloud
MANY = 7
TAG = {"Key": "Role", "Value": "director"}


def tagged(kind: str, number: int) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": [TAG, {"Key": "Name", "Value": f"lab-{number}"}]}]


def instances(world: World) -> Iterator[str]:
    for n in range(MANY):
        yield world.launch(TagSpecifications=tagged("instance", n))["InstanceId"]


def interfaces(world: World) -> Iterator[str]:
    for n in range(MANY):
        made = world.ec2.create_network_interface(
            SubnetId=world.subnet, TagSpecifications=tagged("network-interface", n)
        )
        yield made["NetworkInterface"]["NetworkInterfaceId"]


def groups(world: World) -> Iterator[str]:
    for n in range(MANY):
        yield world.ec2.create_security_group(
            GroupName=f"g{n}", Description="g", VpcId=world.vpc, TagSpecifications=tagged("security-group", n)
        )["GroupId"]


def rules(world: World) -> Iterator[str]:
    for n in range(MANY):
        permission = {"IpProtocol": str(200 + n), "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
        made = world.ec2.authorize_security_group_ingress(
            GroupId=world.group,
            IpPermissions=[permission],
            TagSpecifications=tagged("security-group-rule", n),
        )
        yield made["SecurityGroupRules"][0]["SecurityGroupRuleId"]


def subnets(world: World) -> Iterator[str]:
    for n in range(MANY):
        made = world.ec2.create_subnet(
            VpcId=world.vpc, CidrBlock=f"10.0.{n + 10}.0/24", TagSpecifications=tagged("subnet", n)
        )
        yield made["Subnet"]["SubnetId"]


def vpcs(world: World) -> Iterator[str]:
    for n in range(MANY):
        made = world.ec2.create_vpc(CidrBlock=f"10.{n + 10}.0.0/16", TagSpecifications=tagged("vpc", n))
        yield made["Vpc"]["VpcId"]


def tables(world: World) -> Iterator[str]:
    for n in range(MANY):
        made = world.ec2.create_route_table(VpcId=world.vpc, TagSpecifications=tagged("route-table", n))
        yield made["RouteTable"]["RouteTableId"]


def gateways(world: World) -> Iterator[str]:
    for n in range(MANY):
        made = world.ec2.create_internet_gateway(TagSpecifications=tagged("internet-gateway", n))
        yield made["InternetGateway"]["InternetGatewayId"]


def addresses(world: World) -> Iterator[str]:
    for n in range(MANY):
        yield world.ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip", n))["AllocationId"]


Made = Callable[[World], Iterator[str]]
# By call: what makes things, where they are in the answer, their id there, and the parameter that takes ids.
LISTED: dict[str, tuple[Made, str, str, str]] = {
    "describe_instances": (instances, "Reservations", "InstanceId", "InstanceIds"),
    "describe_network_interfaces": (interfaces, "NetworkInterfaces", "NetworkInterfaceId", "NetworkInterfaceIds"),
    "describe_security_groups": (groups, "SecurityGroups", "GroupId", "GroupIds"),
    "describe_security_group_rules": (rules, "SecurityGroupRules", "SecurityGroupRuleId", "SecurityGroupRuleIds"),
    "describe_subnets": (subnets, "Subnets", "SubnetId", "SubnetIds"),
    "describe_vpcs": (vpcs, "Vpcs", "VpcId", "VpcIds"),
    "describe_route_tables": (tables, "RouteTables", "RouteTableId", "RouteTableIds"),
    "describe_internet_gateways": (gateways, "InternetGateways", "InternetGatewayId", "InternetGatewayIds"),
    "describe_addresses": (addresses, "Addresses", "AllocationId", "AllocationIds"),
}
PAGED = [call for call in LISTED if call != "describe_addresses"]


def ids(answer: Any, call: str) -> list[str]:
    _, key, name, _ = LISTED[call]
    items = answer[key]
    if call == "describe_instances":
        items = [instance for reservation in items for instance in reservation["Instances"]]
    return [item[name] for item in items]


@pytest.mark.parametrize("call", PAGED)
def test_pages(world: World, call: str) -> None:
    """Through the SDK's paginator: no page is larger than asked for, and nothing is missed or twice."""
    made = list(LISTED[call][0](world))
    pages = list(world.ec2.get_paginator(call).paginate(PaginationConfig={"PageSize": 5}))
    listed = [ids(page, call) for page in pages]
    assert len(pages) > 1
    assert all(len(page) == 5 for page in listed[:-1]) and 0 < len(listed[-1]) <= 5
    together = [each for page in listed for each in page]
    assert len(set(together)) == len(together)
    assert set(made) <= set(together)
    assert together == ids(getattr(world.ec2, call)(), call)
    assert "NextToken" not in pages[-1]


def test_pages_of_tags_and_of_instance_types(world: World) -> None:
    world.ec2.create_tags(Resources=[world.vpc], Tags=[{"Key": f"k{n}", "Value": "v"} for n in range(MANY)])
    pages = list(world.ec2.get_paginator("describe_tags").paginate(PaginationConfig={"PageSize": 5}))
    assert [len(page["Tags"]) for page in pages] == [5, 2]
    types = [page["InstanceTypes"] for page in world.ec2.get_paginator("describe_instance_types").paginate()]
    assert all(len(page) == 100 for page in types[:-1]) and len(types) > 1  # a page is 100 where none is asked for
    names = [each["InstanceType"] for page in types for each in page]
    assert len(names) == len(set(names)) and {"t3.nano", "t3.micro"} <= set(names)
    images = list(world.ec2.get_paginator("describe_images").paginate(PaginationConfig={"PageSize": 5}))
    assert LAB_IMAGE_ID in [image["ImageId"] for page in images for image in page["Images"]]


def test_elastic_ips_come_all_at_once(world: World) -> None:
    """DescribeAddresses has no pages (API reference)."""
    made = list(addresses(world))
    assert set(made) == set(ids(world.ec2.describe_addresses(), "describe_addresses"))
    assert not world.ec2.can_paginate("describe_addresses")


@pytest.mark.parametrize("call", [*PAGED, "describe_tags", "describe_instance_types", "describe_images"])
def test_a_page_of_less_than_five_and_a_token_of_nobody(world: World, call: str) -> None:
    describe = getattr(world.ec2, call)
    with refused("InvalidParameterValue", "Value ( 4 ) for parameter maxResults", "Expecting a value greater than 5."):
        describe(MaxResults=4)
    for token in ("nonsense", "", "bm9uc2Vuc2U="):
        with refused("InvalidParameterValue", "NextToken is invalid"):
            describe(NextToken=token)


def test_the_token_of_another_call(world: World) -> None:
    list(vpcs(world))
    token = world.ec2.describe_vpcs(MaxResults=5)["NextToken"]
    with refused("InvalidParameterValue", "NextToken"):
        world.ec2.describe_subnets(NextToken=token)


def test_the_largest_page(world: World, director: Any) -> None:
    with refused("InvalidParameterValue", "maxResults"):
        world.ec2.describe_network_interfaces(MaxResults=1001)
    with refused("InvalidParameterValue", "maxResults"):
        world.ec2.describe_route_tables(MaxResults=101)
    assert world.ec2.describe_instances(MaxResults=5000)["Reservations"]  # a thousand at most, without a word


@pytest.mark.parametrize("call", ["describe_instances", "describe_network_interfaces"])
def test_no_pages_of_named_things(world: World, director: Any, call: str) -> None:
    name = LISTED[call][3]
    id_ = director["InstanceId"] if call == "describe_instances" else interface_of(director)
    with refused("InvalidParameterCombination", "cannot be used with the parameter maxResults"):
        getattr(world.ec2, call)(**{name: [id_]}, MaxResults=5)


@pytest.mark.parametrize("call", LISTED)
def test_tag_filters(world: World, call: str) -> None:
    made = list(LISTED[call][0](world))
    describe = getattr(world.ec2, call)

    def found(*filters: tuple[str, list[str]]) -> set[str]:
        return set(ids(describe(Filters=[{"Name": name, "Values": values} for name, values in filters]), call))

    assert found(("tag:Name", ["lab-0"])) == {made[0]}
    assert found(("tag:Name", ["lab-0", "lab-3"])) == {made[0], made[3]}
    assert found(("tag:Name", ["lab-*"])) == found(("tag:Name", ["lab-?"])) == set(made)
    assert found(("tag:Name", ["l?b-*"]), ("tag:Role", ["director"])) == set(made)
    assert found(("tag:Name", ["LAB-*"])) == found(("tag:Name", ["lab"])) == found(("tag:Name", ["lab-\\*"])) == set()
    assert found(("tag:Name", ["lab-0"]), ("tag:Role", ["web"])) == set()
    assert found(("tag-key", ["Na*"])) == found(("tag-value", ["lab-?"])) == set(made)
    assert found(("tag-key", ["nothing", "Role"])) == set(made)
    assert found(("tag:Nothing", ["*"])) == set()


@pytest.mark.parametrize("call", [*LISTED, "describe_tags", "describe_images"])
def test_filters_that_are_none(world: World, call: str) -> None:
    with refused("InvalidParameterValue", "The filter 'colour' is invalid"):
        getattr(world.ec2, call)(Filters=[{"Name": "colour", "Values": ["red"]}])
    with refused("FilterLimitExceeded"):
        getattr(world.ec2, call)(Filters=[{"Name": "tag:Name", "Values": ["x" * 256]}])


@pytest.mark.parametrize("call", LISTED)
def test_ids_that_are_none(world: World, call: str) -> None:
    name = LISTED[call][3]
    first = next(LISTED[call][0](world))
    prefix = first.rpartition("-")[0]
    missing = f"{prefix}-0123456789abcdef0"
    assert ids(getattr(world.ec2, call)(**{name: [first]}), call) == [first]
    with pytest.raises(world.ec2.exceptions.ClientError, match=rf"\(Invalid\w+\.NotFound\).*[ '\[]{missing}[ '\]]"):
        getattr(world.ec2, call)(**{name: [first, missing]})


def test_filters_of_instances(world: World) -> None:
    ec2 = world.ec2
    first = world.launch("10.0.0.36", MetadataOptions={"HttpTokens": "required"})
    other = world.launch("10.0.0.56", InstanceType="t3.small")
    ec2.assign_private_ip_addresses(NetworkInterfaceId=interface_of(first), PrivateIpAddresses=["10.0.0.100"])
    ec2.stop_instances(InstanceIds=[other["InstanceId"]])
    world.wait_state(other["InstanceId"], "stopped")
    for name, value in (
        ("instance-state-name", "running"),
        ("instance-state-code", "16"),
        ("instance-type", "t3.mic*"),
        ("private-ip-address", "10.0.0.36"),
        ("network-interface.addresses.private-ip-address", "10.0.0.100"),
        ("network-interface.network-interface-id", interface_of(first)),
        ("metadata-options.http-tokens", "required"),
        ("private-dns-name", "ip-10-0-0-36.*"),
        ("instance-id", first["InstanceId"]),
        ("reservation-id", _reservation(world, first)),
    ):
        found = ec2.describe_instances(Filters=[{"Name": name, "Values": [value]}])
        assert ids(found, "describe_instances") == [first["InstanceId"]], name
    for name, value in (("vpc-id", world.vpc), ("subnet-id", world.subnet), ("instance.group-name", "directors")):
        assert len(ids(ec2.describe_instances(Filters=[{"Name": name, "Values": [value]}]), "describe_instances")) == 2


def _reservation(world: World, instance: Any) -> str:
    found = world.ec2.describe_instances(InstanceIds=[instance["InstanceId"]])["Reservations"]
    return str(found[0]["ReservationId"])


def test_a_filter_passes_where_any_of_several_addresses_does(world: World, director: Any) -> None:
    interface = interface_of(director)
    world.ec2.assign_private_ip_addresses(NetworkInterfaceId=interface, PrivateIpAddresses=["10.0.0.100"])
    wanted = [{"Name": "addresses.private-ip-address", "Values": ["10.0.0.100", "10.0.0.56"]}]
    assert ids(world.ec2.describe_network_interfaces(Filters=wanted), "describe_network_interfaces") == [interface]


def test_filters_of_a_network(world: World) -> None:
    ec2 = world.ec2

    def found(call: str, name: str, value: str) -> list[str]:
        return ids(getattr(ec2, call)(Filters=[{"Name": name, "Values": [value]}]), call)

    assert found("describe_vpcs", "cidr", "10.0.*") == [world.vpc]
    assert world.vpc not in found("describe_vpcs", "is-default", "true")
    assert found("describe_subnets", "cidr-block", "10.0.0.0/24") == [world.subnet]
    assert found("describe_internet_gateways", "attachment.vpc-id", world.vpc) == [world.gateway]
    assert found("describe_route_tables", "association.subnet-id", world.subnet) == [world.table]
    assert found("describe_route_tables", "route.gateway-id", world.gateway) == [world.table]
    assert found("describe_security_groups", "ip-permission.from-port", "80") == [world.group]
    assert found("describe_security_groups", "group-name", "direct*") == [world.group]
    assert len(found("describe_security_group_rules", "group-id", world.group)) == 2
    both = [{"Name": "vpc-id", "Values": [world.vpc]}, {"Name": "association.main", "Values": ["true"]}]
    assert world.table not in ids(ec2.describe_route_tables(Filters=both), "describe_route_tables")


def test_filters_of_tags_and_images(world: World) -> None:
    ec2 = world.ec2
    ec2.create_tags(Resources=[world.vpc, world.subnet], Tags=[TAG, {"Key": "Name", "Value": "here"}])
    for filters, count in (
        ({"resource-id": world.vpc}, 2),
        ({"resource-type": "subnet"}, 2),
        ({"key": "Na*"}, 2),
        ({"tag:Name": "here", "resource-id": world.vpc}, 1),
        ({"value": "nothing"}, 0),
    ):
        given = [{"Name": name, "Values": [value]} for name, value in filters.items()]
        assert len(ec2.describe_tags(Filters=given)["Tags"]) == count, filters
    wanted = [{"Name": "name", "Values": ["debian-13-amd64-*"]}, {"Name": "architecture", "Values": ["x86_64"]}]
    assert LAB_IMAGE_ID in [
        each["ImageId"] for each in ec2.describe_images(Owners=[DEBIAN_OWNER], Filters=wanted)["Images"]
    ]
    assert ec2.describe_images(Filters=[{"Name": "architecture", "Values": ["arm64"]}])["Images"] == []


def test_an_instance_type_that_is_none(lab_cloud: LabCloud, ec2: Any) -> None:
    with refused("InvalidInstanceType", "The following supplied instance types do not exist: [t3.enormous]"):
        ec2.describe_instance_types(InstanceTypes=["t3.micro", "t3.enormous"])
