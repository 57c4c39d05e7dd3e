"""Configs that obey every rule, not only the defaults' neighbours."""

from ipaddress import IPv4Network
from typing import Any

from hypothesis import strategies as st

from components.settings import SCHEDULERS
from components.validation import TAKEN_PORTS
from tests.components.bad_configs import LEAST, directors


@st.composite
def good_configs(draw: st.DrawFn) -> dict[str, Any]:
    vpc = IPv4Network((draw(st.sampled_from([0x0A000000, 0xAC100000, 0xC0A80000])), 16))
    prefix = draw(st.integers(16, 27))
    subnet = draw(st.sampled_from(list(vpc.subnets(new_prefix=prefix))[:64]))
    count = draw(st.integers(2, 4)), draw(st.integers(1, 6))
    offsets = draw(
        st.lists(
            st.integers(4, subnet.num_addresses - 2), min_size=sum(count) + 1, max_size=sum(count) + 1, unique=True
        )
    )
    virtual_ip, *machines = (str(subnet[offset]) for offset in offsets)
    priorities = draw(st.lists(st.integers(1, 254), min_size=count[0], max_size=count[0], unique=True))
    weights = draw(st.lists(st.integers(1, 65535), min_size=count[1], max_size=count[1]))
    # 443 and UDP need a health check of another kind or port: see bad_configs.
    free = st.integers(1, 65535).filter(lambda port: port not in {443, *TAKEN_PORTS["tcp"], *TAKEN_PORTS["udp"]})
    ports = draw(st.lists(free, min_size=1, max_size=4, unique=True))
    udp = draw(st.lists(free, max_size=2, unique=True))
    by_tcp = [{"port": ports[0]}, {"kind": "tcp", "port": ports[0]}]
    checks = st.sampled_from([*by_tcp, {"kind": "udp"}, {"kind": "udp", "payload": "00ff"}])
    return {
        **LEAST,
        "vpcCidr": str(vpc),
        "subnetCidr": str(subnet),
        "virtualIp": virtual_ip,
        "directors": directors(*zip(machines[: count[0]], priorities, strict=True)),
        "webServers": [{"address": a, "weight": w} for a, w in zip(machines[count[0] :], weights, strict=True)],
        "services": [
            *(draw(_services(port)) for port in ports),
            *({"port": port, "scheduler": "wrr", "protocol": "udp", "healthCheck": draw(checks)} for port in udp),
        ],
        "vrrp": draw(_vrrp()),
        "notification": draw(st.just({}) | _notifications()),
        "tags": draw(st.dictionaries(st.from_regex(r"\Ak[A-Za-z0-9+=.,_:@-]{0,40}\Z"), st.just("v"), max_size=5)),
    }


@st.composite
def _services(draw: st.DrawFn, port: int) -> dict[str, Any]:
    scheduler = draw(st.sampled_from(SCHEDULERS))
    return {
        "port": port,
        "protocol": "tcp",
        "scheduler": scheduler,
        "persistenceSeconds": draw(st.integers(0, 86400)),
        "inhibitOnFailure": scheduler != "dh" and draw(st.booleans()),
        "healthCheck": draw(_health_checks()),
    }


@st.composite
def _health_checks(draw: st.DrawFn) -> dict[str, Any]:
    times = {
        "intervalSeconds": draw(st.floats(0.1, 3600)),
        "timeoutSeconds": draw(st.floats(0.1, 600)),
        "retries": draw(st.integers(1, 100)),
        "retryDelaySeconds": draw(st.floats(0, 600)),
    }
    if draw(st.booleans()):
        return {"kind": "tcp", **times}
    path = draw(st.from_regex(r"\A/[A-Za-z0-9._~/%&=+:@-]{1,40}\Z"))
    return {"kind": "http", "path": path, "status": draw(st.integers(200, 599)), **times}


@st.composite
def _vrrp(draw: st.DrawFn) -> dict[str, Any]:
    preempt = draw(st.booleans())
    common = {
        "routerId": draw(st.integers(1, 255)),
        "preempt": preempt,
        "preemptDelaySeconds": draw(st.integers(0, 1000)) if preempt else 0,
    }
    if draw(st.booleans()):
        return {"version": 3, "advertIntervalSeconds": draw(st.integers(1, 4095)) / 100, **common}
    password = draw(st.from_regex(r"\A[A-Za-z0-9]{0,8}\Z"))
    return {"version": 2, "advertIntervalSeconds": draw(st.integers(1, 255)), "password": password, **common}


@st.composite
def _notifications(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "smtpServer": draw(st.sampled_from(["10.0.0.9", "mail.example.com", "192.0.2.30"])),
        "smtpPort": draw(st.integers(1, 65535)),
        "from": "lvs@example.com",
        "to": [f"{name}@example.com" for name in draw(st.lists(st.sampled_from("abcdef"), min_size=1, unique=True))],
    }
