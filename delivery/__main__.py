"""`python -m delivery VERB STACK`: what the Makefile's targets and so the workflows run. See docs/ci.md."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from delivery import cli, github, records, reports
from delivery.cli import DeliveryError

PROJECT = Path.cwd()
USAGE = 2

app = typer.Typer(
    help="A commit on its way to a stack.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Stack = Annotated[str, typer.Argument(help="name of the stack, as in Pulumi.STACK.yaml", metavar="STACK")]


@app.command("preview")
def preview(stack: Stack) -> None:
    """Say what an update would do, held against the policy pack. Ends as pulumi does."""
    with clear_errors():
        outcome = _run(stack, "preview", cli.preview(stack))
    raise typer.Exit(outcome.exit_code)


@app.command("plan")
def plan(stack: Stack) -> None:
    """Preview, and keep the plan for `deploy`, with what it was made for."""
    with clear_errors():
        _known(stack)
        _whole_commit()
        file, record = _files(stack)
        record.unlink(missing_ok=True)  # without it, what is left of an earlier plan is none
        before = records.last_update(_history(stack))
        outcome = _run(stack, "plan", cli.plan(stack, file))
        if outcome.exit_code == 0:
            situation = records.Situation(
                stack=stack, commit=outcome.commit, last_update=before, plan_digest=records.digest(file.read_bytes())
            )
            record.write_text(records.to_json(situation))
            print(f"\nThe plan is in {file.relative_to(PROJECT)}. Apply it: make deploy STACK={stack}")
        _summarize(reports.summary(stack, outcome))
    raise typer.Exit(outcome.exit_code)


@app.command("deploy")
def deploy(stack: Stack) -> None:
    """Apply the plan: only to the commit, the stack and the state it was made for. Ends as pulumi does."""
    with clear_errors():
        _known(stack)
        cli.find("pulumi")
        file, record = _files(stack)
        if not (file.exists() and record.exists()):
            raise DeliveryError(f"there is no plan for stack {stack}. Make one: make deploy-plan STACK={stack}")
        _whole_commit()
        now = records.Situation(
            stack=stack,
            commit=_commit(),
            last_update=records.last_update(_history(stack)),
            plan_digest=records.digest(file.read_bytes()),
        )
        why = records.refusal(records.from_json(record.read_text()), now)
        if why is not None:
            raise DeliveryError(why)
        record.unlink()  # a plan is for one try: what a failed one has done is not in it
        outcome = _run(stack, "deploy", cli.deploy(stack, file))
    raise typer.Exit(outcome.exit_code)


@app.command("drift")
def drift(stack: Stack) -> None:
    """Compare the account with the program. Ends with 7 where they differ."""
    with clear_errors():
        outcome = _run(stack, "drift", cli.drift(stack))
    raise typer.Exit(outcome.exit_code)


@app.command("deployed-commit")
def deployed_commit(stack: Stack) -> None:
    """Print the commit a stack was last deployed from: nothing if it was not."""
    with clear_errors():
        _known(stack)
        commit = records.deployed_commit(_history(stack)) or ""
        if not commit:
            print(f"stack {stack} is not deployed, or not from a commit: there is nothing to compare", file=sys.stderr)
        output = os.environ.get("GITHUB_OUTPUT")
        if output:
            with Path(output).open("a") as outputs:
                outputs.write(f"commit={commit}\n")
        print(commit)


@app.command("report-preview")
def report_preview(stack: Stack, pull_request: Annotated[int, typer.Argument(metavar="NUMBER", min=1)]) -> None:
    """Say on a pull request what the last `preview` said."""
    with clear_errors():
        body = reports.preview_comment(stack, _outcome(stack, "preview"))
        github.say_on_pull_request(PROJECT, pull_request, reports.marker("preview", stack), body)


@app.command("report-drift")
def report_drift(stack: Stack) -> None:
    """Open or update the issue about drift after a `drift` that found some; close it after one that found none."""
    with clear_errors():
        outcome = _outcome(stack, "drift")
        mark = reports.marker("drift", stack)
        if reports.is_drift(outcome):
            github.open_issue(PROJECT, mark, reports.drift_title(stack), reports.drift_body(stack, outcome))
        elif outcome.exit_code == 0:
            why = f"`make drift STACK={stack}` finds no difference any more (commit {outcome.commit})."
            closed = github.close_issues(PROJECT, mark, why)
            print(f"no drift in stack {stack}; issues closed: {closed}")
        else:
            print(f"the comparison failed (exit code {outcome.exit_code}), which says nothing about drift: see its log")


@contextmanager
def clear_errors() -> Iterator[None]:
    """One clear line for what a person has to put right."""
    try:
        yield
    except (DeliveryError, ValueError, OSError) as error:
        print(f"delivery: {error}", file=sys.stderr)
        raise typer.Exit(USAGE) from None


def _known(stack: str) -> None:
    stacks = sorted(file.name.split(".")[1] for file in PROJECT.glob("Pulumi.*.yaml"))
    if stack == "local":
        raise DeliveryError("stack local is the lab's own: `make up` deploys it")
    if stack not in stacks:
        raise DeliveryError(f"there is no Pulumi.{stack}.yaml; stacks are {', '.join(stacks)}")


def _results(stack: str) -> Path:
    return PROJECT / "build" / stack


def _files(stack: str) -> tuple[Path, Path]:
    return _results(stack) / "plan.json", _results(stack) / "plan.made-for.json"


def _run(stack: str, verb: str, command: tuple[str, ...]) -> reports.Outcome:
    """Run a command and keep how it ended for a report."""
    _known(stack)
    results = _results(stack)
    results.mkdir(parents=True, exist_ok=True)
    kept = results / f"{verb}.outcome.json"
    kept.unlink(missing_ok=True)  # a report must never tell of an earlier run
    text = results / f"{verb}.txt"
    exit_code = cli.run(command, project=PROJECT, output=text)
    outcome = reports.Outcome(exit_code=exit_code, commit=_commit(), output=text.read_text())
    kept.write_text(json.dumps(asdict(outcome)))
    return outcome


def _outcome(stack: str, verb: str) -> reports.Outcome:
    kept = _results(stack) / f"{verb}.outcome.json"
    if not kept.exists():
        raise DeliveryError(f"`{verb}` did not run for stack {stack}, so there is nothing to report")
    return reports.Outcome(**json.loads(kept.read_text()))


def _history(stack: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(cli.answer(cli.history(stack), project=PROJECT))
    return found


def _commit() -> str:
    return cli.answer(("git", "rev-parse", "HEAD"), project=PROJECT).strip()


def _whole_commit() -> None:
    changed = cli.answer(("git", "status", "--porcelain"), project=PROJECT).strip()
    if changed:
        raise DeliveryError(f"a plan is for a commit, and this tree has changes that are in none:\n{changed}")


def _summarize(text: str) -> None:
    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if page:
        with Path(page).open("a") as summary:
            summary.write(text)


if __name__ == "__main__":
    app()
