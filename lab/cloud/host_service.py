"""What the host reaches at the cloud's port: the API, and what only the lab's user may ask, under /_lab/."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

from werkzeug.wrappers import Response

from lab.cloud.account import Account
from lab.cloud.faults import FaultError, fault_from_json
from lab.cloud.metadata_service import MetadataService

INSTANCES = "/_lab/instances/"
FAULTS = "/_lab/faults"
JOURNAL = "/_lab/journal"
RESET = "/moto-api/reset"
Environ = dict[str, Any]
Wsgi = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class HostService:
    """WSGI. `metadata` answers under /_lab/instances/INSTANCE_ID/ as that instance sees it.

    On the host no source address tells who asks, so the path does: an SDK finds its instance's credentials with
    AWS_EC2_METADATA_SERVICE_ENDPOINT=http://ADDRESS:PORT/_lab/instances/INSTANCE_ID/.

    /_lab/faults: GET lists the faults in force, POST makes one of a JSON document (lab/cloud/faults.py), DELETE clears
    all, DELETE /_lab/faults/ID one. POST /moto-api/reset, as moto has it, empties the account: from the host only.

    GET /_lab/journal?since=SECONDS: calls and moves of addresses since that monotonic time (lab/cloud/journal.py).
    """

    def __init__(self, account: Account, *, api: Wsgi, metadata: MetadataService) -> None:
        self._account = account
        self._api = api
        self._metadata = metadata

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI."""
        path = environ["PATH_INFO"]
        if path.startswith(INSTANCES):
            instance_id, _, rest = path.removeprefix(INSTANCES).partition("/")
            # The metadata service knows its caller by address; here the caller is whom the path names.
            return self._metadata({**environ, "REMOTE_ADDR": instance_id, "PATH_INFO": f"/{rest}"}, start_response)
        if path == RESET and environ["REQUEST_METHOD"] == "POST":
            self._account.reset()
            answer = _json({})
        elif not path.startswith("/_lab/"):
            return self._api(environ, start_response)
        elif path == JOURNAL and environ["REQUEST_METHOD"] == "GET":
            answer = self._answer_from_journal(environ["QUERY_STRING"])
        elif path == FAULTS or path.startswith(f"{FAULTS}/"):
            answer = self._answer_about_faults(environ, path.removeprefix(FAULTS).lstrip("/") or None)
        else:
            answer = _json({"error": f"nothing at {path}"}, 404)
        chunks: Iterable[bytes] = answer(environ, start_response)
        return chunks

    def _answer_from_journal(self, query: str) -> Response:
        try:
            since = float(dict(parse_qsl(query)).get("since", "0"))
        except ValueError as error:
            return _json({"error": f"since: {error}"}, 400)
        return _json(self._account.journal.since(since))

    def _answer_about_faults(self, environ: Environ, name: str | None) -> Response:
        method = environ["REQUEST_METHOD"]
        try:
            if method == "GET" and name is None:
                return _json([self._shown(each) for each in self._account.faults.current()])
            if method == "POST" and name is None:
                added = self._account.add_fault(fault_from_json(environ["wsgi.input"].read()))
                return _json(self._shown(added), 201)
            if method == "DELETE":
                return _json({"cleared": self._account.clear_faults(name)})
        except FaultError as error:
            return _json({"error": str(error)}, 400)
        return _json({"error": f"no {method} here"}, 405)

    def _shown(self, name: str) -> dict[str, Any]:
        fault = self._account.faults.current().get(name)
        return {"id": name} if fault is None else {"id": name, "text": fault.text, **fault.model_dump(mode="json")}


def _json(document: Any, status: int = 200) -> Response:
    return Response(json.dumps(document) + "\n", status=status, mimetype="application/json")
