#!/usr/bin/env python3
"""Targets for Prometheus (file_sd_config): the services' URLs, and the machines if an exporter runs on them.

    pulumi stack output --json >outputs.json
    examples/ops/prometheus_targets.py outputs.json >/etc/prometheus/targets/lvs-aws.json

The URLs (label kind="service") are for the blackbox exporter; a UDP service has none it could ask. The stack installs
no exporter; with --exporter-port N the machines are listed at that port of their private addresses (kind="director",
kind="web-server").
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import stack_outputs


def targets(outputs: dict[str, Any], exporter_port: int | None) -> list[dict[str, Any]]:
    """The list file_sd_config reads: one entry a service, and one a machine where `exporter_port` is given."""
    region = {"region": outputs["region"]}
    made = [
        {"targets": [service["url"]], "labels": {**region, "kind": "service", "port": str(service["port"])}}
        for service in outputs["services"]
        if service["url"].startswith("http")
    ]
    if exporter_port is not None:
        for kind, key in (("director", "directors"), ("web-server", "webServers")):
            made += [
                {
                    "targets": [f"{machine['privateIp']}:{exporter_port}"],
                    "labels": {**region, "kind": kind, "name": machine["name"], "instance_id": machine["instanceId"]},
                }
                for machine in outputs[key]
            ]
    return made


def main() -> None:
    """Print the targets."""
    arguments = argparse.ArgumentParser(description="targets for Prometheus (file_sd_config)")
    arguments.add_argument(
        "outputs", nargs="?", help="what `pulumi stack output --json` printed; asks Pulumi if absent"
    )
    arguments.add_argument("--exporter-port", type=int, help="list the machines too, at this port")
    given = arguments.parse_args()
    print(json.dumps(targets(stack_outputs.read(given.outputs), given.exporter_port), indent=2))


if __name__ == "__main__":
    main()
