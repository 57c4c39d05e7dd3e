"""Carries a deployment out: what the program registers is created, kept, updated or replaced; the rest is deleted."""

from __future__ import annotations

import secrets
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from lab.engine import urn as urns
from lab.engine.contract import (
    UNKNOWN,
    Configured,
    InitializationError,
    Properties,
    Provider,
    ProviderError,
    Resource,
)
from lab.engine.deletion import delete_all, in_order
from lab.engine.events import Diagnostic, OnEvent, Op, StepFailed, StepFinished, StepStarted
from lab.engine.goal import (
    Goal,
    RefusedError,
    decide,
    refuse_failures,
    row_of,
    with_ignored,
    with_unknown,
)
from lab.engine.providers import Providers
from lab.engine.state import Row, State
from lab.engine.wire import contains_unknown, plain_properties, remark


class StoppedError(Exception):
    """The deployment is being stopped: nothing new begins."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One finished step."""

    op: Op
    urn: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Registration:
    """A custom resource being registered: its provider, as URN::ID and itself, and the inputs wanted, on the wire."""

    goal: Goal
    configured: Configured
    provider: str
    wanted: Properties

    def check(self, old: Row | None) -> Properties:
        """The inputs as the provider completes them; RefusedError for those it refuses."""
        goal = self.goal
        deployed = _resource(old) if old is not None else Resource(type=goal.type, name=goal.name)
        checked = self.configured.check(deployed, _plain(goal, self.wanted), seed=secrets.token_bytes(32))
        refuse_failures(goal, checked)
        return checked.inputs

    def row(self, *, id_: str, inputs: Properties, outputs: Properties) -> Row:
        """The row of what has been made, with secrets marked again."""
        return row_of(
            self.goal,
            id_=id_,
            inputs=remark(inputs, self.wanted),
            outputs=remark(outputs, self.wanted, self.goal.secret_outputs),
            provider=self.provider,
        )


class Deployer:
    """One run over one stack's state. Its methods are called from several threads."""

    def __init__(
        self,
        *,
        project: str,
        stack: str,
        config: Mapping[str, str],
        provider: Provider,
        state: State,
        dry_run: bool,
        on_event: OnEvent,
    ) -> None:
        self.project = project
        self.stack = stack
        self.dry_run = dry_run
        self.steps: list[Step] = []
        self.failures: list[str] = []
        self._state = state
        self._on_event = on_event
        self._lock = threading.RLock()
        self._registered: set[str] = set()
        self._interrupted = False
        self._providers = Providers(
            provider=provider, config=config, project=project, stack=stack, live=self.live, register=self.register
        )

    @property
    def changes(self) -> dict[str, int]:
        """How many resources had which operation, as the CLI counts them: without default providers."""
        counted = ("create", "same", "update", "replace", "delete", "read", "discard")
        ops = (step.op for step in self.steps if not urns.is_default_provider(step.urn))
        return dict(Counter(op for op in ops if op in counted))

    def stop(self) -> None:
        """Begin no further step; those that run finish and are saved."""
        self._interrupted = True

    def log(self, diagnostic: Diagnostic) -> None:
        """Pass a diagnostic on, one event at a time."""
        with self._lock:
            self._on_event(diagnostic)

    def live(self, urn: str) -> Row | None:
        """The row that stands for a resource now."""
        with self._lock:
            return self._state.live(urn)

    def register(self, goal: Goal) -> Row:
        """Bring one resource to what the program wants and answer its row.

        Raises ProviderError, RefusedError or StoppedError. A preview does nothing; what it cannot know is UNKNOWN.
        """
        self._claim(goal.urn)
        if goal.type.startswith(urns.PROVIDERS):
            return self._register_provider(goal)
        if not goal.custom:
            return self._register_component(goal)
        return self._register_custom(goal)

    def register_outputs(self, urn: str, outputs: Properties) -> None:
        """Keep a component's outputs."""
        with self._lock:
            if (row := self._state.live(urn)) is not None:
                self._state.put(replace(row, outputs=outputs))

    def read(self, goal: Goal, id_: str) -> Row:
        """Look an existing resource up without owning it."""
        self._claim(goal.urn)
        reference, configured = self._providers.serving(goal.type, goal.provider, goal.version)
        with self._step("read", goal.urn):
            found = configured.read(Resource(type=goal.type, name=goal.name, id=id_, inputs=_plain(goal, goal.inputs)))
            if found is None:
                raise ProviderError(f"there is no {goal.type} with the id {id_!r}")
            row = row_of(goal, inputs=found.inputs, outputs=found.outputs, id_=found.id, provider=reference)
            return self._put(replace(row, external=True))

    def invoke(self, token: str, args: Properties, provider: str, version: str) -> Properties:
        """Call a provider's function."""
        _, configured = self._providers.serving(token, provider, version)
        return configured.invoke(token, args)

    def delete_rest(self) -> None:
        """Delete, dependents first, what has been replaced and what the program no longer registers."""
        with self._lock:
            doomed = [row for row in self._state.rows if row.delete or row.urn not in self._registered]
        delete_all(doomed, self._delete, stopping=lambda: self._interrupted)

    # One kind of resource after the other.

    def _register_component(self, goal: Goal) -> Row:
        old = self.live(goal.urn)
        op: Op = "create" if old is None else "same" if old.inputs == goal.inputs else "update"
        with self._step(op, goal.urn):
            outputs = old.outputs if old is not None else {}
            return self._put(row_of(goal, inputs=goal.inputs, outputs=outputs, id_=""))

    def _register_provider(self, goal: Goal) -> Row:
        old = self.live(goal.urn)
        checked = self._providers.check(goal.urn, _plain(goal, goal.inputs))
        refuse_failures(goal, checked)
        if contains_unknown(checked.inputs):
            raise RefusedError(
                f"provider {goal.name!r} has an input that a preview cannot know; give it a literal value"
            )
        op: Op = "create" if old is None else "same" if plain_properties(old.inputs) == checked.inputs else "update"
        with self._step(op, goal.urn):
            self._providers.configure(goal.urn, checked.inputs)
            id_ = old.id if old is not None else UNKNOWN if self.dry_run else str(uuid.uuid4())
            inputs = remark(checked.inputs, goal.inputs)
            return self._put(row_of(goal, inputs=inputs, outputs=inputs, id_=id_))

    def _register_custom(self, goal: Goal) -> Row:
        provider, configured = self._providers.serving(goal.type, goal.provider, goal.version)
        old = self.live(goal.urn)
        if old is not None and old.external:
            raise RefusedError(f"{goal.urn!r} was read before and is now to be created: give it another name")
        wanted = with_ignored(goal, old)
        registration = _Registration(goal=goal, configured=configured, provider=provider, wanted=wanted)
        if old is not None and old.pending_replacement:
            return self._replace_deleted(registration, ())
        inputs = registration.check(old)
        if old is None:
            with self._step("create", goal.urn):
                return self._create(registration, inputs)
        decision = decide(goal, old, configured.diff(_resource(old), inputs))
        if decision.delete_first:
            for row in [*self._replaced_with(old), old]:
                self._delete_for_replacement(row)
            return self._replace_deleted(registration, decision.keys)
        if decision.op == "replace":
            return self._replace(registration, old, decision.keys)
        with self._step(decision.op, goal.urn, decision.keys):
            if decision.op == "update":
                return self._update(registration, old, inputs)
            return self._put(registration.row(id_=old.id, inputs=inputs, outputs=old.outputs))

    # What is done to a custom resource.

    def _create(self, registration: _Registration, inputs: Properties) -> Row:
        """Make the resource; the step around this one says what it is called."""
        goal = registration.goal
        wanted = Resource(type=goal.type, name=goal.name, inputs=inputs)
        try:
            made = registration.configured.create(
                wanted, preview=self.dry_run, timeout_seconds=goal.timeouts.get("create")
            )
        except InitializationError as error:
            half = registration.row(id_=error.id, inputs=inputs, outputs=error.outputs)
            self._put(replace(half, init_errors=(str(error),)))
            raise
        id_ = UNKNOWN if self.dry_run else made.id
        return self._put(registration.row(id_=id_, inputs=inputs, outputs=made.outputs))

    def _update(self, registration: _Registration, old: Row, inputs: Properties) -> Row:
        timeout = registration.goal.timeouts.get("update")
        try:
            outputs = registration.configured.update(
                _resource(old), inputs, preview=self.dry_run, timeout_seconds=timeout
            )
        except InitializationError as error:
            half = registration.row(id_=old.id, inputs=inputs, outputs=error.outputs)
            self._put(replace(half, init_errors=(str(error),)))
            raise
        return self._put(registration.row(id_=old.id, inputs=inputs, outputs=outputs))

    def _replace(self, registration: _Registration, old: Row, keys: tuple[str, ...]) -> Row:
        """Make the new resource beside the old one, which goes at the end of the run."""
        urn = registration.goal.urn
        inputs = registration.check(None)  # without the old inputs: a new automatic name
        with self._step("create-replacement", urn, keys):
            with self._lock:
                self._state.replace(old, replace(old, delete=True))
            try:
                new = self._create(registration, inputs)
            except Exception:
                self._restore(urn)
                raise
        self._announce("replace", urn, keys)
        return new

    def _replace_deleted(self, registration: _Registration, keys: tuple[str, ...]) -> Row:
        """Make the new resource in place of one that is gone already."""
        inputs = registration.check(None)
        self._announce("replace", registration.goal.urn, keys)
        with self._step("create-replacement", registration.goal.urn, keys):
            return self._create(registration, inputs)

    def _restore(self, urn: str) -> None:
        """Where a replacement could not be made, the old resource stands again (where it was made half, both stay)."""
        with self._lock:
            if self._state.live(urn) is None:
                old = [row for row in self._state.rows if row.urn == urn and row.delete][-1]
                self._state.replace(old, replace(old, delete=False))

    def _replaced_with(self, old: Row) -> list[Row]:
        """The dependents that a deletion of `old` forces to be replaced, the farthest first.

        Only those count that use one of its properties where a new value means replacement (as the real engine asks).
        """
        with self._lock:
            left = [row for row in self._state.rows if row.provider and not (row.delete or row.pending_replacement)]
        left = [row for row in left if row.urn != old.urn and not row.external]
        found: list[Row] = []
        gone = {old.urn}
        while new := [row for row in left if self._forced(row, gone)]:
            left = [row for row in left if row not in new]
            found += new
            gone |= {row.urn for row in new}
        return in_order(found)

    def _forced(self, row: Row, gone: set[str]) -> bool:
        inputs = with_unknown(row, gone)
        if inputs is None or not self._providers.of(row).diff(_resource(row), plain_properties(inputs)).replace:
            return False
        if row.protect:
            raise RefusedError(
                f"a resource has to be deleted before its replacement, and with it {row.urn!r}, which is marked for "
                "protection; take `protect` away and run `up` first"
            )
        return True

    def _delete_for_replacement(self, row: Row) -> None:
        with self._step("delete-replaced", row.urn):
            if not row.retain_on_delete:
                self._delete_resource(row)
            with self._lock:
                self._state.replace(row, replace(row, pending_replacement=True))

    def _delete(self, row: Row) -> None:
        """Delete one row that nothing needs any more; raises what goes wrong, after it has been told."""
        op: Op = "discard" if row.external else "delete-replaced" if row.delete else "delete"
        with self._step(op, row.urn):
            if row.protect and not row.delete:
                raise RefusedError(
                    f"{row.urn!r} is marked for protection; take `protect` away in the program and run `up` first"
                )
            if row.provider and not (row.external or row.retain_on_delete or row.pending_replacement):
                self._delete_resource(row)
            with self._lock:
                self._state.remove(row)

    def _delete_resource(self, row: Row) -> None:
        if not self.dry_run:
            self._providers.of(row).delete(_resource(row), timeout_seconds=row.delete_timeout_seconds)

    # Bookkeeping.

    def _claim(self, urn: str) -> None:
        with self._lock:
            if self._interrupted or self.failures:
                raise StoppedError("the deployment is being stopped")
            if urn in self._registered:
                raise RefusedError(f"Duplicate resource URN {urn!r}; try giving it a unique name")
            self._registered.add(urn)

    def _put(self, row: Row) -> Row:
        with self._lock:
            self._state.put(row)
        return row

    def _announce(self, op: Op, urn: str, keys: tuple[str, ...]) -> None:
        with self._step(op, urn, keys):
            pass

    @contextmanager
    def _step(self, op: Op, urn: str, keys: tuple[str, ...] = ()) -> Iterator[None]:
        """Tell that a step begins, and how it ended."""
        with self._lock:
            self._on_event(StepStarted(op=op, urn=urn, keys=keys))
        began = time.monotonic()
        try:
            yield
        except Exception as error:
            with self._lock:
                self.failures.append(f"{urns.type_of(urn)} {urns.name_of(urn)}: {op} failed: {error}")
                took = time.monotonic() - began
                self._on_event(StepFailed(op=op, urn=urn, seconds=took, message=str(error)))
            raise
        with self._lock:
            self.steps.append(Step(op=op, urn=urn, keys=keys))
            self._on_event(StepFinished(op=op, urn=urn, seconds=time.monotonic() - began, keys=keys))


def _plain(goal: Goal, properties: Properties) -> Properties:
    try:
        return plain_properties(properties)
    except ValueError as error:
        raise RefusedError(f"{goal.urn!r} has {error}") from None


def _resource(row: Row) -> Resource:
    return Resource(
        type=row.type,
        name=urns.name_of(row.urn),
        id=row.id,
        inputs=plain_properties(row.inputs),
        outputs=plain_properties(row.outputs),
    )
