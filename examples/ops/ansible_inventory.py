#!/usr/bin/env python3
"""An Ansible inventory of the stack's machines: groups `directors` and `web_servers`.

    ansible-inventory -i examples/ops/ansible_inventory.py --graph

Ansible calls it with --list. The outputs come from the file LVS_AWS_OUTPUTS names, else from Pulumi. Machines are
given by their private addresses, for a control node that reaches them, and by instance id, for connections over SSM:
the stack itself lets nobody in but clients.
"""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

import stack_outputs

GROUPS = {"directors": "directors", "web_servers": "webServers"}


def inventory(outputs: dict[str, Any]) -> dict[str, Any]:
    """The inventory as Ansible's script plugin wants it."""
    hosts = {
        machine["name"]: {
            "ansible_host": machine["privateIp"],
            "ansible_aws_ssm_instance_id": machine["instanceId"],
            "ansible_aws_ssm_region": outputs["region"],
        }
        for key in GROUPS.values()
        for machine in outputs[key]
    }
    groups = {group: {"hosts": [machine["name"] for machine in outputs[key]]} for group, key in GROUPS.items()}
    return {
        **groups,
        "all": {"vars": {"elastic_ip": outputs["elasticIp"], "virtual_ip": outputs["virtualIp"]}},
        "_meta": {"hostvars": hosts},
    }


def main() -> None:
    """Print the inventory, or one machine's variables."""
    arguments = argparse.ArgumentParser(description="an Ansible inventory of the stack's machines")
    arguments.add_argument("--list", action="store_true", help="the whole inventory (the default)")
    arguments.add_argument("--host", metavar="NAME", help="the variables of one machine")
    given = arguments.parse_args()
    made = inventory(stack_outputs.read(os.environ.get("LVS_AWS_OUTPUTS")))
    print(json.dumps(made["_meta"]["hostvars"].get(given.host, {}) if given.host else made, indent=2))


if __name__ == "__main__":
    main()
