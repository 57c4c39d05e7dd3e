"""Calls of IAM that moto lacks or lets pass: the simulator, boundaries of users, documents that are no policies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.iam.exceptions import IAMException, NoSuchEntity
from moto.iam.models import User
from moto.iam.responses import IamResponse

from lab.cloud.authorization.evaluation import NamedPolicy, Rights
from lab.cloud.authorization.gate import IamGate
from lab.cloud.authorization.policy import InvalidPolicyError, Kind, Policy, read_policy
from lab.cloud.authorization.principals import identity_rights, tags_of
from lab.cloud.authorization.simulation import Simulation

PAGE = 100


class LabUser(User):  # type: ignore[misc]
    """A user that may have a permissions boundary."""

    permissions_boundary_arn: str | None = None

    @property
    def permissions_boundary(self) -> dict[str, str] | None:
        """What GetUser shows of it."""
        arn = self.permissions_boundary_arn
        return {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn} if arn else None


class LabIamAnswers(IamGate, IamResponse):  # type: ignore[misc]
    """moto's IAM behind the gate, with what it lacks."""

    def simulate_custom_policy(self) -> ActionResult:
        """SimulateCustomPolicy."""
        boundaries = self._get_param("PermissionsBoundaryPolicyInputList")
        rights = Rights(
            identity=self._inputs("PolicyInputList"),
            boundary=None if boundaries is None else self._inputs("PermissionsBoundaryPolicyInputList"),
        )
        return self._simulated(rights, self._context({}))

    def simulate_principal_policy(self) -> ActionResult:
        """SimulatePrincipalPolicy: the policies of a user (with its groups), a group or a role, and those given."""
        arn = self._get_param("PolicySourceArn")
        identity = self._identity(arn)
        rights = identity_rights(self.backend, identity)
        boundaries = self._get_param("PermissionsBoundaryPolicyInputList")
        rights = Rights(
            identity=rights.identity + self._inputs("PolicyInputList"),
            boundary=rights.boundary if boundaries is None else self._inputs("PermissionsBoundaryPolicyInputList"),
            invalid=rights.invalid,
        )
        # "If you do not specify a CallerArn, it defaults to the ARN ... that you specify in PolicySourceArn."
        caller = self._identity(self._get_param("CallerArn") or arn)
        known: dict[str, tuple[str, ...]] = {
            "aws:principalarn": (str(caller.arn),),
            "aws:principalaccount": (self.current_account,),
        }
        known |= {f"aws:principaltag/{key.lower()}": (value,) for key, value in tags_of(caller).items()}
        if ":user/" in caller.arn:
            known |= {"aws:username": (str(caller.name),), "aws:userid": (str(caller.id),)}
        return self._simulated(rights, self._context(known))

    def put_role_policy(self) -> ActionResult:
        """PutRolePolicy."""
        self._check_document()
        return super().put_role_policy()

    def put_user_policy(self) -> ActionResult:
        """PutUserPolicy."""
        self._check_document()
        return super().put_user_policy()

    def put_group_policy(self) -> ActionResult:
        """PutGroupPolicy."""
        self._check_document()
        return super().put_group_policy()

    def create_policy(self) -> ActionResult:
        """CreatePolicy."""
        self._check_document()
        return super().create_policy()

    def create_policy_version(self) -> ActionResult:
        """CreatePolicyVersion."""
        self._check_document()
        return super().create_policy_version()

    def create_role(self) -> ActionResult:
        """CreateRole; moto takes any text for a trust policy."""
        self._check_document("AssumeRolePolicyDocument", Kind.TRUST)
        return super().create_role()

    def create_user(self) -> ActionResult:
        """CreateUser, with its boundary."""
        answer = super().create_user()
        if boundary := self._get_param("PermissionsBoundary"):
            self.backend.get_user(self._get_param("UserName")).permissions_boundary_arn = boundary
        return answer

    def put_user_permissions_boundary(self) -> ActionResult:
        """PutUserPermissionsBoundary."""
        user = self.backend.get_user(self._get_param("UserName"))
        user.permissions_boundary_arn = self._get_param("PermissionsBoundary")
        return EmptyResult()

    def delete_user_permissions_boundary(self) -> ActionResult:
        """DeleteUserPermissionsBoundary."""
        self.backend.get_user(self._get_param("UserName")).permissions_boundary_arn = None
        return EmptyResult()

    def _check_document(self, parameter: str = "PolicyDocument", kind: Kind = Kind.IDENTITY) -> None:
        # moto's own check comes first where it has one, with AWS's words; this one knows values of conditions, too.
        try:
            read_policy(self._get_param(parameter) or "", kind)
        except InvalidPolicyError as error:
            raise IAMException("MalformedPolicyDocument", f"Syntax errors in policy: {error}.") from error

    def _inputs(self, parameter: str) -> tuple[NamedPolicy, ...]:
        documents: Sequence[str] = self._get_param(parameter) or []
        return tuple(
            NamedPolicy(name=f"{parameter}.{number}", policy=_input(document))
            for number, document in enumerate(documents, start=1)
        )

    def _context(self, known: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        entries = self._get_param("ContextEntries") or []
        given = {each["ContextKeyName"].lower(): tuple(each.get("ContextKeyValues") or ()) for each in entries}
        return known | {key: values for key, values in given.items() if values}

    def _identity(self, arn: str) -> Any:
        entities = (*self.backend.users.values(), *self.backend.groups.values(), *self.backend.roles.values())
        found = next((each for each in entities if each.arn == arn), None)
        if found is None:
            raise NoSuchEntity(f"The entity {arn} cannot be found.")
        return found

    def _simulated(self, rights: Rights, context: dict[str, tuple[str, ...]]) -> ActionResult:
        simulation = Simulation(
            rights=rights,
            actions=self._get_param("ActionNames") or [],
            resources=self._get_param("ResourceArns") or [],
            context=context,
        )
        results = simulation.results()
        start, size = int(self._get_param("Marker") or 0), int(self._get_param("MaxItems") or PAGE)
        answer: dict[str, Any] = {"EvaluationResults": results[start : start + size], "IsTruncated": False}
        if start + size < len(results):
            answer |= {"IsTruncated": True, "Marker": str(start + size)}
        return ActionResult(answer)


def _input(document: str) -> Policy:
    try:
        return read_policy(document)
    except InvalidPolicyError as error:
        raise IAMException("InvalidInput", f"The input policy is not valid: {error}") from error
