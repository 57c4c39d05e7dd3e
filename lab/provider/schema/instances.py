"""Instances."""

from __future__ import annotations

from lab.protocol.contract import Failure, Properties
from lab.provider.normal import as_set
from lab.provider.registry import Property, Schema, Timeouts
from lab.provider.rules import at_most, between, conflicting, ipv4, one_of
from lab.provider.schema.common import REGIONAL

VOLUME_TYPES = ("standard", "io1", "io2", "gp2", "sc1", "st1", "gp3")


def _user_data_replaces(_deployed: Properties, wanted: Properties) -> bool:
    return bool(wanted.get("userDataReplaceOnChange"))


def _root_tags_and_volume_tags(inputs: Properties) -> tuple[Failure, ...]:
    disk = inputs.get("rootBlockDevice")
    tags = disk.get("tags") if isinstance(disk, dict) else None
    return conflicting("rootBlockDevice.tags", "volumeTags")(
        {"rootBlockDevice.tags": tags, "volumeTags": inputs.get("volumeTags")}
    )


METADATA_OPTIONS = {
    "httpEndpoint": Property(
        source="metadata_options.http_endpoint: Computed", computed=True, wrong=one_of("disabled", "enabled")
    ),
    "httpProtocolIpv6": Property(
        source="metadata_options.http_protocol_ipv6: Default disabled",
        default="disabled",
        wrong=one_of("disabled", "enabled"),
    ),
    "httpPutResponseHopLimit": Property(
        source="metadata_options.http_put_response_hop_limit: Computed", kind=int, computed=True, wrong=between(1, 64)
    ),
    "httpTokens": Property(
        source="metadata_options.http_tokens: Computed", computed=True, wrong=one_of("optional", "required")
    ),
    "instanceMetadataTags": Property(
        source="metadata_options.instance_metadata_tags: Computed", computed=True, wrong=one_of("disabled", "enabled")
    ),
}
ROOT_BLOCK_DEVICE = {
    "deleteOnTermination": Property(
        source="root_block_device.delete_on_termination: Default true", kind=bool, default=True
    ),
    "encrypted": Property(
        source="root_block_device.encrypted: Computed, ForceNew", kind=bool, computed=True, replace=True
    ),
    "iops": Property(source="root_block_device.iops: Computed", kind=int, computed=True),
    "kmsKeyId": Property(source="root_block_device.kms_key_id: Computed, ForceNew", computed=True, replace=True),
    "tags": Property(source="root_block_device.tags", kind=dict),
    "throughput": Property(source="root_block_device.throughput: Computed", kind=int, computed=True),
    "volumeSize": Property(source="root_block_device.volume_size: Computed", kind=int, computed=True),
    "volumeType": Property(
        source="root_block_device.volume_type: Computed", computed=True, wrong=one_of(*VOLUME_TYPES)
    ),
}

INSTANCE = Schema(
    file="internal/service/ec2/ec2_instance.go",
    inputs={
        **REGIONAL,
        "ami": Property(
            source="ami: Computed, ForceNew; Required in the lab, which has no launch templates",
            required=True,
            computed=True,
            replace=True,
        ),
        "associatePublicIpAddress": Property(
            source="associate_public_ip_address: Computed, ForceNew", kind=bool, computed=True, replace=True
        ),
        "availabilityZone": Property(source="availability_zone: Computed, ForceNew", computed=True, replace=True),
        "creditSpecification": Property(
            source="credit_specification: Computed by its DiffSuppressFunc",
            kind=dict,
            computed=True,
            nested={
                "cpuCredits": Property(
                    source="credit_specification.cpu_credits: Computed by its DiffSuppressFunc",
                    computed=True,
                    wrong=one_of("standard", "unlimited"),
                )
            },
        ),
        "disableApiTermination": Property(source="disable_api_termination: Computed", kind=bool, computed=True),
        "forceDestroy": Property(source="force_destroy: Default false", kind=bool, default=False),
        "iamInstanceProfile": Property(source="iam_instance_profile: Computed", computed=True),
        "instanceInitiatedShutdownBehavior": Property(
            source="instance_initiated_shutdown_behavior: Computed", computed=True, wrong=one_of("stop", "terminate")
        ),
        "instanceType": Property(
            source="instance_type: Computed; Required in the lab, which has no launch templates",
            required=True,
            computed=True,
        ),
        "keyName": Property(source="key_name: Computed, ForceNew", computed=True, replace=True),
        "metadataOptions": Property(
            source="metadata_options: Computed", kind=dict, computed=True, nested=METADATA_OPTIONS
        ),
        "privateIp": Property(source="private_ip: Computed, ForceNew", computed=True, replace=True, wrong=ipv4),
        "rootBlockDevice": Property(
            source="root_block_device: Computed", kind=dict, computed=True, nested=ROOT_BLOCK_DEVICE
        ),
        "secondaryPrivateIps": Property(
            source="secondary_private_ips: Computed", kind=list, computed=True, normal=as_set
        ),
        "sourceDestCheck": Property(source="source_dest_check: Default true", kind=bool, default=True),
        "subnetId": Property(source="subnet_id: Computed, ForceNew", computed=True, replace=True),
        "userData": Property(
            source="user_data: Computed, ForceNew by CustomizeDiff with user_data_replace_on_change",
            computed=True,
            replace=_user_data_replaces,
            wrong=at_most(16384),
        ),
        "userDataReplaceOnChange": Property(
            source="user_data_replace_on_change: Default false", kind=bool, default=False
        ),
        "volumeTags": Property(source="volume_tags", kind=dict),
        "vpcSecurityGroupIds": Property(
            source="vpc_security_group_ids: Computed", kind=list, computed=True, normal=as_set
        ),
    },
    unmodelled=frozenset(
        {
            *("capacityReservationSpecification", "cpuOptions", "disableApiStop"),
            *("ebsBlockDevices", "ebsOptimized", "enablePrimaryIpv6", "enclaveOptions", "ephemeralBlockDevices"),
            *("getPasswordData", "hibernation", "hostId", "hostResourceGroupArn", "instanceMarketOptions"),
            *("ipv6AddressCount", "ipv6Addresses", "launchTemplate", "maintenanceOptions", "monitoring"),
            *("networkInterfaces", "placementGroup", "placementGroupId", "placementPartitionNumber"),
            *("primaryNetworkInterface", "privateDnsNameOptions", "secondaryNetworkInterfaces", "securityGroups"),
            *("tenancy", "userDataBase64"),
            # Of the disk the SDK also sends what AWS says; a program that sets it is mistaken.
            *("rootBlockDevice.deviceName", "rootBlockDevice.tagsAll", "rootBlockDevice.volumeId"),
        }
    ),
    rules=(_root_tags_and_volume_tags,),
    timeouts=Timeouts(create=600.0, update=600.0, delete=1200.0),
)
