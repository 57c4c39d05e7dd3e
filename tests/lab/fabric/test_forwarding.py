"""What is too big: the answer to its sender, and fragments. Where frames go is in `test_cases.py`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lab.fabric.fragments import split
from lab.fabric.model import Rule
from lab.fabric.pipeline import Drop
from tests.lab.fabric.world import (
    CLIENT,
    D1,
    EVERYWHERE,
    A,
    dropped,
    ends,
    faults_in,
    frame,
    ip,
    pipeline,
    plain_checksum,
    tcp,
    with_group,
)


def test_too_big_for_the_internet_is_answered_where_the_group_lets_it_in() -> None:
    big = tcp("10.0.0.36:9", f"{CLIENT}:80", flags=A, data=bytes(1461))
    strict = pipeline().handle(D1.id, frame(D1, big), 0)
    assert dropped(strict) == ("mtu", "eni-d1")
    assert isinstance(strict, Drop)
    assert strict.answers == ()
    path_mtu = Rule(protocol="1", from_port=3, to_port=4, cidr=EVERYWHERE)
    verdict = pipeline(with_group("sg-directors", ingress=(path_mtu,))).handle(D1.id, frame(D1, big), 0)
    assert dropped(verdict) == ("mtu", "eni-d1")
    assert isinstance(verdict, Drop)
    (answer,) = verdict.answers
    packet = answer.data[14:]
    assert (answer.port, ends(packet)) == (D1.id, ("10.0.0.1", "10.0.0.36"))
    assert (packet[20:22], packet[26:28], packet[28:56]) == (b"\x03\x04", (1500).to_bytes(2), big[:28])
    assert faults_in(packet) == []


@given(st.integers(1, 6000), st.integers(68, 1500), st.sampled_from([0, 0x2000, 0x2010]), st.booleans())
def test_fragments_are_the_packet_in_pieces(size: int, mtu: int, field: int, is_right: bool) -> None:
    payload = bytes(at * 7 % 251 for at in range(size))
    packet = bytearray(ip("10.0.0.36", CLIENT, 17, payload, identification=7, fragment=field))
    packet[11] ^= not is_right
    pieces = split(bytes(packet), mtu)
    assert all(len(piece) <= mtu for piece in pieces)
    assert [int.from_bytes(piece[2:4]) for piece in pieces] == [len(piece) for piece in pieces]
    assert b"".join(piece[20:] for piece in pieces) == payload
    offsets = [(int.from_bytes(piece[6:8]) & 0x1FFF) * 8 for piece in pieces]
    first = (field & 0x1FFF) * 8
    assert offsets == [first + sum(len(piece) - 20 for piece in pieces[:at]) for at in range(len(pieces))]
    more = [bool(piece[6] & 0x20) for piece in pieces]
    assert more == [True] * (len(pieces) - 1) + [field != 0]
    rest_of_header = {piece[:2] + piece[4:6] + piece[8:10] + piece[12:20] for piece in (*pieces, bytes(packet))}
    assert len(rest_of_header) == 1
    assert all((plain_checksum(piece[:20]) == 0) == is_right for piece in pieces)
