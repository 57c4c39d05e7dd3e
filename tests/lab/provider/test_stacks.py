"""Whole programs on the lab's API: a small one, and the project's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lab.engine.deploy import deploy, destroy
from lab.protocol.contract import UNKNOWN
from lab.provider import AwsProvider
from lab.stack.project import load_project
from tests.lab.provider.conftest import Stack

PROJECT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.cloud

PROGRAM = """
import json, pulumi, pulumi_aws as aws
from pulumi import ResourceOptions as O

zone = aws.get_availability_zones(state="available").names[0]
vpc = aws.ec2.Vpc("vpc", cidr_block="10.0.0.0/16")
gateway = aws.ec2.InternetGateway("gateway", vpc_id=vpc.id)
subnet = aws.ec2.Subnet("subnet", vpc_id=vpc.id, cidr_block="10.0.0.0/24", availability_zone=zone)
group = aws.ec2.SecurityGroup("group", vpc_id=vpc.id)
aws.vpc.SecurityGroupIngressRule(
    "web", security_group_id=group.id, ip_protocol="tcp", from_port=80, to_port=80, cidr_ipv4="0.0.0.0/0"
)
trust = {"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
]}
role = aws.iam.Role("role", assume_role_policy=json.dumps(trust))
profile = aws.iam.InstanceProfile("profile", role=role.name)
address = aws.ec2.Eip("address", domain="vpc")
machines = [
    aws.ec2.Instance(
        f"machine-{n}", ami="ami-0deb1a13000000001", instance_type="t3.micro", subnet_id=subnet.id,
        private_ip=f"10.0.0.{10 + n}", vpc_security_group_ids=[group.id], iam_instance_profile=profile.name,
        source_dest_check=False, user_data="VERSION", user_data_replace_on_change=True,
        tags={"Allocation": address.allocation_id}, opts=O(delete_before_replace=True),
    )
    for n in range(2)
]
interface = machines[0].primary_network_interface_id
association = aws.ec2.EipAssociation(
    "association", allocation_id=address.id, network_interface_id=interface, opts=O(depends_on=[gateway])
)
pulumi.export("ip", address.public_ip)
pulumi.export("machines", [machine.id for machine in machines])
"""


def leftovers(client: Callable[[str], Any]) -> list[str]:
    """What is in the account besides what every account has."""
    ec2, iam = client("ec2"), client("iam")
    reservations = ec2.describe_instances()["Reservations"]
    machines = [item for each in reservations for item in each["Instances"] if item["State"]["Name"] != "terminated"]
    return [
        *(item["VpcId"] for item in ec2.describe_vpcs()["Vpcs"] if not item["IsDefault"]),
        *(item["InstanceId"] for item in machines),
        *(item["AllocationId"] for item in ec2.describe_addresses()["Addresses"]),
        *(item["InternetGatewayId"] for item in ec2.describe_internet_gateways()["InternetGateways"]),
        *(
            item["GroupId"]
            for item in ec2.describe_security_groups()["SecurityGroups"]
            if item["GroupName"] != "default"
        ),
        *(item["RoleName"] for item in iam.list_roles()["Roles"]),
        *(item["InstanceProfileName"] for item in iam.list_instance_profiles()["InstanceProfiles"]),
    ]


def test_a_small_stack_lives_and_dies(stack: Stack, client: Callable[[str], Any]) -> None:
    before = leftovers(client)
    preview = stack.run("preview", PROGRAM)
    assert preview.summary == {"create": 12} and preview.outputs["ip"] == UNKNOWN
    assert leftovers(client) == before
    up = stack.run("up")
    assert up.summary == {"create": 12}
    machine = client("ec2").describe_instances(InstanceIds=up.outputs["machines"][:1])["Reservations"][0]["Instances"][
        0
    ]
    assert machine["PrivateIpAddress"] == "10.0.0.10" and machine["PublicIpAddress"] == up.outputs["ip"]
    assert {"Key": "Allocation", "Value": stack.rows()["address"].id} in machine["Tags"]
    again = stack.run("up")
    assert again.summary == {"same": 12} and again.outputs == up.outputs
    replaced = stack.run("up", PROGRAM.replace("VERSION", "VERSION 2"))
    # The machines have fixed addresses, so each goes before its successor comes, and the association with the first.
    assert replaced.summary == {"same": 9, "replace": 3}
    assert not set(replaced.outputs["machines"]) & set(up.outputs["machines"])
    assert not stack.run("preview").changed
    stack.run("destroy")
    assert leftovers(client) == before


def test_the_projects_own_program(provider: AwsProvider, tmp_path: Path, client: Callable[[str], Any]) -> None:
    project = load_project(PROJECT)
    config = project.stack("local")
    state = tmp_path / "state.json"
    before = leftovers(client)
    preview = deploy(project, config, provider, state, dry_run=True)
    assert set(preview.summary) == {"create"}
    assert preview.outputs["virtualIp"] == config.values["lvs-aws:virtualIp"]
    up = deploy(project, config, provider, state)
    assert up.summary == preview.summary
    assert [director["privateIp"] for director in up.outputs["directors"]] == ["10.0.0.36", "10.0.0.56"]
    assert up.outputs["url"] == f"http://{up.outputs['elasticIp']}/"
    again = deploy(project, config, provider, state)
    assert set(again.summary) == {"same"} and again.outputs == up.outputs
    destroy(project, config, provider, state)
    assert leftovers(client) == before


def test_after_a_failover_nothing_is_to_be_done(
    provider: AwsProvider, tmp_path: Path, client: Callable[[str], Any]
) -> None:
    """The runtime moves the virtual IP and its Elastic IP: preview and up must not want them back."""
    project = load_project(PROJECT)
    config = project.stack("local")
    state = tmp_path / "state.json"
    up = deploy(project, config, provider, state)
    ec2 = client("ec2")
    for director in up.outputs["directors"]:
        address, interface = up.outputs["virtualIp"], director["interfaceId"]
        ec2.assign_private_ip_addresses(
            NetworkInterfaceId=interface, PrivateIpAddresses=[address], AllowReassignment=True
        )
        ec2.associate_address(
            AllocationId=up.outputs["elasticIpAllocationId"], NetworkInterfaceId=interface, PrivateIpAddress=address
        )
        assert not deploy(project, config, provider, state, dry_run=True).changed
        assert not deploy(project, config, provider, state).changed
    held = ec2.describe_addresses(AllocationIds=[up.outputs["elasticIpAllocationId"]])["Addresses"][0]
    assert held["NetworkInterfaceId"] == up.outputs["directors"][-1]["interfaceId"]
    destroy(project, config, provider, state)
    assert ec2.describe_addresses()["Addresses"] == []
