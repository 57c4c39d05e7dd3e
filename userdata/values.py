"""The plain values user data is rendered from. Settings are turned into these; nothing here knows Pulumi or the lab."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """How Keepalived asks a web server whether it is well (keepalived.conf(5), HTTP_GET and TCP_CHECK)."""

    kind: Literal["http", "tcp"] = "http"
    path: str = "/healthz"
    status: int = 200
    interval_seconds: float = 1.0
    timeout_seconds: float = 1.0
    retries: int = 2
    retry_delay_seconds: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Service:
    """One virtual server: a TCP port of the virtual IP, balanced over all web servers on the same port."""

    port: int = 80
    scheduler: str = "wrr"
    persistence_seconds: int = 0
    inhibit_on_failure: bool = False
    health_check: HealthCheck = HealthCheck()


@dataclass(frozen=True, kw_only=True)
class Director:
    """One director: its name, primary private address and VRRP priority (1 to 254, higher wins an election)."""

    name: str
    address: str
    priority: int


@dataclass(frozen=True, kw_only=True)
class WebServer:
    """One web server: its name, primary private address and IPVS weight (0 to 65535, 0 takes no new connections)."""

    name: str
    address: str
    weight: int = 100


@dataclass(frozen=True, kw_only=True)
class Vrrp:
    """What all directors must agree on (RFC 5798 for version 3, RFC 3768 for version 2).

    `password` is version 2's plain-text word, cut to 8 characters: it travels in clear text in every advert and guards
    against a misconfigured neighbour, not against an attacker; it is no secret and is refused with version 3.
    """

    version: Literal[2, 3] = 3
    router_id: int = 51
    advert_interval_seconds: float = 0.5
    preempt: bool = False
    preempt_delay_seconds: int = 0
    password: str | None = None


@dataclass(frozen=True, kw_only=True)
class Notification:
    """Where Keepalived sends mail about state changes (keepalived.conf(5), global_defs).

    Its client speaks plain SMTP: no TLS, no password (Keepalived 2.3, keepalived/core/smtp.c).
    """

    smtp_server: str
    smtp_port: int = 25
    sender: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class LoadBalancer:
    """Everything the user data of any machine of one load balancer is made of.

    `vpc_cidr` and `subnet_cidr` are networks such as "10.0.0.0/16"; `directors` has 2 or more, `web_servers` 1 or more,
    in the order all machines agree on; `region` is the AWS region the agent calls.
    """

    region: str
    vpc_cidr: str
    subnet_cidr: str
    virtual_ip: str
    directors: tuple[Director, ...]
    web_servers: tuple[WebServer, ...]
    services: tuple[Service, ...] = (Service(),)
    vrrp: Vrrp = Vrrp()
    notification: Notification | None = None
