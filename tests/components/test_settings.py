"""Every rule of the config: what is refused, with which words, and that what is not refused is right."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.fields import Faults
from components.settings import DEFAULTS, SettingsError, settings_from
from components.validation import architecture, check_address_limit
from tests.components.bad_configs import BAD, LEAST, directors
from tests.components.good_configs import good_configs
from userdata.values import Director, HealthCheck, LoadBalancer, Notification, Service, Vrrp, WebServer


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
    assert settings.production is False


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
            "imageId": "ami-0123456789abcdef0",
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
                    {"port": 443, "protocol": "udp", "healthCheck": {"kind": "udp", "payload": "00Ff"}},
                    {"port": 53, "protocol": "udp", "healthCheck": {"port": 80}},
                ]
            ),
            "vrrp": '{"version": 2, "routerId": 61, "advertIntervalSeconds": 1, "password": 123456, "preempt": true, '
            '"preemptDelaySeconds": 8}',
            "notification": '{"smtpServer": "10.0.0.9", "smtpPort": "2525", "from": "lvs@example.com", '
            '"to": ["ops@example.com"]}',
            "clientCidrs": '["198.51.100.0/24", "203.0.113.7/32"]',
            "protect": "true",
            "production": "true",
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
            Service(port=443, protocol="udp", health_check=HealthCheck(kind="udp", payload="00Ff")),
            Service(port=53, protocol="udp", health_check=HealthCheck(port=80)),
        ),
        vrrp=Vrrp(
            version=2,
            router_id=61,
            advert_interval_seconds=1.0,
            preempt=True,
            preempt_delay_seconds=8,
            password="123456",
        ),
        notification=Notification(
            smtp_server="10.0.0.9", smtp_port=2525, sender="lvs@example.com", recipients=("ops@example.com",)
        ),
    )
    assert settings.account.profile == "work"
    assert settings.account.allowed_account_ids == ("123456789012",)
    assert settings.availability_zone == "eu-central-1b"
    assert (settings.director_instance_type, settings.web_server_instance_type) == ("c6i.large", "m7i-flex.large")
    assert (settings.image_id, settings.image_name) == ("ami-0123456789abcdef0", "")
    assert settings.client_cidrs == ("198.51.100.0/24", "203.0.113.7/32")
    assert (settings.protect, settings.production) == (True, True)
    assert settings.tags == {"Team": "web and mail"}


def test_a_type_with_two_addresses_holds_one_virtual_ip_and_not_two() -> None:
    one, two = Faults(), Faults()
    check_address_limit("directorInstanceType", "t3.micro", 1, one)
    check_address_limit("directorInstanceType", "t3.micro", 2, two)
    check_address_limit("directorInstanceType", "t3.small", 2, two)
    check_address_limit("directorInstanceType", "x99.unheard-of", 99, two)
    assert one.found == []
    assert [(fault.value, "3 are needed" in fault.allowed) for fault in two.found] == [("t3.micro", True)]


@pytest.mark.parametrize(
    ("instance_type", "expected"),
    [
        *(
            (name, "arm64")
            for name in ("a1.large", "t4g.nano", "m7gd.large", "c7gn.large", "im4gn.large", "g5g.xlarge")
        ),
        *(
            (name, "amd64")
            for name in ("t3.micro", "t3a.micro", "m7i-flex.large", "g4dn.xlarge", "g5.xlarge", "mac1.metal")
        ),
    ],
)
def test_the_architecture_is_read_off_the_instance_type(instance_type: str, expected: str) -> None:
    assert architecture(instance_type) == expected


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
    assert [(s.port, s.scheduler, s.protocol) for s in balancer.services] == [
        (s["port"], s["scheduler"], s["protocol"]) for s in config["services"]
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
