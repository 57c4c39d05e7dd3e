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
    """`port` 0 means any. `api_delay_seconds` is for callers inside the lab's network, where there is one: the host's
    are not delayed then. `boot_delay_seconds` is for instances without machines.
    """  # noqa: D205

    paths: LabPaths
    region: str
    address: str = "127.0.0.1"
    port: int = 0
    fabric: bool = False
    api_delay_seconds: float = API_DELAY_SECONDS
    remap_delay_seconds: float = REMAP_DELAY_SECONDS
    boot_delay_seconds: float = 0.0


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
    parser.add_argument("--api-delay", type=_seconds, help="seconds a call takes (with --fabric: inside the lab)")
    parser.add_argument("--remap-delay", type=_seconds, help="seconds until packets follow a call about addresses")
    given = parser.parse_args(arguments)
    try:
        address, port = listen_address(given.listen)
    except ValueError as error:
        parser.error(f"--listen {given.listen}: {error}")
    api_delay, remap_delay = given.api_delay, given.remap_delay
    return CloudOptions(
        paths=LabPaths(home=given.home.absolute(), run=given.run.absolute(), cache=given.cache.absolute()),
        region=given.region,
        address=address,
        port=port,
        fabric=given.fabric,
        api_delay_seconds=(API_DELAY_SECONDS if given.fabric else 0.0) if api_delay is None else api_delay,
        remap_delay_seconds=(REMAP_DELAY_SECONDS if given.fabric else 0.0) if remap_delay is None else remap_delay,
    )


def listen_address(text: str) -> tuple[str, int]:
    """ADDRESS:PORT taken apart; ValueError with what is expected."""
    address, _, port = text.rpartition(":")
    if not address or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise ValueError("write ADDRESS:PORT, such as 127.0.0.1:4566")
    return address, int(port)


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 3600:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 3600 seconds")
    return value
