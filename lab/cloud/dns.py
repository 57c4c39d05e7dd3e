"""The VPC's resolver: AWS's endpoints, the lab's own servers, the private names of interfaces; nothing else, at once.

The answer is at once because cloud-init waits tens of seconds for a name server that is silent.
"""

from __future__ import annotations

import ipaddress
import logging
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from dnslib import PTR, QTYPE, RCODE, RR, A, DNSError, DNSRecord

from lab.names import (
    API_ADDRESS,
    MAIL_ADDRESS,
    MAIL_NAME,
    PACKAGES_ADDRESS,
    PACKAGES_NAME,
    address_of_internal_name,
    internal_name,
)

log = logging.getLogger(__name__)
OWN_SERVERS = {PACKAGES_NAME: PACKAGES_ADDRESS, MAIL_NAME: MAIL_ADDRESS}
SERVICES = ("ec2", "iam", "sts", "ssm")
# Short, so that no cache outlives a change of the lab.
TTL_SECONDS = 10
REVERSE = ".in-addr.arpa"
IP_PKTINFO = 8  # linux/in.h; Python's socket has no name for it


def endpoint_names(region: str) -> tuple[str, ...]:
    """The names the AWS API answers to, regional ones and the global ones that are older (AWS, service endpoints)."""
    regional = [f"{service}.{region}.amazonaws.com" for service in SERVICES]
    return (*regional, "iam.amazonaws.com", "sts.amazonaws.com")


@dataclass(frozen=True, kw_only=True)
class Resolver:
    """What names there are. `has_address` tells whether an interface of the account has a private address."""

    region: str
    has_address: Callable[[str], bool]

    def answer(self, packet: bytes) -> bytes | None:
        """The answer to a query's bytes; None for what is no query."""
        try:
            query = DNSRecord.parse(packet)
        except (DNSError, ValueError):
            return None
        if query.header.qr or not query.questions:
            return None
        reply = query.reply()
        name = str(query.q.qname).rstrip(".").lower()
        kind = QTYPE.get(query.q.qtype)
        address, host = self._address(name), self._host(name)
        if address and kind in ("A", "ANY"):
            reply.add_answer(RR(query.q.qname, QTYPE.A, rdata=A(address), ttl=TTL_SECONDS))
        elif host and kind in ("PTR", "ANY"):
            reply.add_answer(RR(query.q.qname, QTYPE.PTR, rdata=PTR(host), ttl=TTL_SECONDS))
        elif not address and not host:
            reply.header.rcode = RCODE.NXDOMAIN
        return bytes(reply.pack())

    def _address(self, name: str) -> str | None:
        if name in endpoint_names(self.region):
            return API_ADDRESS
        if name in OWN_SERVERS:
            return OWN_SERVERS[name]
        address = address_of_internal_name(name, self.region)
        return address if address and self.has_address(address) else None

    def _host(self, name: str) -> str | None:
        if not name.endswith(REVERSE):
            return None
        try:
            address = str(ipaddress.IPv4Address(".".join(reversed(name.removesuffix(REVERSE).split(".")))))
        except ValueError:
            return None
        return internal_name(address, self.region) if self.has_address(address) else None


class DnsServer:
    """A resolver on UDP and TCP. UDP answers leave from the address that was asked: a client takes no other."""

    def __init__(self, resolver: Resolver, address: str = "0.0.0.0", port: int = 53) -> None:  # noqa: S104 - the namespace's
        self._resolver = resolver
        self._tcp = socket.create_server((address, port))
        self.port = int(self._tcp.getsockname()[1])
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # ip(7): with IP_PKTINFO a datagram tells its destination, and an answer may name its source.
        self._udp.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        self._udp.bind((address, self.port))

    def start(self) -> None:
        """Serve in threads of their own."""
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, name=f"dns {serve.__name__}", daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        for listener in (self._udp, self._tcp):
            # close alone does not wake a thread that waits in it.
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _serve_udp(self) -> None:
        while True:
            try:
                packet, ancillary, _, client = self._udp.recvmsg(4096, socket.CMSG_SPACE(12))
            except OSError:
                return
            if not ancillary and not packet:
                return
            answer = self._resolver.answer(packet)
            if answer is None:
                continue
            asked = next(data for _, kind, data in ancillary if kind == IP_PKTINFO)[8:12]
            source = struct.pack("=I4s4s", 0, asked, b"\0\0\0\0")
            try:
                self._udp.sendmsg([answer], [(socket.IPPROTO_IP, IP_PKTINFO, source)], 0, client)
            except OSError as error:
                log.warning("no way to answer %s: %s", client, error)

    def _serve_tcp(self) -> None:
        while True:
            try:
                connection, _ = self._tcp.accept()
            except OSError:
                return
            threading.Thread(target=self._serve_connection, args=(connection,), daemon=True).start()

    def _serve_connection(self, connection: socket.socket) -> None:
        """RFC 1035, 4.2.2: every message is preceded by its length in two bytes."""
        with connection, suppress(OSError):
            connection.settimeout(10)
            with connection.makefile("rb") as stream:
                while len(length := stream.read(2)) == 2:
                    answer = self._resolver.answer(stream.read(struct.unpack("!H", length)[0]))
                    if answer is None:
                        return
                    connection.sendall(struct.pack("!H", len(answer)) + answer)
