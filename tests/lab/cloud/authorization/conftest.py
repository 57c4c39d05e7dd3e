"""Callers of the lab's API with rights of their own: sessions of a role, users with a key."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.cloud.local import LocalCloud
from tests.lab.cloud.authorization.scene import ACCOUNT, Scene, scene_of
from tests.lab.cloud.conftest import World, client

ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ASSIGN, ASSOCIATE = "ec2:AssignPrivateIpAddresses", "ec2:AssociateAddress"


def allow(action: Any = "*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: Any = "*", resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(action, resource, **more), "Effect": "Deny"}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def trust(principal: Any, **more: Any) -> str:
    return document({"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal, **more})


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Someone with credentials; `name` is the role or user. Clients are made once: that takes longer than a call."""

    cloud: LocalCloud
    iam: Any
    kind: str
    name: str
    key_id: str
    secret: str
    token: str | None = None
    clients: dict[str, Any] = field(default_factory=dict)

    def may(self, *statements: dict[str, Any]) -> Caller:
        """The same caller, whose role or user now has these rights and no others."""
        whose = {f"{self.kind.capitalize()}Name": self.name}
        if statements:
            put = getattr(self.iam, f"put_{self.kind}_policy")
            put(**whose, PolicyName="rights", PolicyDocument=document(*statements))
        elif getattr(self.iam, f"list_{self.kind}_policies")(**whose)["PolicyNames"]:
            getattr(self.iam, f"delete_{self.kind}_policy")(**whose, PolicyName="rights")
        return self

    def __call__(self, service: str) -> Any:
        if service not in self.clients:
            keys = {"aws_access_key_id": self.key_id, "aws_secret_access_key": self.secret}
            if self.token is not None:
                keys["aws_session_token"] = self.token
            self.clients[service] = client(self.cloud, service, **keys)
        return self.clients[service]


@dataclass(frozen=True, kw_only=True)
class Callers:
    """Makes callers, as the account's administrator."""

    cloud: LocalCloud
    iam: Any
    sts: Any
    numbers: Any = field(default_factory=itertools.count)

    def role(
        self, *statements: dict[str, Any], principal: Any = None, session: str | None = None, **options: Any
    ) -> Caller:
        """A session of a new role with these rights; `session` is a session policy."""
        name = f"role-{next(self.numbers)}"
        made = self.iam.create_role(
            RoleName=name, AssumeRolePolicyDocument=trust(principal or {"AWS": ROOT}), **options
        )
        more = {} if session is None else {"Policy": session}
        return self.session_of(made["Role"]["Arn"], name, **more).may(*statements)

    def session_of(self, role_arn: str, name: str, **more: Any) -> Caller:
        keys = self.sts.assume_role(RoleArn=role_arn, RoleSessionName="a-session", **more)["Credentials"]
        return Caller(
            cloud=self.cloud,
            iam=self.iam,
            kind="role",
            name=name,
            key_id=keys["AccessKeyId"],
            secret=keys["SecretAccessKey"],
            token=keys["SessionToken"],
        )

    def user(self, *statements: dict[str, Any], **options: Any) -> Caller:
        """A new user with these rights, and a key."""
        name = f"user-{next(self.numbers)}"
        self.iam.create_user(UserName=name, **options)
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        made = Caller(
            cloud=self.cloud,
            iam=self.iam,
            kind="user",
            name=name,
            key_id=key["AccessKeyId"],
            secret=key["SecretAccessKey"],
        )
        return made.may(*statements)


@pytest.fixture(scope="session")
def administrator(running_cloud: LocalCloud) -> dict[str, Any]:
    return {service: client(running_cloud, service) for service in ("iam", "sts", "ssm")}


@pytest.fixture
def iam(cloud: LocalCloud, administrator: dict[str, Any]) -> Any:
    return administrator["iam"]


@pytest.fixture
def callers(cloud: LocalCloud, administrator: dict[str, Any]) -> Callers:
    return Callers(cloud=cloud, iam=administrator["iam"], sts=administrator["sts"])


@pytest.fixture
def caller(callers: Callers) -> Caller:
    """A session whose rights a test sets."""
    return callers.role()


@pytest.fixture
def scene(world: World) -> Scene:
    return scene_of(world)
