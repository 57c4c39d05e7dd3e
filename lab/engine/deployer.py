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
    Checked,
    Configured,
    InitializationError,
    Properties,
    Provider,
    ProviderError,
    Resource,
)
from lab.engine.deletion import delete_all
from lab.engine.events import Diagnostic, OnEvent, Op, StepFailed, StepFinished, StepStarted
from lab.engine.goal import (
    Decision,
    Goal,
    RefusedError,
    decide,
    refuse_failures,
    row_of,
    with_ignored,
    with_unknown,
)
from lab.engine.state import Row, State
from lab.engine.wire import contains_unknown, plain, remark


class StoppedError(Exception):
    """The deployment is being stopped: nothing new begins."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One finished step."""

    op: Op
    urn: str
    keys: tuple[str, ...] = ()


class Deployer:
    """One run over one stack's state. Its methods are called from several threads.

    `config` gives default providers their inputs: `aws:region` is the default aws provider's `region`.
    """

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
        self._config = config
        self._provider = provider
        self._state = state
        self._on_event = on_event
        self._lock = threading.RLock()
        self._registered: set[str] = set()
        self._configured: dict[str, Configured] = {}
        self._interrupted = False

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
        reference, configured = self._provider_for(goal.type, goal.provider, goal.version)
        with self._step("read", goal.urn):
            found = configured.read(Resource(type=goal.type, name=goal.name, id=id_, inputs=_plain(goal, goal.inputs)))
            if found is None:
                raise ProviderError(f"there is no {goal.type} with the id {id_!r}")
            row = row_of(goal, inputs=found.inputs, outputs=found.outputs, id_=found.id, provider=reference)
            return self._put(replace(row, external=True))

    def invoke(self, token: str, args: Properties, provider: str, version: str) -> Properties:
        """Call a provider's function."""
        _, configured = self._provider_for(token, provider, version)
        return configured.invoke(token, args)

    def delete_rest(self) -> None:
        """Delete, dependents first, what has been replaced and what the program no longer registers."""
        with self._lock:
            doomed = [row for row in self._state.rows if row.delete or row.urn not in self._registered]
        delete_all(doomed, self._delete, stopping=lambda: self._interrupted)

    # One kind of resource after the other.

    def _register_component(self, goal: Goal) -> Row:
        old = self._live(goal.urn)
        op: Op = "create" if old is None else "same" if old.inputs == goal.inputs else "update"
        with self._step(op, goal.urn):
            outputs = old.outputs if old is not None else {}
            return self._put(row_of(goal, inputs=goal.inputs, outputs=outputs, id_=""))

    def _register_provider(self, goal: Goal) -> Row:
        package = goal.type.removeprefix(urns.PROVIDERS)
        self._require_package(package, goal.urn)
        old = self._live(goal.urn)
        checked = self._provider.check_config(_plain(goal, goal.inputs))
        refuse_failures(goal, checked)
        if contains_unknown(checked.inputs):
            raise RefusedError(
                f"provider {goal.name!r} has an input that a preview cannot know; give it a literal value"
            )
        op: Op = "create" if old is None else "same" if _plain_of(old.inputs) == checked.inputs else "update"
        with self._step(op, goal.urn):
            configured = self._provider.configure(checked.inputs)
            id_ = old.id if old is not None else UNKNOWN if self.dry_run else str(uuid.uuid4())
            inputs = remark(checked.inputs, goal.inputs)
            with self._lock:
                self._configured[goal.urn] = configured
            return self._put(row_of(goal, inputs=inputs, outputs=inputs, id_=id_))

    def _register_custom(self, goal: Goal) -> Row:
        reference, configured = self._provider_for(goal.type, goal.provider, goal.version)
        old = self._live(goal.urn)
        if old is not None and old.external:
            raise RefusedError(
                f"{goal.urn!r} was read and is now to be created under the same name: give it another name"
            )
        wanted = with_ignored(goal, old)
        if old is not None and old.pending_replacement:
            return self._replace(goal, configured, reference, old, wanted, Decision(op="replace"), recreate=True)
        checked = self._check(goal, configured, old, wanted)
        if old is None:
            with self._step("create", goal.urn):
                return self._create(goal, configured, reference, wanted, checked)
        diff = configured.diff(_resource(old), checked.inputs)
        decision = decide(goal, old, diff)
        if decision.op == "replace":
            return self._replace(goal, configured, reference, old, wanted, decision, recreate=False)
        if decision.op == "update":
            with self._step("update", goal.urn, decision.keys):
                return self._update(goal, configured, reference, old, wanted, checked)
        with self._step("same", goal.urn):
            inputs, outputs = remark(checked.inputs, wanted), remark(old.outputs, {}, goal.secret_outputs)
            return self._put(row_of(goal, inputs=inputs, outputs=outputs, id_=old.id, provider=reference))

    # What is done to a resource.

    def _check(self, goal: Goal, configured: Configured, old: Row | None, wanted: Properties) -> Checked:
        deployed = _resource(old) if old is not None else Resource(type=goal.type, name=goal.name)
        checked = configured.check(deployed, _plain(goal, wanted), seed=secrets.token_bytes(32))
        refuse_failures(goal, checked)
        return checked

    def _create(self, goal: Goal, configured: Configured, reference: str, wanted: Properties, checked: Checked) -> Row:
        """Make the resource; the step around this one says what it is called."""
        inputs = remark(checked.inputs, wanted)

        def row(id_: str, outputs: Properties) -> Row:
            marked = remark(outputs, wanted, goal.secret_outputs)
            return row_of(goal, inputs=inputs, outputs=marked, id_=id_, provider=reference)

        blank = Resource(type=goal.type, name=goal.name, inputs=checked.inputs)
        try:
            made = configured.create(blank, preview=self.dry_run, timeout_seconds=goal.timeouts.get("create"))
        except InitializationError as error:
            self._put(replace(row(error.id, error.outputs), init_errors=(str(error),)))
            raise
        return self._put(row(UNKNOWN if self.dry_run else made.id, made.outputs))

    def _update(
        self, goal: Goal, configured: Configured, reference: str, old: Row, wanted: Properties, checked: Checked
    ) -> Row:
        def row(outputs: Properties) -> Row:
            marked = remark(outputs, wanted, goal.secret_outputs)
            inputs = remark(checked.inputs, wanted)
            return row_of(goal, inputs=inputs, outputs=marked, id_=old.id, provider=reference)

        timeout = goal.timeouts.get("update")
        try:
            outputs = configured.update(_resource(old), checked.inputs, preview=self.dry_run, timeout_seconds=timeout)
        except InitializationError as error:
            self._put(replace(row(error.outputs), init_errors=(str(error),)))
            raise
        return self._put(row(outputs))

    def _replace(
        self,
        goal: Goal,
        configured: Configured,
        reference: str,
        old: Row,
        wanted: Properties,
        decision: Decision,
        *,
        recreate: bool,
    ) -> Row:
        """Make a new resource in place of an old one. `recreate`: the old one is gone already."""
        checked = self._check(goal, configured, None, wanted)  # without the old inputs: a new automatic name
        if decision.delete_first and not recreate:
            for row in [*self._replaced_with(old), old]:
                self._delete_for_replacement(row)
        first = recreate or decision.delete_first
        if first:
            self._announce("replace", goal.urn, decision.keys)
        with self._step("create-replacement", goal.urn, decision.keys):
            if not first:
                with self._lock:
                    self._state.replace(old, replace(old, delete=True))
                try:
                    new = self._create(goal, configured, reference, wanted, checked)
                except Exception:
                    self._restore(goal.urn)
                    raise
            else:
                new = self._create(goal, configured, reference, wanted, checked)
        if not first:
            self._announce("replace", goal.urn, decision.keys)
        return new

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
        found: list[Row] = []
        with self._lock:
            rows = [row for row in self._state.rows if row.custom and not row.delete and not row.pending_replacement]
        gone = {old.urn}
        for row in rows:  # a dependent is always younger than what it depends on, so one pass suffices
            inputs = with_unknown(row, gone)
            if inputs is None or row.urn == old.urn or row.external or not row.provider:
                continue
            if self._configured_of(row).diff(_resource(row), _plain_of(inputs)).replace:
                if row.protect:
                    raise RefusedError(
                        f"{old.urn!r} has to be deleted before its replacement, and with it {row.urn!r}, which is "
                        "marked for protection; take `protect` away and run `up` first"
                    )
                found.insert(0, row)
                gone.add(row.urn)
        return found

    def _delete_for_replacement(self, row: Row) -> None:
        with self._step("delete-replaced", row.urn):
            if not self.dry_run and not row.retain_on_delete:
                self._configured_of(row).delete(_resource(row), timeout_seconds=row.delete_timeout_seconds)
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
            owned = row.provider and not (row.external or row.retain_on_delete or row.pending_replacement)
            if owned and not self.dry_run:
                self._configured_of(row).delete(_resource(row), timeout_seconds=row.delete_timeout_seconds)
            with self._lock:
                self._state.remove(row)

    # Providers.

    def _provider_for(self, token: str, reference: str, version: str) -> tuple[str, Configured]:
        package = token.split(":")[0]
        self._require_package(package, token)
        if not reference:
            row = self._default_provider(package, version)
            return f"{row.urn}::{row.id}", self._configured[row.urn]
        with self._lock:
            configured = self._configured.get(reference.rpartition("::")[0])
        if configured is None:
            raise RefusedError(f"{token!r} refers to the provider {reference!r}, which the program does not register")
        return reference, configured

    def _default_provider(self, package: str, version: str) -> Row:
        name = "default" + (f"_{version.replace('.', '_')}" if version else "")
        type_ = f"{urns.PROVIDERS}{package}"
        urn = urns.make(stack=self.stack, project=self.project, parent="", type_=type_, name=name)
        with self._lock:  # held while it is made: all who need it wait for the one that makes it
            if urn not in self._configured:
                inputs = {
                    key.split(":", 1)[1]: value
                    for key, value in self._config.items()
                    if key.startswith(f"{package}:") and package != self.project
                }
                if version:
                    inputs["version"] = version
                self.register(Goal(urn=urn, type=type_, name=name, custom=True, inputs=inputs))
            row = self._state.live(urn)
        assert row is not None
        return row

    def _configured_of(self, row: Row) -> Configured:
        """The provider of a deployed row, from its own state where the program does not register it."""
        with self._lock:
            if row.provider_urn not in self._configured:
                provider = self._state.live(row.provider_urn)
                if provider is None:
                    raise RefusedError(
                        f"the state has lost {row.provider_urn!r}, the provider of {row.urn!r}: `lab down`"
                    )
                self._configured[row.provider_urn] = self._provider.configure(_plain_of(provider.inputs))
            return self._configured[row.provider_urn]

    def _require_package(self, package: str, what: str) -> None:
        if package != self._provider.package:
            raise RefusedError(
                f"{what!r} needs a provider for the package {package!r}; the lab's engine has one for "
                f"{self._provider.package!r} only: deploy this with the Pulumi CLI"
            )

    # Bookkeeping.

    def _claim(self, urn: str) -> None:
        with self._lock:
            if self._interrupted or self.failures:
                raise StoppedError("the deployment is being stopped")
            if urn in self._registered:
                raise RefusedError(f"Duplicate resource URN {urn!r}; try giving it a unique name")
            self._registered.add(urn)

    def _live(self, urn: str) -> Row | None:
        with self._lock:
            return self._state.live(urn)

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
        return _plain_of(properties)
    except ValueError as error:
        raise RefusedError(f"{goal.urn!r} has {error}") from None


def _plain_of(properties: Properties) -> Properties:
    return {key: plain(value) for key, value in properties.items()}


def _resource(row: Row) -> Resource:
    return Resource(
        type=row.type,
        name=urns.name_of(row.urn),
        id=row.id,
        inputs=_plain_of(row.inputs),
        outputs=_plain_of(row.outputs),
    )
