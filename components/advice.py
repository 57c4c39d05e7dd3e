"""What is allowed and most likely not meant: the operator hears of it at every preview, and nothing is refused."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network
from typing import TYPE_CHECKING

from components.fields import Fault, is_address

if TYPE_CHECKING:
    from components.settings import Settings

SMTP, SUBMISSION = 25, {465: "RFC 8314", 587: "RFC 6409"}
PRIVATE = tuple(IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"))
"""Networks of private addresses (RFC 1918, RFC 6598)."""


def advice(settings: Settings) -> Iterator[Fault]:
    """Every value of a sound config that most likely does not do what is wanted, with what to do instead."""
    mail = settings.notification
    if mail is None:
        return
    if mail.smtp_port == SMTP and _is_public(mail.smtp_server, settings.vpc_cidr):
        yield Fault(
            key="notification.smtpPort",
            value=SMTP,
            allowed=f"EC2 drops mail to port 25 of public addresses such as {mail.smtp_server}, unless AWS lifted that "
            "for the account (EC2 user guide, Restriction on email sent using port 25); take a relay inside the VPC, "
            "or one that listens on another port, such as 2525",
        )
    if mail.smtp_port in SUBMISSION:
        yield Fault(
            key="notification.smtpPort",
            value=mail.smtp_port,
            allowed=f"most servers ask for TLS and a password there ({SUBMISSION[mail.smtp_port]}), and Keepalived has "
            "neither; take a relay that asks for none",
        )


def _is_public(server: str, vpc_cidr: str) -> bool:
    """Whether it is an address outside; of a name nobody knows before a director asks for it."""
    return is_address(server) and not any(
        IPv4Address(server) in network for network in (IPv4Network(vpc_cidr), *PRIVATE)
    )
