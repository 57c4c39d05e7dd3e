"""What an instance looks like: every output the SDK reads."""

from __future__ import annotations

import base64
from typing import Any

from lab.protocol.contract import Properties
from lab.provider.account import Account, absent, only, tags_of

GONE = "InvalidInstanceID.NotFound"
METADATA = {
    "httpEndpoint": "HttpEndpoint",
    "httpTokens": "HttpTokens",
    "httpPutResponseHopLimit": "HttpPutResponseHopLimit",
    "httpProtocolIpv6": "HttpProtocolIpv6",
    "instanceMetadataTags": "InstanceMetadataTags",
}


def instance_of(account: Account, id_: str) -> dict[str, Any] | None:
    """The instance as EC2 describes it, None where it is forgotten."""
    with absent(GONE):
        found = account.ec2.describe_instances(InstanceIds=[id_])["Reservations"]
        return only(instance for reservation in found for instance in reservation["Instances"])
    return None


def primary_interface(instance: Any) -> dict[str, Any]:
    """The interface with device index 0."""
    return dict(min(instance["NetworkInterfaces"], key=lambda item: item["Attachment"]["DeviceIndex"]))


def secondary_addresses(interface: Any) -> list[str]:
    """The interface's addresses but the primary one, in order."""
    return sorted(item["PrivateIpAddress"] for item in interface["PrivateIpAddresses"] if not item.get("Primary"))


def root_volume(account: Account, instance: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """The root disk's mapping and its volume; None without one."""
    root = instance.get("RootDeviceName")
    mapping = only(item for item in instance.get("BlockDeviceMappings", []) if item["DeviceName"] == root)
    if mapping is None:
        return None
    volume = only(account.ec2.describe_volumes(VolumeIds=[mapping["Ebs"]["VolumeId"]])["Volumes"])
    return mapping, volume or {}


def read(account: Account, id_: str, inputs: Properties) -> Properties | None:
    """All outputs; a terminated instance is gone."""
    instance = instance_of(account, id_)
    if instance is None or instance["State"]["Name"] in ("terminated", "shutting-down"):
        return None
    primary = primary_interface(instance)
    profile = (instance.get("IamInstanceProfile") or {}).get("Arn", "")
    return {
        **_undeclared(instance),
        "ami": instance["ImageId"],
        "arn": account.arn(f"instance/{id_}"),
        "associatePublicIpAddress": bool(_primary_address(primary).get("Association")),
        "availabilityZone": instance["Placement"]["AvailabilityZone"],
        "creditSpecification": inputs.get("creditSpecification"),
        "disableApiTermination": _attribute(account, id_, inputs, "disableApiTermination", False),
        "forceDestroy": inputs.get("forceDestroy", False),
        "iamInstanceProfile": profile.rpartition("/")[2],
        "instanceInitiatedShutdownBehavior": _attribute(
            account, id_, inputs, "instanceInitiatedShutdownBehavior", "stop"
        ),
        "instanceState": instance["State"]["Name"],
        "instanceType": instance["InstanceType"],
        "keyName": instance.get("KeyName", ""),
        "metadataOptions": _metadata(instance, inputs),
        "primaryNetworkInterface": {
            "deleteOnTermination": primary["Attachment"].get("DeleteOnTermination", True),
            "networkInterfaceId": primary["NetworkInterfaceId"],
        },
        "primaryNetworkInterfaceId": primary["NetworkInterfaceId"],
        "privateDns": instance.get("PrivateDnsName", ""),
        "privateIp": instance.get("PrivateIpAddress", ""),
        "publicDns": instance.get("PublicDnsName", ""),
        "publicIp": instance.get("PublicIpAddress", ""),
        **_disk(account, instance, inputs),
        "secondaryPrivateIps": secondary_addresses(primary),
        "securityGroups": [group["GroupName"] for group in instance["SecurityGroups"]],
        "sourceDestCheck": instance.get("SourceDestCheck", True),
        "subnetId": instance["SubnetId"],
        "tagsAll": tags_of(instance),
        "userData": _user_data(account, id_, inputs),
        "userDataReplaceOnChange": inputs.get("userDataReplaceOnChange", False),
        "vpcSecurityGroupIds": [group["GroupId"] for group in instance["SecurityGroups"]],
    }


def _primary_address(interface: Any) -> dict[str, Any]:
    return only(item for item in interface["PrivateIpAddresses"] if item.get("Primary")) or {}


def _undeclared(instance: Any) -> Properties:
    """Outputs of features the lab does not have, at their values of an ordinary instance."""
    cpu = instance.get("CpuOptions") or {}
    return {
        "capacityReservationSpecification": {
            "capacityReservationPreference": "open",
            "capacityReservationTarget": None,
        },
        "cpuOptions": {
            "amdSevSnp": "",
            "coreCount": cpu.get("CoreCount", 1),
            "nestedVirtualization": "",
            "threadsPerCore": cpu.get("ThreadsPerCore", 2),
        },
        "disableApiStop": False,
        "ebsBlockDevices": [],
        "ebsOptimized": instance.get("EbsOptimized", False),
        "enablePrimaryIpv6": None,
        "enclaveOptions": {"enabled": False},
        "ephemeralBlockDevices": [],
        "getPasswordData": False,
        "hibernation": False,
        "hostId": "",
        "hostResourceGroupArn": None,
        "instanceLifecycle": "",
        "instanceMarketOptions": None,
        "ipv6AddressCount": 0,
        "ipv6Addresses": [],
        "launchTemplate": None,
        "maintenanceOptions": {"autoRecovery": "default"},
        "monitoring": (instance.get("Monitoring") or {}).get("State") == "enabled",
        "networkInterfaces": [],
        "outpostArn": "",
        "passwordData": "",
        "placementGroup": instance["Placement"].get("GroupName", ""),
        "placementGroupId": "",
        "placementPartitionNumber": 0,
        "privateDnsNameOptions": {
            "enableResourceNameDnsARecord": False,
            "enableResourceNameDnsAaaaRecord": False,
            "hostnameType": "ip-name",
        },
        "secondaryNetworkInterfaces": [],
        "spotInstanceRequestId": "",
        "tenancy": instance["Placement"].get("Tenancy", "default"),
        "userDataBase64": None,
    }


def _metadata(instance: Any, inputs: Properties) -> Properties:
    found, wanted = instance.get("MetadataOptions") or {}, inputs.get("metadataOptions") or {}
    return {ours: found.get(theirs, wanted.get(ours)) for ours, theirs in METADATA.items()}


def _attribute(account: Account, id_: str, inputs: Properties, name: Any, otherwise: Any) -> Any:
    """An attribute DescribeInstances does not show. It costs a call, so only where the program declares it."""
    if inputs and name not in inputs:
        return otherwise
    found: Any = account.ec2.describe_instance_attribute(InstanceId=id_, Attribute=name)
    return found.get(name[0].upper() + name[1:], {}).get("Value", otherwise)


def _user_data(account: Account, id_: str, inputs: Properties) -> str | None:
    encoded = _attribute(account, id_, inputs, "userData", None)
    if encoded is None:
        return None
    try:
        return base64.b64decode(encoded).decode()
    except ValueError:
        return str(encoded)


def _disk(account: Account, instance: Any, inputs: Properties) -> Properties:
    """The root disk, and its tags as `volumeTags` where the program declares those."""
    found = root_volume(account, instance)
    if found is None:
        return {"rootBlockDevice": None, "volumeTags": inputs.get("volumeTags")}
    mapping, volume = found
    tags = tags_of(volume)
    declared = (inputs.get("rootBlockDevice") or {}).get("tags")
    return {
        "rootBlockDevice": {
            "deleteOnTermination": mapping["Ebs"].get("DeleteOnTermination", True),
            "deviceName": mapping["DeviceName"],
            "encrypted": volume.get("Encrypted", False),
            "iops": volume.get("Iops", 0),
            "kmsKeyId": volume.get("KmsKeyId", ""),
            # `volumeTags` has them all then (ConflictsWith).
            "tags": None if "volumeTags" in inputs else account.tagging.own(tags, declared),
            "tagsAll": account.tagging.seen(tags),
            "throughput": volume.get("Throughput", 0),
            "volumeId": mapping["Ebs"]["VolumeId"],
            "volumeSize": volume.get("Size", 0),
            "volumeType": volume.get("VolumeType", ""),
        },
        "volumeTags": account.tagging.seen(tags) if "volumeTags" in inputs else None,
    }
