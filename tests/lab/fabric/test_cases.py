"""What the VPC does with a packet, case by case: delivered where and as what, or lost by which rule.

This table is the page of truth about the fabric: pure, no machine, no socket. A row is what is sent and what becomes of
it, in the world of `world.py` (two directors, two web servers, a neighbour subnet), after what went before.
What takes more than a row to say is in the tests beside this one.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.fabric.model import Address, Block, Rule, SecurityGroup
from lab.fabric.packets import BROADCAST_MAC
from lab.fabric.rules import DropRule
from tests.lab.fabric.cases import Case, No, checked, client, judge, moved, no, out, raw, service, to, without
from tests.lab.fabric.test_arp_and_dhcp import arp, ask, dhcp_message
from tests.lab.fabric.world import (
    B1,
    CLIENT,
    D1,
    D2,
    EVERYWHERE,
    METADATA,
    RESOLVER,
    SERVICE_PUBLIC,
    STATE,
    VIRTUAL_IP,
    W1,
    W2,
    A,
    F,
    R,
    S,
    frame,
    icmp,
    ip,
    mac,
    tcp,
    tcp_rule,
    udp,
    web,
    with_group,
    with_interface,
)

TO_MULTICAST = bytes.fromhex("01005e000012")
STRANGE_MAC = bytes.fromhex("020000000099")
API = "192.0.2.10"
MAIL = "192.0.2.30"
D1_PUBLIC, D2_PUBLIC = "203.0.113.10", "203.0.113.11"
DAY = 86400.0

# A connection of the first director to a web server, by which most of tracking can be said.
ASK = out(D1, tcp("10.0.0.36:9", "10.0.0.80:80"), W1)
ANSWER = out(W1, tcp("10.0.0.80:80", "10.0.0.36:9", flags=S | A), D1)
GO_ON = out(D1, tcp("10.0.0.36:9", "10.0.0.80:80", flags=A), W1)
ANSWER_ON = out(W1, tcp("10.0.0.80:80", "10.0.0.36:9", flags=A, data=b"body"), D1)
ESTABLISHED = (ASK, ANSWER, GO_ON)
FROM_80_ON = out(W1, tcp("10.0.0.80:80", "10.0.1.50:9", flags=A))
BYE = out(D1, tcp("10.0.0.36:9", "10.0.0.80:80", flags=F | A), W1)
BYE_TOO = out(W1, tcp("10.0.0.80:80", "10.0.0.36:9", flags=F | A), D1)
NARROW = web(tcp_rule(80, cidr="10.0.0.36/32"))  # for this director, not for all the world: tracked
OPEN = web(tcp_rule(80, cidr=EVERYWHERE))  # and everything outward: untracked
INWARD_ONLY = web(tcp_rule(80, cidr=EVERYWHERE), egress=())
NARROW_INWARD = web(tcp_rule(80, cidr="10.0.0.36/32"), egress=())
SHUT = web()
SHUT_BOTH_WAYS = web(egress=())
# The same in datagrams, begun by a web server.
QUERY = out(W1, udp("10.0.0.80:53", "10.0.0.194:54"), W2)
RESPONSE = out(W2, udp("10.0.0.194:54", "10.0.0.80:53"), W1)
QUERIES_ONLY = web(Rule(protocol="17", cidr="10.0.0.80/32"))  # the second may be asked, the first only answered
QUERY_RULE = Rule(protocol="17", from_port=54, to_port=54, cidr=EVERYWHERE)
ALL = Rule(protocol="-1", cidr=EVERYWHERE)
PING = out(W1, icmp("10.0.0.80", "10.0.0.194", 8), W2)
PONG = out(W2, icmp("10.0.0.194", "10.0.0.80", 0), W1)
ADVERT = out(D1, ip("10.0.0.36", "10.0.0.56", 112, b"advert"), D2)
ADVERT_BACK = out(D2, ip("10.0.0.56", "10.0.0.36", 112, b"advert"), D1)
DIRECTORS_SHUT = with_group("sg-directors", ingress=(), egress=())
PING_ALLOWED = web(Rule(protocol="1", from_port=8, to_port=-1, cidr="10.0.0.80/32"))
WHOLE = udp("10.0.0.80:9", "10.0.0.194:53", bytes(64))
FIRST_PART = out(W1, ip("10.0.0.80", "10.0.0.194", 17, WHOLE[20:60], identification=7, fragment=0x2000), W2)
LAST_PART = out(W1, ip("10.0.0.80", "10.0.0.194", 17, WHOLE[60:], identification=7, fragment=5), W2)
DNS_ALLOWED = web(Rule(protocol="17", from_port=53, to_port=53, cidr=EVERYWHERE))
BIG = udp("10.0.0.36:9", f"{CLIENT}:53", bytes(2000), identification=7, fragment=0)
BIG_OUTSIDE = udp(f"{D1_PUBLIC}:9", f"{CLIENT}:53", bytes(2000))[20:]

CHECKS = [
    Case("own addresses at both ends", out(W1, tcp("10.0.0.80:9", "10.0.0.194:80"), W2), to(W2)),
    Case("source: a web server forwards for a client",
         out(W1, tcp(f"{CLIENT}:9", "10.0.0.194:80"), W2), no("src-check", W1)),
    Case("source: DR's and TUN's reply, straight to the client",
         out(W1, tcp(f"{VIRTUAL_IP}:80", f"{CLIENT}:9", flags=A)), no("src-check", W1)),
    Case("source: DR's and TUN's reply, by the director",
         out(W1, tcp(f"{VIRTUAL_IP}:80", f"{CLIENT}:9", flags=A), D1), no("src-check", W1)),
    Case("source: a director forwards for a client", out(D1, tcp(f"{CLIENT}:9", "10.0.0.80:80"), W1), to(W1)),
    Case("source: the same, its check left on",
         out(D1, tcp(f"{CLIENT}:9", "10.0.0.80:80"), W1), no("src-check", D1), checked(D1)),
    Case("destination: DR's way in, to a web server's MAC",
         out(D1, tcp(f"{CLIENT}:9", f"{VIRTUAL_IP}:80"), W1), no("dst-check", W1)),
    Case("destination: another's address at a web server's MAC",
         out(W1, tcp("10.0.0.80:9", "10.0.0.36:80"), W2), no("dst-check", W2)),
    Case("destination: a web server replies by the director's MAC",
         out(W1, tcp("10.0.0.80:80", f"{CLIENT}:9", flags=S | A), D1), to(D1)),
    Case("destination: the same, its check left on",
         out(W1, tcp("10.0.0.80:80", f"{CLIENT}:9", flags=S | A), D1), no("dst-check", D1), checked(D1)),
    Case("destination: a route to a director", out(B1, tcp("10.0.1.50:9", f"{CLIENT}:80")), to(D2)),
    Case("destination: the same, its check left on",
         out(B1, tcp("10.0.1.50:9", f"{CLIENT}:80")), no("dst-check", D2), checked(D2)),
    Case("TUN's way in needs a rule for protocol 4",
         out(D1, ip("10.0.0.36", "10.0.0.80", 4, tcp(f"{CLIENT}:9", f"{VIRTUAL_IP}:80")), W1), no("sg-ingress", W1)),
    Case("TUN's way in is a packet for the web server",
         out(D1, ip("10.0.0.36", "10.0.0.80", 4, tcp(f"{CLIENT}:9", f"{VIRTUAL_IP}:80")), W1), to(W1),
         web(Rule(protocol="4", cidr=EVERYWHERE))),
    Case("a secondary address is one's own as source",
         out(D1, tcp(f"{VIRTUAL_IP}:9", "10.0.0.80:80"), W1), to(W1), checked(D1)),
    Case("a secondary address is one's own as destination",
         out(W1, tcp("10.0.0.80:9", f"{VIRTUAL_IP}:80"), D1), to(D1), checked(D1)),
]  # fmt: skip

WAYS = [
    Case("between subnets by the router", out(W1, tcp("10.0.0.80:9", "10.0.1.50:80")), to(B1)),
    Case("within the subnet by the router", out(W1, tcp("10.0.0.80:9", "10.0.0.194:80")), to(W2)),
    Case("another subnet's MAC", out(D1, tcp("10.0.0.36:9", "10.0.1.50:80"), B1), no("unknown-dmac", D1)),
    Case("a MAC that nobody has", out(D1, tcp("10.0.0.36:9", "10.0.0.80:80"), STRANGE_MAC), no("unknown-dmac", D1)),
    Case("one's own MAC", out(D1, tcp("10.0.0.36:9", "10.0.0.80:80"), D1), no("unknown-dmac", D1)),
    Case("an address that nobody has", out(D1, tcp("10.0.0.36:9", "10.0.0.77:80")), no("no-such-private-ip", D1)),
    Case("no route", out(B1, tcp("10.0.1.50:9", f"{API}:443")), no("no-route", B1)),
    Case("a route to what is gone", out(D1, tcp("10.0.0.36:9", "172.16.0.1:80")), no("blackhole", D1)),
    Case("the router itself", out(D1, icmp("10.0.0.36", "10.0.0.1", 8)), no("to-router", D1)),
]  # fmt: skip

GATEWAY = [
    Case("out by the primary address",
         out(D1, tcp("10.0.0.36:9", f"{CLIENT}:80")), to("inet0", tcp(f"{D1_PUBLIC}:9", f"{CLIENT}:80"))),
    Case("out by a secondary address, its own public one",
         out(D1, tcp(f"{VIRTUAL_IP}:9", f"{CLIENT}:80")), to("inet0", tcp(f"{SERVICE_PUBLIC}:9", f"{CLIENT}:80"))),
    Case("out without a public address", out(W1, tcp("10.0.0.80:9", f"{CLIENT}:80")), no("igw-no-eip-for-source", W1)),
    Case("out by a secondary address without a public one",
         out(D1, tcp(f"{VIRTUAL_IP}:80", f"{CLIENT}:9", flags=A)), no("igw-no-eip-for-source", D1),
         with_interface(D1.id, addresses=(D1.addresses[0], Address(private=VIRTUAL_IP)))),
    Case("out with another interface's address",
         out(D2, tcp(f"{VIRTUAL_IP}:9", f"{CLIENT}:80")), no("igw-source-not-an-address-of-this-eni", D2)),
    Case("out with a client's address (TUN, check off)",
         out(D1, tcp(f"{CLIENT}:9", f"{CLIENT}:80")), no("igw-source-not-an-address-of-this-eni", D1)),
    Case("out to the API", out(D1, tcp("10.0.0.36:9", f"{API}:443")), to("inet0", tcp(f"{D1_PUBLIC}:9", f"{API}:443"))),
    Case("out to where the lab's internet ends",
         out(D1, tcp("10.0.0.36:9", "8.8.8.8:53")), no("internet-no-such-host", D1)),
    Case("out to port 25", out(D1, tcp("10.0.0.36:9", f"{CLIENT}:25")), no("igw-smtp", D1)),
    Case("out to port 587",
         out(D1, tcp("10.0.0.36:9", f"{CLIENT}:587")), to("inet0", tcp(f"{D1_PUBLIC}:9", f"{CLIENT}:587"))),
    Case("out to port 25 of the mail server", out(D1, tcp("10.0.0.36:9", f"{MAIL}:25")), no("igw-smtp", D1)),
    Case("out to the mail server",
         out(D1, tcp("10.0.0.36:9", f"{MAIL}:2525")), to("inet0", tcp(f"{D1_PUBLIC}:9", f"{MAIL}:2525"))),
    Case("port 25 inside", out(W1, tcp("10.0.0.80:9", "10.0.1.50:25")), to(B1)),
    Case("in to the primary address",
         client(tcp(f"{CLIENT}:9", f"{D1_PUBLIC}:80")), to(D1, tcp(f"{CLIENT}:9", "10.0.0.36:80"))),
    Case("in to a secondary address",
         client(tcp(f"{CLIENT}:9", f"{SERVICE_PUBLIC}:80")), to(D1, tcp(f"{CLIENT}:9", f"{VIRTUAL_IP}:80"))),
    Case("in to a public address that nobody has",
         client(tcp(f"{CLIENT}:9", "203.0.113.99:80")), no("wan-in-no-eip", "inet0")),
    Case("in to a private address", client(tcp(f"{CLIENT}:9", "10.0.0.36:80")), no("wan-in-no-eip", "inet0")),
    Case("out and in again",
         out(D2, tcp("10.0.0.56:9", f"{SERVICE_PUBLIC}:80")), to(D1, tcp(f"{D2_PUBLIC}:9", f"{VIRTUAL_IP}:80"))),
    Case("out and in again without a public address",
         out(W1, tcp("10.0.0.80:9", f"{SERVICE_PUBLIC}:80")), no("igw-no-eip-for-source", W1)),
    Case("out to a public address that nobody has",
         out(D1, tcp("10.0.0.36:9", "203.0.113.99:80")), no("wan-in-no-eip", D1)),
]  # fmt: skip

# A group of the second director alone, for which the web servers have their only rule.
FOR_STANDBY = replace(
    web(tcp_rule(80, group="sg-standby")),
    interfaces=with_interface(D2.id, groups=("sg-directors", "sg-standby")).interfaces,
    groups=(*web(tcp_rule(80, group="sg-standby")).groups, SecurityGroup(id="sg-standby")),
)
IN_TWO_GROUPS = replace(
    with_interface(W1.id, groups=("sg-web", "sg-ssh")),
    groups=(*STATE.groups, SecurityGroup(id="sg-ssh", ingress=(tcp_rule(22, cidr=EVERYWHERE),))),
)
VIRTUAL_ASK = out(D2, tcp(f"{VIRTUAL_IP}:9", "10.0.0.80:80"), W1)
GROUPS = [
    Case("in: no rule", out(W1, tcp("10.0.0.80:9", "10.0.0.194:81"), W2), no("sg-ingress", W2)),
    Case("in: a rule for the sender",
         out(W1, tcp("10.0.0.80:9", "10.0.0.194:81"), W2), to(W2), web(tcp_rule(81, cidr="10.0.0.80/32"))),
    Case("in: a rule for another",
         out(W1, tcp("10.0.0.80:9", "10.0.0.194:81"), W2), no("sg-ingress", W2),
         web(tcp_rule(81, cidr="10.0.0.81/32"))),
    Case("out: no rule", out(W1, tcp("10.0.0.80:9", "10.0.0.194:80"), W2), no("sg-egress", W1), INWARD_ONLY),
    Case("out: a rule for the receiver",
         out(W1, tcp("10.0.0.80:9", "10.0.0.194:80"), W2), to(W2),
         web(tcp_rule(80, cidr=EVERYWHERE), egress=(tcp_rule(80, cidr="10.0.0.194/32"),))),
    Case("out: a rule for another",
         out(W1, tcp("10.0.0.80:9", "10.0.0.194:80"), W2), no("sg-egress", W1),
         web(tcp_rule(80, cidr=EVERYWHERE), egress=(tcp_rule(80, cidr="10.0.0.195/32"),))),
    Case("in from the internet: no rule", client(tcp(f"{CLIENT}:9", f"{SERVICE_PUBLIC}:22")), no("sg-ingress", D1)),
    Case("out to the internet: no rule",
         out(D1, tcp("10.0.0.36:9", f"{API}:443")), no("sg-egress", D1), with_group("sg-directors", egress=())),
    Case("rules of two groups add up",
         out(D1, tcp("10.0.0.36:9", "10.0.0.80:22"), W1), to(W1),
         IN_TWO_GROUPS),
    Case("reference: the member's own address",
         out(D1, tcp("10.0.0.36:9", "10.0.0.80:80"), W1), to(W1), web(tcp_rule(80, group="sg-directors"))),
    Case("reference: the member's secondary address",
         out(D1, tcp(f"{VIRTUAL_IP}:9", "10.0.0.80:80"), W1), to(W1), web(tcp_rule(80, group="sg-directors"))),
    Case("reference: a client's address, though a member forwards it",
         out(D1, tcp(f"{CLIENT}:9", "10.0.0.80:80"), W1), no("sg-ingress", W1),
         web(tcp_rule(80, group="sg-directors"))),
    Case("reference: the member's public address",
         out(D2, tcp("10.0.0.56:9", f"{SERVICE_PUBLIC}:80")), no("sg-ingress", D1),
         with_group("sg-directors", ingress=(tcp_rule(80, group="sg-directors"),))),
    Case("reference: a member's address before it is the member's", VIRTUAL_ASK, no("sg-ingress", W1), FOR_STANDBY),
    Case("reference: an address that moved to a member", VIRTUAL_ASK, to(W1), moved(FOR_STANDBY)),
    Case("reference: outward, to a member",
         out(W1, tcp("10.0.0.80:9", "10.0.0.36:80"), D1), to(D1), web(egress=(tcp_rule(80, group="sg-directors"),))),
    Case("reference: outward, to somebody else",
         out(W1, tcp("10.0.0.80:9", f"{CLIENT}:80"), D1), no("sg-egress", W1),
         web(egress=(tcp_rule(80, group="sg-directors"),))),
    Case("reference: a group that is gone",
         out(D1, tcp("10.0.0.36:9", "10.0.0.80:80"), W1), no("sg-ingress", W1), web(tcp_rule(80, group="sg-gone"))),
    Case("VRRP between directors", ADVERT, to(D2)),
    Case("VRRP from a web server", out(W1, ip("10.0.0.80", "10.0.0.56", 112, b"advert"), D2), no("sg-ingress", D2)),
    Case("connection sync between directors", out(D1, udp("10.0.0.36:9", "10.0.0.56:4789"), D2), to(D2)),
]  # fmt: skip

TRACKED = [
    Case("a reply needs no rule", ANSWER, to(D1), INWARD_ONLY, (ASK,)),
    Case("a reply to another port does",
         out(W1, tcp("10.0.0.80:80", "10.0.0.36:10", flags=S | A), D1), no("sg-egress", W1), INWARD_ONLY, (ASK,)),
    Case("a reply without a question does", ANSWER, no("sg-egress", W1), INWARD_ONLY),
    Case("a reply in datagrams", RESPONSE, to(W1), QUERIES_ONLY, (QUERY,)),
    Case("the rule's end does not cut what is tracked", GO_ON, to(W1), NARROW, (*ESTABLISHED, SHUT_BOTH_WAYS)),
    Case("nor its replies", ANSWER_ON, to(D1), NARROW, (*ESTABLISHED, SHUT_BOTH_WAYS)),
    Case("but lets nothing new in",
         out(D1, tcp("10.0.0.36:10", "10.0.0.80:80"), W1), no("sg-ingress", W1), NARROW,
         (*ESTABLISHED, SHUT_BOTH_WAYS)),
    Case("TCP, established: 432000 s idle", GO_ON, to(W1), NARROW, (*ESTABLISHED, SHUT_BOTH_WAYS, 431_999.0)),
    Case("TCP, established: no longer", GO_ON, no("sg-ingress", W1), NARROW, (*ESTABLISHED, SHUT_BOTH_WAYS, 432_001.0)),
    Case("TCP, established: traffic keeps it",
         GO_ON, to(W1), NARROW, (*ESTABLISHED, SHUT_BOTH_WAYS, 4 * DAY, GO_ON, 4 * DAY)),
    Case("TCP, opening: 120 s", ASK, to(W1), NARROW, (ASK, SHUT, 119.0)),
    Case("TCP, opening: no longer", ASK, no("sg-ingress", W1), NARROW, (ASK, SHUT, 121.0)),
    Case("TCP, both said FIN: 120 s", GO_ON, to(W1), NARROW, (*ESTABLISHED, BYE, BYE_TOO, SHUT, 119.0)),
    Case("TCP, both said FIN: no longer",
         GO_ON, no("sg-ingress", W1), NARROW, (*ESTABLISHED, BYE, BYE_TOO, SHUT, 121.0)),
    Case("TCP, reset: a new one on its ports needs a rule",
         ASK, no("sg-ingress", W1), NARROW,
         (*ESTABLISHED, out(D1, tcp("10.0.0.36:9", "10.0.0.80:80", flags=R), W1), SHUT, 1.0)),
    Case("UDP, one exchange: 30 s", RESPONSE, to(W1), QUERIES_ONLY, (QUERY, RESPONSE, 29.0)),
    Case("UDP, one exchange: no longer", RESPONSE, no("sg-ingress", W1), QUERIES_ONLY, (QUERY, RESPONSE, 31.0)),
    Case("UDP, one question and two answers: no longer",
         RESPONSE, no("sg-ingress", W1), QUERIES_ONLY, (QUERY, RESPONSE, RESPONSE, 31.0)),
    Case("UDP, more: 180 s", RESPONSE, to(W1), QUERIES_ONLY, (QUERY, RESPONSE, QUERY, RESPONSE, 179.0)),
    Case("UDP, more: no longer",
         RESPONSE, no("sg-ingress", W1), QUERIES_ONLY, (QUERY, RESPONSE, QUERY, RESPONSE, 181.0)),
    Case("UDP, one way only, however often: 30 s",
         RESPONSE, no("sg-ingress", W1), QUERIES_ONLY, (QUERY, QUERY, QUERY, QUERY, 31.0)),
    Case("protocol 112: 600 s", ADVERT_BACK, to(D1), STATE, (ADVERT, DIRECTORS_SHUT, 599.0)),
    Case("protocol 112: no longer", ADVERT_BACK, no("sg-egress", D2), STATE, (ADVERT, DIRECTORS_SHUT, 601.0)),
    Case("echo reply", PONG, to(W1), PING_ALLOWED, (PING,)),
    Case("echo reply of another identifier",
         out(W2, icmp("10.0.0.194", "10.0.0.80", 0, rest=b"\0\x63\0\1ping"), W1), no("sg-ingress", W1), PING_ALLOWED,
         (PING,)),
    Case("an echo request is no reply",
         out(W2, icmp("10.0.0.194", "10.0.0.80", 8), W1), no("sg-ingress", W1), PING_ALLOWED, (PING,)),
    Case("after a failover: a web server's reply at a director that never saw the question",
         out(W1, tcp("10.0.0.80:80", f"{CLIENT}:9", flags=A, data=b"body"), D2), to(D2)),
    Case("the same without the rule for web servers",
         out(W1, tcp("10.0.0.80:80", f"{CLIENT}:9", flags=A, data=b"body"), D2), no("sg-ingress", D2),
         with_group("sg-directors", ingress=(tcp_rule(80, cidr=EVERYWHERE),))),
    Case("met in the middle: goes on by its rule", GO_ON, to(W1), NARROW, (GO_ON,)),
    Case("met in the middle: its answer needs a rule", ANSWER_ON, no("sg-egress", W1), NARROW_INWARD, (GO_ON,)),
    Case("met in the middle: a new one on its ports is a whole one", ANSWER, to(D1), NARROW_INWARD, (GO_ON, ASK)),
]  # fmt: skip

UNTRACKED = [
    Case("its rule's end cuts it at once", GO_ON, no("sg-ingress", W1), OPEN, (*ESTABLISHED, SHUT)),
    Case("and what it still answers does not mend it",
         GO_ON, no("sg-ingress", W1), OPEN, (*ESTABLISHED, SHUT, ANSWER_ON)),
    Case("the end of the rule for answers does so too",
         ANSWER_ON, no("sg-egress", W1), OPEN, (*ESTABLISHED, INWARD_ONLY)),
    Case("a narrower rule that still fits does not", GO_ON, to(W1), OPEN, (*ESTABLISHED, NARROW)),
    Case("outward: its rule's end cuts it at once",
         QUERY, no("sg-egress", W1), web(ALL, egress=(QUERY_RULE,)), (QUERY, RESPONSE, web(ALL, egress=()))),
    Case("datagrams: cut at once",
         QUERY, no("sg-ingress", W2), web(QUERY_RULE),
         (QUERY, RESPONSE, SHUT)),
    Case("tracked: a rule for a smaller network",
         GO_ON, to(W1), web(tcp_rule(80, cidr="0.0.0.0/1")), (*ESTABLISHED, SHUT)),
    Case("tracked: a rule for a group", GO_ON, to(W1), web(tcp_rule(80, group="sg-directors")), (*ESTABLISHED, SHUT)),
    Case("tracked: answers to some of the world",
         GO_ON, to(W1), web(tcp_rule(80, cidr=EVERYWHERE), egress=(Rule(protocol="-1", cidr="10.0.0.0/8"),)),
         (*ESTABLISHED, SHUT)),
    Case("tracked: answers to some ports",
         GO_ON, to(W1),
         web(tcp_rule(80, cidr=EVERYWHERE), egress=(Rule(protocol="6", from_port=1, to_port=65535, cidr=EVERYWHERE),)),
         (*ESTABLISHED, SHUT)),
    Case("tracked: answers of another protocol",
         GO_ON, to(W1), web(tcp_rule(80, cidr=EVERYWHERE), egress=(Rule(protocol="17", cidr=EVERYWHERE),)),
         (*ESTABLISHED, SHUT)),
    Case("untracked: answers of this protocol on every port",
         GO_ON, no("sg-ingress", W1),
         web(tcp_rule(80, cidr=EVERYWHERE), egress=(Rule(protocol="6", from_port=0, to_port=65535, cidr=EVERYWHERE),)),
         (*ESTABLISHED, SHUT)),
    Case("tracked: begun from a port that the world may reach",
         FROM_80_ON, to(B1), OPEN, (out(W1, tcp("10.0.0.80:80", "10.0.1.50:9")), SHUT_BOTH_WAYS)),
    Case("tracked: begun inward, from a port that it may reach in all the world",
         out(B1, tcp("10.0.1.50:80", "10.0.0.80:22", flags=A)), to(W1),
         web(tcp_rule(None, cidr=EVERYWHERE), tcp_rule(22, cidr="10.0.0.0/8"), egress=(tcp_rule(80, cidr=EVERYWHERE),)),
         (out(B1, tcp("10.0.1.50:80", "10.0.0.80:22")), SHUT_BOTH_WAYS)),
    Case("tracked: ICMP always", PONG, to(W1), web(ALL), (PING, SHUT_BOTH_WAYS)),
    Case("tracked: protocol 112 always",
         ADVERT_BACK, to(D1), with_group("sg-directors", ingress=(ALL,)),
         (ADVERT, DIRECTORS_SHUT)),
    Case("tracked before, tracked for good", GO_ON, to(W1), NARROW, (*ESTABLISHED, OPEN, GO_ON, SHUT)),
]  # fmt: skip

STALE = [
    Case("moved: the gateway knows the new owner",
         client(tcp(f"{CLIENT}:9", f"{SERVICE_PUBLIC}:80", flags=A)),
         to(D2, tcp(f"{CLIENT}:9", f"{VIRTUAL_IP}:80", flags=A)), STATE,
         (client(tcp(f"{CLIENT}:9", f"{SERVICE_PUBLIC}:80", flags=A)), moved())),
    Case("moved: by the router to the new owner", out(W1, tcp("10.0.0.80:9", f"{VIRTUAL_IP}:80")), to(D2), moved()),
    Case("moved: a stale next hop, check off, still gets it",
         out(W1, tcp("10.0.0.80:9", f"{VIRTUAL_IP}:80"), D1), to(D1), moved()),
    Case("moved: a stale next hop, check on, does not",
         out(W1, tcp("10.0.0.80:9", f"{VIRTUAL_IP}:80"), D1), no("dst-check", D1), moved(checked(D1))),
    Case("moved: the old owner may not leave by the gateway with it",
         out(D1, tcp(f"{VIRTUAL_IP}:80", f"{CLIENT}:9", flags=A)), no("igw-source-not-an-address-of-this-eni", D1),
         STATE, (out(D1, tcp(f"{VIRTUAL_IP}:80", f"{CLIENT}:9", flags=A)), moved())),
    Case("moved: nor ask metadata with it",
         out(D1, tcp(f"{VIRTUAL_IP}:9", f"{METADATA}:80")), no("link-service-source", D1), moved()),
    Case("dead: its MAC is nobody's",
         out(W1, tcp("10.0.0.80:80", f"{CLIENT}:9", flags=A), D1), no("unknown-dmac", W1), STATE,
         (out(W1, tcp("10.0.0.80:80", f"{CLIENT}:9", flags=A), D1), without(D1))),
    Case("dead: its address is nobody's",
         out(W1, tcp("10.0.0.80:9", "10.0.0.36:80")), no("no-such-private-ip", W1), without(D1)),
    Case("dead: its public address is nobody's",
         client(tcp(f"{CLIENT}:9", f"{SERVICE_PUBLIC}:80")), no("wan-in-no-eip", "inet0"), without(D1)),
    Case("dead: a route to it", out(B1, tcp("10.0.1.50:9", f"{CLIENT}:80")), no("blackhole", B1), without(D2)),
    Case("dead: what it still sends", out(D1, tcp("10.0.0.36:9", "10.0.0.80:80"), W1), no("noport", D1), without(D1)),
]  # fmt: skip

TO_ALL = [
    Case("VRRP by multicast",
         out(D1, ip("10.0.0.36", "224.0.0.18", 112, b"advert"), TO_MULTICAST), no("multicast-or-broadcast", D1)),
    Case("VRRP by multicast, to the router's MAC",
         out(D1, ip("10.0.0.36", "224.0.0.18", 112, b"advert")), no("multicast-or-broadcast", D1)),
    Case("connection sync by multicast",
         out(D1, udp("10.0.0.36:9", "224.0.0.81:8848"), TO_MULTICAST), no("multicast-or-broadcast", D1)),
    Case("unicast to all MACs",
         out(D1, tcp("10.0.0.36:9", "10.0.0.80:80"), BROADCAST_MAC), no("multicast-or-broadcast", D1)),
    Case("the subnet's broadcast",
         out(D1, udp("10.0.0.36:9", "10.0.0.255:9"), BROADCAST_MAC), no("multicast-or-broadcast", D1)),
    Case("the subnet's broadcast, to the router's MAC",
         out(D1, udp("10.0.0.36:9", "10.0.0.255:9")), no("multicast-or-broadcast", D1)),
    Case("all ones, to one MAC",
         out(D1, udp("10.0.0.36:9", "255.255.255.255:9"), D2), no("multicast-or-broadcast", D1)),
    Case("another subnet's broadcast", out(D1, udp("10.0.0.36:9", "10.0.1.255:9")), no("no-such-private-ip", D1)),
]  # fmt: skip

ARP = [
    Case("gratuitous request for the virtual IP", raw(D2, arp(D2, VIRTUAL_IP, VIRTUAL_IP)), no("garp-request", D2)),
    Case("gratuitous reply for the virtual IP",
         raw(D2, arp(D2, VIRTUAL_IP, VIRTUAL_IP, operation=2)), no("garp-reply", D2)),
    Case("gratuitous reply to one web server",
         raw(D2, arp(D2, VIRTUAL_IP, VIRTUAL_IP, operation=2, to=mac(W1))), no("garp-reply", D2)),
    Case("a reply nobody asked for",
         raw(D2, arp(D2, VIRTUAL_IP, "10.0.0.80", operation=2, to=mac(W1))), no("arp-reply-ignored", D2)),
    Case("gratuitous request for its own address", raw(D2, arp(D2, "10.0.0.56", "10.0.0.56")), no("garp-request", D2)),
    Case("a probe for its own address (RFC 5227)", raw(D2, arp(D2, "0.0.0.0", "10.0.0.56")), no("arp-own", D2)),
    Case("for an address that nobody has", raw(D2, arp(D2, "10.0.0.56", "10.0.0.77")), no("arp-no-owner", D2)),
    Case("for another subnet's address", raw(D2, arp(D2, "10.0.0.56", "10.0.1.50")), no("arp-no-owner", D2)),
    Case("for an address that moved away from all",
         raw(W1, arp(W1, "10.0.0.80", VIRTUAL_IP)), no("arp-no-owner", W1),
         with_interface(D1.id, addresses=D1.addresses[:1])),
    Case("an operation that is none", raw(D2, arp(D2, "10.0.0.56", "10.0.0.80", operation=3)), no("malformed", D2)),
    Case("cut short", raw(D2, arp(D2, "10.0.0.56", "10.0.0.80")[:40]), no("malformed", D2)),
    Case("DHCP: a message that has no answer", raw(D1, ask(D1, dhcp_message(D1, 7))), no("dhcp-unanswered", D1)),
]  # fmt: skip

FRAGMENTS = [
    Case("the first has the ports", FIRST_PART, to(W2), DNS_ALLOWED),
    Case("a later one goes by them", LAST_PART, to(W2), DNS_ALLOWED, (FIRST_PART,)),
    Case("a later one before the first", LAST_PART, no("fragment-without-first", W1), DNS_ALLOWED),
    Case("a later one half a minute after the first",
         LAST_PART, no("fragment-without-first", W1), DNS_ALLOWED, (FIRST_PART, 31.0)),
    Case("a later one of another datagram",
         out(W1, ip("10.0.0.80", "10.0.0.194", 17, WHOLE[60:], identification=8, fragment=5), W2),
         no("fragment-without-first", W1), DNS_ALLOWED, (FIRST_PART,)),
    Case("the first to a closed port",
         FIRST_PART, no("sg-ingress", W2), web(QUERY_RULE)),
    Case("the first, too small for its ports",
         out(W1, ip("10.0.0.80", "10.0.0.194", 6, bytes(8), fragment=0x2000), W2), no("malformed", W1)),
    Case("beyond the end of any packet",
         out(W1, ip("10.0.0.80", "10.0.0.194", 17, bytes(64), fragment=0x1FFF), W2), no("malformed", W1)),
    Case("by the gateway",
         out(D1, ip("10.0.0.36", CLIENT, 17, bytes(64), identification=7, fragment=5)),
         to("inet0", ip(D1_PUBLIC, CLIENT, 17, bytes(64), identification=7, fragment=5)), STATE,
         (out(D1, ip("10.0.0.36", CLIENT, 17, BIG[20:60], identification=7, fragment=0x2000)),)),
]  # fmt: skip

SIZES = [
    Case("inside: 9001 bytes", out(W1, tcp("10.0.0.80:9", "10.0.0.194:80", data=bytes(9001 - 40)), W2), to(W2)),
    Case("inside: one more", out(W1, tcp("10.0.0.80:9", "10.0.0.194:80", data=bytes(9002 - 40)), W2), no("mtu", W1)),
    Case("inside: one more, though it may be fragmented",
         out(W1, tcp("10.0.0.80:9", "10.0.0.194:80", data=bytes(9002 - 40), fragment=0), W2), no("mtu", W1)),
    Case("by the gateway: 1500 bytes",
         out(D1, tcp("10.0.0.36:9", f"{CLIENT}:80", flags=A, data=bytes(1460))),
         to("inet0", tcp(f"{D1_PUBLIC}:9", f"{CLIENT}:80", flags=A, data=bytes(1460)))),
    Case("by the gateway: one more, not to be fragmented",
         out(D1, tcp("10.0.0.36:9", f"{CLIENT}:80", flags=A, data=bytes(1461))), no("mtu", D1)),
    Case("by the gateway: the same, of a connection under way",
         out(D1, tcp("10.0.0.36:9", f"{CLIENT}:80", flags=A, data=bytes(1461))), no("mtu", D1), STATE,
         (out(D1, tcp("10.0.0.36:9", f"{CLIENT}:80", flags=A)),)),
    Case("by the gateway: too big, in fragments",
         out(D1, BIG),
         to("inet0", ip(D1_PUBLIC, CLIENT, 17, BIG_OUTSIDE[:1480], identification=7, fragment=0x2000),
            ip(D1_PUBLIC, CLIENT, 17, BIG_OUTSIDE[1480:], identification=7, fragment=185))),
    Case("out and in again: not to be fragmented",
         out(D2, tcp("10.0.0.56:9", f"{SERVICE_PUBLIC}:80", data=bytes(1461))), no("mtu", D2)),
    Case("padding of a small frame is not carried",
         raw(D1, frame(D1, tcp("10.0.0.36:9", f"{CLIENT}:80", flags=A)) + bytes(6)),
         to("inet0", tcp(f"{D1_PUBLIC}:9", f"{CLIENT}:80", flags=A))),
    Case("padding, of a connection under way",
         raw(D1, frame(D1, tcp("10.0.0.36:9", f"{CLIENT}:80", flags=A)) + bytes(6)),
         to("inet0", tcp(f"{D1_PUBLIC}:9", f"{CLIENT}:80", flags=A)), STATE,
         (out(D1, tcp("10.0.0.36:9", f"{CLIENT}:80", flags=A)),)),
]  # fmt: skip

NO_RULES = with_group("sg-web", ingress=(), egress=())
SERVICES = [
    Case("metadata needs no rule", out(W1, tcp("10.0.0.80:9", f"{METADATA}:80")), to("svc0"), NO_RULES),
    Case("the resolver needs no rule", out(W1, udp("10.0.0.80:9", f"{RESOLVER}:53")), to("svc0"), NO_RULES),
    Case("the resolver of another subnet", out(W1, udp("10.0.0.80:9", "10.0.1.2:53")), to("svc0"), NO_RULES),
    Case("its answer needs no rule", service(udp(f"{RESOLVER}:53", "10.0.0.80:9")), to(W1), NO_RULES),
    Case("another link-local address",
         out(D1, tcp("10.0.0.36:9", "169.254.169.123:123")), no("link-local-no-service", D1)),
    Case("metadata by a secondary address", out(D1, tcp(f"{VIRTUAL_IP}:9", f"{METADATA}:80")), to("svc0")),
    Case("metadata for a web server, by a director",
         out(D1, tcp("10.0.0.80:9", f"{METADATA}:80")), no("link-service-source", D1)),
    Case("the resolver for a web server, by a director",
         out(D1, udp("10.0.0.80:9", f"{RESOLVER}:53")), no("link-service-source", D1)),
    Case("metadata given to a director's MAC is the director's to judge",
         out(W1, tcp("10.0.0.80:9", f"{METADATA}:80"), D1), to(D1)),
    Case("metadata's answer has one hop",
         service(tcp(f"{METADATA}:80", "10.0.0.80:9", flags=S | A)),
         to(W1, tcp(f"{METADATA}:80", "10.0.0.80:9", flags=S | A, ttl=1))),
    Case("every one of a connection's",
         service(tcp(f"{METADATA}:80", "10.0.0.80:9", flags=A)),
         to(W1, tcp(f"{METADATA}:80", "10.0.0.80:9", flags=A, ttl=1)), STATE,
         (service(tcp(f"{METADATA}:80", "10.0.0.80:9", flags=A)),)),
    Case("or two, where the interface says so",
         service(tcp(f"{METADATA}:80", "10.0.0.80:9", flags=S | A)),
         to(W1, tcp(f"{METADATA}:80", "10.0.0.80:9", flags=S | A, ttl=2)), with_interface(W1.id, metadata_hop_limit=2)),
    Case("so it dies where somebody passes it on",
         out(D1, tcp(f"{METADATA}:80", "10.0.0.80:9", flags=S | A, ttl=0), W1), no("ttl-zero", D1)),
    Case("and of a connection under way",
         out(D1, tcp(f"{CLIENT}:9", "10.0.0.80:80", flags=A, ttl=0), W1), no("ttl-zero", D1), STATE,
         (out(D1, tcp(f"{CLIENT}:9", "10.0.0.80:80", flags=A), W1),)),
    Case("the namespace has no back door",
         service(tcp(f"{CLIENT}:9", "10.0.0.80:80")), no("svc-source-not-a-link-service", "svc0")),
    Case("an answer to nobody", service(udp(f"{RESOLVER}:53", "10.0.0.77:9")), no("no-such-private-ip", "svc0")),
]  # fmt: skip

GOOD = frame(D1, tcp("10.0.0.36:9", "10.0.0.80:80", flags=A), W1)
BAD = [
    *(Case(f"{size} bytes of a frame", raw(D1, GOOD[:size]), no("malformed", D1)) for size in (0, 5, 13, 14, 30, 53)),
    Case("shorter than it says",
         raw(D1, frame(D1, udp("10.0.0.36:9", "10.0.0.56:4789"), D2)[:-1]), no("malformed", D1)),
    Case("shorter than it says, of a connection under way",
         raw(D1, GOOD[:-1]), no("malformed", D1), STATE, (raw(D1, GOOD),)),
    Case("a header shorter than any", raw(D1, GOOD[:14] + b"\x44" + GOOD[15:]), no("malformed", D1)),
    Case("a header longer than the packet", raw(D1, GOOD[:14] + b"\x4f" + GOOD[15:]), no("malformed", D1)),
    Case("version 6 within IPv4's ethertype", raw(D1, GOOD[:14] + b"\x65" + GOOD[15:]), no("malformed", D1)),
    Case("TCP shorter than its header", out(D1, ip("10.0.0.36", "10.0.0.80", 6, b"short"), W1), no("malformed", D1)),
    Case("UDP shorter than its header", out(D1, ip("10.0.0.36", "10.0.0.80", 17, b"short"), W1), no("malformed", D1)),
    Case("ICMP shorter than its header", out(D1, ip("10.0.0.36", "10.0.0.80", 1, b"short"), W1), no("malformed", D1)),
    Case("IPv6", raw(D1, mac(D2) + mac(D1) + b"\x86\xdd" + bytes(60)), no("ipv6", D1)),
    Case("IPv6 from the internet", client(b"\x60" + bytes(60)), no("ipv6", "inet0")),
    Case("LLDP", raw(D1, mac(D2) + mac(D1) + b"\x88\xcc" + bytes(60)), no("ethertype", D1)),
    Case("a VLAN tag", raw(D1, mac(D2) + mac(D1) + b"\x81\x00" + bytes(60)), no("ethertype", D1)),
    Case("another's MAC as source",
         raw(D1, mac(W1) + mac(D2) + b"\x08\x00" + tcp("10.0.0.36:9", "10.0.0.80:80")), no("src-mac", D1)),
    Case("nothing from the internet", client(b""), no("malformed", "inet0")),
]  # fmt: skip

FAULTS = [  # more in test_blocks.py
    Case("between two interfaces",
         ADVERT, no("fault-blocked", D1), replace(STATE, blocks=(Block(first=D1.id, second=D2.id),))),
    Case("of another protocol only",
         ADVERT, to(D2), replace(STATE, blocks=(Block(first=D1.id, second=D2.id, protocol="6"),))),
    Case("from outside: counted for the receiver",
         client(tcp(f"{CLIENT}:9", f"{SERVICE_PUBLIC}:80")), no("fault-blocked", D1),
         replace(STATE, blocks=(Block(first="internet", second="*"),))),
]  # fmt: skip

SECTIONS = {
    "check": CHECKS,
    "way": WAYS,
    "gateway": GATEWAY,
    "group": GROUPS,
    "tracked": TRACKED,
    "untracked": UNTRACKED,
    "stale": STALE,
    "to all": TO_ALL,
    "arp": ARP,
    "fragment": FRAGMENTS,
    "size": SIZES,
    "service": SERVICES,
    "bad": BAD,
    "fault": FAULTS,
}
CASES = [replace(case, id=f"{section}: {case.id}") for section, cases in SECTIONS.items() for case in cases]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_what_becomes_of_a_packet(case: Case) -> None:
    judge(case)


def test_every_rule_has_a_case() -> None:
    """But two: `test_tracking_has_an_allowance...` and `test_a_card_that_does_not_listen...` have them."""
    named = {case.expected.rule for case in CASES if isinstance(case.expected, No)}
    assert set(DropRule) - named == {DropRule.TRACKING_FULL, DropRule.QUEUE_FULL}
