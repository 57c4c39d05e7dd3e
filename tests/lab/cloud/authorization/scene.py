"""Two machines and what belongs to them, and calls about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from lab.cloud.corrections.images import LAB_IMAGE_ID
from tests.lab.cloud.conftest import World, interface_of

ACCOUNT = "123456789012"
HERE = f"arn:aws:ec2:us-east-1:{ACCOUNT}"
UDP = {"IpProtocol": "udp", "FromPort": 7, "ToPort": 7, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
TAG = {"Key": "Name", "Value": "x"}


@dataclass(frozen=True, kw_only=True)
class Scene:
    """Two machines, each with an interface; the service's Elastic IP and another one. `ids` has everything by name."""

    world: World
    ids: dict[str, str]

    def arn(self, name: str) -> str:
        kinds = {"eni": "network-interface", "i": "instance", "eip": "elastic-ip", "sg": "security-group"}
        return f"{HERE}:{kinds.get(name.split('-')[0], name)}/{self.ids[name]}"


Call = Callable[[Any, Scene], Any]


def scene_of(world: World) -> Scene:
    a, b = world.launch("10.0.0.36"), world.launch("10.0.0.56")
    service, other = world.ec2.allocate_address(Domain="vpc"), world.ec2.allocate_address(Domain="vpc")
    ids = {
        "i-a": a["InstanceId"],
        "i-b": b["InstanceId"],
        "eni-a": interface_of(a),
        "eni-b": interface_of(b),
        "eip-service": service["AllocationId"],
        "public": service["PublicIp"],
        "eip-other": other["AllocationId"],
        "vpc": world.vpc,
        "subnet": world.subnet,
        "sg": world.group,
        "route-table": world.table,
        "internet-gateway": world.gateway,
    }
    return Scene(world=world, ids=ids)


def permitted(call: Callable[..., Any], *arguments: Any, **options: Any) -> bool:
    """Whether a call passes the gate; what EC2 says after that is another matter."""
    try:
        call(*arguments, **options)
    except ClientError as error:
        denied = error.response["Error"]["Code"] == "UnauthorizedOperation"
        assert not denied or error.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        return not denied
    return True


def assign(ec2: Any, scene: Scene, interface: str) -> bool:
    return permitted(
        ec2.assign_private_ip_addresses,
        NetworkInterfaceId=scene.ids[interface],
        PrivateIpAddresses=["10.0.0.100"],
        AllowReassignment=True,
    )


def associate(ec2: Any, scene: Scene, interface: str, elastic_ip: str = "eip-service") -> bool:
    return permitted(
        ec2.associate_address,
        NetworkInterfaceId=scene.ids[interface],
        AllocationId=scene.ids[elastic_ip],
        DryRun=True,
    )


def launch(ec2: Any, scene: Scene, **more: Any) -> Any:
    options = {"SubnetId": scene.ids["subnet"], "SecurityGroupIds": [scene.ids["sg"]], "InstanceType": "t3.micro"}
    return ec2.run_instances(ImageId=LAB_IMAGE_ID, MinCount=1, MaxCount=1, DryRun=True, **{**options, **more})


def modify(ec2: Any, scene: Scene, **what: Any) -> Any:
    return ec2.modify_instance_attribute(InstanceId=scene.ids["i-a"], **what)


def assign_raw(ec2: Any, scene: Scene) -> Any:
    return ec2.assign_private_ip_addresses(NetworkInterfaceId=scene.ids["eni-a"], PrivateIpAddresses=["10.0.0.100"])
