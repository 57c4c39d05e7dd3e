"""The AWS query API as a WSGI application: moto behind one lock, with what every call goes through."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Response

from lab.cloud import request_check
from lab.cloud.account import Account
from lab.cloud.failures import failure
from lab.cloud.journal import Call
from lab.cloud.servers import hang_up

log = logging.getLogger(__name__)
SERVICES = ("ec2", "iam", "sts", "ssm")
FIELDS = 10_000
Environ = dict[str, Any]

# EC2's answers to a fault (EC2 user guide, "Error codes"): status, code, words.
REFUSALS = {
    "throttled": (503, "RequestLimitExceeded", "Request limit exceeded."),
    "denied": (403, "UnauthorizedOperation", "You are not authorized to perform this operation."),
    "error": (500, "InternalError", "An internal error has occurred"),
    "lying": (500, "InternalError", "An internal error has occurred"),
}


class RefusedError(Exception):
    """A request that cannot be a call; the answer says why."""

    def __init__(self, answer: Response) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Api:
    """The API for one kind of caller. `delay_seconds` is what a call takes at least, in reality and here.

    `faulty` callers meet the account's faults. Who may do what is decided in lab/cloud/authorization.
    """

    def __init__(self, account: Account, *, delay_seconds: float, faulty: bool = True) -> None:
        self.account = account
        self.delay_seconds = delay_seconds
        self.faulty = faulty
        # moto's own dispatcher looks for its modules on disk at every call: a third of what a call takes.
        self._moto = {service: create_backend_app(service) for service in SERVICES}

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI."""
        received = time.monotonic()
        body = environ["wsgi.input"].read()
        environ["wsgi.input"] = io.BytesIO(body)
        try:
            answer = self._call(environ, body)
        except RefusedError as refused:
            answer = refused.answer
        self.account.journal.note(
            Call.of(body, source=environ.get("REMOTE_ADDR", ""), received=received, status=answer.status_code)
        )
        chunks: Iterable[bytes] = answer(environ, start_response)
        return chunks

    def _call(self, environ: Environ, body: bytes) -> Response:
        service, action = call_of(environ, body)
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        effect = self._meet_faults(environ, action) if self.faulty else None
        if effect is not None and effect != "lying":
            return failure(service, *REFUSALS[effect])
        answer = self._carry_out(service, environ)
        return failure(service, *REFUSALS["lying"]) if effect == "lying" else answer

    def _carry_out(self, service: str, environ: Environ) -> Response:
        with self.account.lock:
            try:
                chunks, status, headers = run_wsgi_app(self._moto[service], environ, buffered=True)
                answer = Response(b"".join(chunks), status=status, headers=headers)
                # Before the answer leaves, and in the order of the calls: the network knows, machines begin.
                self.account.settle()
            except NotImplementedError as error:
                return failure(service, 400, "InvalidAction", f"the lab does not know this: {error}")
            except Exception as error:
                log.exception("a call failed")
                return failure(service, 500, "InternalError", f"{type(error).__name__}: {error}")
        return answer

    def _meet_faults(self, environ: Environ, action: str) -> str | None:
        """Wait as long as the faults say; the refusal to answer with, "lying" for after the call, None for neither."""
        if not self.account.faults.current():
            return None  # who calls is worth a look through all sessions only where it matters
        with self.account.lock:
            machine = self.account.instance_of_key(access_key(environ.get("HTTP_AUTHORIZATION", "")))
        effect = None
        for name, fault in self.account.faults.take_api(action, machine).items():
            if fault.effect == "slow":
                self.account.faults.wait_in(name, fault.seconds)
            elif fault.effect in ("silent", "unreachable"):
                if fault.effect == "silent":
                    self.account.faults.wait_in(name, None)
                hang_up(environ)
                raise RefusedError(Response(status=503))  # nobody reads it
            else:
                effect = effect or fault.effect
        return effect


def call_of(environ: Environ, body: bytes) -> tuple[str, str]:
    """The service and the name of the call. Raises RefusedError with EC2's code for what is none."""
    service = scope_service(environ.get("HTTP_AUTHORIZATION", ""))
    if service is None:
        raise RefusedError(
            failure(None, 403, "MissingAuthenticationToken", "the request is not signed (Signature Version 4)")
        )
    if service not in SERVICES:
        raise RefusedError(
            failure(None, 400, "InvalidAction", f"the lab has {', '.join(SERVICES)}; this request is for {service!r}")
        )
    if service == "ssm":
        return service, str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]
    raw = body or environ.get("QUERY_STRING", "").encode("latin-1")
    try:
        text = raw.decode("ascii")
        fields = parse_qsl(
            text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=FIELDS
        )
    except ValueError as error:
        message = f"The query string contains a syntax error: {error}"
        raise RefusedError(failure(service, 400, "MalformedQueryString", message)) from None
    action = next((value for name, value in fields if name == "Action"), "")
    if not action:
        raise RefusedError(failure(service, 400, "MissingAction", "The request must contain the parameter Action"))
    if service == "ec2":
        try:
            request_check.check(action, fields)
        except request_check.BadRequestError as error:
            raise RefusedError(failure(service, 400, error.code, str(error))) from None
    return service, action


def scope_service(authorization: str) -> str | None:
    """The service a request was signed for: `Credential=KEY/DATE/REGION/SERVICE/aws4_request` (SigV4)."""
    scope = _credential(authorization)
    return scope[3].lower() if scope else None


def access_key(authorization: str) -> str:
    """The key id a request was signed with, empty for an unsigned one."""
    scope = _credential(authorization)
    return scope[0] if scope else ""


def _credential(authorization: str) -> list[str] | None:
    _, found, credential = authorization.partition("Credential=")
    parts = credential.split(",")[0].split("/")
    return parts if found and len(parts) == 5 else None
