"""One custom resource on its way: what is asked of the provider that serves it, and the row that comes of it."""

from __future__ import annotations

import secrets
from collections.abc import Set
from dataclasses import dataclass, replace

from lab.engine import urn as urns
from lab.engine.contract import Configured, InitializationError, Properties, Resource
from lab.engine.goal import Decision, Goal, accepted, decide
from lab.engine.state import Row
from lab.engine.wire import plain_properties, remark


@dataclass(frozen=True, kw_only=True)
class Custom:
    """The goal, whose row names the provider and has the inputs wanted, and that provider. A dry run makes nothing."""

    goal: Goal
    configured: Configured
    dry_run: bool

    def check(self, old: Row | None) -> Properties:
        """The inputs as the provider completes them; RefusedError for those it refuses."""
        known = resource_of(old) if old is not None else replace(resource_of(self.goal.row), inputs={})
        wanted = plain_properties(self.goal.row.inputs)
        return accepted(self.configured.check(known, wanted, seed=secrets.token_bytes(32)))

    def decide(self, old: Row, inputs: Properties, replaced: Set[str]) -> Decision:
        """What to do with the deployed resource."""
        return decide(self.goal, old, replaced, lambda: self.configured.diff(resource_of(old), inputs))

    def create(self, inputs: Properties) -> Row:
        """Make the resource; a row with `init_errors` where it did not get ready."""
        wanted = replace(resource_of(self.goal.row), inputs=inputs)
        timeout = self.goal.timeouts.get("create")
        try:
            made = self.configured.create(wanted, preview=self.dry_run, timeout_seconds=timeout)
        except InitializationError as error:
            return self.row(error.id, inputs, error.outputs, str(error))
        return self.row(made.id, inputs, made.outputs)

    def update(self, old: Row, inputs: Properties) -> Row:
        """Change the resource in place; a row with `init_errors` where it did not get ready."""
        timeout = self.goal.timeouts.get("update")
        try:
            outputs = self.configured.update(resource_of(old), inputs, preview=self.dry_run, timeout_seconds=timeout)
        except InitializationError as error:
            return self.row(old.id, inputs, error.outputs, str(error))
        return self.row(old.id, inputs, outputs)

    def row(self, id_: str, inputs: Properties, outputs: Properties, *errors: str) -> Row:
        """The row of what has been made, with secrets marked again."""
        wanted = self.goal.row
        return replace(
            wanted,
            id=id_,
            inputs=remark(inputs, wanted.inputs),
            outputs=remark(outputs, wanted.inputs, wanted.secret_outputs),
            init_errors=errors,
        )


def resource_of(row: Row) -> Resource:
    """The row as a provider sees it."""
    return Resource(
        type=row.type,
        name=urns.name_of(row.urn),
        id=row.id,
        inputs=plain_properties(row.inputs),
        outputs=plain_properties(row.outputs),
    )
