"""The EC2 calls and the resources each is about: the one table. A call that is not in it is evaluated on *.

Source: Service Authorization Reference, "Actions, resources, and condition keys for Amazon EC2", table of actions.
Assumed: that a call which finds a resource by an association checks both ends of it; that a rule of a security group is
checked only when it is given tags.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lab.cloud.authorization.ec2_lookups import (
    Lookup,
    Parameters,
    acl_subnet,
    associated_interface,
    associated_subnet,
    associated_table,
    attached_instance,
    attached_interface,
    elastic_ip,
    given,
    group,
    launch_groups,
    launch_profile_arn,
    launch_subnet_arn,
    launch_subnets,
    launch_vpc_arn,
    launch_zone,
    market,
    parameter,
    profiled_instance,
    vpc_or_default,
)
from lab.cloud.authorization.ec2_resources import Scope, Value, constant

NewKeys = Mapping[str, Callable[[Scope, Parameters], Value]]


@dataclass(frozen=True, kw_only=True)
class Names:
    """Resources of one type that a call is about.

    `find` gives the ids of those that exist; a `required` type that is not named is checked as TYPE/*. Without `find`
    the call makes one, checked as TYPE/* with the condition keys `new`: not `unless` a parameter names one that exists,
    and if it is `tagged_only` only when it gets tags. A call that sets `attributes` of the resource has the keys
    ec2:Attribute and ec2:Attribute/NAME.
    """

    kind: str
    find: Lookup | None = None
    required: bool = False
    new: NewKeys = field(default_factory=dict)
    unless: str = ""
    tagged_only: bool = False
    attributes: bool = False


def one(kind: str, *paths: str, attributes: bool = False) -> Names:
    """An existing resource that the call cannot do without."""
    return Names(kind=kind, find=parameter(*paths), required=True, attributes=attributes)


def maybe(kind: str, *paths: str) -> Names:
    """Existing resources that the call may name."""
    return Names(kind=kind, find=parameter(*paths))


def found(kind: str, find: Lookup) -> Names:
    """Existing resources that take a look-up."""
    return Names(kind=kind, find=find)


def new(kind: str, keys: NewKeys | None = None, *, unless: str = "", tagged_only: bool = False) -> Names:
    """A resource that the call makes."""
    return Names(kind=kind, new=keys or {}, unless=unless, tagged_only=tagged_only)


INSTANCE = one("instance", "InstanceId")
INSTANCES = one("instance", "InstanceIds")
INTERFACE = one("network-interface", "NetworkInterfaceId")
ROUTE_TABLE = one("route-table", "RouteTableId")
SUBNET = one("subnet", "SubnetId")
VPC = one("vpc", "VpcId")
GATEWAY = one("internet-gateway", "InternetGatewayId")
ACL = one("network-acl", "NetworkAclId")
GROUP = Names(kind="security-group", find=group, required=True)
RULE = new("security-group-rule", tagged_only=True)
ELASTIC_IP = found("elastic-ip", elastic_ip)
LAUNCH_GROUPS = found("security-group", launch_groups)
EXISTING_INTERFACE = "NetworkInterfaces.NetworkInterfaceId"

ACTIONS: dict[str, tuple[Names, ...]] = {
    # Addresses of interfaces, Elastic IPs.
    "AssignPrivateIpAddresses": (INTERFACE,),
    "UnassignPrivateIpAddresses": (INTERFACE,),
    "AssignIpv6Addresses": (INTERFACE,),
    "UnassignIpv6Addresses": (INTERFACE,),
    "AllocateAddress": (new("elastic-ip"),),
    "AssociateAddress": (
        ELASTIC_IP,
        maybe("network-interface", "NetworkInterfaceId"),
        maybe("instance", "InstanceId"),
    ),
    "DisassociateAddress": (ELASTIC_IP, found("network-interface", associated_interface)),
    "ReleaseAddress": (ELASTIC_IP,),
    "ModifyAddressAttribute": (one("elastic-ip", "AllocationId", attributes=True),),
    # Interfaces.
    "CreateNetworkInterface": (
        new("network-interface"),
        SUBNET,
        LAUNCH_GROUPS,
    ),
    "DeleteNetworkInterface": (INTERFACE,),
    "AttachNetworkInterface": (INSTANCE, INTERFACE),
    "DetachNetworkInterface": (
        Names(kind="instance", find=attached_instance, required=True),
        Names(kind="network-interface", find=attached_interface, required=True),
    ),
    "ModifyNetworkInterfaceAttribute": (
        one("network-interface", "NetworkInterfaceId", attributes=True),
        maybe("security-group", "Groups"),
        found("instance", attached_instance),
    ),
    "ResetNetworkInterfaceAttribute": (INTERFACE,),
    "CreateNetworkInterfacePermission": (INTERFACE,),
    # Instances.
    "RunInstances": (
        new(
            "instance",
            {
                "ec2:AvailabilityZone": launch_zone,
                "ec2:EbsOptimized": given("EbsOptimized", "false"),
                "ec2:InstanceMarketType": market,
                "ec2:InstanceProfile": launch_profile_arn,
                "ec2:InstanceType": given("InstanceType", "m1.small"),
                "ec2:MetadataHttpEndpoint": given("MetadataOptions.HttpEndpoint"),
                "ec2:MetadataHttpPutResponseHopLimit": given("MetadataOptions.HttpPutResponseHopLimit"),
                "ec2:MetadataHttpTokens": given("MetadataOptions.HttpTokens"),
                "ec2:RootDeviceType": constant("ebs"),
                "ec2:Tenancy": given("Placement.Tenancy", "default"),
            },
        ),
        one("image", "ImageId"),
        new(
            "network-interface",
            {
                "ec2:AssociatePublicIpAddress": given("NetworkInterfaces.AssociatePublicIpAddress"),
                "ec2:AvailabilityZone": launch_zone,
                "ec2:Subnet": launch_subnet_arn,
                "ec2:Vpc": launch_vpc_arn,
            },
            unless=EXISTING_INTERFACE,
        ),
        LAUNCH_GROUPS,
        Names(kind="subnet", find=launch_subnets, required=True),
        new(
            "volume",
            {
                "ec2:AvailabilityZone": launch_zone,
                "ec2:Encrypted": given("BlockDeviceMappings.Ebs.Encrypted", "false"),
                "ec2:VolumeSize": given("BlockDeviceMappings.Ebs.VolumeSize"),
                "ec2:VolumeType": given("BlockDeviceMappings.Ebs.VolumeType", "gp3"),
            },
        ),
        maybe("network-interface", EXISTING_INTERFACE),
        maybe("snapshot", "BlockDeviceMappings.Ebs.SnapshotId"),
        maybe("key-pair", "KeyName"),
        maybe("launch-template", "LaunchTemplate.LaunchTemplateId"),
    ),
    "StartInstances": (INSTANCES,),
    "StopInstances": (INSTANCES,),
    "RebootInstances": (INSTANCES,),
    "TerminateInstances": (INSTANCES,),
    "MonitorInstances": (INSTANCES,),
    "UnmonitorInstances": (INSTANCES,),
    "DescribeInstanceAttribute": (INSTANCE,),
    "ModifyInstanceAttribute": (
        one("instance", "InstanceId", attributes=True),
        maybe("security-group", "Groups"),
    ),
    "ResetInstanceAttribute": (INSTANCE,),
    "ModifyInstanceMetadataOptions": (one("instance", "InstanceId", attributes=True),),
    "ModifyInstancePlacement": (one("instance", "InstanceId", attributes=True),),
    "ModifyInstanceCreditSpecification": (one("instance", "InstanceCreditSpecifications.InstanceId"),),
    "GetConsoleOutput": (INSTANCE,),
    "GetPasswordData": (INSTANCE,),
    "SendDiagnosticInterrupt": (INSTANCE,),
    "AssociateIamInstanceProfile": (INSTANCE,),
    "DisassociateIamInstanceProfile": (Names(kind="instance", find=profiled_instance, required=True),),
    "ReplaceIamInstanceProfileAssociation": (Names(kind="instance", find=profiled_instance, required=True),),
    "CreateImage": (new("image"), INSTANCE, new("snapshot")),
    "CreateKeyPair": (one("key-pair", "KeyName"),),
    "ImportKeyPair": (one("key-pair", "KeyName"),),
    "DeleteKeyPair": (maybe("key-pair", "KeyName"),),
    # Volumes.
    "CreateVolume": (
        new(
            "volume",
            {
                "ec2:AvailabilityZone": given("AvailabilityZone"),
                "ec2:Encrypted": given("Encrypted", "false"),
                "ec2:VolumeSize": given("Size"),
                "ec2:VolumeType": given("VolumeType", "gp2"),
            },
        ),
        maybe("snapshot", "SnapshotId"),
    ),
    "AttachVolume": (INSTANCE, one("volume", "VolumeId")),
    "DetachVolume": (one("volume", "VolumeId"), maybe("instance", "InstanceId")),
    "DeleteVolume": (one("volume", "VolumeId"),),
    "ModifyVolume": (one("volume", "VolumeId", attributes=True),),
    "CreateSnapshot": (new("snapshot"), one("volume", "VolumeId")),
    # Networks.
    "CreateVpc": (new("vpc"),),
    "DeleteVpc": (VPC,),
    "DescribeVpcAttribute": (VPC,),
    "ModifyVpcAttribute": (one("vpc", "VpcId", attributes=True),),
    "CreateSubnet": (new("subnet"), VPC),
    "DeleteSubnet": (SUBNET,),
    "ModifySubnetAttribute": (one("subnet", "SubnetId", attributes=True),),
    "CreateSubnetCidrReservation": (SUBNET,),
    "CreateInternetGateway": (new("internet-gateway"),),
    "AttachInternetGateway": (GATEWAY, VPC),
    "DetachInternetGateway": (GATEWAY, VPC),
    "DeleteInternetGateway": (GATEWAY,),
    "CreateRouteTable": (new("route-table"), VPC),
    "DeleteRouteTable": (ROUTE_TABLE,),
    "CreateRoute": (ROUTE_TABLE,),
    "ReplaceRoute": (ROUTE_TABLE,),
    "DeleteRoute": (ROUTE_TABLE,),
    "AssociateRouteTable": (ROUTE_TABLE, maybe("subnet", "SubnetId"), maybe("internet-gateway", "GatewayId")),
    "DisassociateRouteTable": (found("route-table", associated_table), found("subnet", associated_subnet)),
    "ReplaceRouteTableAssociation": (ROUTE_TABLE, found("subnet", associated_subnet)),
    "CreateNetworkAcl": (new("network-acl"), VPC),
    "DeleteNetworkAcl": (ACL,),
    "CreateNetworkAclEntry": (ACL,),
    "ReplaceNetworkAclEntry": (ACL,),
    "DeleteNetworkAclEntry": (ACL,),
    "ReplaceNetworkAclAssociation": (ACL, Names(kind="subnet", find=acl_subnet, required=True)),
    # Security groups.
    "CreateSecurityGroup": (new("security-group"), found("vpc", vpc_or_default)),
    "DeleteSecurityGroup": (GROUP,),
    "AuthorizeSecurityGroupIngress": (GROUP, RULE),
    "AuthorizeSecurityGroupEgress": (GROUP, RULE),
    "RevokeSecurityGroupIngress": (GROUP,),
    "RevokeSecurityGroupEgress": (GROUP,),
    "ModifySecurityGroupRules": (GROUP, one("security-group-rule", "SecurityGroupRules.SecurityGroupRuleId")),
    "UpdateSecurityGroupRuleDescriptionsIngress": (GROUP,),
    "UpdateSecurityGroupRuleDescriptionsEgress": (GROUP,),
}
# Calls that hand a role to EC2 with an instance profile: iam:PassRole on the role, too.
PASSING = frozenset({"RunInstances", "AssociateIamInstanceProfile", "ReplaceIamInstanceProfileAssociation"})
# Parameters that are no attribute being set, of the calls that set attributes.
NO_ATTRIBUTES = frozenset(
    {
        "AllocationId",
        "Attribute",
        "DryRun",
        "InstanceId",
        "NetworkInterfaceId",
        "SubnetId",
        "Value",
        "VolumeId",
        "VpcId",
    }
)
