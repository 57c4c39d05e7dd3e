"""A signer of its own, after the documents and with the standard library only: it signs what a test wants signed."""

from __future__ import annotations

import hashlib
import hmac
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

FORM = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}


def signed(
    *,
    host: str,
    body: bytes,
    key_id: str,
    secret: str,
    token: str | None = None,
    service: str = "ec2",
    region: str = "us-east-1",
    when: datetime | None = None,
    more: Mapping[str, str] | None = None,
    left_out: tuple[str, ...] = (),
    query: str = "",
) -> dict[str, str]:
    """The headers of a POST to / with a signature over all of them but those `left_out`."""
    stamp = f"{when or datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    headers = {"host": host, "x-amz-date": stamp, **(more or {})}
    if token is not None:
        headers["x-amz-security-token"] = token
    names = sorted(set(headers) - set(left_out))
    canonical = "\n".join(
        [
            "POST",
            "/",
            query,
            *(f"{name}:{' '.join(headers[name].split())}" for name in names),
            "",
            ";".join(names),
            hashlib.sha256(body).hexdigest(),
        ]
    )
    scope = f"{stamp[:8]}/{region}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", stamp, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    )
    return headers


def signed_post(
    endpoint: str, body: bytes, *, sent: bytes | None = None, more: Mapping[str, str] | None = None, **options: Any
) -> tuple[int, str]:
    """POST a signed form, or `sent` in its place; the status and the text of the answer."""
    headers = signed(host=endpoint.removeprefix("http://"), body=body, more={**FORM, **(more or {})}, **options)
    request = urllib.request.Request(f"{endpoint}/", data=sent or body, headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
