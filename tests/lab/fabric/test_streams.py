"""Framing, queues and the control protocol: bytes in pieces, bounds, nonsense."""

from __future__ import annotations

import json
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.fabric.control import answer_line
from lab.fabric.framing import FRAME_LIMIT, FrameReader, FramingError, packed
from lab.fabric.journal import KEPT_FRAMES, DropJournal
from lab.fabric.model import VpcState
from lab.fabric.ports import OutputQueue
from lab.fabric.rules import DropRule
from tests.lab.fabric.world import D1, W1, frame, tcp


@given(st.lists(st.binary(max_size=40), max_size=8), st.lists(st.integers(1, 9), min_size=1))
def test_frames_come_out_whole_however_they_arrive(frames: list[bytes], cuts: list[int]) -> None:
    stream, reader, got, turn = b"".join(map(packed, frames)), FrameReader(), [], 0
    while stream:
        size = cuts[turn % len(cuts)]
        got += reader.feed(stream[:size])
        stream, turn = stream[size:], turn + 1
    assert got == frames


def test_a_length_no_card_sends_is_refused() -> None:
    reader = FrameReader()
    assert reader.feed(FRAME_LIMIT.to_bytes(4)) == []
    with pytest.raises(FramingError, match=str(FRAME_LIMIT + 1)):
        FrameReader().feed((FRAME_LIMIT + 1).to_bytes(4))


def test_a_queue_holds_what_fits_and_loses_nothing_of_it() -> None:
    here, there = socket.socketpair()
    here.setblocking(False)
    queue = OutputQueue(here, limit=1_000_000)
    pieces = 0
    while queue.push(bytes([pieces % 251]) * 1000):
        pieces += 1
    assert pieces == 1000
    assert not queue.flush()  # more than a socket takes at once
    assert queue.push(b"x" * 1000)  # what was sent made room
    received = b""
    while len(received) < 1_001_000:
        received += there.recv(1 << 20)
        queue.flush()
    assert received == b"".join(bytes([at % 251]) * 1000 for at in range(1000)) + b"x" * 1000
    here.close()
    there.close()


def test_the_journal_counts_all_and_keeps_the_last() -> None:
    journal = DropJournal()
    for port in range(KEPT_FRAMES + 3):
        data = frame(D1, tcp(f"10.0.0.36:{port}", "10.0.0.80:81"), W1)
        journal.note(DropRule.GROUP_INGRESS, W1.id, came_from=D1.id, frame=data)
    assert journal.counters() == {"sg-ingress": {"eni-w1": KEPT_FRAMES + 3}}
    kept = journal.last()["sg-ingress"]
    assert len(kept) == KEPT_FRAMES
    assert (kept[-1]["interface"], kept[-1]["came_from"]) == ("eni-w1", "eni-d1")
    assert f"10.0.0.36:{KEPT_FRAMES + 2} > 10.0.0.80:81 tcp" in kept[-1]["summary"]
    assert kept[-1]["frame"] == data.hex()


class Recorder:
    def __init__(self) -> None:
        self.applied: list[VpcState] = []

    def apply(self, state: VpcState) -> None:
        self.applied.append(state)

    def counters(self) -> dict[str, dict[str, int]]:
        return {"sg-egress": {"eni-1": 2}}

    def drops(self) -> dict[str, list[dict[str, object]]]:
        return {}

    def usage(self) -> dict[str, float]:
        return {"frames": 3, "delivered": 2, "cpu_seconds": 0.5, "uptime_seconds": 4.0}

    def ping(self) -> int:
        return 7


def test_control_answers_each_operation() -> None:
    fabric = Recorder()
    ask = [{"op": "ping"}, {"op": "counters"}, {"op": "drops"}, {"op": "usage"}, {"op": "apply", "state": {}}]
    answers = [json.loads(answer_line(fabric, json.dumps(request).encode())) for request in ask]
    assert answers == [
        {"ok": True, "pid": 7},
        {"ok": True, "counters": {"sg-egress": {"eni-1": 2}}},
        {"ok": True, "drops": {}},
        {"ok": True, "frames": 3, "delivered": 2, "cpu_seconds": 0.5, "uptime_seconds": 4.0},
        {"ok": True},
    ]
    assert fabric.applied == [VpcState()]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"nonsense", "Expecting value"),
        (b"\x80{}", "decode"),
        (b"[]", "unknown operation None"),
        (b'{"op": "reboot"}', "'reboot'"),
        (b'{"op": "apply"}', "not a VpcState"),
        (b'{"op": "apply", "state": {"colour": 1}}', "state.colour is not a field of VpcState"),
    ],
)
def test_control_refuses_with_a_reason(line: bytes, said: str) -> None:
    answer = json.loads(answer_line(Recorder(), line))
    assert answer["ok"] is False
    assert said in answer["error"]
