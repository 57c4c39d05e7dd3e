"""`lab preview`, `refresh`, `destroy` and `stack output`: the stack alone, on the cloud that `lab up` runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from lab import policy_verbs
from lab.running import LabError, RunningLab
from lab.verbs import AsJson, app, err, out, running_lab, verb

if TYPE_CHECKING:
    from lab.deployment import StackSettings
    from lab.gate.choice import Policies
    from lab.stack.real_cli import Verb

CHANGES = 7

stack = typer.Typer(help="What is deployed.", no_args_is_help=True)
app.add_typer(stack, name="stack")

Config = Annotated[
    list[str] | None,
    typer.Option("--config", "-c", metavar="KEY=VALUE", help="a setting of this lab's own, as YAML; may be repeated"),
]
ExpectNoChanges = Annotated[
    bool, typer.Option("--expect-no-changes", help=f"exit with {CHANGES} where there are any changes")
]


@contextmanager
def changes_exit() -> Iterator[None]:
    """Changes against expectation are no failure like others: they have an exit code of their own, as with Pulumi."""
    from lab.deployment import ChangesError  # here, because importing the Pulumi SDK takes a second

    try:
        yield
    except ChangesError as error:
        err.print(f"lab: {error}", markup=False, style="red")
        raise typer.Exit(CHANGES) from None


@verb("preview")
def preview(
    expect_no_changes: ExpectNoChanges = False,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="compare with what there is in the cloud, not with what was deployed")
    ] = False,
    config: Config = None,
    policy_pack: policy_verbs.PolicyPack = None,
    policy_pack_config: policy_verbs.PolicyPackConfig = None,
    no_policy: policy_verbs.NoPolicy = False,
) -> None:
    """What `lab up` would change now, held against the policies. Changes nothing."""
    lab = running_lab()
    stack = str(lab.told()["stack"])
    policies = policy_verbs.chosen(lab.project, stack, policy_pack, policy_pack_config, none=no_policy)
    _act("preview", expect_no_changes=expect_no_changes, refresh=refresh, policies=policies, overrides=config or ())


@verb("refresh")
def refresh(expect_no_changes: ExpectNoChanges = False) -> None:
    """Bring the stack's state to what there is in the cloud. Changes nothing in the cloud."""
    _act("refresh", expect_no_changes=expect_no_changes)


@verb("destroy")
def destroy() -> None:
    """Delete the stack's resources, machines included. The lab itself stays up: `lab up` makes them anew."""
    lab = running_lab()
    lab.relay.stop()  # its Elastic IP goes
    _act("destroy")
    lab.tell(outputs={})


@verb("output", stack)
def output(
    name: Annotated[str | None, typer.Argument(help="only this one")] = None,
    as_json: AsJson = False,
    show_secrets: Annotated[bool, typer.Option("--show-secrets", help="secrets in plain")] = False,
) -> None:
    """The outputs of the deployed stack."""
    from lab import deployment

    lab, settings = _deployed()
    outputs = deployment.outputs(lab, settings, show_secrets=show_secrets)
    if name is not None and name not in outputs:
        raise LabError(f"the stack has no output {name!r}; it has: {', '.join(sorted(outputs)) or 'none'}")
    if as_json:
        typer.echo(json.dumps(outputs if name is None else outputs[name], indent=2))
        return
    for key in sorted(outputs) if name is None else (name,):
        value = outputs[key] if isinstance(outputs[key], str) else json.dumps(outputs[key])
        typer.echo(f"{key}: {value}" if name is None else value)


@verb("analyze", policy_verbs.policy)
def analyze(
    policy_pack: policy_verbs.PolicyPack = None, policy_pack_config: policy_verbs.PolicyPackConfig = None
) -> None:
    """Hold what is deployed against the policies, as `pulumi policy analyze` does: nothing is unknown there."""
    from lab import deployment

    lab, settings = _deployed()
    policies = policy_verbs.chosen(lab.project, settings.stack.name, policy_pack, policy_pack_config)
    if policies is None:
        raise LabError("the project has no policy pack; name one by --policy-pack")
    deployment.analyze(lab, settings, policies, say=lambda text: out.print(text, markup=False))


def _act(
    name: Verb,
    *,
    expect_no_changes: bool = False,
    refresh: bool = False,
    policies: Policies | None = None,
    overrides: Sequence[str] = (),
) -> None:
    from lab import deployment

    def say(text: str) -> None:
        out.print(text, markup=False)

    lab, settings = _deployed(overrides)
    with changes_exit():
        deployment.act(
            lab, settings, name, say=say, expect_no_changes=expect_no_changes, refresh=refresh, policies=policies
        )


def _deployed(overrides: Sequence[str] = ()) -> tuple[RunningLab, StackSettings]:
    """The running lab, and the stack it was brought up with; with other settings (KEY=VALUE) if any are given."""
    from lab import deployment

    lab = running_lab()
    told = lab.told()
    return lab, deployment.load(lab.project, str(told["stack"]), overrides, told.get("overrides", {}))
