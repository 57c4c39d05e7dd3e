"""What a plan was made for, whether it may be applied now, and which commit a stack was deployed from. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Situation:
    """What a plan depends on: the stack, the commit, the stack's last update (None: never updated), the plan's bytes.

    `last_update` names one update by number, kind and start; `plan_digest` is SHA-256 in hex.
    """

    stack: str
    commit: str
    last_update: str | None
    plan_digest: str


def to_json(situation: Situation) -> str:
    """The record that travels beside a plan."""
    return json.dumps(asdict(situation), indent=2) + "\n"


def from_json(text: str) -> Situation:
    """The record read back. Raises ValueError for anything that is none."""
    try:
        return Situation(**json.loads(text))
    except TypeError as error:
        raise ValueError(f"not the record of a plan: {error}") from error


def digest(plan: bytes) -> str:
    """The SHA-256 of a plan's file, in hex."""
    return hashlib.sha256(plan).hexdigest()


def refusal(planned: Situation, now: Situation) -> str | None:
    """Why a plan may not be applied now; None if it may."""
    if planned == now:
        return None
    if planned.stack != now.stack:
        why = f"it is for stack {planned.stack}, not {now.stack}"
    elif planned.commit != now.commit:
        why = f"it was made for commit {planned.commit}, and this is {now.commit}"
    elif planned.plan_digest != now.plan_digest:
        why = "the file is not the one that was made"
    else:
        why = (
            f"the stack was updated since: its last update was {planned.last_update or 'none'}, "
            f"now it is {now.last_update or 'none'}"
        )
    return f"the plan is not applied: {why}. Make a new one: make deploy-plan STACK={now.stack}"


def last_update(history: Sequence[Mapping[str, Any]]) -> str | None:
    """What names the newest change in a stack's history, which a preview is not; None for one never updated."""
    newest = _newest([entry for entry in history if entry["kind"] != "preview"])
    return None if newest is None else f"{newest['version']} {newest['kind']} {newest['startTime']}"


def deployed_commit(history: Sequence[Mapping[str, Any]]) -> str | None:
    """The commit of the last `pulumi up`, finished or failed; None where nothing is deployed or no commit is known."""
    newest = _newest([entry for entry in history if entry["kind"] in ("update", "destroy")])
    if newest is None or newest["kind"] == "destroy":
        return None
    commit = newest["environment"].get("git.head")
    return None if commit is None else str(commit)


def _newest(history: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    # The times are ISO 8601 in UTC, all of one form: their order as texts is their order.
    return max(history, key=lambda entry: (entry["startTime"], entry["version"]), default=None)
