"""Signature Version 4 in the Authorization header: what it claims, and whether the request bears it out. Pure.

Source: IAM user guide, "AWS Signature Version 4 for API requests" (elements of a request signature, signing steps).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"
STAMP = re.compile(r"\d{8}T\d{6}Z")
SCOPE = re.compile(r"([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request")


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request as it came: header names in lower case, `url` with its query, `body` the raw bytes."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What an Authorization header says: whose key, for which day, region and service, over which headers."""

    key_id: str
    day: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    signature: str


def read_claim(authorization: str) -> Claim | None:
    """The claim of a header; None where it is not one of Signature Version 4."""
    algorithm, _, rest = authorization.strip().partition(" ")
    fields = dict(field.strip().partition("=")[::2] for field in rest.split(","))
    scope = SCOPE.fullmatch(fields.get("Credential", ""))
    if algorithm != ALGORITHM or scope is None or not fields.get("SignedHeaders") or not fields.get("Signature"):
        return None
    key_id, day, region, service = scope.groups()
    return Claim(
        key_id=key_id,
        day=day,
        region=region,
        service=service.lower(),
        signed_headers=tuple(fields["SignedHeaders"].lower().split(";")),
        signature=fields["Signature"],
    )


def stamp_of(call: Call) -> datetime | None:
    """When the request says it was signed; None where it does not say."""
    stamp = call.headers.get("x-amz-date", "")
    try:
        return datetime.fromisoformat(stamp) if STAMP.fullmatch(stamp) else None
    except ValueError:
        return None


def is_signed(call: Call, claim: Claim, secret: str) -> bool:
    """Whether the request is the one that was signed with this secret.

    The signature has to cover the host and every x-amz- header, the day of the scope has to be the request's, and a
    hash of the body that the request brings along has to be the body's.
    """
    stamp = call.headers.get("x-amz-date", "")
    required = {"host"} | {name for name in call.headers if name.startswith("x-amz-")}
    if not required <= set(claim.signed_headers) <= call.headers.keys() or stamp[:8] != claim.day:
        return False
    body_hash = hashlib.sha256(call.body).hexdigest()
    if call.headers.get("x-amz-content-sha256", body_hash) != body_hash:
        return False
    request = AWSRequest(
        method=call.method,
        url=call.url,
        headers={name: call.headers[name] for name in claim.signed_headers},
    )
    request.context["timestamp"] = stamp
    signer = _Recalculation(Credentials(claim.key_id, secret), claim.service, claim.region, body_hash=body_hash)
    expected = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    return hmac.compare_digest(expected.encode(), claim.signature.encode())


class _Recalculation(SigV4Auth):
    """botocore's signer, over exactly the headers that the caller signed: itself it would leave some out."""

    def __init__(self, credentials: Credentials, service: str, region: str, *, body_hash: str) -> None:
        super().__init__(credentials, service, region)
        self._body_hash = body_hash

    def headers_to_sign(self, request: Any) -> Any:
        """All that were given."""
        return request.headers

    def payload(self, request: Any) -> str:  # noqa: ARG002 - botocore's signature
        """The hash of the body, which is known."""
        return self._body_hash
