"""Carries a deployment out: what the program registers is created, kept, updated or replaced; the rest is deleted."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from lab.engine.custom import Custom, resource_of
from lab.engine.deletion import PARALLEL, delete_all
from lab.engine.events import Diagnostic, OnEvent, Op, Step
from lab.engine.gate import Gate
from lab.engine.goal import Decision, Goal, forced_along, with_ignored
from lab.engine.providers import Providers
from lab.engine.row import Row
from lab.engine.state import State
from lab.protocol import urn as urns
from lab.protocol.contract import UNKNOWN, Configured, Properties, Provider, ProviderError, RefusedError, StackConfig
from lab.protocol.wire import plain_properties, remark

COUNTED = ("create", "same", "update", "replace", "delete", "discard")


class StoppedError(Exception):
    """The deployment is being stopped: nothing new begins."""


class Deployer:
    """One run over the state of one stack of `project`. Its methods are called from several threads.

    What to do is planned for one resource after the other, as the real engine does; carrying it out runs side by side.
    """

    def __init__(
        self,
        project: str,
        stack: StackConfig,
        provider: Provider,
        state: State,
        on_event: OnEvent,
        *,
        dry_run: bool,
        gate: Gate | None = None,
    ) -> None:
        self.project = project
        self.stack = stack.name
        self.dry_run = dry_run
        self.state = state
        self.steps: list[Step] = []
        self.failures: list[str] = []
        self._on_event = on_event
        self._gate = gate
        self._planning = threading.RLock()
        self._telling = threading.RLock()
        self._registered: set[str] = set()
        self._replaced: set[str] = set()
        self._going: frozenset[str] = frozenset()
        self._interrupted = False
        self._providers = Providers(provider, stack.values, state.live)

    @property
    def changes(self) -> dict[str, int]:
        """How many resources had which operation, as the CLI counts them: without default providers."""
        done = (step for step in self.steps if not step.error and not urns.is_default_provider(step.urn))
        return dict(Counter(step.op for step in done if step.op in COUNTED))

    def stop(self) -> None:
        """Begin no further step; those that run finish and are saved."""
        self._interrupted = True

    def log(self, diagnostic: Diagnostic) -> None:
        """Pass a diagnostic on, one event at a time."""
        with self._telling:
            self._on_event(diagnostic)

    def urn(self, parent: str, type_: str, name: str) -> str:
        """The URN of a resource of this stack."""
        return urns.make(stack=self.stack, project=self.project, parent=parent, type_=type_, name=name)

    def register(self, goal: Goal) -> Row:
        """Bring one resource to what the program wants and answer its row.

        Raises ProviderError, RefusedError or StoppedError. A preview does nothing; what it cannot know is UNKNOWN.
        """
        with self._planning:
            carry_out = self._plan(goal)
        return carry_out()

    def read(self, goal: Goal, id_: str) -> Row:
        """Look an existing resource up without owning it."""
        with self._planning:
            self._claim(goal.row.urn)
            urn, configured = self._serving(goal.row.type, goal.row.provider, goal.version)
        wanted = replace(goal.row, provider=urn, id=id_, external=True)
        with self._step("read", wanted.urn):
            found = configured.read(resource_of(wanted))
            if found is None:
                raise ProviderError(f"there is no {wanted.type} with the id {id_!r}")
            self.state.put(row := replace(wanted, id=found.id, outputs=found.outputs))
        return row

    def invoke(self, token: str, args: Properties, provider: str, version: str) -> Properties:
        """Call a provider's function."""
        with self._planning:
            _, configured = self._serving(token, provider, version)
        return configured.invoke(token, plain_properties(args))

    def refresh(self) -> None:
        """Bring the state to what there is; what is gone from the cloud goes from the state."""
        rows = [row for row in self.state.rows if not (row.delete or row.pending_replacement)]
        with ThreadPoolExecutor(max_workers=PARALLEL) as pool:
            there = list(pool.map(self._is_there, rows))
        self.state.forget([row for row, stays in zip(rows, there, strict=True) if not stays])

    def judge_stack(self) -> None:
        """Ask the gate about everything the program registered. Raises RefusedError."""
        if self._gate is not None:
            self._gate.stack([row for row in self.state.rows if row.urn in self._registered and not row.delete])

    def delete_rest(self) -> None:
        """Delete, dependents first, what has been replaced and what the program no longer registers."""
        self._delete_all(
            [row for row in self.state.rows if row.delete or row.urn not in self._registered], self._delete
        )

    # What is to be done: one resource at a time, under the planning lock.

    def _plan(self, goal: Goal) -> Callable[[], Row]:
        wanted = goal.row
        self._claim(wanted.urn)
        old = self._deployed(goal)
        if wanted.type.startswith(urns.PROVIDERS):
            inputs = self._providers.configure(wanted.urn, plain_properties(wanted.inputs))
            marked = remark(inputs, wanted.inputs)
            self._ask(replace(goal, row=replace(wanted, inputs=marked)))
            id_ = old.id if old is not None else UNKNOWN if self.dry_run else str(uuid.uuid4())
            return partial(self._settle, replace(wanted, id=id_, inputs=marked, outputs=marked), old)
        if not wanted.custom:
            self._ask(goal)
            return partial(self._settle, replace(wanted, outputs=old.outputs if old is not None else {}), old)
        return self._plan_custom(goal, old)

    def _plan_custom(self, goal: Goal, old: Row | None) -> Callable[[], Row]:
        provider, configured = self._serving(goal.row.type, goal.row.provider, goal.version)
        wanted = replace(goal.row, provider=provider, inputs=with_ignored(goal, old))
        custom = Custom(goal=replace(goal, row=wanted), configured=configured, dry_run=self.dry_run)
        if old is None:
            inputs = custom.check(None)
            self._ask(custom.goal, inputs)
            return partial(self._carry_out, custom, Decision(op="create"), inputs, None)
        if old.external:
            raise RefusedError("it was read before and is now to be created: give it another name")
        if not old.pending_replacement and self._moves(old.provider, provider):
            raise RefusedError("it moves to another provider, which the lab's engine does not do: give it another name")
        inputs = custom.check(old)
        self._ask(custom.goal, inputs)
        decision = custom.decide(old, inputs, self._replaced)
        if decision.op != "replace":
            return partial(self._carry_out, custom, decision, inputs, old)
        inputs = custom.check(None)  # without the old inputs: a new automatic name
        self._replaced.add(wanted.urn)
        if decision.delete_first and not old.pending_replacement:
            self._delete_first(old)
        return partial(self._replace, custom, decision, inputs, old)

    def _ask(self, goal: Goal, inputs: Properties | None = None) -> None:
        """Ask the gate about a resource, with its `inputs` as its provider has completed them."""
        if self._gate is not None:
            row = goal.row if inputs is None else replace(goal.row, inputs=remark(inputs, goal.row.inputs))
            self._gate.resource(replace(goal, row=row), self.state.live(row.provider) if row.provider else None)

    def _claim(self, urn: str) -> None:
        if self._interrupted or self.failures:
            raise StoppedError("the deployment is being stopped")
        if urn in self._registered:
            raise RefusedError("Duplicate resource URN; try giving it a unique name")
        self._registered.add(urn)

    def _deployed(self, goal: Goal) -> Row | None:
        """What is deployed under the resource's URN or, renamed, under an alias of it."""
        if (row := self.state.live(goal.row.urn)) is not None:
            return row
        for alias in goal.aliases:
            if alias not in self._registered and self.state.live(alias) is not None:
                self.state.rename(alias, goal.row.urn)
                return self.state.live(goal.row.urn)
        return None

    def _serving(self, token: str, reference: str, version: str) -> tuple[str, Configured]:
        """The URN and the provider of a reference, URN::ID; the default one without a reference."""
        urn = reference.rpartition("::")[0]
        if not reference:
            goal = self._providers.default(token, version, partial(self.urn, ""))
            urn = goal.row.urn
            if urn not in self._registered:
                self.register(goal)
        return urn, self._providers.of(urn)

    def _moves(self, old: str, new: str) -> bool:
        """Whether a resource's provider is now one that reaches something else."""
        before, now = self.state.live(old), self.state.live(new)
        if before is None or now is None:
            return False
        return {**before.inputs, "version": ""} != {**now.inputs, "version": ""}

    # What is done, side by side.

    def _settle(self, row: Row, old: Row | None) -> Row:
        """Keep what only the state knows: a component or a provider."""
        op: Op = "create" if old is None else "same" if old.inputs == row.inputs else "update"
        with self._step(op, row.urn, old=old, new=row.inputs):
            self.state.put(row)
        return row

    def _carry_out(
        self, custom: Custom, decision: Decision, inputs: Properties, old: Row | None, *, beside: bool = False
    ) -> Row:
        new = remark(inputs, custom.goal.row.inputs)
        with self._step(decision.op, custom.goal.row.urn, decision.keys, old=old, new=new):
            self.state.put(row := custom.carry_out(decision.op, inputs, old), beside=beside)
            if row.init_errors:
                raise ProviderError(row.init_errors[0])
        return row

    def _replace(self, custom: Custom, decision: Decision, inputs: Properties, old: Row) -> Row:
        """Make the new resource, in the place of one that is gone already or beside one that goes at the end."""
        creation = replace(decision, op="create-replacement")
        announcement = Step(op="replace", urn=old.urn, keys=decision.keys)
        if decision.delete_first:
            self._record(announcement)
        row = self._carry_out(custom, creation, inputs, old, beside=not decision.delete_first)
        if not decision.delete_first:
            self._record(announcement)
        return row

    def _is_there(self, row: Row) -> bool:
        """Take over what there is now of a deployed resource; whether there is anything."""
        if not row.provider or self._interrupted:
            self._record(Step(op="same", urn=row.urn))
            return True
        try:
            configured = self._providers.of(row.provider)
            found = configured.read(resource_of(row))
            if found is None or row.external:  # what was only read has no inputs that could drift
                drifted: tuple[str, ...] = ()
            else:
                drifted = configured.diff(found, plain_properties(row.inputs)).changed
        except (ProviderError, RefusedError) as error:
            self._record(Step(op="refresh", urn=row.urn, error=str(error)))
            return True
        if found is None:
            self._record(Step(op="delete", urn=row.urn, old=row.inputs))
            return False
        inputs = row.inputs if row.external else remark(found.inputs, row.inputs)
        outputs = remark(found.outputs, row.outputs, row.secret_outputs)
        self.state.swap(row, replace(row, inputs=inputs, outputs=outputs))
        self._record(Step(op="update" if drifted else "same", urn=row.urn, keys=drifted, old=row.inputs, new=inputs))
        return True

    # Deletions.

    def _delete_first(self, old: Row) -> None:
        """Delete a resource before its replacement, and with it the dependents that it forces to be replaced."""
        left = [row for row in self.state.rows if row.provider and not (row.delete or row.pending_replacement)]
        left = [row for row in left if row.urn not in self._registered]
        forced = forced_along(old, left, self._providers.diff)
        if protected := next((row for row in forced if row.protect), None):
            raise RefusedError(
                f"it has to be deleted before its replacement, and with it {protected.urn!r}, which is marked for "
                "protection; take `protect` away and run `up` first"
            )
        self._delete_all([old, *forced], self._delete_for_replacement)
        row = self.state.live(old.urn)
        if row is None or not row.pending_replacement:
            raise StoppedError("what had to be deleted first was not")

    def _delete_all(self, rows: list[Row], delete: Callable[[Row], None]) -> None:
        self._going = frozenset(row.urn for row in rows)
        delete_all(rows, delete, stopping=lambda: self._interrupted)

    def _delete_for_replacement(self, row: Row) -> None:
        with self._step("delete-replaced", row.urn, old=row):
            self._delete_resource(row)
            self.state.swap(row, replace(row, pending_replacement=True))

    def _delete(self, row: Row) -> None:
        """Delete one row that nothing needs any more; raises what goes wrong, after it has been told."""
        op: Op = "discard" if row.external else "delete-replaced" if row.delete else "delete"
        with self._step(op, row.urn, old=row):
            if row.protect:
                raise RefusedError("it is marked for protection; take `protect` away in the program, run `up` first")
            if row.provider and not (row.external or row.pending_replacement):
                self._delete_resource(row)
            self.state.swap(row)

    def _delete_resource(self, row: Row) -> None:
        """Delete it from the cloud, unless it is to be kept there or goes by itself with another one."""
        if not (self.dry_run or row.retain_on_delete or row.deleted_with in self._going):
            self._providers.of(row.provider).delete(resource_of(row), timeout_seconds=row.delete_timeout_seconds)

    # Bookkeeping.

    def _record(self, step: Step) -> None:
        with self._telling:
            self.steps.append(step)
            if step.error:
                of = f"{urns.type_of(step.urn)} {urns.name_of(step.urn)}"
                self.failures.append(f"{of}: {step.op} failed: {step.error}")
            self._on_event(step)

    @contextmanager
    def _step(
        self, op: Op, urn: str, keys: tuple[str, ...] = (), *, old: Row | None = None, new: Properties | None = None
    ) -> Iterator[None]:
        """Tell how a step ended, and that it did."""
        began = time.monotonic()
        step = Step(op=op, urn=urn, keys=keys, old=old.inputs if old is not None else {}, new=new or {})
        try:
            yield
        except Exception as error:
            self._record(replace(step, seconds=time.monotonic() - began, error=str(error) or repr(error)))
            raise
        self._record(replace(step, seconds=time.monotonic() - began))
