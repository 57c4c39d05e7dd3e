"""The stack's outputs are a contract with whoever operates it: docs/outputs.md, docs/outputs.schema.json."""

from __future__ import annotations

from collections.abc import Sequence

from userdata.values import TLS_PORT, Service

OUTPUTS_VERSION = 1
"""Raised when an output goes, changes its type or its meaning; what only adds to the outputs leaves it as it is."""


def service_url(address: str, service: Service) -> str:
    """Where a client finds a service; port 443 is taken for TLS, which the web servers must then speak."""
    if service.protocol == "udp":
        return f"udp://{address}:{service.port}"
    scheme, usual = ("https", TLS_PORT) if service.port == TLS_PORT else ("http", 80)
    return f"{scheme}://{address}/" if service.port == usual else f"{scheme}://{address}:{service.port}/"


def services_at(address: str, services: Sequence[Service]) -> list[dict[str, object]]:
    """What the outputs say about the services of `address`, in the order of the config."""
    return [
        {"port": service.port, "protocol": service.protocol, "url": service_url(address, service)}
        for service in services
    ]
