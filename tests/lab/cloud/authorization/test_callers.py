"""Who calls: keys, signatures, tokens, dates; and who is the administrator, of whom nothing is asked."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.auth
import pytest
from botocore.exceptions import ClientError
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends
from werkzeug.test import Client

from lab.cloud.api import Api
from lab.cloud.authorization.gate import is_administrator
from lab.cloud.local import LocalCloud
from tests.lab.cloud.authorization.conftest import ROOT, Caller, Callers, allow
from tests.lab.cloud.authorization.scene import ACCOUNT
from tests.lab.cloud.authorization.signing import FORM, signed, signed_post
from tests.lab.cloud.conftest import client, refused

pytestmark = pytest.mark.cloud
# What one asks of each service, and its codes: nobody's key, a signature that does not hold, a session that is over.
SERVICES: dict[str, tuple[Callable[[Any], Any], tuple[str, int], tuple[str, int], tuple[str, int]]] = {
    "ec2": (lambda c: c.describe_vpcs(), ("AuthFailure", 401), ("AuthFailure", 401), ("RequestExpired", 400)),
    "iam": (
        lambda c: c.list_roles(),
        ("InvalidClientTokenId", 403),
        ("SignatureDoesNotMatch", 403),
        ("ExpiredToken", 403),
    ),
    "sts": (
        lambda c: c.get_caller_identity(),
        ("InvalidClientTokenId", 403),
        ("SignatureDoesNotMatch", 403),
        ("ExpiredToken", 403),
    ),
    "ssm": (
        lambda c: c.describe_parameters(),
        ("UnrecognizedClientException", 400),
        ("InvalidSignatureException", 400),
        ("ExpiredTokenException", 400),
    ),
}


def answer(call: Callable[[], Any]) -> tuple[str, int]:
    """The code and HTTP status of a refusal."""
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


def post(cloud: LocalCloud, caller: Caller, **options: Any) -> tuple[int, str]:
    """DescribeVpcs, signed by our own hand; the status and the answer."""
    body = b"Action=DescribeVpcs&Version=2016-11-15"
    token = options.pop("token", caller.token)
    return signed_post(cloud.endpoint, body, key_id=caller.key_id, secret=caller.secret, token=token, **options)


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_knows_sessions_and_users(callers: Callers, service: str) -> None:
    call, unknown, mismatch, _ = SERVICES[service]
    for caller in (callers.role(allow()), callers.user(allow())):
        call(caller(service))
        wrong_secret = replace(caller, secret=caller.secret[::-1], clients={})
        assert answer(lambda it=wrong_secret: call(it(service))) == mismatch
        wrong_token = replace(caller, token="x" * 80, clients={})
        assert answer(lambda it=wrong_token: call(it(service))) == unknown
    without_token = replace(callers.role(allow()), token=None, clients={})
    assert answer(lambda: call(without_token(service))) == unknown
    unknown_session = replace(without_token, key_id="ASIAQQQQQQQQQQQQQQQQ", clients={})
    assert answer(lambda: call(unknown_session(service))) == unknown


@pytest.mark.parametrize("service", SERVICES)
def test_a_session_ends(callers: Callers, service: str) -> None:
    call, _, _, over = SERVICES[service]
    caller = callers.role(allow())
    call(caller(service))
    session = sts_backends[ACCOUNT]["aws"].get_assumed_role_from_access_key(caller.key_id)
    session.expiration = (datetime.now(UTC) - timedelta(seconds=1)).replace(tzinfo=None)
    assert answer(lambda: call(caller(service))) == over


def test_whose_key_is_gone_is_nobody(callers: Callers, iam: Any) -> None:
    """And not the administrator, as with a key that never was one of the account's."""
    user = callers.user(allow())
    iam.update_access_key(UserName=user.name, AccessKeyId=user.key_id, Status="Inactive")
    assert answer(lambda: user("ec2").describe_vpcs()) == ("AuthFailure", 401)
    iam.update_access_key(UserName=user.name, AccessKeyId=user.key_id, Status="Active")
    user("ec2").describe_vpcs()
    iam.delete_access_key(UserName=user.name, AccessKeyId=user.key_id)
    assert answer(lambda: user("ec2").describe_vpcs()) == ("AuthFailure", 401)
    session = callers.role(allow())
    iam.delete_role_policy(RoleName=session.name, PolicyName="rights")
    iam.delete_role(RoleName=session.name)
    assert answer(lambda: session("ec2").describe_vpcs()) == ("AuthFailure", 401)


def test_the_administrator_is_whoever_has_another_key(cloud: LocalCloud) -> None:
    for key_id in ("lab", "test", "AKIAIOSFODNN7EXAMPLE"):
        keys = {"aws_access_key_id": key_id, "aws_secret_access_key": "anything"}
        assert client(cloud, "ec2", **keys).describe_vpcs()["Vpcs"]
        with refused("AuthFailure"):
            client(cloud, "ec2", **keys, aws_session_token="token").describe_vpcs()


@pytest.mark.parametrize(
    ("address", "administrator"),
    [("127.0.0.1", True), ("192.168.1.7", True), ("", True), ("203.0.113.9", False)],
)
def test_a_machine_of_the_lab_is_not_its_administrator(address: str, administrator: bool) -> None:
    """From inside the lab's network nobody's key is nobody's, as on AWS: the lab's user reaches the host's port."""
    assert is_administrator("lab", address) is administrator


def test_a_machines_made_up_key_is_refused(cloud: LocalCloud) -> None:
    http = Client(Api(cloud.account, delay_seconds=0.0))
    body = b"Action=DescribeVpcs&Version=2016-11-15"
    headers = signed(host="localhost", body=body, key_id="lab", secret="lab", more=FORM)
    for address, status in (("127.0.0.1", 200), ("203.0.113.9", 401)):
        got = http.post("/", data=body, headers=headers, environ_overrides={"REMOTE_ADDR": address})
        assert got.status_code == status, got.text
    assert "AuthFailure" in got.text


@pytest.mark.parametrize(
    ("minutes", "status", "code"),
    [
        (0, 200, "vpcSet"),
        (-4.8, 200, "vpcSet"),
        (4.8, 200, "vpcSet"),
        (-5.2, 400, "RequestExpired"),
        (5.2, 400, "RequestExpired"),
    ],
)
def test_a_date_may_be_five_minutes_off(
    cloud: LocalCloud, callers: Callers, minutes: float, status: int, code: str
) -> None:
    got = post(cloud, callers.user(allow()), when=datetime.now(UTC) + timedelta(minutes=minutes))
    assert got[0] == status and code in got[1]


@pytest.mark.parametrize(
    ("minutes", "words"), [(-6, ("Signature expired", "now earlier")), (6, ("not yet current", "still later"))]
)
def test_other_services_say_how_far_off_the_date_is(
    callers: Callers, monkeypatch: pytest.MonkeyPatch, minutes: int, words: tuple[str, ...]
) -> None:
    caller = callers.role(allow())
    clients = [caller(service) for service in ("iam", "ssm")]
    shifted = datetime.now(UTC) + timedelta(minutes=minutes)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: shifted)
    with refused("SignatureDoesNotMatch", *words):
        clients[0].list_roles()
    with refused("InvalidSignatureException", *words):
        clients[1].describe_parameters()


def test_a_tampered_body_and_a_tampered_scope(cloud: LocalCloud, callers: Callers) -> None:
    user = callers.user(allow())
    assert post(cloud, user)[0] == 200
    assert post(cloud, user, sent=b"Action=DescribeVolumes&Version=2016-11-15")[0] == 401
    assert post(cloud, user, region="eu-west-1", when=datetime.now(UTC))[0] == 200  # a client of another region
    assert post(cloud, user, left_out=("host",))[0] == 401
    got = post(cloud, user, more={"x-moto-account-id": "999999999999"})
    assert got[0] == 200 and ACCOUNT in got[1]  # there is one account, whatever moto's header says


def test_the_region_that_is_asked_is_the_one_that_was_signed(cloud: LocalCloud, callers: Callers) -> None:
    """moto takes the region from an agent's name before it looks at the signature."""
    assert post(cloud, callers.user(allow()), more={"user-agent": "sdk region/eu-west-1"})[0] == 401


def test_a_session_token_must_be_signed(cloud: LocalCloud, callers: Callers) -> None:
    session = callers.role(allow())
    assert post(cloud, session)[0] == 200
    assert post(cloud, session, left_out=("x-amz-security-token",))[0] == 401
    assert post(cloud, session, token=None)[0] == 401


def test_another_client_is_understood_too(cloud: LocalCloud, callers: Callers) -> None:
    session = callers.role(allow())

    def curl(secret: str) -> str:
        done = subprocess.run(
            [
                "curl", "--silent", "--max-time", "20", "--user", f"{session.key_id}:{secret}",
                "--aws-sigv4", "aws:amz:us-east-1:ec2", "--header", f"X-Amz-Security-Token: {session.token}",
                "--data", "Action=DescribeVpcs&Version=2016-11-15", f"{cloud.endpoint}/",
            ],
            capture_output=True,
            text=True,
            check=True,
        )  # fmt: skip
        return done.stdout

    assert "<vpcSet>" in curl(session.secret)
    assert "AuthFailure" in curl(session.secret[::-1])


def test_who_one_is_needs_no_permission(callers: Callers) -> None:
    session, user = callers.role(), callers.user()
    assert session("sts").get_caller_identity()["Arn"] == (
        f"arn:aws:sts::{ACCOUNT}:assumed-role/{session.name}/a-session"
    )
    assert user("sts").get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/{user.name}"
    with refused("AccessDenied", "sts:GetAccessKeyInfo"):
        session("sts").get_access_key_info(AccessKeyId=session.key_id)


def test_a_session_has_the_rights_its_role_has_now(callers: Callers, iam: Any) -> None:
    session = callers.role()
    with refused("UnauthorizedOperation"):
        session("ec2").describe_vpcs()
    rights = json.dumps({"Version": "2012-10-17", "Statement": allow("ec2:DescribeVpcs")})
    iam.put_role_policy(RoleName=session.name, PolicyName="rights", PolicyDocument=rights)
    session("ec2").describe_vpcs()
    iam.delete_role_policy(RoleName=session.name, PolicyName="rights")
    with refused("UnauthorizedOperation"):
        session("ec2").describe_vpcs()


def test_roles_in_other_accounts_are_not_there(callers: Callers) -> None:
    foreign = callers.session_of("arn:aws:iam::999999999999:role/admin", "admin")
    with refused("AuthFailure"):
        foreign("ec2").describe_vpcs()
    assert ROOT.split(":")[4] == ACCOUNT and list(iam_backends[ACCOUNT]["aws"].roles) == []
