"""What the provider does to the account, and what it refuses."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from lab.cloud.local import LocalCloud
from lab.protocol.contract import UNKNOWN, Diff, InitializationError, ProviderError, Resource
from lab.provider import AwsProvider, instance_changes, instances
from lab.provider.account import Account
from lab.provider.registry import Work
from tests.lab.provider.conftest import REGION, Aws

IMAGE = "ami-0deb1a13000000001"
VPC = "aws:ec2/vpc:Vpc"
SUBNET = "aws:ec2/subnet:Subnet"
GROUP = "aws:ec2/securityGroup:SecurityGroup"
RULE = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
INSTANCE = "aws:ec2/instance:Instance"
EIP = "aws:ec2/eip:Eip"
ROLE = "aws:iam/role:Role"
TRUST = '{"Version": "2012-10-17", "Statement": []}'
pytestmark = pytest.mark.cloud


def failures(aws: Aws, type_: str, **inputs: Any) -> dict[str, str]:
    checked = aws.configured.check(Resource(type=type_, name="n"), inputs, seed=b"")
    return {failure.property: failure.reason for failure in checked.failures}


def test_unknown_types_properties_functions_and_arguments_are_named(aws: Aws) -> None:
    with pytest.raises(ProviderError, match="aws:s3/bucket:Bucket"):
        aws.configured.check(Resource(type="aws:s3/bucket:Bucket", name="b"), {}, seed=b"")
    assert failures(aws, SUBNET) == dict.fromkeys(("vpcId", "cidrBlock"), "missing required property")
    with pytest.raises(ProviderError, match="aws:ec2/getVpc:getVpc"):
        aws.configured.invoke("aws:ec2/getVpc:getVpc", {})
    with pytest.raises(ProviderError, match="colour"):
        aws.configured.invoke("aws:index/getRegion:getRegion", {"colour": "red"})
    with pytest.raises(ProviderError, match="name: the lab has one region"):
        aws.configured.invoke("aws:index/getRegion:getRegion", {"name": "eu-west-1"})
    assert failures(aws, INSTANCE).keys() == {"ami", "instanceType"}
    assert failures(aws, VPC, cidrBlock="10.0.0.0/16", region="eu-west-1").keys() == {"region"}


@pytest.mark.parametrize(
    ("inputs", "wrong"),
    [
        ({"ipProtocol": "tcp", "fromPort": 1, "toPort": 1}, "cidrIpv4"),
        ({"ipProtocol": "tcp", "cidrIpv4": "0.0.0.0/0", "referencedSecurityGroupId": "sg-1"}, "cidrIpv4"),
        ({"ipProtocol": "-1", "fromPort": 0, "toPort": 0, "cidrIpv4": "0.0.0.0/0"}, "fromPort"),
    ],
)
def test_rules_that_make_no_sense(aws: Aws, inputs: dict[str, Any], wrong: str) -> None:
    assert failures(aws, RULE, securityGroupId="sg-1", **inputs).keys() == {wrong}


def test_the_providers_own_configuration(provider: AwsProvider) -> None:
    assert provider.check_config({"region": REGION, "version": "7.51.1"}).failures == ()
    wrong = provider.check_config({"assumeRoles": "[]"}).failures
    assert {failure.property for failure in wrong} == {"assumeRoles", "region"}
    with pytest.raises(ProviderError, match="not allowed"):
        provider.configure({"region": REGION, "allowedAccountIds": '["999999999999"]'})
    with pytest.raises(ProviderError, match="not allowed"):
        provider.configure({"region": REGION, "forbiddenAccountIds": '["123456789012"]'})
    provider.configure({"region": REGION, "allowedAccountIds": '["123456789012"]'})


def test_tags_are_really_set_and_default_tags_count_as_a_change(aws: Aws, provider: AwsProvider, ec2: Any) -> None:
    made = aws.make(VPC, "v", cidrBlock="10.0.0.0/16", tags={"Name": "v", "Old": "1"})

    def tags() -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in ec2.describe_vpcs(VpcIds=[made.id])["Vpcs"][0]["Tags"]}

    assert tags() == {"Name": "v", "Old": "1", "Project": "test"}
    changed, forced, new = aws.change(made, cidrBlock="10.0.0.0/16", tags={"Name": "w"})
    assert (changed, forced) == (("tags",), ())
    assert tags() == {"Name": "w", "Project": "test"} == new.outputs["tagsAll"]
    other = Aws(configured=provider.configure({"region": REGION, "defaultTags": '{"tags": {"Project": "other"}}'}))
    changed, _, _ = other.change(new, cidrBlock="10.0.0.0/16", tags={"Name": "w"})
    assert changed == ("tagsAll",)
    assert tags() == {"Name": "w", "Project": "other"}


def test_iam_tags(aws: Aws, client: Callable[[str], Any]) -> None:
    made = aws.make(ROLE, "r", assumeRolePolicy=TRUST, tags={"A": "1"})
    _, _, new = aws.change(made, assumeRolePolicy=TRUST, tags={"B": "2"})
    tags = {tag["Key"]: tag["Value"] for tag in client("iam").list_role_tags(RoleName=made.id)["Tags"]}
    assert tags == {"B": "2", "Project": "test"} == new.outputs["tagsAll"]


def test_automatic_names(aws: Aws) -> None:
    check = aws.configured.check
    blank = Resource(type=ROLE, name="role")
    first = check(blank, {"assumeRolePolicy": TRUST}, seed=b"1").inputs["name"]
    assert first.startswith("role-") and len(first) == len("role-") + 7
    assert check(blank, {"assumeRolePolicy": TRUST}, seed=b"2").inputs["name"] != first
    deployed = Resource(type=ROLE, name="role", inputs={"name": first})
    assert check(deployed, {"assumeRolePolicy": TRUST}, seed=b"2").inputs["name"] == first
    assert check(deployed, {"assumeRolePolicy": TRUST, "name": "own"}, seed=b"2").inputs["name"] == "own"
    assert check(blank, {"assumeRolePolicy": TRUST, "namePrefix": "p"}, seed=b"2").inputs["name"].startswith("p")


def test_a_name_of_the_programs_own_is_free_only_when_the_old_one_is_gone(aws: Aws) -> None:
    own = {"assumeRolePolicy": TRUST, "name": "own", "path": "/"}
    moved = {**own, "path": "/moved/"}
    assert aws.configured.diff(Resource(type=ROLE, name="role", inputs=own), moved) == Diff(
        changed=("path",), replace=("path",), delete_before_replace=True
    )
    automatic = {**own, "name": "role-0123abc"}
    by_itself = aws.configured.diff(
        Resource(type=ROLE, name="role", inputs=automatic), {**automatic, "path": "/moved/"}
    )
    assert by_itself.replace == ("path",) and not by_itself.delete_before_replace
    renamed = aws.configured.diff(Resource(type=ROLE, name="role", inputs=own), {**own, "name": "new"})
    assert renamed.replace == ("name",) and not renamed.delete_before_replace
    assert failures(aws, ROLE, assumeRolePolicy=TRUST, name="a", namePrefix="b").keys() == {"namePrefix"}


@pytest.mark.parametrize(
    ("type_", "old", "new", "changed", "forced"),
    [
        (VPC, {"cidrBlock": "10.0.0.0/16"}, {"cidrBlock": "10.1.0.0/16"}, ("cidrBlock",), ("cidrBlock",)),
        (SUBNET, {"vpcId": "a", "availabilityZone": "us-east-1a"}, {"vpcId": "a"}, (), ()),
        (SUBNET, {"vpcId": "a"}, {"vpcId": UNKNOWN}, ("vpcId",), ("vpcId",)),
        (RULE, {"cidrIpv4": "10.0.0.0/8"}, {"cidrIpv4": "11.0.0.0/8"}, ("cidrIpv4",), ()),
        (RULE, {"securityGroupId": "a"}, {"securityGroupId": "b"}, ("securityGroupId",), ("securityGroupId",)),
        (GROUP, {"description": "a"}, {"description": "b"}, ("description",), ("description",)),
        (ROLE, {"assumeRolePolicy": '{"a": 1}'}, {"assumeRolePolicy": '{ "a":1 }'}, (), ()),
        (EIP, {}, {"instance": "i-1"}, ("instance",), ()),
        (EIP, {"instance": "i-1"}, {}, (), ()),
        (INSTANCE, {"userData": "a"}, {"userData": "b"}, ("userData",), ()),
        (
            INSTANCE,
            {"userData": "a", "userDataReplaceOnChange": True},
            {"userData": "b", "userDataReplaceOnChange": True},
            ("userData",),
            ("userData",),
        ),
        (
            INSTANCE,
            {"userDataReplaceOnChange": False},
            {"userDataReplaceOnChange": True},
            ("userDataReplaceOnChange",),
            (),
        ),
        (INSTANCE, {"vpcSecurityGroupIds": ["a", "b"]}, {"vpcSecurityGroupIds": ["b", "a"]}, (), ()),
        (INSTANCE, {"privateIp": "10.0.0.1"}, {"privateIp": "10.0.0.2"}, ("privateIp",), ("privateIp",)),
        (INSTANCE, {"sourceDestCheck": True}, {"sourceDestCheck": False}, ("sourceDestCheck",), ()),
    ],
)
def test_what_changes_and_what_forces_a_replacement(
    aws: Aws,
    type_: str,
    old: dict[str, Any],
    new: dict[str, Any],
    changed: tuple[str, ...],
    forced: tuple[str, ...],
) -> None:
    assert aws.configured.diff(Resource(type=type_, name="n", id="x", inputs=old), new) == Diff(
        changed=changed, replace=forced
    )


@pytest.fixture
def subnet(aws: Aws) -> Resource:
    vpc = aws.make(VPC, "v", cidrBlock="10.0.0.0/16")
    aws.make("aws:ec2/internetGateway:InternetGateway", "g", vpcId=vpc.id)
    return aws.make(SUBNET, "s", vpcId=vpc.id, cidrBlock="10.0.0.0/24")


def test_a_new_group_lets_nothing_out(aws: Aws, subnet: Resource, ec2: Any) -> None:
    group = aws.make(GROUP, "g", vpcId=subnet.outputs["vpcId"])
    assert ec2.describe_security_groups(GroupIds=[group.id])["SecurityGroups"][0]["IpPermissionsEgress"] == []


def test_a_rule_of_a_protocol_without_ports_and_its_update(aws: Aws, subnet: Resource, ec2: Any) -> None:
    group = aws.make(GROUP, "g", vpcId=subnet.outputs["vpcId"])
    vrrp = aws.make(RULE, "vrrp", securityGroupId=group.id, ipProtocol="112", referencedSecurityGroupId=group.id)
    assert vrrp.outputs["fromPort"] is None and vrrp.outputs["referencedSecurityGroupId"] == group.id
    web = {"securityGroupId": group.id, "ipProtocol": "tcp", "fromPort": 80, "toPort": 80}
    rule = aws.make(RULE, "web", **web, cidrIpv4="10.0.0.0/8")
    _, forced, new = aws.change(rule, **{**web, "toPort": 81}, cidrIpv4="11.0.0.0/8")
    assert forced == () and (new.outputs["toPort"], new.outputs["cidrIpv4"]) == (81, "11.0.0.0/8")
    shown = ec2.describe_security_groups(GroupIds=[group.id])["SecurityGroups"][0]["IpPermissions"]
    assert {rule["IpProtocol"] for rule in shown} == {"112", "tcp"}


def test_inline_routes(aws: Aws, subnet: Resource, ec2: Any) -> None:
    vpc = subnet.outputs["vpcId"]
    gateway = ec2.describe_internet_gateways()["InternetGateways"][0]["InternetGatewayId"]
    route = {"cidrBlock": "0.0.0.0/0", "gatewayId": gateway}
    table = aws.make("aws:ec2/routeTable:RouteTable", "t", vpcId=vpc, routes=[route])
    aws.change(table, vpcId=vpc, routes=[{**route, "cidrBlock": "192.0.2.0/24"}])
    routes = ec2.describe_route_tables(RouteTableIds=[table.id])["RouteTables"][0]["Routes"]
    assert {item["DestinationCidrBlock"] for item in routes} == {"10.0.0.0/16", "192.0.2.0/24"}


def test_an_address_that_moved_is_no_drift(aws: Aws, subnet: Resource, ec2: Any) -> None:
    address = aws.make(EIP, "vip", domain="vpc")
    instance = aws.make(INSTANCE, "i", ami=IMAGE, instanceType="t3.micro", subnetId=subnet.id)
    ec2.associate_address(AllocationId=address.id, InstanceId=instance.id)
    found = aws.configured.read(address)
    assert found is not None and found.outputs["instance"] == instance.id
    assert found.inputs == address.inputs
    assert aws.configured.diff(found, address.inputs).changed == ()
    seen = aws.configured.read(instance)
    assert seen is not None and aws.configured.diff(seen, instance.inputs).changed == ()


def test_drift_of_a_declared_input_is_a_change(aws: Aws, subnet: Resource, ec2: Any) -> None:
    wanted = {"ami": IMAGE, "instanceType": "t3.micro", "subnetId": subnet.id, "sourceDestCheck": False}
    instance = aws.make(INSTANCE, "i", **wanted)
    assert (
        ec2.describe_instances(InstanceIds=[instance.id])["Reservations"][0]["Instances"][0]["SourceDestCheck"] is False
    )
    ec2.modify_instance_attribute(InstanceId=instance.id, SourceDestCheck={"Value": True})
    found = aws.configured.read(instance)
    assert found is not None and found.inputs["sourceDestCheck"] is True
    assert aws.configured.diff(found, instance.inputs).changed == ("sourceDestCheck",)
    aws.change(found, **wanted)
    assert (
        ec2.describe_instances(InstanceIds=[instance.id])["Reservations"][0]["Instances"][0]["SourceDestCheck"] is False
    )


def test_what_the_lab_cannot_change_in_place_is_refused(aws: Aws, subnet: Resource) -> None:
    wanted = {"ami": IMAGE, "instanceType": "t3.micro", "subnetId": subnet.id}
    instance = aws.make(INSTANCE, "i", **wanted, creditSpecification={"cpuCredits": "standard"})
    with pytest.raises(ProviderError, match=r"creditSpecification of a deployed aws:ec2/instance:Instance \(i\)"):
        aws.change(instance, **wanted, creditSpecification={"cpuCredits": "unlimited"})


def test_a_launch_waits_for_its_profile(
    aws: Aws, subnet: Resource, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IAM is eventually consistent: here the profile appears while the launch is being retried."""
    wanted = {"ami": IMAGE, "instanceType": "t3.micro", "subnetId": subnet.id, "iamInstanceProfile": "late"}
    monkeypatch.setattr(instances, "PROFILE_SECONDS", 0.0)
    with pytest.raises(ProviderError, match=r"iamInstanceProfile\.name is invalid"):
        aws.make(INSTANCE, "i", **wanted)
    monkeypatch.setattr(instances, "PROFILE_SECONDS", 30.0)

    def appear(_self: Account, what: str, _left: float) -> None:
        if "late" in what:
            client("iam").create_instance_profile(InstanceProfileName="late")

    monkeypatch.setattr(Account, "_pause", appear)
    assert aws.make(INSTANCE, "i", **wanted).outputs["iamInstanceProfile"] == "late"


def test_an_instance_that_does_not_run_in_time_is_kept_for_the_next_up(
    aws: Aws, subnet: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = instance_changes.instance_of
    monkeypatch.setattr(instance_changes, "instance_of", lambda *args: {**real(*args), "State": {"Name": "pending"}})  # type: ignore
    with pytest.raises(
        InitializationError, match=r"Instance i \(i-\w+\) is pending after 0\.01 s, not running"
    ) as caught:
        aws.make(INSTANCE, "i", 0.01, ami=IMAGE, instanceType="t3.micro", subnetId=subnet.id)
    assert caught.value.id.startswith("i-") and caught.value.outputs["subnetId"] == subnet.id


def test_launch_arguments(aws: Aws, cloud: LocalCloud) -> None:
    account: Account = aws.configured._account  # type: ignore[attr-defined]
    inputs = {
        "ami": IMAGE,
        "instanceType": "t3.micro",
        "subnetId": "subnet-1",
        "privateIp": "10.0.0.5",
        "vpcSecurityGroupIds": ["sg-1"],
        "userData": "#!/bin/sh\n",
        "rootBlockDevice": {"encrypted": True, "tags": {"Disk": "root"}},
        "metadataOptions": {"httpTokens": "required"},
    }
    work = Work(account=account, type=INSTANCE, name="i", inputs=inputs, tags={"Name": "i"})
    arguments = instances.launch_arguments(work)
    assert arguments["UserData"] == "#!/bin/sh\n"  # boto3 encodes it
    assert arguments["SubnetId"] == "subnet-1" and arguments["SecurityGroupIds"] == ["sg-1"]
    assert arguments["BlockDeviceMappings"][0]["Ebs"] == {"Encrypted": True}
    tags = {item["ResourceType"]: {tag["Key"] for tag in item["Tags"]} for item in arguments["TagSpecifications"]}
    assert tags == {"instance": {"Name"}, "volume": {"Disk", "Project"}}
    public = instances.launch_arguments(
        Work(account=account, type=INSTANCE, name="i", inputs={**inputs, "associatePublicIpAddress": True})
    )
    assert "SubnetId" not in public and "SecurityGroupIds" not in public
    assert public["NetworkInterfaces"][0]["AssociatePublicIpAddress"] is True
    assert public["NetworkInterfaces"][0]["PrivateIpAddress"] == "10.0.0.5"


def test_errors_name_the_resource_the_call_and_the_code(aws: Aws) -> None:
    with pytest.raises(ProviderError, match=r"creating s: CreateSubnet: InvalidVpcID.NotFound"):
        aws.make(SUBNET, "s", vpcId="vpc-0123456789abcdef0", cidrBlock="10.0.0.0/24")


def test_an_address_in_use_is_not_released(aws: Aws, subnet: Resource, ec2: Any) -> None:
    """Like the real provider: only the state's own association is taken away, here there is none."""
    address = aws.make(EIP, "vip", domain="vpc")
    instance = aws.make(INSTANCE, "i", ami=IMAGE, instanceType="t3.micro", subnetId=subnet.id)
    ec2.associate_address(AllocationId=address.id, InstanceId=instance.id)
    with pytest.raises(ProviderError, match=r"InvalidIPAddress.InUse"):
        aws.drop(address)
    aws.drop(instance)
    aws.drop(address)
    assert ec2.describe_addresses()["Addresses"] == []


def test_a_group_goes_as_soon_as_its_last_member_is_gone(aws: Aws, subnet: Resource, ec2: Any) -> None:
    """What still holds a resource is waited for."""
    group = aws.make(GROUP, "g", vpcId=subnet.outputs["vpcId"])
    instance = aws.make(
        INSTANCE, "i", ami=IMAGE, instanceType="t3.micro", subnetId=subnet.id, vpcSecurityGroupIds=[group.id]
    )
    timer = threading.Timer(0.5, lambda: ec2.terminate_instances(InstanceIds=[instance.id]))
    timer.start()
    try:
        aws.drop(group)
    finally:
        timer.join()


def test_deletion_waits_until_the_instance_has_ended(
    aws: Aws, subnet: Resource, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = aws.make(INSTANCE, "i", ami=IMAGE, instanceType="t3.micro", subnetId=subnet.id)
    states = iter(["shutting-down", "shutting-down", "terminated"])
    monkeypatch.setattr(instances, "instance_of", lambda *_: {"State": {"Name": next(states)}})
    aws.drop(instance)
    assert list(states) == []
