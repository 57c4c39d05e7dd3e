"""What the host reaches at the cloud's port: the API, and what only the lab's user may ask, under /_lab/."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.wrappers import Response

from lab.cloud.metadata_service import MetadataService

INSTANCES = "/_lab/instances/"
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class HostService:
    """WSGI. `metadata` answers under /_lab/instances/INSTANCE_ID/ as that instance sees it.

    On the host no source address tells who asks, so the path does: an SDK finds its instance's credentials with
    AWS_EC2_METADATA_SERVICE_ENDPOINT=http://ADDRESS:PORT/_lab/instances/INSTANCE_ID/.
    """

    def __init__(self, *, api: Wsgi, metadata: MetadataService) -> None:
        self._api = api
        self._metadata = metadata

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI."""
        path = environ["PATH_INFO"]
        if path.startswith(INSTANCES):
            instance_id, _, rest = path.removeprefix(INSTANCES).partition("/")
            # The metadata service knows its caller by address; here the caller is whom the path names.
            return self._metadata({**environ, "REMOTE_ADDR": instance_id, "PATH_INFO": f"/{rest}"}, start_response)
        if path.startswith("/_lab/"):
            nothing: Iterable[bytes] = Response(f"nothing at {path}\n", status=404)(environ, start_response)
            return nothing
        return self._api(environ, start_response)
