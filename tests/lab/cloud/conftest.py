"""One API for all tests of the cloud, emptied before each; a small network as the load balancer's program makes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from lab.cloud.corrections.images import LAB_IMAGE_ID
from lab.cloud.local import LocalCloud

CONFIG = Config(retries={"max_attempts": 1, "mode": "standard"}, read_timeout=20)


def client(cloud: LocalCloud, service: str, **credentials: str) -> Any:
    keys = credentials or {"aws_access_key_id": "lab", "aws_secret_access_key": "lab"}
    return boto3.client(service, endpoint_url=cloud.endpoint, region_name=cloud.account.region, config=CONFIG, **keys)


@contextmanager
def refused(code: str, *words: str) -> Iterator[None]:
    """The call inside must be refused with that code, in a text with these words."""
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    for word in words:
        assert word in error["Message"], error


def wait_for(condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to be in time"
        time.sleep(0.01)


@dataclass(frozen=True, kw_only=True)
class World:
    """A VPC with one public subnet, 10.0.0.0/24, and a group that lets HTTP in."""

    ec2: Any
    vpc: str
    subnet: str
    gateway: str
    table: str
    group: str

    def launch(self, address: str | None = None, **options: Any) -> Any:
        """A running instance, as DescribeInstances shows it."""
        if address:
            options["PrivateIpAddress"] = address
        options = {"SecurityGroupIds": [self.group], "SubnetId": self.subnet, "InstanceType": "t3.micro"} | options
        launched = self.ec2.run_instances(ImageId=LAB_IMAGE_ID, MinCount=1, MaxCount=1, **options)["Instances"][0]
        self.wait_state(launched["InstanceId"], "running")
        return self.instance(launched["InstanceId"])

    def instance(self, instance_id: str) -> Any:
        return self.ec2.describe_instances(InstanceIds=[instance_id])["Reservations"][0]["Instances"][0]

    def end(self, instance_id: str) -> None:
        """Terminate it and wait until it is."""
        self.ec2.terminate_instances(InstanceIds=[instance_id])
        self.wait_state(instance_id, "terminated")

    def interface(self, interface_id: str) -> Any:
        return self.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface_id])["NetworkInterfaces"][0]

    def addresses(self, interface_id: str) -> list[str]:
        return [each["PrivateIpAddress"] for each in self.interface(interface_id)["PrivateIpAddresses"]]

    def wait_state(self, instance_id: str, state: str) -> None:
        wait_for(lambda: self.instance(instance_id)["State"]["Name"] == state)


def interface_of(instance: Any) -> str:
    return str(instance["NetworkInterfaces"][0]["NetworkInterfaceId"])


@pytest.fixture(scope="session")
def shared_ec2(running_cloud: LocalCloud) -> Any:
    return client(running_cloud, "ec2")


@pytest.fixture
def ec2(cloud: LocalCloud, shared_ec2: Any) -> Any:
    return shared_ec2


@pytest.fixture
def world(ec2: Any) -> World:
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
    group = ec2.create_security_group(GroupName="directors", Description="directors", VpcId=vpc)["GroupId"]
    http = {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=[http])
    return World(ec2=ec2, vpc=vpc, subnet=subnet, gateway=gateway, table=table, group=group)
