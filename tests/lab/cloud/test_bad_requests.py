"""What is no request, or no call, or no parameter: EC2's error each time, never a crash or a hang."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.cloud.api import Api
from lab.cloud.authority import ensure_authority
from lab.cloud.local import LocalCloud
from lab.cloud.request_check import BadRequestError, check
from lab.cloud.servers import BODY_BYTES, Server, listen
from tests.lab.cloud.serving import FORM, SIGNED

pytestmark = pytest.mark.cloud


def ask(cloud: LocalCloud, body: str | bytes, *, authorization: str | None = SIGNED) -> tuple[int, str]:
    """The status and EC2's error code (empty without one) of a POST with that body."""
    connection = http.client.HTTPConnection(cloud.endpoint.removeprefix("http://"), timeout=10)
    headers = {"Content-Type": FORM} | ({} if authorization is None else {"Authorization": authorization})
    connection.request("POST", "/", body, headers)
    answer = connection.getresponse()
    found = re.search("<Code>(.*?)</Code>", answer.read().decode())
    return answer.status, found[1] if found else ""


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Action": "MakeCoffee"}, "InvalidAction"),
        ({"Version": "2016-11-15"}, "MissingAction"),
        ({"Action": ""}, "MissingAction"),
        ({"Action": "DescribeVpcs", "Colour": "red"}, "UnknownParameter"),
        ({"Action": "DescribeVpcs", "VpcId.x": "vpc-1"}, "UnknownParameter"),
        ({"Action": "DescribeVpcs", "VpcId.0": "vpc-1"}, "UnknownParameter"),
        ({"Action": "DescribeVpcs", "VpcId": "vpc-1"}, "UnknownParameter"),
        ({"Action": "DescribeVpcs", "VpcId.1.Name": "vpc-1"}, "UnknownParameter"),
        ({"Action": "DescribeVpcs", "Filter.1.Name.Name": "x"}, "UnknownParameter"),
        ({"Action": "DescribeVpcs", "Filter.1": "x", "Filter.1.Name": "y"}, "UnknownParameter"),
        ({"Action": "DescribeVpcs", "MaxResults": "many"}, "InvalidParameterValue"),
        ({"Action": "DescribeVpcs", "MaxResults": "99999999999"}, "InvalidParameterValue"),
        ({"Action": "DescribeVpcs", "MaxResults": "٣"}, "InvalidParameterValue"),
        ({"Action": "DescribeVpcs", "DryRun": "perhaps"}, "InvalidParameterValue"),
        ({"Action": "DescribeVpcs", "VpcId.1": "vpc-\x00"}, "InvalidCharacter"),
        ({"Action": "AssignPrivateIpAddresses"}, "MissingParameter"),
        ({"Action": "AssignPrivateIpAddresses", "NetworkInterfaceId": ""}, "MissingParameter"),
        ({"Action": "CreateTags", "ResourceId.1": "vpc-1"}, "MissingParameter"),
    ],
)
def test_a_query_that_is_no_call(cloud: LocalCloud, fields: dict[str, str], code: str) -> None:
    assert ask(cloud, urlencode(fields)) == (400, code)


@pytest.mark.parametrize(
    ("body", "authorization", "status", "code"),
    [
        ("Action=DescribeVpcs&broken", SIGNED, 400, "MalformedQueryString"),
        ("Action=DescribeVpcs&Action=CreateVpc", SIGNED, 400, "MalformedQueryString"),
        (b"\xff\xfe\x00", SIGNED, 400, "MalformedQueryString"),
        ("Action=DescribeVpcs&VpcId.1=%ff", SIGNED, 400, "MalformedQueryString"),
        ("&".join(f"VpcId.{n}=v" for n in range(1, 10_002)), SIGNED, 400, "MalformedQueryString"),
        ("", SIGNED, 400, "MissingAction"),
        ("Action=DescribeVpcs", None, 403, "MissingAuthenticationToken"),
        ("Action=DescribeVpcs", "Basic dXNlcg==", 403, "MissingAuthenticationToken"),
        ("Action=DescribeVpcs", SIGNED.replace("/ec2/", "/s3/"), 400, "InvalidAction"),
    ],
)
def test_a_request_that_is_no_query(
    cloud: LocalCloud, body: str | bytes, authorization: str | None, status: int, code: str
) -> None:
    assert ask(cloud, body, authorization=authorization) == (status, code)


def send(cloud: LocalCloud, data: bytes, *, then_close: bool = False) -> bytes:
    """What comes back for raw bytes, until the server closes or nothing comes for a while."""
    host, _, port = cloud.endpoint.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(data)
        if then_close:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while data := connection.recv(65536):
            received += data
            if b"</Response>" in received:
                break
        return received


def test_a_huge_body_is_refused_without_being_kept(cloud: LocalCloud) -> None:
    head = f"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: {SIGNED}\r\nContent-Length: {BODY_BYTES + 1}\r\n\r\n"
    assert b" 413 " in send(cloud, head.encode() + b"A" * (BODY_BYTES + 1)).splitlines()[0]
    chunked = f"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: {SIGNED}\r\nTransfer-Encoding: chunked\r\n\r\n"
    piece = b"10000\r\n" + b"A" * 65536 + b"\r\n"
    assert b" 413 " in send(cloud, chunked.encode() + piece * 20 + b"0\r\n\r\n").splitlines()[0]
    assert ask(cloud, "Action=DescribeVpcs") == (200, "")


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\r\n" * 4,  # TLS where HTTP is spoken
        b"nonsense\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
        b"GET //[:: HTTP/1.1\r\n\r\n",
        b"GET /" + b"a" * 70000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X-A: b\r\n" * 200 + b"\r\n",
    ],
)
def test_what_is_no_http_is_answered_and_the_server_goes_on(cloud: LocalCloud, data: bytes) -> None:
    answer = send(cloud, data, then_close=True)
    assert b" 200 " not in answer
    assert b"Traceback" not in answer
    assert ask(cloud, "Action=DescribeVpcs") == (200, "")


def test_a_body_that_ends_early_is_a_bad_request(cloud: LocalCloud) -> None:
    head = f"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: {SIGNED}\r\nContent-Length: 100\r\n\r\nAction="
    assert b" 400 " in send(cloud, head.encode(), then_close=True).splitlines()[0]


@pytest.fixture
def tls_port(cloud: LocalCloud, tmp_path: Path) -> Iterator[int]:
    issued = ensure_authority(tmp_path / "authority").issue(["ec2.us-east-1.amazonaws.com"], tmp_path / "issued")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued.certificate, issued.key)
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    server = Server(listener, Api(cloud.account, delay_seconds=0), tls=context)
    server.start()
    yield port
    server.shutdown()
    server.server_close()


def test_broken_tls_ends_that_connection_only(tls_port: int, tmp_path: Path) -> None:
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\x00" * 100, b""):
        # The server may be gone before we have said all.
        with socket.create_connection(("127.0.0.1", tls_port), timeout=10) as connection, suppress(OSError):
            connection.sendall(garbage)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    trusting = ssl.create_default_context(cafile=tmp_path / "authority" / "ca.pem")
    with (
        socket.create_connection(("127.0.0.1", tls_port), timeout=10) as raw,
        trusting.wrap_socket(raw, server_hostname="ec2.us-east-1.amazonaws.com") as connection,
    ):
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert b" 403 " in connection.recv(4096)


NAMES = st.sampled_from(["VpcId", "Filter", "Name", "Value", "1", "2", "0", "MaxResults", "PrivateIpAddress", "DryRun"])
PATHS = st.lists(NAMES | st.text(max_size=6), min_size=1, max_size=5).map(".".join)
ACTIONS = st.sampled_from(["DescribeVpcs", "RunInstances", "AssignPrivateIpAddresses", "CreateTags"]) | st.text()


@settings(max_examples=500, deadline=None)
@given(action=ACTIONS, fields=st.lists(st.tuples(PATHS, st.text(max_size=20))))
def test_the_check_of_any_query_ends_with_a_verdict(action: str, fields: list[tuple[str, str]]) -> None:
    try:
        check(action, fields)
    except BadRequestError as refused:
        assert re.fullmatch("[A-Z][A-Za-z]+", refused.code)
        assert str(refused)


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("DescribeVpcs", {}),
        ("DescribeVpcs", {"Filter.1.Name": "tag:Name", "Filter.1.Value.1": "x", "Version": "2016-11-15"}),
        ("RunInstances", {"MinCount": "1", "MaxCount": "1", "NetworkInterface.1.PrivateIpAddresses.1.Primary": "true"}),
        ("ModifyInstanceAttribute", {"InstanceId": "i-1", "UserData.Value": "aGVsbG8="}),
    ],
)
def test_a_good_query_passes(action: str, fields: dict[str, str]) -> None:
    check(action, [("Action", action), *fields.items()])


def test_a_blob_that_is_not_base64_is_refused() -> None:
    with pytest.raises(BadRequestError) as caught:
        check("ModifyInstanceAttribute", [("InstanceId", "i-1"), ("UserData.Value", "h\u00e9llo!")])
    assert caught.value.code == "InvalidParameterValue"
