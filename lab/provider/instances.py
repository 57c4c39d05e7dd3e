"""Instances."""

from __future__ import annotations

import time
from typing import Any

from botocore.exceptions import ClientError

from lab.engine.contract import Failure, Properties, ProviderError
from lab.provider.account import Account, absent, code, given, only, tag_list, tags_of
from lab.provider.registry import Property, ResourceType, Work

# The real provider's own limits: 10 minutes to run, 20 minutes to end.
CREATE_SECONDS, DELETE_SECONDS = 600.0, 1200.0
# IAM is eventually consistent: a new profile is not known to EC2 at once.
PROFILE_SECONDS, PROFILE_RETRY_SECONDS = 30.0, 1.0
GONE = "InvalidInstanceID.NotFound"
METADATA = {
    "httpEndpoint": "HttpEndpoint",
    "httpTokens": "HttpTokens",
    "httpPutResponseHopLimit": "HttpPutResponseHopLimit",
    "httpProtocolIpv6": "HttpProtocolIpv6",
    "instanceMetadataTags": "InstanceMetadataTags",
}
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
    deadline = time.monotonic() + PROFILE_SECONDS
    while True:
        try:
            return work.account.ec2.run_instances(**arguments)["Instances"][0]["InstanceId"]
        except ClientError as error:
            about = str(error).lower().replace(" ", "")
            if (
                code(error) != "InvalidParameterValue"
                or "iaminstanceprofile" not in about
                or time.monotonic() > deadline
            ):
                raise
            time.sleep(PROFILE_RETRY_SECONDS)


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
    if credit := inputs.get("creditSpecification"):
        arguments["CreditSpecification"] = {"CpuCredits": credit["cpuCredits"]}
    disk = inputs.get("rootBlockDevice") or {}
    if ebs := {theirs: disk[ours] for ours, theirs in DISK.items() if disk.get(ours) is not None}:
        arguments["BlockDeviceMappings"] = [{"DeviceName": _root_device(work.account, inputs["ami"]), "Ebs": ebs}]
    volume_tags = inputs.get("volumeTags") or {**work.account.default_tags, **(disk.get("tags") or {})}
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
    """Wait until it runs; then what RunInstances cannot say: the source/destination check."""
    account = work.account

    def running() -> bool:
        instance = _instance(account, id_)
        state = "terminated" if instance is None else instance["State"]["Name"]
        if state in ("terminated", "shutting-down"):
            reason = (instance or {}).get("StateReason", {}).get("Message", "no reason given")
            raise ProviderError(f"instance {id_} ({work.name}) is {state} instead of running: {reason}")
        return bool(state in ("running", "stopped"))  # a stopped one was stopped by hand: its power is not declared

    account.wait(f"{work.name} ({id_}) to run", running, seconds=work.timeout_seconds or CREATE_SECONDS)
    instance = _instance(account, id_)
    if instance is not None and instance.get("SourceDestCheck") != work.inputs["sourceDestCheck"]:
        check = {"Value": bool(work.inputs["sourceDestCheck"])}
        account.ec2.modify_instance_attribute(InstanceId=id_, SourceDestCheck=check)  # type: ignore[arg-type]


def _update(work: Work, id_: str, changed: frozenset[str]) -> None:
    ec2, inputs = work.account.ec2, work.inputs
    if "vpcSecurityGroupIds" in changed:
        ec2.modify_instance_attribute(InstanceId=id_, Groups=inputs["vpcSecurityGroupIds"])
    if "disableApiTermination" in changed:
        kept = {"Value": bool(inputs.get("disableApiTermination"))}
        ec2.modify_instance_attribute(InstanceId=id_, DisableApiTermination=kept)  # type: ignore[arg-type]
    if "metadataOptions" in changed:
        wanted: Any = {METADATA[key]: value for key, value in (inputs.get("metadataOptions") or {}).items()}
        ec2.modify_instance_metadata_options(InstanceId=id_, **wanted)


def _instance(account: Account, id_: str) -> dict[str, Any] | None:
    with absent(GONE):
        found = account.ec2.describe_instances(InstanceIds=[id_])["Reservations"]
        return only(instance for reservation in found for instance in reservation["Instances"])
    return None


def _read(account: Account, id_: str, inputs: Properties) -> Properties | None:
    instance = _instance(account, id_)
    if instance is None or instance["State"]["Name"] in ("terminated", "shutting-down"):
        return None
    interfaces = sorted(instance["NetworkInterfaces"], key=lambda item: item["Attachment"]["DeviceIndex"])
    primary = interfaces[0]
    profile = (instance.get("IamInstanceProfile") or {}).get("Arn", "")
    return {
        **_undeclared(instance),
        "ami": instance["ImageId"],
        "arn": account.arn(f"instance/{id_}"),
        "associatePublicIpAddress": bool(_primary_address(primary).get("Association")),
        "availabilityZone": instance["Placement"]["AvailabilityZone"],
        "creditSpecification": inputs.get("creditSpecification"),
        "disableApiTermination": inputs.get("disableApiTermination", False),
        "iamInstanceProfile": profile.rpartition("/")[2],
        "instanceInitiatedShutdownBehavior": inputs.get("instanceInitiatedShutdownBehavior", "stop"),
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
        "rootBlockDevice": _root_disk(account, instance),
        "secondaryPrivateIps": [
            item["PrivateIpAddress"] for item in primary["PrivateIpAddresses"] if not item.get("Primary")
        ],
        "securityGroups": [group["GroupName"] for group in instance["SecurityGroups"]],
        "sourceDestCheck": instance.get("SourceDestCheck", True),
        "subnetId": instance["SubnetId"],
        "tagsAll": tags_of(instance),
        "userData": inputs.get("userData"),
        "userDataReplaceOnChange": inputs.get("userDataReplaceOnChange", False),
        "volumeTags": inputs.get("volumeTags"),
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
        "forceDestroy": False,
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


def _root_disk(account: Account, instance: Any) -> Properties | None:
    root = instance.get("RootDeviceName")
    mapping = only(item for item in instance.get("BlockDeviceMappings", []) if item["DeviceName"] == root)
    if mapping is None:
        return None
    volume: Any = only(account.ec2.describe_volumes(VolumeIds=[mapping["Ebs"]["VolumeId"]])["Volumes"]) or {}
    tags = tags_of(volume)
    return {
        "deleteOnTermination": mapping["Ebs"].get("DeleteOnTermination", True),
        "deviceName": root,
        "encrypted": volume.get("Encrypted", False),
        "iops": volume.get("Iops", 0),
        "kmsKeyId": volume.get("KmsKeyId", ""),
        "tags": {key: value for key, value in tags.items() if account.default_tags.get(key) != value},
        "tagsAll": tags,
        "throughput": volume.get("Throughput", 0),
        "volumeId": mapping["Ebs"]["VolumeId"],
        "volumeSize": volume.get("Size", 0),
        "volumeType": volume.get("VolumeType", ""),
    }


def _terminate(work: Work, id_: str) -> None:
    account = work.account
    with absent(GONE):
        account.ec2.terminate_instances(InstanceIds=[id_])

    def terminated() -> bool:
        instance = _instance(account, id_)
        return instance is None or instance["State"]["Name"] == "terminated"

    account.wait(f"{work.name} ({id_}) to end", terminated, seconds=work.timeout_seconds or DELETE_SECONDS)


def _validate(inputs: Properties) -> tuple[Failure, ...]:
    """Nested keys the provider would not pass on, and what a launch needs."""
    failures = [
        Failure(property=name, reason="missing required property")
        for name in ("ami", "instanceType")
        if name not in inputs
    ]
    for block, known in (("metadataOptions", METADATA.keys()), ("rootBlockDevice", DISK.keys() | {"tags"})):
        value = inputs.get(block)
        unknown = sorted(value.keys() - known) if isinstance(value, dict) else []
        failures += [
            Failure(
                property=f"{block}.{key}",
                reason=f"the lab's aws provider does not know it; it knows {', '.join(sorted(known))}",
            )
            for key in unknown
        ]
    return tuple(failures)


def _user_data_replaces(new_inputs: Properties) -> bool:
    return bool(new_inputs.get("userDataReplaceOnChange"))


COMPUTED_FORCES_NEW = Property(replace=True, computed=True)

TYPES = (
    ResourceType(
        token="aws:ec2/instance:Instance",  # noqa: S106 - a type's name
        inputs={
            "ami": COMPUTED_FORCES_NEW,
            "associatePublicIpAddress": COMPUTED_FORCES_NEW,
            "availabilityZone": COMPUTED_FORCES_NEW,
            "creditSpecification": Property(),
            "disableApiTermination": Property(),
            "iamInstanceProfile": Property(computed=True),
            "instanceInitiatedShutdownBehavior": Property(),
            "instanceType": Property(computed=True),
            "keyName": COMPUTED_FORCES_NEW,
            "metadataOptions": Property(computed=True),
            "privateIp": COMPUTED_FORCES_NEW,
            "rootBlockDevice": Property(replace=True, computed=True),
            "sourceDestCheck": Property(default=True),
            "subnetId": COMPUTED_FORCES_NEW,
            "userData": Property(replace=_user_data_replaces),
            "userDataReplaceOnChange": Property(default=False),
            "volumeTags": Property(),
            "vpcSecurityGroupIds": Property(computed=True, unordered=True),
        },
        create=_launch,
        ready=_ready,
        read=_read,
        update=_update,
        updates=frozenset(
            {
                "disableApiTermination",
                "metadataOptions",
                "sourceDestCheck",
                "userDataReplaceOnChange",
                "vpcSecurityGroupIds",
            }
        ),
        delete=_terminate,
        retag=Account.retag_ec2,
        validate=_validate,
    ),
)
