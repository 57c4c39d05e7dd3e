"""The `lab` command: each verb parses, calls one function and prints."""

from __future__ import annotations

import json
import shlex
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from lab import fault_verbs, lifecycle, policy_verbs, stack_verbs
from lab.machines.rootfs import BAKED, STOCK
from lab.mail import received
from lab.paths import LabPaths, lab_paths
from lab.progress import Progress
from lab.running import LabError
from lab.status import LabStatus
from lab.verbs import PROJECT, AsJson, MachineName, app, out, running_lab, this_lab, verb

__all__ = ["fault_verbs", "main", "policy_verbs", "stack_verbs"]
DEFAULT_PORT = 8080


@verb("up")
def up(
    stack: Annotated[str, typer.Option(help="whose settings: Pulumi.STACK.yaml")] = "local",
    port: Annotated[int, typer.Option(help="host port that reaches the Elastic IP", min=1, max=65535)] = DEFAULT_PORT,
    config: stack_verbs.Config = None,
    expect_no_changes: stack_verbs.ExpectNoChanges = False,
    policy_pack: policy_verbs.PolicyPack = None,
    policy_pack_config: policy_verbs.PolicyPackConfig = None,
    no_policy: policy_verbs.NoPolicy = False,
) -> None:
    """Bring everything up and wait for the first page. Run again: nothing to change."""
    lab = this_lab()
    policies = policy_verbs.chosen(lab.project, stack, policy_pack, policy_pack_config, none=no_policy)
    with stack_verbs.changes_exit():
        lifecycle.up(
            lab,
            stack=stack,
            port=port,
            progress=Progress(console=out),
            overrides=config or (),
            expect_no_changes=expect_no_changes,
            policies=policies,
        )
    _print_outputs(lab.outputs())
    now = lab.status()
    _print_status(now)
    owner = now.owner or "director-1"
    out.print("\nThree things to try:")
    out.print(
        f"  curl http://127.0.0.1:{lab.told()['port']}/      the page, through Elastic IP, director and web server"
    )
    out.print(f"  .venv/bin/lab kill {owner}        take the owner's power; the same URL answers again")
    out.print(f"  .venv/bin/lab logs {owner}        what its agent and Keepalived did")


@verb("down")
def down() -> None:
    """Stop everything. Logs and the image cache stay; nothing else does."""
    lifecycle.down(this_lab(), progress=Progress(console=out))


@verb("status")
def status(as_json: AsJson = False) -> None:
    """Machines, VRRP states, owner of the virtual IP, Elastic IP, web servers' health."""
    lab = running_lab()
    if as_json:
        typer.echo(json.dumps(lab.status().as_json(), indent=2))
    else:
        _print_status(lab.status())


@verb("curl")
def curl(
    path: Annotated[str, typer.Argument(help="path on the Elastic IP")] = "/",
    client: Annotated[str, typer.Option(help="the client's address on the lab's internet")] = "198.51.100.1",
) -> None:
    """Fetch PATH through the Elastic IP as a client on the lab's internet; curl's exit code."""
    lab = running_lab()
    url = lab.page_url()
    if url is None:
        raise LabError("the stack has no service with a page (yet); bring it up with: lab up")
    target = url.rstrip("/") + "/" + path.lstrip("/")
    done = lab.in_namespace(["curl", "-sS", "--max-time", "10", "--interface", client, target])
    raise typer.Exit(done.returncode)


@verb("run")
def run(
    machine: MachineName,
    command: Annotated[list[str], typer.Argument(help="after --; one word is a shell line", metavar="CMD...")],
    timeout: Annotated[float, typer.Option(help="seconds", min=0.1)] = 60.0,
) -> None:
    """Run a command as root inside a machine; its output and its exit code (124: out of time)."""
    lab = running_lab()
    line = command[0] if len(command) == 1 else shlex.join(command)
    result = lab.run(lab.machine(machine), line, timeout_seconds=timeout)
    sys.stdout.write(result.stdout)
    sys.stderr.write(result.stderr)
    raise typer.Exit(result.exit_code)


@verb("logs")
def logs(
    machine: MachineName,
    lines: Annotated[int, typer.Option("--lines", "-n", help="how many, from the end", min=1)] = 100,
    console: Annotated[
        bool, typer.Option("--console", help="the machine's console, also when it has no power")
    ] = False,
) -> None:
    """What a machine's journal says of our services and its first boot; its console where it has no power."""
    lab = running_lab()
    typer.echo(lifecycle.logs(lab, lab.machine(machine), lines=lines, console=console))


@verb("mail")
def mail(as_json: AsJson = False) -> None:
    """Mail that reached the lab's internet (mail.lab.test, ports 25, 587 and 2525), the oldest first."""
    found = received(running_lab().paths.mail)
    if as_json:
        typer.echo(json.dumps([each.as_json() for each in found], indent=2))
        return
    for each in found:  # a line each: a table would fold subjects where the output is no terminal
        at = datetime.fromtimestamp(each.at, UTC)
        out.print(Text(f"{at:%H:%M:%S} UTC  {each.sender} to {', '.join(each.recipients)}: {each.subject}"))
    if not found:
        out.print("no mail")


@verb("kill")
def kill(machine: MachineName) -> None:
    """Take a machine's power, as a host failure does: EC2 goes on saying `running`."""
    lab = running_lab()
    target = lab.machine(machine)
    lifecycle.kill(lab, target)
    out.print(f"{target.name} has no power")


@verb("start")
def start(machine: MachineName) -> None:
    """Give a machine its power back, or start a stopped one; returns when it runs commands."""
    lab = running_lab()
    target = lab.machine(machine)
    lifecycle.start(lab, target, progress=Progress(console=out))


@verb("cloud")
def cloud(
    listen: Annotated[str, typer.Option(help="ADDRESS:PORT of the API, plain HTTP; port 0: any")] = "127.0.0.1:4566",
    region: Annotated[str, typer.Option(help="the one region there is")] = "us-east-1",
    api_delay: Annotated[float, typer.Option(help="seconds a call takes", min=0, max=3600)] = 0.0,
    remap_delay: Annotated[
        float, typer.Option(help="seconds until metadata follows a call about addresses", min=0, max=3600)
    ] = 1.0,
    boot_delay: Annotated[
        float, typer.Option(help="seconds an instance takes to get or lose its power", min=0, max=3600)
    ] = 1.0,
) -> None:
    """Serve the API and instance metadata alone, without machines and root, until Ctrl-C. State is in memory."""
    # Here, because moto takes a second to import, which no other verb needs.
    from lab.cloud import process
    from lab.cloud.options import CloudOptions, listen_address

    try:
        address, port = listen_address(listen)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--listen") from None

    def announce(port: int) -> None:
        typer.echo(f"the API answers at http://{address}:{port} (region {region}; any key is the administrator's)")
        typer.echo(f"metadata of an instance: http://{address}:{port}/_lab/instances/INSTANCE_ID/latest/meta-data/")

    with tempfile.TemporaryDirectory(prefix="lvs-lab-cloud-") as home:
        paths = LabPaths(home=Path(home), run=Path(home), cache=lab_paths(PROJECT).cache)
        options = CloudOptions(
            paths=paths,
            region=region,
            address=address,
            port=port,
            api_delay_seconds=api_delay,
            remap_delay_seconds=remap_delay,
            boot_delay_seconds=boot_delay,
        )
        try:
            process.run(options, process.stop_by_signal(), announce)
        except process.CloudError as error:
            raise LabError(str(error)) from None


@verb("image")
def image(
    stock: Annotated[
        bool, typer.Option("--stock", help="the one whose machines install everything at their first boot")
    ] = False,
) -> None:
    """Build the machine image now, if its inputs changed."""
    lifecycle.ensure_image(this_lab(), progress=Progress(console=out), recipe=STOCK if stock else BAKED)


def _print_outputs(outputs: dict[str, Any]) -> None:
    out.print("\nStack outputs:")
    for key, value in sorted(outputs.items()):
        out.print(f"  {key}: {value if isinstance(value, str) else json.dumps(value)}", markup=False)


def _print_status(now: LabStatus) -> None:
    table = Table(box=None, pad_edge=False)
    for column in ("machine", "state", "vrrp", "address", "health", "instance"):
        table.add_column(column)
    for machine in now.machines:
        name = f"{machine.name} *" if machine.name == now.owner else machine.name
        row = (name, machine.state, machine.vrrp, machine.address, machine.health, machine.instance_id)
        table.add_row(*(cell or "-" for cell in row))
    out.print()
    out.print(table)
    out.print(f"owner (*): {now.owner or 'nobody'}   virtual IP: {now.virtual_ip}   Elastic IP: {now.elastic_ip}")
    for fault in now.faults:
        out.print(f"fault {fault.id}: {fault.text}", markup=False, style="yellow")


def main() -> None:
    """The entry point of `lab`."""
    app()


if __name__ == "__main__":
    main()
