"""The test provider `tp`, its SDK for programs, and a project around a program's text.

`tp` is the one the recorded runs of the real engine used: a Thing's `key` forces a replacement, `dbrKey` one that
deletes first, `bad` is refused; `out` is known only once it is made, `upper` with `text`. Its cloud outlives a run.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lab.engine.deploy import Deployment, DeploymentError, deploy, destroy, refresh
from lab.engine.events import Event
from lab.engine.row import Row
from lab.engine.state import load
from lab.protocol.contract import (
    UNKNOWN,
    Checked,
    Diff,
    Failure,
    InitializationError,
    Properties,
    ProviderError,
    Resource,
)
from lab.stack.project import load_project

PRELUDE = """
import pulumi
from pulumi import Alias, Output, ResourceOptions as O

class Thing(pulumi.CustomResource):
    def __init__(self, name, opts=None, typ="tp:index:Thing", **props):
        super().__init__(typ, name, {**dict.fromkeys(("text", "key", "size", "out", "upper")), **props}, opts)

class Provider(pulumi.ProviderResource):
    def __init__(self, name, opts=None, **props):
        super().__init__("tp", name, props, opts)

class Group(pulumi.ComponentResource):
    def __init__(self, name, opts=None):
        super().__init__("my:mod:Group", name, None, opts)

def lookup(name, opts=None):
    return pulumi.runtime.invoke("tp:index:lookup", {"name": name}, opts).value["value"]

def lookup_output(name, opts=None):
    found = pulumi.runtime.invoke_output("tp:index:lookup", {"name": name}, opts or pulumi.InvokeOutputOptions())
    return found.apply(lambda result: result["value"])
"""


@dataclass
class TestProvider:
    """`fail` makes calls fail: "create:b", "partial:b" (made, not ready), "update:b", "delete:b", "invoke:b"."""

    __test__ = False
    package: str = "tp"
    calls: list[str] = field(default_factory=list)
    cloud: dict[str, Properties] = field(default_factory=dict)
    fail: set[str] = field(default_factory=set)
    during: Callable[[str], None] = lambda _: None
    timeouts: dict[str, float | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self.made = 0

    def check_config(self, inputs: Properties) -> Checked:
        return Checked(inputs=inputs)

    def configure(self, inputs: Mapping[str, Any]) -> TestProvider:
        return self

    def called(self, method: str) -> list[str]:
        """The names a method was called for, in order."""
        return [call.split(":", 1)[1] for call in self.calls if call.startswith(f"{method}:")]

    def _call(self, method: str, name: str) -> None:
        with self._lock:
            self.calls.append(f"{method}:{name}")
        self.during(f"{method}:{name}")
        if f"{method}:{name}" in self.fail:
            raise ProviderError(f"cannot {method} {name}: boom")

    def check(self, resource: Resource, new_inputs: Properties, *, seed: bytes) -> Checked:
        inputs = dict(new_inputs)
        if resource.type == "tp:index:Named":
            inputs.setdefault("name", resource.inputs.get("name") or f"{resource.name}-{seed.hex()[:7]}")
        failures = (Failure(property="bad", reason="bad is bad"),) if "bad" in inputs else ()
        return Checked(inputs=inputs, failures=failures)

    def diff(self, resource: Resource, new_inputs: Properties) -> Diff:
        self._call("diff", resource.name)
        keys = sorted(resource.inputs.keys() | new_inputs.keys())
        changed = tuple(key for key in keys if resource.inputs.get(key) != new_inputs.get(key))
        forcing = tuple(key for key in changed if key in ("key", "dbrKey", "name"))
        return Diff(changed=changed, replace=forcing, delete_before_replace="dbrKey" in forcing)

    def create(self, resource: Resource, *, preview: bool, timeout_seconds: float | None) -> Resource:
        if preview:
            return replace(resource, outputs={**resource.inputs, "upper": _upper(resource.inputs)})
        self.timeouts[f"create:{resource.name}"] = timeout_seconds
        self._call("create", resource.name)
        with self._lock:
            self.made += 1
            id_ = f"{resource.name}-{self.made}"
            outputs = self.cloud[id_] = self._outputs(id_, resource.inputs)
        if f"partial:{resource.name}" in self.fail:
            raise InitializationError(f"{resource.name} is not ready", id=id_, outputs=outputs)
        return replace(resource, id=id_, outputs=outputs)

    def update(
        self, resource: Resource, new_inputs: Properties, *, preview: bool, timeout_seconds: float | None
    ) -> Properties:
        outputs = self._outputs(resource.id, new_inputs)
        if not preview:
            self.timeouts[f"update:{resource.name}"] = timeout_seconds
            self._call("update", resource.name)
            self.cloud[resource.id] = outputs
        return outputs

    def read(self, resource: Resource) -> Resource | None:
        self._call("read", resource.name)
        outputs = self.cloud.get(resource.id)
        if outputs is None:
            return None
        inputs = {key: value for key, value in outputs.items() if key not in ("out", "upper")}
        return replace(resource, inputs=inputs, outputs=dict(outputs))

    def delete(self, resource: Resource, *, timeout_seconds: float | None) -> None:
        self.timeouts[f"delete:{resource.name}"] = timeout_seconds
        self._call("delete", resource.name)
        self.cloud.pop(resource.id, None)

    def invoke(self, token: str, args: Properties) -> Properties:
        self._call("invoke", args["name"])
        return {"name": args["name"], "value": f"value-of-{args['name']}"}

    @staticmethod
    def _outputs(id_: str, inputs: Properties) -> Properties:
        return {**inputs, "out": f"out-{id_}", "upper": _upper(inputs)}


def _upper(inputs: Properties) -> str:
    text = inputs.get("text", "")
    return UNKNOWN if text == UNKNOWN else str(text).upper()


@dataclass(kw_only=True)
class Stack:
    """A project `gold` with a stack `dev` in a directory, and what is done with it."""

    directory: Path
    provider: TestProvider
    events: list[Event] = field(default_factory=list)
    config: tuple[str, ...] = ()
    manifest: str = "name: gold\nruntime: python\n"
    on_event: Callable[[Event], None] = lambda _: None

    @property
    def state_path(self) -> Path:
        return self.directory / "state.json"

    def _tell(self, event: Event) -> None:
        self.events.append(event)
        self.on_event(event)

    def write(self, program: str) -> None:
        (self.directory / "Pulumi.yaml").write_text(self.manifest)
        (self.directory / "__main__.py").write_text(PRELUDE + program)

    def run(self, verb: str, program: str | None = None) -> Deployment:
        """Preview, up, refresh, destroy or "preview --refresh"; `program` stays for the next one.

        Raises DeploymentError as the engine does.
        """
        if program is not None:
            self.write(program)
        project = load_project(self.directory)
        stack = project.stack("dev", project.overrides(self.config))
        if verb in ("destroy", "refresh"):
            act = destroy if verb == "destroy" else refresh
            return act(project, stack, self.provider, self.state_path, on_event=self._tell)
        return deploy(
            project,
            stack,
            self.provider,
            self.state_path,
            dry_run=verb.startswith("preview"),
            refresh="--refresh" in verb,
            on_event=self._tell,
        )

    def fails(self, verb: str, program: str | None = None) -> DeploymentError:
        """Run what must fail, and answer how."""
        try:
            done = self.run(verb, program)
        except DeploymentError as error:
            return error
        raise AssertionError(f"it succeeded: {done.summary}")

    def all_rows(self) -> list[Row]:
        """The whole state."""
        return load(self.state_path, writable=False).rows

    def rows(self) -> dict[str, Row]:
        """The state by logical name, without stack and providers."""
        rows = load(self.state_path, writable=False).rows
        return {row.urn.rpartition("::")[2]: row for row in rows if not row.type.startswith("pulumi:")}


def ops(deployment: Deployment) -> Counter[tuple[str, str]]:
    """The steps as (operation, logical name), without stack and providers."""
    steps = ((step.op, step.urn) for step in deployment.steps)
    return Counter((op, urn.rpartition("::")[2]) for op, urn in steps if "::pulumi:" not in urn)
