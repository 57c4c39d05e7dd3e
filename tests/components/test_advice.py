"""What the operator is warned of: it is allowed, and most likely not meant."""

from __future__ import annotations

import json
from typing import Any

import pulumi
import pytest
from pulumi.runtime import reset_options, set_all_config

from components.advice import advice
from components.configuration import read_settings
from components.settings import settings_from
from tests.components.bad_configs import LEAST, mail


def warnings(config: dict[str, Any]) -> list[str]:
    return [str(each) for each in advice(settings_from({**LEAST, **config}))]


@pytest.mark.parametrize(
    "config",
    [
        {},
        mail(),  # a name may be anything
        mail(smtpServer="10.0.0.9"),
        mail(smtpServer="192.168.7.9"),
        mail(smtpServer="192.0.2.30", smtpPort=2525),
        {"vpcCidr": "198.51.0.0/16", "subnetCidr": "198.51.100.0/24", "virtualIp": "198.51.100.100",
         "directors": [{"address": f"198.51.100.{n}", "priority": n} for n in (36, 56)],
         "webServers": [{"address": "198.51.100.80"}], **mail(smtpServer="198.51.7.7")},
    ],
)  # fmt: skip
def test_nothing_is_said_of_what_works(config: dict[str, Any]) -> None:
    assert warnings(config) == []


def test_port_25_of_a_public_address() -> None:
    [text] = warnings(mail(smtpServer="192.0.2.30"))
    assert text.startswith(
        "notification.smtpPort = 25: EC2 drops mail to port 25 of public addresses such as 192.0.2.30"
    )
    assert "2525" in text


@pytest.mark.parametrize("port", [465, 587])
def test_ports_where_tls_and_a_password_are_asked_for(port: int) -> None:
    [text] = warnings(mail(smtpPort=port))
    assert text.startswith(f"notification.smtpPort = {port}: ") and "TLS" in text


def test_the_program_says_it_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", said.append)
    reset_options(project="lvs-aws", stack="dev")
    values = {**LEAST, **{f"lvs-aws:{key}": json.dumps(value) for key, value in mail(smtpServer="192.0.2.30").items()}}
    values["lvs-aws:imageId"] = values.pop("imageId")
    set_all_config(values, [])
    assert read_settings().notification is not None
    [text] = said
    assert text.startswith("lvs-aws:notification.smtpPort = 25: ")
