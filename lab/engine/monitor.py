"""The two ends of the SDK's wire protocol: its requests become goals, rows become its answers."""

from __future__ import annotations

from typing import Any

from google.protobuf import empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import alias_pb2, engine_pb2, resource_pb2

from lab.engine import urn as urns
from lab.engine.contract import UNKNOWN, Properties
from lab.engine.deployer import Deployer
from lab.engine.events import Diagnostic, Severity
from lab.engine.goal import Goal, RefusedError, seconds
from lab.engine.wire import from_struct, to_struct

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
    ("deletedWith", "deleted_with", "leave the option away in the lab"),
    ("replace_with", "replace_with", "leave the option away in the lab"),
    ("state_migrations", "state_migrations", "`lab down`, then `lab up`"),
    ("remote", "a remote component", "use a component of the program's own language"),
    ("packageRef", "a parameterized package", "use a plain package"),
)


class Monitor:
    """What the SDK calls for resources, in executor threads; duck-typed as its own mock monitor is."""

    def __init__(self, deployer: Deployer) -> None:
        self.stack_urn = ""
        self.stack_outputs: Properties = {}
        self._deployer = deployer

    def GetDeploymentInfo(self, _: Any) -> resource_pb2.DeploymentInfo:  # noqa: N802
        """Which features the engine has."""
        return resource_pb2.DeploymentInfo(supportedFeatures=FEATURES)

    def RegisterResource(self, request: Any) -> resource_pb2.RegisterResourceResponse:  # noqa: N802
        """Bring a resource about; blocks until it is done."""
        goal = self._goal(request)
        if goal.type == urns.STACK_TYPE:
            self.stack_urn = goal.urn
        row = self._deployer.register(goal)
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
        else:
            self._deployer.register_outputs(request.urn, outputs)
        return empty_pb2.Empty()

    def ReadResource(self, request: Any) -> resource_pb2.ReadResourceResponse:  # noqa: N802
        """`Type.get(...)`."""
        goal = Goal(
            urn=self._urn(request),
            type=request.type,
            name=request.name,
            custom=True,
            parent=request.parent,
            inputs=from_struct(request.properties),
            dependencies=tuple(request.dependencies),
            provider=request.provider,
            version=request.version,
        )
        row = self._deployer.read(goal, request.id)
        return resource_pb2.ReadResourceResponse(urn=row.urn, id=row.id, properties=to_struct(row.outputs))

    def Invoke(self, request: Any) -> resource_pb2.ResourceInvokeResponse:  # noqa: N802
        """A provider's function."""
        result = self._deployer.invoke(request.tok, from_struct(request.args), request.provider, request.version)
        return resource_pb2.ResourceInvokeResponse(**{"return": to_struct(result)})

    def SignalAndWaitForShutdown(self, _: Any) -> empty_pb2.Empty:  # noqa: N802
        """Asked once the program has succeeded; deletions follow after it has ended."""
        return empty_pb2.Empty()

    def __getattr__(self, name: str) -> Any:
        """Refuse what else the SDK may call (Call, RegisterStackTransform, RegisterPackage, hooks, ...) by name."""
        if not name[0].isupper():
            raise AttributeError(name)

        def refuse(_: Any) -> Any:
            raise RefusedError(f"the lab's engine does not do {name}: deploy this program with the Pulumi CLI")

        return refuse

    def _goal(self, request: Any) -> Goal:
        urn = self._urn(request)
        for field, option, remedy in NOT_DONE:
            if getattr(request, field):
                raise RefusedError(f"{urn!r} uses {option}, which the lab's engine does not do: {remedy}")
        if request.HasField("replacement_trigger"):
            raise RefusedError(f"{urn!r} uses replacement_trigger, which the lab's engine does not do: leave it away")
        if request.HasField("hooks") and request.hooks.ListFields():
            raise RefusedError(f"{urn!r} uses hooks, which the lab's engine does not do: leave them away")
        if nested := [path for path in request.replaceOnChanges if path != "*" and any(sign in path for sign in ".[*")]:
            raise RefusedError(f"{urn!r} has replace_on_changes of the path {nested[0]!r}: name a whole property")
        self._refuse_renames(request, urn)
        timeouts = {name: getattr(request.customTimeouts, name) for name in ("create", "update", "delete")}
        return Goal(
            urn=urn,
            type=request.type,
            name=request.name,
            custom=request.custom,
            parent=request.parent,
            inputs=from_struct(request.object),
            dependencies=tuple(request.dependencies),
            property_dependencies={key: list(value.urns) for key, value in request.propertyDependencies.items()},
            provider=request.provider,
            version=request.version,
            protect=request.protect,
            retain_on_delete=request.retainOnDelete,
            delete_before_replace=request.deleteBeforeReplace if request.deleteBeforeReplaceDefined else None,
            ignore_changes=tuple(request.ignoreChanges),
            replace_on_changes=tuple(request.replaceOnChanges),
            secret_outputs=tuple(request.additionalSecretOutputs),
            timeouts={name: seconds(text, urn=urn) for name, text in timeouts.items() if text},
        )

    def _urn(self, request: Any) -> str:
        deployer = self._deployer
        return urns.make(
            stack=deployer.stack,
            project=deployer.project,
            parent=request.parent,
            type_=request.type,
            name=request.name,
        )

    def _refuse_renames(self, request: Any, urn: str) -> None:
        """An alias is harmless unless it names something deployed: that would be a rename."""
        if not request.aliases or self._deployer.live(urn) is not None:
            return
        for alias in request.aliases:
            if self._deployer.live(old := self._alias_urn(alias, request)) is not None:
                raise RefusedError(
                    f"{urn!r} is deployed as {old!r}; the lab's engine does not rename: "
                    "deploy the old name, or `lab down` and `lab up`"
                )

    def _alias_urn(self, alias: alias_pb2.Alias, request: Any) -> str:
        if alias.urn:
            return alias.urn
        spec = alias.spec
        return urns.make(
            stack=spec.stack or self._deployer.stack,
            project=spec.project or self._deployer.project,
            parent="" if spec.noParent else spec.parentUrn or request.parent,
            type_=spec.type or request.type,
            name=spec.name or request.name,
        )


class Engine:
    """What the SDK calls for its log."""

    SEVERITIES: dict[int, Severity] = {  # noqa: RUF012 - a constant table
        engine_pb2.INFO: "info",
        engine_pb2.WARNING: "warning",
        engine_pb2.ERROR: "error",
    }

    def __init__(self, deployer: Deployer) -> None:
        self._deployer = deployer

    def Log(self, request: Any) -> empty_pb2.Empty:  # noqa: N802
        """A line of pulumi.log; debug lines, mostly the SDK's own, are dropped as the CLI does without --debug."""
        severity = self.SEVERITIES.get(request.severity)
        if severity is None:
            return empty_pb2.Empty()
        self._deployer.log(Diagnostic(severity=severity, message=request.message, urn=request.urn))
        return empty_pb2.Empty()

    def RequirePulumiVersion(self, _: Any) -> empty_pb2.Empty:  # noqa: N802
        """The engine is of the SDK's own version: any range the SDK satisfies is met."""
        return empty_pb2.Empty()
