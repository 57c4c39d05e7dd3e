"""What all verbs of the `lab` command share: the application, how a failure becomes one line, the running lab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from botocore.exceptions import BotoCoreError
from rich.console import Console

from lab.fabric.client import FabricError
from lab.fault_client import FaultRefusedError
from lab.machines.channel import ChannelError
from lab.machines.errors import MachineError
from lab.paths import lab_paths
from lab.processes import ProcessFailedError
from lab.running import LabError, RunningLab

PROJECT = Path(__file__).resolve().parent.parent
FAILURE, USAGE, INTERRUPTED = 1, 2, 130

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)
app = typer.Typer(
    help="An AWS on this machine, and the load balancer on it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

MachineName = Annotated[str, typer.Argument(help="name (director-1), instance id or address", metavar="MACHINE")]
AsJson = Annotated[bool, typer.Option("--json", help="print one JSON document")]
Verb = TypeVar("Verb", bound=Callable[..., Any])


@contextmanager
def clear_errors() -> Iterator[None]:
    """One clear line for what can go wrong, and the exit code that goes with it."""
    try:
        yield
    except (LabError, FaultRefusedError, ProcessFailedError, MachineError, ChannelError, FabricError) as error:
        _complain(str(error))
        raise typer.Exit(FAILURE) from None
    except BotoCoreError as error:
        _complain(f"the lab's cloud does not answer: {error}; clear it away with `lab down` and bring it up again")
        raise typer.Exit(FAILURE) from None
    except KeyboardInterrupt:
        _complain("interrupted; `lab up` goes on from here, `lab down` clears everything")
        raise typer.Exit(INTERRUPTED) from None


def _complain(message: str) -> None:
    err.print(f"lab: {message}", markup=False, style="red")


def verb(name: str, group: typer.Typer = app) -> Callable[[Verb], Verb]:
    """Register a command whose known failures become one line on stderr."""

    def register(function: Verb) -> Verb:
        @wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            with clear_errors():
                return function(*args, **kwargs)

        group.command(name)(guarded)
        return function

    return register


def this_lab() -> RunningLab:
    """The lab of this project directory, running or not."""
    return RunningLab(project=PROJECT, paths=lab_paths(PROJECT))


def running_lab() -> RunningLab:
    """The same; LabError where it is not up."""
    lab = this_lab()
    lab.require_up()
    return lab
