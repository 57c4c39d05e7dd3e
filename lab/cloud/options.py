"""What the cloud is told at its start."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.paths import LabPaths

# What resembles AWS (measured round trips of 0.2 to 0.6 s; remaps within about a second).
API_DELAY_SECONDS = 0.3
REMAP_DELAY_SECONDS = 1.0


@dataclass(frozen=True, kw_only=True)
class CloudOptions:
    """`port` 0 means any. `api_delay_seconds` is for callers inside the lab's network; the host's are not delayed."""

    paths: LabPaths
    region: str
    address: str = "127.0.0.1"
    port: int = 0
    fabric: bool = False
    api_delay_seconds: float = API_DELAY_SECONDS
    remap_delay_seconds: float = REMAP_DELAY_SECONDS


def parse(arguments: Sequence[str] | None = None) -> CloudOptions:
    """The options of a command line; exits with usage where they are wrong."""
    parser = argparse.ArgumentParser(prog="python -m lab.cloud", description="The lab's AWS account.")
    parser.add_argument(
        "--listen", default="127.0.0.1:0", metavar="ADDRESS:PORT", help="the API, plain HTTP; port 0: any"
    )
    parser.add_argument("--region", required=True)
    parser.add_argument("--home", required=True, type=Path, help="state and logs; cloud.json tells pid and port")
    parser.add_argument("--run", required=True, type=Path, help="unix sockets")
    parser.add_argument("--cache", required=True, type=Path, help="images and the certificate authority")
    parser.add_argument("--fabric", action="store_true", help="with machines, in the running fabric's network")
    parser.add_argument(
        "--api-delay", type=_seconds, default=API_DELAY_SECONDS, help="seconds a call takes inside the lab"
    )
    parser.add_argument("--remap-delay", type=_seconds, help="seconds until packets follow a call about addresses")
    given = parser.parse_args(arguments)
    address, _, port = given.listen.rpartition(":")
    if not address or not port.isdecimal() or int(port) > 65535:
        parser.error(f"--listen {given.listen}: write ADDRESS:PORT, such as 127.0.0.1:4566")
    remap_delay = given.remap_delay
    if remap_delay is None:
        remap_delay = REMAP_DELAY_SECONDS if given.fabric else 0.0
    return CloudOptions(
        paths=LabPaths(home=given.home.absolute(), run=given.run.absolute(), cache=given.cache.absolute()),
        region=given.region,
        address=address,
        port=int(port),
        fabric=given.fabric,
        api_delay_seconds=given.api_delay,
        remap_delay_seconds=remap_delay,
    )


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 3600:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 3600 seconds")
    return value
