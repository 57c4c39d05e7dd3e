"""Reading Pulumi's config: which keys count, what a misspelt or secret one does, what shows only when rendered."""

import json

import pulumi
import pytest
from pulumi.runtime import reset_options, set_all_config

from components import configuration
from components.configuration import read_settings
from tests.components.recorded_program import LEAST
from userdata.faults import UserDataError


def read(config: dict[str, str], secret_keys: tuple[str, ...] = ()) -> configuration.Settings:
    reset_options(project="lvs-aws", stack="dev")
    set_all_config(config, list(secret_keys))
    return read_settings()


def refusal(config: dict[str, str], secret_keys: tuple[str, ...] = ()) -> str:
    with pytest.raises(pulumi.RunError) as caught:
        read(config, secret_keys)
    return str(caught.value)


def test_settings_come_from_the_project_and_from_aws_only() -> None:
    settings = read({**LEAST, "lvs-aws:virtualIp": "10.0.0.101", "other:virtualIp": "x", "pulumi:tags": "{}"})
    assert settings.virtual_ip == "10.0.0.101"
    assert settings.account.region == "eu-central-1"


def test_the_environment_is_read_as_the_language_host_sets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({**LEAST, "lvs-aws:virtualIp": "10.0.0.102"}))
    assert read({}).virtual_ip == "10.0.0.102"


def test_faults_carry_the_keys_the_operator_types() -> None:
    text = refusal({"lvs-aws:virtalIp": "10.0.0.9", "lvs-aws:imageId": "ami-0123456789abcdef0", "aws:skipFoo": "1"})
    assert text.splitlines()[0] == "the config of stack dev has 3 faults, so nothing was begun:"
    assert "\n  lvs-aws:virtalIp = " in text
    assert "did you mean virtualIp?" in text
    assert "\n  aws:skipFoo = " in text
    assert "\n  aws:region = " in text


def test_a_secret_is_refused_and_not_shown() -> None:
    vrrp = '{"version": 3, "password": "hunter2"}'
    text = refusal({**LEAST, "lvs-aws:vrrp": vrrp, "lvs-aws:tags": "hunter2"}, ("lvs-aws:vrrp", "lvs-aws:tags"))
    assert "lvs-aws:vrrp" in text
    assert "must not be secret" in text
    assert "hunter2" not in text


def test_what_cannot_be_rendered_is_refused_before_anything_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_large(balancer: object, machine: object) -> str:
        raise UserDataError("user data of web-1 is 17000 bytes, EC2 takes 16384")

    monkeypatch.setattr(configuration, "web_server_user_data", too_large)
    text = refusal(dict(LEAST))
    assert text.startswith("the config of stack dev has 1 fault, so nothing was begun:\n  lvs-aws:services = ")
    assert "17000 bytes" in text


def test_two_hundred_web_servers_are_taken() -> None:
    servers = [{"address": f"10.0.0.{n}"} for n in range(4, 255) if n not in (36, 56, 100)][:200]
    assert len(read({**LEAST, "lvs-aws:webServers": json.dumps(servers)}).web_servers) == 200
