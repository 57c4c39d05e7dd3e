"""What GitHub is told: the text of a pull request's comment and of the drift issue. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from delivery.cli import DRIFT_EXIT_CODE

BODY_LIMIT = 60_000
"""Characters of a report's output; GitHub refuses a body of more than 65,536 (REST API, "body is too long")."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a command on a stack ended: its exit code, the commit it ran on, and what it said."""

    exit_code: int
    commit: str
    output: str


def marker(kind: str, stack: str) -> str:
    """The first line of a report, by which the next one finds it; GitHub does not show it."""
    return f"<!-- lvs-aws {kind}: {stack} -->"


def preview_comment(stack: str, outcome: Outcome) -> str:
    """The comment on a pull request: what an update of the stack would do, or why there is none to be had."""
    verdict = "would do this" if outcome.exit_code == 0 else f"**failed** (exit code {outcome.exit_code})"
    command = f"`make preview STACK={stack}` at {outcome.commit}"
    return f"{marker('preview', stack)}\n### Stack `{stack}`\n\n{command} {verdict}:\n\n{fenced(outcome.output)}\n"


def summary(stack: str, outcome: Outcome) -> str:
    """What whoever approves a deployment reads: the plan."""
    verdict = "" if outcome.exit_code == 0 else f" **failed** (exit code {outcome.exit_code})"
    return f"### Plan for stack `{stack}` at {outcome.commit}{verdict}\n\n{fenced(outcome.output)}\n"


def drift_title(stack: str) -> str:
    """The title of the one issue about drift of a stack."""
    return f"Stack {stack} is not what its program says"


def drift_body(stack: str, outcome: Outcome) -> str:
    """The issue's text."""
    return (
        f"{marker('drift', stack)}\n`make drift STACK={stack}` compared the account with commit {outcome.commit}, from "
        f"which the stack was last deployed, and found differences. A failover is none: this is something else.\n\n"
        f"{fenced(outcome.output)}\n\nIf the account is wrong, deploy that commit again; if the program is, change it. "
        f"A deployment under way while the comparison ran looks like drift too. The first run without a difference "
        f"closes this issue.\n"
    )


def is_drift(outcome: Outcome) -> bool:
    """Whether the comparison was made and found differences; any other failure says nothing about drift."""
    return outcome.exit_code == DRIFT_EXIT_CODE


def fenced(output: str) -> str:
    """The output as a code block that nothing in it can end; of a long one, the head and the end with the counts."""
    text = output.strip()
    if len(text) > BODY_LIMIT:
        half = BODY_LIMIT // 2
        left_out = len(text) - 2 * half
        text = f"{text[:half]}\n... {left_out} characters left out; the job's log has them ...\n{text[-half:]}"
    fence = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence}diff\n{text}\n{fence}"
