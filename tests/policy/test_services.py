"""Services of both protocols: each port is open for its own protocol, to clients and on both kinds of machines."""

from __future__ import annotations

import json

import pytest

from tests.policy.recorded_stack import Resources, config_of, judge, recorded, sample_config
from tests.policy.violations import Violation

SERVICES = json.dumps(
    [
        {"port": 80},
        {"port": 443, "healthCheck": {"kind": "tcp"}},
        {"port": 443, "protocol": "udp", "healthCheck": {"port": 80}},
        {"port": 53, "protocol": "udp", "healthCheck": {"kind": "udp"}},
    ]
)
RULE = "SecurityGroupIngressRule"
DNS, TLS = "udp-53-from-0-0-0-0-0", "tcp-443-from-0-0-0-0-0"
VIOLATIONS = (
    Violation(rule="networks-to-services", of=(RULE, f"director-{DNS}"), path="toPort", value=54.0),
    Violation(rule="web-server-admits-clients", of=(RULE, f"web-server-{DNS}"), path="cidrIpv4", value="10.0.0.0/8"),
    Violation(rule="web-server-admits-clients", of=(RULE, f"web-server-{TLS}"), path="ipProtocol", value="udp"),
    Violation(rule="director-protocols", of=(RULE, "director-udp-0-from-web-servers"), path="toPort", value=5000.0),
)


def said_of(resources: Resources) -> set[str]:
    return {one.rule for one in judge(resources, sample_config("prod"), stack_config=config_of("prod"))}


def test_services_of_both_protocols_violate_nothing() -> None:
    assert said_of(recorded("prod", services=SERVICES)) == set()


@pytest.mark.parametrize("violation", VIOLATIONS, ids=str)
def test_one_wrong_property_makes_exactly_its_rule_speak(violation: Violation) -> None:
    assert said_of(violation.done_to(recorded("prod", services=SERVICES))) == {violation.rule}


def test_a_port_that_is_open_for_the_other_protocol_is_no_services() -> None:
    resources = recorded("prod", services=SERVICES)
    for group in ("director", "web-server"):
        wrong = Violation(rule="networks-to-services", of=(RULE, f"{group}-{DNS}"), path="ipProtocol", value="tcp")
        resources = wrong.done_to(resources)
    assert said_of(resources) == {"networks-to-services"}
