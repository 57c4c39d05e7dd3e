"""The instance metadata service: who may ask for what, as a WSGI application on the tree of lab/cloud/metadata.py.

Rules: EC2 user guide, "Use the Instance Metadata Service to access instance metadata".
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from werkzeug.wrappers import Response

from lab.cloud.faults import FaultLedger
from lab.cloud.metadata import InstanceFacts, resolve
from lab.cloud.servers import hang_up

TOKEN_PATH = "/latest/api/token"  # noqa: S105 - a path
TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
TTL = re.compile("[0-9]{1,9}")
MAXIMUM_TTL_SECONDS = 21600


@dataclass(frozen=True, kw_only=True)
class Token:
    """A session token: good for one instance until `expires` (monotonic seconds)."""

    instance_id: str
    ttl_seconds: int
    expires: float


class MetadataService:
    """WSGI. `find` gives the facts of the instance with a source address, which the fabric vouches for.

    `faults` are what may be wrong with the service itself.
    """

    def __init__(
        self,
        find: Callable[[str], InstanceFacts | None],
        *,
        faults: FaultLedger | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._find = find
        self._faults = faults or FaultLedger()
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, Token] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI."""
        chunks: Iterable[bytes] = self._answer(environ)(environ, start_response)
        return chunks

    def _answer(self, environ: dict[str, Any]) -> Response:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        facts = self._find(environ["REMOTE_ADDR"])
        if facts is None:
            return _refused(404)
        for name, fault in self._faults.of_metadata(facts.instance_id).items():
            if fault.effect == "gone":  # in the lab's network the fabric loses the packets before
                hang_up(environ)
                return _refused(503)
            self._faults.wait_in(name, fault.seconds)
        if not facts.enabled:
            return _refused(403)
        if path == TOKEN_PATH:
            return self._new_token(environ, facts) if method == "PUT" else _refused(405)
        if method not in ("GET", "HEAD"):
            return _refused(405)
        given = environ.get("HTTP_X_AWS_EC2_METADATA_TOKEN")
        token = self._valid(given, facts) if given is not None else None
        if token is None and (given is not None or facts.tokens_required):
            return _refused(401)
        content = resolve(facts, path)
        if content is None:
            return _refused(404)
        raw = path.rstrip("/").endswith("/user-data")
        answer = Response(content, mimetype="application/octet-stream" if raw else "text/plain")
        if token is not None:
            answer.headers[TTL_HEADER] = str(max(0, int(token.expires - self._clock())))
        return answer

    def _new_token(self, environ: dict[str, Any], facts: InstanceFacts) -> Response:
        if "HTTP_X_FORWARDED_FOR" in environ:
            return _refused(403)
        ttl = environ.get("HTTP_X_AWS_EC2_METADATA_TOKEN_TTL_SECONDS", "")
        if not (TTL.fullmatch(ttl) and 1 <= int(ttl) <= MAXIMUM_TTL_SECONDS):
            return _refused(400)
        now = self._clock()
        value = secrets.token_urlsafe(40)
        with self._lock:
            self._tokens = {key: token for key, token in self._tokens.items() if token.expires > now}
            self._tokens[value] = Token(instance_id=facts.instance_id, ttl_seconds=int(ttl), expires=now + int(ttl))
        answer = Response(value, mimetype="text/plain")
        answer.headers[TTL_HEADER] = ttl
        return answer

    def _valid(self, given: str, facts: InstanceFacts) -> Token | None:
        with self._lock:
            token = self._tokens.get(given)
        if token is None or token.instance_id != facts.instance_id or token.expires <= self._clock():
            return None
        return token


def _refused(status: int) -> Response:
    return Response("", status=status, mimetype="text/plain")
