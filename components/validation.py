"""The rules about several values, and about what AWS and VRRP allow. Each notes its faults; none stops at the first."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from components.fields import Faults, is_address, nearest
from components.rollout import is_named

if TYPE_CHECKING:
    from components.settings import Settings
    from userdata.values import Service

VIRTUAL_IPS = 1
"""How many virtual IPs a director must be able to hold beside its primary address."""

ADDRESSES_PER_INTERFACE = {
    "t1.micro": 2,
    **{f"{family}.{size}": 2 for family in ("t2", "t3", "t3a", "t4g") for size in ("nano", "micro")},
    **{f"{family}.small": 4 for family in ("t2", "t3", "t3a", "t4g")},
    **{f"{family}.medium": 6 for family in ("t2", "t3", "t3a", "t4g")},
}
"""IPv4 addresses an interface of an instance type holds (EC2 user guide, "IP addresses per network interface")."""

RULES_PER_GROUP = 60
"""Inbound rules of one security group (VPC quotas, default)."""

TAKEN_PORTS = {
    "tcp": {22: "sshd", 53: "systemd-resolved"},
    "udp": {
        67: "DHCP",
        68: "DHCP",
        123: "time queries",
        4789: "connection sync",
        **dict.fromkeys((5151, 5152, 5153), "announcements of the owner"),
    },
}
"""Ports of the machines' own programs.

TCP: a program of Debian's images listens there already, if only on loopback, and nginx could not. UDP: the machines'
own traffic; 53 is free on every address but loopback.
"""

OWN_TAGS = ("Project", "Stack", "ManagedBy", "Name", "Role", "ElasticIpAllocationId")
"""The tags the program sets itself."""

TAGS_PER_RESOURCE = 50
"""Tags of one resource (EC2 user guide, "Tag restrictions")."""

SES = re.compile(r"(^|\.)email-smtp(-fips)?\.", re.IGNORECASE)
"""Names of Amazon SES's SMTP endpoints, public or in a VPC (AWS general reference, "Amazon SES endpoints")."""

_UNUSABLE = tuple(IPv4Network(text) for text in ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3"))


def check(settings: Settings, faults: Faults) -> None:
    """Note every broken rule; values that are faulty already take part in none."""
    _check_networks(settings, faults)
    _check_addresses(settings, faults)
    _check_machines(settings, faults)
    _check_rollout(settings, faults)
    _check_image(settings, faults)
    _check_architectures(settings, faults)
    _check_production(settings, faults)
    _check_account(settings, faults)
    _check_services(settings, faults)
    _check_health_checks(settings, faults)
    _check_clients(settings, faults)
    _check_vrrp(settings, faults)
    _check_notification(settings, faults)
    _check_tags(settings, faults)


def _check_networks(settings: Settings, faults: Faults) -> None:
    for key, text in (("vpcCidr", settings.vpc_cidr), ("subnetCidr", settings.subnet_cidr)):
        if not faults.sound(key):
            continue
        network = IPv4Network(text)
        if not 16 <= network.prefixlen <= 28:
            faults.add(key, text, "must have a prefix of /16 to /28 (Amazon VPC user guide)")
        elif any(network.overlaps(unusable) for unusable in _UNUSABLE):
            faults.add(key, text, "must not overlap loopback, link-local or multicast addresses")
    if faults.sound("vpcCidr", "subnetCidr") and not IPv4Network(settings.subnet_cidr).subnet_of(
        IPv4Network(settings.vpc_cidr)
    ):
        faults.add("subnetCidr", settings.subnet_cidr, f"must lie inside vpcCidr, {settings.vpc_cidr}")
    zone, region = settings.availability_zone, settings.account.region
    if zone and faults.sound("availabilityZone", "aws:region") and (not zone.startswith(region) or zone == region):
        faults.add("availabilityZone", zone, f"must be a zone of aws:region, {region}, such as {region}a")


def _check_addresses(settings: Settings, faults: Faults) -> None:
    """Every address in the subnet, none reserved, none twice, the virtual IP nobody's own."""
    addresses = [
        *((f"directors[{index}].address", director.address) for index, director in enumerate(settings.directors)),
        *((f"webServers[{index}].address", server.address) for index, server in enumerate(settings.web_servers)),
        ("virtualIp", settings.virtual_ip),
    ]
    seen: dict[str, str] = {}
    for key, address in addresses:
        if not faults.sound(key) or not is_address(address):
            continue
        if address in seen:
            faults.add(key, address, f"must not be the address of {seen[address]} too")
        seen.setdefault(address, key)
        if faults.sound("subnetCidr"):
            _check_usable(key, IPv4Address(address), IPv4Network(settings.subnet_cidr), faults)


def _check_usable(key: str, address: IPv4Address, subnet: IPv4Network, faults: Faults) -> None:
    if address not in subnet:
        faults.add(key, str(address), f"must lie inside subnetCidr, {subnet}")
    elif int(address) - int(subnet.network_address) < 4 or address == subnet.broadcast_address:
        faults.add(
            key,
            str(address),
            f"is reserved by AWS: a subnet's first four and its last; take {subnet[4]} to {subnet[-2]}",
        )


def _check_machines(settings: Settings, faults: Faults) -> None:
    seen: dict[int, str] = {}
    for index, director in enumerate(settings.directors):
        key = f"directors[{index}].priority"
        if not faults.sound(key):
            continue
        if director.priority in seen:
            faults.add(key, director.priority, f"must differ from {seen[director.priority]}: a tie has no owner")
        seen.setdefault(director.priority, key)
    weights = [f"webServers[{index}].weight" for index in range(len(settings.web_servers))]
    if weights and faults.sound("webServers", *weights) and not any(server.weight for server in settings.web_servers):
        faults.add(weights[0], 0, "must be above 0 for at least one web server, else nobody answers")
    if faults.sound("directorInstanceType"):
        check_address_limit("directorInstanceType", settings.director_instance_type, VIRTUAL_IPS, faults)


def _check_rollout(settings: Settings, faults: Faults) -> None:
    made = [director.name for director in settings.directors if director.name not in settings.planned]
    if len(made) < 2 and settings.planned and faults.sound("directors"):
        allowed = "must be false for at least two directors: one alone has nobody to take over"
        first = next(index for index, director in enumerate(settings.directors) if director.name in settings.planned)
        faults.add(f"directors[{first}].planned", True, allowed)
    if not faults.sound("rollout", "directors", "webServers"):
        return
    names = [*made, *(server.name for server in settings.web_servers)]
    for index, entry in enumerate(settings.rollout):
        if faults.sound(f"rollout[{index}]") and not any(is_named(name, [entry]) for name in names):
            faults.add(f"rollout[{index}]", entry, f"names no machine of this stack{nearest(entry, names)}")
    named = [name for name in made if is_named(name, settings.rollout)]
    if len(named) > 1:
        allowed = f"must name one director at most, not {', '.join(named)}: the others serve meanwhile"
        faults.add("rollout", list(settings.rollout), allowed)


def check_address_limit(key: str, instance_type: str, virtual_ips: int, faults: Faults) -> None:
    """Note a fault if an interface of `instance_type` cannot hold `virtual_ips` beside its primary address.

    A type that is not in the table passes: nearly all hold more, and EC2 has the last word
    (PrivateIpAddressLimitExceeded).
    """
    limit = ADDRESSES_PER_INTERFACE.get(instance_type)
    if limit is not None and limit < 1 + virtual_ips:
        faults.add(
            key,
            instance_type,
            f"holds {limit} addresses an interface, {1 + virtual_ips} are needed; take a larger type",
        )


def _check_image(settings: Settings, faults: Faults) -> None:
    if not faults.sound("imageId", "imageName"):
        return
    if settings.image_id and settings.image_name:
        faults.add("imageName", settings.image_name, f"must be empty when imageId is set ({settings.image_id})")
    if not settings.image_id and not settings.image_name:
        faults.add(
            "imageId",
            "",
            "must name the image to boot, for example the one `aws ec2 describe-images --owners 136693071363 --filters "
            "'Name=name,Values=debian-13-amd64-*' --query 'sort_by(Images,&CreationDate)[-1].ImageId'` prints; "
            "or set imageName to a pattern such as debian-13-amd64-* to take the newest on every deployment",
        )


def architecture(instance_type: str) -> str:
    """The architecture of an instance type, in the word Debian's image names have: "arm64" or "amd64".

    Graviton types have a g after their generation, but for the first, a1 (EC2 instance types guide, "naming").
    """
    return "arm64" if re.match(r"a1\.|[a-z]+[0-9]+g", instance_type) else "amd64"


def _check_architectures(settings: Settings, faults: Faults) -> None:
    directors, web_servers = settings.director_instance_type, settings.web_server_instance_type
    named = re.search(r"-(amd64|arm64)(-|$)", settings.image_name)
    image = named[1] if named and faults.sound("imageName") else None
    for key, instance_type in (("directorInstanceType", directors), ("webServerInstanceType", web_servers)):
        if image and faults.sound(key) and architecture(instance_type) != image:
            faults.add(
                key, instance_type, f"must be {image}, which imageName asks for; it is {architecture(instance_type)}"
            )
    keys = ("directorInstanceType", "webServerInstanceType")
    if faults.sound(*keys) and architecture(web_servers) != architecture(directors):
        faults.add(
            keys[1],
            web_servers,
            f"must be {architecture(directors)} as directorInstanceType, {directors}, is: all machines boot one image",
        )


def _check_production(settings: Settings, faults: Faults) -> None:
    if not settings.production or not faults.sound("production"):
        return
    if not settings.protect and faults.sound("protect"):
        faults.add("protect", False, "must be true where production is true: a released Elastic IP cannot be had again")
    if settings.image_name and faults.sound("imageName", "imageId"):
        faults.add(
            "imageName",
            settings.image_name,
            "must be empty where production is true: the next newer image would replace every machine; pin imageId",
        )


def _check_account(settings: Settings, faults: Faults) -> None:
    account = settings.account
    if account.allowed_account_ids and account.forbidden_account_ids:
        faults.add(
            "aws:forbiddenAccountIds",
            list(account.forbidden_account_ids),
            "must be empty where aws:allowedAccountIds is set (the AWS provider takes one of the two)",
        )


def _check_services(settings: Settings, faults: Faults) -> None:
    seen: dict[tuple[str, int], str] = {}
    for index, service in enumerate(settings.services):
        key, taken_ports = f"services[{index}].port", TAKEN_PORTS.get(service.protocol, {})
        if not faults.sound(key, f"services[{index}].protocol"):
            continue
        where = (service.protocol, service.port)
        if where in seen:
            faults.add(key, service.port, f"must differ from {seen[where]}, which is {service.protocol} too")
        elif service.port in taken_ports:
            taken = ", ".join(f"{port} ({holder})" for port, holder in taken_ports.items())
            faults.add(key, service.port, f"must not be one of the machines' own: for {service.protocol} {taken}")
        seen.setdefault(where, key)
        if service.protocol == "udp" and service.persistence_seconds:
            allowed = "must be 0 for UDP: clients without a connection would stay with one web server for ever"
            faults.add(f"services[{index}].persistenceSeconds", service.persistence_seconds, allowed)
        scheduler, weights = f"services[{index}].scheduler", [server.weight for server in settings.web_servers]
        # Where the weights are at fault, they are 0 for want of a value.
        drained = 0 in weights and faults.sound(*(f"webServers[{place}].weight" for place in range(len(weights))))
        if service.scheduler == "dh" and (service.inhibit_on_failure or drained) and faults.sound(scheduler):
            faults.add(
                scheduler,
                "dh",
                "must be another one where a web server may have weight 0 (inhibitOnFailure, or its own weight): dh "
                "sends all clients of the virtual IP to one web server, and none to another when that takes none",
            )


def _check_health_checks(settings: Settings, faults: Faults) -> None:
    services = {(service.protocol, service.port): service for service in settings.services}
    asked: dict[tuple[int, str], tuple[str, int]] = {}
    for index, service in enumerate(settings.services):
        check, key = service.health_check, f"services[{index}].healthCheck"
        if not faults.sound(f"services[{index}].port", f"services[{index}].protocol", f"{key}.kind", f"{key}.port"):
            continue
        answering = services.get(service.checked)
        if answering is None:
            # Nothing else is let in to a web server.
            protocol, port = service.checked
            allowed = f"must be the port of a {protocol} service here, which {port} is not; or set another kind"
            faults.add(f"{key}.port", check.port, allowed)
        elif check.kind == "http" and not answering.has_page:
            allowed = "must be tcp or udp where port 443 is asked: a TLS server answers no plain request"
            faults.add(f"{key}.kind", check.kind, allowed)
        elif check.kind == "http" and faults.sound(f"{key}.path", f"{key}.status"):
            _check_page(service, f"{key}.status", asked, faults)


def _check_page(service: Service, key: str, asked: dict[tuple[int, str], tuple[str, int]], faults: Faults) -> None:
    """The web servers' page is at / and answers 200; any other path is made for the checks and answers their status."""
    check = service.health_check
    path = check.path.partition("?")[0]
    if path == "/" and check.status != 200:
        faults.add(key, check.status, "must be 200 where path is /, the web servers' page, or path another one")
    first, status = asked.setdefault((service.checked[1], path), (key, check.status))
    if status != check.status and path != "/":
        faults.add(key, check.status, f"must be {status} as {first} is, which is about the same page")


def _check_clients(settings: Settings, faults: Faults) -> None:
    for index, text in enumerate(settings.client_cidrs):
        key = f"clientCidrs[{index}]"
        if not faults.sound("clientCidrs", key):
            continue
        for earlier, other in enumerate(settings.client_cidrs[:index]):
            if faults.sound(f"clientCidrs[{earlier}]") and IPv4Network(text).overlaps(IPv4Network(other)):
                faults.add(key, text, f"must not overlap clientCidrs[{earlier}], {other}: the wider one decides alone")
                break
    if not settings.client_cidrs and faults.sound("clientCidrs"):
        faults.add("clientCidrs", [], "must list at least one network; 0.0.0.0/0 is everybody")
    # Beside the clients' there are five more rules on a director, seven with UDP; on a web server two and one a check.
    on_director = 7 if any(service.protocol == "udp" for service in settings.services) else 5
    checks = {service.checked for service in settings.services}
    rules = len(settings.services) * len(settings.client_cidrs) + max(on_director, len(checks) + 2)
    if rules > RULES_PER_GROUP and faults.sound("clientCidrs", "services"):
        faults.add(
            "clientCidrs",
            list(settings.client_cidrs),
            f"with {len(settings.services)} services needs {rules} inbound rules and a security group has "
            f"{RULES_PER_GROUP}; join networks or drop services",
        )


def _check_vrrp(settings: Settings, faults: Faults) -> None:
    vrrp = settings.vrrp
    interval = vrrp.advert_interval_seconds
    if faults.sound("vrrp.version", "vrrp.advertIntervalSeconds"):
        if vrrp.version == 2 and (interval < 1 or not interval.is_integer()):
            faults.add("vrrp.advertIntervalSeconds", interval, "must be whole seconds with version 2 (RFC 3768)")
        if vrrp.version == 3 and (interval > 40.95 or abs(interval * 100 - round(interval * 100)) > 1e-6):
            faults.add(
                "vrrp.advertIntervalSeconds",
                interval,
                "must be 0.01 to 40.95 seconds in steps of 0.01 with version 3 (RFC 5798)",
            )
    if vrrp.password and vrrp.version == 3 and faults.sound("vrrp.version", "vrrp.password"):
        faults.add("vrrp.password", vrrp.password, "must be empty: version 3 has no authentication (RFC 5798)")
    if vrrp.preempt_delay_seconds and not vrrp.preempt and faults.sound("vrrp.preempt", "vrrp.preemptDelaySeconds"):
        faults.add("vrrp.preemptDelaySeconds", vrrp.preempt_delay_seconds, "must be 0 unless vrrp.preempt is true")


def _check_notification(settings: Settings, faults: Faults) -> None:
    mail = settings.notification
    if mail is not None and SES.search(mail.smtp_server) and faults.sound("notification.smtpServer"):
        faults.add(
            "notification.smtpServer",
            mail.smtp_server,
            "must be a relay that asks for neither TLS nor a password: Keepalived has none of the two, Amazon SES asks "
            "for both",
        )


def _check_tags(settings: Settings, faults: Faults) -> None:
    if len(settings.tags) > TAGS_PER_RESOURCE - len(OWN_TAGS):
        faults.add(
            "tags",
            sorted(settings.tags),
            f"must have at most {TAGS_PER_RESOURCE - len(OWN_TAGS)} entries, not {len(settings.tags)}",
        )
    for name, value in settings.tags.items():
        key = f"tags.{name}"
        if name in OWN_TAGS:
            faults.add(key, value, f"is set by the program, as are {', '.join(OWN_TAGS)}")
        elif name.lower().startswith("aws:"):
            faults.add(key, value, "must not begin with aws:, which is AWS's own")
        # Stricter than tags in general: where instance metadata shows tags, EC2 refuses spaces and slashes in keys.
        elif not re.fullmatch(r"[A-Za-z0-9+=.,_:@-]{1,128}", name) or name in (".", "..", "_index"):
            faults.add(
                key, value, "must have a key of 1 to 128 letters, digits and +-=.,_:@ (EC2 user guide, instance tags)"
            )
        elif not re.fullmatch(r"[A-Za-z0-9 +=._:/@-]{0,256}", value):
            faults.add(key, value, "must have a value of at most 256 letters, digits, spaces and +-=._:/@")
