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
from typing import Any

import boto3
import grpc  # type: ignore[import-untyped]
from google.protobuf import any_pb2, empty_pb2  # type: ignore[import-untyped]
from pulumi.runtime.proto import plugin_pb2, provider_pb2, provider_pb2_grpc, status_pb2

from lab.protocol import urn as urns
from lab.protocol.contract import (
    Checked,
    Configured,
    InitializationError,
    Properties,
    ProviderError,
    RefusedError,
    Resource,
)
from lab.protocol.wire import from_struct, plain_properties, remark, to_struct
from lab.provider.aws import AwsProvider

THREADS = 64
EXECUTABLE = "pulumi-resource-aws"
URN_PARTS = 4


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


def serve(provider: AwsProvider, *, plugin_version: str) -> tuple[grpc.Server, int]:
    """A started server on a free loopback port, and the port."""
    server = grpc.server(ThreadPoolExecutor(max_workers=THREADS))
    servicer = Servicer(provider, plugin_version)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Protobuf in and out around one provider."""

    def __init__(self, provider: AwsProvider, plugin_version: str) -> None:
        self._provider = provider
        self._version = plugin_version
        self._configured: Configured | None = None

    def Handshake(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        """The engine unwraps secrets and references, as the provider wants them; who sends some gets them back so."""
        return provider_pb2.ProviderHandshakeResponse()

    def GetPluginInfo(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        """The version."""
        return plugin_pb2.PluginInfo(version=self._version)

    def Attach(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        """Asked with PULUMI_DEBUG_PROVIDERS only; nothing is wanted of the engine."""
        return empty_pb2.Empty()

    def Cancel(self, _request: Any, _context: Any) -> Any:  # noqa: N802
        """What waits stops waiting, and says what is half made."""
        self._provider.cancel()
        return empty_pb2.Empty()

    def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Check the provider's own inputs."""
        return _answer(
            context, request, lambda: _check_response(self._provider.check_config(_plain(request.news)), request)
        )

    def DiffConfig(self, request: Any, _context: Any) -> Any:  # noqa: N802
        """A changed configuration is an update of the provider, never a replacement."""
        return _diff_response([key for key in request.news if request.olds.fields.get(key) != request.news.fields[key]])

    def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Get ready to work."""

        def configure() -> Any:
            self._configured = self._provider.configure(_plain(request.args))
            return provider_pb2.ConfigureResponse(supportsPreview=True)

        return _answer(context, request, configure)

    def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Check a resource's inputs."""

        def check() -> Any:
            deployed = _resource(request, inputs=request.olds)
            checked = self._ready.check(deployed, _plain(request.news), seed=request.randomSeed)
            return _check_response(checked, request)

        return _answer(context, request, check)

    def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Compare deployed and new inputs."""

        def diff() -> Any:
            deployed = _resource(request, inputs=request.old_inputs, outputs=request.olds)
            found = self._ready.diff(deployed, _plain(request.news))
            ignored = set(request.ignoreChanges)
            return _diff_response(
                [key for key in found.changed if key not in ignored],
                replaces=[key for key in found.replace if key not in ignored],
                delete_before_replace=found.delete_before_replace,
            )

        return _answer(context, request, diff)

    def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Make a resource, or say in a preview what would be known of it."""

        def create() -> Any:
            wanted = _resource(request, inputs=request.properties)
            made = self._ready.create(wanted, preview=request.preview, timeout_seconds=request.timeout or None)
            return provider_pb2.CreateResponse(id=made.id, properties=_marked(made.outputs, request.properties))

        return _answer(context, request, create, inputs=request.properties)

    def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        """What there is now; an empty id says that it is gone."""

        def read() -> Any:
            found = self._ready.read(_resource(request, inputs=request.inputs, outputs=request.properties))
            if found is None:
                return provider_pb2.ReadResponse()
            return provider_pb2.ReadResponse(
                id=found.id,
                properties=_marked(found.outputs, request.properties),
                inputs=_marked(found.inputs, request.inputs),
            )

        return _answer(context, request, read)

    def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Change a resource in place."""

        def update() -> Any:
            deployed = _resource(request, inputs=request.old_inputs, outputs=request.olds)
            outputs = self._ready.update(
                deployed,
                _plain(request.news),
                preview=request.preview,
                timeout_seconds=request.timeout or None,
            )
            return provider_pb2.UpdateResponse(properties=_marked(outputs, request.news))

        return _answer(context, request, update, inputs=request.news)

    def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Remove a resource."""

        def delete() -> Any:
            deployed = _resource(request, inputs=request.old_inputs, outputs=request.properties)
            self._ready.delete(deployed, timeout_seconds=request.timeout or None)
            return empty_pb2.Empty()

        return _answer(context, request, delete)

    def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Call a function."""

        def invoke() -> Any:
            result = self._ready.invoke(request.tok, _plain(request.args))
            return provider_pb2.InvokeResponse(**{"return": to_struct(result)})

        return _answer(context, request, invoke)

    @property
    def _ready(self) -> Configured:
        if self._configured is None:
            raise ProviderError("the engine did not configure the provider")
        return self._configured


def _answer(context: Any, request: Any, call: Callable[[], Any], *, inputs: Any = None) -> Any:
    """The call's answer; errors become gRPC statuses, a half-made resource one the engine saves.

    A fault of the request or of this program is an answer too, which names it, and never a traceback.
    """
    code, detail = grpc.StatusCode.UNKNOWN, None
    try:
        return call()
    except InitializationError as error:
        text = str(error)
        detail = provider_pb2.ErrorResourceInitFailed(
            id=error.id, properties=_marked(error.outputs, inputs), reasons=[text], inputs=inputs
        )
    except ProviderError as error:
        text = str(error)
    except RefusedError as error:
        code, text = grpc.StatusCode.INVALID_ARGUMENT, f"{_about(request)}: {error}"
    except KeyError as error:
        code, text = grpc.StatusCode.INVALID_ARGUMENT, f"{_about(request)}: {error.args[0]} is missing"
    except Exception as error:
        code, text = grpc.StatusCode.INTERNAL, f"{_about(request)}: {type(error).__name__}: {error}"
    if detail is not None:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status = status_pb2.Status(code=code.value[0], message=text, details=[packed])
        context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
    return context.abort(code, text)


def _about(request: Any) -> str:
    """What a request is about, and its kind, such as `CreateRequest of urn:...`."""
    subject = getattr(request, "urn", "") or getattr(request, "tok", "") or "the provider"
    return f"{type(request).__name__} of {subject}"


def _resource(request: Any, *, inputs: Any, outputs: Any = None) -> Resource:
    if len(request.urn.split("::")) < URN_PARTS:
        raise RefusedError(f"{request.urn!r} is no URN: urn:pulumi:STACK::PROJECT::TYPE::NAME")
    return Resource(
        type=urns.type_of(request.urn),
        name=urns.name_of(request.urn),
        id=getattr(request, "id", ""),
        inputs=_plain(inputs),
        outputs={} if outputs is None else _plain(outputs),
    )


def _plain(struct: Any) -> Properties:
    return plain_properties(from_struct(struct))


def _marked(properties: Properties, like: Any) -> Any:
    """As a struct, with those marked secret again that came so."""
    return to_struct(remark(properties, from_struct(like)))


def _check_response(checked: Checked, request: Any) -> Any:
    failures = [provider_pb2.CheckFailure(property=item.property, reason=item.reason) for item in checked.failures]
    return provider_pb2.CheckResponse(inputs=_marked(checked.inputs, request.news), failures=failures)


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
