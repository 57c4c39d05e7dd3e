"""Runs an unmodified program under Pulumi's mocks and records every registration with its options."""

from __future__ import annotations

import asyncio
import runpy
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from pulumi.runtime import mocks, run_in_stack, set_all_config, settings
from pulumi.runtime.rpc import UNKNOWN as UNKNOWN

PROJECT = "lvs-aws"
ROOT = Path(__file__).parents[2]
IMAGE = "ami-0123456789abcdef0"
LEAST = {"aws:region": "eu-central-1", "lvs-aws:imageId": IMAGE}
ACCOUNT = "123456789012"

# What AWS adds to the inputs, by type; a type that is not here is one the program was not known to make.
COMPUTED: dict[str, Any] = {
    "aws:ec2/vpc:Vpc": lambda name: {},
    "aws:ec2/subnet:Subnet": lambda name: {},
    "aws:ec2/internetGateway:InternetGateway": lambda name: {},
    "aws:ec2/routeTable:RouteTable": lambda name: {},
    "aws:ec2/route:Route": lambda name: {},
    "aws:ec2/routeTableAssociation:RouteTableAssociation": lambda name: {},
    "aws:ec2/subnetCidrReservation:SubnetCidrReservation": lambda name: {},
    "aws:ec2/securityGroup:SecurityGroup": lambda name: {},
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": lambda name: {},
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": lambda name: {},
    "aws:ec2/eip:Eip": lambda name: {"allocationId": f"eipalloc-{name}", "publicIp": f"public-ip-of-{name}"},
    "aws:ec2/eipAssociation:EipAssociation": lambda name: {},
    "aws:iam/role:Role": lambda name: {"name": f"role-{name}"},
    "aws:iam/rolePolicy:RolePolicy": lambda name: {},
    "aws:iam/instanceProfile:InstanceProfile": lambda name: {"name": f"profile-{name}"},
    "aws:ec2/instance:Instance": lambda name: {
        "arn": f"arn:aws-test:ec2:eu-central-1:{ACCOUNT}:instance/id-{name}",
        "primaryNetworkInterfaceId": f"eni-{name}",
    },
    "pulumi:providers:aws": lambda name: {},
}


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One RegisterResource request: plain inputs (unknowns as UNKNOWN) and the raw request with its options."""

    type: str
    name: str
    inputs: Mapping[str, Any]
    request: Any
    urn: str


@dataclass(kw_only=True)
class Recording:
    """What a run of the program asked of the engine."""

    registrations: list[Registration] = field(default_factory=list)
    invokes: list[tuple[str, Mapping[str, Any], str]] = field(default_factory=list)
    component_outputs: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def of_type(self, suffix: str) -> list[Registration]:
        """Registrations whose type ends in ":SUFFIX"."""
        return [one for one in self.registrations if one.type.endswith(f":{suffix}")]

    def one(self, suffix: str, name: str) -> Registration:
        """The registration of that type and name."""
        (found,) = [one for one in self.of_type(suffix) if one.name == name]
        return found

    @property
    def resources(self) -> list[Registration]:
        """Resources of AWS: neither components nor the provider."""
        return [one for one in self.registrations if one.type.startswith("aws:")]

    @property
    def outputs(self) -> Mapping[str, Any]:
        """The stack's outputs."""
        (found,) = [value for urn, value in self.component_outputs.items() if "pulumi:pulumi:Stack::" in urn]
        return found


class _Cloud(mocks.Mocks):
    def __init__(self, preview: bool) -> None:
        self.preview = preview

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if args.typ.startswith("lvs-aws:"):
            return "", dict(args.inputs)
        computed = COMPUTED[args.typ](args.name)
        if self.preview:
            return "", dict(args.inputs)
        return f"id-{args.name}", {**args.inputs, **computed}

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        assert args.token == "aws:ec2/getAmi:getAmi"
        return {"id": "ami-found", "name": "debian-13-amd64-20260101-0000"}


class _Monitor(mocks.MockMonitor):
    def __init__(self, cloud: mocks.Mocks, recording: Recording) -> None:
        super().__init__(cloud)
        self.recording = recording
        self.lock = threading.Lock()

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the wire's name
        with self.lock:
            answer = super().RegisterResource(request)
            inputs = _plain(request.object)
            self.recording.registrations.append(
                Registration(type=request.type, name=request.name, inputs=inputs, request=request, urn=answer.urn)
            )
            return answer

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802
        with self.lock:
            self.recording.component_outputs[request.urn] = _plain(request.outputs)
            return super().RegisterResourceOutputs(request)

    def Invoke(self, request: Any) -> Any:  # noqa: N802
        with self.lock:
            self.recording.invokes.append((request.tok, _plain(request.args), request.provider))
            return super().Invoke(request)


def _plain(struct: Any) -> Any:
    return json_format.MessageToDict(struct)


def run_program(
    config: Mapping[str, str] = LEAST,
    *,
    preview: bool = False,
    stack: str = "dev",
    secret_keys: tuple[str, ...] = (),
    recording: Recording | None = None,
    main: Path = ROOT / "__main__.py",
    project: str = PROJECT,
) -> Recording:
    """Run a program, the project's own unless `main` is another, once with `config` (full keys, values as text).

    It gets an event loop of its own.
    """
    recording = recording if recording is not None else Recording()
    loop = asyncio.new_event_loop()  # before set_mocks, else tasks belong to another loop
    executor = ThreadPoolExecutor(max_workers=8)
    loop.set_default_executor(executor)
    asyncio.set_event_loop(loop)
    try:
        cloud = _Cloud(preview)
        mocks.set_mocks(cloud, project=project, stack=stack, preview=preview, monitor=_Monitor(cloud, recording))
        settings.ROOT.set(None)  # set_mocks made a root of its own
        recording.component_outputs.clear()
        set_all_config(dict(config), list(secret_keys))
        loop.run_until_complete(run_in_stack(lambda: runpy.run_path(str(main)) and None))
    finally:
        executor.shutdown(wait=True)
        loop.close()
    return recording
