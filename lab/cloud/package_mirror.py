"""The package mirror on the lab's internet: static files as apt asks for them, and a log of who got what."""

from __future__ import annotations

import logging
import mimetypes
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from werkzeug.security import safe_join
from werkzeug.utils import send_file
from werkzeug.wrappers import Response

from lab.cloud.authority import ensure_authority
from lab.machines.image import packages_of
from lab.machines.rootfs import STOCK
from lab.paths import LabPaths

log = logging.getLogger(__name__)


def packages_in(paths: LabPaths) -> Callable[[], Path | None]:
    """What the mirror serves for the lab of `paths`: the packages beside the image without them, once it is built."""
    certificate = ensure_authority(paths.authority).certificate
    found: list[Path] = []

    def find() -> Path | None:
        if not found:
            found.extend(filter(None, [packages_of(paths.cache, certificate, STOCK)]))
        return found[0] if found else None

    return find


class PackageMirror:
    """WSGI. `find` gives the directory to serve, None while there is none.

    Ranges (apt resumes a broken download) and conditional requests (it asks for an index only if it changed) are
    werkzeug's. Each answer is one line of the log: who, which path, status, bytes.
    """

    def __init__(self, find: Callable[[], Path | None]) -> None:
        self._find = find

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI."""
        answer = self._answer(environ)
        size = answer.content_length or 0
        log.info("%s %s %d %d", environ.get("REMOTE_ADDR", "-"), environ["PATH_INFO"], answer.status_code, size)
        chunks: Iterable[bytes] = answer(environ, start_response)
        return chunks

    def _answer(self, environ: dict[str, Any]) -> Response:
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return Response("", status=405)
        root = self._find()
        path = safe_join(str(root), environ["PATH_INFO"].lstrip("/")) if root else None
        if path is None or not Path(path).is_file():
            return Response("", status=404, mimetype="text/plain")
        kind = mimetypes.guess_type(path)[0] or "application/octet-stream"
        answer: Response = send_file(path, environ, mimetype=kind, conditional=True)
        return answer
