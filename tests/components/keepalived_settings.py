"""Every key of the config and what it does to keepalived.conf, as a table: tests of the settings and of the image.

A statement is a line under the blocks it stands in: "vrrp_instance LVS / priority 254".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from components.settings import SCHEDULERS
from tests.components.bad_configs import check, directors, mail, service

INSTANCE = "vrrp_instance LVS"
VIRTUAL = "virtual_server 10.0.0.100 80"
REAL = f"{VIRTUAL} / real_server 10.0.0.80 80"


def statements(text: str) -> frozenset[str]:
    """The statements of a keepalived.conf; of a block its head and each line in it."""
    blocks: list[str] = []
    found = set()
    for line in text.splitlines():
        words = " ".join(line.split())
        if words == "}":
            blocks.pop()
            continue
        name = words.removesuffix(" {")
        found.add(" / ".join([*blocks, name]))
        if name != words:
            blocks.append(name)
    assert not blocks, f"not closed: {blocks}"
    return frozenset(found)


@dataclass(frozen=True, kw_only=True)
class Row:
    """`config` sets `key` and what it needs; in the first director's file `comes` appears and `goes` disappears."""

    key: str
    config: Mapping[str, Any]
    comes: tuple[str, ...]
    goes: tuple[str, ...] = ()


def row(key: str, config: Mapping[str, Any], *comes: str, goes: tuple[str, ...] = ()) -> Row:
    return Row(key=key, config=config, comes=comes, goes=goes)


def vrrp(**fields: Any) -> dict[str, Any]:
    return {"vrrp": fields}


OPTIONS = {"sh": ("sh-fallback",), "mh": ("mh-fallback",)}
"""Without, a client whose web server has weight 0 is refused; the others pass by weight 0 by themselves, or are dh."""

ROWS = (
    row("virtualIp", {"virtualIp": "10.0.0.101"},
        f"{INSTANCE} / virtual_ipaddress / 10.0.0.101/32 dev lo no_track", "virtual_server 10.0.0.101 80",
        "virtual_server 10.0.0.101 80 / real_server 10.0.0.80 80 / HTTP_GET / virtualhost 10.0.0.101",
        goes=(VIRTUAL, f"{INSTANCE} / virtual_ipaddress / 10.0.0.100/32 dev lo no_track")),
    row("directors[].address", {"directors": directors(("10.0.0.37", 254), ("10.0.0.57", 253))},
        f"{INSTANCE} / unicast_src_ip 10.0.0.37", f"{INSTANCE} / unicast_peer / 10.0.0.57",
        goes=(f"{INSTANCE} / unicast_src_ip 10.0.0.36", f"{INSTANCE} / unicast_peer / 10.0.0.56")),
    row("directors[].priority", {"directors": directors(("10.0.0.36", 100), ("10.0.0.56", 90))},
        f"{INSTANCE} / priority 100", f"{INSTANCE} / timer_expired_backup 90",
        goes=(f"{INSTANCE} / priority 254", f"{INSTANCE} / timer_expired_backup 253")),
    row("webServers[].address", {"webServers": [{"address": "10.0.0.81"}]},
        f"{VIRTUAL} / real_server 10.0.0.81 80", goes=(REAL, f"{VIRTUAL} / real_server 10.0.0.194 80")),
    row("webServers[].weight", {"webServers": [{"address": "10.0.0.80", "weight": 7}, {"address": "10.0.0.194"}]},
        f"{REAL} / weight 7", goes=(f"{REAL} / weight 100",)),
    row("webServers[].weight", {"webServers": [{"address": "10.0.0.80", "weight": 0}, {"address": "10.0.0.194"}]},
        f"{REAL} / weight 0", goes=(f"{REAL} / weight 100",)),
    row("services[].port", service(port=81),
        "virtual_server 10.0.0.100 81", "virtual_server 10.0.0.100 81 / real_server 10.0.0.80 81", goes=(VIRTUAL,)),
    row("services[].protocol", service(protocol="udp", healthCheck={"kind": "udp"}),
        f"{VIRTUAL} / protocol UDP", f"{REAL} / UDP_CHECK", goes=(f"{VIRTUAL} / protocol TCP", f"{REAL} / HTTP_GET")),
    *(row("services[].scheduler", service(scheduler=name), f"{VIRTUAL} / lvs_sched {name}",
          *(f"{VIRTUAL} / {option}" for option in OPTIONS.get(name, ())), goes=(f"{VIRTUAL} / lvs_sched wrr",))
      for name in SCHEDULERS if name != "wrr"),
    row("services[].persistenceSeconds", service(persistenceSeconds=60), f"{VIRTUAL} / persistence_timeout 60"),
    row("services[].inhibitOnFailure", service(inhibitOnFailure=True), f"{REAL} / inhibit_on_failure"),
    row("services[].healthCheck.kind", check(kind="tcp"), f"{REAL} / TCP_CHECK", goes=(f"{REAL} / HTTP_GET",)),
    row("services[].healthCheck.port",
        {"services": [{"port": 80, "healthCheck": {"kind": "tcp", "port": 81}}, {"port": 81}]},
        f"{REAL} / TCP_CHECK / connect_port 81", goes=(f"{REAL} / HTTP_GET",)),
    row("services[].healthCheck.payload", service(protocol="udp", healthCheck={"kind": "udp", "payload": "00ff"}),
        f"{REAL} / UDP_CHECK / payload 00ff", f"{REAL} / UDP_CHECK / require_reply", goes=(f"{REAL} / HTTP_GET",)),
    row("services[].healthCheck.path", check(path="/up?x=1"),
        f"{REAL} / HTTP_GET / url / path /up?x=1", goes=(f"{REAL} / HTTP_GET / url / path /healthz",)),
    row("services[].healthCheck.status", check(status=204),
        f"{REAL} / HTTP_GET / url / status_code 204", goes=(f"{REAL} / HTTP_GET / url / status_code 200",)),
    row("services[].healthCheck.intervalSeconds", check(intervalSeconds=2.5),
        f"{VIRTUAL} / delay_loop 2.5", goes=(f"{VIRTUAL} / delay_loop 1",)),
    row("services[].healthCheck.timeoutSeconds", check(timeoutSeconds=3),
        f"{VIRTUAL} / connect_timeout 3", goes=(f"{VIRTUAL} / connect_timeout 1",)),
    row("services[].healthCheck.retries", check(retries=4), f"{VIRTUAL} / retry 4", goes=(f"{VIRTUAL} / retry 2",)),
    row("services[].healthCheck.retryDelaySeconds", check(retryDelaySeconds=0.75),
        f"{VIRTUAL} / delay_before_retry 0.75", goes=(f"{VIRTUAL} / delay_before_retry 0.5",)),
    row("vrrp.version", vrrp(version=2, advertIntervalSeconds=1),
        "global_defs / vrrp_version 2", goes=("global_defs / vrrp_version 3",)),
    row("vrrp.routerId", vrrp(routerId=7), f"{INSTANCE} / virtual_router_id 7",
        "global_defs / lvs_sync_daemon vxs id 7 maxlen 300", goes=(f"{INSTANCE} / virtual_router_id 51",)),
    row("vrrp.advertIntervalSeconds", vrrp(advertIntervalSeconds=0.25),
        f"{INSTANCE} / advert_int 0.25", goes=(f"{INSTANCE} / advert_int 0.5",)),
    row("vrrp.advertIntervalSeconds", vrrp(version=2, advertIntervalSeconds=2),
        f"{INSTANCE} / advert_int 2", goes=(f"{INSTANCE} / advert_int 0.5",)),
    row("vrrp.preempt", vrrp(preempt=True),
        goes=(f"{INSTANCE} / nopreempt", f"{INSTANCE} / timer_expired_backup 253")),
    row("vrrp.preemptDelaySeconds", vrrp(preempt=True, preemptDelaySeconds=30), f"{INSTANCE} / preempt_delay 30",
        goes=(f"{INSTANCE} / nopreempt",)),
    row("vrrp.password", vrrp(version=2, advertIntervalSeconds=1, password="word"),
        f"{INSTANCE} / authentication / auth_type PASS",
        f"{INSTANCE} / authentication / auth_pass word # no secret: every advert carries it in clear text"),
    row("notification.smtpServer", mail(smtpServer="10.0.0.9"), "global_defs / smtp_server 10.0.0.9 25",
        "global_defs / smtp_alert true"),
    row("notification.smtpPort", mail(smtpServer="10.0.0.9", smtpPort=2525), "global_defs / smtp_server 10.0.0.9 2525"),
    row("notification.from", mail(**{"smtpServer": "10.0.0.9", "from": "lvs@example.com"}),
        "global_defs / notification_email_from lvs@example.com"),
    row("notification.to", mail(smtpServer="10.0.0.9", to=["c@example.com", "d@example.com"]),
        "global_defs / notification_email / c@example.com", "global_defs / notification_email / d@example.com"),
)  # fmt: skip

ELSEWHERE = {
    "vpcCidr": "components/test_settings.py::test_everything_that_can_be_set_arrives",
    "subnetCidr": "userdata/test_render.py::test_dns_outside_the_subnet_keeps_its_own_way",
    "availabilityZone": "components/test_settings.py::test_everything_that_can_be_set_arrives",
    "directors[].planned": "components/test_program.py::test_a_planned_director_is_a_peer_and_not_a_machine",
    "directorInstanceType": "components/test_settings.py::test_everything_that_can_be_set_arrives",
    "webServerInstanceType": "components/test_settings.py::test_everything_that_can_be_set_arrives",
    "imageId": "components/test_settings.py::test_everything_that_can_be_set_arrives",
    "imageName": "components/test_program.py::test_an_image_is_looked_up_only_when_asked_for",
    "forwardingMode": "lab/test_forwarding_modes.py::test_nat_works_and_dr_and_tun_are_stopped_by_the_rules_of_a_vpc",
    "clientCidrs": "components/test_firewall.py::"
    "test_clients_reach_services_on_directors_and_web_servers_alike_and_health_checks_do_not_depend_on_them",
    "rollout": "components/test_program.py::test_only_named_machines_take_a_new_configuration",
    "protect": "components/test_program.py::test_protect_guards_what_cannot_be_had_again",
    "production": "components/test_environments.py::test_prod_cannot_lose_its_guards_by_one_setting",
    "tags": "components/test_program.py::test_own_tags_and_account_reach_the_provider",
}
"""Keys that are not Keepalived's, and the test that proves them (file under tests/, function)."""

BOUNDS: tuple[Mapping[str, Any], ...] = (
    service(port=1, persistenceSeconds=1, healthCheck={
        "intervalSeconds": 0.1, "timeoutSeconds": 0.1, "retries": 1, "retryDelaySeconds": 0, "status": 200}),
    service(port=65535, persistenceSeconds=86400, healthCheck={
        "intervalSeconds": 3600, "timeoutSeconds": 600, "retries": 100, "retryDelaySeconds": 600, "status": 599,
        "path": "/" + "a" * 199}),
    check(retryDelaySeconds=0.00001, intervalSeconds=0.1000001, timeoutSeconds=599.9999999),
    {"webServers": [{"address": "10.0.0.80", "weight": 65535}, {"address": "10.0.0.194", "weight": 1}]},
    {"directors": directors(("10.0.0.36", 1), ("10.0.0.56", 254))},
    vrrp(routerId=1, advertIntervalSeconds=0.01), vrrp(routerId=255, advertIntervalSeconds=40.95),
    vrrp(version=2, advertIntervalSeconds=1, password="12345678"), vrrp(version=2, advertIntervalSeconds=255),
    vrrp(preempt=True, preemptDelaySeconds=1000), vrrp(preempt=True, preemptDelaySeconds=1),
    mail(smtpServer="10.0.0.9", smtpPort=1), mail(smtpServer="10.0.0.9", smtpPort=65535),
)  # fmt: skip
"""The least and the most of what is allowed: Keepalived has bounds of its own."""
