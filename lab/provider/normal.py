"""Values of one meaning made equal, as the real provider's comparisons take them."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import Any

PROTOCOLS = {"6": "tcp", "17": "udp", "1": "icmp", "58": "icmpv6"}


def as_set(value: Any) -> Any:
    """A list whose order says nothing (TypeSet)."""
    return sorted(json.dumps(item, sort_keys=True) for item in value) if isinstance(value, list) else value


def as_policy(value: Any) -> Any:
    """An IAM policy (SuppressEquivalentPolicyDiffs): lists are sets, a list of one is its one."""
    try:
        return _policy(json.loads(value))
    except (TypeError, ValueError):
        return value


def as_protocol(value: Any) -> Any:
    """A protocol by EC2's name where it has one (NormalizeIPProtocol)."""
    text = str(value).lower()
    return PROTOCOLS.get(text, text)


def as_network(value: Any) -> Any:
    """A network however it is written (suppressEqualCIDRBlockDiffs)."""
    try:
        return str(ip_network(value, strict=False))
    except ValueError:
        return value


def _policy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _policy(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [_policy(item) for item in value]
        return items[0] if len(items) == 1 else sorted(items, key=lambda item: json.dumps(item, sort_keys=True))
    return value
