"""What the filters of the Describe calls look at, where moto has nothing or looks elsewhere. Names: API reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Look = Callable[[Any], Any]

# In the API reference once, and still taken.
UNDOCUMENTED = {
    "DescribeInstances": frozenset({"group-id", "group-name"}),
    "DescribeSubnets": frozenset({"cidr", "cidrBlock", "availabilityZone", "defaultForAz"}),
    "DescribeVpcs": frozenset({"cidr-block", "isDefault", "dhcpOptionsId"}),
    "DescribeAddresses": frozenset({"domain"}),
    "DescribeSecurityGroupRules": frozenset({"tag-key"}),
    "DescribeTags": frozenset({"resource-type"}),
}


def _associations(interface: Any, field: str) -> list[str]:
    """A field of the associations of all addresses of an interface."""
    shown = [interface.association_of(address) for address in interface.addresses]
    return [each[field] for each in shown if field in each]


INTERFACE: Mapping[str, Look] = {
    "network-interface-id": lambda nic: nic.id,
    "private-ip-address": lambda nic: nic.addresses,
    "private-dns-name": lambda nic: nic.private_dns_name,
    "addresses.private-ip-address": lambda nic: nic.addresses,
    "addresses.primary": lambda nic: [address == nic.private_ip_address for address in nic.addresses],
    "addresses.association.public-ip": lambda nic: _associations(nic, "PublicIp"),
    "addresses.association.owner-id": lambda nic: _associations(nic, "IpOwnerId"),
    "association.public-ip": lambda nic: _associations(nic, "PublicIp"),
    "association.public-dns-name": lambda nic: _associations(nic, "PublicDnsName"),
    "association.ip-owner-id": lambda nic: _associations(nic, "IpOwnerId"),
    "association.allocation-id": lambda nic: _associations(nic, "AllocationId"),
    "association.association-id": lambda nic: _associations(nic, "AssociationId"),
    "attachment.attachment-id": lambda nic: nic.attachment_id,
    "attachment.attach-time": lambda nic: nic.attach_time,
    "attachment.delete-on-termination": lambda nic: bool(nic.delete_on_termination) if nic.instance else None,
    "attachment.device-index": lambda nic: nic.device_index if nic.instance else None,
    "attachment.instance-id": lambda nic: nic.instance.id if nic.instance else None,
    "attachment.instance-owner-id": lambda nic: nic.owner_id if nic.instance else None,
    "attachment.status": lambda nic: "attached" if nic.instance else None,
    "availability-zone": lambda nic: nic.subnet.availability_zone,
    "availability-zone-id": lambda nic: nic.subnet.availability_zone_id,
    "description": lambda nic: nic.description,
    "group-id": lambda nic: [group.id for group in nic.group_set],
    "group-name": lambda nic: [group.name for group in nic.group_set],
    "interface-type": lambda nic: nic.interface_type,
    "mac-address": lambda nic: nic.mac_address,
    "owner-id": lambda nic: nic.owner_id,
    "requester-managed": lambda nic: nic.requester_managed,
    "source-dest-check": lambda nic: bool(nic.source_dest_check),
    "status": lambda nic: nic.status,
    "subnet-id": lambda nic: nic.subnet.id,
    "vpc-id": lambda nic: nic.vpc_id,
    "tag-key": lambda nic: [tag["key"] for tag in nic.get_tags()],
    "tag-value": lambda nic: [tag["value"] for tag in nic.get_tags()],
}


def _of_interfaces(look: Look) -> Look:
    return lambda instance: [look(nic) for nic in instance.nics.values()]


INSTANCE: Mapping[str, Look] = {
    "architecture": lambda each: each.architecture,
    "availability-zone": lambda each: each.availability_zone,
    "client-token": lambda each: each.client_token,
    "dns-name": lambda each: each.public_dns_name,
    "ebs-optimized": lambda each: bool(each.ebs_optimized),
    "group-id": lambda each: [group.id for group in each.security_groups],
    "group-name": lambda each: [group.name for group in each.security_groups],
    "hypervisor": lambda each: each.hypervisor,
    "iam-instance-profile.arn": lambda each: (each.iam_instance_profile or {}).get("Arn"),
    "iam-instance-profile.id": lambda each: (each.iam_instance_profile or {}).get("Id"),
    "image-id": lambda each: each.image_id,
    "instance-id": lambda each: each.id,
    "instance-lifecycle": lambda each: each.lifecycle,
    "instance-state-code": lambda each: each.state_code,
    "instance-state-name": lambda each: each.state,
    "instance-type": lambda each: each.instance_type,
    "instance.group-id": lambda each: [group.id for group in each.security_groups],
    "instance.group-name": lambda each: [group.name for group in each.security_groups],
    "ip-address": lambda each: each.public_ip,
    "key-name": lambda each: each.key_name,
    "launch-index": lambda each: each.ami_launch_index,
    "launch-time": lambda each: each.launch_time,
    "metadata-options.http-endpoint": lambda each: each.metadata_options.http_endpoint,
    "metadata-options.http-put-response-hop-limit": lambda each: each.metadata_options.http_put_response_hop_limit,
    "metadata-options.http-tokens": lambda each: each.metadata_options.http_tokens,
    "metadata-options.instance-metadata-tags": lambda each: each.metadata_options.instance_metadata_tags,
    "monitoring-state": lambda each: each.monitoring_state,
    "owner-id": lambda each: each.owner_id,
    "private-dns-name": lambda each: each.private_dns_name,
    "private-ip-address": lambda each: each.private_ip,
    "reason": lambda each: each.state_transition_reason,
    "root-device-name": lambda each: each.root_device_name,
    "root-device-type": lambda each: each.root_device_type,
    "source-dest-check": lambda each: each.source_dest_check,
    "state-reason-code": lambda each: each.state_reason.code,
    "state-reason-message": lambda each: each.state_reason.message,
    "subnet-id": lambda each: each.subnet_id,
    "tenancy": lambda each: each.placement.tenancy,
    "virtualization-type": lambda each: each.virtualization_type,
    "vpc-id": lambda each: each.vpc_id,
    "block-device-mapping.device-name": lambda each: [name for name, _ in each.get_block_device_mapping],
    "block-device-mapping.volume-id": lambda each: [disk.volume_id for _, disk in each.get_block_device_mapping],
    **{f"network-interface.{name}": _of_interfaces(look) for name, look in INTERFACE.items()},
    # In the instance's words the association of an address and of its interface are two things.
    **{
        f"network-interface.addresses.{name}": _of_interfaces(INTERFACE[name])
        for name in ("association.allocation-id", "association.association-id", "association.ip-owner-id")
    },
}


def _port(port: int | None) -> int:
    return -1 if port is None else port


def _permissions(prefix: str, rules: Callable[[Any], list[Any]]) -> Mapping[str, Look]:
    looks: Mapping[str, Look] = {
        "cidr": lambda rule: rule.cidr_ipv4,
        "ipv6-cidr": lambda rule: rule.cidr_ipv6,
        "from-port": lambda rule: _port(rule.from_port),
        "to-port": lambda rule: _port(rule.to_port),
        "protocol": lambda rule: rule.ip_protocol,
        "group-id": lambda rule: rule.source_group.get("GroupId"),
        "group-name": lambda rule: rule.source_group.get("GroupName"),
        "user-id": lambda rule: rule.source_group.get("UserId"),
        "prefix-list-id": lambda rule: rule.prefix_list_id,
    }

    def of_all(look: Look) -> Look:
        return lambda group: [look(rule) for rule in rules(group)]

    return {f"{prefix}ip-permission.{name}": of_all(look) for name, look in looks.items()}


GROUP: Mapping[str, Look] = {
    "description": lambda group: group.description,
    "group-id": lambda group: group.id,
    "group-name": lambda group: group.name,
    "owner-id": lambda group: group.owner_id,
    "vpc-id": lambda group: group.vpc_id,
    **_permissions("", lambda group: list(group.ingress_rules)),
    **_permissions("egress.", lambda group: list(group.egress_rules)),
}

FILTER_VALUES: Mapping[str, Mapping[str, Look]] = {
    "DescribeAddresses": {
        "allocation-id": lambda each: each.allocation_id,
        "association-id": lambda each: each.association_id,
        "instance-id": lambda each: each.instance_id,
        "network-border-group": lambda each: each.network_border_group,
        "network-interface-id": lambda each: each.network_interface_id,
        "network-interface-owner-id": lambda each: each.network_interface_owner_id,
        "private-ip-address": lambda each: each.private_ip_address,
        "public-ip": lambda each: each.public_ip,
    },
    "DescribeInstances": INSTANCE,
    "DescribeInternetGateways": {
        "attachment.state": lambda gateway: [each["State"] for each in gateway.attachments],
        "attachment.vpc-id": lambda gateway: [each["VpcId"] for each in gateway.attachments],
        "internet-gateway-id": lambda gateway: gateway.id,
        "owner-id": lambda gateway: gateway.owner_id,
    },
    "DescribeNetworkInterfaces": INTERFACE,
    "DescribeRouteTables": {
        "association.main": lambda table: [each["Main"] for each in table.associations] or [False],
        "association.gateway-id": lambda table: [each.get("GatewayId") for each in table.associations],
        "association.subnet-id": lambda table: [each.get("SubnetId") for each in table.associations],
        "owner-id": lambda table: table.owner_id,
        "route.destination-cidr-block": lambda table: [each.destination_cidr_block for each in table.routes],
        "route.gateway-id": lambda table: [each.gateway_id for each in table.routes],
        "route.instance-id": lambda table: [each.instance_id for each in table.routes],
        "route.origin": lambda table: [each.origin for each in table.routes],
        "route.state": lambda table: [each.state for each in table.routes],
    },
    "DescribeSecurityGroupRules": {
        "group-id": lambda rule: rule.group_id,
        "security-group-rule-id": lambda rule: rule.id,
    },
    "DescribeSecurityGroups": GROUP,
    "DescribeSubnets": {
        "availability-zone-id": lambda subnet: subnet.availability_zone_id,
        "available-ip-address-count": lambda subnet: subnet.available_ip_address_count,
        "cidr-block": lambda subnet: str(subnet.cidr),
        "map-public-ip-on-launch": lambda subnet: bool(subnet.map_public_ip_on_launch),
        "owner-id": lambda subnet: subnet.owner_id,
        "subnet-arn": lambda subnet: subnet.arn,
    },
    "DescribeTags": {
        "key": lambda tag: tag["key"],
        "value": lambda tag: tag["value"],
        "resource-id": lambda tag: tag["resource_id"],
        "resource-type": lambda tag: tag["resource_type"],
        "tag-key": lambda tag: tag["key"],
        "tag-value": lambda tag: tag["value"],
    },
    "DescribeVpcs": {
        "cidr": lambda vpc: vpc.cidr_block,
        "is-default": lambda vpc: bool(vpc.is_default),
        "owner-id": lambda vpc: vpc.owner_id,
        "state": lambda vpc: vpc.state,
    },
}
