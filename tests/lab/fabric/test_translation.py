"""The gateway's translation: checksums recomputed from scratch must agree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.fabric.packets import adjust_checksum, checksum, parse_packet, with_ttl
from lab.fabric.translation import Translation, prepare, translate
from tests.lab.fabric.world import (
    CLIENT,
    D1,
    EVERYWHERE,
    SERVICE_PUBLIC,
    STATE,
    VIRTUAL_IP,
    Rule,
    delivered,
    ends,
    faults_in,
    frame,
    icmp,
    ip,
    number,
    pipeline,
    plain_checksum,
    tcp,
    udp,
    with_group,
)

addresses = st.integers(1, 0xFFFFFFFF)
payloads = st.binary(max_size=200)


@given(addresses, addresses, payloads, st.sampled_from([tcp, udp]), st.booleans(), st.booleans())
def test_both_checksums_are_right_after_any_translation(source, destination, data, build, out, inward) -> None:  # type: ignore[no-untyped-def]
    packet = build("10.0.0.36:1234", "198.51.100.7:80", data=data)
    assert faults_in(packet) == []
    got = translate(packet, Translation(source=source if out else None, destination=destination if inward else None))
    assert faults_in(got) == []
    assert int.from_bytes(got[12:16]) == (source if out else number("10.0.0.36"))
    assert int.from_bytes(got[16:20]) == (destination if inward else number("198.51.100.7"))
    changed = {10, 11, *range(12, 20), *((36, 37) if build is tcp else (26, 27))}
    assert [at for at in range(len(packet)) if packet[at] != got[at] and at not in changed] == []


@given(addresses, addresses, payloads, st.sampled_from([tcp, udp]), st.booleans(), st.integers(0, 0xFFFF))
def test_the_short_way_translates_as_the_long_one_does(source, destination, data, build, inward, checksum) -> None:  # type: ignore[no-untyped-def]
    wanted = Translation(source=source, destination=destination if inward else None)
    rewrite = prepare(build("10.0.0.36:1234", "198.51.100.7:80"), wanted)
    packet = bytearray(build("10.0.0.36:1234", "198.51.100.7:80", data=data, ttl=9, identification=77))
    assert rewrite.apply(bytes(packet)) == translate(bytes(packet), wanted)
    at = 36 if build is tcp else 26
    packet[at : at + 2] = checksum.to_bytes(2)  # right or wrong, UDP's zero among them
    assert rewrite.apply(bytes(packet)) == translate(bytes(packet), wanted)


@given(st.binary(min_size=20, max_size=60).filter(lambda data: len(data) % 2 == 0), st.data())
def test_an_adjusted_checksum_is_the_recomputed_one(data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) // 2 - 4)) * 2
    added = draw.draw(st.binary(min_size=8, max_size=8))
    new = data[:at] + added + data[at + 8 :]
    if not any(data) or not any(new):
        return  # zero has two forms in one's complement; no packet is all zeros
    assert adjust_checksum(checksum(data), data[at : at + 8], added) == checksum(new) == plain_checksum(new)


@given(st.binary(max_size=100), st.integers(0, 255))
def test_another_ttl_keeps_the_header_right(data: bytes, ttl: int) -> None:
    got = with_ttl(udp("10.0.0.2:53", "10.0.0.80:9", data), ttl)
    assert (got[8], faults_in(got)) == (ttl, [])


def test_a_wrong_checksum_stays_wrong() -> None:
    packet = bytearray(tcp("10.0.0.36:9", f"{CLIENT}:80"))
    packet[36] ^= 1
    assert faults_in(translate(bytes(packet), Translation(source=number(SERVICE_PUBLIC)))) == ["transport"]


def test_udp_without_a_checksum_stays_without() -> None:
    packet = bytearray(udp("10.0.0.36:9", f"{CLIENT}:80"))
    packet[26:28] = b"\0\0"
    got = translate(bytes(packet), Translation(source=number(SERVICE_PUBLIC)))
    assert (got[26:28], faults_in(got)) == (b"\0\0", [])


def test_a_udp_checksum_that_comes_to_zero_is_sent_as_ones() -> None:
    """Zero would mean that there is none (RFC 768)."""
    wanted = Translation(source=number(SERVICE_PUBLIC))
    zeroed = [udp(f"{SERVICE_PUBLIC}:9", f"{CLIENT}:80", word.to_bytes(2)) for word in range(0x10000)]
    (word,) = [at for at, packet in enumerate(zeroed) if packet[26:28] == b"\xff\xff"]
    got = translate(udp("10.0.0.36:9", f"{CLIENT}:80", word.to_bytes(2)), wanted)
    assert (got[26:28], faults_in(got)) == (b"\xff\xff", [])


def test_options_in_the_header_move_the_transport_checksum() -> None:
    plain = tcp("10.0.0.36:9", f"{CLIENT}:80")
    head = bytearray(b"\x46" + plain[1:20] + b"\x01\x01\x01\x00")
    head[2:4] = (len(plain) + 4).to_bytes(2)
    head[10:12] = b"\0\0"
    head[10:12] = plain_checksum(bytes(head)).to_bytes(2)
    packet = bytes(head) + plain[20:]
    assert faults_in(packet) == []
    assert faults_in(translate(packet, Translation(source=number(SERVICE_PUBLIC)))) == []


def test_a_later_fragment_has_no_transport_checksum_to_adjust() -> None:
    fragment = ip("10.0.0.36", CLIENT, 6, bytes(range(64)), fragment=0x2005)
    got = translate(fragment, Translation(source=number(SERVICE_PUBLIC)))
    assert got[20:] == fragment[20:]
    assert plain_checksum(got[:20]) == 0


@pytest.mark.parametrize("quoted_bytes", [28, 40, 47])
def test_an_error_from_outside_quotes_the_machine_s_own_packet(quoted_bytes: int) -> None:
    """A router outside tells VIRTUAL_IP of a packet it sent: as it left, its source was the public address."""
    sent = tcp(f"{SERVICE_PUBLIC}:80", f"{CLIENT}:9", data=b"1234567")
    error = icmp("198.51.100.200", SERVICE_PUBLIC, 3, 4, rest=(1400).to_bytes(4) + sent[:quoted_bytes])
    path_mtu = Rule(protocol="1", from_port=3, to_port=4, cidr=EVERYWHERE)
    got = delivered(pipeline(with_group("sg-directors", ingress=(path_mtu,))).handle("inet0", error, 0), D1.id)[14:]
    assert faults_in(got) == []
    assert ends(got) == ("198.51.100.200", VIRTUAL_IP)
    original = tcp(f"{VIRTUAL_IP}:80", f"{CLIENT}:9", data=b"1234567")
    assert got[28:] == original[:quoted_bytes]


def test_an_error_of_a_machine_quotes_the_client_s_packet_as_the_client_sent_it() -> None:
    received = udp(f"{CLIENT}:9", f"{VIRTUAL_IP}:99", b"x" * 9)
    error = icmp("10.0.0.36", CLIENT, 3, 3, rest=bytes(4) + received)
    got = delivered(pipeline(STATE).handle(D1.id, frame(D1, error), 0), "inet0")
    assert faults_in(got) == []
    assert ends(got) == ("203.0.113.10", CLIENT)
    assert got[28:] == udp(f"{CLIENT}:9", f"{SERVICE_PUBLIC}:99", b"x" * 9)


@pytest.mark.parametrize("first", [0x40, 0x44, 0x65, 0x00])
def test_what_is_quoted_but_no_packet_stays_as_it_is(first: int) -> None:
    quoted = bytes((first,)) + tcp(f"{SERVICE_PUBLIC}:80", f"{CLIENT}:9")[1:]
    error = icmp("198.51.100.200", SERVICE_PUBLIC, 3, 4, rest=bytes(4) + quoted)
    mapping = {number(SERVICE_PUBLIC): number(VIRTUAL_IP)}
    assert translate(error, Translation(destination=number(VIRTUAL_IP), quoted_source=mapping))[28:] == quoted


@given(st.binary(max_size=120))
def test_whatever_is_quoted_the_translation_survives_it(rest: bytes) -> None:
    error = icmp("198.51.100.200", SERVICE_PUBLIC, 3, 4, rest=bytes(4) + rest)
    mapping = {number(SERVICE_PUBLIC): number(VIRTUAL_IP)}
    got = translate(error, Translation(destination=number(VIRTUAL_IP), quoted_source=mapping))
    assert len(got) == len(error)
    assert plain_checksum(got[20:]) == 0
    assert parse_packet(got) is not None
