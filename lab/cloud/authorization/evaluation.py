"""Whether a request is allowed: explicit denials first, then every layer of policies has to allow it. Pure.

Source: IAM user guide, "Policy evaluation logic" and "How AWS enforcement code logic evaluates requests to allow or
deny access" (within one account: identity-based policies, permissions boundary, session policy, role trust).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from lab.cloud.authorization.policy import Policy, Request, Statement


class Outcome(Enum):
    """As the policy simulator names them (IAM API reference, EvaluationResult)."""

    ALLOWED = "allowed"
    IMPLICIT_DENY = "implicitDeny"
    EXPLICIT_DENY = "explicitDeny"


class Layer(Enum):
    """A kind of policy, as AWS's refusals name it."""

    IDENTITY = "identity-based policy"
    BOUNDARY = "permissions boundary"
    SESSION = "session policy"
    TRUST = "resource-based policy"


@dataclass(frozen=True, kw_only=True)
class NamedPolicy:
    """A policy and what it is called."""

    name: str
    policy: Policy


@dataclass(frozen=True, kw_only=True)
class Rights:
    """Everything that decides what a principal may do.

    The identity's policies grant; `boundary` and `session` do not, but what they do not allow is refused. `invalid`
    says why a policy could not be read: then nothing is allowed.
    """

    identity: tuple[NamedPolicy, ...] = ()
    boundary: tuple[NamedPolicy, ...] | None = None
    session: tuple[NamedPolicy, ...] | None = None
    invalid: str = ""

    @property
    def layers(self) -> tuple[tuple[Layer, tuple[NamedPolicy, ...]], ...]:
        """The layers there are."""
        given = ((Layer.IDENTITY, self.identity), (Layer.BOUNDARY, self.boundary), (Layer.SESSION, self.session))
        return tuple((layer, policies) for layer, policies in given if policies is not None)


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What came of a request: the layer that refused it, and the statements that decided, by their policy's name."""

    outcome: Outcome
    layer: Layer = Layer.IDENTITY
    by: tuple[str, ...] = ()

    @property
    def allowed(self) -> bool:
        """Whether the call may go on."""
        return self.outcome is Outcome.ALLOWED

    def reason(self, action: str) -> str:
        """The end of AWS's sentence (IAM user guide, "Troubleshoot access denied error messages")."""
        if self.outcome is Outcome.EXPLICIT_DENY:
            article = "an" if self.layer is Layer.IDENTITY else "a"
            return f"with an explicit deny in {article} {self.layer.value}"
        return f"because no {self.layer.value} allows the {action} action"


def decide(rights: Rights, request: Request) -> Decision:
    """Whether these rights allow a request."""
    if rights.invalid:
        return Decision(outcome=Outcome.IMPLICIT_DENY)
    granted: tuple[str, ...] = ()
    missing: Layer | None = None
    for layer, policies in rights.layers:
        allowing, denying = _applying(policies, request)
        if denying:
            return Decision(outcome=Outcome.EXPLICIT_DENY, layer=layer, by=denying)
        if not allowing and missing is None:
            missing = layer
        granted += allowing
    if missing is not None:
        return Decision(outcome=Outcome.IMPLICIT_DENY, layer=missing)
    return Decision(outcome=Outcome.ALLOWED, by=granted)


def decide_assumption(rights: Rights, trust: Policy, request: Request, principal: Trusted) -> Decision:
    """Whether these rights and the role's trust policy allow AssumeRole.

    The trust policy has to trust the principal. Where it only trusts the account, the principal needs the right too.
    """
    statements = [each for each in trust.statements if each.applies_to(request)]
    for statement in statements:
        if not statement.allows and principal.trust_in(statement) is not None:
            return Decision(outcome=Outcome.EXPLICIT_DENY, layer=Layer.TRUST)
    own = decide(rights, request)
    if own.outcome is Outcome.EXPLICIT_DENY:
        return own
    found = {principal.trust_in(each) for each in statements if each.allows}
    if Trust.PRINCIPAL in found:
        return Decision(outcome=Outcome.ALLOWED)
    return own if Trust.ACCOUNT in found else Decision(outcome=Outcome.IMPLICIT_DENY, layer=Layer.TRUST)


class Trust(Enum):
    """Whom a trust policy trusts: the very principal, or its account, which may hand the right on."""

    PRINCIPAL = "principal"
    ACCOUNT = "account"


@dataclass(frozen=True, kw_only=True)
class Trusted:
    """The names a trust policy may give a principal: its own ARNs, and its account's number."""

    arns: tuple[str, ...]
    account: str

    def trust_in(self, statement: Statement) -> Trust | None:
        """How a statement's Principal names this principal; None where it does not."""
        named = statement.principals.get("AWS", ())
        if any(arn in named for arn in self.arns):
            return Trust.PRINCIPAL
        partition = self.arns[0].split(":")[1]
        if any(each in ("*", self.account, f"arn:{partition}:iam::{self.account}:root") for each in named):
            return Trust.ACCOUNT
        return None


def _applying(policies: Iterable[NamedPolicy], request: Request) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names of the policies with a statement that allows, and with one that denies."""
    allowing: list[str] = []
    denying: list[str] = []
    for named in policies:
        for statement in named.policy.statements:
            if statement.applies_to(request):
                (allowing if statement.allows else denying).append(named.name)
    return tuple(dict.fromkeys(allowing)), tuple(dict.fromkeys(denying))
