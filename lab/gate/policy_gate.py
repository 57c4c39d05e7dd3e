"""The gate a deployment asks: every resource and the whole stack are shown to a pack, and what it says is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from pulumi.runtime.proto import analyzer_pb2

from lab.engine.goal import Goal
from lab.engine.row import Row
from lab.gate.pack import Answer, Diagnostic, Pack, PackError
from lab.protocol import urn as urns
from lab.protocol.contract import RefusedError
from lab.protocol.wire import to_struct

MANDATORY = "mandatory"


class PolicyGate:
    """Asks one pack about one deployment (lab.engine.gate.Gate).

    With `enforcing` a mandatory violation refuses the resource, as in the CLI's `up`; without, all are gathered first,
    as in its preview, and `violated` says what came of it.
    """

    def __init__(self, pack: Pack, *, enforcing: bool) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.not_applicable: dict[str, str] = {}
        self._pack = pack
        self._enforcing = enforcing
        self._lock = threading.Lock()

    @property
    def violated(self) -> int:
        """How many mandatory violations there are."""
        return sum(one.level == MANDATORY for one in self.diagnostics)

    def resource(self, goal: Goal, provider: Row | None) -> None:
        """Show one resource with its inputs. Raises RefusedError for a mandatory violation where `enforcing`."""
        row = goal.row
        message = analyzer_pb2.AnalyzeRequest(
            type=row.type,
            urn=row.urn,
            name=urns.name_of(row.urn),
            properties=to_struct(row.inputs),
            options=_options(row, goal),
            provider=_provider(provider),
        )
        self._keep(lambda: self._pack.analyze(message))

    def stack(self, rows: Sequence[Row]) -> None:
        """Show all resources with their outputs; errors as with `resource`."""
        by_urn = {row.urn: row for row in rows}
        root = next((row.urn for row in rows if row.type == urns.STACK_TYPE), "")
        resources = [
            analyzer_pb2.AnalyzerResource(
                type=row.type,
                urn=row.urn,
                name=urns.name_of(row.urn),
                # A component's or a provider's outputs are few; what the program gave stands beside them.
                properties=to_struct({**row.inputs, **row.outputs} if not row.custom else row.outputs),
                options=_options(row),
                provider=_provider(by_urn.get(row.provider)),
                parent=row.parent,
                dependencies=row.dependencies,
                propertyDependencies={
                    key: analyzer_pb2.AnalyzerPropertyDependencies(urns=named)
                    for key, named in row.property_dependencies.items()
                },
            )
            for row in rows
        ]
        # What is about nothing the stack has is about the stack itself.
        self._keep(lambda: self._pack.analyze_stack(resources), lambda urn: urn if urn in by_urn else root)

    def state(self, rows: Sequence[Row]) -> None:
        """Show what is deployed, as `pulumi policy analyze` does: inputs one by one, then all outputs."""
        by_urn = {row.urn: row for row in rows}
        for row in rows:
            self.resource(Goal(row=row), by_urn.get(row.provider))
        self.stack(rows)

    def _keep(self, ask: Callable[[], Answer], about: Callable[[str], str] = lambda urn: urn) -> None:
        try:
            said, not_applicable = ask()
        except PackError as error:
            raise RefusedError(str(error)) from None
        said = [replace(one, urn=about(one.urn)) for one in said]
        with self._lock:
            self.diagnostics += said
            self.not_applicable |= {one.rule: one.reason for one in not_applicable}
        violated = sorted({one.rule for one in said if one.level == MANDATORY})
        if violated and self._enforcing:
            raise RefusedError(f"mandatory policy violation: {', '.join(violated)}")


def _options(row: Row, goal: Goal | None = None) -> analyzer_pb2.AnalyzerResourceOptions:
    before = goal.delete_before_replace if goal is not None else None
    return analyzer_pb2.AnalyzerResourceOptions(
        protect=row.protect,
        parent=row.parent,
        additionalSecretOutputs=row.secret_outputs,
        ignoreChanges=goal.ignore_changes if goal is not None else (),
        aliases=goal.aliases if goal is not None else (),
        deleteBeforeReplace=bool(before),
        deleteBeforeReplaceDefined=before is not None,
    )


def _provider(row: Row | None) -> analyzer_pb2.AnalyzerProviderResource | None:
    if row is None:
        return None
    return analyzer_pb2.AnalyzerProviderResource(
        type=row.type, urn=row.urn, name=urns.name_of(row.urn), properties=to_struct(row.inputs)
    )
