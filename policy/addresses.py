"""Addresses that move belong to the machines: what is declared about them is drift after the first failover."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address, ip_network

from pulumi_aws import ec2
from pulumi_policy import Severity

from policy.reading import Resource, declares, setting
from policy.rule import Finding, Parameters, ResourceRule, StackRule
from policy.stack_view import Stack


def _elastic_ip_holder(resource: Resource, _: Parameters) -> Iterator[str]:
    for key in ("instance", "networkInterface", "associateWithPrivateIp"):
        if declares(resource.props, key):
            yield f"{key} is declared: after a failover the next `up` would take the address from its owner"


ELASTIC_IP_HOLDER = ResourceRule(
    id="elastic-ip-holder",
    description="No Elastic IP declares who holds it.",
    severity=Severity.CRITICAL,
    remediation="Leave instance, network_interface and associate_with_private_ip of aws.ec2.Eip out.",
    watches=(ec2.Eip,),
    check=_elastic_ip_holder,
)


def _secondary_address(resource: Resource, _: Parameters) -> Iterator[str]:
    for key in ("secondaryPrivateIps", "networkInterfaces"):
        if declares(resource.props, key):
            yield f"{key} is declared: the virtual IP, which comes and goes, would be drift"


SECONDARY_ADDRESS = ResourceRule(
    id="secondary-address",
    description="No machine declares secondary addresses, the virtual IP above all.",
    severity=Severity.CRITICAL,
    remediation="Leave secondary_private_ips out: the owner assigns the virtual IP to itself.",
    watches=(ec2.Instance,),
    check=_secondary_address,
)


def _automatic_address(resource: Resource, _: Parameters) -> Iterator[str]:
    if resource.role == "director" and declares(resource.props, "associatePublicIpAddress"):
        yield "associatePublicIpAddress is declared: after a failover it differs, and the instance is replaced"


AUTOMATIC_ADDRESS = ResourceRule(
    id="director-automatic-address",
    description="Directors declare no automatic public address, neither on nor off.",
    severity=Severity.CRITICAL,
    remediation="Leave associate_public_ip_address out; a director's own Elastic IP is its way to the EC2 API.",
    watches=(ec2.Instance,),
    check=_automatic_address,
)


def _public_web_server(resource: Resource, _: Parameters) -> Iterator[str]:
    given = resource.role == "web-server" and declares(resource.props, "associatePublicIpAddress")
    if given and resource.props["associatePublicIpAddress"] is not False:
        yield "a web server gets a public address: clients could pass the directors by"


PUBLIC_WEB_SERVER = ResourceRule(
    id="web-server-public-address",
    description="Web servers have no public address.",
    severity=Severity.HIGH,
    remediation="Leave associate_public_ip_address out, and give the web server no Elastic IP.",
    watches=(ec2.Instance,),
    check=_public_web_server,
)


def _public_subnet(resource: Resource, _: Parameters) -> Iterator[str]:
    if declares(resource.props, "mapPublicIpOnLaunch") and resource.props["mapPublicIpOnLaunch"] is not False:
        yield "every machine that starts in it gets a public address"


PUBLIC_SUBNET = ResourceRule(
    id="subnet-public-address",
    description="The subnet gives no public address to what starts in it.",
    severity=Severity.HIGH,
    remediation="map_public_ip_on_launch=False.",
    watches=(ec2.Subnet,),
    check=_public_subnet,
)


def _association(stack: Stack, _: Parameters) -> Iterator[Finding]:
    service = stack.service_address
    directors = {one.urn for one in stack.directors}
    for one in stack.of(ec2.EipAssociation):
        addresses = stack.behind(one, "allocationId", ec2.Eip)
        holders = [director.urn for director in stack.behind(one, "networkInterfaceId", ec2.Instance)]
        if [address.urn for address in addresses] == [service.urn]:
            message = "the service's Elastic IP is associated here: the next `up` after a failover would take it back"
        elif len(addresses) != 1:
            message = "it associates an Elastic IP that is not of this stack"
        elif len(holders) != 1 or holders[0] not in directors:
            message = "it gives a public address to a machine that is no director"
        elif not declares(one.props, "privateIpAddress"):
            message = "without privateIpAddress it may land on the virtual IP"
        elif one.props["privateIpAddress"] != stack.elections[holders[0]].address:
            message = f"{one.props['privateIpAddress']} is not the director's own address"
        else:
            continue
        yield Finding(message=message, urn=one.urn)


ASSOCIATION = StackRule(
    id="elastic-ip-association",
    description="Declared associations are of directors' own Elastic IPs and addresses, never of the service's.",
    severity=Severity.CRITICAL,
    remediation="Take the aws.ec2.EipAssociation of the service's Elastic IP out: the agent makes the association.",
    check=_association,
)


def _protected(stack: Stack, told: Parameters) -> Iterator[Finding]:
    service = stack.service_address
    if service.opts.protect:
        return
    production = setting(service.urn, "production")
    if told["always"] or production == "true":
        message = "a released Elastic IP cannot be had again, and this stack is production"
    elif production is None:
        message = "nobody tells the pack this stack's config, so it counts as production"
    else:
        return
    yield Finding(message=message, urn=service.urn)


PROTECTED = StackRule(
    id="elastic-ip-protected",
    description="The service's Elastic IP is protected where the config says `production` or is not handed over.",
    severity=Severity.HIGH,
    remediation="pulumi config set protect true",
    parameters={
        "always": {
            "type": "boolean",
            "description": "Whether every stack is one of production, whatever its config says.",
            "default": False,
        }
    },
    check=_protected,
)


def _in_subnet(stack: Stack, _: Parameters) -> Iterator[Finding]:
    for director in stack.directors:
        for subnet in stack.behind(director, "subnetId", ec2.Subnet):
            network = ip_network(str(subnet.props["cidrBlock"]))
            for address in stack.virtual_ips:
                if ip_address(address) not in network:
                    yield Finding(message=f"the virtual IP {address} is not in {network}", urn=subnet.urn)


IN_SUBNET = StackRule(
    id="virtual-ip-in-subnet",
    description="The virtual IP lies in the directors' subnet, where this stack makes it.",
    severity=Severity.HIGH,
    remediation="Set virtualIp and subnetCidr to suit each other: EC2 refuses to assign any other address.",
    check=_in_subnet,
)


def _reserved(stack: Stack, _: Parameters) -> Iterator[Finding]:
    reserved = {
        str(one.props["cidrBlock"])
        for one in stack.of(ec2.SubnetCidrReservation)
        if one.props["reservationType"] == "explicit"
    }
    for address in stack.virtual_ips:
        if f"{address}/32" not in reserved:
            yield Finding(message=f"the virtual IP {address} is not reserved (reserved: {sorted(reserved)})")


RESERVED = StackRule(
    id="virtual-ip-reserved",
    description="A subnet CIDR reservation keeps the virtual IP out of automatic assignment.",
    severity=Severity.HIGH,
    remediation="Make an aws.ec2.SubnetCidrReservation of type explicit for the virtual IP, /32.",
    check=_reserved,
)


def _unused(stack: Stack, _: Parameters) -> Iterator[Finding]:
    for machine in stack.of(ec2.Instance):
        # Its own, primary address; secondary ones in the outputs are the owner's virtual IP, rightly.
        if not declares(machine.props, "privateIp"):
            yield Finding(
                message="its address is left to AWS; the machines know each other by addresses", urn=machine.urn
            )
        elif machine.props["privateIp"] in stack.virtual_ips:
            yield Finding(message=f"{machine.props['privateIp']} is the virtual IP", urn=machine.urn)


UNUSED = StackRule(
    id="virtual-ip-unused",
    description="The virtual IP is no machine's own address.",
    severity=Severity.CRITICAL,
    remediation="Give the machine another address.",
    check=_unused,
)

RULES = (
    ELASTIC_IP_HOLDER,
    ASSOCIATION,
    PROTECTED,
    SECONDARY_ADDRESS,
    AUTOMATIC_ADDRESS,
    PUBLIC_WEB_SERVER,
    PUBLIC_SUBNET,
    IN_SUBNET,
    RESERVED,
    UNUSED,
)
