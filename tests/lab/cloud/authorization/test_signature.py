"""Signature Version 4: a request is the one that was signed, or it is not."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lab.cloud.authorization.signature import Call, Claim, is_signed, read_claim, stamp_of
from tests.lab.cloud.authorization.signing import signed

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
BODY = b"Action=AssignPrivateIpAddresses&NetworkInterfaceId=eni-1"
AGENT = {"user-agent": "some  sdk/1.0", "content-type": "application/x-www-form-urlencoded; charset=utf-8"}


def call(**options: str) -> Call:
    headers = signed(host="127.0.0.1:5000", body=BODY, key_id="AKID", secret=SECRET, more=AGENT, **options)
    return Call(method="POST", url="http://127.0.0.1:5000/", headers=headers, body=BODY)


def claim_of(given: Call) -> Claim:
    claim = read_claim(given.headers["authorization"])
    assert claim is not None
    return claim


def holds(given: Call, secret: str = SECRET) -> bool:
    return is_signed(given, claim_of(given), secret)


def test_the_published_example() -> None:
    """`get-vanilla` of AWS's own test suite for Signature Version 4."""
    authorization = (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        "SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    )
    headers = {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z", "authorization": authorization}
    given = Call(method="GET", url="https://example.amazonaws.com/", headers=headers, body=b"")
    assert holds(given)
    assert not holds(given, SECRET.lower())
    assert claim_of(given) == Claim(
        key_id="AKIDEXAMPLE",
        day="20150830",
        region="us-east-1",
        service="service",
        signed_headers=("host", "x-amz-date"),
        signature="5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
    )
    assert stamp_of(given) == datetime(2015, 8, 30, 12, 36, tzinfo=UTC)


def test_what_botocore_signs_and_what_others_do() -> None:
    request = AWSRequest(method="POST", url="http://127.0.0.1:5000/?b=2&a=%2F", data=BODY, headers={"Host": "h:1"})
    SigV4Auth(Credentials("AKID", SECRET, "token"), "ec2", "us-east-1").add_auth(request)
    headers = {name.lower(): value for name, value in request.headers.items()}
    assert holds(Call(method="POST", url=request.url, headers=headers, body=BODY))
    assert holds(call())  # with its user agent, which botocore would not sign
    assert holds(call(token="token"))
    assert holds(replace(call(), headers={**call().headers, "accept": "anything"}))


@pytest.mark.parametrize(
    "change",
    [
        lambda given: replace(given, body=BODY + b"&DryRun=true"),
        lambda given: replace(given, body=b""),
        lambda given: replace(given, method="GET"),
        lambda given: replace(given, url="http://127.0.0.1:5000/other"),
        lambda given: replace(given, url="http://127.0.0.1:5000/?NetworkInterfaceId=eni-2"),
        lambda given: replace(given, headers={**given.headers, "host": "other"}),
        lambda given: replace(given, headers={**given.headers, "content-type": "text/plain"}),
        lambda given: replace(given, headers={**given.headers, "x-amz-date": "20200101T000000Z"}),
        # What says what the request is must be signed with it.
        lambda given: replace(given, headers={**given.headers, "x-amz-target": "AmazonSSM.GetParameter"}),
        lambda given: replace(given, headers={**given.headers, "x-amz-security-token": "token"}),
        lambda given: replace(given, headers={name: v for name, v in given.headers.items() if name != "user-agent"}),
    ],
)
def test_a_changed_request_is_another_one(change: Callable[[Call], Call]) -> None:
    assert holds(call())
    assert not holds(change(call()))


def test_the_scope_is_signed_too() -> None:
    given = call()
    for change in ({"region": "eu-west-1"}, {"service": "iam"}, {"day": "20200101"}, {"signature": "0" * 64}):
        assert not is_signed(given, replace(claim_of(given), **change), SECRET)


def test_a_body_whose_hash_is_said_must_have_it() -> None:
    """Or a hash of the body that was signed would do for any body."""
    said = {"x-amz-content-sha256": hashlib.sha256(BODY).hexdigest()}
    honest = signed(host="h", body=BODY, key_id="AKID", secret=SECRET, more=said)
    given = Call(method="POST", url="http://h/", headers=honest, body=BODY)
    assert holds(given)
    assert not holds(replace(given, body=b"Action=TerminateInstances"))


def test_host_must_be_signed() -> None:
    headers = signed(host="h", body=BODY, key_id="AKID", secret=SECRET, left_out=("host",))
    assert not holds(Call(method="POST", url="http://h/", headers=headers, body=BODY))


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic bGFiOmxhYg==",
        "AWS AKID:signature",
        "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/ec2, SignedHeaders=host, Signature=ab",
        "AWS4-HMAC-SHA256 Credential=AKID/2015/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=ab",
        "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/ec2/aws4_request, Signature=ab",
        "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/ec2/aws4_request, SignedHeaders=host",
        "AWS4-ECDSA-P256-SHA256 Credential=AKID/20150830/us-east-1/ec2/aws4_request, SignedHeaders=host, Signature=ab",
    ],
)
def test_what_is_no_signature(authorization: str) -> None:
    assert read_claim(authorization) is None


def test_a_request_may_not_say_when_it_was_signed() -> None:
    for stamp in ("", "2015-08-30T12:36:00Z", "20150830T126000Z"):
        assert stamp_of(Call(method="POST", url="/", headers={"x-amz-date": stamp}, body=b"")) is None
