"""What the policy simulator says of a set of rights. Pure.

Source: IAM API reference, SimulateCustomPolicy, EvaluationResult and ResourceSpecificResult.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lab.cloud.authorization.evaluation import Decision, Layer, Outcome, Rights, decide
from lab.cloud.authorization.matching import Context
from lab.cloud.authorization.policy import Request

EVERYTHING = "*"
# The simulator's results of an action over several resources: the most restrictive one.
RESTRICTIONS = (Outcome.EXPLICIT_DENY, Outcome.IMPLICIT_DENY, Outcome.ALLOWED)


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """Every action is asked about every resource (or *), with the same context."""

    rights: Rights
    actions: Sequence[str]
    resources: Sequence[str]
    context: Context

    def results(self) -> list[dict[str, Any]]:
        """An EvaluationResult an action.

        EvalResourceName is always *: the lab does not know the templates of ARNs that AWS gives there. The layers that
        organizations add do not exist.
        """
        return [self._result(action) for action in self.actions]

    def _result(self, action: str) -> dict[str, Any]:
        resources = [each for each in self.resources if each != EVERYTHING]
        decisions = {name: self._decide(action, name) for name in resources or [EVERYTHING]}
        outcome = min((each.outcome for each in decisions.values()), key=RESTRICTIONS.index)
        deciding = [each for each in decisions.values() if each.outcome is outcome]
        result = {
            "EvalActionName": action,
            "EvalResourceName": EVERYTHING,
            "EvalDecision": outcome.value,
            "MatchedStatements": _matched(deciding),
            "MissingContextValues": self._missing(action),
            **self._boundary(list(decisions.values())),
        }
        if resources:
            result["ResourceSpecificResults"] = [
                {
                    "EvalResourceName": name,
                    "EvalResourceDecision": decision.outcome.value,
                    "MatchedStatements": _matched([decision]),
                    "MissingContextValues": self._missing(action),
                    **self._boundary([decision]),
                }
                for name, decision in decisions.items()
            ]
        return result

    def _decide(self, action: str, resource: str) -> Decision:
        return decide(self.rights, Request(action=action, resource=resource, context=self.context))

    def _missing(self, action: str) -> list[str]:
        """The condition keys of the statements about an action that were not given."""
        policies = [named.policy for _, layer in self.rights.layers for named in layer]
        statements = [each for policy in policies for each in policy.statements if each.names_action(action)]
        return sorted({key for each in statements for key in each.keys} - self.context.keys())

    def _boundary(self, decisions: Sequence[Decision]) -> Mapping[str, Any]:
        if self.rights.boundary is None:
            return {}
        allowed = all(each.layer is not Layer.BOUNDARY for each in decisions)
        return {"PermissionsBoundaryDecisionDetail": {"AllowedByPermissionsBoundary": allowed}}


def _matched(decisions: Sequence[Decision]) -> list[dict[str, str]]:
    names = dict.fromkeys(name for each in decisions for name in each.by)
    return [{"SourcePolicyId": name, "SourcePolicyType": "IAM Policy"} for name in names]
