"""The VPC's resolver."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from dnslib import QTYPE, RCODE, DNSRecord

from lab.cloud.dns import DnsServer, Resolver

RESOLVER = Resolver(region="us-east-1", has_address=lambda address: address == "10.0.0.36")
FRANKFURT = Resolver(region="eu-central-1", has_address=lambda address: address == "10.0.0.36")


def ask(resolver: Resolver, name: str, kind: str = "A") -> tuple[str, list[str]]:
    answer = resolver.answer(DNSRecord.question(name, kind).pack())
    assert answer is not None
    record = DNSRecord.parse(answer)
    return RCODE[record.header.rcode], [str(each.rdata) for each in record.rr if QTYPE[each.rtype] == kind]


@pytest.mark.parametrize(
    ("resolver", "name"),
    [
        (RESOLVER, "ec2.us-east-1.amazonaws.com"),
        (RESOLVER, "EC2.us-east-1.AMAZONAWS.com."),
        (RESOLVER, "sts.amazonaws.com"),
        (RESOLVER, "iam.amazonaws.com"),
        (FRANKFURT, "ssm.eu-central-1.amazonaws.com"),
    ],
)
def test_endpoints(resolver: Resolver, name: str) -> None:
    assert ask(resolver, name) == ("NOERROR", ["192.0.2.10"])


def test_the_package_mirror_is_on_the_labs_internet() -> None:
    assert ask(RESOLVER, "packages.lab.test") == ("NOERROR", ["192.0.2.20"])


def test_the_mail_server_is_on_the_labs_internet() -> None:
    assert ask(RESOLVER, "mail.lab.test") == ("NOERROR", ["192.0.2.30"])


def test_names_of_interfaces() -> None:
    assert ask(RESOLVER, "ip-10-0-0-36.ec2.internal") == ("NOERROR", ["10.0.0.36"])
    assert ask(FRANKFURT, "ip-10-0-0-36.eu-central-1.compute.internal") == ("NOERROR", ["10.0.0.36"])
    assert ask(RESOLVER, "36.0.0.10.in-addr.arpa", "PTR") == ("NOERROR", ["ip-10-0-0-36.ec2.internal."])


def test_a_name_without_that_kind_of_record_exists() -> None:
    assert ask(RESOLVER, "ec2.us-east-1.amazonaws.com", "AAAA") == ("NOERROR", [])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ec2.eu-central-1.amazonaws.com", "A"),
        ("ip-10-0-0-37.ec2.internal", "A"),
        ("ip-10-0-0-36.eu-central-1.compute.internal", "A"),
        ("37.0.0.10.in-addr.arpa", "PTR"),
        ("x.0.0.10.in-addr.arpa", "PTR"),
        ("does-not-exist.example.com", "A"),
        ("example.com", "AAAA"),
    ],
)
def test_everything_else_does_not_exist(name: str, kind: str) -> None:
    assert ask(RESOLVER, name, kind) == ("NXDOMAIN", [])


@pytest.mark.parametrize("packet", [b"", b"x", b"\0" * 12, DNSRecord.question("a.b").reply().pack()])
def test_what_is_no_query_is_not_answered(packet: bytes) -> None:
    assert RESOLVER.answer(packet) is None


@pytest.fixture
def server() -> Iterator[DnsServer]:
    server = DnsServer(RESOLVER, "0.0.0.0", 0)
    server.start()
    yield server
    server.close()


@pytest.mark.cloud
@pytest.mark.parametrize("asked", ["127.0.0.1", "127.0.0.2"])
def test_udp_answers_come_from_the_address_that_was_asked(server: DnsServer, asked: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.connect((asked, server.port))  # a connected socket takes answers from there only
        client.send(DNSRecord.question("sts.amazonaws.com").pack())
        assert str(DNSRecord.parse(client.recv(512)).rr[0].rdata) == "192.0.2.10"


@pytest.mark.cloud
def test_tcp(server: DnsServer) -> None:
    query = DNSRecord.question("sts.amazonaws.com").pack()
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client, client.makefile("rb") as stream:
        for _ in range(2):
            client.sendall(struct.pack("!H", len(query)) + query)
            answer = stream.read(struct.unpack("!H", stream.read(2))[0])
            assert str(DNSRecord.parse(answer).rr[0].rdata) == "192.0.2.10"
