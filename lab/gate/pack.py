"""A policy pack's own server process, as the Pulumi CLI's language host runs it, and what is asked of it.

`python -u -m pulumi.policy ENGINE PACK` runs the pack in its directory; the pack prints its port and serves the SDK's
Analyzer protocol (pulumi, sdk/python/cmd/pulumi-language-python; proto/pulumi/analyzer.proto).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

import grpc  # type: ignore[import-untyped]
import yaml
from google.protobuf import empty_pb2, json_format  # type: ignore[import-untyped]
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc

from lab.gate.configuration import LEVELS, RuleConfig, RuleInfo
from lab.protocol.contract import StackConfig
from lab.protocol.wire import to_struct

MANIFEST = "PulumiPolicy.yaml"
NO_ENGINE = "127.0.0.1:1"  # a pack calls the engine only to log; its standard error is shown instead
START_SECONDS = 120.0  # mostly the import of pulumi_aws: 2.7 s of processor time without bytecode files
CALL_SECONDS = 60.0
LARGEST_MESSAGE = 400 * 1024 * 1024  # the pack's own limit (pulumi_policy)
LEVEL_NUMBERS = {name: analyzer_pb2.EnforcementLevel.Value(name.upper()) for name in LEVELS}


class PackError(Exception):
    """A pack cannot be run; the text says which and why."""


@dataclass(frozen=True, kw_only=True)
class Diagnostic:
    """What a rule said: `message` begins with the rule's description; `urn` is empty where it is about the stack."""

    pack: str
    version: str
    rule: str
    level: str
    message: str
    urn: str


@dataclass(frozen=True, kw_only=True)
class NotApplicable:
    """A rule that said it has nothing to say, and why."""

    rule: str
    reason: str


Answer = tuple[list[Diagnostic], list[NotApplicable]]


class Pack:
    """A running pack. Calls block, may come from several threads, and raise PackError."""

    def __init__(self, directory: Path, version: str, stub: Any) -> None:
        self.directory = directory
        self._stub = stub
        info = self._call("GetAnalyzerInfo", empty_pb2.Empty())
        self.name = str(info.name)
        self.version = version or str(info.version)
        self.rules = [_rule(one) for one in info.policies]

    def configure(self, config: Mapping[str, RuleConfig]) -> None:
        """Set every rule's level and parameters."""
        told = {
            name: analyzer_pb2.PolicyConfig(
                enforcementLevel=LEVEL_NUMBERS[one.level],
                properties=to_struct(dict(one.parameters)),
            )
            for name, one in config.items()
        }
        self._call("Configure", analyzer_pb2.ConfigureAnalyzerRequest(policyConfig=told))

    def analyze(self, resource: analyzer_pb2.AnalyzeRequest) -> Answer:
        """What the rules say of one resource's inputs. A rule that remediates is heard as mandatory."""
        return self._answer(self._call("Analyze", resource), resource.urn)

    def analyze_stack(self, resources: Sequence[analyzer_pb2.AnalyzerResource]) -> Answer:
        """What the rules say of all resources' outputs."""
        return self._answer(self._call("AnalyzeStack", analyzer_pb2.AnalyzeStackRequest(resources=resources)), "")

    def _answer(self, response: Any, urn: str) -> Answer:
        said = [
            Diagnostic(
                pack=self.name,
                version=self.version,
                rule=one.policyName,
                level=analyzer_pb2.EnforcementLevel.Name(one.enforcementLevel).lower(),
                message=one.message,
                urn=one.urn or urn,
            )
            for one in response.diagnostics
        ]
        return said, [NotApplicable(rule=one.policy_name, reason=one.reason) for one in response.not_applicable]

    def _call(self, method: str, request: Any) -> Any:
        try:
            return getattr(self._stub, method)(request, timeout=CALL_SECONDS)
        except grpc.RpcError as error:
            # A rule that raises fails the whole call, and with it the run, as with the CLI.
            raise PackError(f"{self.directory}: {method} failed: {error.details()}") from None


@contextmanager
def running_pack(directory: Path, project: str, stack: StackConfig, *, dry_run: bool) -> Iterator[Pack]:
    """Run the pack in `directory` for a stack, and end it afterwards. Raises PackError where it does not come up."""
    directory = directory.resolve()
    manifest = _manifest(directory)
    words = [str(_python(directory, manifest)), "-u", "-m", "pulumi.policy", NO_ENGINE, str(directory)]
    environment = {
        **os.environ,
        "PULUMI_PROJECT": project,
        "PULUMI_STACK": stack.name,
        "PULUMI_DRY_RUN": "true" if dry_run else "false",
        "PULUMI_CONFIG": json.dumps(dict(stack.values)),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(stack.secret_keys)),
    }
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            words, cwd=directory, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        ) as process,
    ):
        try:
            port = _port(process, directory, errors)
            options = [(f"grpc.max_{way}_message_length", LARGEST_MESSAGE) for way in ("send", "receive")]
            with grpc.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
                yield Pack(directory, str(manifest.get("version", "")), analyzer_pb2_grpc.AnalyzerStub(channel))
        finally:
            process.kill()  # it has no state, and sleeps for a day otherwise


def _rule(info: Any) -> RuleInfo:
    schema = info.configSchema
    return RuleInfo(
        name=info.name,
        level=analyzer_pb2.EnforcementLevel.Name(info.enforcementLevel).lower(),
        parameters=json_format.MessageToDict(schema.properties) if schema.HasField("properties") else {},
        required=tuple(schema.required),
    )


def _manifest(directory: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load((directory / MANIFEST).read_text())
    except (OSError, yaml.YAMLError) as error:
        raise PackError(f"{directory} is no policy pack: {error}") from None
    runtime = found.get("runtime") if isinstance(found, dict) else None
    language = runtime.get("name") if isinstance(runtime, dict) else runtime
    if language != "python":
        raise PackError(f"{directory}/{MANIFEST} has the runtime {language!r}; the lab runs Python packs only")
    return dict(found)


def _python(directory: Path, manifest: Mapping[str, Any]) -> Path:
    """The interpreter the manifest names by `virtualenv`, else this one."""
    runtime = manifest["runtime"]
    options = runtime.get("options") if isinstance(runtime, dict) else None
    named = (options or {}).get("virtualenv")
    found = directory / named / "bin/python" if named else None
    return found if found is not None and found.exists() else Path(sys.executable)


def _port(process: subprocess.Popen[bytes], directory: Path, errors: IO[bytes]) -> int:
    """The port the pack prints first; what it prints later is read away, or it would stop at a full pipe."""
    lines: Queue[bytes] = Queue()
    output = process.stdout
    assert output is not None

    def read() -> None:
        first = output.readline()
        lines.put(first)
        while first and output.read(65536):
            pass

    threading.Thread(target=read, daemon=True).start()
    try:
        line = lines.get(timeout=START_SECONDS)
    except Empty:
        raise PackError(f"{directory}: the pack was not ready after {START_SECONDS:.0f} s") from None
    if line.strip().isdigit():
        return int(line)
    if line:
        said = line.decode(errors="replace").strip()
        raise PackError(f"{directory}: could not read policy pack port: expected integer, it printed {said!r}")
    process.wait()
    errors.seek(0)
    raise PackError(
        f"{directory}: the pack ended before it was ready:\n{errors.read().decode(errors='replace').strip()}"
    )
