"""The stack's outputs are a contract with whoever operates it: docs/outputs.md, docs/outputs.schema.json."""

from __future__ import annotations

from collections.abc import Sequence

OUTPUTS_VERSION = 1
"""Raised when an output goes, changes its type or its meaning; what only adds to the outputs leaves it as it is."""


def service_url(address: str, port: int) -> str:
    """Where a client finds a service; port 443 is taken for TLS, which the web servers must then speak."""
    scheme, usual = ("https", 443) if port == 443 else ("http", 80)
    return f"{scheme}://{address}/" if port == usual else f"{scheme}://{address}:{port}/"


def services_at(address: str, ports: Sequence[int]) -> list[dict[str, object]]:
    """What the outputs say about the services on `ports` of `address`, in the order of the config."""
    return [{"port": port, "url": service_url(address, port)} for port in ports]
