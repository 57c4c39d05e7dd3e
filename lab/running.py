"""A lab as its verbs see it: where its things are, its processes, its account, its machines."""

from __future__ import annotations

import json
import os
import subprocess
import urllib.request
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

from lab.fault_client import FaultClient
from lab.machine_faults import MachineFaultRecord
from lab.machines import qemu
from lab.machines.channel import ChannelError, CommandResult, run_command
from lab.paths import LabPaths
from lab.processes import Daemon
from lab.status import (
    DIRECTOR_PROBE,
    FaultLine,
    LabStatus,
    Machine,
    director_probe,
    fault_lines,
    lab_status,
    machines_from,
)

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_iam import IAMClient

PROBE_TIMEOUT_SECONDS = 15.0


class LabError(RuntimeError):
    """Something the lab cannot do; the text says what to do instead."""


@dataclass(frozen=True, kw_only=True)
class RunningLab:
    """The lab of one project directory."""

    project: Path
    paths: LabPaths

    @property
    def fabric(self) -> Daemon:
        """The process that is the VPC's packets and owns the network namespace."""
        return self._daemon("fabric")

    @property
    def cloud(self) -> Daemon:
        """The process that is the API, instance metadata and DNS."""
        return self._daemon("cloud")

    @property
    def relay(self) -> Daemon:
        """The process that carries a host port to the Elastic IP."""
        return self._daemon("relay")

    @property
    def is_up(self) -> bool:
        """Whether its account and its network exist."""
        return self.fabric.pid() is not None and self.cloud.pid() is not None

    @property
    def facts(self) -> Path:
        """What `lab up` was told and learnt (stack, region, port, outputs), for the verbs that come after it."""
        return self.paths.home / "lab.json"

    @property
    def stack_state(self) -> Path:
        """The deployed stack's state."""
        return self.paths.home / "stack.json"

    @property
    def endpoint(self) -> str:
        """The API's URL on the host."""
        return f"http://127.0.0.1:{self._read(self.paths.home / 'cloud.json')['port']}"

    def told(self) -> dict[str, Any]:
        """What `lab up` was told and learnt; LabError where there was none."""
        return self._read(self.facts)

    def outputs(self) -> dict[str, Any]:
        """The stack's outputs, empty before the first deployment."""
        return dict(self.told().get("outputs", {}))

    def tell(self, **facts: Any) -> None:
        """Keep facts for the verbs that come later, beside those kept before."""
        known = self.told() if self.facts.exists() else {}
        partial = self.facts.with_suffix(".partial")
        partial.write_text(json.dumps(known | facts))
        partial.rename(self.facts)  # at once: other verbs read it meanwhile

    def page_url(self) -> str | None:
        """Where a client finds the web servers' page: the first service with plain HTTP, if there is one."""
        services: Sequence[Mapping[str, str]] = self.outputs().get("services", ())
        return next((service["url"] for service in services if service["url"].startswith("http://")), None)

    def ec2(self) -> EC2Client:
        """A client of the lab's account, as its administrator."""
        return boto3.client("ec2", **self._administrator())

    def iam(self) -> IAMClient:
        """The same for users, roles and their rights."""
        return boto3.client("iam", **self._administrator())

    def _administrator(self) -> dict[str, Any]:
        return {
            "endpoint_url": self.endpoint,
            "region_name": self.told()["region"],
            "aws_access_key_id": "lab",
            "aws_secret_access_key": "lab",  # the lab's administrator is whoever reaches its loopback port
            "config": Config(retries={"mode": "standard", "max_attempts": 2}, connect_timeout=5, read_timeout=30),
        }

    def machines(self) -> tuple[Machine, ...]:
        """The account's machines."""
        pages = self.ec2().get_paginator("describe_instances").paginate()
        reservations: list[Mapping[str, Any]] = []
        for page in pages:
            reservations.extend(page["Reservations"])
        return machines_from(reservations)

    def machine(self, name: str) -> Machine:
        """The machine of that name, instance id or address. Raises LabError that lists the names there are."""
        machines = self.machines()
        for machine in machines:
            if name in (machine.name, machine.instance_id, *machine.addresses):
                return machine
        known = ", ".join(machine.name for machine in machines) or "none"
        raise LabError(f"no machine is called {name!r}; there are: {known}")

    def is_alive(self, machine: Machine) -> bool:
        """Whether the machine's process lives (it has power)."""
        return qemu.is_running(self.paths.machines / machine.instance_id)

    def require_power(self, machine: Machine) -> int:
        """The process id of the machine. Raises LabError where it has no power."""
        pid = qemu.running_pid(self.paths.machines / machine.instance_id)
        if pid is None:
            raise LabError(f"{machine.name} has no power; start it with: lab start {machine.name}")
        return pid

    @property
    def machine_faults(self) -> MachineFaultRecord:
        """The faults of machines in force."""
        return MachineFaultRecord(
            self.paths.home / "machine-faults.json", lambda name: qemu.running_pid(self.paths.machines / name)
        )

    @property
    def cloud_faults(self) -> FaultClient:
        """The faults the cloud keeps."""
        return FaultClient(endpoint=self.endpoint)

    def faults(self, machines: Sequence[Machine]) -> tuple[FaultLine, ...]:
        """Everything that is wrong on purpose. Raises FaultRefusedError where the cloud does not answer."""
        return fault_lines(
            of_cloud=self.cloud_faults.current(),
            of_machines=[FaultLine(id=fault.id, text=fault.text) for fault in self.machine_faults.current()],
            dead=[each for each in machines if each.state == "running" and not self.is_alive(each)],
            machines=machines,
        )

    def journal(self, *, since: float) -> dict[str, list[dict[str, Any]]]:
        """The calls and the moves of addresses since a time of the monotonic clock (lab/cloud/journal.py)."""
        try:
            with urllib.request.urlopen(f"{self.endpoint}/_lab/journal?since={since}", timeout=30) as answer:  # noqa: S310
                return dict(json.load(answer))
        except OSError as error:
            raise LabError(f"the lab's cloud does not say what it was asked: {error}") from error

    def run(self, machine: Machine, command: str | Sequence[str], *, timeout_seconds: float) -> CommandResult:
        """Run a command inside a machine, through its channel. Raises LabError where the machine does not answer."""
        self.require_power(machine)
        try:
            return run_command(self.paths.channel_socket(machine.instance_id), command, timeout_seconds)
        except ChannelError as error:
            raise LabError(f"{machine.name} does not answer on its channel: {error}") from error

    def status(self) -> LabStatus:
        """Ask everybody and put the answers together."""
        machines = self.machines()
        alive = frozenset(machine.instance_id for machine in machines if self.is_alive(machine))
        paused = frozenset(fault.instance_id for fault in self.machine_faults.current() if fault.kind == "paused")
        asked = alive - paused  # a paused machine answers nothing, and waiting for it takes its time
        directors = [machine for machine in machines if machine.role == "director" and machine.instance_id in asked]

        def probe(machine: Machine) -> str:
            try:
                return self.run(machine, DIRECTOR_PROBE, timeout_seconds=PROBE_TIMEOUT_SECONDS).stdout
            except LabError:
                return ""  # a hung director shows as one without a VRRP state

        with ThreadPoolExecutor(max_workers=8) as pool:
            answers = pool.map(probe, directors)
            probes = {
                machine.instance_id: director_probe(answer) for machine, answer in zip(directors, answers, strict=True)
            }
        return lab_status(
            stack=str(self.told()["stack"]),
            outputs=self.outputs(),
            machines=machines,
            alive=alive,
            paused=paused,
            probes=probes,
            faults=self.faults(machines),
        )

    def in_namespace(self, command: Sequence[str], **options: Any) -> subprocess.CompletedProcess[Any]:
        """Run a host program inside the lab's network namespace, as a client on its internet."""
        pid = self.fabric.pid()
        if pid is None:
            raise LabError("the lab is not up; start it with: lab up")
        return subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", *command], check=False, **options)

    def require_up(self) -> None:
        """Raise LabError where there is no running lab."""
        if not self.is_up:
            raise LabError("the lab is not up; start it with: lab up")

    def _daemon(self, name: str) -> Daemon:
        return Daemon(name=name, directory=self.paths.home / "processes", logs=self.paths.logs)

    def _read(self, file: Path) -> dict[str, Any]:
        try:
            return dict(json.loads(file.read_text()))
        except FileNotFoundError:
            raise LabError("the lab is not up; start it with: lab up") from None


def requires_root() -> None:
    """Raise LabError unless root: network namespaces and TUN devices need CAP_NET_ADMIN."""
    if os.geteuid() != 0:
        raise LabError(
            "the lab makes a network namespace and TUN devices, which needs root; run: sudo .venv/bin/lab ..."
        )
