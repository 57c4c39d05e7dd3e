"""The options by which verbs are told what to hold a deployment against."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab.verbs import app

if TYPE_CHECKING:
    from lab.gate.choice import Policies

policy = typer.Typer(help="What must hold of the stack (docs/policies.md).", no_args_is_help=True)
app.add_typer(policy, name="policy")

PolicyPack = Annotated[
    Path | None, typer.Option(metavar="DIR", help="a policy pack; by default the project's own, policy/")
]
PolicyPackConfig = Annotated[
    Path | None, typer.Option(metavar="FILE", help="its levels and parameters; by default the pack's config/STACK.json")
]
NoPolicy = Annotated[bool, typer.Option("--no-policy", help="hold it against nothing")]


def chosen(project: Path, stack: str, pack: Path | None, config: Path | None, *, none: bool = False) -> Policies | None:
    """What the options say; a mistake in them ends the program as any wrong use does (exit code 2)."""
    from lab.gate import choice  # here, because importing the Pulumi SDK takes a second

    if none:
        if pack is not None or config is not None:
            raise typer.BadParameter("it contradicts --policy-pack and --policy-pack-config", param_hint="--no-policy")
        return None
    try:
        return choice.chosen(project, stack, pack, config)
    except choice.ChoiceError as error:
        raise typer.BadParameter(str(error), param_hint="--policy-pack") from None
