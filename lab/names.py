"""DNS names: of addresses as EC2 makes them (EC2 user guide, "IP name" host names), and the lab's own servers."""

from __future__ import annotations

import re

# Where stock images find their packages; `.test` is nobody's (RFC 6761, 6.2).
PACKAGES_NAME = "packages.lab.test"
# Takes all mail (lab/cloud/mail_sink.py).
MAIL_NAME = "mail.lab.test"
# On the lab's internet; 192.0.2.0/24 is nobody's (RFC 5737).
API_ADDRESS = "192.0.2.10"
PACKAGES_ADDRESS = "192.0.2.20"
MAIL_ADDRESS = "192.0.2.30"
INTERNAL_NAME = re.compile(r"^ip-(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})\.(.+)$")


def internal_domain(region: str) -> str:
    """The domain of private names: the oldest region has its own."""
    return "ec2.internal" if region == "us-east-1" else f"{region}.compute.internal"


def internal_name(address: str, region: str) -> str:
    """The private name of a private address: ip-10-0-0-36.ec2.internal."""
    return f"ip-{address.replace('.', '-')}.{internal_domain(region)}"


def public_name(address: str, region: str) -> str:
    """The public name of a public address."""
    domain = "compute-1.amazonaws.com" if region == "us-east-1" else f"{region}.compute.amazonaws.com"
    return f"ec2-{address.replace('.', '-')}.{domain}"


def address_of_internal_name(name: str, region: str) -> str | None:
    """The private address a private name stands for; None for any other name."""
    match = INTERNAL_NAME.match(name.lower())
    if not match or match[5] != internal_domain(region):
        return None
    return ".".join(match.group(1, 2, 3, 4))
