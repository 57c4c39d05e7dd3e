"""The agent's two calls: signed ahead where that is possible, never sent before they are asked for."""

import socket
from collections.abc import Iterator

import pytest

from tests.userdata.fake_aws import ALLOCATION, INTERFACE, MAC, VIRTUAL_IP, FakeAws
from userdata.director.agent.decision import Call
from userdata.director.agent.ec2 import Ec2
from userdata.director.agent.metadata import Identity

IDENTITY = Identity(mac=MAC, interface_id=INTERFACE, allocation_id=ALLOCATION)
ASSIGNMENT = {
    "Action": "AssignPrivateIpAddresses",
    "Version": "2016-11-15",
    "NetworkInterfaceId": INTERFACE,
    "PrivateIpAddress.1": VIRTUAL_IP,
    "AllowReassignment": "true",
}
ASSOCIATION = {
    "Action": "AssociateAddress",
    "Version": "2016-11-15",
    "NetworkInterfaceId": INTERFACE,
    "AllocationId": ALLOCATION,
    "PrivateIpAddress": VIRTUAL_IP,
    "AllowReassociation": "true",
}


@pytest.fixture
def aws() -> Iterator[FakeAws]:
    with FakeAws() as world:
        yield world


def ec2_at(url: str, monkeypatch: pytest.MonkeyPatch) -> Ec2:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    return Ec2("eu-central-1", VIRTUAL_IP)


@pytest.fixture
def ec2(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> Ec2:
    return ec2_at(aws.url, monkeypatch)


def unable(*_: object, **__: object) -> None:
    raise ValueError


def test_what_ec2_is_asked_for(aws: FakeAws, ec2: Ec2) -> None:
    assert [ec2.call(call, IDENTITY) for call in Call] == [None, None]
    assert [request for _, request in aws.requests] == [ASSIGNMENT, ASSOCIATION]


def test_a_rehearsal_moves_nothing(aws: FakeAws, ec2: Ec2) -> None:
    assert [ec2.rehearse(IDENTITY) for _ in range(3)] == [None] * 3
    assert aws.requests == [] and not aws.owner


def test_a_claim_after_a_rehearsal_is_signed_already(aws: FakeAws, ec2: Ec2, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ec2.rehearse(IDENTITY) is None
    aws.refusals = ["AuthFailure"]
    with monkeypatch.context() as patched:
        patched.setattr(ec2, "_sign", unable)
        assert ec2.call(Call.ASSIGN, IDENTITY) == "AuthFailure"
        assert ec2.call(Call.ASSIGN, IDENTITY) == "ValueError", "the second attempt is signed anew"
    assert ec2.call(Call.ASSIGN, IDENTITY) is None
    assert [request for _, request in aws.requests] == [ASSIGNMENT] * 2


def test_nothing_is_signed_ahead_of_a_refusal(aws: FakeAws, ec2: Ec2, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.rehearsal_refusal = "UnauthorizedOperation"
    assert ec2.rehearse(IDENTITY) == "UnauthorizedOperation"
    monkeypatch.setattr(ec2, "_sign", unable)
    assert ec2.call(Call.ASSIGN, IDENTITY) == "ValueError"


def test_what_cannot_be_signed_ahead_is_no_fault_of_the_rehearsal(
    aws: FakeAws, ec2: Ec2, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The thread that rehearses must not end: the agent would with it."""
    signed = ec2._sign
    monkeypatch.setattr(
        ec2, "_sign", lambda call, *more, **also: (unable if call is Call.ASSIGN else signed)(call, *more, **also)
    )
    assert ec2.rehearse(IDENTITY) is None


def test_a_repair_is_not_sent_as_a_claim(aws: FakeAws, ec2: Ec2) -> None:
    ec2.rehearse(IDENTITY)
    assert ec2.call(Call.ASSOCIATE, IDENTITY) is None
    assert aws.actions == ["AssociateAddress"]


def test_what_goes_wrong_has_a_name(aws: FakeAws, ec2: Ec2, monkeypatch: pytest.MonkeyPatch) -> None:
    aws.refusals = ["RequestLimitExceeded", "InternalError"]
    assert [ec2.call(Call.ASSIGN, IDENTITY) for _ in range(3)] == ["RequestLimitExceeded", "InternalError", None]
    assert ec2.answered
    monkeypatch.setattr("tests.userdata.fake_aws._error", lambda _: (502, "<html>a proxy's own page</html>"))
    aws.refusals = ["anything"]
    assert ec2.call(Call.ASSIGN, IDENTITY) == "HTTP 502"


def test_who_does_not_answer_is_named_by_the_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        ec2 = ec2_at(f"http://127.0.0.1:{silent.getsockname()[1]}", monkeypatch)
        assert ec2.call(Call.ASSIGN, IDENTITY) == "ReadTimeoutError"
    assert ec2.call(Call.ASSIGN, IDENTITY) == "EndpointConnectionError"
    assert not ec2.answered


def test_without_credentials_it_says_so(aws: FakeAws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    assert Ec2("eu-central-1", VIRTUAL_IP).call(Call.ASSIGN, IDENTITY) == "NoCredentialsError"
    assert aws.requests == []
