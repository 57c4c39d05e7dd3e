"""The provider as a plugin of the real CLI: an executable that serves it over gRPC on a loopback port.

Served from the protobuf directly: pulumi.provider.experimental cannot carry unknowns and drops the old inputs.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

import boto3
import grpc  # type: ignore[import-untyped]
from google.protobuf import any_pb2, empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from lab.engine import urn as urns
from lab.engine.contract import Checked, Configured, InitializationError, Provider, ProviderError, Resource
from lab.engine.wire import from_struct, to_struct
from lab.provider.aws import AwsProvider

THREADS = 64
EXECUTABLE = "pulumi-resource-aws"


def plugin_version() -> str:
    """The version the program's SDK asks the plugin for: its own."""
    return version("pulumi_aws")


def write_plugin(directory: Path) -> Path:
    """Write the executable, which runs in this Python environment, and answer its path."""
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / EXECUTABLE
    file.write_text(f"#!{sys.executable}\nfrom lab.provider.plugin import main\n\nmain()\n")
    file.chmod(0o755)
    return file


def main() -> None:
    """Serve until the engine ends the process. Needs AWS_ENDPOINT_URL, so that no real account is ever reached."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if not endpoint:
        sys.exit("the lab's aws provider needs AWS_ENDPOINT_URL, the lab's API; it never calls AWS itself")
    provider = AwsProvider(endpoint_url=endpoint, session=boto3.Session)
    server, port = serve(provider, plugin_version=plugin_version())
    print(port, flush=True)  # the handshake: the engine reads the port from the first line
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    stopped.wait()
    server.stop(grace=1).wait()


def serve(provider: Provider, *, plugin_version: str) -> tuple[grpc.Server, int]:
    """A started server on a free loopback port, and the port."""
    server = grpc.server(ThreadPoolExecutor(max_workers=THREADS))
    servicer = Servicer(provider, plugin_version)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Protobuf in and out around one provider."""

    def __init__(self, provider: Provider, plugin_version: str) -> None:
        self._provider = provider
        self._version = plugin_version
        self._configured: Configured | None = None

    def Handshake(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        """The engine unwraps secrets and references, as the provider wants them."""
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        """The version."""
        return plugin_pb2.PluginInfo(version=self._version)

    def Attach(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        """Asked with PULUMI_DEBUG_PROVIDERS only; nothing is wanted of the engine."""
        return empty_pb2.Empty()

    def Cancel(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        """What runs finishes."""
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Check the provider's own inputs."""
        return _answer(context, lambda: _check_response(self._provider.check_config(from_struct(request.news))))

    def DiffConfig(self, request: Any, _context: Any) -> Any:  # noqa: N802
        """A changed configuration is an update of the provider, never a replacement."""
        return _diff_response([key for key in request.news if request.olds.fields.get(key) != request.news.fields[key]])

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Get ready to work."""

        def configure() -> Any:
            self._configured = self._provider.configure(from_struct(request.args))
            return provider_pb2.ConfigureResponse(supportsPreview=True)

        return _answer(context, configure)

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Check a resource's inputs."""

        def check() -> Any:
            deployed = _resource(request, inputs=request.olds)
            return _check_response(self._ready.check(deployed, from_struct(request.news), seed=request.randomSeed))

        return _answer(context, check)

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Compare deployed and new inputs."""

        def diff() -> Any:
            deployed = _resource(request, inputs=request.old_inputs, outputs=request.olds)
            found = self._ready.diff(deployed, from_struct(request.news))
            ignored = set(request.ignoreChanges)
            return _diff_response(
                [key for key in found.changed if key not in ignored],
                replaces=[key for key in found.replace if key not in ignored],
                delete_before_replace=found.delete_before_replace,
            )

        return _answer(context, diff)

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Make a resource, or say in a preview what would be known of it."""

        def create() -> Any:
            wanted = _resource(request, inputs=request.properties)
            made = self._ready.create(wanted, preview=request.preview, timeout_seconds=request.timeout or None)
            return provider_pb2.CreateResponse(id=made.id, properties=to_struct(made.outputs))

        return _answer(context, create, inputs=request.properties)

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        """What there is now; an empty id says that it is gone."""

        def read() -> Any:
            found = self._ready.read(_resource(request, inputs=request.inputs, outputs=request.properties))
            if found is None:
                return provider_pb2.ReadResponse()
            return provider_pb2.ReadResponse(
                id=found.id, properties=to_struct(found.outputs), inputs=to_struct(found.inputs)
            )

        return _answer(context, read)

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Change a resource in place."""

        def update() -> Any:
            deployed = _resource(request, inputs=request.old_inputs, outputs=request.olds)
            outputs = self._ready.update(
                deployed,
                from_struct(request.news),
                preview=request.preview,
                timeout_seconds=request.timeout or None,
            )
            return provider_pb2.UpdateResponse(properties=to_struct(outputs))

        return _answer(context, update, inputs=request.news)

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Remove a resource."""

        def delete() -> Any:
            deployed = _resource(request, inputs=request.old_inputs, outputs=request.properties)
            self._ready.delete(deployed, timeout_seconds=request.timeout or None)
            return empty_pb2.Empty()

        return _answer(context, delete)

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Call a function."""

        def invoke() -> Any:
            result = self._ready.invoke(request.tok, from_struct(request.args))
            return provider_pb2.InvokeResponse(**{"return": to_struct(result)})

        return _answer(context, invoke)

    @property
    def _ready(self) -> Configured:
        if self._configured is None:
            raise ProviderError("the engine did not configure the provider")
        return self._configured


def _answer(context: Any, call: Callable[[], Any], *, inputs: Any = None) -> Any:
    """The call's answer; errors become gRPC statuses, a half-made resource one the engine saves."""
    try:
        return call()
    except InitializationError as error:
        _abort_half_made(context, error, inputs)
    except ProviderError as error:
        context.abort(grpc.StatusCode.UNKNOWN, str(error))


def _abort_half_made(context: Any, error: InitializationError, inputs: Any) -> NoReturn:
    detail = any_pb2.Any()
    detail.Pack(
        provider_pb2.ErrorResourceInitFailed(
            id=error.id, properties=to_struct(error.outputs), reasons=[str(error)], inputs=inputs
        )
    )
    code = grpc.StatusCode.UNKNOWN
    status = status_pb2.Status(code=code.value[0], message=str(error), details=[detail])
    context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
    context.abort(code, str(error))
    raise AssertionError("abort raises")


def _resource(request: Any, *, inputs: Any, outputs: Any = None) -> Resource:
    return Resource(
        type=urns.type_of(request.urn),
        name=urns.name_of(request.urn),
        id=getattr(request, "id", ""),
        inputs=from_struct(inputs),
        outputs={} if outputs is None else from_struct(outputs),
    )


def _check_response(checked: Checked) -> Any:
    failures = [provider_pb2.CheckFailure(property=item.property, reason=item.reason) for item in checked.failures]
    return provider_pb2.CheckResponse(inputs=to_struct(checked.inputs), failures=failures)


def _diff_response(
    changed: list[str], *, replaces: list[str] | None = None, delete_before_replace: bool = False
) -> Any:
    kinds = provider_pb2.DiffResponse
    details: Mapping[str, Any] = {
        key: provider_pb2.PropertyDiff(
            kind=provider_pb2.PropertyDiff.UPDATE_REPLACE
            if key in (replaces or [])
            else provider_pb2.PropertyDiff.UPDATE
        )
        for key in changed
    }
    return provider_pb2.DiffResponse(
        changes=kinds.DIFF_SOME if changed else kinds.DIFF_NONE,
        diffs=changed,
        replaces=replaces or [],
        deleteBeforeReplace=delete_before_replace,
        detailedDiff=details,
        hasDetailedDiff=bool(changed),
    )
