"""Load balancers the tests render."""

from typing import Any

from userdata.values import Director, LoadBalancer, WebServer

DIRECTORS = (
    Director(name="director-1", address="10.0.0.36", priority=254),
    Director(name="director-2", address="10.0.0.56", priority=253),
)
WEB_SERVERS = (WebServer(name="web-1", address="10.0.0.80"), WebServer(name="web-2", address="10.0.0.194"))


def balancer(**changes: Any) -> LoadBalancer:
    """The original topology, with `changes`."""
    values: dict[str, Any] = {
        "region": "eu-central-1",
        "vpc_cidr": "10.0.0.0/16",
        "subnet_cidr": "10.0.0.0/24",
        "virtual_ip": "10.0.0.100",
        "directors": DIRECTORS,
        "web_servers": WEB_SERVERS,
    }
    return LoadBalancer(**{**values, **changes})


def many_web_servers(count: int) -> tuple[WebServer, ...]:
    """Web servers with scattered addresses and weights: nothing a compressor could guess."""
    return tuple(
        WebServer(name=f"web-{i + 1}", address=f"10.0.{i * 7919 % 16}.{i * 104729 % 250 + 4}", weight=i * 37 % 100 + 1)
        for i in range(count)
    )
