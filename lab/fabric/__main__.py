"""`python -m lab.fabric --run RUN`: one fabric, until SIGTERM or SIGINT. Needs root."""

from __future__ import annotations

import argparse
import logging
import signal
import socket
import sys
from pathlib import Path

from lab.fabric.client import FabricClient
from lab.fabric.outside import ServiceAddresses, make_outside
from lab.fabric.pipeline import Pipeline
from lab.fabric.switch import Switch


def main() -> int:
    """Parse the command line, make the namespace, serve; the exit code."""
    parser = argparse.ArgumentParser(prog="lab.fabric", description="The lab's VPCs as packets.")
    parser.add_argument("--run", required=True, type=Path, metavar="DIRECTORY", help="where the sockets go")
    parser.add_argument("--log", type=Path, metavar="FILE", help="log there instead of stderr")
    parser.add_argument("--domain", default="ec2.internal", help="DHCP's domain name (default: %(default)s)")
    options = parser.parse_args()
    logging.basicConfig(
        filename=options.log, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", force=True
    )
    socket_path = options.run / "fabric.sock"
    if _is_served(socket_path):
        print(f"lab.fabric: another fabric serves {socket_path}; end it first (lab down)", file=sys.stderr)
        return 1
    try:
        options.run.mkdir(parents=True, exist_ok=True, mode=0o700)
        devices = make_outside()
        switch = Switch(
            run=options.run,
            pipeline=Pipeline(domain=options.domain),
            devices=devices,
            follow_subnets=ServiceAddresses().follow,
        )
    except PermissionError as error:
        print(f"lab.fabric: {error}; it needs root (CAP_SYS_ADMIN and CAP_NET_ADMIN)", file=sys.stderr)
        return 1
    except (OSError, RuntimeError) as error:
        print(f"lab.fabric: {error}", file=sys.stderr)
        return 1
    wake, woken = socket.socketpair()
    for end in (wake, woken):
        end.setblocking(False)
    signal.set_wakeup_fd(wake.fileno())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    switch.watch_for_stop(woken.fileno())
    try:
        switch.run()
    finally:
        switch.close()
    return 0


def _is_served(socket_path: Path) -> bool:
    try:
        FabricClient(socket_path, timeout_seconds=2).ping()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
