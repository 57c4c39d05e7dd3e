"""Clients' traffic across a failover: 16 silent downloads, 16 idle connections, and a prober that times the outage."""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.client_session import ClientSession, Outage, clients
from tests.lab.under_test import LabUnderTest

WEB_SERVERS = ("web-1", "web-2")
COUNT = 16
# So slow and large that a download outlasts a failover: it would take four minutes, and is hurried on after that.
PAGE_BYTES = 1 << 23
BYTES_PER_SECOND = 1 << 15
PAGE_SHA256 = hashlib.sha256(random.Random(1).randbytes(PAGE_BYTES)).hexdigest()
PAGE = "/download/random"
# nginx ends a connection after 75 idle s; on a slow machine an event takes longer, and the end would not be its doing.
IDLE_SECONDS = 600
MAKE_PAGE = (
    "mkdir -p /run/lab/download; "
    f"python3 -c 'import random, sys; sys.stdout.buffer.write(random.Random(1).randbytes({PAGE_BYTES}))' "
    "> /run/lab/download/random; "
    "grep -q download /etc/lvs-aws/nginx-site.conf || "
    f"sed -i '/server_tokens/a keepalive_timeout {IDLE_SECONDS}s; location /download/ {{ root /run/lab; }}' "
    "/etc/lvs-aws/nginx-site.conf; "
    "systemctl reload nginx"
)
# Entries of connections reach the other director within 3 s (Linux's IPVS_SYNC_FLUSH_TIME, 2 s, and a second's sleep).
SYNC_SECONDS = 4.0
# Detection takes 1.0 to 1.5 s, the call 0.3 s, the remap 1 s; emulated machines under load take several times that.
SETTLE_SECONDS = 10.0


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the clients saw of one event; times are in seconds, None where nothing probed."""

    downloads: list[dict[str, Any]]
    kept: list[dict[str, Any]]
    outage: Outage | None
    began: float

    @property
    def pause(self) -> float:
        """The longest that any download stood still."""
        return max(float(each["pause"]) for each in self.downloads)

    def __str__(self) -> str:
        outage = "no prober"
        if self.outage is not None:
            outage = f"outage {self.outage.seconds:.2f} s ({self.outage.failed} probes failed)"
        answers = [each["seconds"] for each in self.kept if each["error"] is None]
        whole = sum(each["sha256"] == PAGE_SHA256 for each in self.downloads)
        return (
            f"{outage}; longest pause of a download {self.pause:.2f} s; {whole} of {len(self.downloads)} whole; "
            f"{len(answers)} of {len(self.kept)} idle connections answer, in up to {max(answers, default=0):.2f} s"
        )


def make_pages(lab: LabUnderTest) -> None:
    """Put the same large page onto every web server."""
    for name in WEB_SERVERS:
        lab.run(name, MAKE_PAGE)


def during(
    lab: LabUnderTest,
    event: Callable[[], object],
    *,
    probe: bool = True,
    settle: float = SETTLE_SECONDS,
    patience: float = 60.0,
) -> Seen:
    """Let traffic flow, let `event` happen, and see what becomes of the traffic."""
    with clients(lab.inside, str(lab.inside.outputs()["elasticIp"])) as session:
        return _observe(session, event, probe=probe, settle=settle, patience=patience)


def _observe(
    session: ClientSession, event: Callable[[], object], *, probe: bool, settle: float, patience: float
) -> Seen:
    assert [error for error in session("keep", count=COUNT) if error] == []
    session("download", path=PAGE, count=COUNT, bytes_per_second=BYTES_PER_SECOND)
    if probe:
        session("probe")
    time.sleep(SYNC_SECONDS)
    began = time.monotonic()
    event()
    time.sleep(settle)
    assert max(session("hurry")) < PAGE_BYTES, "a download ended before the event had its effect"
    downloads = session("downloads", seconds=patience)
    answers = session("ask", seconds=10.0)
    outage = None
    if probe:
        probes = session("probed")
        before = [end for begin, end in probes["succeeded"] if begin < began]
        assert len(before) > SYNC_SECONDS * 50 / 2, "the probes did not succeed before the event: nothing was measured"
        outage = Outage.of(probes)
    return Seen(downloads=downloads, kept=answers, outage=outage, began=began)


def assert_nothing_was_lost(seen: Seen) -> None:
    """Every download came to its end with the right content, every idle connection answered."""
    assert [(each["error"], each["received"]) for each in seen.downloads if each["sha256"] != PAGE_SHA256] == []
    assert [each["error"] for each in seen.kept if each["error"]] == []
