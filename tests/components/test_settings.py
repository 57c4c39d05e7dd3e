"""Every rule of the config: what is refused, with which words, and that what is not refused is right."""

import json
from ipaddress import IPv4Network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.fields import Faults
from components.settings import DEFAULTS, SCHEDULERS, SettingsError, settings_from
from components.validation import check_address_limit
from userdata.values import Director, HealthCheck, LoadBalancer, Notification, Service, Vrrp, WebServer

LEAST: dict[str, Any] = {"aws:region": "us-east-1", "imageId": "ami-0123456789abcdef0"}


def directors(*pairs: tuple[Any, Any]) -> list[dict[str, Any]]:
    return [{"address": address, "priority": priority} for address, priority in pairs]


def service(**fields: Any) -> dict[str, Any]:
    return {"services": [fields]}


def check(**fields: Any) -> dict[str, Any]:
    return service(healthCheck=fields)


def mail(**fields: Any) -> dict[str, Any]:
    return {
        "notification": {"smtpServer": "mail.example.com", "from": "a@example.com", "to": ["b@example.com"], **fields}
    }


# (what is set beside LEAST, the key of the one fault, a word of what is allowed)
BAD: list[tuple[dict[str, Any], str, str]] = [
    ({"vpcCidr": "10.0.0.0"}, "vpcCidr", "IPv4 network"),
    ({"vpcCidr": "10.0.0.1/16"}, "vpcCidr", "IPv4 network"),
    ({"vpcCidr": "fd00::/56"}, "vpcCidr", "IPv4 network"),
    ({"vpcCidr": "10.0.0.0/8"}, "vpcCidr", "/16 to /28"),
    ({"subnetCidr": "ten"}, "subnetCidr", "IPv4 network"),
    ({"vpcCidr": "10.0.0.0/24", "subnetCidr": "10.0.0.0/23"}, "subnetCidr", "inside vpcCidr"),
    ({"subnetCidr": "10.0.0.0/29", "virtualIp": "x", "directors": [], "webServers": []}, "subnetCidr", "/16 to /28"),
    ({"availabilityZone": "eu-west-1a"}, "availabilityZone", "us-east-1a"),
    ({"availabilityZone": "us-east-1"}, "availabilityZone", "us-east-1a"),
    ({"availabilityZone": "us-east-1 a"}, "availabilityZone", "must be a zone"),
    ({"virtualIp": "10.0.0"}, "virtualIp", "IPv4 address"),
    ({"virtualIp": "10.0.1.100"}, "virtualIp", "inside subnetCidr"),
    ({"virtualIp": "10.0.0.36"}, "virtualIp", "directors[0].address"),
    ({"virtualIp": "10.0.0.80"}, "virtualIp", "webServers[0].address"),
    *(({"virtualIp": f"10.0.0.{last}"}, "virtualIp", "reserved") for last in (0, 1, 2, 3, 255)),
    ({"directors": directors(("10.0.0.36", 254))}, "directors", "2 to 254 entries"),
    ({"directors": "none"}, "directors", "list"),
    ({"directors": ["10.0.0.36", *directors(("10.0.0.56", 1))]}, "directors[0]", "object"),
    (
        {"directors": directors(("10.0.0.36", 254), ("10.0.0.56", 254))},
        "directors[1].priority",
        "directors[0].priority",
    ),
    ({"directors": directors(("10.0.0.36", 255), ("10.0.0.56", 1))}, "directors[0].priority", "1 to 254"),
    ({"directors": directors(("10.0.0.36", 0), ("10.0.0.56", 1))}, "directors[0].priority", "1 to 254"),
    ({"directors": directors(("10.0.0.36", True), ("10.0.0.56", 2))}, "directors[0].priority", "whole number"),
    ({"directors": directors(("10.0.0.36", 1.5), ("10.0.0.56", 2))}, "directors[0].priority", "whole number"),
    ({"directors": directors(("10.0.0.36", 1), ("10.0.0.36", 2))}, "directors[1].address", "directors[0].address"),
    ({"directors": directors(("10.0.0.36", 1), ("10.0.9.9", 2))}, "directors[1].address", "inside subnetCidr"),
    ({"directors": directors(("10.0.0.36", 1), ("10.0.0.2", 2))}, "directors[1].address", "reserved"),
    ({"directors": directors(("10.0.0.36", 1), (7, 2))}, "directors[1].address", "IPv4 address"),
    ({"directors": [*directors(("10.0.0.36", 1)), {"priority": 2}]}, "directors[1].address", "IPv4 address"),
    ({"directors": [*directors(("10.0.0.36", 1)), {"address": "10.0.0.56"}]}, "directors[1].priority", "1 to 254"),
    ({"directorInstanceType": "huge"}, "directorInstanceType", "instance type"),
    ({"webServerInstanceType": ""}, "webServerInstanceType", "instance type"),
    ({"webServers": []}, "webServers", "1 to 200 entries"),
    (
        {"subnetCidr": "10.0.0.0/16", "webServers": [{"address": f"10.0.7.{n}"} for n in range(201)]},
        "webServers",
        "1 to 200 entries",
    ),
    ({"webServers": [{"address": "10.0.0.56"}]}, "webServers[0].address", "directors[1].address"),
    ({"webServers": [{"address": "10.0.0.255"}]}, "webServers[0].address", "reserved"),
    ({"webServers": [{"address": "10.0.0.80", "weight": -1}]}, "webServers[0].weight", "0 to 65535"),
    ({"webServers": [{"address": "10.0.0.80", "weight": 65536}]}, "webServers[0].weight", "0 to 65535"),
    ({"webServers": [{"address": "10.0.0.80", "weight": 0}]}, "webServers[0].weight", "at least one"),
    ({"webServers": [{"address": "10.0.0.80", "wieght": 1}]}, "webServers[0].wieght", "did you mean weight?"),
    ({"imageId": ""}, "imageId", "imageName"),
    ({"imageId": "ami-XYZ"}, "imageId", "hexadecimal"),
    ({"imageName": "debian-13-amd64-*"}, "imageName", "must be empty when imageId is set"),
    ({"imageId": "", "imageName": "*"}, "imageName", "Debian"),
    ({"forwardingMode": "DR"}, "forwardingMode", "virtual IP as source"),
    ({"forwardingMode": "TUN"}, "forwardingMode", "virtual IP as source"),
    ({"forwardingMode": "nat"}, "forwardingMode", "must be NAT"),
    ({"services": []}, "services", "1 to 50 entries"),
    (service(port=0), "services[0].port", "1 to 65535"),
    (service(port=65536), "services[0].port", "1 to 65535"),
    (service(port="http"), "services[0].port", "whole number"),
    ({"services": [{"port": 80}, {"port": 80}]}, "services[1].port", "services[0].port"),
    (service(scheduler="random"), "services[0].scheduler", "wrr"),
    (service(persistenceSeconds=-1), "services[0].persistenceSeconds", "0 to 86400"),
    (service(inhibitOnFailure="yes"), "services[0].inhibitOnFailure", "true or false"),
    (service(inhibitOnFailure=1), "services[0].inhibitOnFailure", "true or false"),
    (service(ports=80), "services[0].ports", "did you mean port?"),
    (service(healthCheck="http"), "services[0].healthCheck", "object"),
    (check(kind="ssl"), "services[0].healthCheck.kind", "http, tcp"),
    (check(path="healthz"), "services[0].healthCheck.path", "begin with /"),
    (check(path="/a b"), "services[0].healthCheck.path", "begin with /"),
    (check(path="/\u3000"), "services[0].healthCheck.path", "begin with /"),
    (check(path='/"'), "services[0].healthCheck.path", "begin with /"),
    (check(status=99), "services[0].healthCheck.status", "200 to 599"),
    (check(kind="tcp", path="/x"), "services[0].healthCheck.path", "TCP check"),
    (check(kind="tcp", status=204), "services[0].healthCheck.status", "TCP check"),
    (check(intervalSeconds=0), "services[0].healthCheck.intervalSeconds", "0.1 to 3600"),
    (check(timeoutSeconds="nan"), "services[0].healthCheck.timeoutSeconds", "0.1 to 600"),
    (check(timeoutSeconds="inf"), "services[0].healthCheck.timeoutSeconds", "0.1 to 600"),
    (check(retries=1.5), "services[0].healthCheck.retries", "whole number"),
    (check(retryDelaySeconds=-1), "services[0].healthCheck.retryDelaySeconds", "0 to 600"),
    (check(retry=1), "services[0].healthCheck.retry", "did you mean retries?"),
    ({"vrrp": {"version": 4}}, "vrrp.version", "2 to 3"),
    ({"vrrp": {"routerId": 0}}, "vrrp.routerId", "1 to 255"),
    ({"vrrp": {"routerId": 256}}, "vrrp.routerId", "1 to 255"),
    ({"vrrp": {"advertIntervalSeconds": 0.005}}, "vrrp.advertIntervalSeconds", "0.01"),
    ({"vrrp": {"advertIntervalSeconds": 0.015}}, "vrrp.advertIntervalSeconds", "steps of 0.01"),
    ({"vrrp": {"advertIntervalSeconds": 40.96}}, "vrrp.advertIntervalSeconds", "40.95"),
    ({"vrrp": {"version": 2}}, "vrrp.advertIntervalSeconds", "whole seconds"),
    ({"vrrp": {"version": 2, "advertIntervalSeconds": 1.5}}, "vrrp.advertIntervalSeconds", "whole seconds"),
    ({"vrrp": {"password": "12345678"}}, "vrrp.password", "no authentication"),
    ({"vrrp": {"version": 2, "advertIntervalSeconds": 1, "password": "123456789"}}, "vrrp.password", "8"),
    ({"vrrp": {"version": 2, "advertIntervalSeconds": 1, "password": "a b"}}, "vrrp.password", "letters or digits"),
    ({"vrrp": {"preemptDelaySeconds": 8}}, "vrrp.preemptDelaySeconds", "vrrp.preempt"),
    ({"vrrp": {"preempt": True, "preemptDelaySeconds": 1001}}, "vrrp.preemptDelaySeconds", "0 to 1000"),
    ({"vrrp": {"preemtpDelaySeconds": 8}}, "vrrp.preemtpDelaySeconds", "did you mean preemptDelaySeconds?"),
    ({"vrrp": []}, "vrrp", "object"),
    ({"notification": {"smtpServer": "m", "to": ["b@example.com"]}}, "notification.from", "mail address"),
    (mail(to=[]), "notification.to", "at least one"),
    (mail(to=["nobody"]), "notification.to[0]", "mail address"),
    (mail(to=["b@example.com", "b@example.com"]), "notification.to[1]", "twice"),
    (mail(smtpServer="mail server"), "notification.smtpServer", "host name"),
    ({"clientCidrs": []}, "clientCidrs", "at least one"),
    ({"clientCidrs": ["::/0"]}, "clientCidrs[0]", "no IPv6"),
    ({"clientCidrs": ["10.1.2.3/8"]}, "clientCidrs[0]", "IPv4 network"),
    ({"clientCidrs": ["10.0.0.0/8", "10.0.0.0/8"]}, "clientCidrs[1]", "twice"),
    ({"clientCidrs": [f"198.51.{n}.0/24" for n in range(56)]}, "clientCidrs", "a security group has 60"),
    ({"protect": "maybe"}, "protect", "true or false"),
    ({"tags": {"Name": "mine"}}, "tags.Name", "set by the program"),
    ({"tags": {"aws:x": "1"}}, "tags.aws:x", "AWS's own"),
    ({"tags": {"cost center": "1"}}, "tags.cost center", "key of 1 to 128"),
    ({"tags": {"a/b": "1"}}, "tags.a/b", "key of 1 to 128"),
    ({"tags": {"k" * 129: "1"}}, f"tags.{'k' * 129}", "key of 1 to 128"),
    ({"tags": {"k": "v" * 257}}, "tags.k", "at most 256"),
    ({"tags": {"k": 1}}, "tags", "value of k must be text"),
    ({"tags": {f"k{n}": "1" for n in range(45)}}, "tags", "at most 44"),
    ({"aws:region": "Virginia"}, "aws:region", "us-east-1"),
    ({"aws:region": ""}, "aws:region", "pulumi config set aws:region"),
    ({"aws:allowedAccountIds": ["12"]}, "aws:allowedAccountIds[0]", "12-digit"),
    ({"aws:defaultTags": "{}"}, "aws:defaultTags", "unknown key"),
    ({"virtualIP": "10.0.0.100"}, "virtualIP", "did you mean virtualIp?"),
    ({"wibble": "1"}, "wibble", "known keys are vpcCidr"),
]


def faults_of(config: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(SettingsError) as caught:
        settings_from(config)
    for fault in caught.value.faults:
        assert fault.key in str(fault)
        assert fault.allowed in str(fault)
    return {fault.key: fault.allowed for fault in caught.value.faults}


@pytest.mark.parametrize(("changes", "key", "word"), BAD, ids=lambda value: str(value)[:60])
def test_a_bad_value_is_refused_with_its_key_and_what_is_allowed(changes: dict[str, Any], key: str, word: str) -> None:
    faults = faults_of({**LEAST, **changes})
    assert word in faults[key]


@pytest.mark.parametrize(("changes", "key"), [(bad[0], bad[1]) for bad in BAD if len(bad[0]) == 1], ids=str)
def test_one_mistake_is_one_fault(changes: dict[str, Any], key: str) -> None:
    assert list(faults_of({**LEAST, **changes})) == [key]


@pytest.mark.parametrize(("changes", "key", "word"), BAD, ids=lambda value: str(value)[:60])
def test_json_text_is_refused_as_the_value_itself_is(changes: dict[str, Any], key: str, word: str) -> None:
    text = {name: value if isinstance(value, str) else json.dumps(value) for name, value in changes.items()}
    assert word in faults_of({**LEAST, **text})[key]


def test_all_faults_come_in_one_error() -> None:
    config = {
        "aws:region": "nowhere",
        "aws:profil": "x",
        "vpcCidr": "10.0.0.0/99",
        "virtualIp": "10.0.0.3",
        "directors": directors(("10.0.0.36", 7), ("10.0.0.36", 7)),
        "directorInstanceType": "x",
        "webServers": [{"address": "10.0.0.80", "weight": 99999}],
        "forwardingMode": "DR",
        "services": [{"port": 80, "scheduler": "best"}, {"port": 80}],
        "vrrp": {"version": 3, "password": "secret", "preemptDelaySeconds": 5},
        "notification": {"smtpServer": "m", "from": "x", "to": []},
        "clientCidrs": ["all"],
        "protect": "maybe",
        "tags": {"Role": "x"},
        "virtulIp": "10.0.0.100",
    }
    assert set(faults_of(config)) == {
        "aws:region",
        "aws:profil",
        "vpcCidr",
        "virtualIp",
        "directors[1].address",
        "directors[1].priority",
        "directorInstanceType",
        "webServers[0].weight",
        "imageId",
        "forwardingMode",
        "services[0].scheduler",
        "services[1].port",
        "vrrp.password",
        "vrrp.preemptDelaySeconds",
        "notification.from",
        "notification.to",
        "clientCidrs[0]",
        "protect",
        "tags.Role",
        "virtulIp",
    }


def test_the_defaults_are_the_original_topology() -> None:
    settings = settings_from(LEAST)
    assert settings.load_balancer == LoadBalancer(
        region="us-east-1",
        vpc_cidr="10.0.0.0/16",
        subnet_cidr="10.0.0.0/24",
        virtual_ip="10.0.0.100",
        directors=(
            Director(name="director-1", address="10.0.0.36", priority=254),
            Director(name="director-2", address="10.0.0.56", priority=253),
        ),
        web_servers=(
            WebServer(name="web-1", address="10.0.0.80", weight=100),
            WebServer(name="web-2", address="10.0.0.194", weight=100),
        ),
        services=(Service(),),
        vrrp=Vrrp(),
        notification=None,
    )
    assert (settings.client_cidrs, settings.protect, settings.tags) == (("0.0.0.0/0",), False, {})


def test_everything_that_can_be_set_arrives() -> None:
    """The settings of the original keepalived.conf, as text, the way Pulumi hands them over."""
    settings = settings_from(
        {
            "aws:region": "eu-central-1",
            "aws:profile": "work",
            "aws:allowedAccountIds": '["123456789012"]',
            "vpcCidr": "172.31.0.0/16",
            "subnetCidr": "172.31.16.0/20",
            "availabilityZone": "eu-central-1b",
            "virtualIp": "172.31.16.100",
            "directors": '[{"address": "172.31.16.10", "priority": "100"}, '
            '{"address": "172.31.16.11", "priority": 90}]',
            "webServers": '[{"address": "172.31.31.254", "weight": 3}, {"address": "172.31.16.4"}]',
            "directorInstanceType": "c6i.large",
            "webServerInstanceType": "m7i-flex.large",
            "imageName": "debian-13-amd64-*",
            "forwardingMode": "NAT",
            "services": json.dumps(
                [
                    {
                        "port": 443,
                        "scheduler": "rr",
                        "persistenceSeconds": 60,
                        "inhibitOnFailure": "true",
                        "healthCheck": {"kind": "tcp", "timeoutSeconds": 10, "retries": 3, "retryDelaySeconds": 3},
                    },
                    {"healthCheck": {"path": "/ready?deep=1", "status": 204, "intervalSeconds": "0.5"}},
                ]
            ),
            "vrrp": '{"version": 2, "routerId": 61, "advertIntervalSeconds": 1, "password": 123456, "preempt": true, '
            '"preemptDelaySeconds": 8}',
            "notification": '{"smtpServer": "10.0.0.9", "from": "lvs@example.com", "to": ["ops@example.com"]}',
            "clientCidrs": '["198.51.100.0/24", "203.0.113.7/32"]',
            "protect": "true",
            "tags": '{"Team": "web and mail"}',
        }
    )
    assert settings.load_balancer == LoadBalancer(
        region="eu-central-1",
        vpc_cidr="172.31.0.0/16",
        subnet_cidr="172.31.16.0/20",
        virtual_ip="172.31.16.100",
        directors=(
            Director(name="director-1", address="172.31.16.10", priority=100),
            Director(name="director-2", address="172.31.16.11", priority=90),
        ),
        web_servers=(
            WebServer(name="web-1", address="172.31.31.254", weight=3),
            WebServer(name="web-2", address="172.31.16.4", weight=100),
        ),
        services=(
            Service(
                port=443,
                scheduler="rr",
                persistence_seconds=60,
                inhibit_on_failure=True,
                health_check=HealthCheck(kind="tcp", timeout_seconds=10.0, retries=3, retry_delay_seconds=3.0),
            ),
            Service(health_check=HealthCheck(path="/ready?deep=1", status=204, interval_seconds=0.5)),
        ),
        vrrp=Vrrp(
            version=2,
            router_id=61,
            advert_interval_seconds=1.0,
            preempt=True,
            preempt_delay_seconds=8,
            password="123456",
        ),
        notification=Notification(smtp_server="10.0.0.9", sender="lvs@example.com", recipients=("ops@example.com",)),
    )
    assert settings.account.profile == "work"
    assert settings.account.allowed_account_ids == ("123456789012",)
    assert settings.availability_zone == "eu-central-1b"
    assert (settings.director_instance_type, settings.web_server_instance_type) == ("c6i.large", "m7i-flex.large")
    assert (settings.image_id, settings.image_name) == ("", "debian-13-amd64-*")
    assert settings.client_cidrs == ("198.51.100.0/24", "203.0.113.7/32")
    assert settings.protect is True
    assert settings.tags == {"Team": "web and mail"}


def test_a_type_with_two_addresses_holds_one_virtual_ip_and_not_two() -> None:
    one, two = Faults(), Faults()
    check_address_limit("directorInstanceType", "t3.micro", 1, one)
    check_address_limit("directorInstanceType", "t3.micro", 2, two)
    check_address_limit("directorInstanceType", "t3.small", 2, two)
    check_address_limit("directorInstanceType", "x99.unheard-of", 99, two)
    assert one.found == []
    assert [(fault.value, "3 are needed" in fault.allowed) for fault in two.found] == [("t3.micro", True)]


@st.composite
def good_configs(draw: st.DrawFn) -> dict[str, Any]:
    """Configs that obey every rule, not only the defaults' neighbours."""
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
    version = draw(st.sampled_from([2, 3]))
    hundredths = draw(st.integers(1, 4095))
    ports = draw(st.lists(st.integers(1, 65535), min_size=1, max_size=4, unique=True))
    return {
        **LEAST,
        "vpcCidr": str(vpc),
        "subnetCidr": str(subnet),
        "virtualIp": virtual_ip,
        "directors": directors(*zip(machines[: count[0]], priorities, strict=True)),
        "webServers": [{"address": a, "weight": w} for a, w in zip(machines[count[0] :], weights, strict=True)],
        "services": [{"port": port, "scheduler": draw(st.sampled_from(SCHEDULERS))} for port in ports],
        "vrrp": {
            "version": version,
            "advertIntervalSeconds": draw(st.integers(1, 255)) if version == 2 else hundredths / 100,
        },
        "tags": draw(st.dictionaries(st.from_regex(r"\Ak[A-Za-z0-9+=.,_:@-]{0,40}\Z"), st.just("v"), max_size=5)),
    }


@given(config=good_configs(), as_text=st.booleans())
def test_a_config_that_obeys_every_rule_is_taken_as_it_is(config: dict[str, Any], as_text: bool) -> None:
    given_config = {key: v if isinstance(v, str) else json.dumps(v) for key, v in config.items()} if as_text else config
    balancer = settings_from(given_config).load_balancer
    assert balancer.virtual_ip == config["virtualIp"]
    assert [(d.address, d.priority) for d in balancer.directors] == [
        (d["address"], d["priority"]) for d in config["directors"]
    ]
    assert [(w.address, w.weight) for w in balancer.web_servers] == [
        (w["address"], w["weight"]) for w in config["webServers"]
    ]
    assert [(s.port, s.scheduler) for s in balancer.services] == [
        (s["port"], s["scheduler"]) for s in config["services"]
    ]
    assert balancer.vrrp.advert_interval_seconds == config["vrrp"]["advertIntervalSeconds"]


@given(
    config=good_configs(), junk=st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.lists(st.none())
)
def test_junk_anywhere_is_a_settings_error_or_taken_never_another_exception(config: dict[str, Any], junk: Any) -> None:
    for key in DEFAULTS:
        try:
            settings_from({**config, key: junk})
        except SettingsError as error:
            assert error.faults
