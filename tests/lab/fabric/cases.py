"""The language of the table in `test_cases.py`: what is sent, what must become of it, and the judge."""

from __future__ import annotations

from dataclasses import dataclass, replace

from lab.fabric.model import Interface, VpcState
from lab.fabric.pipeline import Drop
from lab.fabric.rules import DropRule
from lab.fabric.topology import ROUTER_MAC, compile_state
from tests.lab.fabric.world import D1, D2, STATE, frame, mac, pipeline, with_interface


@dataclass(frozen=True)
class Sent:
    """A frame from an interface, or an IP packet from outside."""

    port: str
    data: bytes


@dataclass(frozen=True)
class To:
    """Delivered to `port` as `packets`; none means unchanged."""

    port: str
    packets: tuple[bytes, ...]


@dataclass(frozen=True)
class No:
    """Lost by `rule`, counted for `port`."""

    rule: DropRule
    port: str


@dataclass(frozen=True)
class Case:
    """What is sent and what becomes of it, in the world of `state` after what went before."""

    id: str
    sent: Sent
    expected: To | No
    state: VpcState = STATE
    # In order: frames, which are delivered, new states, and seconds that pass.
    after: tuple[Sent | VpcState | float, ...] = ()


def out(sender: Interface, packet: bytes, to: Interface | bytes = ROUTER_MAC) -> Sent:
    """A packet from `sender`, given to the next hop `to`."""
    return Sent(sender.id, frame(sender, packet, to))


def raw(sender: Interface, data: bytes) -> Sent:
    return Sent(sender.id, data)


def client(packet: bytes) -> Sent:
    """A packet from the internet."""
    return Sent("inet0", packet)


def service(packet: bytes) -> Sent:
    """A packet of a link service."""
    return Sent("svc0", packet)


def to(port: Interface | str, *packets: bytes) -> To:
    return To(port if isinstance(port, str) else port.id, packets)


def no(rule: str, port: Interface | str) -> No:
    return No(DropRule(rule), port if isinstance(port, str) else port.id)


def checked(entry: Interface) -> VpcState:
    """The world with an interface's source/destination check on."""
    return with_interface(entry.id, source_dest_check=True)


def moved(state: VpcState = STATE) -> VpcState:
    """The virtual IP is the second director's now."""
    return replace(
        state,
        interfaces=tuple(
            replace(entry, addresses=entry.addresses[:1])
            if entry.id == D1.id
            else replace(entry, addresses=(*entry.addresses, D1.addresses[1]))
            if entry.id == D2.id
            else entry
            for entry in state.interfaces
        ),
    )


def without(gone: Interface, state: VpcState = STATE) -> VpcState:
    return replace(state, interfaces=tuple(entry for entry in state.interfaces if entry.id != gone.id))


def judge(case: Case) -> None:
    """Send it and compare: the port, every byte of what is delivered, or the rule and the interface it counts for."""
    fabric = pipeline(case.state)
    now = 1000.0
    for step in case.after:
        if isinstance(step, VpcState):
            fabric.apply(compile_state(step))
        elif isinstance(step, float):
            now += step
        else:
            assert isinstance(fabric.handle(step.port, step.data, now), list), step
    verdict = fabric.handle(case.sent.port, case.sent.data, now)
    if isinstance(case.expected, No):
        assert isinstance(verdict, Drop), f"delivered to {[delivery.port for delivery in verdict]}"
        assert (verdict.rule, verdict.interface) == (case.expected.rule, case.expected.port)
        return
    assert isinstance(verdict, list), f"lost by {verdict.rule} of {verdict.interface}"
    sent = case.sent.data if case.sent.port in ("inet0", "svc0") else case.sent.data[14:]
    header = header_at(case.expected.port, case.sent)
    expected = [header + packet for packet in case.expected.packets or (sent,)]
    assert [delivery.port for delivery in verdict] == [case.expected.port] * len(expected)
    assert [delivery.data.hex() for delivery in verdict] == [data.hex() for data in expected]


def header_at(port: str, sent: Sent) -> bytes:
    """The Ethernet header it must arrive with: the receiver's MAC, and the sender's where it came straight from it."""
    if port in ("inet0", "svc0"):
        return b""
    (receiver,) = (entry for entry in STATE.interfaces if entry.id == port)
    came_straight = sent.port not in ("inet0", "svc0") and sent.data[:6] != ROUTER_MAC
    return mac(receiver) + (sent.data[6:12] if came_straight else ROUTER_MAC) + b"\x08\x00"
