"""The AWS query API as a WSGI application: moto behind one lock, with what every call goes through."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable, Iterable
from typing import Any
from xml.sax.saxutils import escape

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import run_wsgi_app
from werkzeug.wrappers import Response

from lab.cloud.account import Account

log = logging.getLogger(__name__)
SERVICES = ("ec2", "iam", "sts", "ssm")
RESET_PATH = "/moto-api/reset"
Environ = dict[str, Any]


class Api:
    """The API for one kind of caller. `delay_seconds` is what a call takes at least, in reality and here.

    Signatures are not checked yet: whoever calls is the account's administrator, or the role its credentials are of.
    """

    def __init__(self, account: Account, *, delay_seconds: float) -> None:
        self.account = account
        self.delay_seconds = delay_seconds
        self._moto = DomainDispatcherApplication(create_backend_app)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        if self.delay_seconds:
            time.sleep(self.delay_seconds)
        if environ["PATH_INFO"] == RESET_PATH:
            self.account.reset()
            answer = Response("{}", mimetype="application/json")
        else:
            answer = self._call(environ)
        chunks: Iterable[bytes] = answer(environ, start_response)
        return chunks

    def _call(self, environ: Environ) -> Response:
        service = scope_service(environ.get("HTTP_AUTHORIZATION", ""))
        if service not in SERVICES:
            return failure(400, "InvalidAction", f"the lab has {', '.join(SERVICES)}; this request is for {service!r}")
        with self.account.lock:
            try:
                chunks, status, headers = run_wsgi_app(self._moto, environ, buffered=True)
                answer = Response(b"".join(chunks), status=status, headers=headers)
                # Before the answer leaves, and in the order of the calls: the network knows, machines begin.
                self.account.settle()
            except NotImplementedError as error:
                return failure(400, "InvalidAction", f"the lab does not know this: {error}")
            except Exception as error:
                log.exception("a call failed")
                return failure(500, "InternalError", f"{type(error).__name__}: {error}")
        return answer


def scope_service(authorization: str) -> str | None:
    """The service a request was signed for: `Credential=KEY/DATE/REGION/SERVICE/aws4_request` (SigV4)."""
    _, found, credential = authorization.partition("Credential=")
    parts = credential.split(",")[0].split("/")
    return parts[3].lower() if found and len(parts) == 5 else None


def failure(status: int, code: str, message: str) -> Response:
    """An error of the EC2 query API."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Response><Errors><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error></Errors>"
        "<RequestID>00000000-0000-0000-0000-000000000000</RequestID></Response>"
    )
    return Response(body, status=status, mimetype="text/xml")
