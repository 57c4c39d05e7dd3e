"""Who may send what to whom. NAT keeps clients' addresses, so web servers see clients, not directors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pulumi_aws import ec2, vpc
from pulumi_policy import PolicyResource, Severity

from policy.reading import Props, Resource, declares
from policy.rule import Finding, Parameters, ResourceRule, StackRule
from policy.stack_view import Stack

NETWORKS = ("cidrIpv4", "cidrIpv6", "prefixListId")
NAMES = {"6": "tcp", "17": "udp", "1": "icmp", "vrrp": "112"}
"""Other spellings of protocols (EC2 API reference, IpPermission; IANA's protocol numbers)."""
DIRECTORS_ONLY = (("112", None), ("udp", 4789))
FRAGMENTATION_NEEDED = (3, 4)
SSH = ("tcp", 22)


@dataclass(frozen=True, kw_only=True)
class Inbound:
    """What an inbound rule lets in: a protocol ("-1" is all), ports (for ICMP type and code), from which networks."""

    protocol: str
    ports: tuple[int, int] | None
    networks: tuple[str, ...]

    def covers(self, protocol: str, port: int | None) -> bool:
        """Whether a packet of this protocol and port gets in."""
        if self.protocol == "-1":
            return True
        within = self.ports is None or port is None or self.ports[0] <= port <= self.ports[1]
        return self.protocol == protocol and within


def inbound(props: Props) -> Inbound:
    """The rule in a SecurityGroupIngressRule. References to groups are not read: they are ids, unknown at preview."""
    protocol = str(props["ipProtocol"]).lower()
    ports = [int(props[key]) if declares(props, key) else -1 for key in ("fromPort", "toPort")]
    return Inbound(
        protocol=NAMES.get(protocol, protocol),
        ports=None if -1 in ports else (ports[0], ports[1]),
        networks=tuple(str(props[key]) for key in NETWORKS if declares(props, key)),
    )


def _inbound_rules(stack: Stack) -> Iterator[tuple[PolicyResource, Inbound, set[str]]]:
    """Every inbound rule with the URNs of the groups it belongs to."""
    for one in stack.of(vpc.SecurityGroupIngressRule):
        groups = {group.urn for group in stack.behind(one, "securityGroupId", ec2.SecurityGroup)}
        yield one, inbound(one.props), groups


def _director_protocols(stack: Stack, _: Parameters) -> Iterator[Finding]:
    directors = {stack.group_of(stack.directors)}
    for resource, rule, groups in _inbound_rules(stack):
        if not any(rule.covers(*one) for one in DIRECTORS_ONLY):
            continue
        sources = {one.urn for one in stack.behind(resource, "referencedSecurityGroupId", ec2.SecurityGroup)}
        if rule.networks or groups != directors or sources != directors:
            yield Finding(
                message="VRRP (protocol 112) or VXLAN (UDP 4789) gets in from or to others than directors: "
                "whoever sends an advert with priority 255 takes the service",
                urn=resource.urn,
            )


DIRECTOR_PROTOCOLS = StackRule(
    id="director-protocols",
    description="Protocol 112 and UDP 4789 pass between directors only.",
    severity=Severity.CRITICAL,
    remediation="Let them in to the directors' group by reference to that same group.",
    check=_director_protocols,
)


def _networks_to_services(stack: Stack, _: Parameters) -> Iterator[Finding]:
    services = stack.services
    for resource, rule, _groups in _inbound_rules(stack):
        others = (SSH, *DIRECTORS_ONLY)  # these have rules of their own
        if not rule.networks or any(rule.covers(*one) for one in others):
            continue
        low, high = rule.ports or (None, None)
        service = low is not None and low == high and (rule.protocol, low) in services
        if not service and (rule.protocol, rule.ports) != ("icmp", FRAGMENTATION_NEEDED):
            what = f"{rule.protocol} {rule.ports if rule.ports else '(all)'}"
            yield Finding(message=f"{what} from {', '.join(rule.networks)} is no service's port", urn=resource.urn)


NETWORKS_TO_SERVICES = StackRule(
    id="networks-to-services",
    description="From networks, the world above all, only the services' ports get in, and ICMP's word on path MTU.",
    severity=Severity.HIGH,
    remediation="Close the port, or make it a service in the stack's config.",
    check=_networks_to_services,
)


def _no_ssh(resource: Resource, told: Parameters) -> Iterator[str]:
    rule = inbound(resource.props)
    if rule.covers(*SSH) and (open_to := [one for one in rule.networks if one not in told["from"]]):
        yield f"SSH is open to {', '.join(open_to)}"


NO_SSH = ResourceRule(
    id="no-ssh",
    description="No SSH from the world, nor from any network the pack's config does not name.",
    severity=Severity.HIGH,
    remediation="Close port 22; where it is needed, name the bastion's network in the pack's config.",
    parameters={
        "from": {
            "type": "array",
            "items": {"type": "string", "not": {"enum": ["0.0.0.0/0", "::/0"]}},
            "description": "Networks SSH may come from, as the rule spells them; never the world.",
            "default": [],
        }
    },
    watches=(vpc.SecurityGroupIngressRule,),
    check=_no_ssh,
)


def _web_from_clients(stack: Stack, _: Parameters) -> Iterator[Finding]:
    group = {name: stack.group_of(found) for name, found in _roles(stack).items()}
    for protocol, port in sorted(stack.services):
        admitted: dict[str, set[str]] = {name: set() for name in group}
        for _resource, rule, groups in _inbound_rules(stack):
            for name, urn in group.items():
                if urn in groups and rule.covers(protocol, port):
                    admitted[name] |= set(rule.networks)
        if admitted["web servers"] != admitted["directors"]:
            yield Finding(
                message=f"{protocol} port {port}: directors admit {sorted(admitted['directors'])}, web servers "
                f"{sorted(admitted['web servers'])}; NAT keeps clients' addresses, so both must admit the same",
                urn=group["web servers"],
            )


def _roles(stack: Stack) -> Mapping[str, list[PolicyResource]]:
    return {"directors": stack.directors, "web servers": stack.web_servers}


WEB_FROM_CLIENTS = StackRule(
    id="web-server-admits-clients",
    description="Web servers admit the networks directors do: by reference to the directors' group no client gets in.",
    severity=Severity.CRITICAL,
    remediation="Let each client network in to both groups by cidr_ipv4, as components/firewall.py does.",
    check=_web_from_clients,
)


def _no_inline_rules(resource: Resource, _: Parameters) -> Iterator[str]:
    for key in ("ingress", "egress"):
        if declares(resource.props, key):
            yield f"{key} is given inline: it and rules of their own undo each other, and no rule here sees it"


NO_INLINE_RULES = ResourceRule(
    id="no-inline-rules",
    description="A security group's rules are resources of their own.",
    severity=Severity.HIGH,
    remediation="Use aws.vpc.SecurityGroupIngressRule and aws.vpc.SecurityGroupEgressRule.",
    watches=(ec2.SecurityGroup,),
    check=_no_inline_rules,
)

RULES = (DIRECTOR_PROTOCOLS, NETWORKS_TO_SERVICES, NO_SSH, WEB_FROM_CLIENTS, NO_INLINE_RULES)
