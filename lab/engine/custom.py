"""One custom resource on its way: what is asked of the provider that serves it, and the row that comes of it."""

from __future__ import annotations

import secrets
from collections.abc import Set
from dataclasses import dataclass, replace

from lab.engine.events import Op
from lab.engine.goal import Decision, Goal, accepted, decide
from lab.engine.row import Row
from lab.protocol import urn as urns
from lab.protocol.contract import Configured, InitializationError, Properties, Resource
from lab.protocol.wire import plain_properties, remark


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

    def carry_out(self, op: Op, inputs: Properties, old: Row | None) -> Row:
        """Keep or update the deployed resource, or make one; a row with `init_errors` where it did not get ready."""
        try:
            if old is not None and op == "same":
                return self._row(old.id, inputs, old.outputs)
            if old is not None and op == "update":
                timeout = self.goal.timeouts.get("update")
                deployed = resource_of(old)
                outputs = self.configured.update(deployed, inputs, preview=self.dry_run, timeout_seconds=timeout)
                return self._row(old.id, inputs, outputs)
            timeout = self.goal.timeouts.get("create")
            wanted = replace(resource_of(self.goal.row), inputs=inputs)
            made = self.configured.create(wanted, preview=self.dry_run, timeout_seconds=timeout)
            return self._row(made.id, inputs, made.outputs)
        except InitializationError as error:
            return replace(self._row(error.id, inputs, error.outputs), init_errors=(str(error),))

    def _row(self, id_: str, inputs: Properties, outputs: Properties) -> Row:
        """The row of what there is now, with secrets marked again."""
        wanted = self.goal.row
        marked = remark(outputs, wanted.inputs, wanted.secret_outputs)
        return replace(wanted, id=id_, inputs=remark(inputs, wanted.inputs), outputs=marked)


def resource_of(row: Row) -> Resource:
    """The row as a provider sees it."""
    return Resource(
        type=row.type,
        name=urns.name_of(row.urn),
        id=row.id,
        inputs=plain_properties(row.inputs),
        outputs=plain_properties(row.outputs),
    )
