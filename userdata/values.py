"""The plain values user data is rendered from. Settings are turned into these; nothing here knows Pulumi or the lab."""

from dataclasses import dataclass
from typing import Literal

TLS_PORT = 443  # passed through untouched; who answers it on the web servers is their user's own


@dataclass(frozen=True, kw_only=True)
class HealthCheck:
    """How Keepalived asks a web server whether it is well (keepalived.conf(5), HTTP_GET, TCP_CHECK and UDP_CHECK).

    `port` 0 is the service's own. `payload` is hexadecimal: what UDP sends, and an answer must come; without one only a
    closed port is ill.
    """

    kind: Literal["http", "tcp", "udp"] = "http"
    port: int = 0
    payload: str | None = None
    path: str = "/healthz"
    status: int = 200
    interval_seconds: float = 1.0
    timeout_seconds: float = 1.0
    retries: int = 2
    retry_delay_seconds: float = 0.5


@dataclass(frozen=True, kw_only=True)
class Service:
    """One virtual server: a TCP or UDP port of the virtual IP, balanced over all web servers on the same port."""

    port: int = 80
    protocol: Literal["tcp", "udp"] = "tcp"
    scheduler: str = "wrr"
    persistence_seconds: int = 0
    inhibit_on_failure: bool = False
    health_check: HealthCheck = HealthCheck()

    @property
    def checked(self) -> tuple[Literal["tcp", "udp"], int]:
        """The protocol and port of the web servers that the health check asks."""
        return "udp" if self.health_check.kind == "udp" else "tcp", self.health_check.port or self.port

    @property
    def has_page(self) -> bool:
        """Whether the web servers' own page is here: on every TCP port but 443, which is left to a TLS server."""
        return self.protocol == "tcp" and self.port != TLS_PORT


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

    def others(self, director: Director) -> list[Director]:
        """All directors but this one."""
        return [other for other in self.directors if other != director]
