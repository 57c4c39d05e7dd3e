"""The engine's end of the SDK's wire protocol: its requests become goals, rows become its answers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import alias_pb2, engine_pb2, resource_pb2

from lab.engine.deployer import Deployer
from lab.engine.events import Diagnostic, Severity
from lab.engine.goal import Goal, seconds, whole
from lab.engine.row import Row
from lab.protocol import urn as urns
from lab.protocol.contract import UNKNOWN, Properties, RefusedError
from lab.protocol.wire import from_struct, from_value, to_struct

# Without a feature the SDK falls back or raises by itself. OUTPUT_VALUES, TRANSFORMS, RESOURCE_HOOKS and
# PARAMETERIZATION are left out on purpose; without INVOKE_DEPENDS_ON the SDK itself holds back invokes that cannot be.
FEATURES = (
    resource_pb2.RESOURCE_MONITOR_FEATURE_SECRETS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_RESOURCE_REFERENCES,
    resource_pb2.RESOURCE_MONITOR_FEATURE_ALIAS_SPECS,
    resource_pb2.RESOURCE_MONITOR_FEATURE_DELETED_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACE_WITH,
    resource_pb2.RESOURCE_MONITOR_FEATURE_REPLACEMENT_TRIGGER,
)
# Options the engine does not carry out: the request's field, its name in Python, what to do instead.
NOT_DONE = (
    ("importId", "import_", "create the resource in the program"),
    ("transforms", "transforms", "pass the properties where the resource is made"),
    ("state_migrations", "state_migrations", "`lab down`, then `lab up`"),
    ("remote", "a remote component", "use a component of the program's own language"),
    ("packageRef", "a parameterized package", "use a plain package"),
)
SEVERITIES: dict[int, Severity] = {engine_pb2.INFO: "info", engine_pb2.WARNING: "warning", engine_pb2.ERROR: "error"}


class Monitor:
    """What the SDK calls for resources and its log, in executor threads; duck-typed as its own mock monitor is."""

    def __init__(self, deployer: Deployer) -> None:
        self.stack_urn = ""
        self.stack_outputs: Properties = {}
        self._deployer = deployer
        self._aliases: dict[str, tuple[str, ...]] = {}

    def GetDeploymentInfo(self, _: Any) -> resource_pb2.DeploymentInfo:  # noqa: N802
        """Which features the engine has."""
        return resource_pb2.DeploymentInfo(supportedFeatures=FEATURES)

    def RegisterResource(self, request: Any) -> resource_pb2.RegisterResourceResponse:  # noqa: N802
        """Bring a resource about; blocks until it is done."""
        urn = self._deployer.urn(request.parent, request.type, request.name)
        if request.type == urns.STACK_TYPE:
            self.stack_urn = urn
        try:
            row = self._deployer.register(self._goal(request, urn))
        except RefusedError as error:
            raise RefusedError(f"{urn!r}: {error}") from None
        return resource_pb2.RegisterResourceResponse(
            urn=row.urn,
            id="" if row.id == UNKNOWN else row.id,
            object=to_struct(row.outputs if row.custom else row.inputs),
        )

    def RegisterResourceOutputs(self, request: Any) -> empty_pb2.Empty:  # noqa: N802
        """A component's outputs; the stack's are held back until the program has succeeded."""
        outputs = from_struct(request.outputs)
        if request.urn == self.stack_urn:
            self.stack_outputs = outputs
        elif (row := self._deployer.state.live(request.urn)) is not None:
            self._deployer.state.put(replace(row, outputs=outputs))
        return empty_pb2.Empty()

    def ReadResource(self, request: Any) -> resource_pb2.ReadResourceResponse:  # noqa: N802
        """`Type.get(...)`."""
        wanted = Row(
            urn=self._deployer.urn(request.parent, request.type, request.name),
            type=request.type,
            custom=True,
            parent=request.parent,
            inputs=from_struct(request.properties),
            dependencies=tuple(request.dependencies),
            provider=request.provider,
        )
        row = self._deployer.read(Goal(row=wanted, version=request.version), request.id)
        return resource_pb2.ReadResourceResponse(urn=row.urn, id=row.id, properties=to_struct(row.outputs))

    def Invoke(self, request: Any) -> resource_pb2.ResourceInvokeResponse:  # noqa: N802
        """A provider's function."""
        result = self._deployer.invoke(request.tok, from_struct(request.args), request.provider, request.version)
        return resource_pb2.ResourceInvokeResponse(**{"return": to_struct(result)})

    def SignalAndWaitForShutdown(self, _: Any) -> empty_pb2.Empty:  # noqa: N802
        """Asked once the program has succeeded; deletions follow after it has ended."""
        return empty_pb2.Empty()

    def Log(self, request: Any) -> empty_pb2.Empty:  # noqa: N802
        """A line of pulumi.log; debug lines, mostly the SDK's own, are dropped as the CLI does without --debug."""
        if severity := SEVERITIES.get(request.severity):
            self._deployer.log(Diagnostic(severity=severity, message=request.message, urn=request.urn))
        return empty_pb2.Empty()

    def RequirePulumiVersion(self, _: Any) -> empty_pb2.Empty:  # noqa: N802
        """The engine is of the SDK's own version: any range the SDK satisfies is met."""
        return empty_pb2.Empty()

    def __getattr__(self, name: str) -> Any:
        """Refuse what else the SDK may call (Call, RegisterStackTransform, RegisterPackage, hooks, ...) by name."""
        if not name[0].isupper():
            raise AttributeError(name)

        def refuse(_: Any) -> Any:
            raise RefusedError(f"the lab's engine does not do {name}: deploy this program with the Pulumi CLI")

        return refuse

    def _goal(self, request: Any, urn: str) -> Goal:
        for field, option, remedy in NOT_DONE:
            if getattr(request, field):
                raise RefusedError(f"it uses {option}, which the lab's engine does not do: {remedy}")
        if request.HasField("hooks") and request.hooks.ListFields():
            raise RefusedError("it uses hooks, which the lab's engine does not do: leave them away")
        texts = {name: getattr(request.customTimeouts, name) for name in ("create", "update", "delete")}
        timeouts = {name: seconds(text) for name, text in texts.items() if text}
        row = Row(
            urn=urn,
            type=request.type,
            custom=request.custom,
            parent=request.parent,
            inputs=from_struct(request.object),
            provider=request.provider,
            dependencies=tuple(request.dependencies),
            property_dependencies={k: tuple(v.urns) for k, v in request.propertyDependencies.items() if v.urns},
            protect=request.protect,
            retain_on_delete=request.retainOnDelete,
            deleted_with=request.deletedWith,
            replace_with=tuple(request.replace_with),
            replacement_trigger=from_value(request.replacement_trigger),
            secret_outputs=tuple(request.additionalSecretOutputs),
            delete_timeout_seconds=timeouts.get("delete"),
        )
        return Goal(
            row=row,
            version=request.version,
            aliases=self._former_urns(request, urn),
            delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
            ignore_changes=whole(tuple(request.ignoreChanges), "ignore_changes"),
            replace_on_changes=whole(tuple(request.replaceOnChanges), "replace_on_changes"),
            timeouts=timeouts,
        )

    def _former_urns(self, request: Any, urn: str) -> tuple[str, ...]:
        """The URNs the resource may be deployed under: by its own aliases, its parent's, or both."""
        found = [alias.urn for alias in request.aliases if alias.urn]
        specs = [alias_pb2.Alias.Spec(), *(alias.spec for alias in request.aliases if not alias.urn)]
        for spec in specs:
            of_parent = (request.parent, *self._aliases.get(request.parent, ()))
            for parent in ("",) if spec.noParent else (spec.parentUrn,) if spec.parentUrn else of_parent:
                type_, name = spec.type or request.type, spec.name or request.name
                stack, project = spec.stack or self._deployer.stack, spec.project or self._deployer.project
                found.append(urns.make(stack=stack, project=project, parent=parent, type_=type_, name=name))
        self._aliases[urn] = tuple(dict.fromkeys(each for each in found if each != urn))
        return self._aliases[urn]
