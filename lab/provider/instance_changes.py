"""What can be changed of an instance in place, in the real provider's order (resourceInstanceUpdate)."""

from __future__ import annotations

from typing import Any

from lab.protocol.contract import ProviderError
from lab.provider.account import only
from lab.provider.instance_outputs import (
    METADATA,
    instance_of,
    primary_interface,
    root_volume,
    secondary_addresses,
)
from lab.provider.registry import Work

CHANGEABLE = frozenset(
    {
        *("disableApiTermination", "forceDestroy", "iamInstanceProfile", "instanceInitiatedShutdownBehavior"),
        *("instanceType", "metadataOptions", "rootBlockDevice", "secondaryPrivateIps", "sourceDestCheck"),
        *("userData", "userDataReplaceOnChange", "volumeTags", "vpcSecurityGroupIds"),
    }
)
VOLUME = {"volumeSize": "Size", "volumeType": "VolumeType", "iops": "Iops", "throughput": "Throughput"}


def change(work: Work, id_: str, changed: frozenset[str]) -> None:
    """Set what has changed. The source/destination check and the disk's tags follow when it runs."""
    instance = instance_of(work.account, id_)
    if instance is None:
        raise ProviderError(f"{work.what(id_)} is gone")
    ec2, inputs = work.account.ec2, work.inputs
    if "iamInstanceProfile" in changed:
        _change_profile(work, id_)
    if "secondaryPrivateIps" in changed:
        _change_addresses(work, instance)
    if "vpcSecurityGroupIds" in changed:
        ec2.modify_instance_attribute(InstanceId=id_, Groups=inputs["vpcSecurityGroupIds"])
    # One attribute a call, each with its own stop and start (modifyInstanceAttributeWithStopStart).
    if "instanceType" in changed:
        _while_stopped(work, id_, InstanceType={"Value": inputs["instanceType"]})
    if "userData" in changed:
        _while_stopped(work, id_, UserData={"Value": inputs["userData"].encode()})
    if "disableApiTermination" in changed:
        kept = {"Value": bool(inputs.get("disableApiTermination"))}
        ec2.modify_instance_attribute(InstanceId=id_, DisableApiTermination=kept)  # type: ignore[arg-type]
    if "instanceInitiatedShutdownBehavior" in changed:
        behavior: Any = {"Value": inputs["instanceInitiatedShutdownBehavior"]}
        ec2.modify_instance_attribute(InstanceId=id_, InstanceInitiatedShutdownBehavior=behavior)
    if "metadataOptions" in changed:
        wanted: Any = {METADATA[key]: value for key, value in inputs["metadataOptions"].items()}
        ec2.modify_instance_metadata_options(InstanceId=id_, **wanted)
    if "rootBlockDevice" in changed:
        _change_disk(work, id_, instance)


def wait_until_running(work: Work, id_: str) -> None:
    """Wait until the instance runs; ProviderError with EC2's reason where it never will."""

    def state() -> str:
        instance = instance_of(work.account, id_)
        now = "terminated" if instance is None else str(instance["State"]["Name"])
        if now in ("terminated", "shutting-down"):
            reason = (instance or {}).get("StateReason", {}).get("Message", "no reason given")
            raise ProviderError(f"{work.what(id_)} is {now} instead of running: {reason}")
        # A stopped one was stopped by hand: its power is not declared.
        return "running" if now == "stopped" else now

    work.wait(id_, "running", state)


def retag_disk(work: Work, instance: Any) -> None:
    """Make the root disk's tags those declared: `volumeTags`, or the disk's own over the default ones."""
    found = root_volume(work.account, instance)
    if found is None:
        return
    tagging = work.account.tagging
    disk = work.inputs.get("rootBlockDevice") or {}
    volume_tags = work.inputs.get("volumeTags")
    wanted = tagging.given(disk.get("tags")) if volume_tags is None else volume_tags
    now = {tag["Key"]: tag["Value"] for tag in found[1].get("Tags", [])}
    work.account.retag_ec2(found[1]["VolumeId"], tagging.seen(now), tagging.seen(wanted))


def _change_profile(work: Work, id_: str) -> None:
    ec2, wanted = work.account.ec2, work.inputs.get("iamInstanceProfile")
    of_instance: Any = {"Name": "instance-id", "Values": [id_]}
    now = only(ec2.describe_iam_instance_profile_associations(Filters=[of_instance])["IamInstanceProfileAssociations"])
    if now is None:
        ec2.associate_iam_instance_profile(InstanceId=id_, IamInstanceProfile={"Name": str(wanted)})
    elif wanted:
        ec2.replace_iam_instance_profile_association(
            AssociationId=now["AssociationId"], IamInstanceProfile={"Name": wanted}
        )
    else:
        ec2.disassociate_iam_instance_profile(AssociationId=now["AssociationId"])


def _change_addresses(work: Work, instance: Any) -> None:
    interface = primary_interface(instance)
    now, wanted = set(secondary_addresses(interface)), set(work.inputs["secondaryPrivateIps"])
    ec2, id_ = work.account.ec2, interface["NetworkInterfaceId"]
    if gone := sorted(now - wanted):
        ec2.unassign_private_ip_addresses(NetworkInterfaceId=id_, PrivateIpAddresses=gone)
    if new := sorted(wanted - now):
        ec2.assign_private_ip_addresses(NetworkInterfaceId=id_, PrivateIpAddresses=new)


def _while_stopped(work: Work, id_: str, **attribute: Any) -> None:
    ec2 = work.account.ec2
    ec2.stop_instances(InstanceIds=[id_])

    def state() -> str:
        instance = instance_of(work.account, id_)
        return "gone" if instance is None else str(instance["State"]["Name"])

    work.wait(id_, "stopped", state)
    try:
        ec2.modify_instance_attribute(InstanceId=id_, **attribute)
    finally:
        ec2.start_instances(InstanceIds=[id_])
    work.wait(id_, "running", state)


def _change_disk(work: Work, id_: str, instance: Any) -> None:
    found = root_volume(work.account, instance)
    if found is None:
        raise ProviderError(f"{work.what(id_)} has no root disk to change")
    mapping, volume = found
    disk = work.inputs.get("rootBlockDevice") or {}
    wanted: Any = {
        theirs: disk[ours] for ours, theirs in VOLUME.items() if disk.get(ours) and disk[ours] != volume.get(theirs)
    }
    if wanted:
        work.account.ec2.modify_volume(VolumeId=volume["VolumeId"], **wanted)
    keep = disk.get("deleteOnTermination")
    if keep is not None and keep != mapping["Ebs"].get("DeleteOnTermination", True):
        device: Any = {"DeviceName": mapping["DeviceName"], "Ebs": {"DeleteOnTermination": keep}}
        work.account.ec2.modify_instance_attribute(InstanceId=id_, BlockDeviceMappings=[device])
