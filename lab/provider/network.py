"""VPC, subnet, internet gateway, subnet CIDR reservations."""

from __future__ import annotations

from functools import partial
from typing import Any

from lab.protocol.contract import Properties, ProviderError
from lab.provider.account import Account, absent, given, only, tag_specifications, tags_of
from lab.provider.registry import ResourceType, Work
from lab.provider.schema import network as schema


def _create_vpc(work: Work) -> str:
    vpc = work.account.ec2.create_vpc(
        CidrBlock=work.inputs["cidrBlock"],
        InstanceTenancy=work.inputs["instanceTenancy"],
        **tag_specifications(work.tags, "vpc"),
    )["Vpc"]
    return vpc["VpcId"]


def _ready_vpc(work: Work, id_: str) -> None:
    def state() -> str:
        found = only(work.account.ec2.describe_vpcs(VpcIds=[id_])["Vpcs"])
        return "gone" if found is None else str(found["State"])

    work.wait(id_, "available", state)
    # One attribute a call (ModifyVpcAttribute); host names need DNS support, so that comes first.
    ec2 = work.account.ec2
    ec2.modify_vpc_attribute(VpcId=id_, EnableDnsSupport={"Value": work.inputs["enableDnsSupport"]})
    if (names := work.inputs.get("enableDnsHostnames")) is not None:
        ec2.modify_vpc_attribute(VpcId=id_, EnableDnsHostnames={"Value": names})


def _update_vpc(work: Work, id_: str, changed: frozenset[str]) -> None:
    """What else can change is set by `_ready_vpc`, which follows."""
    if "instanceTenancy" in changed:  # from dedicated to default only: the other way replaces
        work.account.ec2.modify_vpc_tenancy(VpcId=id_, InstanceTenancy="default")


def _read_vpc(account: Account, id_: str, _inputs: Properties) -> Properties | None:
    ec2, vpc = account.ec2, None
    with absent("InvalidVpcID.NotFound"):
        vpc = only(ec2.describe_vpcs(VpcIds=[id_])["Vpcs"])
    if vpc is None:
        return None
    of_vpc: Any = {"Name": "vpc-id", "Values": [id_]}
    main = ec2.describe_route_tables(Filters=[of_vpc, {"Name": "association.main", "Values": ["true"]}])["RouteTables"]
    acl = ec2.describe_network_acls(Filters=[of_vpc, {"Name": "default", "Values": ["true"]}])["NetworkAcls"]
    group = ec2.describe_security_groups(Filters=[of_vpc, {"Name": "group-name", "Values": ["default"]}])
    main_id = main[0]["RouteTableId"] if main else ""
    return {
        "arn": account.arn(f"vpc/{id_}"),
        "assignGeneratedIpv6CidrBlock": False,
        "cidrBlock": vpc["CidrBlock"],
        "defaultNetworkAclId": acl[0]["NetworkAclId"] if acl else "",
        "defaultRouteTableId": main_id,
        "defaultSecurityGroupId": group["SecurityGroups"][0]["GroupId"],
        "dhcpOptionsId": vpc["DhcpOptionsId"],
        "enableDnsHostnames": ec2.describe_vpc_attribute(VpcId=id_, Attribute="enableDnsHostnames")[
            "EnableDnsHostnames"
        ]["Value"],
        "enableDnsSupport": ec2.describe_vpc_attribute(VpcId=id_, Attribute="enableDnsSupport")["EnableDnsSupport"][
            "Value"
        ],
        "enableNetworkAddressUsageMetrics": False,
        "instanceTenancy": vpc["InstanceTenancy"],
        "ipv4IpamPoolId": None,
        "ipv4NetmaskLength": None,
        "ipv6AssociationId": "",
        "ipv6CidrBlock": "",
        "ipv6CidrBlockNetworkBorderGroup": "",
        "ipv6IpamPoolId": "",
        "ipv6NetmaskLength": 0,
        "mainRouteTableId": main_id,
        "ownerId": account.id,
        "tagsAll": tags_of(vpc),
    }


def _delete_vpc(work: Work, id_: str) -> None:
    work.release(id_, partial(work.account.ec2.delete_vpc, VpcId=id_), "InvalidVpcID.NotFound")


def _create_subnet(work: Work) -> str:
    inputs = work.inputs
    subnet = work.account.ec2.create_subnet(
        VpcId=inputs["vpcId"],
        CidrBlock=inputs["cidrBlock"],
        **given(AvailabilityZone=inputs.get("availabilityZone"), AvailabilityZoneId=inputs.get("availabilityZoneId")),
        **tag_specifications(work.tags, "subnet"),
    )["Subnet"]
    return subnet["SubnetId"]


def _ready_subnet(work: Work, id_: str) -> None:
    def state() -> str:
        found = only(work.account.ec2.describe_subnets(SubnetIds=[id_])["Subnets"])
        return "gone" if found is None else str(found["State"])

    work.wait(id_, "available", state)
    public = work.inputs["mapPublicIpOnLaunch"]
    work.account.ec2.modify_subnet_attribute(SubnetId=id_, MapPublicIpOnLaunch={"Value": public})


def _read_subnet(account: Account, id_: str, _inputs: Properties) -> Properties | None:
    subnet = None
    with absent("InvalidSubnetID.NotFound"):
        subnet = only(account.ec2.describe_subnets(SubnetIds=[id_])["Subnets"])
    if subnet is None:
        return None
    return {
        "arn": account.arn(f"subnet/{id_}"),
        "assignIpv6AddressOnCreation": False,
        "availabilityZone": subnet["AvailabilityZone"],
        "availabilityZoneId": subnet["AvailabilityZoneId"],
        "cidrBlock": subnet["CidrBlock"],
        "customerOwnedIpv4Pool": "",
        "enableDns64": False,
        "enableLniAtDeviceIndex": 0,
        "enableResourceNameDnsARecordOnLaunch": False,
        "enableResourceNameDnsAaaaRecordOnLaunch": False,
        "ipv4IpamPoolId": None,
        "ipv4NetmaskLength": None,
        "ipv6CidrBlock": "",
        "ipv6CidrBlockAssociationId": "",
        "ipv6IpamPoolId": None,
        "ipv6Native": False,
        "ipv6NetmaskLength": None,
        "mapCustomerOwnedIpOnLaunch": False,
        "mapPublicIpOnLaunch": subnet["MapPublicIpOnLaunch"],
        "outpostArn": "",
        "ownerId": account.id,
        "privateDnsHostnameTypeOnLaunch": "ip-name",
        "tagsAll": tags_of(subnet),
        "vpcId": subnet["VpcId"],
    }


def _delete_subnet(work: Work, id_: str) -> None:
    work.release(id_, partial(work.account.ec2.delete_subnet, SubnetId=id_), "InvalidSubnetID.NotFound")


def _create_gateway(work: Work) -> str:
    made = work.account.ec2.create_internet_gateway(**tag_specifications(work.tags, "internet-gateway"))
    return made["InternetGateway"]["InternetGatewayId"]


def _ready_gateway(work: Work, id_: str) -> None:
    """Attach it where it is not attached; an update has detached it from another VPC before."""
    vpc = work.inputs.get("vpcId")
    if not vpc:
        return

    def attached_to() -> str:
        found = _read_gateway(work.account, id_, {})
        return "gone" if found is None else str(found["vpcId"]) or "detached"

    if attached_to() == "detached":
        work.account.ec2.attach_internet_gateway(InternetGatewayId=id_, VpcId=vpc)
    work.wait(id_, vpc, attached_to)


def _detach(work: Work, id_: str, _changed: frozenset[str]) -> None:
    """Detach it from wherever it is; `_ready_gateway` follows."""
    ec2, found = work.account.ec2, _read_gateway(work.account, id_, {})
    vpc = found["vpcId"] if found is not None else ""
    if not vpc:
        return
    gone = ["Gateway.NotAttached", "InvalidVpcID.NotFound", "InvalidInternetGatewayID.NotFound"]
    work.release(id_, partial(ec2.detach_internet_gateway, InternetGatewayId=id_, VpcId=vpc), *gone)


def _read_gateway(account: Account, id_: str, _inputs: Properties) -> Properties | None:
    gateway = None
    with absent("InvalidInternetGatewayID.NotFound"):
        gateway = only(account.ec2.describe_internet_gateways(InternetGatewayIds=[id_])["InternetGateways"])
    if gateway is None:
        return None
    attached = gateway.get("Attachments") or []
    return {
        "arn": account.arn(f"internet-gateway/{id_}"),
        "ownerId": account.id,
        "tagsAll": tags_of(gateway),
        "vpcId": attached[0]["VpcId"] if attached else "",
    }


def _delete_gateway(work: Work, id_: str) -> None:
    _detach(work, id_, frozenset())
    work.release(
        id_,
        partial(work.account.ec2.delete_internet_gateway, InternetGatewayId=id_),
        "InvalidInternetGatewayID.NotFound",
    )


def _create_reservation(work: Work) -> str:
    inputs = work.inputs
    made = work.account.ec2.create_subnet_cidr_reservation(
        SubnetId=inputs["subnetId"],
        Cidr=inputs["cidrBlock"],
        ReservationType=inputs["reservationType"],
        **given(Description=inputs.get("description")),
    )
    return made["SubnetCidrReservation"]["SubnetCidrReservationId"]


def _read_reservation(account: Account, id_: str, inputs: Properties) -> Properties | None:
    if "subnetId" not in inputs:
        raise ProviderError(f"a reservation ({id_}) cannot be read by its id alone; declare it")
    with absent("InvalidSubnetID.NotFound"):
        found = account.ec2.get_subnet_cidr_reservations(SubnetId=inputs["subnetId"])
        for reservation in found["SubnetIpv4CidrReservations"]:
            if reservation["SubnetCidrReservationId"] == id_:
                return {
                    "cidrBlock": reservation["Cidr"],
                    "description": reservation.get("Description", ""),
                    "ownerId": reservation["OwnerId"],
                    "reservationType": reservation["ReservationType"],
                    "subnetId": reservation["SubnetId"],
                }
    return None


def _delete_reservation(work: Work, id_: str) -> None:
    with absent("InvalidSubnetCidrReservationID.NotFound", "InvalidSubnetCidrReservationId.NotFound"):
        work.account.ec2.delete_subnet_cidr_reservation(SubnetCidrReservationId=id_)


TYPES = (
    ResourceType(
        token="aws:ec2/vpc:Vpc",  # noqa: S106 - a type's name
        schema=schema.VPC,
        create=_create_vpc,
        ready=_ready_vpc,
        read=_read_vpc,
        update=_update_vpc,
        updates=frozenset({"enableDnsHostnames", "enableDnsSupport", "instanceTenancy"}),
        delete=_delete_vpc,
        retag=Account.retag_ec2,
    ),
    ResourceType(
        token="aws:ec2/subnet:Subnet",  # noqa: S106
        schema=schema.SUBNET,
        create=_create_subnet,
        ready=_ready_subnet,
        read=_read_subnet,
        updates=frozenset({"mapPublicIpOnLaunch"}),
        delete=_delete_subnet,
        retag=Account.retag_ec2,
    ),
    ResourceType(
        token="aws:ec2/internetGateway:InternetGateway",  # noqa: S106
        schema=schema.INTERNET_GATEWAY,
        create=_create_gateway,
        ready=_ready_gateway,
        read=_read_gateway,
        update=_detach,
        updates=frozenset({"vpcId"}),
        delete=_delete_gateway,
        retag=Account.retag_ec2,
    ),
    ResourceType(
        token="aws:ec2/subnetCidrReservation:SubnetCidrReservation",  # noqa: S106
        schema=schema.SUBNET_CIDR_RESERVATION,
        create=_create_reservation,
        read=_read_reservation,
        delete=_delete_reservation,
    ),
)
