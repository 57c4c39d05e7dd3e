"""The gate before every call: who calls, with a signature that holds, and whether its policies allow the call.

Mixins for moto's response classes, at the place where moto asks for it (`_authenticate_and_authorize_action`). moto
dispatches under the account's lock (lab/cloud/api.py).
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from moto.core import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends
from moto.iam.utils import generate_access_key_id_from_account_id
from moto.ssm.models import ssm_backends
from moto.sts.models import sts_backends
from werkzeug.exceptions import HTTPException

from lab.cloud.authorization.ec2_resources import Scope
from lab.cloud.authorization.evaluation import Decision, Layer, Outcome, Trusted, decide, decide_assumption
from lab.cloud.authorization.iam_actions import iam_resources, ssm_resources, sts_resources
from lab.cloud.authorization.policy import InvalidPolicyError, Kind, Request, read_policy
from lab.cloud.authorization.principals import Principal, find_principal, rights_of, role_of
from lab.cloud.authorization.refusals import ANSWERS, Fault, RefusedError
from lab.cloud.authorization.requests import EVERYTHING, ec2_requests, global_keys, requests_about
from lab.cloud.authorization.signature import Call, is_signed, read_claim, stamp_of
from lab.cloud.failures import failure
from lab.fabric.routing import PUBLIC_POOL

log = logging.getLogger(__name__)
PARTITION = "aws"
# "Requests must reach AWS within five minutes of the time stamp" (IAM user guide, elements of a request signature).
SKEW = timedelta(minutes=5)
# "No permissions are required" (STS API reference, GetCallerIdentity).
NEEDS_NO_PERMISSION = frozenset({"sts:GetCallerIdentity"})
# Where the id of a key that IAM or STS made says whose account's it is, and what it says of the lab's.
ACCOUNT_PART = slice(4, 12)
LABS_PART = generate_access_key_id_from_account_id(DEFAULT_ACCOUNT_ID, prefix="AKIA")[ACCOUNT_PART]


class Gate:
    """What the four services have in common; `gated_service` is the one of the class."""

    gated_service: str

    def get_current_account(self: Any) -> str:
        """The lab's one account, whatever a header says."""
        return str(DEFAULT_ACCOUNT_ID)

    def _authenticate_and_authorize_action(self: Any, iam_request_cls: type, resource: str = "*") -> None:  # noqa: ARG002 - moto's signature
        """Let the call pass, or raise the HTTP error that answers it."""
        now = datetime.now(UTC)
        try:
            principal = authenticate(self, now)
            if principal is not None:
                self._authorize(principal, now)
        except RefusedError as refused:
            raise self._answer_to(refused) from None

    def _authorize(self: Any, principal: Principal, now: datetime) -> None:
        call = f"{self.gated_service}:{self._get_action()}"
        if call in NEEDS_NO_PERMISSION:
            return
        http = self.normalized_request
        context = {
            **global_keys(
                region=self.region,
                source_ip=http.remote_addr or "",
                secure=http.scheme == "https",
                agent=http.headers.get("User-Agent", ""),
                now=now,
            ),
            **principal.keys(),
        }
        rights = rights_of(iam_of_account(), principal)
        for request in self._requests(principal, call, context):
            decision = self._decide(principal, rights, request)
            if not decision.allowed:
                raise RefusedError(Fault.DENIED, sentence(principal, request, decision))

    def _requests(self: Any, principal: Principal, call: str, context: Any) -> Iterable[Request]:
        raise NotImplementedError

    def _decide(self: Any, principal: Principal, rights: Any, request: Request) -> Decision:  # noqa: ARG002 - for STS
        return decide(rights, request)

    def _answer_to(self: Any, refused: RefusedError) -> HTTPException:
        answer = ANSWERS[self.gated_service][refused.fault]
        log.info("%s refused: %s", self._get_action(), refused)
        body = failure(self.gated_service, answer.status, answer.code, answer.message(refused.particulars))
        self.response_headers["Content-Type"] = body.content_type
        raised = HTTPException(body.get_data(as_text=True))
        raised.code = answer.status
        return raised


class Ec2Gate(Gate):
    """For EC2."""

    gated_service = "ec2"

    def _requests(self: Any, principal: Principal, call: str, context: Any) -> Iterable[Request]:
        scope = Scope(ec2=self.ec2_backend, partition=PARTITION, region=self.region, account=principal.account)
        return ec2_requests(scope, iam_of_account(), call.partition(":")[2], self.params, context)


class IamGate(Gate):
    """For IAM."""

    gated_service = "iam"

    def _requests(self: Any, principal: Principal, call: str, context: Any) -> Iterable[Request]:
        about = iam_resources(iam_of_account(), principal, call.partition(":")[2], self.params)
        return requests_about(call, about, context)


class StsGate(Gate):
    """For STS: a role is taken only by whom its trust policy trusts."""

    gated_service = "sts"

    def _requests(self: Any, principal: Principal, call: str, context: Any) -> Iterable[Request]:
        about = sts_resources(iam_of_account(), principal, call.partition(":")[2], self.params)
        return requests_about(call, about, context)

    def _decide(self: Any, principal: Principal, rights: Any, request: Request) -> Decision:
        if not request.action.startswith("sts:AssumeRole") or request.resource == EVERYTHING:
            return decide(rights, request)
        role = role_of(iam_of_account(), request.resource)
        try:
            trust = read_policy(role.assume_role_policy_document if role else "{}", Kind.TRUST)
        except InvalidPolicyError as error:
            log.warning("nobody may assume %s: %s", request.resource, error)
            return Decision(outcome=Outcome.IMPLICIT_DENY, layer=Layer.TRUST)
        own = (principal.arn, str(principal.identity.arn))
        return decide_assumption(rights, trust, request, Trusted(arns=own, account=principal.account))


class SsmGate(Gate):
    """For Systems Manager, whose calls are JSON."""

    gated_service = "ssm"

    def _requests(self: Any, principal: Principal, call: str, context: Any) -> Iterable[Request]:
        try:
            parameters = json.loads(self.body or "{}")
        except ValueError:
            parameters = None
        if not isinstance(parameters, Mapping):
            parameters = {}
        ssm = ssm_backends[DEFAULT_ACCOUNT_ID][self.region]
        about = ssm_resources(ssm, self.region, principal, call.partition(":")[2], parameters)
        return requests_about(call, about, context)


def iam_of_account() -> Any:
    """Moto's IAM of the lab's account."""
    return iam_backends[DEFAULT_ACCOUNT_ID][PARTITION]


def authenticate(response: Any, now: datetime) -> Principal | None:
    """Who calls; None for the account's administrator, of whom nothing is asked. Raises RefusedError."""
    http = response.normalized_request
    call = Call(
        method=response.method,
        url=response.uri,
        headers={name.lower(): value for name, value in http.headers.items()},
        # lab/cloud/api.py has read it whole; flask gives no bytes of a body that it has parsed as a form.
        body=http.environ["wsgi.input"].getvalue(),
    )
    claim = read_claim(call.headers.get("authorization", ""))
    if claim is None:
        raise RefusedError(Fault.BAD_SIGNATURE, "the Authorization header is not one of Signature Version 4")
    principal = find_principal(iam_of_account(), sts_backends[DEFAULT_ACCOUNT_ID][PARTITION], claim.key_id)
    token = call.headers.get("x-amz-security-token")
    if principal is None:
        if token is None and is_administrator(claim.key_id, http.remote_addr or ""):
            return None
        raise RefusedError(Fault.UNKNOWN_CALLER)
    if token != principal.token:
        raise RefusedError(Fault.UNKNOWN_CALLER)
    stamp = stamp_of(call)
    if stamp is None:
        raise RefusedError(Fault.BAD_SIGNATURE, "there is no X-Amz-Date")
    if abs(now - stamp) > SKEW:
        raise RefusedError(Fault.OLD, age_sentence(stamp, now))
    if claim.region != response.region or not is_signed(call, claim, principal.secret):
        raise RefusedError(Fault.BAD_SIGNATURE)
    if principal.expires is not None and principal.expires <= now:
        raise RefusedError(Fault.SESSION_OVER)
    return principal


def is_administrator(key_id: str, address: str) -> bool:
    """Whether the caller with a key that is nobody's is the lab's user, who may do everything.

    Not with a key that IAM or STS made for this account: it is deleted, or a fake. Nor where the caller comes from one
    of the account's public addresses: that is a machine, and the lab's user is whoever reaches the host's port.
    """
    if key_id.startswith("ASIA") or key_id[ACCOUNT_PART] == LABS_PART:
        return False
    try:
        return ip_address(address) not in PUBLIC_POOL
    except ValueError:
        return True


def sentence(principal: Principal, request: Request, decision: Decision) -> str:
    """AWS's sentence for a denial."""
    resource = "" if request.resource == EVERYTHING else f" on resource: {request.resource}"
    reason = decision.reason(request.action)
    return f"User: {principal.arn} is not authorized to perform: {request.action}{resource} {reason}"


def age_sentence(stamp: datetime, now: datetime) -> str:
    """AWS's sentence for a date that is too far away (IAM user guide, "Troubleshoot Signature Version 4 signing")."""
    early, form = stamp < now, "%Y%m%dT%H%M%SZ"
    limit = now - SKEW if early else now + SKEW
    start, sign = ("Signature expired", "-") if early else ("Signature not yet current", "+")
    relation = "now earlier" if early else "still later"
    return f"{start}: {stamp:{form}} is {relation} than {limit:{form}} ({now:{form}} {sign} 5 min.)"
