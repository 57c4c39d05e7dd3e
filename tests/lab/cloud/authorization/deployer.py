"""Someone with the rights of docs/iam-deployer.json, and the cycle such a one takes a stack through, step by step."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3

from lab.engine.deploy import Deployment, DeploymentError, deploy, destroy, refresh
from lab.provider import AwsProvider
from lab.stack.project import Project, load_project
from tests.lab.cloud.authorization.conftest import Caller

PROJECT = Path(__file__).resolve().parents[4]
STATEMENTS: list[dict[str, Any]] = json.loads((PROJECT / "docs/iam-deployer.json").read_text())["Statement"]
# Rows of docs/changes.md that touch each kind of resource in place; taking them back takes a tag away.
CHANGES = ("tags={Team: web}", "clientCidrs=[198.51.100.0/24]", "webServerInstanceType=t3.small")
STEPS = ("preview", "up", "preview --refresh", "change", "repair", "refresh", "destroy")


def actions(statement: dict[str, Any]) -> list[str]:
    return [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]


def recording_provider(user: Caller, called: set[str]) -> AwsProvider:
    """A provider that works as this user; `called` gets the actions of its calls, such as ec2:RunInstances."""

    def session() -> boto3.Session:
        made = boto3.Session(aws_access_key_id=user.key_id, aws_secret_access_key=user.secret)
        made.events.register(
            "before-call", lambda model, **_: called.add(f"{model.service_model.service_name}:{model.name}")
        )
        return made

    return AwsProvider(endpoint_url=user.cloud.endpoint, session=session)


@dataclass(kw_only=True)
class Deployer:
    """The user and their stack `local`; `administrator` has EC2's and IAM's clients of somebody with all rights."""

    user: Caller
    administrator: dict[str, Any]
    state: Path
    called: set[str] = field(default_factory=set)
    # What is known to be there: everything, nothing, or (after a failure) neither.
    stands: bool | None = False

    def __post_init__(self) -> None:
        self.project: Project = load_project(PROJECT)
        self.provider = recording_provider(self.user, self.called)

    def step(self, name: str) -> str:
        """Take a step; why it failed, or an empty text."""
        try:
            self._steps()[name]()
        except DeploymentError as error:
            self.stands = None
            return str(error)
        if name in ("up", "destroy"):
            self.stands = name == "up"
        return ""

    def prepare(self, *, standing: bool) -> None:
        """With all rights: have the whole stack there, or nothing of it."""
        self.user.may(*STATEMENTS)
        if self.stands is not standing:
            why = self.step("up" if standing else "destroy")
            assert why == "", why

    def _steps(self) -> dict[str, Callable[[], object]]:
        return {
            "preview": lambda: self._deploy(dry_run=True),
            "up": self._deploy,
            "preview --refresh": lambda: self._same(self._deploy(dry_run=True, refresh=True)),
            "change": self._change,
            "repair": self._repair,
            "refresh": lambda: refresh(self.project, self.project.stack("local"), self.provider, self.state),
            "destroy": lambda: destroy(self.project, self.project.stack("local"), self.provider, self.state),
        }

    def _deploy(self, settings: Sequence[str] = (), **options: bool) -> Deployment:
        config = self.project.stack("local", self.project.overrides(settings))
        return deploy(self.project, config, self.provider, self.state, **options)

    @staticmethod
    def _same(done: Deployment) -> None:
        assert not done.changed, done.summary

    def _change(self) -> None:
        assert self._deploy(CHANGES).changed
        assert self._deploy().changed

    def _repair(self) -> None:
        """Somebody changed by hand what no setting changes; `up --refresh` puts it back."""
        ec2, iam = self.administrator["ec2"], self.administrator["iam"]
        role = next(one for one in iam.list_roles()["Roles"] if one["RoleName"].startswith("director-"))
        trust = json.loads(json.dumps(role["AssumeRolePolicyDocument"]).replace("ec2.amazonaws", "lambda.amazonaws"))
        iam.update_role(RoleName=role["RoleName"], Description="changed by hand")
        iam.update_assume_role_policy(RoleName=role["RoleName"], PolicyDocument=json.dumps(trust))
        running = [{"Name": "instance-state-name", "Values": ["running"]}]
        machine = ec2.describe_instances(Filters=running)["Reservations"][0]["Instances"][0]
        ec2.modify_instance_metadata_options(InstanceId=machine["InstanceId"], HttpTokens="optional")
        rules = ec2.describe_security_group_rules()["SecurityGroupRules"]
        open_one = next(one for one in rules if one.get("CidrIpv4") == "0.0.0.0/0" and not one["IsEgress"])
        changed = {key: open_one[key] for key in ("IpProtocol", "FromPort", "ToPort")} | {"CidrIpv4": "10.9.0.0/16"}
        ec2.modify_security_group_rules(
            GroupId=open_one["GroupId"],
            SecurityGroupRules=[{"SecurityGroupRuleId": open_one["SecurityGroupRuleId"], "SecurityGroupRule": changed}],
        )
        done = self._deploy(refresh=True)
        repaired = {step.urn.split("::")[2].rpartition(":")[2] for step in done.steps if step.op == "update"}
        assert repaired == {"Role", "Instance", "SecurityGroupIngressRule"}, done.summary
