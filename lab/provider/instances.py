"""Instances: launching and ending them. What they look like and what can be changed have files of their own."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from lab.protocol.contract import Properties
from lab.provider.account import Account, absent, code, given, only, tag_list
from lab.provider.instance_changes import CHANGEABLE, change, retag_disk, wait_until_running
from lab.provider.instance_outputs import (
    GONE,
    METADATA,
    instance_of,
    primary_interface,
    read,
    secondary_addresses,
)
from lab.provider.registry import ResourceType, Work
from lab.provider.schema import instances as schema

# IAM is eventually consistent: a new profile is not known to EC2 at once (iamPropagationTimeout, wait.go).
PROFILE_SECONDS = 120.0
DISK = {
    "encrypted": "Encrypted",
    "volumeType": "VolumeType",
    "volumeSize": "VolumeSize",
    "iops": "Iops",
    "throughput": "Throughput",
    "kmsKeyId": "KmsKeyId",
    "deleteOnTermination": "DeleteOnTermination",
}


def _launch(work: Work) -> str:
    """RunInstances, again for a while where EC2 does not know the new instance profile yet."""
    arguments: Any = launch_arguments(work)

    def of_profile(error: ClientError) -> bool:
        about = str(error).lower().replace(" ", "")
        return code(error) == "InvalidParameterValue" and "iaminstanceprofile" in about

    launched = work.account.retry(
        lambda: work.account.ec2.run_instances(**arguments),
        what=f"the instance profile {work.inputs.get('iamInstanceProfile')} of {work.name}",
        wanted="known to EC2",
        when=of_profile,
        seconds=min(PROFILE_SECONDS, work.seconds),
    )
    return launched["Instances"][0]["InstanceId"]


def launch_arguments(work: Work) -> dict[str, Any]:
    """The arguments of RunInstances; user data is plain, boto3 encodes it."""
    inputs = work.inputs
    arguments: dict[str, Any] = {
        "ImageId": inputs["ami"],
        "InstanceType": inputs["instanceType"],
        "MinCount": 1,
        "MaxCount": 1,
        **given(
            KeyName=inputs.get("keyName"),
            UserData=inputs.get("userData"),
            InstanceInitiatedShutdownBehavior=inputs.get("instanceInitiatedShutdownBehavior"),
            DisableApiTermination=inputs.get("disableApiTermination"),
        ),
    }
    if zone := inputs.get("availabilityZone"):
        arguments["Placement"] = {"AvailabilityZone": zone}
    if profile := inputs.get("iamInstanceProfile"):
        arguments["IamInstanceProfile"] = {"Name": profile}
    if metadata := inputs.get("metadataOptions"):
        arguments["MetadataOptions"] = {METADATA[key]: value for key, value in metadata.items() if value is not None}
    if allowance := (inputs.get("creditSpecification") or {}).get("cpuCredits"):
        arguments["CreditSpecification"] = {"CpuCredits": allowance}
    disk = inputs.get("rootBlockDevice") or {}
    if ebs := {theirs: disk[ours] for ours, theirs in DISK.items() if disk.get(ours) is not None}:
        arguments["BlockDeviceMappings"] = [{"DeviceName": _root_device(work.account, inputs["ami"]), "Ebs": ebs}]
    volume_tags = inputs.get("volumeTags") or work.account.tagging.given(disk.get("tags"))
    tagged = {"instance": work.tags, "volume": volume_tags}
    specifications = [{"ResourceType": kind, "Tags": tag_list(tags)} for kind, tags in tagged.items() if tags]
    if specifications:
        arguments["TagSpecifications"] = specifications
    return arguments | _placement(inputs)


def _placement(inputs: Properties) -> dict[str, Any]:
    """Subnet, address and groups: in an interface of their own where a public address is asked for or refused."""
    subnet, address, groups = inputs.get("subnetId"), inputs.get("privateIp"), inputs.get("vpcSecurityGroupIds")
    public = inputs.get("associatePublicIpAddress")
    if public is None:
        return given(SubnetId=subnet, PrivateIpAddress=address, SecurityGroupIds=groups)
    interface = given(SubnetId=subnet, PrivateIpAddress=address, Groups=groups)
    return {"NetworkInterfaces": [{"DeviceIndex": 0, "AssociatePublicIpAddress": public, **interface}]}


def _root_device(account: Account, image: str) -> str:
    found = only(account.ec2.describe_images(ImageIds=[image])["Images"])
    return str((found or {}).get("RootDeviceName") or "/dev/xvda")


def _ready(work: Work, id_: str) -> None:
    """Wait until it runs; then what RunInstances cannot say: the source/destination check, more addresses."""
    wait_until_running(work, id_)
    account, instance = work.account, instance_of(work.account, id_)
    if instance is None:
        return
    if instance.get("SourceDestCheck") != work.inputs["sourceDestCheck"]:
        check = {"Value": bool(work.inputs["sourceDestCheck"])}
        account.ec2.modify_instance_attribute(InstanceId=id_, SourceDestCheck=check)  # type: ignore[arg-type]
    interface, more = primary_interface(instance), work.inputs.get("secondaryPrivateIps")
    if more and not work.outputs and (missing := sorted(set(more) - set(secondary_addresses(interface)))):
        account.ec2.assign_private_ip_addresses(
            NetworkInterfaceId=interface["NetworkInterfaceId"], PrivateIpAddresses=missing
        )
    if work.outputs:
        retag_disk(work, instance)


def _terminate(work: Work, id_: str) -> None:
    account = work.account
    if work.inputs.get("forceDestroy") and work.inputs.get("disableApiTermination"):
        with absent(GONE):
            account.ec2.modify_instance_attribute(InstanceId=id_, DisableApiTermination={"Value": False})
    with absent(GONE):
        account.ec2.terminate_instances(InstanceIds=[id_])

    def state() -> str:
        instance = instance_of(account, id_)
        return "terminated" if instance is None else str(instance["State"]["Name"])

    work.wait(id_, "terminated", state)


TYPES = (
    ResourceType(
        token="aws:ec2/instance:Instance",  # noqa: S106 - a type's name
        schema=schema.INSTANCE,
        create=_launch,
        ready=_ready,
        read=read,
        update=change,
        updates=CHANGEABLE,
        delete=_terminate,
        retag=Account.retag_ec2,
    ),
)
