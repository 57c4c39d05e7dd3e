"""Thousands of bad frames: each is delivered or lost by a rule, none is an error, and a VPC's promises hold."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest

from lab.fabric.flows import Flow, FlowCache
from lab.fabric.framing import FRAME_LIMIT, FrameReader, FramingError, packed
from lab.fabric.journal import DropJournal
from lab.fabric.model import Block, Interface, VpcState
from lab.fabric.packets import BROADCAST_MAC, describe
from lab.fabric.pipeline import Delivery, Drop
from lab.fabric.topology import ROUTER_MAC, compile_state
from tests.lab.fabric.cases import Sent, checked, moved, out, without
from tests.lab.fabric.mutation import OUTSIDE, mutated
from tests.lab.fabric.world import (
    CLIENT,
    D1,
    D2,
    METADATA,
    STATE,
    W1,
    W2,
    Rule,
    number,
    pipeline,
    plain_checksum,
    pseudo_header,
    tcp,
    tcp_rule,
    web,
    with_group,
    with_interface,
)

FRAMES = 4000
PATH_MTU = Rule(protocol="1", from_port=3, to_port=4, cidr="0.0.0.0/0")
WORLDS = (
    STATE,
    web(tcp_rule(80, cidr="10.0.0.0/8")),
    web(Rule(protocol="-1", cidr="0.0.0.0/0")),
    with_group("sg-directors", ingress=(Rule(protocol="-1", cidr="0.0.0.0/1"), PATH_MTU)),
    checked(D1),
    moved(),
    without(D2),
    with_interface(D1.id, metadata_hop_limit=3),
    replace(STATE, blocks=(Block(first=D1.id, second="*", protocol="6", port=80), Block(first="*", second="api"))),
)


class Forgetful(FlowCache):
    """Never knows the short way."""

    def find(self, port: str, frame: bytes, offset: int, now: float) -> Flow | None:
        return None


@pytest.mark.parametrize("seed", range(8))
def test_whatever_comes_the_vpc_keeps_its_promises(seed: int) -> None:
    random, fabric, twin, journal = Random(seed), pipeline(), pipeline(), DropJournal()
    twin._flows = Forgetful()
    state, now, fates = STATE, 0.0, Counter[str]()
    for _ in range(FRAMES):
        if random.random() < 0.004:
            state = random.choice(WORLDS)
            for each in (fabric, twin):
                each.apply(compile_state(state))
        elif random.random() < 0.004:
            fabric.sweep(now)
            twin.sweep(now)
        now += random.choice((0.0, 0.001, 0.001, 0.5, 20.0))
        sent = mutated(random)
        verdict = fabric.handle(sent.port, sent.data, now)
        broken = broken_promises(state, sent, verdict)
        assert not broken, f"{broken}: {sent.port} {sent.data.hex()} -> {verdict}"
        # Bytes for bytes: what a flow's later packets get by the short way is what they would get by the long one.
        assert twin.handle(sent.port, sent.data, now) == verdict, f"{sent.port} {sent.data.hex()}"
        if isinstance(verdict, Drop):
            journal.note(verdict.rule, verdict.interface, came_from=sent.port, frame=sent.data)
        fates[str(verdict.rule) if isinstance(verdict, Drop) else "delivered"] += 1
    print(seed, dict(fates))
    assert fates["delivered"] > FRAMES / 20
    assert len(fates) > 15
    shown = journal.last()
    assert shown.keys() == fates.keys() - {"delivered"}
    assert all(entry["summary"] for entries in shown.values() for entry in entries)


def broken_promises(state: VpcState, sent: Sent, verdict: list[Delivery] | Drop) -> list[str]:
    """What a VPC may not do whatever it is given, judged by the bytes alone and not by the fabric's own code."""
    interfaces = {entry.id: entry for entry in state.interfaces}
    sender = interfaces.get(sent.port)
    if isinstance(verdict, Drop):
        told = all(delivery.port == sent.port and delivery.data[23] == 1 for delivery in verdict.answers)
        return [] if told and verdict.interface in {*interfaces, *OUTSIDE, sent.port} else ["a drop's account"]
    if not verdict:
        return ["neither delivered nor dropped"]
    if sent.port not in OUTSIDE and sender is None:
        return ["a frame of nobody"]
    if sender is not None and is_answered_by_the_fabric(sender, sent.data, verdict):
        return []
    offset = 0 if sender is None else 14
    before = sent.data[offset:]
    before = before[: int.from_bytes(before[2:4])]
    broken = []
    if sender is not None:
        own = {number(each.private) for each in sender.addresses}
        if sent.data[6:12] != mac_of(sender) or sent.data[12:14] != b"\x08\x00":
            broken.append("a foreign MAC or no IPv4 got out")
        if sender.source_dest_check and int.from_bytes(before[12:16]) not in own:
            broken.append("a foreign source left with the check on")
        if sent.data[0] & 1:
            broken.append("multicast got out")
    for delivery in verdict:
        broken += broken_by_delivery(state, sender, sent, before, delivery, is_whole=len(verdict) == 1)
    return broken


def is_answered_by_the_fabric(sender: Interface, frame: bytes, verdict: list[Delivery]) -> bool:
    """ARP and DHCP: one frame, back to the sender alone, made by the fabric."""
    is_arp = frame[12:14] == b"\x08\x06"
    is_dhcp = frame[12:14] == b"\x08\x00" and frame[23] == 17 and b"\0\x44\0\x43" in frame
    if not (is_arp or is_dhcp) or [delivery.port for delivery in verdict] != [sender.id]:
        return False
    answer = verdict[0].data
    return (
        answer[:6] in (mac_of(sender), BROADCAST_MAC)
        and answer[12:14] == frame[12:14]
        and (is_arp or answer[6:12] == ROUTER_MAC)
    )


def broken_by_delivery(
    state: VpcState, sender: Interface | None, sent: Sent, before: bytes, delivery: Delivery, *, is_whole: bool
) -> list[str]:
    interfaces = {entry.id: entry for entry in state.interfaces}
    receiver = interfaces.get(delivery.port)
    after = delivery.data if receiver is None else delivery.data[14:]
    source, destination = after[12:16], after[16:20]
    by_gateway = delivery.port == "inet0" or sent.port == "inet0" or after[12:20] != before[12:20]
    broken = []
    if receiver is None and (delivery.port not in OUTSIDE or sender is None):
        broken.append("delivered to nobody, or from outside to outside")
    if receiver is not None:
        broken += broken_at_receiver(state, sender, receiver, sent, before, delivery)
    if delivery.port == "inet0" and sender is not None:
        public = {number(each.private): each.public for each in sender.addresses}.get(int.from_bytes(before[12:16]))
        if public is None or source != number(public).to_bytes(4) or destination != before[16:20]:
            broken.append("the gateway let out what has no public address of its own")
    is_service = destination == number(METADATA).to_bytes(4) or destination[3] == 2
    if delivery.port == "svc0" and (after != before or not is_service):
        broken.append("a link service got what is not for it")
    if len(after) > (1500 if by_gateway else 9001) or int.from_bytes(after[2:4]) != len(after):
        broken.append("a wrong size")
    if not after[8] or (sent.port != "svc0" and after[8] != before[8]):
        broken.append("a wrong time to live")
    if is_whole and (after[:2] != before[:2] or len(after) != len(before) or after[4:8] != before[4:8]):
        broken.append("more changed than a gateway changes")
    broken += [f"checksum: {name}" for name in sums(after, is_whole) - sums(before, is_whole)]
    return broken


def broken_at_receiver(
    state: VpcState, sender: Interface | None, receiver: Interface, sent: Sent, before: bytes, delivery: Delivery
) -> list[str]:
    """It must have been for this interface: by MAC, by route, or by an address of its own."""
    private = {number(each.private).to_bytes(4) for each in receiver.addresses}
    public = {number(each.public).to_bytes(4) for each in receiver.addresses if each.public}
    meant, got = before[16:20], delivery.data[30:34]
    straight = sender is not None and sent.data[:6] == mac_of(receiver) and sender.subnet_id == receiver.subnet_id
    routed = any(
        route.target == receiver.id
        for subnet in state.subnets
        if sender is not None and sender.subnet_id == subnet.id and sent.data[:6] == ROUTER_MAC
        for route in subnet.routes
    )
    broken = []
    if delivery.data[:6] != mac_of(receiver) or delivery.data[12:14] != b"\x08\x00":
        broken.append("another's MAC")
    if delivery.data[6:12] != (sent.data[6:12] if straight else ROUTER_MAC):
        broken.append("the wrong next hop as source")
    if not (straight or routed or meant in private | public):
        broken.append("not for this interface")
    if receiver.source_dest_check and got not in private:
        broken.append("a foreign destination came in with the check on")
    return broken


def sums(packet: bytes, is_whole: bool) -> set[str]:
    """Which checksums are wrong; a fragment's transport is not judged."""
    header = (packet[0] & 15) * 4
    wrong = set()
    if plain_checksum(packet[:header]):
        wrong.add("ip")
    if not is_whole or int.from_bytes(packet[6:8]) & 0x3FFF:
        return wrong
    body = packet[header:]
    pseudo = pseudo_header(int.from_bytes(packet[12:16]), int.from_bytes(packet[16:20]), packet[9], len(body))
    if packet[9] == 6 and plain_checksum(pseudo + body):
        wrong.add("tcp")
    if packet[9] == 17 and body[6:8] != b"\0\0" and plain_checksum(pseudo + body):
        wrong.add("udp")
    if packet[9] == 1 and plain_checksum(body):
        wrong.add("icmp")
    quoted = body[8:]
    if packet[9] == 1 and body[0] in (3, 4, 5, 11, 12) and len(quoted) >= 20 and 0x45 <= quoted[0] < 0x50:
        size = (quoted[0] & 15) * 4
        if len(quoted) >= size and plain_checksum(quoted[:size]):
            wrong.add("quoted ip")
    return wrong


def mac_of(entry: Interface) -> bytes:
    return bytes.fromhex(entry.mac.replace(":", ""))


def test_the_promises_would_notice() -> None:
    """The judge itself: what a fabric without a check, a gateway or a translation would do is seen."""
    stranger = out(W1, tcp(f"{CLIENT}:9", "10.0.0.194:80"), W2)
    assert broken_promises(STATE, stranger, [Delivery(W2.id, stranger.data)]) == [
        "a foreign source left with the check on"
    ]
    private = out(W1, tcp("10.0.0.80:9", f"{CLIENT}:80"))
    assert "the gateway let out what has no public address of its own" in broken_promises(
        STATE, private, [Delivery("inet0", private.data[14:])]
    )
    straight = out(W1, tcp("10.0.0.80:9", "10.0.0.194:80"), W2)
    assert broken_promises(STATE, straight, [Delivery(W2.id, straight.data)]) == []
    assert "another's MAC" in broken_promises(STATE, straight, [Delivery(W1.id, straight.data)])
    spoilt = straight.data[:40] + b"\xff\xff" + straight.data[42:]
    assert broken_promises(STATE, straight, [Delivery(W2.id, spoilt)]) == ["checksum: tcp"]


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_too_odd_to_be_described(seed: int) -> None:
    random = Random(seed)
    for _ in range(FRAMES):
        data = mutated(random).data[: random.choice((128, 128, 40, 20, 3))]
        for has_header in (True, False):
            assert describe(data, has_ethernet_header=has_header)


@pytest.mark.parametrize("seed", range(4))
def test_a_stream_of_nonsense_gives_frames_or_an_error_and_never_grows_without_end(seed: int) -> None:
    random = Random(seed)
    reader, fed = FrameReader(), 0
    for _ in range(2000):
        piece = random.choice(
            (random.randbytes(random.randint(1, 50)), packed(mutated(random).data), b"\0\0\0\0", b"\0\0", b"\0\1\0\0")
        )
        try:
            frames = reader.feed(piece)
        except FramingError as error:
            assert int.from_bytes(error.start[:4]) > FRAME_LIMIT
            reader, fed = FrameReader(), 0
            continue
        assert all(len(frame) <= FRAME_LIMIT for frame in frames)
        fed = 0 if frames else fed + len(piece)
        assert fed <= FRAME_LIMIT + 4 + len(piece)
