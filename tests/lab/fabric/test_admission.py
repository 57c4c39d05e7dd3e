"""Security groups and what they remember."""

from __future__ import annotations

import pytest

from lab.fabric.model import Rule, SecurityGroup, VpcState
from lab.fabric.topology import compile_state
from lab.fabric.tracking import CONNECTION_LIMIT, ConnectionTable
from tests.lab.fabric.world import (
    CLIENT,
    D1,
    D2,
    EVERYWHERE,
    SERVICE_PUBLIC,
    STATE,
    VIRTUAL_IP,
    W1,
    W2,
    A,
    F,
    R,
    S,
    delivered,
    dropped,
    frame,
    icmp,
    ip,
    pipeline,
    tcp,
    tcp_rule,
    udp,
    with_group,
)

DAYS = 86400.0


def web(*ingress: Rule, egress: tuple[Rule, ...] = (Rule(protocol="-1", cidr=EVERYWHERE),)) -> VpcState:
    return with_group("sg-web", ingress=ingress, egress=egress)


def test_what_no_rule_allows_in_is_dropped_at_the_receiver() -> None:
    sent = frame(W1, tcp("10.0.0.80:9", "10.0.0.194:81"), W2)
    assert dropped(pipeline().handle(W1.id, sent, 0)) == ("sg-ingress", "eni-w2")
    delivered(pipeline(web(tcp_rule(81, cidr="10.0.0.80/32"))).handle(W1.id, sent, 0), W2.id)
    other = pipeline(web(tcp_rule(81, cidr="10.0.0.81/32")))
    assert dropped(other.handle(W1.id, sent, 0)) == ("sg-ingress", "eni-w2")


def test_what_no_rule_allows_out_is_dropped_at_the_sender() -> None:
    sent = frame(W1, tcp("10.0.0.80:9", "10.0.0.194:80"), W2)
    assert dropped(pipeline(web(tcp_rule(80, cidr=EVERYWHERE), egress=())).handle(W1.id, sent, 0)) == (
        "sg-egress",
        "eni-w1",
    )
    towards = (tcp_rule(80, cidr="10.0.0.194/32"),)
    delivered(pipeline(web(tcp_rule(80, cidr=EVERYWHERE), egress=towards)).handle(W1.id, sent, 0), W2.id)


def test_a_reply_passes_without_a_rule_and_a_stranger_does_not() -> None:
    fabric = pipeline(web(tcp_rule(80, cidr=EVERYWHERE), egress=()))
    delivered(fabric.handle(D1.id, frame(D1, tcp(f"{CLIENT}:9", "10.0.0.80:80"), W1), 0), W1.id)
    reply = frame(W1, tcp("10.0.0.80:80", f"{CLIENT}:9", flags=S | A), D1)
    delivered(fabric.handle(W1.id, reply, 1), D1.id)
    stranger = frame(W1, tcp("10.0.0.80:80", f"{CLIENT}:10", flags=S | A), D1)
    assert dropped(fabric.handle(W1.id, stranger, 1)) == ("sg-egress", "eni-w1")


def test_a_reference_means_the_members_own_addresses_not_the_client_s_they_forward() -> None:
    fabric = pipeline(web(tcp_rule(80, group="sg-directors")))
    forwarded = frame(D1, tcp(f"{CLIENT}:9", "10.0.0.80:80"), W1)
    assert dropped(fabric.handle(D1.id, forwarded, 0)) == ("sg-ingress", "eni-w1")
    for own in ("10.0.0.36", VIRTUAL_IP):
        delivered(fabric.handle(D1.id, frame(D1, tcp(f"{own}:9", "10.0.0.80:80"), W1), 0), W1.id)


def test_a_reference_does_not_mean_a_member_s_public_address() -> None:
    fabric = pipeline(with_group("sg-directors", ingress=(tcp_rule(80, group="sg-directors"),)))
    hairpin = frame(D2, tcp("10.0.0.56:9", f"{SERVICE_PUBLIC}:80"))
    assert dropped(fabric.handle(D2.id, hairpin, 0)) == ("sg-ingress", "eni-d1")


def test_a_reference_to_a_group_that_is_gone_matches_nothing() -> None:
    fabric = pipeline(web(tcp_rule(80, group="sg-gone")))
    assert dropped(fabric.handle(D1.id, frame(D1, tcp("10.0.0.36:9", "10.0.0.80:80"), W1), 0))[0] == "sg-ingress"


def test_replies_of_web_servers_reach_a_director_that_never_saw_the_connection() -> None:
    reply = frame(W1, tcp("10.0.0.80:80", f"{CLIENT}:9", flags=A, data=b"body"), D2)
    delivered(pipeline().handle(W1.id, reply, 0), D2.id)
    closed = pipeline(with_group("sg-directors", ingress=(tcp_rule(80, cidr=EVERYWHERE),)))
    assert dropped(closed.handle(W1.id, reply, 0)) == ("sg-ingress", "eni-d2")


def test_protocol_112_passes_by_number_whatever_ports_are_given() -> None:
    advert = frame(D1, ip("10.0.0.36", "10.0.0.56", 112, b"advert"), D2)
    delivered(pipeline().handle(D1.id, advert, 0), D2.id)
    ranged = Rule(protocol="112", from_port=5, to_port=6, group="sg-directors")
    delivered(pipeline(with_group("sg-directors", ingress=(ranged,))).handle(D1.id, advert, 0), D2.id)
    closed = pipeline(with_group("sg-directors", ingress=(tcp_rule(None, cidr=EVERYWHERE),)))
    assert dropped(closed.handle(D1.id, advert, 0)) == ("sg-ingress", "eni-d2")


def test_protocol_112_is_tracked_for_600_seconds() -> None:
    fabric = pipeline()
    delivered(fabric.handle(D1.id, frame(D1, ip("10.0.0.36", "10.0.0.56", 112, b"advert"), D2), 0), D2.id)
    fabric.apply(compile_state(with_group("sg-directors", ingress=(), egress=())))
    answer = frame(D2, ip("10.0.0.56", "10.0.0.36", 112, b"advert"), D1)
    delivered(fabric.handle(D2.id, answer, 599), D1.id)
    delivered(fabric.handle(D2.id, answer, 1198), D1.id)
    assert dropped(fabric.handle(D2.id, answer, 1799)) == ("sg-egress", "eni-d2")


def test_a_change_of_rules_does_not_cut_what_is_tracked_but_lets_nothing_new_in() -> None:
    fabric = pipeline()
    first = frame(D1, tcp("10.0.0.36:9", "10.0.0.80:80"), W1)
    delivered(fabric.handle(D1.id, first, 0), W1.id)
    fabric.apply(compile_state(web()))
    delivered(fabric.handle(D1.id, frame(D1, tcp("10.0.0.36:9", "10.0.0.80:80", flags=A), W1), 1), W1.id)
    assert dropped(fabric.handle(D1.id, frame(D1, tcp("10.0.0.36:10", "10.0.0.80:80"), W1), 1))[0] == "sg-ingress"


def established(fabric_state: VpcState = STATE):  # type: ignore[no-untyped-def]
    """A connection D1 -> W1 at time 0, and W1's groups closed afterwards: only tracking lets anything pass."""
    fabric = pipeline(fabric_state)
    there, back = ("10.0.0.36:9", "10.0.0.80:80"), ("10.0.0.80:80", "10.0.0.36:9")

    def send(flags: int, now: float, *, reply: bool = False) -> object:
        if reply:
            return fabric.handle(W1.id, frame(W1, tcp(*back, flags=flags), D1), now)
        return fabric.handle(D1.id, frame(D1, tcp(*there, flags=flags), W1), now)

    delivered(send(S, 0), W1.id)  # type: ignore[arg-type]
    delivered(send(S | A, 0, reply=True), D1.id)  # type: ignore[arg-type]
    delivered(send(A, 0), W1.id)  # type: ignore[arg-type]
    fabric.apply(compile_state(web(egress=())))
    return send


@pytest.mark.parametrize(
    ("closing", "still", "gone"),
    [
        ([], 4.9 * DAYS, 5.1 * DAYS),
        ([(F | A, False)], 119, 121),
        ([(F | A, False), (F | A, True), (A, False)], 119, 121),
        ([(R, True)], 9, 11),
    ],
)
def test_how_long_a_tcp_connection_is_remembered(closing: list[tuple[int, bool]], still: float, gone: float) -> None:
    for after, expected in ((still, None), (gone, ("sg-ingress", "eni-w1"))):
        send = established()
        for flags, reply in closing:
            delivered(send(flags, 0, reply=reply), D1.id if reply else W1.id)
        verdict = send(A, after)
        if expected is None:
            delivered(verdict, W1.id)
        else:
            assert dropped(verdict) == expected


def test_traffic_by_the_short_way_keeps_a_connection_alive() -> None:
    send = established()
    for day in (4, 8, 12):
        delivered(send(A, day * DAYS), W1.id)
        delivered(send(A, day * DAYS, reply=True), D1.id)
    assert dropped(send(A, 17.1 * DAYS))[0] == "sg-ingress"


def test_a_new_connection_on_the_ports_of_a_closed_one_needs_a_rule_again() -> None:
    send = established()
    delivered(send(R, 0), W1.id)
    assert dropped(send(S, 1)) == ("sg-ingress", "eni-w1")


def test_an_unanswered_syn_is_forgotten_after_two_minutes() -> None:
    for after, rule in ((119, None), (121, "sg-ingress")):
        fabric = pipeline()
        fabric.handle(D1.id, frame(D1, tcp("10.0.0.36:9", "10.0.0.80:80"), W1), 0)
        fabric.apply(compile_state(web()))
        verdict = fabric.handle(D1.id, frame(D1, tcp("10.0.0.36:9", "10.0.0.80:80"), W1), after)
        assert (None if isinstance(verdict, list) else dropped(verdict)[0]) == rule


def test_udp_is_remembered_30_seconds_and_a_stream_180() -> None:
    out = frame(W1, udp("10.0.0.80:53", "10.0.0.194:54"), W2)
    back = frame(W2, udp("10.0.0.194:54", "10.0.0.80:53"), W1)
    for exchanges, still, gone in ((1, 29, 31), (2, 179, 181)):
        for after in (still, gone):
            fabric = pipeline(web(Rule(protocol="17", cidr="10.0.0.80/32")))  # W2 may be asked, W1 only answered
            for _ in range(exchanges):
                delivered(fabric.handle(W1.id, out, 0), W2.id)
                delivered(fabric.handle(W2.id, back, 0), W1.id)
            verdict = fabric.handle(W2.id, back, after)
            if after == still:
                delivered(verdict, W1.id)
            else:
                assert dropped(verdict) == ("sg-ingress", "eni-w1")


def test_echo_replies_are_tracked_by_identifier_and_requests_are_not_replies() -> None:
    fabric = pipeline(web(Rule(protocol="1", from_port=8, to_port=-1, cidr="10.0.0.80/32")))
    delivered(fabric.handle(W1.id, frame(W1, icmp("10.0.0.80", "10.0.0.194", 8), W2), 0), W2.id)
    reply = icmp("10.0.0.194", "10.0.0.80", 0)
    delivered(fabric.handle(W2.id, frame(W2, reply, W1), 0), W1.id)
    other = icmp("10.0.0.194", "10.0.0.80", 0, rest=b"\0\x63\0\1ping")
    assert dropped(fabric.handle(W2.id, frame(W2, other, W1), 0)) == ("sg-ingress", "eni-w1")
    request = icmp("10.0.0.194", "10.0.0.80", 8)
    assert dropped(fabric.handle(W2.id, frame(W2, request, W1), 0)) == ("sg-ingress", "eni-w1")


@pytest.mark.parametrize(
    ("low", "high", "passes"),
    [(3, 4, True), (3, -1, True), (-1, -1, True), (None, None, True), (3, 3, False), (8, -1, False)],
)
def test_icmp_rules_mean_type_and_code(low: int | None, high: int | None, passes: bool) -> None:
    fabric = pipeline(web(Rule(protocol="1", from_port=low, to_port=high, cidr=EVERYWHERE)))
    error = icmp("10.0.0.36", "10.0.0.80", 3, 4, rest=bytes(4) + tcp("10.0.0.80:80", "10.0.0.36:9")[:28])
    verdict = fabric.handle(D1.id, frame(D1, error, W1), 0)
    assert isinstance(verdict, list) == passes


@pytest.mark.parametrize(("port", "passes"), [(79, False), (80, True), (90, True), (91, False)])
def test_a_range_of_ports_has_both_its_ends(port: int, passes: bool) -> None:
    fabric = pipeline(web(Rule(protocol="6", from_port=80, to_port=90, cidr=EVERYWHERE)))
    verdict = fabric.handle(W1.id, frame(W1, tcp("10.0.0.80:9", f"10.0.0.194:{port}"), W2), 0)
    assert isinstance(verdict, list) == passes
    as_udp = fabric.handle(W1.id, frame(W1, udp("10.0.0.80:9", f"10.0.0.194:{port}"), W2), 0)
    assert dropped(as_udp)[0] == "sg-ingress"


def test_rules_of_all_groups_of_an_interface_add_up() -> None:
    extra = SecurityGroup(id="sg-extra", ingress=(tcp_rule(22, cidr=EVERYWHERE),))
    from dataclasses import replace

    interfaces = tuple(replace(e, groups=("sg-web", "sg-extra")) if e.id == W1.id else e for e in STATE.interfaces)
    fabric = pipeline(replace(STATE, groups=(*STATE.groups, extra), interfaces=interfaces))
    for port in (22, 80):
        delivered(fabric.handle(D1.id, frame(D1, tcp("10.0.0.36:9", f"10.0.0.80:{port}"), W1), 0), W1.id)


def test_later_fragments_are_judged_by_the_first_one_s_ports() -> None:
    whole = udp("10.0.0.80:9", "10.0.0.194:53", bytes(64))
    parts = [
        ip("10.0.0.80", "10.0.0.194", 17, whole[20:60], identification=7, fragment=0x2000),
        ip("10.0.0.80", "10.0.0.194", 17, whole[60:], identification=7, fragment=5),
    ]
    fabric = pipeline(web(Rule(protocol="17", from_port=53, to_port=53, cidr=EVERYWHERE)))
    late = frame(W1, parts[1], W2)
    assert dropped(fabric.handle(W1.id, late, 0)) == ("fragment-without-first", "eni-w1")
    for part in parts:
        delivered(fabric.handle(W1.id, frame(W1, part, W2), 0), W2.id)
    assert dropped(fabric.handle(W1.id, late, 31)) == ("fragment-without-first", "eni-w1")
    other = pipeline(web(Rule(protocol="17", from_port=54, to_port=54, cidr=EVERYWHERE)))
    for part in parts:
        assert dropped(other.handle(W1.id, frame(W1, part, W2), 0)) == ("sg-ingress", "eni-w2")


def test_tracking_has_an_allowance_and_expired_connections_return_it() -> None:
    table = ConnectionTable()
    from lab.fabric.groups import Permission
    from lab.fabric.packets import parse_packet

    anything = (Permission(-1, -1, -1, 0, 0, None),)

    def admit(index: int, now: float) -> object:
        packet = parse_packet(tcp(f"10.{index >> 16}.0.1:{index & 0xFFFF}", "10.0.0.80:80"))
        assert packet is not None
        return table.admit(packet, anything, outbound=False, now=now)

    for index in range(CONNECTION_LIMIT):
        admit(index, 100)
    assert str(admit(CONNECTION_LIMIT, 110)) == "conntrack-allowance-exceeded"
    assert str(admit(CONNECTION_LIMIT, 221)) != "conntrack-allowance-exceeded"
    assert len(table) == 1
