"""Where frames go and which never arrive: checks, next hops, routes, the gateway. Groups have their own tests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.fabric.model import Address, Interface
from lab.fabric.packets import BROADCAST_MAC
from lab.fabric.topology import ROUTER_MAC
from tests.lab.fabric.world import (
    B1,
    CLIENT,
    D1,
    D2,
    METADATA,
    SERVICE_PUBLIC,
    STATE,
    VIRTUAL_IP,
    W1,
    W2,
    A,
    S,
    delivered,
    dropped,
    ends,
    faults_in,
    frame,
    icmp,
    ip,
    mac,
    number,
    pipeline,
    tcp,
    udp,
    with_interface,
)

TO_MULTICAST = bytes.fromhex("01005e000012")


@pytest.mark.parametrize(
    ("sender", "packet", "to", "rule", "counted"),
    [
        # DR and TUN replies: a web server speaks with the virtual IP.
        (W1, tcp(f"{VIRTUAL_IP}:80", f"{CLIENT}:999", flags=A), D1, "src-check", "eni-w1"),
        (W1, tcp(f"{VIRTUAL_IP}:80", f"{CLIENT}:999", flags=A), ROUTER_MAC, "src-check", "eni-w1"),
        (D2, tcp(f"{VIRTUAL_IP}:80", f"{CLIENT}:9"), ROUTER_MAC, "igw-source-not-an-address-of-this-eni", "eni-d2"),
        # DR's way in: the client's packet to a web server's MAC, its destination still the virtual IP.
        (D1, tcp(f"{CLIENT}:999", f"{VIRTUAL_IP}:80"), W1, "dst-check", "eni-w1"),
        (W1, tcp("10.0.0.80:9", "10.0.0.36:80"), W2, "dst-check", "eni-w2"),
        (W1, tcp("10.0.0.80:9", f"{CLIENT}:80"), ROUTER_MAC, "igw-no-eip-for-source", "eni-w1"),
        (D1, tcp("10.0.0.36:9", "8.8.8.8:53"), ROUTER_MAC, "internet-no-such-host", "eni-d1"),
        (D1, tcp("10.0.0.36:9", "203.0.113.99:80"), ROUTER_MAC, "wan-in-no-eip", "eni-d1"),
        (D1, tcp("10.0.0.36:9", "10.0.0.77:80"), ROUTER_MAC, "no-such-private-ip", "eni-d1"),
        (D1, tcp("10.0.0.36:9", "172.16.0.1:80"), ROUTER_MAC, "blackhole", "eni-d1"),
        (B1, tcp("10.0.1.50:9", "192.0.2.10:443"), ROUTER_MAC, "no-route", "eni-b1"),
        (D1, icmp("10.0.0.36", "10.0.0.1", 8), ROUTER_MAC, "to-router", "eni-d1"),
        (D1, ip("10.0.0.36", "224.0.0.18", 112, b"vrrp"), TO_MULTICAST, "multicast-or-broadcast", "eni-d1"),
        (D1, ip("10.0.0.36", "224.0.0.18", 112, b"vrrp"), ROUTER_MAC, "multicast-or-broadcast", "eni-d1"),
        (D1, tcp("10.0.0.36:9", "10.0.0.80:80"), BROADCAST_MAC, "multicast-or-broadcast", "eni-d1"),
        (D1, udp("10.0.0.36:9", "10.0.0.255:9"), BROADCAST_MAC, "multicast-or-broadcast", "eni-d1"),
        (D1, udp("10.0.0.36:9", "10.0.0.255:9"), ROUTER_MAC, "multicast-or-broadcast", "eni-d1"),
        (D1, udp("10.0.0.36:9", "255.255.255.255:9"), D2, "multicast-or-broadcast", "eni-d1"),
        (D1, tcp("10.0.0.36:9", "10.0.1.50:80"), B1, "unknown-dmac", "eni-d1"),  # another subnet's MAC
        (D1, tcp("10.0.0.36:9", "10.0.0.80:80"), bytes.fromhex("020000000099"), "unknown-dmac", "eni-d1"),
        (D1, tcp("10.0.0.36:9", "10.0.0.80:80"), D1, "unknown-dmac", "eni-d1"),  # its own MAC
        (D1, tcp("10.0.0.36:9", "169.254.169.123:123"), ROUTER_MAC, "link-local-no-service", "eni-d1"),
        (D1, ip("10.0.0.36", "10.0.0.80", 6, b"short"), W1, "malformed", "eni-d1"),
    ],
)  # fmt: skip
def test_what_a_vpc_drops(sender: Interface, packet: bytes, to: Interface | bytes, rule: str, counted: str) -> None:
    assert dropped(pipeline().handle(sender.id, frame(sender, packet, to), 0)) == (rule, counted)


@pytest.mark.parametrize(
    ("ethertype", "rule"), [(b"\x86\xdd", "ipv6"), (b"\x88\xcc", "ethertype"), (b"\x81\x00", "ethertype")]
)
def test_other_ethertypes_are_dropped(ethertype: bytes, rule: str) -> None:
    data = mac(D2) + mac(D1) + ethertype + bytes(60)
    assert dropped(pipeline().handle(D1.id, data, 0)) == (rule, "eni-d1")


def test_a_foreign_source_mac_is_dropped() -> None:
    data = mac(W1) + mac(D2) + b"\x08\x00" + tcp("10.0.0.36:9", "10.0.0.80:80")
    assert dropped(pipeline().handle(D1.id, data, 0)) == ("src-mac", "eni-d1")


@pytest.mark.parametrize("length", [0, 5, 13, 14, 30])
def test_a_frame_shorter_than_its_headers_is_dropped(length: int) -> None:
    data = frame(D1, tcp("10.0.0.36:9", "10.0.0.80:80"), W1)[:length]
    assert dropped(pipeline().handle(D1.id, data, 0)) == ("malformed", "eni-d1")


def test_a_frame_of_an_interface_that_is_gone_is_dropped() -> None:
    assert dropped(pipeline().handle("eni-x", frame(D1, tcp("10.0.0.36:9", "10.0.0.80:80")), 0)) == ("noport", "eni-x")


def test_with_the_check_off_a_director_forwards_for_others() -> None:
    packet = tcp(f"{CLIENT}:999", "10.0.0.80:80")
    sent = frame(D1, packet, W1)
    assert delivered(pipeline().handle(D1.id, sent, 0), W1.id) == sent
    refused = pipeline(with_interface("eni-d1", source_dest_check=True)).handle(D1.id, sent, 0)
    assert dropped(refused) == ("src-check", "eni-d1")


def test_a_reply_reaches_a_director_by_its_mac_whatever_the_destination() -> None:
    packet = tcp("10.0.0.80:80", f"{CLIENT}:999", flags=S | A)
    sent = frame(W1, packet, D1)
    assert delivered(pipeline().handle(W1.id, sent, 0), D1.id) == sent
    refused = pipeline(with_interface("eni-d1", source_dest_check=True)).handle(W1.id, sent, 0)
    assert dropped(refused) == ("dst-check", "eni-d1")


def test_a_secondary_address_is_the_interface_s_own_for_both_checks() -> None:
    checked = pipeline(with_interface("eni-d1", source_dest_check=True))
    out = frame(D1, tcp(f"{VIRTUAL_IP}:9", "10.0.0.80:80"), W1)
    assert delivered(checked.handle(D1.id, out, 0), W1.id) == out
    back = frame(W1, tcp("10.0.0.80:9", f"{VIRTUAL_IP}:80"), D1)
    assert delivered(checked.handle(W1.id, back, 0), D1.id) == back


def test_between_subnets_the_router_carries() -> None:
    packet = tcp("10.0.0.80:9", "10.0.1.50:80")
    assert (
        delivered(pipeline().handle(W1.id, frame(W1, packet), 0), B1.id) == mac(B1) + ROUTER_MAC + b"\x08\x00" + packet
    )


def test_a_route_to_an_interface_needs_its_check_off() -> None:
    packet = tcp("10.0.1.50:9", f"{CLIENT}:80")
    got = delivered(pipeline().handle(B1.id, frame(B1, packet), 0), D2.id)
    assert got == mac(D2) + ROUTER_MAC + b"\x08\x00" + packet
    checked = pipeline(with_interface("eni-d2", source_dest_check=True))
    assert dropped(checked.handle(B1.id, frame(B1, packet), 0)) == ("dst-check", "eni-d2")


def test_out_through_the_gateway_each_address_has_its_own_public_one() -> None:
    for private, public in (("10.0.0.36", "203.0.113.10"), (VIRTUAL_IP, SERVICE_PUBLIC)):
        got = delivered(pipeline().handle(D1.id, frame(D1, tcp(f"{private}:9", f"{CLIENT}:80")), 0), "inet0")
        assert ends(got) == (public, CLIENT)
        assert faults_in(got) == []


def test_in_through_the_gateway_the_client_s_address_is_kept() -> None:
    got = delivered(pipeline().handle("inet0", tcp(f"{CLIENT}:9", f"{SERVICE_PUBLIC}:80"), 0), D1.id)
    assert got[:14] == mac(D1) + ROUTER_MAC + b"\x08\x00"
    assert ends(got[14:]) == (CLIENT, VIRTUAL_IP)
    assert faults_in(got[14:]) == []
    nobody = pipeline().handle("inet0", tcp(f"{CLIENT}:9", "203.0.113.99:80"), 0)
    assert dropped(nobody) == ("wan-in-no-eip", "inet0")


def test_a_machine_reaches_another_s_public_address_by_a_hairpin() -> None:
    got = delivered(pipeline().handle(D2.id, frame(D2, tcp("10.0.0.56:9", f"{SERVICE_PUBLIC}:80")), 0), D1.id)
    assert ends(got[14:]) == ("203.0.113.11", VIRTUAL_IP)
    assert faults_in(got[14:]) == []
    without = pipeline().handle(W1.id, frame(W1, tcp("10.0.0.80:9", f"{SERVICE_PUBLIC}:80")), 0)
    assert dropped(without) == ("igw-no-eip-for-source", "eni-w1")


def test_after_a_move_the_address_is_at_the_new_owner_and_a_stale_next_hop_is_not() -> None:
    fabric = pipeline()
    first = tcp(f"{CLIENT}:9", f"{SERVICE_PUBLIC}:80")
    segment = tcp(f"{CLIENT}:9", f"{SERVICE_PUBLIC}:80", flags=A)
    delivered(fabric.handle("inet0", first, 0), D1.id)
    delivered(fabric.handle("inet0", segment, 0), D1.id)
    from lab.fabric.topology import compile_state

    moved = tuple(
        replace(entry, addresses=entry.addresses[:1], source_dest_check=True)
        if entry.id == D1.id
        else replace(entry, addresses=(*entry.addresses, D1.addresses[1]))
        if entry.id == D2.id
        else entry
        for entry in STATE.interfaces
    )
    fabric.apply(compile_state(replace(STATE, interfaces=moved)))
    delivered(fabric.handle("inet0", segment, 1), D2.id)
    stale = frame(W1, tcp("10.0.0.80:9", f"{VIRTUAL_IP}:80"), D1)
    assert dropped(fabric.handle(W1.id, stale, 1)) == ("dst-check", "eni-d1")
    delivered(fabric.handle(W1.id, stale.replace(mac(D1), mac(D2)), 1), D2.id)
    gone = tuple(entry for entry in moved if entry.id != D1.id)
    fabric.apply(compile_state(replace(STATE, interfaces=gone)))
    assert dropped(fabric.handle(W1.id, stale, 2)) == ("unknown-dmac", "eni-w1")


def test_too_big_for_the_internet_is_answered_where_the_group_lets_it_in() -> None:
    from tests.lab.fabric.world import EVERYWHERE, Rule, with_group

    big = tcp("10.0.0.36:9", f"{CLIENT}:80", flags=A, data=bytes(1461))
    strict = pipeline().handle(D1.id, frame(D1, big), 0)
    assert dropped(strict) == ("mtu", "eni-d1")
    assert strict.answers == ()  # type: ignore[union-attr]
    path_mtu = Rule(protocol="1", from_port=3, to_port=4, cidr=EVERYWHERE)
    verdict = pipeline(with_group("sg-directors", ingress=(path_mtu,))).handle(D1.id, frame(D1, big), 0)
    assert dropped(verdict) == ("mtu", "eni-d1")
    (answer,) = verdict.answers  # type: ignore[union-attr]
    packet = answer.data[14:]
    assert (answer.port, ends(packet)) == (D1.id, ("10.0.0.1", "10.0.0.36"))
    assert (packet[20:22], packet[26:28], packet[28:56]) == (b"\x03\x04", (1500).to_bytes(2), big[:28])
    assert faults_in(packet) == []
    fits = tcp("10.0.0.36:9", f"{CLIENT}:80", flags=A, data=bytes(1460))
    delivered(pipeline().handle(D1.id, frame(D1, fits), 0), "inet0")


def test_jumbo_frames_pass_inside_only() -> None:
    jumbo = frame(W1, tcp("10.0.0.80:9", "10.0.0.194:80", data=bytes(9001 - 40)), W2)
    delivered(pipeline().handle(W1.id, jumbo, 0), W2.id)
    giant = frame(W1, tcp("10.0.0.80:9", "10.0.0.194:80", data=bytes(9002 - 40)), W2)
    assert dropped(pipeline().handle(W1.id, giant, 0)) == ("mtu", "eni-w1")


def test_by_the_gateway_the_short_way_delivers_what_the_long_one_did() -> None:
    cases = [
        (D1.id, frame(D1, tcp("10.0.0.36:9", f"{CLIENT}:80", flags=A, data=b"odd"))),
        (D1.id, frame(D1, tcp(f"{VIRTUAL_IP}:80", f"{CLIENT}:9", flags=A, data=b"even"))),
        ("inet0", tcp(f"{CLIENT}:9", f"{SERVICE_PUBLIC}:80", flags=A, data=b"in")),
        (D2.id, frame(D2, tcp("10.0.0.56:9", f"{SERVICE_PUBLIC}:80", flags=A, data=b"hairpin"))),
    ]
    for port, data in cases:
        fabric = pipeline()
        first = fabric.handle(port, data, 0)
        assert isinstance(first, list)
        assert fabric.handle(port, data, 0) == first
        packet = first[0].data if first[0].port == "inet0" else first[0].data[14:]
        assert faults_in(packet) == []


def test_the_short_way_obeys_the_size_too() -> None:
    fabric = pipeline()
    ack = frame(D1, tcp("10.0.0.36:9", f"{CLIENT}:80", flags=A))
    big = frame(D1, tcp("10.0.0.36:9", f"{CLIENT}:80", flags=A, data=bytes(1461)))
    delivered(fabric.handle(D1.id, ack, 0), "inet0")
    assert dropped(fabric.handle(D1.id, big, 0)) == ("mtu", "eni-d1")


@pytest.mark.parametrize(("destination", "port"), [(METADATA, 80), ("10.0.0.2", 53), ("10.0.1.2", 53)])
def test_link_services_are_reached_without_groups(destination: str, port: int) -> None:
    from tests.lab.fabric.world import with_group

    closed = pipeline(with_group("sg-web", ingress=(), egress=()))
    packet = tcp("10.0.0.80:9", f"{destination}:{port}")
    assert delivered(closed.handle(W1.id, frame(W1, packet), 0), "svc0") == packet
    answer = tcp(f"{destination}:{port}", "10.0.0.80:9", flags=S | A)
    got = delivered(closed.handle("svc0", answer, 0), W1.id)
    assert got[:14] == mac(W1) + ROUTER_MAC + b"\x08\x00"
    assert faults_in(got[14:]) == []


def test_a_link_service_is_asked_in_one_s_own_name_only() -> None:
    forwarded = frame(D1, tcp("10.0.0.80:9", f"{METADATA}:80"))
    assert dropped(pipeline().handle(D1.id, forwarded, 0)) == ("link-service-source", "eni-d1")
    forwarded = frame(D1, udp("10.0.0.80:9", "10.0.0.2:53"))
    assert dropped(pipeline().handle(D1.id, forwarded, 0)) == ("link-service-source", "eni-d1")
    own = frame(D1, tcp(f"{VIRTUAL_IP}:9", f"{METADATA}:80"))
    delivered(pipeline().handle(D1.id, own, 0), "svc0")


def test_metadata_answers_die_after_the_interface_s_hop_limit() -> None:
    answer = tcp(f"{METADATA}:80", "10.0.0.80:9", flags=S | A, ttl=64)
    dns = udp("10.0.0.2:53", "10.0.0.80:9", ttl=64)
    for limit in (1, 2):
        fabric = pipeline(with_interface("eni-w1", metadata_hop_limit=limit))
        for _ in range(2):  # the second time by the short way, if there were one
            got = delivered(fabric.handle("svc0", answer, 0), W1.id)[14:]
            assert (got[8], faults_in(got)) == (limit, [])
        assert delivered(fabric.handle("svc0", dns, 0), W1.id)[14:] == dns


def test_the_namespace_has_no_back_door_into_the_vpc() -> None:
    verdict = pipeline().handle("svc0", tcp(f"{CLIENT}:9", "10.0.0.80:80"), 0)
    assert dropped(verdict) == ("svc-source-not-a-link-service", "svc0")


def test_ethernet_padding_is_not_carried() -> None:
    packet = tcp("10.0.0.36:9", f"{CLIENT}:80")
    got = delivered(pipeline().handle(D1.id, frame(D1, packet) + bytes(6), 0), "inet0")
    assert len(got) == len(packet)
    assert number(CLIENT) == int.from_bytes(got[16:20])


def test_an_address_without_a_public_one_is_not_given_another_s() -> None:
    only_primary = (D1.addresses[0], Address(private=VIRTUAL_IP))
    fabric = pipeline(with_interface("eni-d1", addresses=only_primary))
    verdict = fabric.handle(D1.id, frame(D1, tcp(f"{VIRTUAL_IP}:80", f"{CLIENT}:9", flags=A)), 0)
    assert dropped(verdict) == ("igw-no-eip-for-source", "eni-d1")
