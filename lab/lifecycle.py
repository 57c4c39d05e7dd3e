"""Bringing the lab up, taking it down, and a machine's power: what the verbs do, in order."""

from __future__ import annotations

import fcntl
import shutil
import signal
import socket
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lab.cloud.authority import ensure_authority
from lab.cloud.catalogue import recipe_of
from lab.fabric.client import FabricClient
from lab.machines import qemu
from lab.machines.channel import wait_ready
from lab.machines.image import Image
from lab.machines.image import ensure_image as build_image
from lab.machines.rootfs import BAKED, ImageRecipe
from lab.names import internal_domain
from lab.processes import wait_gone
from lab.progress import Progress
from lab.running import LabError, RunningLab, requires_root
from lab.status import Machine

if TYPE_CHECKING:
    from lab.gate.choice import Policies

PROCESS_READY_SECONDS = 30.0
# Measured with machines on two cores: four that have all packages about 80 s, three that install them about 150 s;
# a busy host takes several times as long.
FIRST_PAGE_SECONDS = 900.0
REPORT_EVERY_SECONDS = 15.0
MACHINE_READY_SECONDS = 180.0
REAPED_SECONDS = 10.0
OUR_UNITS = "-u 'cloud-*' -u 'lvs-*' -u keepalived -u nginx"
JOURNAL = "journalctl --no-pager --output=short-precise -n {lines} " + OUR_UNITS


def up(
    lab: RunningLab,
    *,
    stack: str,
    port: int,
    progress: Progress,
    overrides: Sequence[str] = (),
    expect_no_changes: bool = False,
    policies: Policies | None = None,
) -> None:
    """Bring everything up and return when a page comes through the Elastic IP; nothing is done twice.

    `overrides` (KEY=VALUE) take the place of the stack's settings, on a running lab beside those it has; a failed
    change of these is not kept. `policies` are what it is held against.

    Raises LabError with the remedy where it cannot.
    """
    from lab import deployment  # here, because importing the Pulumi SDK takes a second that no other verb needs

    requires_root()
    with _alone(lab):
        before = lab.told() if lab.is_up else {}
        _refuse_other(before, stack=stack, port=port)
        in_force = before.get("overrides", {})
        settings = deployment.load(lab.project, stack, overrides, in_force)
        if lab.relay.pid() is None:
            _require_free_port(port)
        _clear_leftovers(lab, progress)
        ensure_image(lab, progress=progress, recipe=recipe_of(settings.image_id))
        lab.facts.parent.mkdir(parents=True, exist_ok=True)
        lab.tell(
            stack=stack, port=port, region=settings.region, overrides=in_force if before else dict(settings.overrides)
        )
        _start_fabric(lab, region=settings.region, progress=progress)
        _start_cloud(lab, region=settings.region, progress=progress)
        deployment.up(lab, settings, progress=progress, expect_no_changes=expect_no_changes, policies=policies)
        lab.tell(overrides=dict(settings.overrides))
        page = lab.page_url()
        if page is None:
            progress.line("no service has a page, so nothing is waited for")
        else:
            _start_relay(lab, page, port=port, progress=progress)
            _wait_for_page(port=port, progress=progress)


def down(lab: RunningLab, *, progress: Progress) -> None:
    """End every process of the lab and remove what it left: machines' disks, sockets, state. Logs stay."""
    with _alone(lab):
        # The relay and the cloud first: nobody then starts a machine while the machines go.
        pids = {daemon.name: daemon.pid() for daemon in (lab.relay, lab.cloud, lab.fabric)}
        pids |= {directory.name: qemu.running_pid(directory) for directory in _machine_directories(lab)}
        ended = {name: pid for name, pid in pids.items() if pid is not None}
        lab.relay.stop()
        lab.cloud.stop()
        for directory in _machine_directories(lab):
            qemu.kill(directory)
        lab.fabric.stop()
        wait_gone(ended.values(), timeout_seconds=REAPED_SECONDS)
        _keep_consoles(lab)
        _forget(lab)
    progress.line(f"ended {', '.join(ended)}" if ended else "the lab was not up")


def ensure_image(lab: RunningLab, *, progress: Progress, recipe: ImageRecipe = BAKED) -> Image:
    """The machine image of `recipe`, built where its inputs changed."""
    authority = ensure_authority(lab.paths.authority)
    with _ended_by_exception(), progress.step("machine image ready"):
        return build_image(lab.paths.cache, authority.certificate, progress.line, recipe=recipe)


def kill(lab: RunningLab, machine: Machine) -> None:
    """Take a machine's power."""
    if not lab.is_alive(machine):
        raise LabError(f"{machine.name} has no power already; start it with: lab start {machine.name}")
    qemu.kill(lab.paths.machines / machine.instance_id)


def start(lab: RunningLab, machine: Machine, *, progress: Progress) -> None:
    """Give a machine its power back and wait until it runs commands."""
    if lab.is_alive(machine):
        progress.line(f"{machine.name} runs already")
        return
    if machine.state == "stopped":
        lab.ec2().start_instances(InstanceIds=[machine.instance_id])
    else:
        qemu.start(qemu.read_spec(lab.paths.machines / machine.instance_id), None, first_boot=False)
    with progress.step(f"{machine.name} runs commands"):
        wait_ready(lab.paths.channel_socket(machine.instance_id), timeout_seconds=MACHINE_READY_SECONDS)


def logs(lab: RunningLab, machine: Machine, *, lines: int, console: bool) -> str:
    """The end of a machine's journal, or of its console where asked or where it has no power."""
    if not console and lab.is_alive(machine):
        return lab.run(machine, JOURNAL.format(lines=lines), timeout_seconds=60).stdout
    text = (lab.paths.machines / machine.instance_id / "console.log").read_text(errors="replace")
    return "\n".join(text.splitlines()[-lines:])


@contextmanager
def _ended_by_exception() -> Iterator[None]:
    """Let SIGTERM end this program as an interrupt does, so that what it has begun is cleared away."""
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _alone(lab: RunningLab) -> Iterator[None]:
    """Hold the lab's lock: two verbs that change it must not meet."""
    lab.paths.home.mkdir(parents=True, exist_ok=True)
    with (lab.paths.home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabError("another `lab up` or `lab down` is at work here; wait for it") from None
        yield


def _refuse_other(told: Mapping[str, Any], *, stack: str, port: int) -> None:
    """A running lab, of which `told` is known, keeps its stack and its port."""
    if told and (told["stack"], told["port"]) != (stack, port):
        here, wanted = f"stack {told['stack']} on port {told['port']}", f"stack {stack} on port {port}"
        raise LabError(f"the lab is up with {here}; to have {wanted}, run first: lab down")


def _require_free_port(port: int) -> None:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        raise LabError(
            f"port {port} of 127.0.0.1 is taken; end what listens there or choose another: lab up --port N"
        ) from None


def _clear_leftovers(lab: RunningLab, progress: Progress) -> None:
    """The account lives in the cloud's memory: where a process of the lab died, the rest is worth nothing."""
    alive = [daemon.name for daemon in (lab.fabric, lab.cloud) if daemon.pid() is not None]
    if len(alive) == 1:
        raise LabError(f"only the {alive[0]} of the last lab still runs; clear it away first: lab down")
    machines = [directory for directory in _machine_directories(lab) if qemu.is_running(directory)]
    if not alive and machines:
        raise LabError(f"{len(machines)} machines of the last lab still run; clear them away first: lab down")
    if not alive and lab.facts.exists():
        progress.line("the last lab ended without `lab down`: starting afresh")
        lab.relay.stop()
        _forget(lab)
    if not alive:
        shutil.rmtree(lab.paths.logs, ignore_errors=True)  # of the lab before this one


def _forget(lab: RunningLab) -> None:
    home = lab.paths.home
    for directory in (lab.paths.machines, lab.paths.run, lab.paths.mail, home / "processes", home / "pulumi"):
        shutil.rmtree(directory, ignore_errors=True)
    state = [lab.stack_state.with_name(f"{lab.stack_state.name}{suffix}") for suffix in ("", ".key", ".lock")]
    for file in (*state, lab.facts, lab.paths.home / "cloud.json", lab.machine_faults.file):
        file.unlink(missing_ok=True)


def _keep_consoles(lab: RunningLab) -> None:
    """The machines' directories go with their disks; what they said at boot stays with the logs."""
    for directory in _machine_directories(lab):
        for log in directory.glob("*.log"):
            shutil.move(log, lab.paths.logs / f"{directory.name}.{log.name}")


def _machine_directories(lab: RunningLab) -> list[Path]:
    return sorted(lab.paths.machines.iterdir()) if lab.paths.machines.exists() else []


def _start_fabric(lab: RunningLab, *, region: str, progress: Progress) -> None:
    if lab.fabric.pid() is not None:
        return
    lab.paths.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    client = FabricClient(lab.paths.fabric_socket)
    arguments = ["--run", str(lab.paths.run), "--domain", internal_domain(region)]

    def ready() -> bool:
        try:
            return client.ping() > 0
        except OSError:
            return False

    with progress.step("fabric: the VPC's packets"):
        lab.fabric.start("lab.fabric", arguments, ready, timeout_seconds=PROCESS_READY_SECONDS)


def _start_cloud(lab: RunningLab, *, region: str, progress: Progress) -> None:
    if lab.cloud.pid() is not None:
        return
    arguments = ["--listen", "127.0.0.1:0", "--region", region, "--fabric"]
    for option, path in (("--home", lab.paths.home), ("--run", lab.paths.run), ("--cache", lab.paths.cache)):
        arguments += [option, str(path)]
    announcement = lab.paths.home / "cloud.json"
    announcement.unlink(missing_ok=True)
    with progress.step("cloud: EC2, IAM, STS, SSM, instance metadata, DNS"):
        lab.cloud.start("lab.cloud", arguments, announcement.exists, timeout_seconds=PROCESS_READY_SECONDS)


def _start_relay(lab: RunningLab, url: str, *, port: int, progress: Progress) -> None:
    if lab.relay.pid() is not None:
        return
    target = urlsplit(url)
    arguments = ["--listen", f"127.0.0.1:{port}", "--to", f"{target.hostname}:{target.port or 80}"]
    arguments += ["--namespace-of", str(lab.fabric.pid())]

    def ready() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    with progress.step(f"relay: 127.0.0.1:{port} to {target.netloc}"):
        lab.relay.start("lab.relay", arguments, ready, timeout_seconds=PROCESS_READY_SECONDS)


def _wait_for_page(*, port: int, progress: Progress) -> None:
    url = f"http://127.0.0.1:{port}/"
    began = reported = time.monotonic()
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    progress.line(f"the page answers at {url} (waited {time.monotonic() - began:.1f} s for it)")
                    return
        except OSError:
            pass  # includes HTTPError and URLError
        now = time.monotonic()
        if now - began > FIRST_PAGE_SECONDS:
            raise LabError(
                f"no page at {url} after {FIRST_PAGE_SECONDS:.0f} s; "
                "look at `lab status`, `lab logs director-1`, `lab logs web-1`"
            )
        if now - reported > REPORT_EVERY_SECONDS:
            reported = now
            progress.line("the machines are booting and running their user data")
        time.sleep(0.5)
