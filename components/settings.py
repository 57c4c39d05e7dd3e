"""What an operator may set, typed and frozen: `settings_from` makes it of raw config or names every fault."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal, cast

from components import validation
from components.fields import REQUIRED, Fault, Faults, Fields, is_network
from userdata.values import Director, HealthCheck, LoadBalancer, Notification, Service, Vrrp, WebServer

SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh")
"""The schedulers of ip_vs (ipvsadm(8)) that Debian's kernels have."""

ACCOUNT_KEYS = {"aws:region": REQUIRED, "aws:profile": "", "aws:allowedAccountIds": [], "aws:forbiddenAccountIds": []}
"""The keys of the `aws` namespace that reach the program's own provider; others would go unheard: refused."""


def _camel(values: Mapping[str, object]) -> dict[str, object]:
    """The fields of a dataclass under the names they have in the config."""
    return {re.sub(r"_(\w)", lambda match: match[1].upper(), name): value for name, value in values.items()}


HEALTH_CHECK_KEYS = _camel(asdict(HealthCheck())) | {"payload": ""}
SERVICE_KEYS = _camel(asdict(Service())) | {"healthCheck": HEALTH_CHECK_KEYS}
VRRP_KEYS = _camel(asdict(Vrrp())) | {"password": ""}
DIRECTOR_KEYS = {"address": REQUIRED, "priority": REQUIRED, "planned": False}
WEB_SERVER_KEYS = {"address": REQUIRED, "weight": 100}
NOTIFICATION_KEYS = {"smtpServer": REQUIRED, "smtpPort": Notification.smtp_port, "from": REQUIRED, "to": REQUIRED}

DEFAULTS: Mapping[str, object] = {
    "vpcCidr": "10.0.0.0/16",
    "subnetCidr": "10.0.0.0/24",
    "availabilityZone": "",
    "virtualIp": "10.0.0.100",
    "directors": [{"address": "10.0.0.36", "priority": 254}, {"address": "10.0.0.56", "priority": 253}],
    "directorInstanceType": "t3.micro",
    "webServers": [{"address": "10.0.0.80", "weight": 100}, {"address": "10.0.0.194", "weight": 100}],
    "webServerInstanceType": "t3.micro",
    "imageId": "",
    "imageName": "",
    "forwardingMode": "NAT",
    "services": [SERVICE_KEYS],
    "vrrp": VRRP_KEYS,
    "notification": {},
    "clientCidrs": ["0.0.0.0/0"],
    "rollout": ["web-*"],
    "protect": False,
    "production": False,
    "tags": {},
}
"""The project's keys and their defaults, the same as in Pulumi.yaml (a test compares them)."""


class SettingsError(ValueError):
    """The config is wrong: all of `faults`."""

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__("\n".join(str(fault) for fault in faults))


@dataclass(frozen=True, kw_only=True)
class Account:
    """Where and as whom to deploy: the settings of the AWS provider. Empty means not restricted, not given."""

    region: str
    profile: str = ""
    allowed_account_ids: tuple[str, ...] = ()
    forbidden_account_ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A config that passed every rule. Keys, meanings and defaults are described in Pulumi.yaml.

    Exactly one of `image_id` and `image_name` is not empty. An empty `availability_zone` leaves the choice to AWS.
    `planned` names the directors that the others count with already and that are not made yet.
    """

    account: Account
    vpc_cidr: str
    subnet_cidr: str
    availability_zone: str
    virtual_ip: str
    directors: tuple[Director, ...]
    planned: frozenset[str]
    director_instance_type: str
    web_servers: tuple[WebServer, ...]
    web_server_instance_type: str
    image_id: str
    image_name: str
    services: tuple[Service, ...]
    vrrp: Vrrp
    notification: Notification | None
    client_cidrs: tuple[str, ...]
    rollout: tuple[str, ...]
    protect: bool
    production: bool
    tags: Mapping[str, str]

    @property
    def load_balancer(self) -> LoadBalancer:
        """What user data is rendered from."""
        return LoadBalancer(
            region=self.account.region,
            vpc_cidr=self.vpc_cidr,
            subnet_cidr=self.subnet_cidr,
            virtual_ip=self.virtual_ip,
            directors=self.directors,
            web_servers=self.web_servers,
            services=self.services,
            vrrp=self.vrrp,
            notification=self.notification,
        )


def settings_from(raw: Mapping[str, object]) -> Settings:
    """The settings of a config: the project's keys without a namespace, foreign ones with it ("aws:region").

    Values are what Pulumi hands over (text, with JSON for lists and objects) or plain values.

    Raises SettingsError with every fault of the config, not only the first.
    """
    faults = Faults()
    fields = Fields(raw, {**DEFAULTS, **ACCOUNT_KEYS}, faults)
    settings = _read(fields, faults)
    _refuse_other_forwarding(fields)
    validation.check(settings, faults)
    if faults.found:
        raise SettingsError(tuple(faults.found))
    return settings


def _read(fields: Fields, faults: Faults) -> Settings:
    directors, planned = _directors(fields)
    return Settings(
        account=_account(fields),
        vpc_cidr=fields.network("vpcCidr"),
        subnet_cidr=fields.network("subnetCidr"),
        availability_zone=fields.text(
            "availabilityZone",
            "must be a zone such as us-east-1a, or empty for AWS's choice",
            lambda text: re.fullmatch(r"[a-z0-9-]*", text) is not None,
        ),
        virtual_ip=fields.address("virtualIp"),
        directors=directors,
        planned=planned,
        director_instance_type=_instance_type(fields, "directorInstanceType"),
        web_servers=_web_servers(fields),
        web_server_instance_type=_instance_type(fields, "webServerInstanceType"),
        image_id=fields.text(
            "imageId",
            "must be an image's id, ami- and 8 or 17 hexadecimal digits",
            lambda text: not text or re.fullmatch(r"ami-([0-9a-f]{8}|[0-9a-f]{17})", text) is not None,
        ),
        image_name=fields.text(
            "imageName",
            "must be a name or pattern of Debian's images, such as debian-13-amd64-*",
            lambda text: not text or re.fullmatch(r"debian-[A-Za-z0-9._*?-]{1,120}", text) is not None,
        ),
        services=tuple(_service(service) for service in fields.records("services", SERVICE_KEYS, 1, 50)),
        vrrp=_vrrp(fields.record("vrrp", VRRP_KEYS)),
        notification=_notification(fields, faults),
        client_cidrs=fields.texts(
            "clientCidrs", "must be an IPv4 network such as 198.51.100.0/24 (the load balancer has no IPv6)", is_network
        ),
        rollout=fields.texts(
            "rollout", "must be the name of a machine such as director-1, or a pattern such as web-*", _is_machine
        ),
        protect=fields.flag("protect"),
        production=fields.flag("production"),
        tags=_tags(fields, faults),
    )


def _account(fields: Fields) -> Account:
    def is_account(text: str) -> bool:
        return re.fullmatch(r"[0-9]{12}", text) is not None

    allowed = "must be a 12-digit account id as text"
    return Account(
        region=fields.text(
            "aws:region",
            "must be an AWS region such as us-east-1; set it with: pulumi config set aws:region REGION",
            lambda text: re.fullmatch(r"[a-z]{2,}(-[a-z]+)+-[0-9]", text) is not None,
        ),
        profile=fields.text("aws:profile", "must be the name of a profile", lambda _: True),
        allowed_account_ids=fields.texts("aws:allowedAccountIds", allowed, is_account),
        forbidden_account_ids=fields.texts("aws:forbiddenAccountIds", allowed, is_account),
    )


def _instance_type(fields: Fields, key: str) -> str:
    return fields.text(
        key,
        "must be an EC2 instance type such as t3.micro",
        lambda text: re.fullmatch(r"[a-z][a-z0-9-]*\.[a-z0-9-]+", text) is not None,
    )


def _is_machine(text: str) -> bool:
    return re.fullmatch(r"[a-z0-9*?-]{1,40}", text) is not None


def _directors(fields: Fields) -> tuple[tuple[Director, ...], frozenset[str]]:
    """All directors, and the names of those that are planned only."""
    records = fields.records("directors", DIRECTOR_KEYS, 2, 254)
    directors = tuple(
        Director(
            name=f"director-{number}", address=record.address("address"), priority=record.integer("priority", 1, 254)
        )
        for number, record in enumerate(records, 1)
    )
    planned = [one.name for one, record in zip(directors, records, strict=True) if record.flag("planned")]
    return directors, frozenset(planned)


def _web_servers(fields: Fields) -> tuple[WebServer, ...]:
    records = fields.records("webServers", WEB_SERVER_KEYS, 1, 200)
    return tuple(
        WebServer(name=f"web-{number}", address=record.address("address"), weight=record.integer("weight", 0, 65535))
        for number, record in enumerate(records, 1)
    )


def _service(fields: Fields) -> Service:
    return Service(
        port=fields.integer("port", 1, 65535),
        protocol=cast(Literal["tcp", "udp"], fields.choice("protocol", ("tcp", "udp"))),
        scheduler=fields.choice("scheduler", SCHEDULERS),
        persistence_seconds=fields.integer("persistenceSeconds", 0, 86400),
        inhibit_on_failure=fields.flag("inhibitOnFailure"),
        health_check=_health_check(fields.record("healthCheck", HEALTH_CHECK_KEYS)),
    )


def _health_check(fields: Fields) -> HealthCheck:
    check = HealthCheck(
        kind=cast(Literal["http", "tcp", "udp"], fields.choice("kind", ("http", "tcp", "udp"))),
        port=fields.integer("port", 0, 65535),
        payload=fields.text(
            "payload",
            "must be hexadecimal digits, two a byte, at most 255 bytes, or be empty",
            lambda text: re.fullmatch(r"([0-9A-Fa-f]{2}){0,255}", text) is not None,
        )
        or None,
        path=fields.text(
            "path",
            "must begin with / and have only letters, digits and -._~/%?&=+:@, at most 200",
            lambda text: re.fullmatch(r"/[A-Za-z0-9._~/%?&=+:@-]{0,199}", text) is not None,
        ),
        status=fields.integer("status", 200, 599),
        interval_seconds=fields.number("intervalSeconds", 0.1, 3600),
        timeout_seconds=fields.number("timeoutSeconds", 0.1, 600),
        retries=fields.integer("retries", 1, 100),  # Keepalived's least
        retry_delay_seconds=fields.number("retryDelaySeconds", 0, 600),
    )
    for key, kind in (("path", "http"), ("status", "http"), ("payload", "udp")):
        if check.kind not in (kind, "") and fields.given.get(key, HEALTH_CHECK_KEYS[key]) != HEALTH_CHECK_KEYS[key]:
            fields.refuse(key, f"a check of kind {check.kind} has none; leave this out or set kind to {kind}")
    return check


def _vrrp(fields: Fields) -> Vrrp:
    return Vrrp(
        version=cast(Literal[2, 3], fields.integer("version", 2, 3)),
        router_id=fields.integer("routerId", 1, 255),
        # RFC 5798 5.2.7: 12 bits of hundredths of a second; version 2 takes 8 bits of seconds (validation.py).
        advert_interval_seconds=fields.number("advertIntervalSeconds", 0.01, 255),
        preempt=fields.flag("preempt"),
        preempt_delay_seconds=fields.integer("preemptDelaySeconds", 0, 1000),
        password=fields.text(
            "password",
            "must have 1 to 8 letters or digits (version 2 sends no more than 8), or be empty for none",
            lambda text: re.fullmatch(r"[A-Za-z0-9]{0,8}", text) is not None,
        )
        or None,
    )


def _notification(fields: Fields, faults: Faults) -> Notification | None:
    if fields.mapping("notification") == {}:
        return None
    record = fields.record("notification", NOTIFICATION_KEYS)

    def is_mail(text: str) -> bool:
        return re.fullmatch(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,190}", text) is not None

    allowed = "must be a mail address such as ops@example.com"
    notification = Notification(
        smtp_server=record.text(
            "smtpServer",
            "must be a host name or an IPv4 address",
            lambda text: re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?", text) is not None,
        ),
        smtp_port=record.integer("smtpPort", 1, 65535),
        sender=record.text("from", allowed, is_mail),
        recipients=record.texts("to", allowed, is_mail),
    )
    if not notification.recipients and faults.sound("notification.to"):
        record.refuse("to", "must list at least one mail address")
    return notification


def _tags(fields: Fields, faults: Faults) -> Mapping[str, str]:
    tags = {}
    for key, value in fields.mapping("tags").items():
        if isinstance(value, str):
            tags[key] = value
        else:
            faults.add(f"tags.{key}", value, "must be text (put it in quotes)")
    return tags


def _refuse_other_forwarding(fields: Fields) -> None:
    mode = fields.text("forwardingMode", "must be NAT", lambda _: True)
    if mode in ("DR", "TUN"):
        fields.refuse(
            "forwardingMode",
            f"must be NAT: with {mode} a web server answers with the virtual IP as source, and the internet gateway "
            "drops a source that is not an address of the sending interface",
        )
    elif mode != "NAT":
        fields.refuse("forwardingMode", "must be NAT")
